//! Subset construction: each reachable combination of [`Pending`], one per stage, becomes a DFA state.

use std::collections::HashMap;

use super::classes::{Classes, Partition};
use super::nfa::{Nfa, Symbol, sets};
use super::pending::{Decided, Pending};
use super::syntax::{self, Set};
use super::{
    Automaton, END, Entry, HERE, MAX_CLASSES, MAX_STATES, MORE, PAIRS, REMEMBER, state_of,
};
use crate::pattern::regex::Gaps;

/// Maximum total length of the regexes in bytes. Published patterns have a few hundred.
const MAX_SOURCE: usize = 4096;

/// A transition: the boundaries that a symbol decides, and the next state.
type Step = (Decided, usize);

impl Automaton {
    /// Compiles a chain of stages. Returns `None` if a stage is not regular, may match the empty string, joins
    /// or drops matches, or does not decide its boundaries early enough for the next stage, or if the DFA would
    /// be too large.
    pub(in crate::pattern) fn new(stages: &[(String, Gaps)]) -> Option<Self> {
        let length: usize = stages.iter().map(|(source, _)| source.len()).sum();
        if length > MAX_SOURCE || !stages.iter().all(|(_, gaps)| gaps.are_simple()) {
            return None;
        }
        let nodes: Vec<_> =
            (stages.iter().map(|(source, _)| syntax::parse(source))).collect::<Option<_>>()?;
        let mut all: Vec<&Set> = Vec::new();
        nodes.iter().for_each(|node| sets(node, &mut all));
        let partition = Partition::new(&all)?;
        let chain = Chain {
            nfas: (nodes.iter().map(|node| Nfa::new(node, &all, &partition)))
                .collect::<Option<_>>()?,
            drops: stages.iter().map(|(_, gaps)| *gaps == Gaps::Drop).collect(),
        };
        let rows = chain.explore(partition.len)?;
        Automaton::build_tables(&rows, &partition)
    }

    /// Numbers the classes and fills the tables. `rows[state]` holds the steps for each class of the
    /// partition, then for the end of the text.
    fn build_tables(rows: &[Vec<Step>], partition: &Partition) -> Option<Self> {
        let column = |class: usize| rows.iter().map(|row| row[class]).collect::<Vec<Step>>();
        let nothing = (0..rows.len()).map(|row| (Decided::NOTHING, row)).collect();
        // The columns of `CONTINUATION` and `END`.
        let mut columns = vec![nothing, column(partition.len)];
        // Classes with equal columns are merged.
        let mut numbers = Vec::new();
        for column in (0..partition.len).map(column) {
            let known = columns.iter().skip(2).position(|known| *known == column);
            numbers.push(known.map_or(columns.len(), |known| known + 2) as u8);
            if known.is_none() {
                columns.push(column);
            }
        }
        if columns.len() > MAX_CLASSES {
            return None;
        }
        let mut next = Box::new([[0; MAX_STATES]; MAX_CLASSES]);
        let mut decided = Box::new([[Decided::NOTHING; MAX_STATES]; MAX_CLASSES]);
        for (class, column) in columns.iter().enumerate() {
            for (state, &(decision, after)) in column.iter().enumerate() {
                let flags = match decision {
                    Decided::NOTHING => 0,
                    Decided::HERE => HERE,
                    Decided::REMEMBER => REMEMBER,
                    _ => MORE,
                };
                next[class][state] = (after as Entry) << 2 | flags;
                decided[class][state] = decision;
            }
        }
        let mut automaton = Automaton {
            classes: Classes::new(partition, &numbers),
            class_count: columns.len() as u8,
            state_count: rows.len() as u8,
            next,
            next_two: vec![[0; 2]; PAIRS].into_boxed_slice().try_into().ok()?,
            decided,
            synchronized: Box::new([[None; MAX_CLASSES]; MAX_CLASSES]),
            cuts: [0; MAX_CLASSES],
            groups: 0,
        };
        for one in 0..columns.len() {
            for two in 0..columns.len() {
                automaton.add_pair(one, two, &columns);
            }
        }
        Some(automaton.with_groups())
    }

    /// Fills the entries of the class pair `(one, two)` in `next_two`, `synchronized` and `cuts`.
    fn add_pair(&mut self, one: usize, two: usize, columns: &[Vec<Step>]) {
        let states = usize::from(self.state_count);
        let start = (one * columns.len() + two) * states;
        for (state, entries) in self.next_two[start..][..states].iter_mut().enumerate() {
            let between = self.next[one][state];
            *entries = [between, self.next[two][usize::from(state_of(between))]];
        }
        if one.min(two) <= usize::from(END) {
            return;
        }
        let between = || columns[one].iter().map(|&(_, between)| between);
        let mut after = between().map(|between| columns[two][between].1 as u8);
        let first = after.next();
        self.synchronized[one][two] = first.filter(|first| after.all(|after| after == *first));
        // A cut is safe if the left part ends as at the end of a text, and the right part starts as in
        // state 0.
        let is_cut = between().all(|between| {
            let (decided, after) = columns[two][between];
            let at_end = columns[usize::from(END)][between].0;
            decided.has(Decided::HERE)
                && decided.without(Decided::HERE) == at_end.without(Decided::HERE)
                && after == columns[two][0].1
        });
        self.cuts[one] |= u32::from(is_cut) << two;
    }
}

/// A chain of stages, each of which splits the pieces of the previous one.
struct Chain {
    nfas: Vec<Nfa>,
    /// Whether each stage drops its gaps.
    drops: Vec<bool>,
}

impl Chain {
    /// Returns the start state.
    fn start(&self) -> Vec<Pending> {
        self.nfas.iter().map(Pending::new).collect()
    }

    /// Returns the steps of all reachable states, the start state first, or `None` if [`Chain::step`] does or
    /// there are too many states.
    fn explore(&self, classes: usize) -> Option<Vec<Vec<Step>>> {
        let mut all = vec![self.start()];
        let mut known: HashMap<Vec<Pending>, usize> = HashMap::from([(self.start(), 0)]);
        let mut rows: Vec<Vec<Step>> = Vec::new();
        while let Some(from) = all.get(rows.len()).cloned() {
            if all.len() > MAX_STATES {
                return None;
            }
            let mut row = Vec::new();
            for class in 0..classes {
                let mut pending = from.clone();
                let decided = self.step(&mut pending, 0, Symbol::Class(class as u8))?;
                let number = *known.entry(pending).or_insert_with_key(|pending| {
                    all.push(pending.clone());
                    all.len() - 1
                });
                row.push((decided, number));
            }
            let decided = self.step(&mut from.clone(), 0, Symbol::End)?;
            row.push((decided, 0));
            rows.push(row);
        }
        // Positions need not be remembered if no step uses them.
        let mut steps = rows.iter().flatten();
        if !steps.any(|(decided, _)| decided.has(Decided::REMEMBERED)) {
            for (decided, _) in rows.iter_mut().flatten() {
                *decided = decided.without(Decided::REMEMBER);
            }
        }
        Some(rows)
    }

    /// Advances `stage` and all later stages by one symbol. Every stage but the last must decide the end of
    /// a piece at the symbol directly after it, because the later stages then see the end of their text and
    /// start anew. Otherwise, or if a stage would drop text, returns `None`.
    fn step(&self, pending: &mut [Pending], stage: usize, symbol: Symbol) -> Option<Decided> {
        let Some(nfa) = self.nfas.get(stage) else {
            return Some(Decided::NOTHING);
        };
        let (after, decided) = pending[stage].read(nfa, symbol)?;
        pending[stage] = after;
        if self.drops[stage] && decided.has(Decided::GAP) {
            return None;
        }
        let mut decided = decided.without(Decided::GAP);
        if stage + 1 == self.nfas.len() {
            return Some(decided);
        }
        if decided.without(Decided::HERE) != Decided::NOTHING {
            return None;
        }
        if decided.has(Decided::HERE) && symbol != Symbol::End {
            decided.add(self.step(pending, stage + 1, Symbol::End)?);
            let later = pending.iter_mut().zip(&self.nfas).skip(stage + 1);
            later.for_each(|(pending, nfa)| *pending = Pending::new(nfa));
        }
        decided.add(self.step(pending, stage + 1, symbol)?);
        Some(decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_gap_after_a_live_hypothesis_is_refused() {
        // In `acx`, the second stage drops the `c`, while `acxz` may still match.
        let first = ("a(?:c(?:xz?)?)?|[^a]".to_owned(), Gaps::Keep);
        let second = "acxz|a|c(?!x)|[^ac]".to_owned();
        assert!(Automaton::new(&[first.clone(), (second.clone(), Gaps::Keep)]).is_some());
        assert!(Automaton::new(&[first, (second, Gaps::Drop)]).is_none());
    }
}

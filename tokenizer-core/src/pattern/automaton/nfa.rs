//! A Thompson NFA with leftmost-first semantics, simulated by a Pike VM.
//!
//! Threads are ordered by priority and read one class at a time. A match drops all threads of lower
//! priority. A thread at an assertion about the next character stays there until that character is read.

use super::classes::Partition;
use super::syntax::{Node, Set};

/// Maximum number of states of an NFA. A larger NFA would not yield a small enough DFA.
const MAX_NFA_STATES: usize = 1000;

/// A class, or the end of the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Class(u8),
    End,
}

impl Symbol {
    fn is_in(self, classes: u64, or_end: bool) -> bool {
        match self {
            Symbol::Class(class) => classes >> class & 1 == 1,
            Symbol::End => or_end,
        }
    }
}

enum State {
    /// Consumes a character of one of these classes.
    Read {
        classes: u64,
        next: usize,
    },
    /// Asserts that a character of one of these classes, or the end of the text, follows.
    Before {
        classes: u64,
        or_end: bool,
        next: usize,
    },
    /// Continues with each of these states, in order of priority.
    Fork(Vec<usize>),
    Match,
}

/// A thread: the index of its state.
pub(super) type Thread = usize;

/// Threads by descending priority, without duplicates.
struct Threads {
    list: Vec<Thread>,
    /// The states already visited.
    seen: Vec<bool>,
}

/// The state of one simulation step.
struct Reading {
    symbol: Symbol,
    /// Threads that have passed an assertion about `symbol` but not read it. [`Nfa::read_each`] takes them
    /// from the list at once; the visited states stay.
    before: Threads,
    /// Threads that have read `symbol`.
    after: Threads,
    /// Whether a thread in `after` matches, which cuts off all threads of lower priority.
    is_cut: bool,
}

/// A compiled regex.
pub(super) struct Nfa {
    states: Vec<State>,
    /// The threads before the first character.
    pub(super) start: Vec<Thread>,
}

/// Appends the sets of a regex that are not yet in `found`.
pub(super) fn sets<'n>(node: &'n Node, found: &mut Vec<&'n Set>) {
    match node {
        Node::Set(set) | Node::Before { set, .. } => {
            if !found.contains(&set) {
                found.push(set);
            }
        }
        Node::Concat(nodes) | Node::Alternatives(nodes) => {
            nodes.iter().for_each(|node| sets(node, found));
        }
        Node::Repeat { node, .. } => sets(node, found),
    }
}

/// Returns whether a regex may match the empty string.
fn may_be_empty(node: &Node) -> bool {
    match node {
        Node::Set(_) => false,
        Node::Before { .. } => true,
        Node::Concat(nodes) => nodes.iter().all(may_be_empty),
        Node::Alternatives(nodes) => nodes.iter().any(may_be_empty),
        Node::Repeat { node, min, .. } => *min == 0 || may_be_empty(node),
    }
}

impl Nfa {
    /// Compiles a regex. `sets` are the sets from which `partition` was built, in order. Returns `None` if
    /// the regex or a repeated part of it may match the empty string, or if the NFA would be too large.
    pub(super) fn new(node: &Node, sets: &[&Set], partition: &Partition) -> Option<Self> {
        if may_be_empty(node) {
            return None;
        }
        let classes = |set: &Set| {
            let number = sets.iter().position(|other| *other == set);
            number.map_or(0, |number| partition.mask(number))
        };
        let mut nfa = Nfa {
            states: vec![State::Match],
            start: Vec::new(),
        };
        let start = nfa.compile(node, 0, &classes)?;
        let mut threads = nfa.no_threads();
        nfa.add_threads(start, &mut threads);
        nfa.start = threads.list;
        Some(nfa)
    }

    fn push(&mut self, state: State) -> Option<usize> {
        if self.states.len() == MAX_NFA_STATES {
            return None;
        }
        self.states.push(state);
        Some(self.states.len() - 1)
    }

    /// Compiles `node` so that it continues in the state `next`. Returns its first state.
    fn compile(
        &mut self,
        node: &Node,
        next: usize,
        classes: &dyn Fn(&Set) -> u64,
    ) -> Option<usize> {
        match node {
            Node::Set(set) => self.push(State::Read {
                classes: classes(set),
                next,
            }),
            Node::Before { set, or_end } => self.push(State::Before {
                classes: classes(set),
                or_end: *or_end,
                next,
            }),
            Node::Concat(nodes) => {
                let mut nodes = nodes.iter().rev();
                nodes.try_fold(next, |next, node| self.compile(node, next, classes))
            }
            Node::Alternatives(nodes) => {
                let starts = nodes.iter().map(|node| self.compile(node, next, classes));
                let starts = starts.collect::<Option<_>>()?;
                self.push(State::Fork(starts))
            }
            Node::Repeat {
                node,
                min,
                max,
                greedy,
            } => {
                // This check also bounds the number of copies below: each copy of a node that is not empty adds
                // a state, and the number of states is limited.
                if *max != Some(1) && may_be_empty(node) {
                    return None;
                }
                let fork = |again, next| match greedy {
                    true => State::Fork(vec![again, next]),
                    false => State::Fork(vec![next, again]),
                };
                let mut start = next;
                match max {
                    Some(max) => {
                        for _ in *min..*max {
                            let again = self.compile(node, start, classes)?;
                            start = self.push(fork(again, next))?;
                        }
                    }
                    None => {
                        // A placeholder for the fork, whose target `again` is not known yet.
                        start = self.push(State::Match)?;
                        let again = self.compile(node, start, classes)?;
                        self.states[start] = fork(again, next);
                    }
                }
                (0..*min).try_fold(start, |next, _| self.compile(node, next, classes))
            }
        }
    }

    /// Adds the threads that `state` leads to without reading a symbol, in order of priority. Stops and
    /// returns true at one that matches, because it cuts off all later ones.
    fn add_threads(&self, state: usize, threads: &mut Threads) -> bool {
        if std::mem::replace(&mut threads.seen[state], true) {
            return false;
        }
        match &self.states[state] {
            State::Fork(states) => states.iter().any(|&state| self.add_threads(state, threads)),
            other => {
                threads.list.push(state);
                matches!(other, State::Match)
            }
        }
    }

    fn no_threads(&self) -> Threads {
        Threads {
            list: Vec::new(),
            seen: vec![false; self.states.len()],
        }
    }

    /// Advances threads by one symbol. Returns whether a thread matches before the symbol, and the threads
    /// after it.
    pub(super) fn read(&self, threads: &[Thread], symbol: Symbol) -> (bool, Vec<Thread>) {
        let mut reading = Reading {
            symbol,
            before: self.no_threads(),
            after: self.no_threads(),
            is_cut: false,
        };
        let matches = self.read_each(threads, &mut reading);
        (matches, reading.after.list)
    }

    fn read_each(&self, threads: &[Thread], reading: &mut Reading) -> bool {
        threads.iter().any(|&thread| match &self.states[thread] {
            State::Match => true,
            State::Read { classes, next } => {
                if !reading.is_cut && reading.symbol.is_in(*classes, false) {
                    reading.is_cut = self.add_threads(*next, &mut reading.after);
                }
                false
            }
            State::Before {
                classes,
                or_end,
                next,
            } => {
                if !reading.symbol.is_in(*classes, *or_end) {
                    return false;
                }
                let first_new = reading.before.list.len();
                self.add_threads(*next, &mut reading.before);
                let new = reading.before.list.split_off(first_new);
                self.read_each(&new, reading)
            }
            State::Fork(_) => false,
        })
    }

    /// Returns whether one of the threads matches, whatever symbol follows.
    pub(super) fn is_certain(&self, threads: &[Thread]) -> bool {
        let is_match = |&thread: &Thread| matches!(self.states[thread], State::Match);
        threads.iter().any(is_match)
    }
}

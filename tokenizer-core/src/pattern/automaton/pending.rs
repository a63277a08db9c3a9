//! Pieces that are not yet decided.
//!
//! A piece is the longest match of its most preferred threads, and the next piece begins where it
//! ends. That it has ended is known when its last thread has died, perhaps many characters later:
//! `\s*[\r\n]+` may go on after a line end and a hundred spaces. What comes meanwhile must be split
//! too. So [`Pending`] is a chain of hypotheses: the first is the piece that has certainly begun, each
//! of the others began where the one before it ends if that matches nothing longer. When the first
//! dies, its end is decided, and the second takes its place.
//!
//! It has no positions but distances from the character read last, so there are few of them.

use std::collections::VecDeque;

use super::nfa::{Nfa, Symbol, Thread};

/// Characters back to a place: 0 is after the character read last, 1 before it.
pub(super) type Distance = u8;

/// The greatest distance that is counted.
pub(super) const FARTHEST: Distance = 4;

/// Characters back to a place that is remembered.
pub(super) const REMEMBER_DISTANCE: Distance = FARTHEST + 1;

/// Any greater distance. The place is remembered where a text is walked.
const FAR: Distance = Distance::MAX;

/// Hypotheses in a chain, at most.
const MAX_HYPOTHESES: usize = 8;

/// A piece that may have begun.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Hypothesis {
    /// Those that may still match more; none, if it has ended.
    threads: Vec<Thread>,
    /// Where it begins, when what is before it is a gap whose end was not decided yet.
    begin: Option<Distance>,
    /// Where its longest match so far ends.
    end: Option<Distance>,
}

/// What is undecided at a place of a text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pending(Vec<Hypothesis>);

/// What a character decides. Bit `FARTHEST - n`: a piece ends `n` characters back; `n = 1` is just
/// before the character.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Decided(u8);

impl Decided {
    pub(super) const NOTHING: Decided = Decided(0);
    /// A piece ends before the character.
    pub(super) const HERE: Decided = Decided(1 << (FARTHEST - 1));
    /// A piece ends at the place remembered last.
    pub(super) const REMEMBERED: Decided = Decided(1 << FARTHEST);
    /// The place [`REMEMBER_DISTANCE`] characters back is to be remembered, before anything else.
    pub(super) const REMEMBER: Decided = Decided(1 << (FARTHEST + 1));
    /// A character may belong to a gap.
    pub(super) const GAP: Decided = Decided(1 << (FARTHEST + 2));

    /// Whether all of `other` is decided.
    pub(super) fn has(self, other: Decided) -> bool {
        self.0 & other.0 == other.0
    }

    /// The lowest bits.
    pub(super) fn ends(self) -> u8 {
        self.0 & ((1 << FARTHEST) - 1)
    }

    pub(super) fn without(self, other: Decided) -> Decided {
        Decided(self.0 & !other.0)
    }

    pub(super) fn add(&mut self, other: Decided) {
        self.0 |= other.0;
    }

    fn add_end(&mut self, distance: Distance) {
        self.add(match distance {
            FAR => Decided::REMEMBERED,
            distance => Decided(1 << (FARTHEST - distance)),
        });
    }
}

impl Pending {
    /// Nothing has been read.
    pub(super) fn new(nfa: &Nfa) -> Self {
        Pending(vec![Hypothesis::new(nfa, None)])
    }

    /// Reads a symbol. `None` when a place would have to be remembered beside another, or there
    /// are too many hypotheses.
    pub(super) fn read(&self, nfa: &Nfa, symbol: Symbol) -> Option<(Pending, Decided)> {
        let mut decided = Decided::NOTHING;
        let mut waiting = VecDeque::new();
        for (number, hypothesis) in self.0.iter().enumerate() {
            waiting.push_back(hypothesis.advance(number == 0, &mut decided)?);
        }
        let mut left = Vec::new();
        let mut next = waiting.pop_front();
        while let Some(mut hypothesis) = next.take() {
            let (matches, threads) = nfa.read(&hypothesis.threads, symbol);
            if matches {
                hypothesis.end = Some(1);
                waiting.clear();
            }
            next = waiting.pop_front();
            let is_first = left.is_empty();
            hypothesis.threads = threads;
            match (hypothesis.threads.is_empty(), hypothesis.end) {
                (true, Some(end)) if is_first => {
                    let ends = [hypothesis.begin, Some(end)];
                    ends.into_iter()
                        .flatten()
                        .for_each(|end| decided.add_end(end));
                }
                (true, None) => {
                    // A gap, if the hypotheses before it end where it begins. At the end of the text
                    // the last one has read nothing.
                    if next.is_some() || symbol != Symbol::End {
                        decided.add(Decided::GAP);
                    }
                }
                _ => left.push(hypothesis),
            }
            if next.is_none() && symbol != Symbol::End {
                if !matches {
                    // The hypothesis began with the symbol. If it dies, the symbol is in a gap.
                    left.push(Hypothesis::new(nfa, Some(0)));
                    break;
                }
                next = Some(Hypothesis::new(nfa, None));
            }
        }
        // After a hypothesis that matches for certain, none is needed, nor its last end.
        let is_certain = |hypothesis: &Hypothesis| nfa.is_certain(&hypothesis.threads);
        let certain = left.iter().position(is_certain);
        if let Some(certain) = certain {
            left.truncate(certain + 1);
            left[certain].end = None;
        }
        if let Some(first) = left.first_mut()
            && (certain == Some(0) || first.end.is_some())
            && let Some(begin) = first.begin.take()
        {
            decided.add_end(begin);
        }
        (left.len() <= MAX_HYPOTHESES).then_some((Pending(left), decided))
    }
}

impl Hypothesis {
    fn new(nfa: &Nfa, begin: Option<Distance>) -> Self {
        Hypothesis {
            threads: nfa.start.clone(),
            begin,
            end: None,
        }
    }

    /// The same one character later. Only the first may have an end that is far.
    fn advance(&self, is_first: bool, decided: &mut Decided) -> Option<Self> {
        let begin = match self.begin {
            Some(FARTHEST..) => return None,
            begin => begin.map(|begin| begin + 1),
        };
        let end = match self.end {
            Some(FARTHEST..) if !is_first => return None,
            Some(FARTHEST) => {
                decided.add(Decided::REMEMBER);
                Some(FAR)
            }
            Some(FAR) => Some(FAR),
            end => end.map(|end| end + 1),
        };
        Some(Hypothesis {
            threads: self.threads.clone(),
            begin,
            end,
        })
    }
}

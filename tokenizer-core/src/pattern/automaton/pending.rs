//! Undecided pieces.
//!
//! The end of a piece is known only when its last NFA thread has died, perhaps many characters later:
//! `\s*[\r\n]+` may continue after a line end and a hundred spaces. Meanwhile the text after the possible
//! end must be split too. So [`Pending`] is a chain of hypotheses. The first is the piece that has certainly
//! started. Each later one assumes that the previous one's match so far is final, and starts at its end.
//! When the first dies, its end is decided and the second becomes the first.
//!
//! Positions are stored as distances from the last character read, so that the number of different chains
//! is small.

use std::collections::VecDeque;

use super::nfa::{Nfa, Symbol, Thread};

/// Distance of a position in characters: 0 is after the last character read, 1 before it.
pub(super) type Distance = u8;

/// The greatest distance that is counted exactly.
pub(super) const MAX_DISTANCE: Distance = 4;

/// Distance at which the walker must remember a position.
pub(super) const REMEMBER_DISTANCE: Distance = MAX_DISTANCE + 1;

/// Any greater distance. The walker has remembered the position.
const FAR: Distance = Distance::MAX;

/// Maximum length of a chain.
const MAX_HYPOTHESES: usize = 8;

/// A piece that may have started.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Hypothesis {
    /// Threads that may extend the match; none if the piece has ended.
    threads: Vec<Thread>,
    /// The start, if it follows a gap whose end is not decided yet.
    begin: Option<Distance>,
    /// The end of the longest match so far.
    end: Option<Distance>,
}

/// The undecided pieces at a position: a chain of hypotheses.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pending(Vec<Hypothesis>);

/// The boundaries that a character decides. If bit `MAX_DISTANCE - n` is set, a piece ends at distance `n`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Decided(u8);

impl Decided {
    pub(super) const NOTHING: Decided = Decided(0);
    /// A piece ends before the character.
    pub(super) const HERE: Decided = Decided(1 << (MAX_DISTANCE - 1));
    /// A piece ends at the remembered position.
    pub(super) const REMEMBERED: Decided = Decided(1 << MAX_DISTANCE);
    /// First remember the position at [`REMEMBER_DISTANCE`], then do everything else.
    pub(super) const REMEMBER: Decided = Decided(1 << (MAX_DISTANCE + 1));
    /// A character may belong to a gap.
    pub(super) const GAP: Decided = Decided(1 << (MAX_DISTANCE + 2));

    /// Returns whether `self` includes all of `other`.
    pub(super) fn has(self, other: Decided) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the bits of ends at counted distances.
    pub(super) fn ends(self) -> u8 {
        self.0 & ((1 << MAX_DISTANCE) - 1)
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
            distance => Decided(1 << (MAX_DISTANCE - distance)),
        });
    }
}

impl Pending {
    /// Returns the chain at the start of a text.
    pub(super) fn new(nfa: &Nfa) -> Self {
        Pending(vec![Hypothesis::new(nfa, None)])
    }

    /// Reads a symbol. Returns the next chain and the boundaries that the symbol decides, or `None` if two
    /// positions would have to be remembered or the chain is too long.
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
                    // A gap, if the hypotheses before it end at its start. At the end of the text, the last
                    // hypothesis is empty.
                    if next.is_some() || symbol != Symbol::End {
                        decided.add(Decided::GAP);
                    }
                }
                _ => left.push(hypothesis),
            }
            if next.is_none() && symbol != Symbol::End {
                if !matches {
                    // The hypothesis started with this symbol. If it dies, the symbol is in a gap.
                    left.push(Hypothesis::new(nfa, Some(0)));
                    break;
                }
                next = Some(Hypothesis::new(nfa, None));
            }
        }
        // A hypothesis that certainly matches needs neither its last end nor any later hypothesis.
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

    /// Returns the hypothesis one character later. Only the end of the first may exceed [`MAX_DISTANCE`].
    fn advance(&self, is_first: bool, decided: &mut Decided) -> Option<Self> {
        let begin = match self.begin {
            Some(MAX_DISTANCE..) => return None,
            begin => begin.map(|begin| begin + 1),
        };
        let end = match self.end {
            Some(MAX_DISTANCE..) if !is_first => return None,
            Some(MAX_DISTANCE) => {
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

//! Undecided pieces.
//!
//! The end of a piece is certain only when the last NFA thread of the piece has died, perhaps many characters
//! after that end: a match of `\s*[\r\n]+` may continue after a line end and a hundred spaces. Meanwhile, the
//! text after the possible end must be split too. So [`Pending`] is a chain of hypotheses, one per piece. The
//! first hypothesis is the piece that has certainly started. Each later hypothesis assumes that the match of
//! the previous one is complete, and starts at the end of that match. When the threads of the first
//! hypothesis have died, its end is decided, and the second hypothesis becomes the first.
//!
//! Positions are stored as distances back from the last character read, so that there are few different
//! chains.

use std::collections::VecDeque;

use super::nfa::{Nfa, Symbol, Thread};

/// How far back a position is, in characters: 0 is directly after the last character read, 1 directly before
/// it.
pub(super) type Distance = u8;

/// The greatest distance that is counted exactly.
pub(super) const MAX_DISTANCE: Distance = 4;

/// Distance at which the walker must remember a position, because later it is [`FAR`].
pub(super) const REMEMBER_DISTANCE: Distance = MAX_DISTANCE + 1;

/// Any distance greater than [`MAX_DISTANCE`]. The walker has remembered the position.
const FAR: Distance = Distance::MAX;

/// Maximum length of a chain.
const MAX_HYPOTHESES: usize = 8;

/// A piece that may have started.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Hypothesis {
    /// Threads that may start or extend the match. Empty if no further match is possible.
    threads: Vec<Thread>,
    /// The start, if it follows a gap whose end is not decided yet.
    begin: Option<Distance>,
    /// The end of the longest match so far.
    end: Option<Distance>,
}

/// The undecided pieces at a position: a chain of hypotheses.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pending(Vec<Hypothesis>);

/// The boundaries that a character decides. For distances `n` from 1 to [`MAX_DISTANCE`], a piece ends at
/// distance `n` if bit `MAX_DISTANCE - n` is set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Decided(u8);

impl Decided {
    pub(super) const NOTHING: Decided = Decided(0);
    /// A piece ends before the character.
    pub(super) const HERE: Decided = Decided(1 << (MAX_DISTANCE - 1));
    /// A piece ends at the remembered position.
    pub(super) const REMEMBERED: Decided = Decided(1 << MAX_DISTANCE);
    /// The walker must remember the position at [`REMEMBER_DISTANCE`], before it handles
    /// [`Decided::REMEMBERED`].
    pub(super) const REMEMBER: Decided = Decided(1 << (MAX_DISTANCE + 1));
    /// A character may belong to a gap.
    pub(super) const GAP: Decided = Decided(1 << (MAX_DISTANCE + 2));

    /// Returns whether `self` includes all of `other`.
    pub(super) fn has(self, other: Decided) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the bits for the ends at distances 1 to [`MAX_DISTANCE`].
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

    /// Reads a symbol. Returns the next chain and the boundaries that the symbol decides. Returns `None` if
    /// the chain is too long, or if a position other than the end of the first hypothesis is too far back.
    pub(super) fn read(&self, nfa: &Nfa, symbol: Symbol) -> Option<(Pending, Decided)> {
        let mut decided = Decided::NOTHING;
        let mut waiting = VecDeque::new();
        for (number, hypothesis) in self.0.iter().enumerate() {
            waiting.push_back(hypothesis.advance(number == 0, &mut decided)?);
        }
        let mut kept = Vec::new();
        let mut next = waiting.pop_front();
        while let Some(mut hypothesis) = next.take() {
            let (matches, threads) = nfa.read(&hypothesis.threads, symbol);
            if matches {
                hypothesis.end = Some(1);
                waiting.clear();
            }
            next = waiting.pop_front();
            let is_first = kept.is_empty();
            hypothesis.threads = threads;
            match (hypothesis.threads.is_empty(), hypothesis.end) {
                (true, Some(end)) if is_first => {
                    let ends = [hypothesis.begin, Some(end)];
                    ends.into_iter()
                        .flatten()
                        .for_each(|end| decided.add_end(end));
                }
                (true, None) => {
                    // The hypothesis died without a match: its first character is in a gap, if the previous
                    // piece ends there. But at the end of the text, the last hypothesis has no character.
                    if next.is_some() || symbol != Symbol::End {
                        decided.add(Decided::GAP);
                    }
                }
                _ => kept.push(hypothesis),
            }
            if next.is_none() && symbol != Symbol::End {
                if !matches {
                    // The hypothesis starts with this symbol. If it dies without a match, the symbol is in a
                    // gap, and the next piece may start after the symbol.
                    kept.push(Hypothesis::new(nfa, Some(0)));
                    break;
                }
                next = Some(Hypothesis::new(nfa, None));
            }
        }
        // If a hypothesis is certain to match here, whatever the next symbol, it needs neither its previous
        // end nor any later hypothesis.
        let is_certain = |hypothesis: &Hypothesis| nfa.is_certain(&hypothesis.threads);
        let certain = kept.iter().position(is_certain);
        if let Some(certain) = certain {
            kept.truncate(certain + 1);
            kept[certain].end = None;
        }
        if let Some(first) = kept.first_mut()
            && (certain == Some(0) || first.end.is_some())
            && let Some(begin) = first.begin.take()
        {
            decided.add_end(begin);
        }
        (kept.len() <= MAX_HYPOTHESES).then_some((Pending(kept), decided))
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

    /// Returns the hypothesis with all distances increased by one. Returns `None` if one of them would exceed
    /// [`MAX_DISTANCE`], which only the end of the first hypothesis may do.
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

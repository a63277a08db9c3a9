//! The heap of candidates, with counts that may be too high.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::token::{Candidate, Count, Pair};

/// Candidates by the order of training. A count may be stale, and then it is too high.
pub(super) struct Candidates(BinaryHeap<Candidate>);

impl Candidates {
    pub(super) fn new(candidates: impl Iterator<Item = Candidate>) -> Self {
        Candidates(candidates.collect())
    }

    pub(super) fn push(&mut self, candidate: Candidate) {
        self.0.push(candidate);
    }

    /// Takes the candidate with the highest true count, ties to the smallest pair, if that count
    /// is at least `threshold`. `current` gives the true count of a pair.
    ///
    /// A candidate whose count is true is at least as high as every other candidate, and each of
    /// those is at least as high as it is in truth: so it is the highest.
    pub(super) fn pop_highest(
        &mut self,
        threshold: Count,
        current: impl Fn(Pair) -> Option<Count>,
    ) -> Option<(Pair, Count)> {
        loop {
            let mut top = self.0.peek_mut()?;
            if top.count < threshold {
                return None;
            }
            match current(top.pair) {
                Some(count) if count == top.count => {
                    return Some((PeekMut::pop(top).pair, count));
                }
                // Writing through the top moves it down to its place.
                Some(count) => top.count = count,
                None => {
                    PeekMut::pop(top);
                }
            }
        }
    }
}

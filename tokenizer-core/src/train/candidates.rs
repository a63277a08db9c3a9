//! The candidates to be merged next, with counts that may be too high.
//!
//! Most merges are of pairs that occur rarely, very many of them equally often. So candidates of
//! small counts stand in a bucket for each count, in no order; only the bucket whose turn has come is
//! sorted. A candidate that turns out to be stale goes into the bucket of its true count. Large
//! counts, of which there are few, are in a heap.
//!
//! **Invariant.** Nothing that is pushed is higher than what was popped last: the pairs that a merge
//! creates occur at most as often as the pair that was merged. So buckets are emptied from the top,
//! and only pairs of the very count whose turn it is come late; these are in a heap of their own.
//!
//! **Cost.** A push is one write; a pop, the share of a candidate in the sorting of its bucket.
//!
//! A heap of all candidates took a quarter of the time of merging with 131,072 ids.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::token::{Candidate, Count, Pair};

/// Candidates by the order of training. A count may be stale, and then it is too high.
pub(super) struct Candidates {
    high: BinaryHeap<Candidate>,
    /// By count; higher counts are in the heap.
    buckets: Vec<Vec<Pair>>,
    /// The count whose turn it is when there is nothing high; no bucket from here on is in use.
    count: Count,
    /// The candidates of that count, the smallest pair last.
    sorted: Vec<Pair>,
    /// Those of them that came late.
    late: BinaryHeap<Reverse<Pair>>,
}

impl Candidates {
    /// Counts below `buckets` have a bucket.
    pub(super) fn new(candidates: impl Iterator<Item = Candidate>, buckets: usize) -> Self {
        let mut all = Candidates {
            high: BinaryHeap::new(),
            buckets: vec![Vec::new(); buckets],
            count: buckets as Count,
            sorted: Vec::new(),
            late: BinaryHeap::new(),
        };
        candidates.for_each(|candidate| all.push(candidate));
        all
    }

    /// The candidate that comes next, if its count is true.
    pub(super) fn next(&self) -> Option<Pair> {
        match self.high.peek() {
            Some(candidate) => Some(candidate.pair),
            None => self.sorted.last().copied(),
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, candidate: Candidate) {
        let Candidate { count, pair } = candidate;
        if count >= self.buckets.len() as Count {
            self.high.push(candidate);
        } else if count < self.count {
            self.buckets[count as usize].push(pair);
        } else {
            self.late.push(Reverse(pair));
        }
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
        while let Some(mut top) = self.high.peek_mut() {
            if top.count < threshold {
                return None;
            }
            match current(top.pair) {
                Some(count) if count == top.count => {
                    return Some((PeekMut::pop(top).pair, count));
                }
                // Writing through the top moves it down to its place.
                Some(count) if count >= self.buckets.len() as Count => top.count = count,
                Some(count) => {
                    let pair = PeekMut::pop(top).pair;
                    self.buckets[count as usize].push(pair);
                }
                None => {
                    PeekMut::pop(top);
                }
            }
        }
        loop {
            while let Some(pair) = self.pop_of_count() {
                match current(pair) {
                    Some(count) if count == self.count => return Some((pair, count)),
                    Some(count) => self.buckets[count as usize].push(pair),
                    None => {}
                }
            }
            if self.count <= threshold {
                return None;
            }
            self.count -= 1;
            self.sorted = std::mem::take(&mut self.buckets[self.count as usize]);
            self.sorted.sort_unstable_by_key(|&pair| Reverse(pair));
        }
    }

    /// The smallest pair of those whose turn it is.
    fn pop_of_count(&mut self) -> Option<Pair> {
        match (self.sorted.last(), self.late.peek()) {
            (Some(sorted), Some(Reverse(late))) if late < sorted => {}
            (None, _) => {}
            _ => return self.sorted.pop(),
        }
        self.late.pop().map(|Reverse(pair)| pair)
    }
}

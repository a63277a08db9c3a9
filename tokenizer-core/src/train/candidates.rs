//! A priority queue of candidate pairs, with lazy updates.
//!
//! Most merges are of rare pairs, many with equal counts. So this is a bucket queue: candidates with small
//! counts are in one unordered bucket per count, which is sorted when its turn comes. Large counts, which are
//! few, are in a heap. A candidate whose stored count is stale is moved to its true count when it is popped.
//!
//! **Invariant.** No pushed count exceeds the count popped last: the pairs that a merge creates are at most
//! as frequent as the merged pair. So buckets are emptied in descending order. Pairs pushed with the current
//! count, after its bucket was sorted, are in a small heap of their own.
//!
//! **Cost.** A push to a bucket is one write. A pop from a bucket costs its share of sorting it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::token::{Candidate, Count, Pair};

/// Candidates in the order of merging. A stale count is too high, never too low.
pub(super) struct Candidates {
    /// Candidates with counts of at least `buckets.len()`.
    high: BinaryHeap<Candidate>,
    /// The other candidates, by count.
    buckets: Vec<Vec<Pair>>,
    /// The current count, whose candidates are in `sorted` and `late`; `buckets.len()` until `high` is empty.
    /// The buckets of this count and of all higher ones are empty.
    count: Count,
    /// The candidates of the current count, in descending order: the smallest pair is last.
    sorted: Vec<Pair>,
    /// Candidates of the current count that were pushed after `sorted` was filled.
    late: BinaryHeap<Reverse<Pair>>,
}

impl Candidates {
    /// Creates a queue with buckets for counts below `buckets`.
    pub(super) fn new(candidates: impl Iterator<Item = Candidate>, buckets: usize) -> Self {
        let mut queue = Candidates {
            high: BinaryHeap::new(),
            buckets: vec![Vec::new(); buckets],
            count: buckets as Count,
            sorted: Vec::new(),
            late: BinaryHeap::new(),
        };
        candidates.for_each(|candidate| queue.push(candidate));
        queue
    }

    /// Returns the pair that is likely to be popped next, for prefetching.
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

    /// Pops the candidate with the highest true count, ties to the smallest pair, if that count is at least
    /// `threshold`. `true_count` returns the true count of a pair, or `None` to drop the pair.
    ///
    /// The first candidate found whose stored count is its true count is the right one: the stored counts of
    /// the others are no higher, and their true counts are no higher than their stored ones.
    pub(super) fn pop_highest(
        &mut self,
        threshold: Count,
        true_count: impl Fn(Pair) -> Option<Count>,
    ) -> Option<(Pair, Count)> {
        while let Some(mut top) = self.high.peek_mut() {
            if top.count < threshold {
                return None;
            }
            match true_count(top.pair) {
                Some(count) if count == top.count => {
                    return Some((PeekMut::pop(top).pair, count));
                }
                // Dropping `top` after the write sifts it down.
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
            while let Some(pair) = self.pop_current() {
                match true_count(pair) {
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

    /// Pops the smallest pair of the current count.
    fn pop_current(&mut self) -> Option<Pair> {
        match (self.sorted.last(), self.late.peek()) {
            (Some(sorted), Some(Reverse(late))) if late < sorted => {}
            (None, _) => {}
            _ => return self.sorted.pop(),
        }
        self.late.pop().map(|Reverse(pair)| pair)
    }
}

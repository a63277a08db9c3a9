//! Finding the most frequent pair, and merging it.
//!
//! Training by definition (`reference::train`) recounts all pairs for each merge. The trainer instead
//! maintains
//!
//! - the symbols of each distinct piece (`corpus.rs`),
//! - the count and the positions of each tracked pair, that is, each pair frequent enough to matter now
//!   (`pairs.rs`, with the proof that others do not),
//! - a priority queue of candidates for the next merge (`candidates.rs`).
//!
//! The effects of a merge are summed per neighbor (`neighbors.rs`) before tables are updated.
//!
//! **Invariant.** Between merges, the count of a tracked pair is exact. Its list of positions is ascending
//! and contains every occurrence, and possibly stale positions. The count stored with its candidate in the
//! queue is exact or too high, because merges of other pairs only lower the count of an existing pair. A
//! candidate whose count is too high is requeued with its true count when it reaches the top.
//!
//! **Threads.** Merges with many positions, and scans of the corpus, are divided into ranges of pieces. Sums
//! are order-independent and lists are concatenated in the order of ranges, so the merges do not depend on
//! the number of threads.
//!
//! **Cost.** All merges together visit each merged occurrence once, plus about 10 % stale positions, at 20 ns
//! each. The corpus is scanned about three times: at the start and whenever the threshold is lowered. A scan
//! has two passes, which take 2 and 6 ns per symbol.

use super::candidates::Candidates;
use super::corpus::{Corpus, PairMerge};
use super::neighbors::Neighbors;
use super::pairs::TrackedPairs;
use crate::parallel;
use crate::stop::Stop;
use crate::token::{Candidate, Count, Pair, TokenId};

/// A guess at the number of pairs to track for each merge; it sets the first threshold
/// (`docs/design/training.md` compares others).
const PAIRS_PER_MERGE: Count = 4;

/// The first threshold: what the average count of a pair would be if there were [`PAIRS_PER_MERGE`] pairs for
/// each merge. With a lower threshold, more pairs are tracked that are never merged; with a higher one, the
/// corpus is scanned more often.
pub(super) fn first_threshold(corpus: &Corpus, limits: &Limits) -> Count {
    let pairs = (limits.merges as Count).saturating_mul(PAIRS_PER_MERGE);
    corpus.pair_occurrences() / pairs.max(1)
}

/// Limits of training.
pub(crate) struct Limits {
    /// The maximum number of merges.
    pub(super) merges: usize,
    /// The minimum count of a merged pair; at least 1.
    pub(super) min_frequency: Count,
    /// The maximum length of a new token in bytes.
    pub(super) max_token_bytes: usize,
    pub(super) threads: usize,
    pub(super) stop: Stop,
}

/// The state of training.
pub(super) struct Trainer<'l> {
    limits: &'l Limits,
    corpus: Corpus,
    pairs: TrackedPairs,
    candidates: Candidates,
    /// Pairs with lower counts are not tracked.
    threshold: Count,
    /// The number of merges so far.
    merges: usize,
    /// The length in bytes of each token. The next token's id is `lengths.len()`.
    lengths: Vec<usize>,
    /// The width in cells of each token.
    widths: Vec<u32>,
    /// One per thread.
    neighbors: Vec<Neighbors>,
}

impl<'l> Trainer<'l> {
    /// Creates a trainer. `lengths` contains the length in bytes of each token of the corpus.
    pub(super) fn new(
        corpus: Corpus,
        lengths: Vec<usize>,
        limits: &'l Limits,
        threshold: Count,
    ) -> Self {
        let buckets = corpus.thresholds().buckets;
        let mut trainer = Trainer {
            limits,
            corpus,
            pairs: TrackedPairs::default(),
            candidates: Candidates::new(std::iter::empty(), buckets),
            threshold,
            merges: 0,
            widths: vec![1; lengths.len()],
            lengths,
            neighbors: (0..limits.threads.clamp(1, parallel::MAX_THREADS))
                .map(|_| Neighbors::default())
                .collect(),
        };
        trainer.track(threshold.max(limits.min_frequency));
        trainer
    }

    /// Removes the most frequent pair from the candidates and returns it with its count. Returns `None` if no
    /// pair is left, or if the corpus would have to be scanned again and the stop flag is set.
    pub(super) fn most_frequent(&mut self) -> Option<(Pair, Count)> {
        let lowest = self.limits.min_frequency;
        loop {
            let pairs = &self.pairs;
            let threshold = self.threshold.max(lowest);
            let highest = self
                .candidates
                .pop_highest(threshold, |pair| pairs.count(pair));
            if highest.is_some() || self.threshold <= lowest || self.limits.stop.is_set() {
                return highest;
            }
            self.track(self.next_threshold().max(lowest));
        }
    }

    /// Stops tracking a pair, so that it is never merged.
    pub(super) fn discard(&mut self, pair: Pair) {
        self.pairs.take(pair);
    }

    /// Returns the next, lower threshold: three quarters of the estimated count of the last merge. The
    /// estimate assumes that the counts of successive merges fall by a power law, as in natural text. If they
    /// fall faster, the threshold is lowered again.
    fn next_threshold(&self) -> Count {
        let progress = self.merges as f64 / self.limits.merges as f64;
        let last_count = self.threshold as f64 * progress.powf(1.2);
        let (lowest, highest) = (self.threshold / 16, self.threshold / 2);
        ((last_count * 0.75) as Count).clamp(lowest, highest.max(lowest))
    }

    /// Sets the threshold and scans the corpus for the pairs that reach it.
    fn track(&mut self, threshold: Count) {
        let (lengths, longest) = (&self.lengths, self.limits.max_token_bytes);
        let may_merge = |pair| joined_length(lengths, pair) <= longest;
        self.threshold = threshold;
        // Free the old lists before new ones are allocated.
        self.pairs = TrackedPairs::default();
        self.pairs = TrackedPairs::scan(
            &mut self.corpus,
            &self.widths,
            threshold,
            may_merge,
            self.neighbors.len(),
            &self.limits.stop,
        );
        self.widths.fill(1);
        let buckets = self.corpus.thresholds().buckets;
        self.candidates = Candidates::new(self.pairs.candidates(), buckets);
    }

    /// Merges all occurrences of a pair.
    pub(super) fn merge(&mut self, pair: Pair) {
        let width = |id: TokenId| self.widths[id as usize];
        let pair_merge = PairMerge {
            left: pair.left(),
            right: pair.right(),
            token: self.lengths.len() as TokenId,
            left_width: width(pair.left()),
            right_width: width(pair.right()),
        };
        self.merges += 1;
        self.widths
            .push(pair_merge.left_width + pair_merge.right_width);
        self.lengths.push(joined_length(&self.lengths, pair));
        if let Some(next) = self.candidates.next() {
            self.pairs.prefetch(next);
        }
        let positions = self.pairs.take(pair);
        self.corpus.merge(
            pair_merge,
            positions,
            &mut self.neighbors,
            &self.limits.stop,
        );

        let mut neighbors = std::mem::take(&mut self.neighbors[0]);
        for other in &mut self.neighbors[1..] {
            neighbors.absorb(other);
        }
        self.remove_broken_pairs(pair_merge, &neighbors);
        self.track_new_pairs(pair_merge, &mut neighbors);
        neighbors.clear();
        self.neighbors[0] = neighbors;
    }

    /// Subtracts the pairs that the merge broke: those of the previous token with the left half, and those of
    /// the right half with the next token.
    fn remove_broken_pairs(&mut self, pair_merge: PairMerge, neighbors: &Neighbors) {
        let PairMerge {
            left, right, token, ..
        } = pair_merge;
        let Neighbors { before, after, .. } = neighbors;
        before
            .iter()
            .for_each(|(id, _)| self.pairs.prefetch(Pair::new(id, left)));
        after
            .iter()
            .for_each(|(id, _)| self.pairs.prefetch(Pair::new(right, id)));
        // Pairs `(token, left)` were created and broken by this merge: `track_new_pairs` subtracts them.
        for (id, count) in before.iter().filter(|&(id, _)| id != token) {
            self.pairs.remove(Pair::new(id, left), count);
        }
        for (id, count) in after.iter() {
            self.pairs.remove(Pair::new(right, id), count);
        }
    }

    /// Tracks the pairs of the new token with its neighbors, if they reach the threshold.
    fn track_new_pairs(&mut self, pair_merge: PairMerge, neighbors: &mut Neighbors) {
        let PairMerge { left, token, .. } = pair_merge;
        let Neighbors {
            before,
            after,
            positions,
        } = neighbors;
        // Where two merges are adjacent, the first created a pair `(token, left)` that the second broke.
        let broken = before.count(token);
        let count_after = |id, count| if id == left { count - broken } else { count };
        let (lengths, longest) = (&self.lengths, self.limits.max_token_bytes);
        let threshold = self.threshold;
        let is_tracked =
            |pair, count| count >= threshold && joined_length(lengths, pair) <= longest;
        let widths = &self.widths;
        let with_before = positions.iter().map(|merged| {
            let width = widths.get(merged.before as usize).copied().unwrap_or(0);
            (merged.before, merged.position.wrapping_sub(width))
        });
        let is_tracked_before = |id, count| is_tracked(Pair::new(id, token), count);
        for &list in before.list(with_before, is_tracked_before, self.pairs.lists()) {
            let (pair, count) = (Pair::new(list.id, token), list.count);
            self.pairs.insert(pair, count, list);
            self.candidates.push(Candidate { count, pair });
        }
        let with_after = positions
            .iter()
            .map(|merged| (merged.after, merged.position));
        let is_tracked_after = |id, count| is_tracked(Pair::new(token, id), count_after(id, count));
        for &list in after.list(with_after, is_tracked_after, self.pairs.lists()) {
            let (pair, count) = (Pair::new(token, list.id), count_after(list.id, list.count));
            self.pairs.insert(pair, count, list);
            self.candidates.push(Candidate { count, pair });
        }
    }
}

/// The length in bytes of the token that a pair produces.
fn joined_length(lengths: &[usize], pair: Pair) -> usize {
    lengths[pair.left() as usize] + lengths[pair.right() as usize]
}

//! The work of training: which pair occurs most often, and merging it.
//!
//! Training is its definition (see `reference::train`) with bookkeeping instead of recounting. Kept
//! up to date are
//!
//! - the symbols of every distinct piece (`corpus.rs`),
//! - for every pair that occurs often enough to matter now its count, and the places where it
//!   stood (`pairs.rs`, with the proof that the others do not matter),
//! - the candidates to be merged next (`candidates.rs`).
//!
//! What a merge changes is summed up by neighbour (`neighbours.rs`) before any table is asked.
//!
//! **Invariant.** The count of a tracked pair is exact between merges. Its list of places names
//! every place where it stands, ascending, and perhaps some where it no longer does. The candidates hold
//! for it a candidate whose count is at least the pair's: counts of existing pairs only fall while
//! another pair is merged, so a stale candidate is too high, never too low, and is put back with its
//! true count when it comes up.
//!
//! **Threads.** A merge of many places and the reading of the corpus are shared out by runs of
//! words. Sums do not depend on who adds them up, and lists are put together in the order of runs:
//! the merges are the same for any number of threads.
//!
//! **Cost.** All merges together visit as many places as there are merged symbols, and a tenth more
//! that are stale: on 18 MB of mixed scripts (339,000 distinct pieces of 5.8 million bytes) 4.4
//! million places for 32,512 merges, at some 20 ns each. The corpus is read twice whenever the
//! threshold is lowered, which is about three times, at 2 ns and 6 ns a symbol.

use super::candidates::Candidates;
use super::corpus::{Corpus, Rule};
use super::neighbours::Neighbours;
use super::pairs::TrackedPairs;
use crate::parallel;
use crate::stop::Stop;
use crate::token::{Candidate, Count, Pair, TokenId};

/// The first threshold is the count that every pair would have if the occurrences of all pairs were
/// shared out to so many times the merges that are wanted. Lower ones track pairs that are never merged,
/// higher ones read the corpus more often. On 18 MB of mixed scripts (32,768 ids) this is 115;
/// thresholds of 32,768, 4,096, 512, 128 and 64 take 472, 416, 300, 260 and 296 ms.
const SHARES_FOR_A_MERGE: Count = 4;

/// The threshold to begin with.
pub(super) fn first_threshold(corpus: &Corpus, limits: &Limits) -> Count {
    let shares = (limits.merges as Count).saturating_mul(SHARES_FOR_A_MERGE);
    corpus.pairs() / shares.max(1)
}

/// What training is limited to.
pub(crate) struct Limits {
    /// No more merges.
    pub(super) merges: usize,
    /// At least 1: a pair that occurs fewer times is not merged.
    pub(super) min_frequency: Count,
    /// No longer tokens.
    pub(super) max_token_bytes: usize,
    pub(super) threads: usize,
    pub(super) stop: Stop,
}

/// Training at work.
pub(super) struct Trainer<'l> {
    limits: &'l Limits,
    corpus: Corpus,
    pairs: TrackedPairs,
    candidates: Candidates,
    /// Pairs below it are not tracked.
    threshold: Count,
    /// How many merges were learned.
    learned: usize,
    /// Bytes of every token; their number is the id of the next one.
    lengths: Vec<usize>,
    /// Cells that a token takes in the corpus.
    widths: Vec<u32>,
    /// One for each thread.
    neighbours: Vec<Neighbours>,
}

impl<'l> Trainer<'l> {
    /// `lengths` are the bytes of every token that the corpus may hold.
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
            learned: 0,
            widths: vec![1; lengths.len()],
            lengths,
            neighbours: (0..limits.threads.clamp(1, parallel::MAX_THREADS))
                .map(|_| Neighbours::default())
                .collect(),
        };
        trainer.track(threshold.max(limits.min_frequency));
        trainer
    }

    /// The pair to be merged next, and how often it occurs; it is no candidate any more. `None` if
    /// there is none left, or if training is to stop.
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

    /// Never merges a pair.
    pub(super) fn discard(&mut self, pair: Pair) {
        self.pairs.take(pair);
    }

    /// What to lower the threshold to: what it takes to come to the end, if counts fall with the
    /// number of merges as they do in texts. If they fall faster, it is lowered again.
    fn next_threshold(&self) -> Count {
        let (learned, wanted) = (self.learned as f64, self.limits.merges as f64);
        let last = self.threshold as f64 * (learned / wanted).powf(1.2);
        let (least, most) = (self.threshold / 16, self.threshold / 2);
        ((last * 0.75) as Count).clamp(least, most.max(least))
    }

    /// Lowers the threshold and reads the corpus again.
    fn track(&mut self, threshold: Count) {
        let (lengths, longest) = (&self.lengths, self.limits.max_token_bytes);
        let may_merge = |pair| joined_length(lengths, pair) <= longest;
        self.threshold = threshold;
        // The old lists go before the new ones come.
        self.pairs = TrackedPairs::default();
        self.pairs = TrackedPairs::read(
            &mut self.corpus,
            &self.widths,
            threshold,
            may_merge,
            self.neighbours.len(),
            &self.limits.stop,
        );
        self.widths.fill(1);
        let buckets = self.corpus.thresholds().buckets;
        self.candidates = Candidates::new(self.pairs.candidates(), buckets);
    }

    /// Merges a pair everywhere.
    pub(super) fn merge(&mut self, pair: Pair) {
        let width = |id: TokenId| self.widths[id as usize];
        let rule = Rule {
            left: pair.left(),
            right: pair.right(),
            token: self.lengths.len() as TokenId,
            left_width: width(pair.left()),
            right_width: width(pair.right()),
        };
        self.learned += 1;
        self.widths.push(rule.left_width + rule.right_width);
        self.lengths.push(joined_length(&self.lengths, pair));
        if let Some(next) = self.candidates.next() {
            self.pairs.prefetch(next);
        }
        let places = self.pairs.take(pair);
        self.corpus
            .merge(rule, places, &mut self.neighbours, &self.limits.stop);

        let mut neighbours = std::mem::take(&mut self.neighbours[0]);
        for other in &mut self.neighbours[1..] {
            neighbours.absorb(other);
        }
        self.remove_broken_pairs(rule, &neighbours);
        self.track_new_pairs(rule, &mut neighbours);
        neighbours.clear();
        self.neighbours[0] = neighbours;
    }

    /// Where `left right` was merged, its pairs with what stood before and behind are gone.
    fn remove_broken_pairs(&mut self, rule: Rule, neighbours: &Neighbours) {
        let Rule {
            left, right, token, ..
        } = rule;
        let Neighbours { before, behind, .. } = neighbours;
        before
            .iter()
            .for_each(|(id, _)| self.pairs.prefetch(Pair::new(id, left)));
        behind
            .iter()
            .for_each(|(id, _)| self.pairs.prefetch(Pair::new(right, id)));
        for (id, count) in before.iter().filter(|&(id, _)| id != token) {
            self.pairs.remove(Pair::new(id, left), count);
        }
        for (id, count) in behind.iter() {
            self.pairs.remove(Pair::new(right, id), count);
        }
    }

    /// Tracks the pairs of the new token that are frequent enough, with their places.
    fn track_new_pairs(&mut self, rule: Rule, neighbours: &mut Neighbours) {
        let Rule { left, token, .. } = rule;
        let Neighbours {
            before,
            behind,
            places,
        } = neighbours;
        // Where two merges touch, `(token, left)` came with the first and went with the second.
        let gone = before.count(token);
        let new_behind = |id, count| if id == left { count - gone } else { count };
        let (lengths, longest) = (&self.lengths, self.limits.max_token_bytes);
        let threshold = self.threshold;
        let wanted = |pair, count| count >= threshold && joined_length(lengths, pair) <= longest;
        let widths = &self.widths;
        let with_before = places.iter().map(|merged| {
            let width = widths.get(merged.before as usize).copied().unwrap_or(0);
            (merged.before, merged.place.wrapping_sub(width))
        });
        let wanted_before = |id, count| wanted(Pair::new(id, token), count);
        for &list in before.list(with_before, wanted_before, self.pairs.lists()) {
            let (pair, count) = (Pair::new(list.id, token), list.count);
            self.pairs.insert(pair, count, list);
            self.candidates.push(Candidate { count, pair });
        }
        let with_behind = places.iter().map(|merged| (merged.behind, merged.place));
        let wanted_behind = |id, count| wanted(Pair::new(token, id), new_behind(id, count));
        for &list in behind.list(with_behind, wanted_behind, self.pairs.lists()) {
            let (pair, count) = (Pair::new(token, list.id), new_behind(list.id, list.count));
            self.pairs.insert(pair, count, list);
            self.candidates.push(Candidate { count, pair });
        }
    }
}

/// Bytes of the token that a pair makes.
fn joined_length(lengths: &[usize], pair: Pair) -> usize {
    lengths[pair.left() as usize] + lengths[pair.right() as usize]
}

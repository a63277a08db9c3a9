//! Training at work.
//!
//! The loop is the definition (see [`crate::reference::train`]) with bookkeeping instead of
//! recounting. Kept up to date are
//!
//! - the symbols of every distinct piece, shrinking in place (`corpus.rs`),
//! - for every pair that occurs often enough to matter now its count, and the pieces it occurred
//!   in (`pairs.rs`, with the proof that the others do not matter),
//! - a heap of candidates (`heap.rs`).
//!
//! What a merge changes is summed up by neighbour (`neighbours.rs`) before any table is asked.
//!
//! **Invariant.** The count of a tracked pair is exact between merges. Its list of pieces names
//! every piece that holds it, and perhaps some that no longer do. The heap holds for it a candidate
//! whose count is at least the pair's: counts of existing pairs only fall while another pair is
//! merged, so a stale candidate is too high, never too low, and is put back with its true count
//! when it comes up.
//!
//! **Cost.** A merge visits the pieces in its list; all merges together visit a piece about as
//! often as it has bytes. The corpus is read twice whenever the threshold is lowered.

use super::TrainOptions;
use super::corpus::{Corpus, Merged};
use super::heap::Candidates;
use super::neighbours::Neighbours;
use super::pairs::TrackedPairs;
use crate::token::{Candidate, Count, Pair, TokenId};

/// The first threshold, and what it is divided by when it is lowered. A small step reads the corpus
/// more often, a large one tracks pairs that are never merged: on 18 MB of mixed scripts (32,768
/// ids, one thread) steps of 4, 8, 16 and 32 take 0.72, 0.65, 0.61 and 0.80 s and 80, 83, 86 and
/// 167 MB; on 24 MB of English they make no difference.
pub(super) const FIRST_THRESHOLD: Count = 1 << 15;
const THRESHOLD_STEP: Count = 8;

/// How many words ahead are asked for from memory. With this, and the words in one arena with their
/// counts, training on the same text takes 0.80 s instead of 1.20 s (at a step of 32).
const PREFETCH: usize = 8;

/// Training at work.
pub(super) struct Trainer<'o> {
    options: &'o TrainOptions,
    corpus: Corpus,
    pairs: TrackedPairs,
    candidates: Candidates,
    /// Pairs below it are not tracked.
    threshold: Count,
    /// Bytes of every token; their number is the id of the next one.
    lengths: Vec<usize>,
    before: Neighbours,
    behind: Neighbours,
    /// Pairs that are never merged.
    pass_over: Option<Box<dyn Fn(Pair) -> bool + 'o>>,
}

impl<'o> Trainer<'o> {
    /// `lengths` are the bytes of every token that the corpus may hold.
    pub(super) fn new(
        corpus: Corpus,
        lengths: Vec<usize>,
        options: &'o TrainOptions,
        threshold: Count,
    ) -> Self {
        let mut trainer = Trainer {
            options,
            corpus,
            pairs: TrackedPairs::default(),
            candidates: Candidates::new(std::iter::empty()),
            threshold,
            lengths,
            before: Neighbours::default(),
            behind: Neighbours::default(),
            pass_over: None,
        };
        trainer.track(threshold);
        trainer
    }

    /// Never merges a pair for which `pass_over` is true when it would be merged, and from then on.
    pub(super) fn pass_over(&mut self, pass_over: impl Fn(Pair) -> bool + 'o) {
        self.pass_over = Some(Box::new(pass_over));
    }

    /// Learns one merge: the pair, and how often it occurred. `None` if there is none left.
    pub(super) fn step(&mut self) -> Option<(Pair, Count)> {
        let lowest = self.options.min_frequency.max(1);
        loop {
            let pairs = &self.pairs;
            let threshold = self.threshold.max(lowest);
            if let Some((pair, count)) = self
                .candidates
                .pop_highest(threshold, |pair| pairs.count(pair))
            {
                if self.pass_over.as_ref().is_some_and(|over| over(pair)) {
                    self.pairs.take(pair);
                    continue;
                }
                self.merge(pair);
                return Some((pair, count));
            }
            if self.threshold <= lowest {
                return None;
            }
            self.track((self.threshold / THRESHOLD_STEP).max(lowest));
        }
    }

    /// Lowers the threshold and reads the corpus again.
    fn track(&mut self, threshold: Count) {
        let (lengths, longest) = (&self.lengths, self.options.max_token_bytes);
        let may_merge = |pair| joined_length(lengths, pair) <= longest;
        self.threshold = threshold;
        self.pairs = TrackedPairs::read(&self.corpus, threshold, may_merge);
        self.candidates = Candidates::new(self.pairs.candidates());
    }

    /// Merges a pair everywhere.
    fn merge(&mut self, pair: Pair) {
        let (left, right) = (pair.left(), pair.right());
        let token = self.lengths.len() as TokenId;
        self.lengths.push(joined_length(&self.lengths, pair));

        let (before, behind) = (&mut self.before, &mut self.behind);
        before.make_room(self.lengths.len());
        behind.make_room(self.lengths.len());
        let words = self.pairs.take(pair);
        for (number, &word) in words.iter().enumerate() {
            if let Some(&later) = words.get(number + PREFETCH) {
                self.corpus.prefetch(later);
            }
            self.corpus
                .merge(word, pair, token, |merged: Merged, count| {
                    if let Some(id) = merged.before {
                        before.add(id, word, count);
                    }
                    if let Some(id) = merged.behind {
                        behind.add(id, word, count);
                    }
                });
        }

        for (id, count) in self.before.iter().filter(|&(id, _)| id != token) {
            self.pairs.remove(Pair::new(id, left), count);
        }
        for (id, count) in self.behind.iter() {
            self.pairs.remove(Pair::new(right, id), count);
        }
        // Where two merges touch, `(token, left)` came with the first and went with the second.
        let gone = self.before.count(token);
        let new_behind = |id, count| if id == left { count - gone } else { count };
        let (lengths, options, threshold) = (&self.lengths, self.options, self.threshold);
        let wanted = |pair, count| {
            count >= threshold && joined_length(lengths, pair) <= options.max_token_bytes
        };
        let lists = self
            .before
            .words_of(|id, count| wanted(Pair::new(id, token), count));
        for (id, words) in lists {
            let (pair, count) = (Pair::new(id, token), self.before.count(id));
            self.pairs.insert(pair, count, words);
            self.candidates.push(Candidate { count, pair });
        }
        let lists = self
            .behind
            .words_of(|id, count| wanted(Pair::new(token, id), new_behind(id, count)));
        for (id, words) in lists {
            let (pair, count) = (Pair::new(token, id), new_behind(id, self.behind.count(id)));
            self.pairs.insert(pair, count, words);
            self.candidates.push(Candidate { count, pair });
        }
        self.before.clear();
        self.behind.clear();
    }
}

/// Bytes of the token that a pair makes.
fn joined_length(lengths: &[usize], pair: Pair) -> usize {
    lengths[pair.left() as usize] + lengths[pair.right() as usize]
}

//! Training: from counted pieces to merges.
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

mod corpus;
mod heap;
mod neighbours;
mod pairs;

use crate::merges::Merges;
use crate::token::{Candidate, Count, MAX_TOKEN_ID, Pair, TokenId};
use crate::words::Words;

use self::corpus::{Corpus, Merged, Unfit};
use self::heap::Candidates;
use self::neighbours::Neighbours;
use self::pairs::TrackedPairs;

/// What to learn.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrainOptions {
    /// How many merges to learn at most. The vocabulary has 256 tokens more.
    pub merges: usize,
    /// A pair that occurs fewer times is not merged. 0 means 1.
    pub min_frequency: Count,
    /// No merge makes a token of more bytes than this.
    pub max_token_bytes: usize,
}

impl TrainOptions {
    /// At most `merges` merges, of any frequency and length.
    pub fn new(merges: usize) -> Self {
        TrainOptions {
            merges,
            min_frequency: 1,
            max_token_bytes: usize::MAX,
        }
    }

    /// Leaves out pairs that occur fewer times than `count`.
    pub fn min_frequency(mut self, count: Count) -> Self {
        self.min_frequency = count;
        self
    }

    /// Leaves out tokens of more than `bytes` bytes.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }
}

/// Training cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// More merges are asked for than ids can number.
    #[error("{merges} merges are more than ids up to {MAX_TOKEN_ID} can number")]
    TooManyMerges {
        /// What was asked for.
        merges: usize,
    },
    /// The distinct pieces together, with 4 numbers for each, are more than 2^32 symbols.
    #[error("the distinct pieces together are too long: more than 2^32 symbols")]
    TooManySymbols,
    /// The occurrences of one pair may pass 2^64 - 1.
    #[error("the pairs of the corpus together occur more than 2^64 - 1 times")]
    CountOverflow,
}

/// Learns merges from counted pieces: those of rustbpe, to the last one.
///
/// Gives fewer merges than asked for when no pair is left that may be merged.
///
/// # Errors
/// See [`TrainError`].
///
/// ```
/// use tokenizer_core::{TrainOptions, Words, train};
///
/// let mut words = Words::new();
/// words.add(b"low", 5)?;
/// words.add(b"lowest", 2)?;
/// let merges = train(&words, &TrainOptions::new(2))?;
/// // (l, o) and (o, w) both occur 7 times; 'l' is the smaller id.
/// assert_eq!(merges.trained_tokens().unwrap()[256..], [b"lo".to_vec(), b"low".to_vec()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn train(words: &Words, options: &TrainOptions) -> Result<Merges, TrainError> {
    train_with_progress(words, options, |_| {})
}

/// As [`train`]; calls `progress` with the number of merges learned so far, after each.
///
/// # Errors
/// See [`TrainError`].
pub fn train_with_progress(
    words: &Words,
    options: &TrainOptions,
    mut progress: impl FnMut(usize),
) -> Result<Merges, TrainError> {
    if options.merges > MAX_TOKEN_ID as usize - 255 {
        return Err(TrainError::TooManyMerges {
            merges: options.merges,
        });
    }
    let corpus = Corpus::new(words).map_err(|unfit| match unfit {
        Unfit::Counts => TrainError::CountOverflow,
        Unfit::Size => TrainError::TooManySymbols,
    })?;
    let mut trainer = Trainer::new(corpus, options, FIRST_THRESHOLD);
    while trainer.learned.len() < options.merges && trainer.step() {
        progress(trainer.learned.len());
    }
    let learned = trainer.learned;
    Ok(Merges::trained(&learned).expect("a pair is taken once and made of earlier tokens"))
}

/// The first threshold, and what it is divided by when it is lowered. A small step reads the corpus
/// more often, a large one tracks pairs that are never merged: on 18 MB of mixed scripts (32,768
/// ids, one thread) steps of 4, 8, 16 and 32 take 0.72, 0.65, 0.61 and 0.80 s and 80, 83, 86 and
/// 167 MB; on 24 MB of English they make no difference.
const FIRST_THRESHOLD: Count = 1 << 15;
const THRESHOLD_STEP: Count = 8;

/// How many words ahead are asked for from memory. With this, and the words in one arena with their
/// counts, training on the same text takes 0.80 s instead of 1.20 s (at a step of 32).
const PREFETCH: usize = 8;

/// Training at work.
struct Trainer<'o> {
    options: &'o TrainOptions,
    corpus: Corpus,
    pairs: TrackedPairs,
    candidates: Candidates,
    /// Pairs below it are not tracked.
    threshold: Count,
    learned: Vec<Pair>,
    /// Bytes of every token.
    lengths: Vec<usize>,
    before: Neighbours,
    behind: Neighbours,
}

impl<'o> Trainer<'o> {
    fn new(corpus: Corpus, options: &'o TrainOptions, threshold: Count) -> Self {
        let mut trainer = Trainer {
            options,
            corpus,
            pairs: TrackedPairs::default(),
            candidates: Candidates::new(std::iter::empty()),
            threshold,
            learned: Vec::new(),
            lengths: vec![1; 256],
            before: Neighbours::default(),
            behind: Neighbours::default(),
        };
        trainer.track(threshold);
        trainer
    }

    /// Learns one merge; says whether there was one left.
    fn step(&mut self) -> bool {
        let lowest = self.options.min_frequency.max(1);
        loop {
            let pairs = &self.pairs;
            let threshold = self.threshold.max(lowest);
            if let Some(pair) = self
                .candidates
                .pop_highest(threshold, |pair| pairs.count(pair))
            {
                self.merge(pair);
                return true;
            }
            if self.threshold <= lowest {
                return false;
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
        let token = 256 + self.learned.len() as TokenId;
        self.lengths.push(joined_length(&self.lengths, pair));
        self.learned.push(pair);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::token::Pair;
    use proptest::prelude::*;

    fn learned(words: &Words, options: &TrainOptions) -> Vec<Pair> {
        train(words, options)
            .unwrap()
            .iter()
            .map(|m| m.pair())
            .collect()
    }

    #[test]
    fn training_ends_when_no_pair_is_left() {
        let mut words = Words::new();
        words.add(b"ab", 1).unwrap();
        words.add(b"c", 9).unwrap();
        assert_eq!(learned(&words, &TrainOptions::new(5)), [Pair::new(97, 98)]);
        assert!(learned(&Words::new(), &TrainOptions::new(5)).is_empty());
    }

    #[test]
    fn counts_beyond_32_bits_decide() {
        let mut words = Words::new();
        words.add(b"ab", (1 << 32) + 1).unwrap();
        words.add(b"cd", (1 << 32) + 2).unwrap();
        assert_eq!(
            learned(&words, &TrainOptions::new(2)),
            [Pair::new(99, 100), Pair::new(97, 98)]
        );
        words.add(b"ab", Count::MAX - (1 << 33) - 3).unwrap();
        assert_eq!(
            learned(&words, &TrainOptions::new(1)),
            [Pair::new(97, 98)],
            "up to 2^64 - 1"
        );
        words.add(b"xyz", 1 << 33).unwrap();
        assert_eq!(
            train(&words, &TrainOptions::new(1)),
            Err(TrainError::CountOverflow)
        );
    }

    #[test]
    fn more_merges_than_ids_are_refused() {
        let error = train(&Words::new(), &TrainOptions::new(1 << 24)).unwrap_err();
        assert_eq!(error, TrainError::TooManyMerges { merges: 1 << 24 });
    }

    fn small_corpus() -> impl Strategy<Value = Words> {
        let piece = prop_oneof![
            prop::collection::vec(prop::sample::select(&b"ab"[..]), 1..24),
            prop::collection::vec(prop::sample::select(&b"abcde "[..]), 1..12),
            prop::collection::vec(any::<u8>(), 1..6),
        ];
        prop::collection::vec((piece, 1u64..6), 0..24).prop_map(|pieces| {
            let mut words = Words::new();
            for (piece, count) in pieces {
                words.add(&piece, count).unwrap();
            }
            words
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn merges_are_those_of_the_definition(
            words in small_corpus(),
            merges in 0usize..80,
            min_frequency in 0u64..5,
            max_token_bytes in prop_oneof![Just(usize::MAX), 1usize..9],
        ) {
            let options = TrainOptions { merges, min_frequency, max_token_bytes };
            let want = reference::train(&words, merges, min_frequency, max_token_bytes);
            prop_assert_eq!(learned(&words, &options), &want[..]);
            // Small corpora never reach the first threshold: every other one must do as well.
            for threshold in [1, 2, 3, 5, 8, 20, 100] {
                let mut trainer = Trainer::new(Corpus::new(&words).ok().unwrap(), &options, threshold);
                while trainer.learned.len() < merges && trainer.step() {}
                prop_assert_eq!(&trainer.learned, &want, "threshold {}", threshold);
            }
        }
    }
}

//! Training: from counted pieces to merges.
//!
//! The loop is the definition (see [`crate::reference::train`]) with bookkeeping instead of
//! recounting. Three things are kept up to date:
//!
//! - the symbols of every distinct piece, shrinking in place (`rewrite.rs`),
//! - for every pair its count and the pieces it occurred in (`pairs.rs`),
//! - a heap of candidates (`heap.rs`).
//!
//! **Invariant.** The count of a pair is exact at every moment. A pair's list of pieces names every
//! piece that holds it, and perhaps some that no longer do. The heap holds, for every pair that
//! may be merged, a candidate whose count is at least the pair's: counts of existing pairs only
//! fall while another pair is merged, so a stale candidate is too high, never too low, and is put
//! back with its true count when it comes up.
//!
//! **Cost.** A merge visits the pieces in its list; all merges together visit a piece about as
//! often as it has bytes.

mod heap;
mod pairs;
mod rewrite;

use crate::merges::Merges;
use crate::token::{Candidate, Count, MAX_TOKEN_ID, TokenId};
use crate::words::Words;

use self::heap::Candidates;
use self::pairs::Pairs;
use self::rewrite::Corpus;

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
    let mut corpus = Corpus::new(words);
    let mut pairs = Pairs::count(&corpus).ok_or(TrainError::CountOverflow)?;
    let mut lengths: Vec<usize> = vec![1; 256];
    let mut learned = Vec::new();

    let min_frequency = options.min_frequency.max(1);
    let may_merge = |candidate: Candidate, lengths: &[usize]| {
        let pair = candidate.pair;
        let length = lengths[pair.left() as usize] + lengths[pair.right() as usize];
        candidate.count >= min_frequency && length <= options.max_token_bytes
    };
    let mut candidates = Candidates::new(pairs.candidates().filter(|&c| may_merge(c, &lengths)));

    while learned.len() < options.merges {
        let Some(pair) =
            candidates.pop_highest(|pair| pairs.current(pair).filter(|&c| c >= min_frequency))
        else {
            break;
        };
        let token = 256 + learned.len() as TokenId;
        for word in pairs.take_words(pair) {
            corpus.merge(word, pair, token, &mut pairs);
        }
        lengths.push(lengths[pair.left() as usize] + lengths[pair.right() as usize]);
        for candidate in pairs.drain_new() {
            if may_merge(candidate, &lengths) {
                candidates.push(candidate);
            }
        }
        learned.push(pair);
        progress(learned.len());
    }
    Ok(Merges::trained(&learned).expect("a pair is taken once and made of earlier tokens"))
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
            prop_assert_eq!(
                learned(&words, &options),
                reference::train(&words, merges, min_frequency, max_token_bytes)
            );
        }
    }
}

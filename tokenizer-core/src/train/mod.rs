//! Training: from counted pieces to merges.
//!
//! What to learn, what was learned and what can go wrong are here; the work is done in
//! `trainer.rs`.

mod corpus;
mod heap;
mod neighbours;
mod pairs;
mod trainer;

use std::ops::ControlFlow;

use crate::merges::Merges;
use crate::token::{Count, MAX_TOKEN_ID, Pair};
use crate::words::Words;

use self::corpus::{Corpus, Unfit};
use self::trainer::{Trainer, first_threshold};

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
    /// Threads to work on, at least one. Without the feature `parallel`, one is used. The merges
    /// are the same for any number.
    pub threads: usize,
}

impl TrainOptions {
    /// At most `merges` merges, of any frequency and length.
    pub fn new(merges: usize) -> Self {
        TrainOptions {
            merges,
            min_frequency: 1,
            max_token_bytes: usize::MAX,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }

    /// Leaves out pairs that occur fewer times than `count`.
    pub fn min_frequency(mut self, count: Count) -> Self {
        self.min_frequency = count;
        self
    }

    /// With so many threads; 0 means 1. One for each processor unless said otherwise.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
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
    /// It was broken off.
    #[error("training was broken off")]
    Stopped,
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
    Ok(train_with_progress(words, options, |_| ControlFlow::Continue(()))?.merges)
}

/// One merge as it is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// Merges learned so far, this one included.
    pub merges: usize,
    /// What was merged.
    pub pair: Pair,
    /// How often it occurred then.
    pub count: Count,
}

/// What training gives.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Trained {
    /// The merges, in the order in which they were learned.
    pub merges: Merges,
    /// How often the pair of each merge occurred when it was merged.
    pub counts: Vec<Count>,
}

/// As [`train`]; shows `progress` every merge, which can break off. Gives the counts too.
///
/// # Errors
/// See [`TrainError`]; [`TrainError::Stopped`] when `progress` breaks off.
pub fn train_with_progress(
    words: &Words,
    options: &TrainOptions,
    mut progress: impl FnMut(Learned) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    if options.merges > MAX_TOKEN_ID as usize - 255 {
        return Err(TrainError::TooManyMerges {
            merges: options.merges,
        });
    }
    let corpus = Corpus::new(words).map_err(|unfit| match unfit {
        Unfit::Counts => TrainError::CountOverflow,
        Unfit::Size => TrainError::TooManySymbols,
    })?;
    let threshold = first_threshold(&corpus, options);
    let mut trainer = Trainer::new(corpus, vec![1; 256], options, threshold);
    let (mut pairs, mut counts) = (Vec::new(), Vec::new());
    while pairs.len() < options.merges
        && let Some((pair, count)) = trainer.step()
    {
        pairs.push(pair);
        counts.push(count);
        let merges = pairs.len();
        if progress(Learned {
            merges,
            pair,
            count,
        })
        .is_break()
        {
            return Err(TrainError::Stopped);
        }
    }
    let merges = Merges::trained(&pairs).expect("a pair is taken once and made of earlier tokens");
    Ok(Trained { merges, counts })
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
            threads in 1usize..4,
        ) {
            let options = TrainOptions { merges, min_frequency, max_token_bytes, threads };
            let want = reference::train(&words, merges, min_frequency, max_token_bytes);
            prop_assert_eq!(learned(&words, &options), &want[..]);
            // Small corpora never reach the first threshold: every other one must do as well.
            for threshold in [1, 2, 3, 5, 8, 20, 100] {
                let corpus = Corpus::new(&words).ok().unwrap();
                let mut trainer = Trainer::new(corpus, vec![1; 256], &options, threshold);
                let steps = std::iter::from_fn(|| trainer.step());
                let learned: Vec<Pair> = steps.take(merges).map(|(pair, _)| pair).collect();
                prop_assert_eq!(&learned, &want, "threshold {}", threshold);
            }
        }
    }
}

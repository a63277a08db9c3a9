//! Training: from counted pieces to merges.
//!
//! `learn` is the loop. The work of a merge is done in `trainer.rs`, which knows bytes only as
//! symbols (`numbering.rs`).
//!
//! **No two merges make the same bytes.** A merge is applied everywhere, from the left. So what
//! stands between two borders of tokens was merged as if it stood alone: nothing was merged across
//! the borders, which were borders at all times before; a run of one token, in which it matters
//! where merging begins, begins at the left border either way. Equal bytes between borders are thus
//! always made of the same tokens, and one token is made by one pair. (Models that were not trained
//! may well have two ids for the same bytes.)

mod candidates;
mod cell;
mod corpus;
mod error;
mod memory;
mod neighbours;
mod numbering;
mod options;
mod pair_table;
mod pairs;
mod thresholds;
mod trainer;

use std::ops::ControlFlow;

use crate::merges::Merges;
use crate::piece_counts::PieceCounts;
use crate::token::{Count, Pair};

pub(crate) use self::corpus::Corpus;
pub use self::error::TrainError;
pub use self::memory::estimate_memory;
pub use self::numbering::TieBreak;
pub use self::options::TrainOptions;
pub(crate) use self::trainer::Limits;

use self::numbering::Spelled;
use self::trainer::{Trainer, first_threshold};

/// One merge as it is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// Tokens learned so far, the one that this merge makes included.
    pub merges: usize,
    /// What was merged, as ids.
    pub pair: Pair,
    /// How often it occurred then.
    pub count: Count,
}

/// The result of training: the merges, and the options that they were learned with.
#[derive(Clone, Debug)]
pub struct Trained {
    options: TrainOptions,
    merges: Merges,
    counts: Vec<Count>,
}

impl Trained {
    /// The options.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }

    /// The merges, in the order in which they were learned; fewer than [`TrainOptions::merges`] when
    /// no pair was left that may be merged.
    pub fn merges(&self) -> &Merges {
        &self.merges
    }

    /// How often the pair of each merge occurred when it was merged.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// The result of training to a smaller vocabulary size: the first of the merges.
    ///
    /// # Errors
    /// When the size leaves no room for the bytes and the special tokens.
    pub fn truncated(&self, vocab_size: usize) -> Result<Trained, TrainError> {
        let options = self.options.clone().with_vocab_size(vocab_size);
        options.check()?;
        let first = self.merges.iter().take(options.merges()).copied();
        let merges = Merges::new(first.collect()).expect("each pair is merged once");
        let counts = self.counts[..merges.len()].to_vec();
        Ok(Trained {
            options,
            merges,
            counts,
        })
    }

    /// The options and the merges.
    pub(crate) fn into_parts(self) -> (TrainOptions, Merges) {
        (self.options, self.merges)
    }
}

/// Learns merges from counted pieces: those of rustbpe, to the last one, or with
/// [`TieBreak::HuggingFace`] those of that trainer. [`Model::from_trained`](crate::Model::from_trained)
/// makes a model of them.
///
/// Gives a smaller vocabulary than asked for when no pair is left that may be merged.
///
/// # Errors
/// See [`TrainError`].
///
/// ```
/// use tokenizer_core::{TrainOptions, PieceCounts, train};
///
/// let mut words = PieceCounts::new();
/// words.add(b"low", 5)?;
/// words.add(b"lowest", 2)?;
/// let trained = train(&words, &TrainOptions::new(258))?;
/// // (l, o) and (o, w) both occur 7 times; 'l' is the smaller id.
/// let tokens = trained.merges().trained_tokens().unwrap();
/// assert_eq!(tokens[256..], [b"lo".to_vec(), b"low".to_vec()]);
/// assert_eq!(trained.counts(), [7, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn train(words: &PieceCounts, options: &TrainOptions) -> Result<Trained, TrainError> {
    train_with_progress(words, options, |_| ControlFlow::Continue(()))
}

/// As [`train`]; shows `progress` every merge, which can break off.
///
/// # Errors
/// See [`TrainError`]; [`TrainError::Stopped`] when `progress` breaks off.
pub fn train_with_progress(
    words: &PieceCounts,
    options: &TrainOptions,
    mut progress: impl FnMut(Learned) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    options.check()?;
    let numbering = options.numbering();
    let corpus = Corpus::new(words, numbering.symbols(), options.thresholds())?;
    let limits = Limits {
        max_token_bytes: options.longest_token(),
        ..options.limits(options.merges())
    };
    let mut spelled = match options.tie_break {
        TieBreak::Raw => None,
        TieBreak::HuggingFace => Some(Spelled::new(&numbering)),
    };
    let (mut pairs, mut counts) = (Vec::new(), Vec::new());
    learn(
        corpus,
        vec![1; 256],
        &limits,
        |_| false,
        |merge| {
            if let Some(special) = spelled.as_mut().and_then(|spelled| spelled.add(merge.pair)) {
                let content = options.specials[special].clone();
                return Err(TrainError::SpecialIsToken { content });
            }
            pairs.push(merge.pair);
            counts.push(merge.count);
            let pair = numbering.pair(merge.pair);
            unless_broken_off(progress(Learned { pair, ..merge }))
        },
    )?;
    let merges = numbering.merges(&pairs);
    Ok(Trained {
        options: options.clone(),
        merges: merges.expect("each pair is merged once"),
        counts,
    })
}

/// The loop of training: merges the pair that occurs most often until there are enough merges, or no
/// pair is left.
///
/// `lengths` has the bytes of every symbol of the corpus; merges make the symbols behind them. A pair
/// that `skip` takes when its turn comes is never merged. `each` is shown every merge, and its
/// failure ends training.
pub(crate) fn learn(
    corpus: Corpus,
    lengths: Vec<usize>,
    limits: &Limits,
    skip: impl Fn(Pair) -> bool,
    mut each: impl FnMut(Learned) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let threshold = first_threshold(&corpus, limits);
    let mut trainer = Trainer::new(corpus, lengths, limits, threshold);
    let mut merges = 0;
    while merges < limits.merges
        && let Some((pair, count)) = trainer.most_frequent()
    {
        if skip(pair) {
            trainer.discard(pair);
            continue;
        }
        trainer.merge(pair);
        if limits.stop.is_set() {
            break;
        }
        merges += 1;
        each(Learned {
            merges,
            pair,
            count,
        })?;
    }
    match limits.stop.is_set() {
        true => Err(TrainError::Stopped),
        false => Ok(()),
    }
}

/// What a callback decided, for [`learn`].
pub(crate) fn unless_broken_off(flow: ControlFlow<()>) -> Result<(), TrainError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TrainError::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use super::thresholds::Thresholds;
    use super::*;
    use crate::reference;
    use crate::special::SpecialTokensError;
    use crate::token::{MAX_TOKEN_ID, TokenId};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// The merges, which small thresholds do not change.
    fn learned(words: &PieceCounts, options: &TrainOptions) -> Vec<Pair> {
        let learned = |options: &TrainOptions| -> Vec<Pair> {
            let trained = train(words, options).unwrap();
            trained.merges().iter().map(|m| m.pair()).collect()
        };
        let merges = learned(options);
        assert_eq!(learned(&options.clone().small_thresholds()), merges);
        merges
    }

    fn error(words: &PieceCounts, options: &TrainOptions) -> TrainError {
        train(words, options).unwrap_err()
    }

    #[test]
    fn training_ends_when_no_pair_is_left() {
        let mut words = PieceCounts::new();
        words.add(b"ab", 1).unwrap();
        words.add(b"c", 9).unwrap();
        assert_eq!(
            learned(&words, &TrainOptions::new(261)),
            [Pair::new(97, 98)]
        );
        assert!(learned(&PieceCounts::new(), &TrainOptions::new(261)).is_empty());
    }

    #[test]
    fn a_flag_that_is_set_stops_training_before_the_first_merge() {
        let mut words = PieceCounts::new();
        words.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(261).stop(Arc::new(AtomicBool::new(true)));
        assert_eq!(error(&words, &options), TrainError::Stopped);
    }

    #[test]
    fn counts_beyond_32_bits_decide() {
        let mut words = PieceCounts::new();
        words.add(b"ab", (1 << 32) + 1).unwrap();
        words.add(b"cd", (1 << 32) + 2).unwrap();
        assert_eq!(
            learned(&words, &TrainOptions::new(258)),
            [Pair::new(99, 100), Pair::new(97, 98)]
        );
        words.add(b"ab", Count::MAX - (1 << 33) - 3).unwrap();
        assert_eq!(
            learned(&words, &TrainOptions::new(257)),
            [Pair::new(97, 98)],
            "up to 2^64 - 1"
        );
        words.add(b"xyz", 1 << 33).unwrap();
        assert_eq!(
            error(&words, &TrainOptions::new(257)),
            TrainError::CountOverflow
        );
    }

    #[test]
    fn vocabulary_sizes_without_room_are_refused() {
        let most = MAX_TOKEN_ID as usize + 1;
        let check = |size| TrainOptions::new(size).specials(["<s>"]).check();
        for vocab_size in [most + 1, usize::MAX] {
            assert_eq!(
                check(vocab_size),
                Err(TrainError::VocabTooLarge { vocab_size })
            );
        }
        for vocab_size in [0, 256] {
            let initial = 257;
            let error = TrainError::VocabTooSmall {
                vocab_size,
                initial,
            };
            assert_eq!(check(vocab_size), Err(error));
        }
        assert_eq!((check(257), check(most)), (Ok(()), Ok(())));
        let too_large = TrainOptions::new(usize::MAX);
        assert!(train(&PieceCounts::new(), &too_large).is_err());
    }

    #[test]
    fn truncated_is_training_to_the_smaller_size() {
        let mut words = PieceCounts::new();
        words.add(b"lowest", 2).unwrap();
        words.add(b"low", 5).unwrap();
        let options = |size| TrainOptions::new(size).specials(["<s>"]);
        let larger = train(&words, &options(261)).unwrap();
        for size in [257, 259, 261] {
            let truncated = larger.truncated(size).unwrap();
            let want = train(&words, &options(size)).unwrap();
            assert_eq!(truncated.merges(), want.merges());
            assert_eq!(truncated.counts(), want.counts());
            assert_eq!(truncated.options().vocab_size(), size);
        }
        assert!(larger.truncated(256).is_err());
    }

    #[test]
    fn more_threads_than_there_can_be_are_no_panic() {
        let mut words = PieceCounts::new();
        words.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(265).threads(usize::MAX);
        assert_eq!(learned(&words, &options).len(), 2);
    }

    fn small_corpus() -> impl Strategy<Value = PieceCounts> {
        let piece = prop_oneof![
            prop::collection::vec(prop::sample::select(&b"ab"[..]), 1..24),
            prop::collection::vec(prop::sample::select(&b"abcde "[..]), 1..12),
            prop::collection::vec(any::<u8>(), 1..6),
        ];
        prop::collection::vec((piece, 1u64..6), 0..24).prop_map(|pieces| {
            let mut words = PieceCounts::new();
            for (piece, count) in pieces {
                words.add(&piece, count).unwrap();
            }
            words
        })
    }

    /// The definition, with the bytes in another order.
    fn reference_of_hugging_face(words: &PieceCounts, options: &TrainOptions) -> Vec<Pair> {
        let numbering = options.numbering();
        let mut symbols = PieceCounts::new();
        for (piece, count) in words.iter() {
            let symbol = |&byte: &u8| numbering.symbols()[usize::from(byte)] as u8;
            let piece: Vec<u8> = piece.iter().map(symbol).collect();
            symbols.add(&piece, count).unwrap();
        }
        let limits = options.limits(options.merges());
        let (merges, length) = (limits.merges, limits.max_token_bytes.max(2));
        let pairs = reference::train(&symbols, merges, limits.min_frequency, length);
        let id = |pair: &Pair| Pair::new(numbering.id(pair.left()), numbering.id(pair.right()));
        pairs.iter().map(id).collect()
    }

    #[test]
    fn a_special_token_that_is_learned_is_refused_where_both_would_have_one_id() {
        let mut words = PieceCounts::new();
        words.add(b"user", 9).unwrap();
        let options = |merges: usize| {
            TrainOptions::new(258 + merges)
                .tie_break(TieBreak::HuggingFace)
                .specials(["<s>", "user"])
        };
        assert!(train(&words, &options(2)).is_ok());
        let content = "user".to_owned();
        assert_eq!(
            error(&words, &options(3)),
            TrainError::SpecialIsToken { content }
        );
        let raw = options(3).tie_break(TieBreak::Raw);
        assert_eq!(learned(&words, &raw).len(), 3);
    }

    #[test]
    fn special_tokens_are_checked_before_the_first_merge() {
        let check = |tie_break, specials: &[&str]| {
            let options = TrainOptions::new(300).specials(specials.iter().copied());
            options.tie_break(tie_break).check()
        };
        for tie_break in [TieBreak::Raw, TieBreak::HuggingFace] {
            let content = "a".to_owned();
            let repeated = SpecialTokensError::RepeatedContent { content };
            assert_eq!(
                check(tie_break, &["a", "<s>", "a"]),
                Err(TrainError::Specials(repeated))
            );
            assert_eq!(
                check(tie_break, &[""]),
                Err(TrainError::Specials(SpecialTokensError::Empty))
            );
            assert_eq!(check(tie_break, &["<s>", "a"]), Ok(()));
        }
        assert_eq!(check(TieBreak::Raw, &["é"]), Ok(()));
        let error = TrainError::SpecialIsByte {
            content: "é".to_owned(),
            id: 1,
            byte: 0xE9,
        };
        assert_eq!(check(TieBreak::HuggingFace, &["<s>", "é"]), Err(error));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn hugging_faces_order_is_the_definition_with_other_bytes(
            words in small_corpus(),
            merges in 0usize..80,
            min_frequency in 0u64..5,
            max_token_bytes in prop_oneof![Just(usize::MAX), 0usize..9],
            specials in prop::collection::btree_set("[<ab]", 0..3),
        ) {
            let options = |vocab_size| {
                TrainOptions::new(vocab_size)
                    .min_frequency(min_frequency)
                    .max_token_bytes(max_token_bytes)
                    .tie_break(TieBreak::HuggingFace)
                    .specials(specials.iter().cloned().chain(["<s>".into()]))
            };
            let options = options(options(0).initial_ids() + merges);
            let want = reference_of_hugging_face(&words, &options);
            prop_assert_eq!(learned(&words, &options), want);
        }

        #[test]
        fn no_two_merges_make_the_same_bytes(words in small_corpus()) {
            let options = TrainOptions::new(456).small_thresholds();
            let tokens = train(&words, &options).unwrap().merges().trained_tokens().unwrap();
            let distinct: HashSet<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(distinct.len(), tokens.len());
        }
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
            let options = TrainOptions::new(256 + merges)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes)
                .threads(threads);
            let want = reference::train(&words, merges, min_frequency, max_token_bytes);
            prop_assert_eq!(learned(&words, &options), &want[..]);
            // Small corpora never reach the first threshold: every other one must do as well.
            let thresholds = [1, 2, 3, 5, 8, 20, 100];
            let thresholds = thresholds.into_iter().flat_map(|threshold| {
                [Thresholds::DEFAULT, Thresholds::SMALL].map(|thresholds| (threshold, thresholds))
            });
            for (threshold, thresholds) in thresholds {
                let symbols = std::array::from_fn(|byte| byte as TokenId);
                let corpus = Corpus::new(&words, &symbols, thresholds).ok().unwrap();
                let limits = options.limits(merges);
                let mut trainer = Trainer::new(corpus, vec![1; 256], &limits, threshold);
                let mut learned = Vec::new();
                while learned.len() < merges && let Some((pair, _)) = trainer.most_frequent() {
                    trainer.merge(pair);
                    learned.push(pair);
                }
                prop_assert_eq!(&learned, &want, "threshold {}, {:?}", threshold, thresholds);
            }
        }
    }
}

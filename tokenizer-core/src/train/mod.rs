//! Training: from counted pieces to merges.
//!
//! [`learn`] is the main loop. `trainer.rs` finds and applies merges. It works on symbols (`numbering.rs`):
//! the initial tokens in tie-break order (256 bytes, unless a model is extended), followed by the merges.
//!
//! **No two merges produce the same bytes.** A merge removes a token boundary for good. So if both
//! ends of a byte range are boundaries now, no merge has ever crossed them, and the range has been
//! merged like a piece of its own. (A run of equal tokens is no exception. A merge pairs such a run
//! from left to right, so the pairs depend on where the run starts, and that may be before the
//! range. But a pair that reached across the left end of the range would have removed that
//! boundary. So no pair does, and inside the range pairing starts at its left end, as in a piece of
//! its own.) At any time, equal byte ranges between boundaries therefore hold the same sequence of
//! tokens. So when a merge first produces a given byte string, every range between boundaries that
//! holds this string consists of the same pair. Afterwards each of these ranges is either the new
//! token or, if an overlapping range was merged instead, no longer between boundaries. No other
//! pair is left that could produce the string.
//!
//! This holds for models trained from bytes, also when they are extended. When a model from elsewhere is
//! extended, a pair may produce the bytes of an existing token, and is then skipped (`extend.rs`).

mod candidates;
mod cell;
mod corpus;
mod error;
mod memory;
mod neighbors;
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

use self::numbering::SpecialCollisions;
use self::trainer::{Trainer, first_threshold};

/// A merge, as reported while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// The number of merges so far, including this one.
    pub merges: usize,
    /// The ids of the merged tokens; inside `learn`, their symbols.
    pub pair: Pair,
    /// How often the pair occurred when it was merged.
    pub count: Count,
}

/// The result of training: the merges, and the options used.
#[derive(Clone, Debug)]
pub struct Trained {
    options: TrainOptions,
    merges: Merges,
    counts: Vec<Count>,
}

impl Trained {
    /// The options used for training.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }

    /// The merges, in the order in which they were learned.
    ///
    /// There are fewer than requested ([`TrainOptions::merges`]) if training ran out of pairs.
    #[must_use]
    pub fn merges(&self) -> &Merges {
        &self.merges
    }

    /// How often the pair of each merge occurred when it was merged.
    #[must_use]
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// Returns the result of training to a smaller vocabulary size, by keeping only the first merges.
    ///
    /// # Errors
    /// If training to this size would be refused: if it is below the number of initial tokens and special
    /// tokens, or above 2^24.
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

    /// Returns the options and the merges.
    pub(crate) fn into_parts(self) -> (TrainOptions, Merges) {
        (self.options, self.merges)
    }
}

/// Learns merges from counted pieces.
///
/// The merges equal those of rustbpe or, with [`TieBreak::HuggingFace`], those of `tokenizers`. The
/// vocabulary stays smaller than requested if no pair is left to merge.
/// [`Model::from_trained`](crate::Model::from_trained) turns the result into a model.
///
/// # Errors
/// See [`TrainError`].
///
/// ```
/// use tokenizer_core::{TrainOptions, PieceCounts, train};
///
/// let mut pieces = PieceCounts::new();
/// pieces.add(b"low", 5)?;
/// pieces.add(b"lowest", 2)?;
/// let trained = train(&pieces, &TrainOptions::new(258))?;
/// // (l, o) and (o, w) both occur 7 times. The tie goes to (l, o): 'l' has the smaller id.
/// let tokens = trained.merges().trained_tokens().unwrap();
/// assert_eq!(tokens[256..], [b"lo".to_vec(), b"low".to_vec()]);
/// assert_eq!(trained.counts(), [7, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn train(pieces: &PieceCounts, options: &TrainOptions) -> Result<Trained, TrainError> {
    train_with_progress(pieces, options, |_| ControlFlow::Continue(()))
}

/// Like [`train`], but also calls `progress` after each merge.
///
/// # Errors
/// See [`TrainError`]. If `progress` returns [`ControlFlow::Break`], [`TrainError::Stopped`].
pub fn train_with_progress(
    pieces: &PieceCounts,
    options: &TrainOptions,
    mut progress: impl FnMut(Learned) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    options.check()?;
    let numbering = options.numbering();
    let corpus = Corpus::new(pieces, numbering.symbols(), options.thresholds())?;
    let limits = Limits {
        max_token_bytes: options.effective_max_token_bytes(),
        ..options.limits(options.merges())
    };
    let mut collisions = match options.tie_break {
        TieBreak::Raw => None,
        TieBreak::HuggingFace => Some(SpecialCollisions::new(&numbering)),
    };
    let (mut pairs, mut counts) = (Vec::new(), Vec::new());
    learn(
        corpus,
        vec![1; 256],
        &limits,
        |_| false,
        |merge| {
            if let Some(special) = collisions.as_mut().and_then(|found| found.add(merge.pair)) {
                let content = options.specials[special].clone();
                return Err(TrainError::SpecialIsToken { content });
            }
            pairs.push(merge.pair);
            counts.push(merge.count);
            let pair = numbering.pair(merge.pair);
            stop_on_break(progress(Learned { pair, ..merge }))
        },
    )?;
    let merges = numbering.merges(&pairs);
    Ok(Trained {
        options: options.clone(),
        merges: merges.expect("each pair is merged once"),
        counts,
    })
}

/// The training loop: merges the most frequent pair until the limit of merges is reached or no pair is
/// left.
///
/// `lengths` contains the length in bytes of each initial symbol; the symbol of the first merge is
/// `lengths.len()`. A pair for which `skip` returns `true` is never merged. `on_merge` is called after each
/// merge, with the pair as symbols; its error ends training.
pub(crate) fn learn(
    corpus: Corpus,
    lengths: Vec<usize>,
    limits: &Limits,
    skip: impl Fn(Pair) -> bool,
    mut on_merge: impl FnMut(Learned) -> Result<(), TrainError>,
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
        on_merge(Learned {
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

/// Converts a callback's `Break` to [`TrainError::Stopped`].
pub(crate) fn stop_on_break(flow: ControlFlow<()>) -> Result<(), TrainError> {
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

    /// Returns the learned merges. Checks that they do not depend on the thresholds.
    fn learned(pieces: &PieceCounts, options: &TrainOptions) -> Vec<Pair> {
        let learned = |options: &TrainOptions| -> Vec<Pair> {
            let trained = train(pieces, options).unwrap();
            trained.merges().iter().map(|m| m.pair()).collect()
        };
        let merges = learned(options);
        assert_eq!(learned(&options.clone().small_thresholds()), merges);
        merges
    }

    fn error(pieces: &PieceCounts, options: &TrainOptions) -> TrainError {
        train(pieces, options).unwrap_err()
    }

    #[test]
    fn training_ends_if_no_pair_is_left() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"ab", 1).unwrap();
        pieces.add(b"c", 9).unwrap();
        assert_eq!(
            learned(&pieces, &TrainOptions::new(261)),
            [Pair::new(97, 98)]
        );
        assert!(learned(&PieceCounts::new(), &TrainOptions::new(261)).is_empty());
    }

    #[test]
    fn a_set_stop_flag_stops_training_before_the_first_merge() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(261).stop(Arc::new(AtomicBool::new(true)));
        assert_eq!(error(&pieces, &options), TrainError::Stopped);
    }

    #[test]
    fn counts_above_32_bits_are_compared_exactly() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"ab", (1 << 32) + 1).unwrap();
        pieces.add(b"cd", (1 << 32) + 2).unwrap();
        assert_eq!(
            learned(&pieces, &TrainOptions::new(258)),
            [Pair::new(99, 100), Pair::new(97, 98)]
        );
        pieces.add(b"ab", Count::MAX - (1 << 33) - 3).unwrap();
        assert_eq!(
            learned(&pieces, &TrainOptions::new(257)),
            [Pair::new(97, 98)],
            "up to 2^64 - 1"
        );
        pieces.add(b"xyz", 1 << 33).unwrap();
        assert_eq!(
            error(&pieces, &TrainOptions::new(257)),
            TrainError::CountOverflow
        );
    }

    #[test]
    fn invalid_vocabulary_sizes_are_refused() {
        let max_size = MAX_TOKEN_ID as usize + 1;
        let check = |size| TrainOptions::new(size).specials(["<s>"]).check();
        for vocab_size in [max_size + 1, usize::MAX] {
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
        assert_eq!((check(257), check(max_size)), (Ok(()), Ok(())));
        let too_large = TrainOptions::new(usize::MAX);
        assert!(train(&PieceCounts::new(), &too_large).is_err());
    }

    #[test]
    fn truncated_equals_training_to_the_smaller_size() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"lowest", 2).unwrap();
        pieces.add(b"low", 5).unwrap();
        let options = |size| TrainOptions::new(size).specials(["<s>"]);
        let larger = train(&pieces, &options(261)).unwrap();
        for size in [257, 259, 261] {
            let truncated = larger.truncated(size).unwrap();
            let want = train(&pieces, &options(size)).unwrap();
            assert_eq!(truncated.merges(), want.merges());
            assert_eq!(truncated.counts(), want.counts());
            assert_eq!(truncated.options().vocab_size(), size);
        }
        assert!(larger.truncated(256).is_err());
    }

    #[test]
    fn any_number_of_threads_is_accepted() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(265).threads(usize::MAX);
        assert_eq!(learned(&pieces, &options).len(), 2);
    }

    fn small_corpus() -> impl Strategy<Value = PieceCounts> {
        let piece = prop_oneof![
            prop::collection::vec(prop::sample::select(&b"ab"[..]), 1..24),
            prop::collection::vec(prop::sample::select(&b"abcde "[..]), 1..12),
            prop::collection::vec(any::<u8>(), 1..6),
        ];
        prop::collection::vec((piece, 1u64..6), 0..24).prop_map(|counted| {
            let mut pieces = PieceCounts::new();
            for (piece, count) in counted {
                pieces.add(&piece, count).unwrap();
            }
            pieces
        })
    }

    /// Runs the reference on the corpus with its bytes replaced by symbols.
    fn hugging_face_reference(pieces: &PieceCounts, options: &TrainOptions) -> Vec<Pair> {
        let numbering = options.numbering();
        let mut symbols = PieceCounts::new();
        for (piece, count) in pieces.iter() {
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
    fn a_special_token_that_is_learned_is_refused_with_hugging_face_ids() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"user", 9).unwrap();
        let options = |merges: usize| {
            TrainOptions::new(258 + merges)
                .tie_break(TieBreak::HuggingFace)
                .specials(["<s>", "user"])
        };
        assert!(train(&pieces, &options(2)).is_ok());
        let content = "user".to_owned();
        assert_eq!(
            error(&pieces, &options(3)),
            TrainError::SpecialIsToken { content }
        );
        let raw = options(3).tie_break(TieBreak::Raw);
        assert_eq!(learned(&pieces, &raw).len(), 3);
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
        fn hugging_face_order_equals_the_reference_on_symbols(
            pieces in small_corpus(),
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
            let want = hugging_face_reference(&pieces, &options);
            prop_assert_eq!(learned(&pieces, &options), want);
        }

        #[test]
        fn no_two_merges_make_the_same_bytes(pieces in small_corpus()) {
            let options = TrainOptions::new(456).small_thresholds();
            let tokens = train(&pieces, &options).unwrap().merges().trained_tokens().unwrap();
            let distinct: HashSet<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(distinct.len(), tokens.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn merges_equal_the_reference(
            pieces in small_corpus(),
            merges in 0usize..80,
            min_frequency in 0u64..5,
            max_token_bytes in prop_oneof![Just(usize::MAX), 1usize..9],
            threads in 1usize..4,
        ) {
            let options = TrainOptions::new(256 + merges)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes)
                .threads(threads);
            let want = reference::train(&pieces, merges, min_frequency, max_token_bytes);
            prop_assert_eq!(learned(&pieces, &options), &want[..]);
            // The first threshold of a small corpus is usually 0, so higher ones are tested explicitly.
            let thresholds = [1, 2, 3, 5, 8, 20, 100];
            let thresholds = thresholds.into_iter().flat_map(|threshold| {
                [Thresholds::DEFAULT, Thresholds::SMALL].map(|thresholds| (threshold, thresholds))
            });
            for (threshold, thresholds) in thresholds {
                let symbols = std::array::from_fn(|byte| byte as TokenId);
                let corpus = Corpus::new(&pieces, &symbols, thresholds).ok().unwrap();
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

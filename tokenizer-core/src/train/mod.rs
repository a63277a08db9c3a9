//! Training: from counted pieces to merges.
//!
//! What to learn, what was learned and what can go wrong are here; the work is done in
//! `trainer.rs`, which knows bytes only as symbols (`numbering.rs`).
//!
//! **No two merges make the same bytes.** A merge is applied everywhere, from the left. So what
//! stands between two borders of tokens was merged as if it stood alone: nothing was merged across
//! the borders, which were borders at all times before; a run of one token, in which it matters
//! where merging begins, begins at the left border either way. Equal bytes between borders are thus
//! always made of the same tokens, and one token is made by one pair. (Models that were not trained
//! may well have two ids for the same bytes.)

mod candidates;
mod corpus;
mod memory;
mod neighbours;
mod numbering;
mod pair_table;
mod pairs;
mod trainer;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::merges::Merges;
use crate::stop::Stop;
use crate::token::{Count, MAX_TOKEN_ID, Pair, TokenId};
use crate::words::Words;

pub use self::memory::estimate_memory;
pub(crate) use self::numbering::Numbering;
pub use self::numbering::TieBreak;

use self::corpus::{Corpus, Unfit};
use self::numbering::Spelled;
use self::trainer::{Trainer, first_threshold};

/// What to learn.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrainOptions {
    /// How many tokens to learn at most. The vocabulary has those of the bytes and the special
    /// tokens besides.
    pub merges: usize,
    /// A pair that occurs fewer times is not merged. 0 means 1.
    pub min_frequency: Count,
    /// No merge makes a token of more bytes than this. With [`TieBreak::HuggingFace`], less than 2
    /// means 2.
    pub max_token_bytes: usize,
    /// When another thread sets this, training ends with [`TrainError::Stopped`], mostly within a
    /// hundredth of a second: one piece of hundreds of megabytes is read to its end first.
    pub stop: Option<Arc<AtomicBool>>,
    /// How ids are given out, and by that which of two pairs goes first that occur equally often.
    pub tie_break: TieBreak,
    /// The texts of the special tokens. [`TieBreak`] says where their ids are; with
    /// [`TieBreak::Raw`] they change nothing in training.
    pub specials: Vec<String>,
    /// Threads to work on, at least one, and no more than 1024 are used. Without the feature
    /// `parallel`, one is used. The merges are the same for any number.
    pub threads: usize,
}

impl TrainOptions {
    /// At most `merges` merges, of any frequency and length, with the ids of rustbpe and no special
    /// tokens.
    pub fn new(merges: usize) -> Self {
        TrainOptions {
            merges,
            min_frequency: 1,
            max_token_bytes: usize::MAX,
            stop: None,
            tie_break: TieBreak::Raw,
            specials: Vec::new(),
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

    /// Breaks off when another thread sets `flag`.
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Leaves out tokens of more than `bytes` bytes.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Gives out ids, and breaks ties, in this way.
    pub fn tie_break(mut self, tie_break: TieBreak) -> Self {
        self.tie_break = tie_break;
        self
    }

    /// How many ids the vocabulary has before the first merge: those of the bytes and of the special
    /// tokens. With [`TieBreak::HuggingFace`] a special token that is the text of a single byte
    /// shares that byte's id.
    ///
    /// ```
    /// use tokenizer_core::{TieBreak, TrainOptions};
    ///
    /// let options = TrainOptions::new(0).specials(["<s>", "0"]);
    /// assert_eq!(options.initial_ids(), 258);
    /// assert_eq!(options.tie_break(TieBreak::HuggingFace).initial_ids(), 257);
    /// ```
    pub fn initial_ids(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => 256 + self.specials.len(),
            TieBreak::HuggingFace => Numbering::new(self.tie_break, &self.specials).len(),
        }
    }

    /// The longest token that a merge may make.
    fn longest_token(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => self.max_token_bytes,
            // That trainer does not check pairs of two bytes.
            TieBreak::HuggingFace => self.max_token_bytes.max(2),
        }
    }

    /// With these special tokens.
    pub fn specials(mut self, specials: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.specials = specials.into_iter().map(Into::into).collect();
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
    /// The distinct pieces together, with 2 numbers for each, are more than 2^32 symbols.
    #[error("the distinct pieces together are too long: more than 2^32 symbols")]
    TooManySymbols,
    /// The occurrences of one pair may pass 2^64 - 1.
    #[error("the pairs of the corpus together occur more than 2^64 - 1 times")]
    CountOverflow,
    /// A special token stands twice: [`TieBreak::HuggingFace`], where it has its id before training.
    #[error("the special token {content:?} stands twice")]
    RepeatedSpecial {
        /// The text of the special token.
        content: String,
    },
    /// A merge makes a token with the text of a special token, and they would have one id:
    /// [`TieBreak::HuggingFace`].
    #[error(
        "the special token {content:?} is learned as a token of the text as well, and Hugging Face's trainer gives both one id"
    )]
    SpecialIsToken {
        /// The text of the special token.
        content: String,
    },
    /// It was broken off.
    #[error("training was broken off")]
    Stopped,
}

impl From<Unfit> for TrainError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Counts => TrainError::CountOverflow,
            Unfit::Size => TrainError::TooManySymbols,
        }
    }
}

/// Learns merges from counted pieces: those of rustbpe, to the last one, or with
/// [`TieBreak::HuggingFace`] those of that trainer. Their ids are those of the vocabulary that
/// [`Model::from_training`](crate::Model::from_training) makes of them.
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
    /// Tokens learned so far, the one that this merge makes included.
    pub merges: usize,
    /// What was merged, as ids.
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
    if options.tie_break == TieBreak::HuggingFace
        && let Some(content) = repeated(&options.specials)
    {
        return Err(TrainError::RepeatedSpecial { content });
    }
    let numbering = Numbering::new(options.tie_break, &options.specials);
    if numbering.len().saturating_add(options.merges) > MAX_TOKEN_ID as usize + 1 {
        return Err(TrainError::TooManyMerges {
            merges: options.merges,
        });
    }
    let corpus = Corpus::new(words, numbering.symbols())?;
    let options = &options.clone().max_token_bytes(options.longest_token());
    let threshold = first_threshold(&corpus, options);
    let mut trainer = Trainer::new(corpus, vec![1; 256], options, threshold);
    let mut spelled = match options.tie_break {
        TieBreak::Raw => None,
        TieBreak::HuggingFace => Some(Spelled::new(&numbering)),
    };
    let (mut pairs, mut counts) = (Vec::new(), Vec::new());
    while pairs.len() < options.merges
        && let Some((pair, count)) = trainer.step()
    {
        if let Some(special) = spelled.as_mut().and_then(|spelled| spelled.add(pair)) {
            let content = options.specials[special].clone();
            return Err(TrainError::SpecialIsToken { content });
        }
        pairs.push(pair);
        counts.push(count);
        let learned = Learned {
            merges: pairs.len(),
            pair: Pair::new(numbering.id(pair.left()), numbering.id(pair.right())),
            count,
        };
        if progress(learned).is_break() {
            return Err(TrainError::Stopped);
        }
    }
    if Stop::new(options.stop.clone()).is_set() {
        return Err(TrainError::Stopped);
    }
    let merges = numbering.merges(&pairs);
    let merges = merges.expect("a pair is taken once");
    Ok(Trained { merges, counts })
}

/// A text that stands twice.
fn repeated(specials: &[String]) -> Option<String> {
    let mut seen = hashbrown::HashSet::with_hasher(ahash::RandomState::new());
    let mut specials = specials.iter();
    specials.find(|special| !seen.insert(*special)).cloned()
}

/// Goes on training where `words` are tokens already, together not more than `symbols`. `lengths`
/// has the bytes of every id below the first new one. A pair is passed over when `pass_over` says
/// so; `learned` is shown every other one.
pub(crate) fn train_on<S: ExactSizeIterator<Item = TokenId>>(
    symbols: usize,
    words: impl ExactSizeIterator<Item = (S, Count)>,
    lengths: Vec<usize>,
    options: &TrainOptions,
    pass_over: impl Fn(Pair) -> bool,
    mut learned: impl FnMut(Learned) -> ControlFlow<()>,
) -> Result<(), TrainError> {
    let corpus = Corpus::from_symbols(symbols, words)?;
    let threshold = first_threshold(&corpus, options);
    let mut trainer = Trainer::new(corpus, lengths, options, threshold);
    trainer.pass_over(pass_over);
    let mut merges = 0;
    while merges < options.merges
        && let Some((pair, count)) = trainer.step()
    {
        merges += 1;
        let merge = Learned {
            merges,
            pair,
            count,
        };
        if learned(merge).is_break() {
            return Err(TrainError::Stopped);
        }
    }
    match Stop::new(options.stop.clone()).is_set() {
        true => Err(TrainError::Stopped),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use proptest::prelude::*;
    use std::collections::HashSet;

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
    fn a_flag_that_is_set_stops_training_before_the_first_merge() {
        let mut words = Words::new();
        words.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(5).stop(Arc::new(AtomicBool::new(true)));
        assert_eq!(train(&words, &options), Err(TrainError::Stopped));
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
        assert!(train(&Words::new(), &TrainOptions::new(usize::MAX)).is_err());
    }

    #[test]
    fn more_threads_than_there_can_be_are_no_panic() {
        let mut words = Words::new();
        words.add(b"abab", 1).unwrap();
        let options = TrainOptions::new(9).threads(usize::MAX);
        assert_eq!(learned(&words, &options).len(), 2);
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

    /// The definition, with the bytes in another order.
    fn reference_of_hugging_face(words: &Words, options: &TrainOptions) -> Vec<Pair> {
        let numbering = Numbering::new(options.tie_break, &options.specials);
        let mut symbols = Words::new();
        for (piece, count) in words.iter() {
            let symbol = |&byte: &u8| numbering.symbols()[usize::from(byte)] as u8;
            let piece: Vec<u8> = piece.iter().map(symbol).collect();
            symbols.add(&piece, count).unwrap();
        }
        let (merges, length) = (options.merges, options.max_token_bytes.max(2));
        let pairs = reference::train(&symbols, merges, options.min_frequency, length);
        let id = |pair: &Pair| Pair::new(numbering.id(pair.left()), numbering.id(pair.right()));
        pairs.iter().map(id).collect()
    }

    #[test]
    fn a_special_token_that_is_learned_is_refused_where_both_would_have_one_id() {
        let mut words = Words::new();
        words.add(b"user", 9).unwrap();
        let options = |merges| {
            TrainOptions::new(merges)
                .tie_break(TieBreak::HuggingFace)
                .specials(["<s>", "user"])
        };
        assert!(train(&words, &options(2)).is_ok());
        assert_eq!(
            train(&words, &options(3)),
            Err(TrainError::SpecialIsToken {
                content: "user".into()
            })
        );
        let twice = options(1).specials(["a", "<s>", "a"]);
        let content = "a".to_owned();
        let error = TrainError::RepeatedSpecial { content };
        assert_eq!(train(&words, &twice), Err(error));
        let raw = options(3).tie_break(TieBreak::Raw);
        assert_eq!(train(&words, &raw).unwrap().len(), 3);
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
            let options = TrainOptions::new(merges)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes)
                .tie_break(TieBreak::HuggingFace)
                .specials(specials.into_iter().chain(["<s>".into()]));
            let want = reference_of_hugging_face(&words, &options);
            prop_assert_eq!(learned(&words, &options), want);
        }

        #[test]
        fn no_two_merges_make_the_same_bytes(words in small_corpus()) {
            let tokens = train(&words, &TrainOptions::new(200)).unwrap().trained_tokens().unwrap();
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
            let options = TrainOptions::new(merges)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes)
                .threads(threads);
            let want = reference::train(&words, merges, min_frequency, max_token_bytes);
            prop_assert_eq!(learned(&words, &options), &want[..]);
            // Small corpora never reach the first threshold: every other one must do as well.
            for threshold in [1, 2, 3, 5, 8, 20, 100] {
                let corpus = Corpus::new(&words, &std::array::from_fn(|byte| byte as TokenId)).ok().unwrap();
                let mut trainer = Trainer::new(corpus, vec![1; 256], &options, threshold);
                let steps = std::iter::from_fn(|| trainer.step());
                let learned: Vec<Pair> = steps.take(merges).map(|(pair, _)| pair).collect();
                prop_assert_eq!(&learned, &want, "threshold {}", threshold);
            }
        }
    }
}

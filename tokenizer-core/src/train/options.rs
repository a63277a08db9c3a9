//! Training options.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::error::TrainError;
use super::numbering::{Numbering, TieBreak};
use super::thresholds::Thresholds;
use super::trainer::Limits;
use crate::byte_level::bytes_of;
use crate::special::{SpecialToken, SpecialTokens};
use crate::stop::Stop;
use crate::token::{Count, MAX_TOKEN_ID};

/// Options for training: vocabulary size, limits, numbering of ids, special tokens, threads.
///
/// ```
/// use tokenizer_core::{TieBreak, TrainOptions};
///
/// let options = TrainOptions::new(1000).specials(["<s>", "0"]);
/// assert_eq!(options.initial_ids(), 258);
/// assert_eq!(options.merges(), 742);
/// let options = options.tie_break(TieBreak::HuggingFace);
/// assert_eq!(options.initial_ids(), 257, "\"0\" is also a byte");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TrainOptions {
    vocab_size: usize,
    min_frequency: Count,
    max_token_bytes: usize,
    stop: Option<Arc<AtomicBool>>,
    pub(crate) tie_break: TieBreak,
    pub(crate) specials: Vec<String>,
    threads: usize,
    keep_special_ids: bool,
    thresholds: Thresholds,
}

impl TrainOptions {
    /// Creates options for a vocabulary of at most `vocab_size` ids: 256 bytes, merges and special tokens.
    ///
    /// The defaults are those of rustbpe: no limit on frequency or token length, and no special tokens. The
    /// default number of threads is the number of processors.
    pub fn new(vocab_size: usize) -> Self {
        TrainOptions {
            vocab_size,
            min_frequency: 1,
            max_token_bytes: usize::MAX,
            stop: None,
            tie_break: TieBreak::Raw,
            specials: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            keep_special_ids: false,
            thresholds: Thresholds::DEFAULT,
        }
    }

    /// Sets the minimum count of a pair to be merged. 0 means 1.
    pub fn min_frequency(mut self, count: Count) -> Self {
        self.min_frequency = count;
        self
    }

    /// Limits the length of new tokens to `bytes`. With [`TieBreak::HuggingFace`], less than 2 means 2.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Sets how ids are assigned and ties are broken.
    pub fn tie_break(mut self, tie_break: TieBreak) -> Self {
        self.tie_break = tie_break;
        self
    }

    /// Sets the special tokens of the vocabulary. [`TieBreak`] determines their ids. With [`TieBreak::Raw`],
    /// they affect only the number of merges.
    pub fn specials(mut self, specials: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.specials = specials.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the number of threads: at most 1024 are used, and 0 means 1. The merges do not depend on this
    /// number.
    ///
    /// Without the feature `parallel`, training runs on the caller's thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Makes [`extend`](crate::extend()) add new tokens after the special tokens, so that no id changes.
    /// Other training ignores this.
    pub fn keep_special_ids(mut self, keep: bool) -> Self {
        self.keep_special_ids = keep;
        self
    }

    pub(crate) fn keeps_special_ids(&self) -> bool {
        self.keep_special_ids
    }

    /// Makes training return [`TrainError::Stopped`] after another thread sets `flag`, usually within 10 ms.
    /// The flag is not checked inside a piece, so a piece of hundreds of megabytes delays stopping.
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Lowers the values at which training switches methods, so that small corpora exercise all of them.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn small_thresholds(mut self) -> Self {
        self.thresholds = Thresholds::SMALL;
        self
    }

    /// Replaces the vocabulary size.
    pub(super) fn with_vocab_size(mut self, vocab_size: usize) -> Self {
        self.vocab_size = vocab_size;
        self
    }

    /// The requested vocabulary size.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The number of ids before the first merge: bytes and special tokens. With [`TieBreak::HuggingFace`], a
    /// special token that is a single byte shares the byte's id.
    #[must_use]
    pub fn initial_ids(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => 256 + self.specials.len(),
            TieBreak::HuggingFace => self.numbering().len(),
        }
    }

    /// The number of merges that fill the vocabulary; 0 if its size is too small.
    #[must_use]
    pub fn merges(&self) -> usize {
        self.vocab_size.saturating_sub(self.initial_ids())
    }

    /// Checks the options, as training does before it starts. Call this before counting a large corpus.
    ///
    /// # Errors
    /// If the vocabulary size is too large, or too small for the bytes and special tokens, or if a special
    /// token is empty, repeated, or shares the id of a different byte.
    pub fn check(&self) -> Result<(), TrainError> {
        let vocab_size = self.vocab_size;
        if vocab_size > MAX_TOKEN_ID as usize + 1 {
            return Err(TrainError::VocabTooLarge { vocab_size });
        }
        let tokens = self.specials.iter().zip(0..);
        SpecialTokens::new(tokens.map(|(text, id)| SpecialToken::new(text.as_str(), id)))?;
        for (content, id) in self.specials.iter().zip(0..) {
            if self.tie_break == TieBreak::HuggingFace
                && let Some(&[byte]) = bytes_of(content).as_deref()
                && content.as_bytes() != [byte]
            {
                let content = content.clone();
                return Err(TrainError::SpecialIsByte { content, id, byte });
            }
        }
        let initial = self.initial_ids();
        match vocab_size < initial {
            true => Err(TrainError::VocabTooSmall {
                vocab_size,
                initial,
            }),
            false => Ok(()),
        }
    }

    /// The numbering of the initial tokens.
    pub(crate) fn numbering(&self) -> Numbering {
        Numbering::new(self.tie_break, &self.specials)
    }

    /// The maximum length in bytes of a new token.
    pub(super) fn effective_max_token_bytes(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => self.max_token_bytes,
            // `BpeTrainer` merges two single bytes whatever its limit.
            TieBreak::HuggingFace => self.max_token_bytes.max(2),
        }
    }

    /// The values at which training switches methods.
    pub(crate) fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// The limits for learning `merges` merges. `max_token_bytes` is as it was set: [`super::train`] uses
    /// `effective_max_token_bytes` instead.
    pub(crate) fn limits(&self, merges: usize) -> Limits {
        Limits {
            merges,
            min_frequency: self.min_frequency.max(1),
            max_token_bytes: self.max_token_bytes,
            threads: self.threads,
            stop: Stop::new(self.stop.clone()),
        }
    }
}

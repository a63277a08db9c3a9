//! Options of training.

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

/// A vocabulary size, and how to fill it.
///
/// ```
/// use tokenizer_core::{TieBreak, TrainOptions};
///
/// let options = TrainOptions::new(1000).specials(["<s>", "0"]);
/// assert_eq!(options.initial_ids(), 258);
/// assert_eq!(options.merges(), 742);
/// let options = options.tie_break(TieBreak::HuggingFace);
/// assert_eq!(options.initial_ids(), 257, "\"0\" is the byte too");
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
    thresholds: Thresholds,
}

impl TrainOptions {
    /// At most `vocab_size` ids: 256 bytes, merges and special tokens. Without more options, merges of
    /// any frequency and length with the ids of rustbpe, no special tokens, and one thread for each
    /// processor.
    pub fn new(vocab_size: usize) -> Self {
        TrainOptions {
            vocab_size,
            min_frequency: 1,
            max_token_bytes: usize::MAX,
            stop: None,
            tie_break: TieBreak::Raw,
            specials: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            thresholds: Thresholds::DEFAULT,
        }
    }

    /// Merges no pair that occurs fewer than `count` times; 0 means 1.
    pub fn min_frequency(mut self, count: Count) -> Self {
        self.min_frequency = count;
        self
    }

    /// Makes no token of more than `bytes` bytes. With [`TieBreak::HuggingFace`], less than 2 means 2.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Numbers tokens, and breaks ties, in this way.
    pub fn tie_break(mut self, tie_break: TieBreak) -> Self {
        self.tie_break = tie_break;
        self
    }

    /// Adds special tokens to the vocabulary, by their texts. [`TieBreak`] says where their ids are;
    /// with [`TieBreak::Raw`] they change nothing in training but the number of merges.
    pub fn specials(mut self, specials: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.specials = specials.into_iter().map(Into::into).collect();
        self
    }

    /// Works on this number of threads; 0 means 1, and no more than 1024 are used. Without the
    /// feature `parallel`, one is used. The merges are the same for any number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Ends training with [`TrainError::Stopped`] when another thread sets `flag`, mostly within a
    /// hundredth of a second: one piece of hundreds of megabytes is read to its end first.
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Lowers the sizes at which training changes its method, so that small corpora pass them.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn small_thresholds(mut self) -> Self {
        self.thresholds = Thresholds::SMALL;
        self
    }

    /// Another vocabulary size.
    pub(super) fn with_vocab_size(mut self, vocab_size: usize) -> Self {
        self.vocab_size = vocab_size;
        self
    }

    /// The vocabulary size that was asked for.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// How many ids there are before the first merge: those of the bytes and of the special tokens.
    /// With [`TieBreak::HuggingFace`] a special token that is the text of a single byte shares that
    /// byte's id.
    pub fn initial_ids(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => 256 + self.specials.len(),
            TieBreak::HuggingFace => self.numbering().len(),
        }
    }

    /// How many merges fill the vocabulary; 0 when it is too small.
    pub fn merges(&self) -> usize {
        self.vocab_size.saturating_sub(self.initial_ids())
    }

    /// Fails as training would before it begins. Corpora need not be counted for that.
    ///
    /// # Errors
    /// When the vocabulary size is too large, or too small for the bytes and the special tokens, or a
    /// special token is empty, repeated, or has the id of another byte.
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

    /// The tokens that there are before the first merge.
    pub(crate) fn numbering(&self) -> Numbering {
        Numbering::new(self.tie_break, &self.specials)
    }

    /// The longest token that a merge may make.
    pub(super) fn longest_token(&self) -> usize {
        match self.tie_break {
            TieBreak::Raw => self.max_token_bytes,
            // That trainer does not check pairs of two bytes.
            TieBreak::HuggingFace => self.max_token_bytes.max(2),
        }
    }

    /// The sizes at which training changes its method.
    pub(crate) fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Limits for this number of merges.
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

//! The tokenizer: from text to ids and back.

use std::fmt;
#[cfg(feature = "files")]
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "files")]
use crate::corpus::{LoadError, load_model};
use crate::decode::UnknownToken;
use crate::encode::{EncodeError, Encoder, EncoderOptions, Request};
use crate::model::{Model, ModelError};
use crate::pattern::Pattern;
use crate::special::SpecialToken;
use crate::token::TokenId;
use crate::train::Trained;

/// Encodes text with a [`Model`], and decodes ids. Threads may share a tokenizer; clones are cheap and share
/// all state.
///
/// ```
/// use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let pieces = count_pieces(["low lower lowest"], &pattern, &CountOptions::default())?;
/// let trained = train(&pieces, &TrainOptions::new(261).specials(["<|end|>"]))?;
/// let tokenizer = Tokenizer::from_trained(pattern, trained)?;
/// let ids = tokenizer.encode("slow")?;
/// assert_eq!(tokenizer.decode(&ids)?, b"slow");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tokenizer {
    encoder: Encoder,
}

/// Builds a [`Tokenizer`]. Its options do not change ids.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TokenizerBuilder {
    options: EncoderOptions,
}

impl TokenizerBuilder {
    /// Limits the cache of encoded pieces to `bytes` per thread (24 MiB by default).
    ///
    /// The cache starts at 16 KiB and grows with the number of distinct pieces; hundreds of thousands of
    /// pieces fill 24 MiB. A thread needs up to 16 MiB of other memory, usually less than 1 MiB.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Sets the instruction set (the fastest available by default).
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn tier(mut self, tier: crate::simd::Tier) -> Self {
        self.options.tier = tier;
        self
    }

    /// Cuts texts into tasks of a few bytes, so that even short texts are spread over threads.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn small_tasks(mut self) -> Self {
        self.options = self.options.small_tasks();
        self
    }

    /// Builds a tokenizer for `model`.
    #[must_use]
    pub fn build(self, model: impl Into<Arc<Model>>) -> Tokenizer {
        Tokenizer {
            encoder: Encoder::with_options(model, self.options),
        }
    }
}

impl Tokenizer {
    /// Creates a tokenizer with the default options.
    ///
    /// Allocates a table of 256 KiB and reads each token or listed merge once.
    #[must_use]
    pub fn new(model: impl Into<Arc<Model>>) -> Self {
        Self::builder().build(model)
    }

    /// Returns a builder with the default options.
    pub fn builder() -> TokenizerBuilder {
        TokenizerBuilder::default()
    }

    /// Loads a tokenizer from a file: `.bpe`, or Hugging Face's `.json`. A `.tiktoken` file does not contain
    /// its pattern: load it with [`load_model`].
    ///
    /// # Errors
    /// If the file cannot be read or is not a supported model. The error names the file.
    #[cfg(feature = "files")]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        load_model(path.as_ref(), None).map(Self::new)
    }

    /// Creates a tokenizer from a training result. `pattern` must be the one that split the training text.
    ///
    /// # Errors
    /// If a special token is empty or a duplicate.
    pub fn from_trained(pattern: Pattern, trained: Trained) -> Result<Self, ModelError> {
        Model::from_trained(pattern, trained).map(Self::new)
    }

    /// Returns a tokenizer with more special or added tokens; this one is unchanged, as a tokenizer is
    /// immutable. See [`Model::add_tokens`].
    ///
    /// # Errors
    /// Those of [`Model::add_tokens`].
    pub fn add_tokens(
        &self,
        tokens: impl IntoIterator<Item = SpecialToken>,
    ) -> Result<Self, ModelError> {
        self.model().add_tokens(tokens).map(Self::new)
    }

    /// Returns the model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        self.encoder.model()
    }

    /// Encodes `text`. Special tokens in it are treated as ordinary text; use [`Tokenizer::request`] to allow
    /// them.
    ///
    /// # Errors
    /// If the pattern fails on the text. Named patterns and most others never do.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        self.request().encode(text)
    }

    /// Returns the number of ids of `text` without storing the ids.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        self.request().count(text)
    }

    /// Creates a request: a call with options, such as allowed special tokens, several threads or a stop
    /// flag. A request can encode, count and truncate texts and batches, return offsets, and encode streams.
    pub fn request(&self) -> Request<'_> {
        self.encoder.request()
    }

    /// Encodes `piece` as a single piece, without splitting it by the pattern.
    ///
    /// No pattern produces an empty piece. Here, an empty piece is encoded as the empty token if the model
    /// has one and encodes pieces that are tokens without merging them; otherwise as no ids.
    ///
    /// # Errors
    /// [`EncodeError::UnknownSymbol`] if the model has no token for a byte or character, and no unknown token.
    pub fn encode_single_piece(
        &self,
        piece: impl AsRef<[u8]>,
    ) -> Result<Vec<TokenId>, EncodeError> {
        self.encoder.piece_by_piece()(piece.as_ref())
    }

    /// Decodes `ids` to bytes.
    ///
    /// # Errors
    /// If an id is not in the vocabulary. The error names the first one.
    pub fn decode(&self, ids: &[TokenId]) -> Result<Vec<u8>, UnknownToken> {
        self.model().decode(ids)
    }

    /// Decodes `ids` to a string. Invalid UTF-8, such as a part of a character, is replaced by U+FFFD.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn decode_lossy(&self, ids: &[TokenId]) -> Result<String, UnknownToken> {
        self.model().decode_lossy(ids)
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("model", self.model())
            .finish_non_exhaustive()
    }
}

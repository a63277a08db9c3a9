//! The tokenizer: text to ids and back.

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
use crate::token::TokenId;
use crate::train::Trained;

/// Encodes text with a [`Model`], and decodes ids. Made once, used from many threads; a clone shares
/// everything.
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

/// Makes a [`Tokenizer`]. None of its options changes an id.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TokenizerBuilder {
    options: EncoderOptions,
}

impl TokenizerBuilder {
    /// Limits the piece table of a thread to `bytes`; 24 MiB by default, which only text of hundreds
    /// of thousands of distinct pieces fills. The table starts with 16 KiB and grows with the pieces met. A
    /// thread needs up to 16 MiB beside it, mostly less than one.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Uses the instructions of `tier`, if the machine has it; the fastest by default.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn tier(mut self, tier: crate::simd::Tier) -> Self {
        self.options.tier = tier;
        self
    }

    /// Cuts texts for threads into parts of a few bytes, so that short texts reach them.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn small_parts(mut self) -> Self {
        self.options = self.options.small_parts();
        self
    }

    /// A tokenizer with this model.
    pub fn build(self, model: impl Into<Arc<Model>>) -> Tokenizer {
        Tokenizer {
            encoder: Encoder::with_options(model, self.options),
        }
    }
}

impl Tokenizer {
    /// A tokenizer with the default options.
    ///
    /// Costs a table of 256 KiB and a look at each token or listed merge.
    pub fn new(model: impl Into<Arc<Model>>) -> Self {
        Self::builder().build(model)
    }

    /// A builder with the default options.
    pub fn builder() -> TokenizerBuilder {
        TokenizerBuilder::default()
    }

    /// The tokenizer in a file: `.bpe`, or `.json` of Hugging Face. For a `.tiktoken`, which does not have its
    /// pattern, see [`load_model`].
    ///
    /// # Errors
    /// When the file cannot be read or is refused; the error names the file.
    #[cfg(feature = "files")]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        load_model(path.as_ref(), None).map(Self::new)
    }

    /// What training made of pieces that were counted with `pattern`.
    ///
    /// # Errors
    /// When a special token is empty or a duplicate.
    pub fn from_trained(pattern: Pattern, trained: Trained) -> Result<Self, ModelError> {
        Model::from_trained(pattern, trained).map(Self::new)
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        self.encoder.model()
    }

    /// The ids of `text`, in which the text of special tokens is text like any other.
    ///
    /// # Errors
    /// When the pattern fails on the text; named patterns and most others never do.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        self.request().encode(text)
    }

    /// The number of ids of `text`. No ids are kept.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        self.request().count(text)
    }

    /// A call with special tokens, on several threads, or that can be stopped: encodes, counts and truncates
    /// texts and batches of texts, gives offsets, and encodes streams.
    pub fn request(&self) -> Request<'_> {
        self.encoder.request()
    }

    /// The ids of `piece` taken as one piece, whatever the pattern would make of it.
    ///
    /// An empty piece, which no pattern gives, is the empty token if there is one and whole pieces
    /// come first.
    pub fn encode_single_piece(&self, piece: impl AsRef<[u8]>) -> Vec<TokenId> {
        self.encoder.piece_by_piece()(piece.as_ref())
    }

    /// The bytes of `ids`.
    ///
    /// # Errors
    /// At the first id that is not in the vocabulary.
    pub fn decode(&self, ids: &[TokenId]) -> Result<Vec<u8>, UnknownToken> {
        self.model().decode(ids)
    }

    /// As [`Tokenizer::decode`], as a string. Bytes that are not UTF-8, as of a character cut in two, become
    /// U+FFFD.
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

//! Training errors.

use super::corpus::CorpusError;
use crate::special::SpecialTokensError;
use crate::token::{MAX_TOKEN_ID, TokenId};

/// An error while training.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The vocabulary size exceeds the maximum.
    #[error("vocabulary size {vocab_size} exceeds the maximum of {} ids", MAX_TOKEN_ID + 1)]
    VocabTooLarge {
        /// The requested vocabulary size.
        vocab_size: usize,
    },
    /// The vocabulary size is below the number of tokens that exist before the first new merge.
    #[error(
        "vocabulary size {vocab_size} is below the {initial} ids that exist before the first merge"
    )]
    VocabTooSmall {
        /// The requested vocabulary size.
        vocab_size: usize,
        /// The number of ids before the first merge.
        initial: usize,
    },
    /// A special token is empty or repeated.
    #[error(transparent)]
    Specials(#[from] SpecialTokensError),
    /// In Hugging Face's byte-level alphabet, the text of a special token spells a byte other than itself:
    /// `é`, for example, spells byte 0xE9. Only with [`TieBreak::HuggingFace`](super::TieBreak).
    #[error(
        "special token {content:?} would share id {id} with the byte \"{}\"; choose another text",
        .byte.escape_ascii()
    )]
    SpecialIsByte {
        /// The text of the special token.
        content: String,
        /// The shared id.
        id: TokenId,
        /// The byte that its text spells.
        byte: u8,
    },
    /// In Hugging Face's byte-level alphabet, a learned token is spelled like a special token, so both would
    /// share an id. Only with [`TieBreak::HuggingFace`](super::TieBreak).
    #[error(
        "special token {content:?} was also learned as an ordinary token, which Hugging Face's trainer \
         gives the same id; choose another text"
    )]
    SpecialIsToken {
        /// The text of the special token.
        content: String,
    },
    /// The distinct pieces have 2^32 symbols or more in total, where each piece counts as two more symbols
    /// than it has.
    #[error("distinct pieces exceed 2^32 symbols in total; drop rare pieces")]
    TooManySymbols,
    /// The total number of pair occurrences exceeds 2^64 - 1.
    #[error("pairs of the corpus occur more than 2^64 - 1 times in total")]
    CountOverflow,
    /// The stop flag was set, or the progress callback returned `Break`.
    #[error("training was stopped")]
    Stopped,
}

impl From<CorpusError> for TrainError {
    fn from(error: CorpusError) -> Self {
        match error {
            CorpusError::Counts => TrainError::CountOverflow,
            CorpusError::Size => TrainError::TooManySymbols,
        }
    }
}

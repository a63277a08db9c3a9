//! Errors of training.

use super::corpus::Unfit;
use crate::special::SpecialTokensError;
use crate::token::{MAX_TOKEN_ID, TokenId};

/// Training failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// More ids than can be numbered.
    #[error("vocabulary size {vocab_size} exceeds the {} ids that there can be", MAX_TOKEN_ID + 1)]
    VocabTooLarge {
        /// The vocabulary size that was asked for.
        vocab_size: usize,
    },
    /// No room for the tokens that there are before the first merge.
    #[error(
        "vocabulary size {vocab_size} is below the {initial} ids that there are without a merge"
    )]
    VocabTooSmall {
        /// The vocabulary size that was asked for.
        vocab_size: usize,
        /// Ids without a merge.
        initial: usize,
    },
    /// A special token is empty or repeated.
    #[error(transparent)]
    Specials(#[from] SpecialTokensError),
    /// A special token has the id of a byte that is not its text:
    /// [`TieBreak::HuggingFace`](super::TieBreak), where `é` spells the byte 0xE9.
    #[error("the special token {content:?} has the id {id}, which is the token \"{}\"", .byte.escape_ascii())]
    SpecialIsByte {
        /// The text of the special token.
        content: String,
        /// The id of both.
        id: TokenId,
        /// The byte.
        byte: u8,
    },
    /// A merge makes a token with the text of a special token, and they would have one id:
    /// [`TieBreak::HuggingFace`](super::TieBreak).
    #[error(
        "the special token {content:?} is learned as a token of the text as well, and Hugging Face's trainer gives both one id"
    )]
    SpecialIsToken {
        /// The text of the special token.
        content: String,
    },
    /// The distinct pieces together, with 2 numbers for each, are more than 2^32 symbols.
    #[error("the distinct pieces together are too long: more than 2^32 symbols")]
    TooManySymbols,
    /// The occurrences of one pair may pass 2^64 - 1.
    #[error("the pairs of the corpus together occur more than 2^64 - 1 times")]
    CountOverflow,
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

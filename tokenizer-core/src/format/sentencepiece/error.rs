//! Why a SentencePiece model is refused.

use crate::merges::MergesError;
use crate::model::ModelError;
use crate::special::SpecialTokensError;
use crate::vocab::VocabError;

/// The maximum length in bytes of a piece. Finding the merge of a piece takes time quadratic in its length.
pub const MAX_PIECE_BYTES: usize = 512;

/// An invalid or unsupported SentencePiece model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SentencePieceError {
    /// Invalid protobuf.
    #[error("invalid SentencePiece model {place}: {fault}")]
    Protobuf {
        /// The piece or field.
        place: String,
        /// The fault.
        fault: String,
    },
    /// A message is missing, as in a file that is cut short.
    #[error("the SentencePiece model has no {field}: it is truncated or of another kind")]
    Missing {
        /// The name of the message.
        field: &'static str,
    },
    /// Another algorithm than BPE.
    #[error("unsupported model_type {name} of the SentencePiece model (expected BPE)")]
    ModelType {
        /// The algorithm.
        name: String,
    },
    /// A setting that is not supported.
    #[error("unsupported {field} {value} of the SentencePiece model (expected {expected})")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The supported value.
        expected: &'static str,
    },
    /// An invalid or unsupported piece.
    #[error("piece {number} {piece:?} of the SentencePiece model: {fault}")]
    Piece {
        /// The id of the piece.
        number: usize,
        /// The piece.
        piece: String,
        /// The fault.
        fault: PieceFault,
    },
    /// Two pieces with the same score. The order of their merges then depends on their positions in the text.
    #[error(
        "pieces {first} {first_piece:?} and {second} {second_piece:?} of the SentencePiece model have \
         the same score (supported only for repetitions of one character)"
    )]
    SameScore {
        /// The id of one piece.
        first: usize,
        /// The piece.
        first_piece: String,
        /// The id of the other piece.
        second: usize,
        /// The piece.
        second_piece: String,
    },
    /// A byte has no piece, although the model has byte fallback.
    #[error("no piece for byte 0x{byte:02X}, although the SentencePiece model has byte_fallback")]
    MissingByte {
        /// The byte.
        byte: u8,
    },
    /// There is neither an unknown piece nor byte fallback.
    #[error("the SentencePiece model has neither an unknown piece nor byte_fallback")]
    NoUnknown,
    /// The pieces do not make a model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Why a piece is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceFault {
    /// No text.
    #[error("empty")]
    Empty,
    /// Longer than [`MAX_PIECE_BYTES`].
    #[error("{bytes} bytes (supported: {MAX_PIECE_BYTES})")]
    TooLong {
        /// The length in bytes.
        bytes: usize,
    },
    /// A zero byte, which `sentencepiece` refuses too.
    #[error("contains U+0000")]
    Null,
    /// The same text as an earlier piece.
    #[error("duplicate of piece {first}")]
    Repeated {
        /// The id of the earlier piece.
        first: usize,
    },
    /// A type that is not supported.
    #[error("unsupported type {name}")]
    Type {
        /// The type.
        name: String,
    },
    /// A second piece of type UNKNOWN.
    #[error("second piece of type UNKNOWN")]
    SecondUnknown,
    /// A score that is not a number.
    #[error("score is not a number")]
    Score,
    /// A piece of type BYTE in a model without byte fallback.
    #[error("type BYTE without byte_fallback")]
    ByteWithoutFallback,
    /// A piece of type BYTE that is not `<0x00>` to `<0xFF>`, or one of another type that is spelled so.
    #[error("its type and its spelling contradict each other")]
    ByteSpelling,
    /// A user-defined piece with a space.
    #[error("user-defined, with a space")]
    Space,
    /// More than 64 user-defined pieces are prefixes of this one.
    #[error("more than 64 user-defined pieces are prefixes of it")]
    Prefixes,
    /// A merge of a character that is not a piece.
    #[error("merges {symbol:?}, which is not an ordinary piece")]
    Symbol {
        /// The character.
        symbol: String,
    },
}

impl From<VocabError> for SentencePieceError {
    fn from(error: VocabError) -> Self {
        Self::Model(error.into())
    }
}

impl From<MergesError> for SentencePieceError {
    fn from(error: MergesError) -> Self {
        Self::Model(error.into())
    }
}

impl From<SpecialTokensError> for SentencePieceError {
    fn from(error: SpecialTokensError) -> Self {
        Self::Model(error.into())
    }
}

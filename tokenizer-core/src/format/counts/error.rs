//! Errors while reading piece counts.

use super::pattern_text::{self, PatternTextError};
use crate::count::CountError;
use crate::pattern::Pattern;
use crate::piece_counts::PieceCountsError;

/// Invalid piece counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountsError {
    /// An invalid line of a `.tsv` file.
    #[error("line {line}: {fault}")]
    Line {
        /// The line number, from 1.
        line: usize,
        /// The fault.
        fault: LineFault,
    },
    /// An invalid row of a Parquet file.
    #[error("row {row}: {fault}")]
    Row {
        /// The row number, from 1.
        row: u64,
        /// The fault.
        fault: &'static str,
    },
    /// A column of a Parquet file is missing or has the wrong type.
    #[error("column \"{column}\": expected {wanted}, found {found}")]
    Column {
        /// The name of the column.
        column: &'static str,
        /// The expected type.
        wanted: &'static str,
        /// The actual type.
        found: String,
    },
    /// Not a Parquet file, or a damaged one.
    #[error("invalid Parquet table: {0}")]
    Parquet(String),
    /// Neither the file nor the caller names the pattern.
    #[error("no pattern in the file: specify the pattern that split its pieces")]
    PatternMissing,
    /// The pattern in the file is invalid.
    #[error("invalid pattern of the pieces: {0}")]
    Pattern(#[from] PatternTextError),
    /// The pieces of the file were split by another pattern than the requested one.
    #[error("the pieces were split by another pattern: {}", pattern_text::short(.found))]
    OtherPattern {
        /// The pattern of the file.
        found: Pattern,
    },
    /// A sum of counts overflowed, or there are too many pieces.
    #[error(transparent)]
    PieceCounts(#[from] PieceCountsError),
    /// The consumer of the rows failed.
    #[error(transparent)]
    Count(#[from] CountError),
}

/// The fault of a line of a `.tsv` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Not two fields.
    #[error("expected a piece in base64, a tab and a count")]
    Form,
    /// The first field is not base64.
    #[error("invalid base64 piece: {0}")]
    Base64(String),
    /// The second field is not a number, or does not fit in 64 bits.
    #[error("invalid count {0:?} (expected a number from 0 to 2^64 - 1)")]
    Count(String),
    /// The last line has no line feed.
    #[error("no line feed at the end: the file is truncated")]
    NoEnd,
    /// The pattern is invalid.
    #[error("invalid pattern of the pieces: {0}")]
    Pattern(PatternTextError),
    /// The pattern is not UTF-8.
    #[error("pattern of the pieces is not UTF-8")]
    PatternNotUtf8,
    /// A pattern line that differs from an earlier one, or follows rows before which no pattern was named.
    #[error("the preceding lines have another pattern or none")]
    OtherPattern,
}

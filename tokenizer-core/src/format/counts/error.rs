//! Why bytes are no counted pieces.

use super::pattern_text::{self, PatternTextError};
use crate::count::CountError;
use crate::pattern::Pattern;
use crate::piece_counts::PieceCountsError;

/// The bytes are no counted pieces, or their counts do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountsError {
    /// A line of a `.tsv` file cannot be read.
    #[error("line {line}: {fault}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// A row of a Parquet file is no counted piece.
    #[error("row {row}: {fault}")]
    Row {
        /// Which row, from 1.
        row: u64,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A column of a Parquet file is missing, or of a wrong type.
    #[error("the column \"{column}\" must be {wanted}, but {found}")]
    Column {
        /// The column.
        column: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What there is.
        found: String,
    },
    /// Not a Parquet file, or a broken one.
    #[error("no Parquet that can be read: {0}")]
    Parquet(String),
    /// Neither the file nor the caller knows the pattern.
    #[error("the file does not say by which pattern its pieces were split, so it must be given")]
    PatternMissing,
    /// The pattern that the file names cannot be used.
    #[error("the pattern of the pieces: {0}")]
    Pattern(#[from] PatternTextError),
    /// The file was split by another pattern than the one that was asked for.
    #[error("the pieces were split by another pattern: {}", pattern_text::short(.found))]
    OtherPattern {
        /// The pattern of the file.
        found: Pattern,
    },
    /// The counts do not fit.
    #[error(transparent)]
    PieceCounts(#[from] PieceCountsError),
    /// Whoever counted the rows failed.
    #[error(transparent)]
    Count(#[from] CountError),
}

/// What is wrong with a line of a `.tsv` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Not two fields.
    #[error("expected a piece in base64, a tab and a count")]
    Form,
    /// The first field is not base64.
    #[error("the piece is not base64: {0}")]
    Base64(String),
    /// The second field is no number that fits.
    #[error("{0:?} is no count (a whole number from 0 to 2^64 - 1)")]
    Count(String),
    /// The last line does not end.
    #[error("the line has no end: the file was cut short")]
    NoEnd,
    /// The pattern cannot be used.
    #[error("the pattern of the pieces: {0}")]
    Pattern(PatternTextError),
    /// The line with the pattern is not UTF-8.
    #[error("the pattern of the pieces is not UTF-8")]
    PatternNotUtf8,
    /// Another pattern than above, or the first one below counted pieces.
    #[error("another pattern than that of the lines above")]
    OtherPattern,
}

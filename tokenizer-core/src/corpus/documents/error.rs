//! Errors while reading documents.

use std::io;

use super::place::Unit;
use crate::corpus::content::Refused;

/// Limit in bytes on a block that cannot be split. It does not apply to uncompressed files.
pub(super) const MAX_LENGTH: usize = 1 << 30;

/// An error while reading the documents of an input. The caller adds the name of the input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The input could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Invalid or truncated compressed data.
    #[error("invalid or truncated {format} data: {error}")]
    Compressed {
        /// The compression.
        format: &'static str,
        /// The error of the decompressor.
        error: io::Error,
    },
    /// An unsupported kind of content.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A line that is not valid JSON.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// The line number, from 1.
        line: u64,
        /// The column in bytes, from 1; 0 for the start of the line.
        column: usize,
        /// The fault.
        message: String,
    },
    /// A line that is valid JSON, but not an object with a string in the requested field.
    #[error("line {line}, column {column}: {message}")]
    Field {
        /// The line number, from 1.
        line: u64,
        /// The column in bytes, from 1; 0 for the start of the line.
        column: usize,
        /// The fault.
        message: String,
    },
    /// An invalid table.
    #[error("{0}")]
    Table(String),
    /// A table without the requested column, or a column that does not contain one string per row.
    #[error("{0}")]
    Column(String),
    /// A null in a table.
    #[error("row {row}: null in column {column:?}")]
    Null {
        /// The row number, from 1.
        row: u64,
        /// The name of the column.
        column: String,
    },
    /// A document or line that is too long and cannot be split.
    #[error("{unit} is longer than {MAX_LENGTH} bytes and cannot be split")]
    TooLong {
        /// The document or line.
        unit: Unit,
    },
    /// The crate was built without Parquet support.
    #[error("this program was built without Parquet support")]
    NotBuilt,
}

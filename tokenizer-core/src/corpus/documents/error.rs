//! Why no documents can be had from an input.

use std::io;

use super::place::Unit;
use crate::corpus::content::Refused;

/// The limit in bytes of a block without a place to cut; blocks of a plain file have none.
pub(super) const LONGEST: usize = 1 << 30;

/// No documents can be had from an input, or no more of them. Who reads it knows its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The input could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// What is compressed in it is not right.
    #[error("the {format} data is broken or cut short: {error}")]
    Compressed {
        /// How it is compressed.
        format: &'static str,
        /// What the decompressor says.
        error: io::Error,
    },
    /// The content cannot be read.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A line is not valid JSON.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        column: usize,
        /// The fault.
        message: String,
    },
    /// A line is valid JSON, but not an object with the text in its field.
    #[error("line {line}, column {column}: {message}")]
    Field {
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        column: usize,
        /// The fault.
        message: String,
    },
    /// A table cannot be read.
    #[error("{0}")]
    Table(String),
    /// A table has no such column, or the column does not hold texts.
    #[error("{0}")]
    Column(String),
    /// A row of a table holds no text.
    #[error("row {row}: the column {column:?} is null there")]
    Null {
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
    },
    /// A document, or a line with one, is too long to be held, and there is no place to cut it.
    #[error("{unit} is longer than {LONGEST} bytes, and there is no place to cut it")]
    TooLong {
        /// Which one.
        unit: Unit,
    },
    /// The crate was built without this format.
    #[error("this program was built without the format")]
    NotBuilt,
}

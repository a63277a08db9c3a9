//! Documents and positions in an input.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A document, or a part of a long one.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) span: Range<usize>,
    /// The position of the first byte.
    pub place: Place,
    /// Whether this is the last part of its document.
    pub ends_document: bool,
}

impl AsRef<[u8]> for Stretch {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.span.clone()]
    }
}

/// A position in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The document.
    pub unit: Unit,
    /// The offset in the document, in bytes.
    pub offset: u64,
}

/// Identifies a document of an input. Numbers start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// The whole input.
    Whole,
    /// A line.
    Line(u64),
    /// A row of a table.
    Row(u64),
    /// A document between separators.
    Document(u64),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Whole => f.write_str("the text"),
            Unit::Line(number) => write!(f, "line {number}"),
            Unit::Row(number) => write!(f, "row {number}"),
            Unit::Document(number) => write!(f, "document {number}"),
        }
    }
}

/// The documents in a block, in order: the offset in the block at which each ends, and which one it is.
pub(super) type Ends = VecDeque<(usize, Unit)>;

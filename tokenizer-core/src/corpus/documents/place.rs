//! A document, and its place in an input.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A document, or a stretch of one.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) span: Range<usize>,
    /// Where it begins.
    pub place: Place,
    /// Whether its document ends with it.
    pub ends_document: bool,
}

impl AsRef<[u8]> for Stretch {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.span.clone()]
    }
}

/// A place in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The document.
    pub unit: Unit,
    /// Bytes of the document before the place.
    pub offset: u64,
}

/// A document of an input. Numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// The whole input.
    Whole,
    /// A line.
    Line(u64),
    /// A row of a table.
    Row(u64),
    /// What stands between separators.
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

/// Where documents end in bytes that were read, and which they are.
pub(super) type Ends = VecDeque<(usize, Unit)>;

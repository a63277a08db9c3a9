//! Options for reading documents.

use super::place::Unit;
use crate::corpus::content::ReadAs;
use crate::pattern::Pattern;

/// Options for reading documents.
#[derive(Clone, Debug)]
#[must_use]
pub struct DocumentOptions {
    pub(super) units: Units,
    pub(super) read_as: ReadAs,
    pub(super) repair_surrogates: bool,
    pub(super) field: String,
    pub(super) column: String,
    pub(super) cut: Option<Pattern>,
    pub(super) threads: usize,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        DocumentOptions {
            units: Units::Whole,
            read_as: ReadAs::Detect,
            repair_surrogates: true,
            field: "text".to_owned(),
            column: "text".to_owned(),
            cut: None,
            threads: 1,
        }
    }
}

impl DocumentOptions {
    /// How plain text is divided into documents. In JSON lines and tables, each line or row is a document.
    pub fn units(mut self, units: Units) -> Self {
        self.units = units;
        self
    }

    /// Whether text is read as JSON lines. By default, this is detected.
    pub fn read_as(mut self, read_as: ReadAs) -> Self {
        self.read_as = read_as;
        self
    }

    /// Whether a lone surrogate in a JSON string (`"\ud800"`) becomes U+FFFD (the default). Otherwise it
    /// becomes three bytes of invalid UTF-8, so that a UTF-8 check reports it.
    pub fn repair_surrogates(mut self, repair_surrogates: bool) -> Self {
        self.repair_surrogates = repair_surrogates;
        self
    }

    /// The field of a JSON object that contains the text; `text` by default.
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.field = name.into();
        self
    }

    /// The column of a table that contains the text; `text` by default. A nested column is named by
    /// its path, joined by dots: `inner.content`.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// The pattern at whose boundaries a long plain text may be cut into parts, if the whole text is one
    /// document. None by default.
    pub fn cut(mut self, pattern: impl Into<Option<Pattern>>) -> Self {
        self.cut = pattern.into();
        self
    }

    /// The number of threads that read a table, each a few megabytes ahead of the caller; at most 8 are
    /// used. With 1, the default, the caller's thread reads the table. The documents and their order do not
    /// depend on this number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

/// How plain text is divided into documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Units {
    /// The whole text is one document.
    #[default]
    Whole,
    /// Each line is a document, without its line feed.
    Lines,
    /// The texts between occurrences of a separator are documents. The separator must not be empty. Text
    /// after the last separator is a document unless it is empty.
    Separated(Vec<u8>),
}

impl Units {
    /// The bytes between two documents.
    pub(super) fn separator(&self) -> Option<&[u8]> {
        match self {
            Units::Whole => None,
            Units::Lines => Some(b"\n"),
            Units::Separated(separator) => Some(separator),
        }
    }

    /// Identifies the document with this number.
    pub(super) fn unit(&self, number: u64) -> Unit {
        match self {
            Units::Whole => Unit::Whole,
            Units::Lines => Unit::Line(number),
            Units::Separated(_) => Unit::Document(number),
        }
    }
}

//! How files become documents.

use super::place::Unit;
use crate::corpus::content::ReadAs;
use crate::pattern::Pattern;

/// How files become documents.
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
    /// What a document is in plain text. Lines of JSON and rows of tables are documents in any case.
    pub fn units(mut self, units: Units) -> Self {
        self.units = units;
        self
    }

    /// Whether text is JSON lines: decided by its beginning and its name, or set.
    pub fn read_as(mut self, read_as: ReadAs) -> Self {
        self.read_as = read_as;
        self
    }

    /// Whether half of a surrogate pair in a JSON string (`"\ud800"`) becomes U+FFFD, as it does by
    /// default. Otherwise it becomes the three bytes that UTF-8 would spell it with, which are not
    /// valid, so that a check for UTF-8 finds them.
    pub fn repair_surrogates(mut self, repair_surrogates: bool) -> Self {
        self.repair_surrogates = repair_surrogates;
        self
    }

    /// The field of a JSON object that holds the text; `text` by default.
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.field = name.into();
        self
    }

    /// The column of a table that holds the text; `text` by default. The name of a column within
    /// others is written with dots.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// By which pattern documents may be cut that are too long to be held at once; by default none.
    pub fn cut(mut self, pattern: impl Into<Option<Pattern>>) -> Self {
        self.cut = pattern.into();
        self
    }

    /// Threads that read and decompress the rows of a table, each some megabytes ahead; the documents
    /// and their order are the same for any number. 1 by default: they are read where they are taken.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

/// What a document is in plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Units {
    /// All of it, every byte.
    #[default]
    Whole,
    /// A line, without the line feed that ends it.
    Lines,
    /// What stands between two of these, and before the first and behind the last, if there is
    /// anything behind it. Must not be empty.
    Separated(Vec<u8>),
}

impl Units {
    /// The bytes between two documents of a text.
    pub(super) fn separator(&self) -> Option<&[u8]> {
        match self {
            Units::Whole => None,
            Units::Lines => Some(b"\n"),
            Units::Separated(separator) => Some(separator),
        }
    }

    /// The document of a number.
    pub(super) fn unit(&self, number: u64) -> Unit {
        match self {
            Units::Whole => Unit::Whole,
            Units::Lines => Unit::Line(number),
            Units::Separated(_) => Unit::Document(number),
        }
    }
}

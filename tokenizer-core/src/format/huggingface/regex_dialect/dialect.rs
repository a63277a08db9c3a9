//! The two dialects, and what is not in both.

/// Whose syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `fancy-regex`, in which patterns are written here.
    Own,
    /// Oniguruma with the syntax of Ruby, in which a `tokenizer.json` is written.
    Oniguruma,
}

/// A regex that cannot be told in the words of the other engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "byte {offset} of the pattern: {construct} cannot be carried from one regex engine to the other"
)]
#[non_exhaustive]
pub struct DialectError {
    /// Where in the pattern the construct begins, in bytes; 0 for the whole.
    pub offset: usize,
    /// What it is.
    pub construct: String,
}

impl DialectError {
    pub(super) fn new(offset: usize, construct: impl Into<String>) -> Self {
        DialectError {
            offset,
            construct: construct.into(),
        }
    }
}

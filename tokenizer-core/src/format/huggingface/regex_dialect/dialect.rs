//! The two regex dialects and the error for constructs that only one of them has.

/// A regex syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `fancy-regex`, the engine of this crate.
    Own,
    /// Oniguruma with Ruby syntax, the engine of `tokenizers`.
    Oniguruma,
}

/// A regex construct without a proven equivalent in the other engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{construct} at byte {offset} has no exact equivalent in the other regex engine")]
#[non_exhaustive]
pub struct DialectError {
    /// The offset of the construct in bytes; 0 if it is the whole regex or its place is unknown.
    pub offset: usize,
    /// The construct.
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

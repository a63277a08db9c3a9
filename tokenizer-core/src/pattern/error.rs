//! Errors while parsing patterns and while splitting.

use super::named::PatternName;

/// An invalid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A word that is not the name of a pattern.
    #[error("unknown pattern \"{name}\" (known: {})", PatternName::list())]
    UnknownName {
        /// The word.
        name: String,
    },
    /// A regex that does not compile.
    #[error("invalid pattern {source_text:?}: {message}")]
    Regex {
        /// The regex.
        source_text: String,
        /// The error message of the regex engine.
        message: String,
    },
}

/// The regex engine failed on a text, usually because it backtracked too far. The pieces returned before
/// the error are valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern failed at byte {offset}: {message}")]
#[non_exhaustive]
pub struct SplitError {
    /// Byte offset where the failed search started.
    pub offset: usize,
    /// The error message of the regex engine.
    pub message: String,
}

//! Why a pattern cannot be used, or fails on a text.

use super::named::PatternName;

/// A pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A single word that is not the name of a pattern.
    #[error("no pattern is named \"{name}\" (there are: {})", PatternName::list())]
    UnknownName {
        /// The word.
        name: String,
    },
    /// The regex does not compile.
    #[error("the pattern {source_text:?} does not compile: {message}")]
    Regex {
        /// The regex.
        source_text: String,
        /// What the engine says.
        message: String,
    },
}

/// The regex engine gave up on a text. Nothing was skipped: the pieces handed out before are right
/// and end at `offset`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern failed at byte {offset}: {message}")]
#[non_exhaustive]
pub struct SplitError {
    /// Where in the text the search began that failed, in bytes.
    pub offset: usize,
    /// What the engine says.
    pub message: String,
}

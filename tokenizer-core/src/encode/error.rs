//! Why a text could not be encoded.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::pattern::SplitError;

/// A text could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The pattern failed on the text. With a normaliser, the offset counts bytes of the normalised
    /// text from the last special token on.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The text holds a special token that the caller forbade.
    #[error(
        "the text holds the special token {content:?} at byte {offset}, which is not allowed there"
    )]
    SpecialNotAllowed {
        /// The special token.
        content: String,
        /// Where it begins, in bytes.
        offset: usize,
    },
    /// The flag of [`Request::stop`](crate::Request::stop) was set.
    #[error("encoding was stopped")]
    Stopped,
}

impl EncodeError {
    /// The pattern failed on text that begins at `offset` of the whole.
    pub(super) fn in_whole(error: SplitError, offset: usize) -> Self {
        EncodeError::Split(SplitError {
            offset: offset + error.offset,
            ..error
        })
    }
}

/// One of several texts could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("text {text}: {error}")]
#[non_exhaustive]
pub struct BatchError {
    /// Which text, from 0.
    pub text: usize,
    /// Why.
    pub error: EncodeError,
}

impl BatchError {
    pub(super) fn new(text: usize, error: EncodeError) -> Self {
        BatchError { text, error }
    }
}

/// Fails when the flag is set.
pub(super) fn check_stop(stop: Option<&AtomicBool>) -> Result<(), EncodeError> {
    match stop {
        Some(stop) if stop.load(Ordering::Relaxed) => Err(EncodeError::Stopped),
        _ => Ok(()),
    }
}

//! Errors of encoding.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::pattern::SplitError;

/// An error of encoding a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The pattern failed on the text. If the model has a normalizer, the offset counts normalized bytes
    /// after the last special token.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The text contains a forbidden special token: see
    /// [`Request::refuse_specials`](crate::Request::refuse_specials).
    #[error("special token {content:?} at byte {offset} is not allowed")]
    SpecialNotAllowed {
        /// The special token.
        content: String,
        /// Its byte offset.
        offset: usize,
    },
    /// The flag of [`Request::stop`](crate::Request::stop) was set.
    #[error("encoding was stopped")]
    Stopped,
}

impl EncodeError {
    /// Converts an error on a segment that begins at byte `offset` of the text.
    pub(super) fn split_failed(error: SplitError, offset: usize) -> Self {
        EncodeError::Split(SplitError {
            offset: offset + error.offset,
            ..error
        })
    }
}

/// An error of encoding a batch of texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("text {text}: {error}")]
#[non_exhaustive]
pub struct BatchError {
    /// The index of the text, from 0.
    pub text: usize,
    /// The cause.
    pub error: EncodeError,
}

impl BatchError {
    pub(super) fn new(text: usize, error: EncodeError) -> Self {
        BatchError { text, error }
    }
}

/// Returns [`EncodeError::Stopped`] if the flag is set.
pub(super) fn check_stop(stop: Option<&AtomicBool>) -> Result<(), EncodeError> {
    match stop {
        Some(stop) if stop.load(Ordering::Relaxed) => Err(EncodeError::Stopped),
        _ => Ok(()),
    }
}

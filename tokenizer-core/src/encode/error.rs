//! Encoding errors.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::pattern::SplitError;

/// An error while encoding a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The pattern failed on the text. The offset counts bytes of the original text; in a stream of a model
    /// with an NFC normalizer, normalized bytes after the last token that was matched in raw text.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// [`Request::refuse_specials`](crate::Request::refuse_specials) found a forbidden special token.
    #[error("special token {content:?} at byte {offset} is not allowed")]
    SpecialNotAllowed {
        /// The special token.
        content: String,
        /// Its byte offset.
        offset: usize,
    },
    /// The model has no token for a byte or character of the text, and no unknown token. The offset is counted
    /// as in [`EncodeError::Split`].
    #[error("no token for \"{}\" at byte {offset}, and the model has no unknown token", String::from_utf8_lossy(symbol).escape_debug())]
    UnknownSymbol {
        /// The bytes.
        symbol: Vec<u8>,
        /// Their byte offset.
        offset: usize,
    },
    /// The flag of [`Request::stop`](crate::Request::stop) was set.
    #[error("encoding was stopped")]
    Stopped,
}

impl EncodeError {
    /// Converts an error in a segment to one in the text, where the segment begins at byte `offset`.
    pub(super) fn split_failed(error: SplitError, offset: usize) -> Self {
        EncodeError::Split(error).moved(|at| offset + at)
    }

    /// Replaces the offset in a text that was split by `moved(offset)`.
    pub(super) fn moved(mut self, moved: impl FnOnce(usize) -> usize) -> Self {
        if let EncodeError::Split(SplitError { offset, .. })
        | EncodeError::UnknownSymbol { offset, .. } = &mut self
        {
            *offset = moved(*offset);
        }
        self
    }
}

/// An error while encoding or counting a batch of texts.
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

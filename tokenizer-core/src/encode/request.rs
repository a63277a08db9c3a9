//! One call: special tokens, threads, a flag to stop.

use std::sync::atomic::AtomicBool;

use super::parallel::Gathered;
use super::{EncodeError, Encoder, room_for};
use crate::segments::{Segment, Segments};
use crate::special::SpecialSet;
use crate::token::TokenId;

/// A call of a [`Tokenizer`](crate::Tokenizer). Made by [`Tokenizer::request`](crate::Tokenizer::request);
/// can be used any number of times.
///
/// ```
/// use tokenizer_core::{Merges, Model, Tokenizer};
///
/// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
/// let allowed = tokenizer.model().all_specials();
/// let request = tokenizer.request().allow(&allowed).threads(2);
/// assert_eq!(request.encode("a<|end|>")?, [97, 256]);
/// assert_eq!(request.count("a<|end|>")?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Request<'t> {
    pub(super) encoder: &'t Encoder,
    pub(super) allowed: &'t SpecialSet,
    pub(super) threads: usize,
    pub(super) stop: Option<&'t AtomicBool>,
}

impl<'t> Request<'t> {
    pub(super) fn new(encoder: &'t Encoder) -> Self {
        Request {
            encoder,
            allowed: &encoder.shared.added,
            threads: 1,
            stop: None,
        }
    }

    /// Recognises the special tokens of `allowed` (none by default). Added tokens that are not special are
    /// always found.
    pub fn allow(mut self, allowed: &'t SpecialSet) -> Self {
        self.allowed = allowed;
        self
    }

    /// Works on up to `threads` threads, the caller's included; 0 and the default mean 1. No answer depends
    /// on it. A thread gets at least 64 KiB of text, which is cut where its pattern certainly splits; a
    /// pattern without a scanner, and a text without such a place (one letter a million times), are left to
    /// one thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// When another thread sets `flag`, the call ends with [`EncodeError::Stopped`], mostly within a
    /// hundredth of a second, in a piece without an end too. It must stay set until then.
    pub fn stop(mut self, flag: &'t AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// The ids of `text`. The text between two special tokens is split on its own.
    ///
    /// # Errors
    /// When the pattern fails on the text, which named patterns and most others never do, or the stop flag
    /// is set.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = room_for(text.as_ref().len());
        self.encode_into(text, &mut ids)?;
        Ok(ids)
    }

    /// As [`Request::encode`], appending to `ids`. After an error what was in `ids` is still there, and
    /// behind it the ids of some text before the error.
    ///
    /// A vector that is used again for the next text is filled faster than a new one: the pages of
    /// a large one are fresh, and each costs as much as the encoding of a kilobyte.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn encode_into(
        &self,
        text: impl AsRef<[u8]>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        if self.useful_threads(text.len()) > 1 {
            let mut whole = Gathered::of_ids(std::mem::take(ids));
            let done = self.gather_parts(&[text], &mut whole);
            *ids = whole.ids;
            return done.map_err(|failure| failure.error);
        }
        let segments = self.encoder.segments(text, self.allowed);
        let session = &mut self.encoder.session();
        (self.encoder).encode_segments(session, segments, self.stop, ids)
    }

    /// The number of ids of `text`. No ids are kept.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        let mut whole = Gathered::of_counts();
        self.gather(&[text.as_ref()], &mut whole)
            .map_err(|failure| failure.error)?;
        Ok(whole.taken())
    }

    /// Fails when `text` holds a special token of `forbidden`: tiktoken's `disallowed_special`. Added
    /// tokens that are not special cannot be forbidden.
    ///
    /// Offsets are those of the text as it is given, also for a token that is matched in normalized text.
    ///
    /// # Errors
    /// At the first of them in the text.
    pub fn refuse_specials(
        &self,
        text: impl AsRef<[u8]>,
        forbidden: &SpecialSet,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        // Text is normalized only where a token is matched behind the normalizer.
        let normalizer = self.encoder.model().normalizer();
        let normalizer = normalizer.filter(|_| !forbidden.normalized.is_empty());
        let mut segments = Segments::new(text, forbidden, normalizer).aligned();
        let first = segments.find_map(|segment| match segment {
            Segment::Special(token, span) if token.special => Some((token, span.start)),
            Segment::Special(..) | Segment::Text(..) => None,
        });
        first.map_or(Ok(()), |(token, offset)| {
            let content = token.content.clone();
            Err(EncodeError::SpecialNotAllowed { content, offset })
        })
    }
}

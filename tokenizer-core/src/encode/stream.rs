//! Encoding text that comes in chunks.
//!
//! ```text
//! chunks ──▶ special tokens ──▶ normalised ──▶ special tokens of normalised text ──▶ split ──▶ ids
//! ```
//!
//! Each stage passes on at once what no later chunk can change, and holds the rest: the beginning
//! of a special token, characters that a later one may compose with, the text behind the last
//! place where the pattern certainly splits. A special token ends the text before it, so all
//! stages behind the one that found it give out what they hold.
//!
//! **Invariant.** A text is cut only where both parts, on their own, are what they are together. So
//! the ids are those of the whole text, however it is cut into chunks.
//!
//! **Cost.** That of encoding, and a look at every byte or two for each stage. What is held is
//! moved and looked at once: every stage remembers from where on it has not looked yet.

use super::encoder::{Encoder, Request};
use super::error::EncodeError;
use crate::normalize::Normalizer;
use crate::pattern::SplitError;
use crate::special::{Matcher, Segment, Walk};
use crate::token::TokenId;

/// Bytes of a chunk that are taken at a time: what is copied stays in the caches near the core.
const WINDOW: usize = 1 << 16;

/// Turns text into ids as it comes, in chunks of any size, cut anywhere: in a word, in a special
/// token, in a character. All ids together are those of the whole text.
///
/// Made by [`Request::stream`].
///
/// **What is held back** is what a later chunk could change, little more than the last piece: the
/// rest of a text like `"one two thr"` behind `"one two"`. White space at the end is held whole, and
/// so is a piece without an end, such as a megabyte of letters. If the pattern
/// [uses the regex engine](crate::Pattern::uses_regex_engine), no cut is known to be safe: all text
/// between two special tokens is held until the second comes, or the end. Of normalised text, as
/// many characters are held as may compose with what comes: a letter with its marks.
///
/// **Cost.** Linear in the bytes, whatever the size of the chunks; for each chunk a few dozen
/// nanoseconds, and a call of the encoder when it completes a piece.
///
/// ```
/// use tokenizer_core::{Merges, Model, Pattern, Tokenizer};
///
/// let model = Model::from_merges("cl100k".parse::<Pattern>()?, Merges::default(), &["<|end|>"])?;
/// let tokenizer = Tokenizer::new(model);
/// let all = tokenizer.model().all_specials();
/// let mut stream = tokenizer.request().allow(&all).stream();
/// let mut ids = Vec::new();
/// for chunk in ["a ca", "t", "<|e", "nd|>"] {
///     stream.push(chunk.as_bytes(), &mut ids)?;
/// }
/// stream.finish(&mut ids)?;
/// assert_eq!(ids, [97, 32, 99, 97, 116, 256]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EncodeStream {
    stages: CutAtSpecials<Normalizing<CutAtSpecials<Splitting>>>,
    failed: Option<EncodeError>,
}

impl Request<'_> {
    /// Encodes a text that comes in chunks. Gives the ids of [`Request::encode`], on one thread; the stop
    /// flag is not checked.
    pub fn stream(&self) -> EncodeStream {
        let Request {
            encoder, allowed, ..
        } = *self;
        let splitting = Splitting {
            encoder: encoder.clone(),
            held: Held::default(),
        };
        let normalizing = Normalizing {
            normalizer: encoder.model().normalizer(),
            held: Held::default(),
            rest: CutAtSpecials::new(&allowed.normalized, splitting),
        };
        EncodeStream {
            stages: CutAtSpecials::new(&allowed.raw, normalizing),
            failed: None,
        }
    }
}

impl EncodeStream {
    /// Takes the next bytes of the text and appends to `ids` what they make certain.
    ///
    /// # Errors
    /// When the pattern fails on the text, which those with a scanner never do. `ids` holds the ids
    /// of the pieces before, and every later call gives the same error.
    pub fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        for window in chunk.chunks(WINDOW) {
            if let Err(error) = self.stages.text(window, ids) {
                self.failed = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the text and appends the ids that are left.
    ///
    /// # Errors
    /// As [`EncodeStream::push`].
    pub fn finish(mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.stages.end(ids),
        }
    }
}

/// Takes a text in parts, and then another.
trait Stage {
    /// Takes the next part and appends the ids that are certain. Errors name a place in the text.
    fn text(&mut self, part: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError>;

    /// Ends the text, and begins another.
    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError>;
}

/// Cuts the text at special tokens. What lies between two of them is a text for the rest.
#[derive(Clone, Debug)]
struct CutAtSpecials<R> {
    specials: Matcher,
    walk: Walk,
    /// What is not certain yet, with some text before it.
    held: Vec<u8>,
    /// Where it begins in the text.
    offset: usize,
    between: Between<R>,
}

/// The text between two special tokens.
#[derive(Clone, Debug)]
struct Between<R> {
    /// Where it begins, when some of it came.
    start: Option<usize>,
    rest: R,
}

impl<R: Stage> CutAtSpecials<R> {
    fn new(specials: &Matcher, rest: R) -> Self {
        CutAtSpecials {
            specials: specials.clone(),
            walk: Walk::default(),
            held: Vec::new(),
            offset: 0,
            between: Between { start: None, rest },
        }
    }

    /// Takes more of the text and hands on what is certain.
    fn walk(
        &mut self,
        more: &[u8],
        is_last: bool,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let is_copied = !self.held.is_empty();
        if is_copied {
            self.held.extend_from_slice(more);
        }
        let text = match is_copied {
            true => &self.held[..],
            false => more,
        };
        while let Some(segment) = self.walk.next(&self.specials, text, is_last) {
            self.between.take(segment, self.offset, ids)?;
        }
        let forgotten = self.walk.forget(&self.specials);
        self.offset += forgotten;
        match is_copied {
            true => drop(self.held.drain(..forgotten)),
            false => self.held.extend_from_slice(&more[forgotten..]),
        }
        Ok(())
    }
}

impl<R: Stage> Stage for CutAtSpecials<R> {
    fn text(&mut self, part: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.walk(part, false, ids)
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.walk(&[], true, ids)?;
        self.walk = Walk::default();
        self.held.clear();
        self.offset = 0;
        self.between.end(ids)
    }
}

impl<R: Stage> Between<R> {
    /// Takes a segment of what begins at `offset` of the text.
    fn take(
        &mut self,
        segment: Segment,
        offset: usize,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        match segment {
            Segment::Text(part, place) => {
                let start = *self.start.get_or_insert(offset + place);
                let taken = self.rest.text(part, ids);
                taken.map_err(|error| moved(error, start))
            }
            Segment::Special(token, _) => {
                self.end(ids)?;
                ids.push(token.id);
                Ok(())
            }
        }
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        match self.start.take() {
            Some(start) => self.rest.end(ids).map_err(|error| moved(error, start)),
            None => Ok(()),
        }
    }
}

/// An error in a text that begins at `start` of another, for the other.
fn moved(error: EncodeError, start: usize) -> EncodeError {
    match error {
        EncodeError::Split(error) => EncodeError::Split(SplitError {
            offset: start + error.offset,
            ..error
        }),
        other => other,
    }
}

/// Normalises the text, if the model says so.
#[derive(Clone, Debug)]
struct Normalizing<R> {
    normalizer: Option<Normalizer>,
    held: Held,
    rest: R,
}

impl<R: Stage> Stage for Normalizing<R> {
    fn text(&mut self, part: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let Some(normalizer) = self.normalizer else {
            return self.rest.text(part, ids);
        };
        self.held.add(part);
        if let Some(cut) = self
            .held
            .cut(|text, from| normalizer.last_settled_cut(text, from))
        {
            let settled = normalizer.apply(&self.held.text[..cut]);
            self.rest.text(&settled, ids)?;
            self.held.drop(cut);
        }
        Ok(())
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        if let Some(normalizer) = self.normalizer {
            let rest = normalizer.apply(&self.held.text);
            self.rest.text(&rest, ids)?;
            self.held.drop(self.held.text.len());
        }
        self.rest.end(ids)
    }
}

/// Splits the text and encodes the pieces.
#[derive(Clone, Debug)]
struct Splitting {
    encoder: Encoder,
    held: Held,
}

impl Stage for Splitting {
    fn text(&mut self, part: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let pattern = self.encoder.model().pattern();
        self.held.add(part);
        if let Some(cut) = self
            .held
            .cut(|text, from| pattern.last_settled_cut(text, from))
        {
            self.encode(cut, ids)?;
        }
        Ok(())
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.encode(self.held.text.len(), ids)
    }
}

impl Splitting {
    /// Encodes the first `length` bytes of what is held, in which there is nothing left to match or
    /// to normalize.
    fn encode(&mut self, length: usize, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let text = &self.held.text[..length];
        let mut session = self.encoder.session();
        let mut runs = session.runs(self.encoder.tables(), text, 0, None);
        runs.encode_all(ids)?;
        drop(session);
        self.held.drop(length);
        Ok(())
    }
}

/// Text that is held back until it may be cut.
#[derive(Clone, Debug, Default)]
struct Held {
    text: Vec<u8>,
    /// There is no cut before this place.
    looked_at: usize,
}

impl Held {
    fn add(&mut self, more: &[u8]) {
        self.text.extend_from_slice(more);
    }

    /// The last place where the text may be cut, by a rule that decides for good about all places
    /// that are more than three bytes before the end.
    fn cut(
        &mut self,
        last_settled_cut: impl FnOnce(&[u8], usize) -> Option<usize>,
    ) -> Option<usize> {
        let cut = last_settled_cut(&self.text, self.looked_at);
        self.looked_at = self.text.len().saturating_sub(3);
        cut
    }

    /// Forgets the text before `cut`.
    fn drop(&mut self, cut: usize) {
        self.text.drain(..cut);
        self.looked_at = self.looked_at.saturating_sub(cut);
    }
}

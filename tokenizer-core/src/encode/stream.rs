//! Encoding a text that arrives in chunks.
//!
//! ```text
//! chunks ──▶ special tokens ──▶ normalizer ──▶ tokens of normalized text ──▶ pattern ──▶ ids
//! ```
//!
//! Each stage passes on the text whose result no later chunk can change, and holds back the rest: a prefix
//! of a special token, characters that a later one may compose with, the text after the last position where
//! the pattern is known to split. A special token ends the text before it, so the later stages then hold
//! back nothing. If a normalizer other than NFC or a pre-tokenizer changes the text, the later stages are one,
//! which holds back all text up to the next token matched in raw text.
//!
//! **Invariant.** Text is cut only where both sides give the same result separately as together. So the ids
//! are those of the whole text, however it is divided into chunks.
//!
//! **Cost.** The time of encoding, plus a scan of the text in each stage. A stage copies held text once and
//! scans it once: it stores how far it has searched.

use super::encoder::{Encoder, Request};
use super::error::EncodeError;
use crate::normalize::{self, Normalizer};
use crate::segments;
use crate::special::{Matcher, Segment, SpecialSet, Walk};
use crate::token::TokenId;

/// Bytes of a chunk that are processed at a time, so that copies stay in cache.
const WINDOW: usize = 1 << 16;

/// Encodes a text that arrives in chunks. The ids are those of the whole text.
///
/// Chunks may have any size and may end inside a word, a special token or a character. Created by
/// [`Request::stream`].
///
/// **Latency.** Text whose ids a later chunk could change is held back, usually little more than
/// the last piece: of `"one two thr"`, `" thr"` is held. Trailing white space is held in full, and
/// so is an unfinished piece of any length. If the model normalizes text, a letter and its
/// combining marks are held until they are complete. Any other normalizer, or a pre-tokenizer that
/// changes text, holds all text until the next special token or the end. If the pattern [uses the
/// regex engine](crate::Pattern::uses_regex_engine), no split position is known in advance: all
/// text is held until the next special token or the end.
///
/// **Cost.** Linear in the bytes for any chunk size, plus a few dozen nanoseconds per chunk and a call of the
/// encoder per chunk that completes a piece.
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
    stages: CutAtSpecials<Part>,
    failed: Option<EncodeError>,
}

impl Request<'_> {
    /// Creates a stream that encodes a text in chunks. A stream runs on one thread, and ignores the stop flag
    /// and the progress counter.
    #[must_use]
    pub fn stream(&self) -> EncodeStream {
        let Request {
            encoder, allowed, ..
        } = *self;
        EncodeStream {
            stages: CutAtSpecials::new(&allowed.raw, Part::new(encoder, allowed)),
            failed: None,
        }
    }
}

impl EncodeStream {
    /// Reads the next chunk of the text and appends the ids that later chunks cannot change.
    ///
    /// # Errors
    /// If the pattern fails on the text, which named patterns and most others never do. The ids of the
    /// preceding pieces have been appended, and every later call returns the same error.
    pub fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        for window in chunk.chunks(WINDOW) {
            if let Err(error) = self.stages.push(window, ids) {
                self.failed = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the text and appends the remaining ids.
    ///
    /// # Errors
    /// Same as [`EncodeStream::push`].
    pub fn finish(mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.stages.end(ids),
        }
    }
}

/// A stage of the stream. It processes one text after another, each in chunks.
trait Stage {
    /// Processes the next chunk and appends the ids that later chunks cannot change. Offsets in errors count
    /// bytes of the current text of this stage.
    fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError>;

    /// Ends the current text. The next chunk starts another.
    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError>;

    /// Sets the offset of the current text in the enclosing one, before its first chunk.
    fn begin(&mut self, _offset: usize) {}
}

/// Finds special tokens. The text between two of them is one text for the next stage.
#[derive(Clone, Debug)]
struct CutAtSpecials<N> {
    specials: Matcher,
    walk: Walk,
    /// The text that has not been passed on, with some context before it.
    held: Vec<u8>,
    /// The offset of `held` in the text.
    offset: usize,
    between: Between<N>,
}

/// The text between two special tokens, and the next stage.
#[derive(Clone, Debug)]
struct Between<N> {
    /// The offset of this text in the enclosing one; `None` until a chunk of it has arrived.
    start: Option<usize>,
    next: N,
}

impl<N: Stage> CutAtSpecials<N> {
    fn new(specials: &Matcher, next: N) -> Self {
        CutAtSpecials {
            specials: specials.clone(),
            walk: Walk::default(),
            held: Vec::new(),
            offset: 0,
            between: Between { start: None, next },
        }
    }

    /// Searches `held` and the next chunk for special tokens, and passes on what later chunks cannot change.
    fn walk(
        &mut self,
        chunk: &[u8],
        is_last: bool,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let has_held_text = !self.held.is_empty();
        if has_held_text {
            self.held.extend_from_slice(chunk);
        }
        let text = match has_held_text {
            true => &self.held[..],
            false => chunk,
        };
        while let Some(segment) = self.walk.next(&self.specials, text, is_last) {
            self.between.push(segment, self.offset, ids)?;
        }
        let settled = self.walk.forget(&self.specials);
        self.offset += settled;
        match has_held_text {
            true => drop(self.held.drain(..settled)),
            false => self.held.extend_from_slice(&chunk[settled..]),
        }
        Ok(())
    }
}

impl<N: Stage> Stage for CutAtSpecials<N> {
    fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.walk(chunk, false, ids)
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.walk(&[], true, ids)?;
        self.walk = Walk::default();
        self.held.clear();
        self.offset = 0;
        self.between.end(ids)
    }
}

impl<N: Stage> Between<N> {
    /// Processes a segment of the held text, which starts at `offset` in the text.
    fn push(
        &mut self,
        segment: Segment<'_, '_>,
        offset: usize,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        match segment {
            Segment::Text(text, position) => {
                let next = &mut self.next;
                let start = *self.start.get_or_insert_with(|| {
                    next.begin(offset + position);
                    offset + position
                });
                let pushed = self.next.push(text, ids);
                pushed.map_err(|error| error.moved(|at| start + at))
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
            Some(start) => {
                let ended = self.next.end(ids);
                ended.map_err(|error| error.moved(|at| start + at))
            }
            None => Ok(()),
        }
    }
}

/// The stages for a part: the text between two tokens that are matched in raw text.
#[derive(Clone, Debug)]
enum Part {
    Chunks(Normalizing<CutAtSpecials<Splitting>>),
    Whole(Whole),
}

impl Part {
    fn new(encoder: &Encoder, allowed: &SpecialSet) -> Self {
        let (encoder, model) = (encoder.clone(), encoder.model());
        let is_nfc = match model.normalizer() {
            None => Some(false),
            Some(Normalizer::Nfc) => Some(true),
            Some(_) => None,
        };
        let held = Held::default();
        match is_nfc.filter(|_| model.rewrites().is_empty()) {
            Some(is_nfc) => {
                let splitting = Splitting {
                    encoder,
                    held,
                    removed: 0,
                };
                Part::Chunks(Normalizing {
                    is_nfc,
                    held: Held::default(),
                    next: CutAtSpecials::new(&allowed.normalized, splitting),
                })
            }
            None => Part::Whole(Whole {
                encoder,
                allowed: allowed.clone(),
                offset: 0,
                held: Vec::new(),
            }),
        }
    }
}

impl Stage for Part {
    fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        match self {
            Part::Chunks(stages) => stages.push(chunk, ids),
            Part::Whole(whole) => whole.push(chunk, ids),
        }
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        match self {
            Part::Chunks(stages) => stages.end(ids),
            Part::Whole(whole) => whole.end(ids),
        }
    }

    fn begin(&mut self, offset: usize) {
        if let Part::Whole(whole) = self {
            whole.offset = offset;
        }
    }
}

/// Encodes a part at its end.
#[derive(Clone, Debug)]
struct Whole {
    encoder: Encoder,
    allowed: SpecialSet,
    /// The offset of the part in the text.
    offset: usize,
    held: Vec<u8>,
}

impl Stage for Whole {
    fn push(&mut self, chunk: &[u8], _ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.held.extend_from_slice(chunk);
        Ok(())
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let (encoder, changes) = (&self.encoder, self.encoder.model().changes());
        let segments = segments::between(&self.held, self.offset, &self.allowed, changes);
        let done = encoder.encode_segments(&mut encoder.session(), segments, None, ids);
        done.map_err(|error| {
            let error = encoder.located(
                segments::between_aligned(&self.held, self.offset, &self.allowed, changes),
                error,
            );
            // The caller adds the offset of the part again.
            error.moved(|at| at - self.offset)
        })?;
        self.held.clear();
        Ok(())
    }
}

/// Normalizes the text, if the model has a normalizer.
#[derive(Clone, Debug)]
struct Normalizing<N> {
    /// Whether the normalizer is NFC; if not, there is none.
    is_nfc: bool,
    held: Held,
    next: N,
}

impl<N: Stage> Stage for Normalizing<N> {
    fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        if !self.is_nfc {
            return self.next.push(chunk, ids);
        }
        self.held.add(chunk);
        if let Some(cut) = self.held.cut(normalize::last_settled_cut) {
            let settled = Normalizer::Nfc.apply(&self.held.text[..cut]);
            self.next.push(&settled, ids)?;
            self.held.remove(cut);
        }
        Ok(())
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        if self.is_nfc {
            let rest = Normalizer::Nfc.apply(&self.held.text);
            self.next.push(&rest, ids)?;
            self.held.remove(self.held.text.len());
        }
        self.next.end(ids)
    }
}

/// Splits the text and encodes the pieces.
#[derive(Clone, Debug)]
struct Splitting {
    encoder: Encoder,
    held: Held,
    /// Number of bytes of the current text before the held ones.
    removed: usize,
}

impl Stage for Splitting {
    fn push(&mut self, chunk: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let pattern = self.encoder.model().pattern();
        self.held.add(chunk);
        if let Some(cut) = self
            .held
            .cut(|text, from| pattern.last_settled_cut(text, from))
        {
            self.encode(cut, ids)?;
        }
        Ok(())
    }

    fn end(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.encode(self.held.text.len(), ids)?;
        self.removed = 0;
        Ok(())
    }
}

impl Splitting {
    /// Encodes and removes the first `length` bytes of the held text.
    fn encode(&mut self, length: usize, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        let text = &self.held.text[..length];
        let mut session = self.encoder.session();
        let mut runs = session.runs(self.encoder.tables(), text, self.removed, None);
        runs.encode_all(ids)?;
        drop(session);
        self.removed += length;
        self.held.remove(length);
        Ok(())
    }
}

/// Text that is held back until it may be cut.
#[derive(Clone, Debug, Default)]
struct Held {
    text: Vec<u8>,
    /// There is no cut before this position.
    searched: usize,
}

impl Held {
    fn add(&mut self, chunk: &[u8]) {
        self.text.extend_from_slice(chunk);
    }

    /// Returns the last position where the text may be cut, if there is one. `last_settled_cut` must not find
    /// new cuts more than three bytes before the current end when text is appended.
    fn cut(
        &mut self,
        last_settled_cut: impl FnOnce(&[u8], usize) -> Option<usize>,
    ) -> Option<usize> {
        let cut = last_settled_cut(&self.text, self.searched);
        self.searched = self.text.len().saturating_sub(3);
        cut
    }

    /// Removes the text before `cut`.
    fn remove(&mut self, cut: usize) {
        self.text.drain(..cut);
        self.searched = self.searched.saturating_sub(cut);
    }
}

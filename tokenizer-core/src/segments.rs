//! The one walk through a text: special and added tokens, and the text between them.
//!
//! ```text
//! text ──▶ tokens of the text as it is ──▶ normalizer ──▶ tokens of normalized text ──▶ segments
//! ```
//!
//! Encoding, counting, offsets, truncation and the check for forbidden tokens are loops over it. Text
//! that comes in chunks passes the same stages (`encode/stream.rs`), and its tokens are found by the same
//! [`Walk`](special::Walk).

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use crate::normalize::{Alignment, Normalizer};
use crate::special::{self, Segment as Raw, SpecialSet, SpecialToken};

/// A part of a text.
pub(crate) enum Segment<'m, 't> {
    /// A special or added token, and the bytes of the text that it covers, white space that its flags
    /// strip included.
    Special(&'m SpecialToken, Range<usize>),
    /// Text to be split, normalized and never empty, and where it is from.
    Text(Cow<'t, [u8]>, Place),
}

/// Where the text of a segment is from.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Where the stretch that was normalized as a whole begins in the text.
    offset: usize,
    /// Where the segment begins in that stretch, normalized.
    start: usize,
    /// What the normalizer changed, if it was asked for.
    alignment: Option<Rc<Alignment>>,
}

impl Place {
    /// Where the segment begins: a byte of the text, or of the text as normalized without an alignment.
    pub(crate) fn start(&self) -> usize {
        self.offset + self.start
    }

    /// The bytes of the text that bytes of the segment are from.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let normalized = self.start + range.start..self.start + range.end;
        let original = match &self.alignment {
            Some(alignment) => alignment.original(normalized),
            None => normalized,
        };
        self.offset + original.start..self.offset + original.end
    }
}

/// The segments of a text, in order. Looks no further ahead than the next token, but for a text that is
/// normalized.
pub(crate) struct Segments<'m, 't> {
    raw: special::Segments<'m, 't>,
    stage: Stage<'m>,
    /// The segments of the last stretch between two tokens.
    between: std::vec::IntoIter<Segment<'m, 't>>,
}

/// The normalizer, and the tokens that are looked for behind it.
#[derive(Clone, Copy)]
struct Stage<'m> {
    normalizer: Option<Normalizer>,
    set: &'m SpecialSet,
    /// Whether places are exact behind the normalizer.
    aligned: bool,
}

impl<'m, 't> Segments<'m, 't> {
    pub(crate) fn new(text: &'t [u8], set: &'m SpecialSet, normalizer: Option<Normalizer>) -> Self {
        Segments {
            raw: set.raw.segments(text),
            stage: Stage::new(set, normalizer),
            between: Vec::new().into_iter(),
        }
    }

    /// With exact places in the text as it is given, also behind a normalizer.
    pub(crate) fn aligned(mut self) -> Self {
        self.stage.aligned = true;
        self
    }
}

impl<'m, 't> Iterator for Segments<'m, 't> {
    type Item = Segment<'m, 't>;

    fn next(&mut self) -> Option<Segment<'m, 't>> {
        loop {
            if let Some(segment) = self.between.next() {
                return Some(segment);
            }
            match self.raw.next()? {
                Raw::Special(token, span) => return Some(Segment::Special(token, span)),
                Raw::Text(text, offset) if self.stage.is_plain() => {
                    let place = Place {
                        offset,
                        ..Place::default()
                    };
                    return Some(Segment::Text(text.into(), place));
                }
                Raw::Text(text, offset) => {
                    self.between = self.stage.segments(text, offset).into_iter();
                }
            }
        }
    }
}

/// The segments of text between two tokens of the text as it is; it begins at `offset`.
pub(crate) fn between<'m, 't>(
    text: &'t [u8],
    offset: usize,
    set: &'m SpecialSet,
    normalizer: Option<Normalizer>,
) -> Vec<Segment<'m, 't>> {
    Stage::new(set, normalizer).segments(text, offset)
}

impl<'m> Stage<'m> {
    fn new(set: &'m SpecialSet, normalizer: Option<Normalizer>) -> Self {
        Stage {
            normalizer,
            set,
            aligned: false,
        }
    }

    /// Whether text passes as it is.
    fn is_plain(self) -> bool {
        self.normalizer.is_none() && self.set.normalized.is_empty()
    }

    fn segments<'t>(self, text: &'t [u8], offset: usize) -> Vec<Segment<'m, 't>> {
        let (text, alignment) = match self.normalizer {
            Some(normalizer) if self.aligned => {
                let (text, alignment) = normalizer.apply_aligned(text);
                (text, Some(Rc::new(alignment)))
            }
            Some(normalizer) => (normalizer.apply(text), None),
            None => (text.into(), None),
        };
        let place = |start| Place {
            offset,
            start,
            alignment: alignment.clone(),
        };
        if self.set.normalized.is_empty() {
            return vec![Segment::Text(text, place(0))];
        }
        let segment = |segment: Raw<'m, '_>| match segment {
            Raw::Special(token, span) => Segment::Special(token, place(0).original(span)),
            Raw::Text(part, start) => {
                let part = match &text {
                    Cow::Borrowed(text) => text[start..start + part.len()].into(),
                    Cow::Owned(_) => Cow::Owned(part.to_vec()),
                };
                Segment::Text(part, place(start))
            }
        };
        self.set.normalized.segments(&text).map(segment).collect()
    }
}

//! Segments: the special and added tokens of a text, and the text between them.
//!
//! ```text
//! text ──▶ tokens in raw text ──▶ normalizer ──▶ tokens in normalized text ──▶ segments
//! ```
//!
//! Encoding, counting, offsets, truncation and the check for forbidden tokens are loops over segments.
//! Streams have the same stages (`encode/stream.rs`), and find tokens with the same [`Walk`](special::Walk).
//!
//! A *raw token* is one matched in the raw text. A *part* is the text between two raw tokens: it is
//! normalized in one step.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use crate::normalize::{Alignment, Normalizer};
use crate::special::{self, Segment as Raw, SpecialSet, SpecialToken};

/// A segment of a text.
pub(crate) enum Segment<'m, 't> {
    /// A special or added token, and the byte range that it covers, including white space that it strips.
    Special(&'m SpecialToken, Range<usize>),
    /// Normalized text for the pattern to split, never empty, and its origin.
    Text(Cow<'t, [u8]>, Origin),
}

/// Maps a text segment back to the original text.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    /// The offset of the part in the original text.
    offset: usize,
    /// The start of the segment within the part, in normalized bytes.
    start: usize,
    /// The changes of the normalizer, if requested by [`Segments::aligned`].
    alignment: Option<Rc<Alignment>>,
}

impl Origin {
    /// Returns the start of the segment, counting original bytes before its part and normalized bytes within
    /// the part: the original offset, if normalization changed nothing before the segment in its part.
    pub(crate) fn start(&self) -> usize {
        self.offset + self.start
    }

    /// Returns the range of the original text for a range of the segment.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let normalized = self.start + range.start..self.start + range.end;
        let original = match &self.alignment {
            Some(alignment) => alignment.original(normalized),
            None => normalized,
        };
        self.offset + original.start..self.offset + original.end
    }
}

/// Iterator over the segments of a text. Lazy, except that all segments of a part are found at once.
pub(crate) struct Segments<'m, 't> {
    raw: special::Segments<'m, 't>,
    stage: Stage<'m>,
    /// The remaining segments of the current part.
    between: std::vec::IntoIter<Segment<'m, 't>>,
}

/// The second stage: the normalizer, and the tokens matched in normalized text.
#[derive(Clone, Copy)]
struct Stage<'m> {
    normalizer: Option<Normalizer>,
    set: &'m SpecialSet,
    /// Whether to record alignments.
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

    /// Records alignments, so that ranges of normalized text map exactly to the original text.
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
                    let origin = Origin {
                        offset,
                        ..Origin::default()
                    };
                    return Some(Segment::Text(text.into(), origin));
                }
                Raw::Text(text, offset) => {
                    self.between = self.stage.segments(text, offset).into_iter();
                }
            }
        }
    }
}

/// Returns the segments of `text`, a part that starts at `offset`.
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

    /// Returns whether this stage leaves text unchanged and undivided.
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
        let origin = |start| Origin {
            offset,
            start,
            alignment: alignment.clone(),
        };
        if self.set.normalized.is_empty() {
            return vec![Segment::Text(text, origin(0))];
        }
        let segment = |segment: Raw<'m, '_>| match segment {
            Raw::Special(token, span) => Segment::Special(token, origin(0).original(span)),
            Raw::Text(raw, start) => {
                let text = match &text {
                    Cow::Borrowed(text) => text[start..start + raw.len()].into(),
                    Cow::Owned(_) => Cow::Owned(raw.to_vec()),
                };
                Segment::Text(text, origin(start))
            }
        };
        self.set.normalized.segments(&text).map(segment).collect()
    }
}

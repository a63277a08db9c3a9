//! Segments: the special and added tokens of a text, and the text between them.
//!
//! ```text
//! text ──▶ tokens in raw text ──▶ normalizer ──▶ tokens in normalized text ──▶ rewriting steps ──▶ segments
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

use crate::normalize::{Alignment, Normalizer, Text};
use crate::rewrite::{self, RewriteStep};
use crate::special::{self, Segment as Raw, SpecialSet, SpecialToken};

/// A segment of a text.
pub(crate) enum Segment<'m, 't> {
    /// A special or added token, the byte range that it covers, including white space that it strips, and
    /// the text in which it was matched: that of the range, or the normalized text.
    Special(&'m SpecialToken, Range<usize>, Cow<'t, [u8]>),
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
    /// The alignment, if requested by [`Segments::aligned`], and the position of the segment in it.
    alignment: Option<(Rc<Alignment>, usize)>,
}

impl Origin {
    /// Returns the start of the segment, counting original bytes before its part and normalized bytes within
    /// the part: the original offset, if normalization changed nothing before the segment in its part.
    pub(crate) fn start(&self) -> usize {
        self.offset + self.start
    }

    /// Returns the range of the original text for a range of the segment.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let original = match &self.alignment {
            Some((alignment, at)) => alignment.original(at + range.start..at + range.end),
            None => self.start + range.start..self.start + range.end,
        };
        self.offset + original.start..self.offset + original.end
    }
}

/// The parts of a model that change text before the pattern splits it.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'m> {
    pub(crate) normalizer: Option<&'m Normalizer>,
    pub(crate) rewrites: &'m [RewriteStep],
}

impl Changes<'_> {
    /// Whether text is never changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.normalizer.is_none() && self.rewrites.is_empty()
    }
}

/// Iterator over the segments of a text. Lazy, except that all segments of a part are found at once.
pub(crate) struct Segments<'m, 't> {
    text: &'t [u8],
    raw: special::Segments<'m, 't>,
    stage: Stage<'m>,
    /// The remaining segments of the current part.
    between: std::vec::IntoIter<Segment<'m, 't>>,
}

/// The second stage: the normalizer, the tokens matched in normalized text, and the rewriting steps.
#[derive(Clone, Copy)]
struct Stage<'m> {
    changes: Changes<'m>,
    set: &'m SpecialSet,
    /// Whether to record alignments.
    aligned: bool,
}

impl<'m, 't> Segments<'m, 't> {
    pub(crate) fn new(text: &'t [u8], set: &'m SpecialSet, changes: Changes<'m>) -> Self {
        Segments {
            text,
            raw: set.raw.segments(text),
            stage: Stage::new(set, changes),
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
                Raw::Special(token, span) => {
                    let matched = self.text[span.clone()].into();
                    return Some(Segment::Special(token, span, matched));
                }
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
    changes: Changes<'m>,
) -> Vec<Segment<'m, 't>> {
    Stage::new(set, changes).segments(text, offset)
}

/// Like [`between`], with alignments.
pub(crate) fn between_aligned<'m, 't>(
    text: &'t [u8],
    offset: usize,
    set: &'m SpecialSet,
    changes: Changes<'m>,
) -> Vec<Segment<'m, 't>> {
    let stage = Stage {
        aligned: true,
        ..Stage::new(set, changes)
    };
    stage.segments(text, offset)
}

/// Returns the sections of a text without special and added tokens.
pub(crate) fn sections<'t>(text: &'t [u8], changes: Changes<'_>) -> Vec<Cow<'t, [u8]>> {
    let none = SpecialSet::default();
    let segments = between(text, 0, &none, changes).into_iter();
    segments
        .filter_map(|segment| match segment {
            Segment::Text(text, _) => Some(text),
            Segment::Special(..) => None,
        })
        .collect()
}

impl<'m> Stage<'m> {
    fn new(set: &'m SpecialSet, changes: Changes<'m>) -> Self {
        Stage {
            changes,
            set,
            aligned: false,
        }
    }

    /// Returns whether this stage leaves text unchanged and undivided.
    fn is_plain(self) -> bool {
        self.changes.is_empty() && self.set.normalized.is_empty()
    }

    fn segments<'t>(self, text: &'t [u8], offset: usize) -> Vec<Segment<'m, 't>> {
        let Changes {
            normalizer,
            rewrites,
        } = self.changes;
        let is_aligned =
            self.aligned || offset == 0 && rewrite::needs_alignment(rewrites, normalizer.is_some());
        let text = match is_aligned {
            true => Text::aligned(text),
            false => Text::new(text),
        };
        let text = match normalizer {
            Some(normalizer) => normalizer.apply_to(text),
            None => text,
        };
        if text.bytes.is_empty() {
            return Vec::new();
        }
        if !rewrites.is_empty() {
            return self.rewritten(&text, offset);
        }
        let Text { bytes, alignment } = text;
        let alignment = is_aligned.then(|| Rc::new(alignment));
        let origin = |start| Origin {
            offset,
            start,
            alignment: alignment.as_ref().map(|shared| (shared.clone(), start)),
        };
        if self.set.normalized.is_empty() {
            return vec![Segment::Text(bytes, origin(0))];
        }
        let part = |range: Range<usize>| match &bytes {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_vec()),
        };
        let segment = |segment: Raw<'m, '_>| match segment {
            Raw::Special(token, span) => {
                let original = origin(0).original(span.clone());
                Segment::Special(token, original, part(span))
            }
            Raw::Text(raw, start) => Segment::Text(part(start..start + raw.len()), origin(start)),
        };
        self.set.normalized.segments(&bytes).map(segment).collect()
    }

    /// Returns the segments of normalized text, rewritten. The part starts at `offset`.
    fn rewritten<'t>(self, text: &Text<'t>, offset: usize) -> Vec<Segment<'m, 't>> {
        let mut segments = Vec::new();
        for raw in self.set.normalized.segments(&text.bytes) {
            let (raw, start) = match raw {
                Raw::Text(raw, start) => (raw, start),
                Raw::Special(token, span) => {
                    let matched = text.slice(span.clone()).bytes;
                    let span = text.alignment.original(span);
                    let span = offset + span.start..offset + span.end;
                    segments.push(Segment::Special(token, span, matched));
                    continue;
                }
            };
            let is_first = |section: &Text<'t>| {
                let position = match &section.alignment {
                    Alignment::Off => start,
                    alignment => alignment.original(0..1).start,
                };
                offset + position == 0
            };
            let section = text.slice(start..start + raw.len());
            for section in rewrite::rewrite(self.changes.rewrites, section, is_first) {
                let alignment = match section.alignment {
                    Alignment::Off => None,
                    alignment => Some((Rc::new(alignment), 0)),
                };
                let origin = Origin {
                    offset,
                    start,
                    alignment,
                };
                segments.push(Segment::Text(section.bytes, origin));
            }
        }
        segments
    }
}

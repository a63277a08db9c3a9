//! Texts in parts for threads.
//!
//! A part is the unit of work of a thread: some consecutive texts, or a stretch of one that is long.
//! Parts are found one by one, when a thread takes the next, so that no pass over the text precedes the
//! work. A text is cut at the special tokens that are allowed, and where the pattern certainly
//! splits ([`Pattern::first_cut`](crate::Pattern::first_cut)); what has no such place stays whole.
//!
//! Parts become smaller towards the end, so that all threads end at about the same time.
//!
//! A model that normalises does so before it splits, and special tokens may be looked for in
//! between. A short text is left to the thread as it is. A long one is normalised by who finds the
//! parts, and all of its special tokens are found at once.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::Model;
use crate::segments::{self, Segment};
use crate::special::{Segment as Raw, Segments, SpecialSet};
use crate::token::TokenId;

/// Sizes of parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartSizes {
    /// Of the largest: some hundred times what it costs to take one.
    pub(super) largest: usize,
    /// Of the smallest, if there is more text.
    pub(super) smallest: usize,
    /// A thread that has less than this is not worth waking.
    pub(super) for_a_thread: usize,
}

impl PartSizes {
    pub(super) const DEFAULT: Self = PartSizes {
        largest: 1 << 16,
        smallest: 1 << 13,
        for_a_thread: 1 << 16,
    };

    /// For tests: short texts are cut at many places, and reach threads.
    #[cfg(any(test, feature = "internals"))]
    pub(super) const SMALL: Self = PartSizes {
        largest: 64,
        smallest: 8,
        for_a_thread: 32,
    };
}

/// See the module.
pub(super) struct Parts<'t, T> {
    model: &'t Model,
    allowed: &'t SpecialSet,
    /// When it is set, what is found does not matter any more.
    stop: Option<&'t AtomicBool>,
    texts: std::slice::Iter<'t, T>,
    /// How many texts have ended.
    ended: usize,
    /// What is left of the text that was begun, behind `stretch` and `found`.
    segments: Option<Segments<'t, 't>>,
    /// What is left of a text that was normalised.
    found: VecDeque<Step<'t>>,
    /// What is left of text that is being cut.
    stretch: Option<Stretch<'t>>,
    bytes_left: usize,
    threads: usize,
    sizes: PartSizes,
}

/// See the module.
pub(super) struct Part<'t> {
    /// Which text it begins in, from 0.
    pub(super) text: usize,
    /// Of text, about.
    pub(super) bytes: usize,
    pub(super) steps: Vec<Step<'t>>,
}

/// What is to be done, one after the other.
pub(super) enum Step<'t> {
    /// Text to be split.
    Split(Stretch<'t>),
    /// Text that is to be normalised, cut at special tokens, and split. It begins at this offset of
    /// the whole text.
    Prepare(&'t [u8], usize),
    /// An id.
    Special(TokenId),
    /// A text ends.
    TextEnds,
}

/// Some of a text.
pub(super) struct Stretch<'t> {
    text: Shared<'t>,
    range: Range<usize>,
    /// Where `text` begins in the whole.
    offset: usize,
}

#[derive(Clone)]
enum Shared<'t> {
    Borrowed(&'t [u8]),
    Normalized(Arc<[u8]>),
}

impl Stretch<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        let text = match &self.text {
            Shared::Borrowed(text) => text,
            Shared::Normalized(text) => &text[..],
        };
        &text[self.range.clone()]
    }

    /// Where it begins in the whole text.
    pub(super) fn offset(&self) -> usize {
        self.offset + self.range.start
    }

    /// Cuts the first `length` bytes off.
    fn cut_off(&mut self, length: usize) -> Self {
        let start = self.range.start;
        self.range.start += length;
        Stretch {
            text: self.text.clone(),
            range: start..start + length,
            offset: self.offset,
        }
    }
}

impl<'t, T: AsRef<[u8]>> Parts<'t, T> {
    /// `bytes` are those of all texts together.
    pub(super) fn new(
        model: &'t Model,
        allowed: &'t SpecialSet,
        texts: &'t [T],
        bytes: usize,
        threads: usize,
        sizes: PartSizes,
        stop: Option<&'t AtomicBool>,
    ) -> Self {
        Parts {
            model,
            allowed,
            stop,
            texts: texts.iter(),
            ended: 0,
            segments: None,
            found: VecDeque::new(),
            stretch: None,
            bytes_left: bytes,
            threads,
            sizes,
        }
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// The next thing to be done, of little more than `wanted` bytes if possible.
    fn step(&mut self, wanted: usize) -> Option<Step<'t>> {
        let stop = self.stop;
        let is_stopped = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        loop {
            if let Some(stretch) = &mut self.stretch {
                let rest = stretch.bytes();
                // What would be left of it is not worth a part.
                if rest.len() > wanted + self.sizes.smallest / 2
                    && let Some(cut) =
                        (self.model.pattern()).first_cut_unless(rest, wanted, is_stopped)
                    && cut < rest.len()
                {
                    return Some(Step::Split(stretch.cut_off(cut)));
                }
                return self.stretch.take().map(Step::Split);
            }
            match self.found.pop_front() {
                Some(Step::Split(stretch)) => {
                    self.stretch = Some(stretch);
                    continue;
                }
                Some(step) => return Some(step),
                None => {}
            }
            match self.segments.as_mut().map(Iterator::next) {
                Some(Some(Raw::Special(token, _))) => return Some(Step::Special(token.id)),
                Some(Some(Raw::Text(text, offset))) => {
                    let prepares =
                        self.model.normalizer().is_some() || !self.allowed.normalized.is_empty();
                    if prepares && text.len() <= self.sizes.largest {
                        return Some(Step::Prepare(text, offset));
                    }
                    if prepares {
                        self.prepare(text, offset);
                    } else {
                        self.stretch = Some(Stretch {
                            text: Shared::Borrowed(text),
                            range: 0..text.len(),
                            offset,
                        });
                    }
                }
                Some(None) => {
                    self.segments = None;
                    self.ended += 1;
                    return Some(Step::TextEnds);
                }
                None => {
                    let text = self.texts.next()?.as_ref();
                    self.segments = Some(self.allowed.raw.segments(text));
                }
            }
        }
    }

    /// Normalizes text that begins at `offset` and finds the special tokens in it.
    fn prepare(&mut self, text: &'t [u8], offset: usize) {
        let normalizer = self.model.normalizer();
        let found = segments::between(text, offset, self.allowed, normalizer).into_iter();
        self.found = found
            .map(|segment| match segment {
                Segment::Special(token, _) => Step::Special(token.id),
                Segment::Text(text, place) => Step::Split(Stretch {
                    range: 0..text.len(),
                    text: match text {
                        Cow::Borrowed(text) => Shared::Borrowed(text),
                        Cow::Owned(text) => Shared::Normalized(text.into()),
                    },
                    offset: place.start(),
                }),
            })
            .collect();
    }
}

impl<'t, T: AsRef<[u8]>> Iterator for Parts<'t, T> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        let text = self.ended;
        let (mut bytes, mut steps) = (0, Vec::new());
        let even = self.bytes_left / (4 * self.threads.max(1));
        let wanted = even.clamp(self.sizes.smallest, self.sizes.largest);
        while bytes < wanted
            && let Some(step) = self.step(wanted - bytes)
        {
            let length = match &step {
                Step::Split(stretch) => stretch.range.len(),
                Step::Prepare(text, _) => text.len(),
                // Each costs a little, be the text never so short.
                Step::Special(_) | Step::TextEnds => 1,
            };
            bytes += length;
            self.bytes_left = self.bytes_left.saturating_sub(length);
            steps.push(step);
        }
        (!steps.is_empty()).then_some(Part { text, bytes, steps })
    }
}

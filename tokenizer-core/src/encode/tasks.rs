//! Dividing texts into tasks for threads.
//!
//! A task is a run of consecutive texts or parts of texts. Tasks are created lazily, when a thread takes the
//! next one, so no pass over the text precedes the work. A text is cut at allowed special tokens, and where
//! the pattern is known to split ([`Pattern::first_cut`](crate::Pattern::first_cut)). Text without such a
//! position is never divided between tasks.
//!
//! Tasks shrink towards the end, so that all threads finish at about the same time.
//!
//! If the model normalizes text, or matches special or added tokens in normalized text, the thread that takes
//! a task normalizes and searches its short segments. A segment longer than [`TaskSizes::largest`] is
//! normalized and searched while tasks are created, so that it can be cut.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::Model;
use crate::segments::{self, Segment};
use crate::special::{self, Segment as Raw, SpecialSet};
use crate::token::TokenId;

/// Sizes of tasks, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskSizes {
    /// The largest target size of a task. Encoding it takes hundreds of times as long as creating the task.
    pub(super) largest: usize,
    /// The smallest target size of a task.
    pub(super) smallest: usize,
    /// The amount of text that justifies waking a thread.
    pub(super) per_thread: usize,
}

impl TaskSizes {
    pub(super) const DEFAULT: Self = TaskSizes {
        largest: 1 << 16,
        smallest: 1 << 13,
        per_thread: 1 << 16,
    };

    /// For tests: short texts are cut often and are spread over threads.
    #[cfg(any(test, feature = "internals"))]
    pub(super) const SMALL: Self = TaskSizes {
        largest: 64,
        smallest: 8,
        per_thread: 32,
    };
}

/// Iterator over the tasks of a batch of texts.
pub(super) struct Tasks<'t, T> {
    model: &'t Model,
    allowed: &'t SpecialSet,
    /// Once this flag is true, the search for a cut stops early. Threads check the flag before a task, so its
    /// result is never used.
    stop: Option<&'t AtomicBool>,
    texts: std::slice::Iter<'t, T>,
    /// The number of texts whose end has been emitted.
    texts_ended: usize,
    /// The rest of the current text, after `prepared` and `slice`.
    segments: Option<special::Segments<'t, 't>>,
    /// The remaining steps of a segment that was normalized or searched, after `slice`.
    prepared: VecDeque<Step<'t>>,
    /// The rest of the slice that is being cut.
    slice: Option<TextSlice<'t>>,
    bytes_left: usize,
    threads: usize,
    sizes: TaskSizes,
}

/// A unit of work for a thread.
pub(super) struct Task<'t> {
    /// The index of the text in which it starts.
    pub(super) text: usize,
    /// Its approximate size in bytes of text.
    pub(super) bytes: usize,
    pub(super) steps: Vec<Step<'t>>,
}

/// A step of a task.
pub(super) enum Step<'t> {
    /// Split a slice and encode its pieces.
    Split(TextSlice<'t>),
    /// Normalize a segment, find special and added tokens in it, and split and encode the rest. The second
    /// field is the offset of the segment in the text.
    Prepare(&'t [u8], usize),
    /// Emit the id of a special or added token.
    Special(TokenId),
    /// End the current text.
    EndText,
}

/// A slice of a segment.
pub(super) struct TextSlice<'t> {
    segment: SegmentText<'t>,
    range: Range<usize>,
    /// The offset of `segment` in the text, in bytes.
    offset: usize,
}

/// The text of a segment, shared by its slices.
#[derive(Clone)]
enum SegmentText<'t> {
    Borrowed(&'t [u8]),
    Normalized(Arc<[u8]>),
}

impl TextSlice<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        let text = match &self.segment {
            SegmentText::Borrowed(text) => text,
            SegmentText::Normalized(text) => &text[..],
        };
        &text[self.range.clone()]
    }

    /// The offset in the text. Within a normalized segment, bytes are counted after normalization.
    pub(super) fn offset(&self) -> usize {
        self.offset + self.range.start
    }

    /// Removes the first `length` bytes and returns them.
    fn split_to(&mut self, length: usize) -> Self {
        let start = self.range.start;
        self.range.start += length;
        TextSlice {
            segment: self.segment.clone(),
            range: start..start + length,
            offset: self.offset,
        }
    }
}

impl<'t, T: AsRef<[u8]>> Tasks<'t, T> {
    /// `bytes` is the total length of all texts.
    pub(super) fn new(
        model: &'t Model,
        allowed: &'t SpecialSet,
        texts: &'t [T],
        bytes: usize,
        threads: usize,
        sizes: TaskSizes,
        stop: Option<&'t AtomicBool>,
    ) -> Self {
        Tasks {
            model,
            allowed,
            stop,
            texts: texts.iter(),
            texts_ended: 0,
            segments: None,
            prepared: VecDeque::new(),
            slice: None,
            bytes_left: bytes,
            threads,
            sizes,
        }
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Returns the next step. A slice much longer than `target` bytes is cut at the first safe position from
    /// `target` on, if there is one.
    fn step(&mut self, target: usize) -> Option<Step<'t>> {
        let stop = self.stop;
        let is_stopped = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        loop {
            if let Some(slice) = &mut self.slice {
                let rest = slice.bytes();
                // A cut shortly before the end is not worth a task.
                if rest.len() > target + self.sizes.smallest / 2
                    && let Some(cut) =
                        (self.model.pattern()).first_cut_unless(rest, target, is_stopped)
                    && cut < rest.len()
                {
                    return Some(Step::Split(slice.split_to(cut)));
                }
                return self.slice.take().map(Step::Split);
            }
            match self.prepared.pop_front() {
                Some(Step::Split(slice)) => {
                    self.slice = Some(slice);
                    continue;
                }
                Some(step) => return Some(step),
                None => {}
            }
            match self.segments.as_mut().map(Iterator::next) {
                Some(Some(Raw::Special(token, _))) => return Some(Step::Special(token.id)),
                Some(Some(Raw::Text(text, offset))) => {
                    let needs_preparation =
                        !self.model.changes().is_empty() || !self.allowed.normalized.is_empty();
                    if needs_preparation && text.len() <= self.sizes.largest {
                        return Some(Step::Prepare(text, offset));
                    }
                    if needs_preparation {
                        self.prepare(text, offset);
                    } else {
                        self.slice = Some(TextSlice {
                            segment: SegmentText::Borrowed(text),
                            range: 0..text.len(),
                            offset,
                        });
                    }
                }
                Some(None) => {
                    self.segments = None;
                    self.texts_ended += 1;
                    return Some(Step::EndText);
                }
                None => {
                    let text = self.texts.next()?.as_ref();
                    self.segments = Some(self.allowed.raw.segments(text));
                }
            }
        }
    }

    /// Normalizes a segment that starts at `offset`, and queues its tokens and the text between them.
    fn prepare(&mut self, text: &'t [u8], offset: usize) {
        let changes = self.model.changes();
        let segments = segments::between(text, offset, self.allowed, changes).into_iter();
        self.prepared = segments
            .map(|segment| match segment {
                Segment::Special(token, ..) => Step::Special(token.id),
                Segment::Text(text, origin) => Step::Split(TextSlice {
                    range: 0..text.len(),
                    segment: match text {
                        Cow::Borrowed(text) => SegmentText::Borrowed(text),
                        Cow::Owned(text) => SegmentText::Normalized(text.into()),
                    },
                    offset: origin.start(),
                }),
            })
            .collect();
    }
}

impl<'t, T: AsRef<[u8]>> Iterator for Tasks<'t, T> {
    type Item = Task<'t>;

    fn next(&mut self) -> Option<Task<'t>> {
        let text = self.texts_ended;
        let (mut bytes, mut steps) = (0, Vec::new());
        // A quarter of an even share of the rest.
        let share = self.bytes_left / (4 * self.threads.max(1));
        let target = share.clamp(self.sizes.smallest, self.sizes.largest);
        while bytes < target
            && let Some(step) = self.step(target - bytes)
        {
            let length = match &step {
                Step::Split(slice) => slice.range.len(),
                Step::Prepare(text, _) => text.len(),
                // A fixed cost, so that many empty texts fill a task.
                Step::Special(_) | Step::EndText => 1,
            };
            bytes += length;
            self.bytes_left = self.bytes_left.saturating_sub(length);
            steps.push(step);
        }
        (!steps.is_empty()).then_some(Task { text, bytes, steps })
    }
}

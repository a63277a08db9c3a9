//! Pieces as they are handed out, a run of them at a time.

use std::ops::Range;

use crate::simd::Simd;

/// A run of pieces that touch: it starts at one offset, and each piece ends where the next begins.
#[derive(Clone, Debug)]
pub struct Spans {
    start: usize,
    /// The ends of the pieces, and behind them room that is written before it is counted.
    ends: Box<[usize; Spans::CAPACITY]>,
    len: usize,
}

impl Spans {
    /// How many pieces [`Splitter::fill`] hands out at once at most: enough to hide the latency of
    /// memory behind, few enough that they stay in the first-level cache.
    pub const CAPACITY: usize = 2048;

    /// An empty buffer, to be used again and again.
    pub fn new() -> Self {
        Spans {
            start: 0,
            ends: Box::new([0; Self::CAPACITY]),
            len: 0,
        }
    }

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Byte offset of the first piece.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Byte offsets at which the pieces end, ascending.
    pub fn ends(&self) -> &[usize] {
        &self.ends[..self.len]
    }

    /// The pieces as byte ranges of the text.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let starts = std::iter::once(self.start).chain(self.ends().iter().copied());
        starts.zip(self.ends()).map(|(start, &end)| start..end)
    }

    pub(super) fn clear(&mut self, start: usize) {
        self.start = start;
        self.len = 0;
    }

    /// Where the last piece ends.
    pub(super) fn end(&self) -> usize {
        self.ends().last().copied().unwrap_or(self.start)
    }

    /// Whether there is room for so many ends more.
    #[inline(always)]
    pub(super) fn has_room(&self, ends: usize) -> bool {
        self.len + ends <= Self::CAPACITY
    }

    /// Adds the end `base + n` for each bit `n` of `ends`. There must be room for [`FLATTEN`] ends.
    #[inline(always)]
    pub(super) fn push_bits<S: Simd>(&mut self, simd: S, ends: u64, base: usize) {
        let room = self.ends[self.len..].first_chunk_mut();
        self.len += simd.flatten(ends, base, room.expect("there is room"));
    }

    /// Adds one end. There must be room.
    #[inline(always)]
    pub(super) fn push(&mut self, end: usize) {
        self.ends[self.len] = end;
        self.len += 1;
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self::new()
    }
}

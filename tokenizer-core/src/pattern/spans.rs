//! A buffer of adjacent pieces.

use std::ops::Range;

use crate::simd::Simd;

/// A run of adjacent pieces as byte offsets: each piece starts at the end of the previous one.
#[derive(Clone, Debug)]
pub struct Spans {
    start: usize,
    /// The ends of the pieces. Elements from `len` on are scratch space for [`Spans::push_bits`].
    ends: Box<[usize; Spans::CAPACITY]>,
    len: usize,
}

impl Spans {
    /// The maximum number of pieces per call of [`Splitter::fill`](super::Splitter::fill): enough that
    /// callers can overlap the memory accesses of many pieces, few enough to stay in the L1 cache.
    pub const CAPACITY: usize = 2048;

    /// Creates an empty buffer. It can be reused for any number of calls.
    #[must_use]
    pub fn new() -> Self {
        Spans {
            start: 0,
            ends: Box::new([0; Self::CAPACITY]),
            len: 0,
        }
    }

    /// Returns the number of pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no pieces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the byte offset at which the first piece starts.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the byte offsets of the ends of the pieces, ascending.
    #[must_use]
    pub fn ends(&self) -> &[usize] {
        &self.ends[..self.len]
    }

    /// Returns the pieces as byte ranges of the text.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let starts = std::iter::once(self.start).chain(self.ends().iter().copied());
        starts.zip(self.ends()).map(|(start, &end)| start..end)
    }

    /// Removes all pieces and sets the start of the next piece.
    pub(super) fn clear(&mut self, start: usize) {
        self.start = start;
        self.len = 0;
    }

    /// Returns the end of the last piece, or the start if there is none.
    pub(super) fn end(&self) -> usize {
        self.ends().last().copied().unwrap_or(self.start)
    }

    /// Returns whether `count` more ends fit.
    #[inline(always)]
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.len + count <= Self::CAPACITY
    }

    /// Appends the end `base + n` for each set bit `n` of `ends`, ascending.
    ///
    /// # Panics
    /// If fewer than [`FLATTEN`](crate::simd::FLATTEN) more ends fit.
    #[inline(always)]
    pub(super) fn push_bits<S: Simd>(&mut self, simd: S, ends: u64, base: usize) {
        let free = self.ends[self.len..].first_chunk_mut();
        self.len += simd.flatten(ends, base, free.expect("FLATTEN more ends fit"));
    }

    /// Appends one end.
    ///
    /// # Panics
    /// If the buffer is full.
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

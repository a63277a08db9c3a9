//! Cutting pieces into chunks at safe boundaries.
//!
//! Merges never cross a boundary that no token crosses (`boundaries.rs`), so the ids of a piece are
//! those of its chunks. In scripts without spaces a piece is a whole sentence, hardly ever the same
//! one twice, while its chunks are a few thousand characters and words: the unit of the table of
//! pieces is the chunk.
//!
//! A piece of up to 15 bytes is one chunk as long as the table knows it, and is cut only where it does
//! not: most are words that come again, and so their first look-up is their last.
//!
//! **Cost.** 64 bytes at a time give the places between two characters of which one is beyond ASCII, and
//! each is tested with three bits.

use super::boundaries::Boundaries;
use super::piece_table::{End, PART};
use crate::arch::{BLOCK, Simd};
use crate::hash::{Key, Seeds};
use crate::split::Spans;

/// The chunks of a run of pieces, in order.
#[derive(Clone, Copy)]
pub(super) struct Chunks<'t> {
    text: &'t [u8],
    /// The ends of the pieces that have not ended.
    ends: &'t [usize],
    /// Where the next chunk begins.
    start: usize,
    /// Whether it begins within a piece.
    in_piece: bool,
    /// The safe boundaries within the piece, of the 64 bytes before `known_to`.
    safe: u64,
    known_to: usize,
}

impl<'t> Chunks<'t> {
    pub(super) fn new(text: &'t [u8], spans: &'t Spans) -> Self {
        Chunks {
            text,
            ends: spans.ends(),
            start: spans.start(),
            in_piece: false,
            safe: 0,
            known_to: 0,
        }
    }

    /// The chunks of one piece.
    pub(super) fn of_piece(piece: &'t [u8], end: &'t usize) -> Self {
        Chunks {
            text: piece,
            ends: std::slice::from_ref(end),
            start: 0,
            in_piece: false,
            safe: 0,
            known_to: 0,
        }
    }

    /// Whether the run is at its end.
    pub(super) fn is_done(&self) -> bool {
        self.ends.is_empty()
    }

    /// Calls `each` with the key and the end of every piece of up to 15 bytes, up to one that is longer,
    /// or that `each` has no place for.
    #[inline(always)]
    pub(super) fn short_pieces(&mut self, mut each: impl FnMut(u128, End) -> bool) {
        let Chunks {
            text,
            ends,
            mut start,
            ..
        } = *self;
        let mut passed = 0;
        for &end in ends {
            let Some(Key(key)) = Key::short(text, start, end - start) else {
                break;
            };
            if !each(key, End::new(end, false)) {
                break;
            }
            start = end;
            passed += 1;
        }
        self.start = start;
        self.ends = &ends[passed..];
    }

    /// Calls `each` with the key and the end of every chunk of the next piece, up to one that `each` has
    /// no place for. There is a next piece.
    #[inline(always)]
    pub(super) fn cut<'b, S: Simd>(
        &mut self,
        simd: S,
        seeds: Seeds,
        boundaries: &'b dyn Fn() -> &'b Boundaries,
        mut each: impl FnMut(u128, End) -> bool,
    ) {
        let (text, end) = (self.text, self.ends[0]);
        let (mut start, mut in_piece) = (self.start, self.in_piece);
        let (mut safe, mut known_to) = (self.safe, self.known_to);
        while start < end {
            let mut next = start + 1;
            while next < end {
                if next >= known_to {
                    known_to = next + BLOCK;
                    safe = safe_boundaries(simd, boundaries, &text[..end], next);
                }
                let behind = safe >> (BLOCK - (known_to - next));
                if behind != 0 {
                    next += behind.trailing_zeros() as usize;
                    break;
                }
                next = known_to;
            }
            next = next.min(end);
            let is_part = in_piece || next < end;
            let Key(key) = seeds.key(text, start, next);
            let mark = if is_part { PART } else { 0 };
            if !each(key | mark, End::new(next, is_part)) {
                // What is known may be further on than the place to go on from.
                known_to = 0;
                break;
            }
            start = next;
            in_piece = true;
        }
        (self.start, self.safe, self.known_to) = (start, safe, known_to);
        self.in_piece = in_piece && start < end;
        if start == end {
            self.ends = &self.ends[1..];
            self.known_to = 0;
        }
    }

    /// Whether the next chunk begins within a piece.
    pub(super) fn is_in_piece(&self) -> bool {
        self.in_piece
    }
}

/// Bit `n` is set where `text[start + n]` is the first byte behind a safe boundary. `start` is not 0.
#[inline(always)]
fn safe_boundaries<'b, S: Simd>(
    simd: S,
    boundaries: &'b dyn Fn() -> &'b Boundaries,
    text: &[u8],
    start: usize,
) -> u64 {
    // Two bytes before the block, which may be missing, and six behind it.
    let mut padded = [0; AROUND];
    let around = match text
        .get(start.wrapping_sub(2)..)
        .and_then(|text| text.first_chunk())
    {
        Some(around) => around,
        None => {
            let before = start.min(2);
            let rest = &text[start - before..];
            let rest = &rest[..rest.len().min(AROUND - 2)];
            padded[2 - before..][..rest.len()].copy_from_slice(rest);
            &padded
        }
    };
    let block = simd.load(around[2..].first_chunk().expect("64 of 70 bytes"));
    let beyond_ascii = simd.non_ascii(block);
    let before = beyond_ascii << 1 | u64::from(!around[1].is_ascii());
    let continues = beyond_ascii & !simd.at_least(block, 0xC0);
    let within = u64::MAX >> BLOCK.saturating_sub(text.len() - start);
    let mut candidates = (beyond_ascii | before) & !continues & within;
    if candidates == 0 {
        return 0;
    }
    let boundaries = boundaries();
    let mut safe = 0;
    while candidates != 0 {
        let place = candidates.trailing_zeros();
        candidates &= candidates - 1;
        let is_safe = around[place as usize..]
            .first_chunk()
            .is_some_and(|&around| boundaries.is_safe(u64::from_le_bytes(around)));
        safe |= u64::from(is_safe) << place;
    }
    safe
}

/// Bytes of a block with two before it and six behind it: eight around each of its bytes.
const AROUND: usize = 2 + BLOCK + 6;

//! Cutting pieces into chunks at safe boundaries.
//!
//! A chunk is a whole piece, or a fragment of one. Merges never cross a safe boundary (`boundaries.rs`), so
//! the ids of a piece are those of its chunks. In scripts without spaces a piece is often a whole sentence,
//! which rarely recurs, but most of its chunks are among a few thousand characters and words that do. So the
//! piece table stores chunks.
//!
//! A piece of up to 15 bytes is looked up whole, and cut only on a miss: most such pieces are words that
//! recur.
//!
//! **Cost.** Bit masks over 64 bytes at a time find the boundaries next to non-ASCII characters. Each such
//! boundary takes three bit tests.

use super::boundaries::Boundaries;
use crate::hash::{Key, Seeds};
use crate::pattern::Spans;
use crate::simd::{BLOCK, Simd};

/// The bit that is set in the keys of fragments. A whole piece that equals a token may skip merging, while a
/// fragment with the same bytes is always merged, so their ids may differ.
pub(super) const FRAGMENT: u128 = 1 << 127;

/// The end of a chunk, as an offset in the text, and whether the chunk is a fragment, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct End(usize);

impl End {
    #[inline(always)]
    pub(super) const fn new(offset: usize, is_fragment: bool) -> Self {
        End(offset << 1 | is_fragment as usize)
    }

    #[inline(always)]
    pub(super) fn offset(self) -> usize {
        self.0 >> 1
    }

    /// Returns whether the chunk is a fragment of a piece.
    #[inline(always)]
    pub(super) fn is_fragment(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The chunks of a run of pieces, in order.
#[derive(Clone, Copy)]
pub(super) struct Chunks<'t> {
    text: &'t [u8],
    /// The ends of the remaining pieces.
    ends: &'t [usize],
    /// The start of the next chunk.
    start: usize,
    /// Whether `start` is inside a piece.
    in_piece: bool,
    /// Bit mask of safe boundaries in the 64 bytes before `safe_end`.
    safe: u64,
    safe_end: usize,
}

impl<'t> Chunks<'t> {
    pub(super) fn new(text: &'t [u8], spans: &'t Spans) -> Self {
        Chunks {
            text,
            ends: spans.ends(),
            start: spans.start(),
            in_piece: false,
            safe: 0,
            safe_end: 0,
        }
    }

    /// The chunks of one piece. `end` must be its length.
    pub(super) fn of_piece(piece: &'t [u8], end: &'t usize) -> Self {
        Chunks {
            text: piece,
            ends: std::slice::from_ref(end),
            start: 0,
            in_piece: false,
            safe: 0,
            safe_end: 0,
        }
    }

    /// Returns whether no chunks are left.
    pub(super) fn is_done(&self) -> bool {
        self.ends.is_empty()
    }

    /// Calls `fill` with a slot, the key and the end for each of the next pieces. Stops when the slots are
    /// used up, or before a piece of more than 15 bytes with non-ASCII characters, which has to be cut.
    /// Returns the number of slots filled.
    #[inline(always)]
    pub(super) fn whole_pieces<T>(
        &mut self,
        seeds: Seeds,
        slots: &mut [T],
        mut fill: impl FnMut(&mut T, u128, End),
    ) -> usize {
        let (text, ends) = (self.text, self.ends);
        let mut start = self.start;
        let mut filled = 0;
        for (&end, slot) in ends.iter().zip(slots) {
            let Key(key) = match Key::short(text, start, end - start) {
                Some(key) => key,
                None => match long_ascii_key(seeds, &text[start..end]) {
                    Some(key) => key,
                    None => break,
                },
            };
            fill(slot, key, End::new(end, false));
            start = end;
            filled += 1;
        }
        self.start = start;
        self.ends = &ends[filled..];
        filled
    }

    /// Calls `each` with the key and the end of each chunk of the next piece, or of its rest. If `each`
    /// returns `false`, that chunk is not consumed, and the next call resumes with it.
    ///
    /// There must be a next piece.
    #[inline(always)]
    pub(super) fn cut<S: Simd>(
        &mut self,
        simd: S,
        seeds: Seeds,
        boundaries: &Boundaries,
        mut each: impl FnMut(u128, End) -> bool,
    ) {
        let (text, end) = (self.text, self.ends[0]);
        let (mut start, mut in_piece) = (self.start, self.in_piece);
        let (mut safe, mut safe_end) = (self.safe, self.safe_end);
        while start < end {
            let mut next = start + 1;
            while next < end {
                if next >= safe_end {
                    safe_end = next + BLOCK;
                    safe = safe_boundaries(simd, boundaries, &text[..end], next);
                }
                let ahead = safe >> (BLOCK - (safe_end - next));
                if ahead != 0 {
                    next += ahead.trailing_zeros() as usize;
                    break;
                }
                next = safe_end;
            }
            next = next.min(end);
            let is_fragment = in_piece || next < end;
            let Key(key) = seeds.key(text, start, next);
            let mark = if is_fragment { FRAGMENT } else { 0 };
            if !each(key | mark, End::new(next, is_fragment)) {
                // The next call searches from `start + 1` again, and the mask may start after that.
                safe_end = 0;
                break;
            }
            start = next;
            in_piece = true;
        }
        (self.start, self.safe, self.safe_end) = (start, safe, safe_end);
        self.in_piece = in_piece && start < end;
        if start == end {
            self.ends = &self.ends[1..];
            self.safe_end = 0;
        }
    }

    /// Returns whether the next chunk starts inside a piece.
    pub(super) fn is_in_piece(&self) -> bool {
        self.in_piece
    }
}

/// Returns the key of a piece of more than 15 bytes, if it is ASCII. Not inlined, to leave the registers to
/// the caller's loop.
#[inline(never)]
fn long_ascii_key(seeds: Seeds, piece: &[u8]) -> Option<Key> {
    piece.is_ascii().then(|| seeds.long_key(piece))
}

/// Returns a mask whose bit `n` is set if a safe boundary precedes `text[start + n]`. `start` is not 0.
#[inline(always)]
fn safe_boundaries<S: Simd>(simd: S, boundaries: &Boundaries, text: &[u8], start: usize) -> u64 {
    // The block with its two preceding bytes, zero if missing, and the six following ones.
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
    let non_ascii = simd.non_ascii(block);
    let before = non_ascii << 1 | u64::from(!around[1].is_ascii());
    let continuation = non_ascii & !simd.at_least(block, 0xC0);
    let within = u64::MAX >> BLOCK.saturating_sub(text.len() - start);
    let mut candidates = (non_ascii | before) & !continuation & within;
    if candidates == 0 {
        return 0;
    }
    let sets = boundaries.sets();
    let mut safe = 0;
    while candidates != 0 {
        let bit = candidates.trailing_zeros();
        candidates &= candidates - 1;
        let is_safe = around[bit as usize..]
            .first_chunk()
            .is_some_and(|&around| sets.is_safe(u64::from_le_bytes(around)));
        safe |= u64::from(is_safe) << bit;
    }
    safe
}

/// Size of a block plus two bytes before it and six after it, so that each of its boundaries has eight bytes
/// around it.
const AROUND: usize = 2 + BLOCK + 6;

#[cfg(test)]
mod tests {
    use super::super::piece_table::{GROUP, PieceTable, Prepared};
    use super::*;
    use crate::model::Model;
    use crate::pattern::{Pattern, PatternName};
    use crate::simd::Tier;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Random bytes that occur in characters of one to four bytes, with spaces, so that pieces are short and
    /// long.
    fn any_bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"\xE4\xB8\xA9\xC3\xA9\xF0\x9Faa "[..]);
        prop::collection::vec(byte, length)
    }

    /// Chunks longer than a block: when a group is full, the current mask may be that of a later block.
    fn any_long_chunks() -> impl Strategy<Value = Vec<u8>> {
        let letters = (1..200_usize).prop_map(|length| vec![b'a'; length]);
        let some = prop_oneof![
            letters,
            Just("\u{e9}\u{4e2d}".into()),
            Just("\u{4e2d}".into())
        ];
        prop::collection::vec(some, 1..8).prop_map(|some| some.concat())
    }

    proptest! {
        /// Groups have any size, because cutting a piece is interrupted whenever a group is full.
        #[test]
        fn chunks_end_at_safe_boundaries_and_cover_all_pieces(
            tokens in prop::collection::hash_set(any_bytes(2..6), 0..20),
            text in prop_oneof![any_bytes(0..60), any_bytes(60..700), any_long_chunks()],
            sizes in prop::collection::vec(1..=GROUP, 1..9),
        ) {
            let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
            let all = bytes.iter().map(|byte| &byte[..]);
            let all = all.chain(tokens.iter().map(Vec::as_slice));
            let pattern = Pattern::named(PatternName::Cl100k);
            let model = Model::from_ranks(pattern.clone(), all.zip(0..), []).unwrap();
            let boundaries = Boundaries::new(Arc::new(model));
            for tier in Tier::available() {
                let table = PieceTable::new(0);
                let mut splitter = pattern.split(&text);
                let mut spans = Spans::new();
                while splitter.fill(&mut spans).unwrap() {
                    for piece in spans.iter() {
                        let (bytes, end) = (&text[piece.clone()], piece.len());
                        let mut chunks = Chunks::of_piece(bytes, &end);
                        let mut group = [Prepared::NONE; GROUP];
                        let mut found = Vec::new();
                        let mut sizes = sizes.iter().cycle();
                        while !chunks.is_done() {
                            let group = &mut group[..*sizes.next().unwrap()];
                            let filled = table.prepare_cut(tier, &boundaries, &mut chunks, group);
                            prop_assert!(filled > 0);
                            found.extend(group[..filled].iter().map(|chunk| chunk.end));
                        }
                        let ends: Vec<usize> = found.iter().map(|end| end.offset()).collect();
                        prop_assert!(ends.is_sorted() && ends.last() == Some(&end));
                        prop_assert!(found.iter().all(|end| end.is_fragment() == (found.len() > 1)));
                        let is_safe = |&at: &usize| {
                            let ascii = bytes[at - 1].is_ascii() && bytes[at].is_ascii();
                            let crossed = tokens.iter().any(|token| {
                                (1..token.len()).any(|inside| {
                                    at.checked_sub(inside).is_some_and(|start| bytes[start..].starts_with(token))
                                })
                            });
                            !ascii && !crossed && bytes[at] & 0xC0 != 0x80
                        };
                        prop_assert!(ends[..ends.len() - 1].iter().all(is_safe));
                        // Without tokens of several bytes, every candidate is safe.
                        if tokens.is_empty() {
                            let want: Vec<usize> = (1..end).filter(is_safe).chain([end]).collect();
                            prop_assert_eq!(ends, want);
                        }
                    }
                }
            }
        }
    }
}

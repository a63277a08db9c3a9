//! Cutting pieces into chunks at safe boundaries.
//!
//! Merges never cross a boundary that no token crosses (`boundaries.rs`), so the ids of a piece are
//! those of its chunks. In scripts without spaces a piece is a whole sentence that hardly ever recurs,
//! while its chunks are a few thousand characters and words. So the table of pieces stores chunks.
//!
//! A piece of up to 15 bytes is looked up whole and cut only on a miss: most are words that recur.
//!
//! **Cost.** Masks of 64 bytes give the boundaries next to a non-ASCII character; each is tested with three
//! bits.

use super::boundaries::Boundaries;
use crate::hash::{Key, Seeds};
use crate::pattern::Spans;
use crate::simd::{BLOCK, Simd};

/// Marks the keys of parts. A whole piece that is a token gets that id unmerged; a part with the same bytes
/// is merged, so their ids may differ.
pub(super) const PART: u128 = 1 << 127;

/// The end of a chunk of text: of a piece, or of a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct End(usize);

impl End {
    #[inline(always)]
    pub(super) const fn new(place: usize, is_part: bool) -> Self {
        End(place << 1 | is_part as usize)
    }

    #[inline(always)]
    pub(super) fn place(self) -> usize {
        self.0 >> 1
    }

    /// Whether this is the end of a part of a piece, and not of a whole piece.
    #[inline(always)]
    pub(super) fn is_part(self) -> bool {
        self.0 & 1 == 1
    }
}

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

    /// Fills one slot for each of the next pieces, from its key and its end, up to a piece of more than 15
    /// bytes that has characters above ASCII; gives their number.
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

    /// Calls `each` with the key and the end of every chunk of the next piece, up to one for which `each`
    /// returns `false`. There is a next piece.
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
                // The block may begin behind `start + 1`, where the next call goes on.
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

/// The key of a piece of more than 15 bytes, if all are ASCII. Not inlined: the loop around it needs the
/// registers.
#[inline(never)]
fn long_ascii_key(seeds: Seeds, piece: &[u8]) -> Option<Key> {
    piece.is_ascii().then(|| seeds.long_key(piece))
}

/// Bit `n` is set where `text[start + n]` is the first byte behind a safe boundary. `start` is not 0.
#[inline(always)]
fn safe_boundaries<S: Simd>(simd: S, boundaries: &Boundaries, text: &[u8], start: usize) -> u64 {
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
    let non_ascii = simd.non_ascii(block);
    let before = non_ascii << 1 | u64::from(!around[1].is_ascii());
    let continues = non_ascii & !simd.at_least(block, 0xC0);
    let within = u64::MAX >> BLOCK.saturating_sub(text.len() - start);
    let mut candidates = (non_ascii | before) & !continues & within;
    if candidates == 0 {
        return 0;
    }
    let sets = boundaries.sets();
    let mut safe = 0;
    while candidates != 0 {
        let place = candidates.trailing_zeros();
        candidates &= candidates - 1;
        let is_safe = around[place as usize..]
            .first_chunk()
            .is_some_and(|&around| sets.is_safe(u64::from_le_bytes(around)));
        safe |= u64::from(is_safe) << place;
    }
    safe
}

/// Bytes of a block with two before it and six behind it: eight around each of its bytes.
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

    /// Bytes of characters of one to four, in words, so that pieces are short and long.
    fn any_bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"\xE4\xB8\xA9\xC3\xA9\xF0\x9Faa "[..]);
        prop::collection::vec(byte, length)
    }

    /// Chunks of more than a block, which end a group while the block behind their start is known.
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
        /// However much room the groups have, which decides where the cut of a piece is resumed.
        #[test]
        fn chunks_end_at_safe_boundaries_and_all_pieces_end(
            tokens in prop::collection::hash_set(any_bytes(2..6), 0..20),
            text in prop_oneof![any_bytes(0..60), any_bytes(60..700), any_long_chunks()],
            rooms in prop::collection::vec(1..=GROUP, 1..9),
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
                        let mut rooms = rooms.iter().cycle();
                        while !chunks.is_done() {
                            let group = &mut group[..*rooms.next().unwrap()];
                            let filled = table.prepare_cut(tier, &boundaries, &mut chunks, group);
                            prop_assert!(filled > 0);
                            found.extend(group[..filled].iter().map(|chunk| chunk.end));
                        }
                        let places: Vec<usize> = found.iter().map(|end| end.place()).collect();
                        prop_assert!(places.is_sorted() && places.last() == Some(&end));
                        prop_assert!(found.iter().all(|end| end.is_part() == (found.len() > 1)));
                        let is_safe = |&at: &usize| {
                            let ascii = bytes[at - 1].is_ascii() && bytes[at].is_ascii();
                            let crossed = tokens.iter().any(|token| {
                                (1..token.len()).any(|inside| {
                                    at.checked_sub(inside).is_some_and(|start| bytes[start..].starts_with(token))
                                })
                            });
                            !ascii && !crossed && bytes[at] & 0xC0 != 0x80
                        };
                        prop_assert!(places[..places.len() - 1].iter().all(is_safe));
                        // Without tokens no boundary is passed over.
                        if tokens.is_empty() {
                            let want: Vec<usize> = (1..end).filter(is_safe).chain([end]).collect();
                            prop_assert_eq!(places, want);
                        }
                    }
                }
            }
        }
    }
}

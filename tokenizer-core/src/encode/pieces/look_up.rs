//! Looking up a group of pieces in the table.
//!
//! First the keys of all are made and their lines asked for from memory; when they are looked at, the
//! lines have come. Each piece is one load of sixteen bytes, a multiplication, a comparison of two keys
//! at once, and four ids that are written whatever their number.

use super::{
    COPIED, ELSEWHERE, INLINE_IDS, Ids, Line, MET, PieceTable, line_of, second_line_of, tail,
};
use crate::arch::{Kernel, Simd, Tier, prefetch};
use crate::piece_key::{Key, Seeds, ShortSeeds};
use crate::token::TokenId;

/// Pieces that are looked up together.
pub(in crate::encode) const GROUP: usize = 64;

/// Ids of a group of known pieces, if few of them have many, and room for those that no one asked for.
pub(in crate::encode) const ROOM: usize = GROUP * INLINE_IDS + COPIED;

/// What came of looking up pieces.
pub(in crate::encode) struct Found {
    /// How many were found.
    pub(in crate::encode) pieces: usize,
    /// How many ids they have.
    pub(in crate::encode) ids: usize,
    /// Whether there was no room for those of the next piece.
    pub(in crate::encode) full: bool,
    /// Whether the next piece, if it has up to 27 bytes, is not in its lines, as far as they are those
    /// that were prepared.
    pub(in crate::encode) absent: bool,
}

/// A piece whose line was asked for.
#[derive(Clone, Copy)]
pub(in crate::encode) struct Prepared {
    pub(in crate::encode) key: Key,
    line: usize,
}

impl Prepared {
    pub(in crate::encode) const NONE: Self = Prepared {
        key: Key(0),
        line: 0,
    };
}

impl PieceTable {
    /// Makes the keys of a group of pieces that touch, and asks for their first lines from memory.
    #[inline]
    pub(in crate::encode) fn prepare(
        &self,
        tier: Tier,
        seeds: &Seeds,
        text: &[u8],
        start: usize,
        ends: &[usize],
        group: &mut [Prepared; GROUP],
    ) {
        tier.run(Prepare {
            lines: &self.lines,
            seeds: seeds.short(),
            text,
            start,
            ends,
            group,
        });
    }

    /// Looks up pieces that were prepared, until one is not found or there is no more room. Writes
    /// the ids of those found to the front of `ids`.
    #[inline]
    pub(in crate::encode) fn look_up(
        &mut self,
        tier: Tier,
        seeds: &Seeds,
        text: &[u8],
        ends: &[usize],
        group: &[Prepared],
        ids: &mut [TokenId; ROOM],
    ) -> Found {
        tier.run(LookUp {
            lines: &mut self.lines,
            seeds: seeds.short(),
            many: &self.many,
            text,
            ends,
            group,
            ids,
        })
    }
}

/// See [`PieceTable::prepare`].
struct Prepare<'p> {
    lines: &'p [Line],
    seeds: ShortSeeds,
    text: &'p [u8],
    start: usize,
    ends: &'p [usize],
    group: &'p mut [Prepared; GROUP],
}

impl Kernel for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let mut start = self.start;
        for (prepared, &end) in self.group.iter_mut().zip(self.ends) {
            let key = Key::of_head(self.text, start, end);
            let line = line_of(self.seeds.hash(key), self.lines.len());
            prefetch(self.lines, line);
            *prepared = Prepared { key, line };
            start = end;
        }
    }
}

/// See [`PieceTable::look_up`].
struct LookUp<'l> {
    lines: &'l mut [Line],
    seeds: ShortSeeds,
    many: &'l [TokenId],
    text: &'l [u8],
    ends: &'l [usize],
    group: &'l [Prepared],
    ids: &'l mut [TokenId; ROOM],
}

impl Kernel for LookUp<'_> {
    type Output = Found;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Found {
        let mut filled = 0;
        let mut full = false;
        let mut absent = false;
        let mut found = 0;
        for (Prepared { key, line }, &end) in self.group.iter().zip(self.ends) {
            if filled > ROOM - COPIED {
                full = true;
                break;
            }
            let Some(first) = self.lines.get_mut(*line) else {
                break;
            };
            let overfull = first.is_overfull();
            let mut known = find_in(simd, first, key);
            if known.is_none() && overfull {
                let second = second_line_of(self.seeds.hash(*key), self.lines.len());
                let second = self.lines.get_mut(second);
                known = second.and_then(|second| find_in(simd, second, key));
            }
            let Some(known) = known else {
                absent = true;
                break;
            };
            let room = &mut self.ids[filled..];
            let mut count = known.count();
            // Four are written, whatever their number.
            known.write(&mut room[..INLINE_IDS]);
            if key.is_head() || count == ELSEWHERE {
                let tail = key.is_head().then(|| tail(self.text, end));
                match known.write_long(tail, self.many, &mut room[..COPIED]) {
                    Some(written) => count = written,
                    None => break,
                }
            }
            filled += count;
            found += 1;
        }
        Found {
            pieces: found,
            ids: filled,
            full,
            absent,
        }
    }
}

/// The ids of the piece in this line, which is met now.
#[inline(always)]
fn find_in<'l, S: Simd>(simd: S, line: &'l mut Line, key: &Key) -> Option<&'l Ids> {
    let which = simd.which(&line.keys, &key.0);
    if which == 0 {
        return None;
    }
    let ids = &mut line.ids[(which >> 1) as usize & 1];
    if !ids.is_met() {
        ids.0[0] |= MET;
    }
    Some(ids)
}

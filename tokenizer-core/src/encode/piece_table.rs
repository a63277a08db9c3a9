//! The table of pieces: the ids of what a session has encoded lately.
//!
//! One open-addressing table with linear probing. A slot is 32 bytes, two to a cache line: the key of
//! a piece (`hash.rs`) and up to four ids in 16 bytes, their number in the top byte of the first. More
//! ids, and the bytes of a piece of more than 15, are in an arena. A hit is one cache line, one
//! comparison and one 16-byte store, whatever the number of ids.
//!
//! **Invariant.** An entry equals what merging gives. Losing one costs time and never changes ids.
//!
//! **Bound.** The table doubles when it is half full, up to three quarters of the bytes
//! allowed; then a piece that finds no free slot within [`PROBES`] lines replaces one there, in turn.
//! The arena has two halves, filled in turn; the slots that point to a half go when it is filled again.

use super::boundaries::Boundaries;
use super::chunks::{Chunks, End, PART};
use crate::hash::{Key, Seeds};
use crate::simd::{Appender, Kernel, Simd, Tier, advise_huge_pages, prefetch, sixteen_bytes};
use crate::token::{MAX_TOKEN_ID, TokenId};

/// See the module.
pub(super) struct PieceTable {
    seeds: Seeds,
    /// [`PROBES`] - 1 more than are addressed, so that no probe leaves the table.
    lines: Vec<Line>,
    /// Slots in use.
    used: usize,
    most_lines: usize,
    arena: Vec<u8>,
    /// Where the next entry of the arena begins.
    filled: usize,
    /// Bytes of half the arena when it is full.
    half: usize,
    /// The slot that is replaced next, among those of a full stretch.
    victim: usize,
}

/// A cache line: two slots. The first is filled first.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    keys: [u128; 2],
    ids: [Ids; 2],
}

/// Up to four ids, the first in the lowest bits, or the entry of the arena that has them.
#[derive(Clone, Copy)]
struct Ids(u128);

/// Ids in a slot.
const INLINE_IDS: usize = 4;

/// The number of ids, in the top byte of the first: above any id.
const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

/// Instead of the number of ids: they are in the arena. Then the slot has the place, the number of
/// ids, and the number of bytes behind them.
const ELSEWHERE: u32 = 255;

/// Pieces that are looked up together, so that their cache lines are fetched side by side.
pub(super) const GROUP: usize = 32;

/// Lines in which a piece may be.
const PROBES: usize = 4;

/// 16 KiB.
const FIRST_LINES: usize = 1 << 8;

/// The key of a slot whose entry in the arena is gone.
const GONE: u128 = u128::MAX;

const FREE: Line = Line {
    keys: [0; 2],
    ids: [Ids(0); 2],
};

impl Ids {
    fn new(words: [u32; INLINE_IDS], count: u32) -> Self {
        let words = words.iter().rev();
        let all = words.fold(0, |all, &word| all << 32 | u128::from(word));
        Ids(all | u128::from(count) << COUNT)
    }

    /// How many there are, or [`ELSEWHERE`].
    #[inline(always)]
    fn count(self) -> u32 {
        self.0 as u32 >> COUNT
    }

    /// The ids without their number.
    #[inline(always)]
    fn ids(self) -> u128 {
        self.0 & !(0xFF << COUNT)
    }

    /// Word `number` of four.
    #[inline(always)]
    fn word(self, number: u32) -> usize {
        (self.ids() >> (32 * number)) as u32 as usize
    }

    /// The bytes of the ids in the arena; `None` if the entry is that of another long chunk with the same key.
    #[inline(always)]
    fn elsewhere<'a>(self, arena: &'a [u8], chunk: &[u8]) -> Option<&'a [u8]> {
        let (place, count, bytes) = (self.word(1), self.word(2), self.word(3));
        let (made, rest) = arena[place..].split_at(4 * count);
        (bytes == 0 || &rest[..bytes] == chunk).then_some(made)
    }
}

/// A chunk whose cache line is being fetched.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    key: u128,
    line: usize,
    pub(super) end: End,
}

impl Prepared {
    pub(super) const NONE: Self = Prepared {
        key: 0,
        line: 0,
        end: End::new(0, false),
    };

    pub(super) fn key(self) -> u128 {
        self.key
    }

    pub(super) fn line(self) -> usize {
        self.line
    }
}

impl PieceTable {
    /// A table that takes up to `bytes`, but at least 16 KiB.
    pub(super) fn new(bytes: usize) -> Self {
        let line_bytes = bytes / 4 * 3;
        PieceTable {
            seeds: Seeds::new(),
            lines: table(FIRST_LINES),
            used: 0,
            most_lines: (line_bytes / size_of::<Line>()).max(FIRST_LINES),
            arena: Vec::new(),
            filled: 0,
            half: ((bytes - line_bytes) / 2).clamp(1 << 12, u32::MAX as usize / 2),
            victim: 0,
        }
    }

    /// Lines that are addressed.
    fn addressed(&self) -> usize {
        self.lines.len() - (PROBES - 1)
    }

    /// Makes the keys of the next chunks and fetches their lines; gives their number, 0 at the end of the
    /// run.
    #[inline]
    pub(super) fn prepare(
        &mut self,
        tier: Tier,
        boundaries: &Boundaries,
        chunks: &mut Chunks<'_>,
        group: &mut [Prepared; GROUP],
    ) -> usize {
        let mut filled = 0;
        while filled < GROUP && !chunks.is_done() {
            if !chunks.is_in_piece() {
                filled += tier.run(WholePieces {
                    table: self,
                    chunks,
                    group: &mut group[filled..],
                });
            }
            if filled < GROUP && !chunks.is_done() {
                filled += self.prepare_cut(tier, boundaries, chunks, &mut group[filled..]);
            }
        }
        filled
    }

    /// As [`PieceTable::prepare`], of one piece, without growing the table.
    pub(super) fn prepare_cut(
        &self,
        tier: Tier,
        boundaries: &Boundaries,
        chunks: &mut Chunks<'_>,
        group: &mut [Prepared],
    ) -> usize {
        tier.run(Cut {
            table: self,
            boundaries,
            chunks,
            group,
        })
    }

    /// Appends the ids of the first chunks of a group to `ids`, up to one that is not in the table or has
    /// more than four ids; gives the number of these chunks. The first begins at `text[start]`.
    #[inline]
    pub(super) fn look_up(
        &self,
        tier: Tier,
        text: &[u8],
        start: usize,
        group: &[Prepared],
        ids: &mut Vec<TokenId>,
    ) -> usize {
        tier.run(LookUp {
            lines: &self.lines,
            arena: &self.arena,
            text,
            start,
            group,
            ids,
        })
    }

    /// Appends the ids of a chunk, from a slot or the arena; `false` if it is not in the table.
    #[inline]
    pub(super) fn append(&self, prepared: Prepared, chunk: &[u8], ids: &mut Vec<TokenId>) -> bool {
        for line in &self.lines[prepared.line..prepared.line + PROBES] {
            for (&key, &found) in line.keys.iter().zip(&line.ids) {
                if key == 0 {
                    return false;
                }
                if key == prepared.key && self.append_found(found, chunk, ids) {
                    return true;
                }
            }
        }
        false
    }

    /// Appends the ids of a slot; `false` if it is that of another long chunk with the same key.
    fn append_found(&self, found: Ids, chunk: &[u8], ids: &mut Vec<TokenId>) -> bool {
        if found.count() != ELSEWHERE {
            Appender::new(ids, 1).push(found.ids(), found.count() as usize);
            return true;
        }
        let Some(made) = found.elsewhere(&self.arena, chunk) else {
            return false;
        };
        let words = made.chunks_exact(4);
        ids.extend(words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        true
    }

    /// Stores the ids of a chunk that is not in the table, unless they are more than the arena allows for
    /// one entry. The table may grow: what was prepared before is of no use then.
    pub(super) fn insert(&mut self, key: u128, chunk: &[u8], ids: &[TokenId]) {
        if self.used >= self.addressed() && self.addressed() < self.most_lines {
            self.grow();
        }
        let is_long = Key(key & !PART).is_long();
        let found = match ids.len() {
            1..=INLINE_IDS if !is_long => {
                let mut words = [0; INLINE_IDS];
                words[..ids.len()].copy_from_slice(ids);
                Ids::new(words, ids.len() as u32)
            }
            count => {
                let bytes = if is_long { chunk } else { &[] };
                // A sixteenth of a half, so that one chunk never displaces many.
                if 4 * count + bytes.len() > self.half / 16 {
                    return;
                }
                let place = self.keep(bytes, ids) as u32;
                Ids::new([0, place, count as u32, bytes.len() as u32], ELSEWHERE)
            }
        };
        self.put(line_of(self.seeds, key, self.addressed()), key, found);
    }

    /// Writes an entry of the arena: ids, and the bytes of a long chunk.
    fn keep(&mut self, bytes: &[u8], ids: &[TokenId]) -> usize {
        let needed = 4 * ids.len() + bytes.len();
        let in_second = self.filled > self.half;
        let end = if in_second { 2 * self.half } else { self.half };
        if self.filled + needed > end {
            self.filled = if in_second { 0 } else { self.half + 1 };
            self.forget(self.filled);
        }
        let place = self.filled;
        if self.arena.len() < place + needed {
            let length = (2 * (place + needed)).min(2 * self.half + 1);
            self.arena.resize(length.max(place + needed), 0);
        }
        let (made, rest) = self.arena[place..place + needed].split_at_mut(4 * ids.len());
        for (word, id) in made.chunks_exact_mut(4).zip(ids) {
            word.copy_from_slice(&id.to_le_bytes());
        }
        rest.copy_from_slice(bytes);
        self.filled += needed;
        place
    }

    /// Empties the slots whose entries are in the half of the arena that begins at `start`.
    #[cold]
    fn forget(&mut self, start: usize) {
        let gone = start..start + self.half;
        for line in &mut self.lines {
            for (key, ids) in line.keys.iter_mut().zip(&line.ids) {
                if ids.count() == ELSEWHERE && gone.contains(&ids.word(1)) {
                    *key = GONE;
                }
            }
        }
    }

    fn put(&mut self, home: usize, key: u128, ids: Ids) {
        let free = (2 * home..2 * (home + PROBES))
            .map(|slot| (slot / 2, slot % 2))
            .find(|&(line, place)| {
                let there = self.lines[line].keys[place];
                there == 0 || there == GONE || there == key
            });
        let (line, place) = free.unwrap_or_else(|| {
            self.victim = self.victim.wrapping_add(1);
            (home + self.victim / 2 % PROBES, self.victim % 2)
        });
        let slot = &mut self.lines[line];
        self.used += usize::from(slot.keys[place] == 0);
        slot.keys[place] = key;
        slot.ids[place] = ids;
    }

    #[cold]
    fn grow(&mut self) {
        let addressed = (2 * self.addressed()).min(self.most_lines);
        let old = std::mem::replace(&mut self.lines, table(addressed));
        self.used = 0;
        for line in &old {
            for (&key, &ids) in line.keys.iter().zip(&line.ids) {
                if key != 0 && key != GONE {
                    self.put(line_of(self.seeds, key, addressed), key, ids);
                }
            }
        }
    }
}

/// Free lines, in huge pages where the system has them.
fn table(addressed: usize) -> Vec<Line> {
    let lines = addressed + PROBES - 1;
    let mut table = Vec::with_capacity(lines);
    advise_huge_pages(table.spare_capacity_mut());
    table.resize(lines, FREE);
    table
}

/// The first line of a key: its hash as a fraction of all lines.
#[inline(always)]
fn line_of(seeds: Seeds, key: u128, lines: usize) -> usize {
    let hash = u128::from(seeds.hash(Key(key)));
    ((hash * lines as u128) >> 64) as usize
}

/// Prepares pieces that are not cut; gives their number.
struct WholePieces<'p, 'c, 't> {
    table: &'p PieceTable,
    chunks: &'c mut Chunks<'t>,
    group: &'p mut [Prepared],
}

impl Kernel for WholePieces<'_, '_, '_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        let preparing = Preparing::new(self.table);
        let prepare = |prepared: &mut Prepared, key, end| *prepared = preparing.prepare(key, end);
        (self.chunks).whole_pieces(self.table.seeds, self.group, prepare)
    }
}

/// Prepares the chunks of a piece, up to its end; gives their number.
struct Cut<'p, 'c, 't> {
    table: &'p PieceTable,
    boundaries: &'p Boundaries,
    chunks: &'c mut Chunks<'t>,
    group: &'p mut [Prepared],
}

impl Kernel for Cut<'_, '_, '_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let preparing = Preparing::new(self.table);
        let mut filled = 0;
        let add = |key, end| match self.group.get_mut(filled) {
            Some(prepared) => {
                *prepared = preparing.prepare(key, end);
                filled += 1;
                true
            }
            None => false,
        };
        (self.chunks).cut(simd, self.table.seeds, self.boundaries, add);
        filled
    }
}

/// The parts of the table that are needed to prepare chunks, in registers.
struct Preparing<'p> {
    seeds: Seeds,
    lines: &'p [Line],
    addressed: usize,
}

impl<'p> Preparing<'p> {
    #[inline(always)]
    fn new(table: &'p PieceTable) -> Self {
        Preparing {
            seeds: table.seeds,
            lines: &table.lines,
            addressed: table.addressed(),
        }
    }

    /// Fetches the line of a chunk.
    #[inline(always)]
    fn prepare(&self, key: u128, end: End) -> Prepared {
        let line = line_of(self.seeds, key, self.addressed);
        prefetch(self.lines, line);
        Prepared { key, line, end }
    }
}

/// See [`PieceTable::look_up`].
struct LookUp<'l> {
    lines: &'l [Line],
    arena: &'l [u8],
    text: &'l [u8],
    start: usize,
    group: &'l [Prepared],
    ids: &'l mut Vec<TokenId>,
}

impl Kernel for LookUp<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let mut ids = Appender::new(self.ids, GROUP);
        for (known, Prepared { key, line, end }) in self.group.iter().enumerate() {
            let Some(&found) = find(simd, &self.lines[*line..*line + PROBES], key) else {
                return known;
            };
            if found.count() != ELSEWHERE {
                ids.push(found.ids(), found.count() as usize);
                continue;
            }
            let before = known.checked_sub(1).map(|before| self.group[before].end);
            let start = before.map_or(self.start, End::place);
            let chunk = &self.text[start..end.place()];
            let Some((four, count)) = few_elsewhere(found, self.arena, chunk) else {
                return known;
            };
            ids.push(four, count);
        }
        self.group.len()
    }
}

/// Up to four ids in the arena, and their number.
#[inline(never)]
fn few_elsewhere(found: Ids, arena: &[u8], chunk: &[u8]) -> Option<(u128, usize)> {
    let made = found.elsewhere(arena, chunk)?;
    (made.len() <= 4 * INLINE_IDS).then(|| (sixteen_bytes(made, 0), made.len() / 4))
}

#[inline(always)]
fn find<'l, S: Simd>(simd: S, lines: &'l [Line], key: &u128) -> Option<&'l Ids> {
    for line in lines {
        let which = simd.which(&line.keys, key);
        if which != 0 {
            return Some(&line.ids[(which >> 1) as usize & 1]);
        }
        if line.keys[1] == 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Prepares a piece without cutting it, as the first of a group.
    fn prepared(table: &mut PieceTable, piece: &[u8], is_part: bool) -> Prepared {
        let Key(key) = table.seeds.key(piece, 0, piece.len());
        let key = key | if is_part { PART } else { 0 };
        let line = line_of(table.seeds, key, table.addressed());
        let end = End::new(piece.len(), is_part);
        Prepared { key, line, end }
    }

    /// The ids of a piece, if the table has them: the look-up of a group finds the same, up to four.
    fn found(table: &PieceTable, prepared: Prepared, piece: &[u8]) -> Option<Vec<TokenId>> {
        let (mut quick, mut all) = (vec![7], vec![7]);
        let known = table.look_up(Tier::best(), piece, 0, &[prepared], &mut quick);
        let is_there = table.append(prepared, piece, &mut all);
        assert_eq!(known == 1, is_there && all.len() <= 1 + INLINE_IDS);
        assert!(known == 0 || quick == all);
        is_there.then(|| all.split_off(1))
    }

    proptest! {
        /// In tables of 16 KiB, in which most pieces replace others, and in one with room for all.
        #[test]
        fn ids_are_those_that_were_stored(
            pieces in prop::collection::vec(prop_oneof![
                2 => "[a-d]{1,5}", 3 => "[a-z]{12,30}", 1 => "[ab]{1,40}", 1 => "a{15,300}",
            ], 1..80),
            counts in prop::collection::vec(prop_oneof![4 => 1..6_usize, 1 => 6..40_usize], 80),
            asked in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 400),
            bytes in prop::sample::select(&[0, 1 << 14, 1 << 20][..]),
        ) {
            let mut table = PieceTable::new(bytes);
            let mut stored: HashMap<(usize, bool), Vec<TokenId>> = HashMap::new();
            let (mut known, mut lost) = (0, 0);
            for (number, (asked, is_part)) in asked.iter().enumerate() {
                let asked = asked.index(pieces.len());
                let piece = pieces[asked].as_bytes();
                let prepared = prepared(&mut table, piece, *is_part);
                let there = found(&table, prepared, piece);
                let want = stored.get(&(asked, *is_part));
                if let Some(there) = there {
                    // The same text may have been stored for another number.
                    let is_stored = stored.iter().any(|((other, part), ids)| {
                        part == is_part && pieces[*other] == pieces[asked] && *ids == there
                    });
                    prop_assert!(is_stored);
                    known += 1;
                } else {
                    lost += usize::from(want.is_some());
                    let first = (number * 64) as TokenId;
                    let ids: Vec<TokenId> = (first..).take(counts[asked]).collect();
                    table.insert(prepared.key, piece, &ids);
                    stored.insert((asked, *is_part), ids);
                }
            }
            prop_assert_eq!(known + lost + stored.len(), asked.len());
            // A table that is less than half full may have a full stretch, but hardly ever.
            prop_assert!(bytes < 1 << 20 || lost <= asked.len() / 20);
        }
    }

    #[test]
    fn a_full_table_stays_within_its_bytes_and_is_right() {
        for bytes in [0, 1 << 16, 1 << 20] {
            let mut table = PieceTable::new(bytes);
            let piece = |number: usize| format!("{number:0$}", 3 + number % 40);
            for number in 0..60_000 {
                let piece = piece(number);
                let prepared = prepared(&mut table, piece.as_bytes(), false);
                let ids = vec![number as TokenId; 1 + number % 9];
                match found(&table, prepared, piece.as_bytes()) {
                    Some(there) => assert_eq!(there, ids),
                    None => table.insert(prepared.key, piece.as_bytes(), &ids),
                }
            }
            let mut kept = 0;
            for number in 0..60_000 {
                let piece = piece(number);
                let prepared = prepared(&mut table, piece.as_bytes(), false);
                if let Some(there) = found(&table, prepared, piece.as_bytes()) {
                    assert_eq!(there, vec![number as TokenId; 1 + number % 9]);
                    kept += 1;
                }
            }
            assert!(kept > 0, "{bytes}");
            let taken = size_of_val(&table.lines[..]) + table.arena.len();
            let least = (FIRST_LINES + PROBES) * size_of::<Line>() + (2 << 12) + 1;
            assert!(
                taken <= (bytes + PROBES * size_of::<Line>() + 1).max(least),
                "{taken}"
            );
        }
    }
}

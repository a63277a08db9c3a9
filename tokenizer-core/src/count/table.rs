//! The hash table in which a thread counts pieces.
//!
//! Open addressing with linear probing. A slot is 32 bytes, two to a cache line: a 16-byte key (`hash.rs`), a
//! count, and the arena offset of the piece if it is too long for the key.
//!
//! Runs of pieces from the splitter are counted in groups: first the keys of a group are computed and their
//! slots prefetched, then the slots are updated.
//!
//! **Cost.** A known piece costs a load, a multiplication and one cache line; so does a new one of up to 15
//! bytes. A longer new piece is also copied to the arena. At most three quarters of the slots are in use.

mod sorted;

pub(super) use self::sorted::SortedTable;

use crate::hash::Key;
pub(super) use crate::hash::Seeds;
use crate::pattern::Spans;
use crate::simd::prefetch;
use crate::token::Count;

/// Maps pieces to counts.
pub(super) struct PieceTable {
    /// The length is a power of two.
    slots: Vec<Slot>,
    /// Shift from a hash to the index of its first slot.
    shift: u32,
    used: usize,
    /// The bytes of the pieces of more than 15 bytes.
    arena: Vec<u8>,
    seeds: Seeds,
}

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    count: Count,
    /// The arena offset of a long piece.
    offset: usize,
}

/// A piece in a table, with its hash and count.
pub(super) struct Entry<'t> {
    slot: &'t Slot,
    pub(super) hash: u64,
    pub(super) count: Count,
}

/// The number of slots of a new table: 32 KiB, so that counting a short text is cheap.
const INITIAL_SLOTS: usize = 1 << 10;

/// The number of pieces whose slots are prefetched together.
const GROUP: usize = 32;

const EMPTY: Slot = Slot {
    key: Key(0),
    count: 0,
    offset: 0,
};

impl Slot {
    /// Returns the bytes of the piece. A short piece is copied to `short`.
    fn piece<'a>(&self, arena: &'a [u8], short: &'a mut [u8; 16]) -> &'a [u8] {
        let length = self.key.length();
        if self.key.is_long() {
            return &arena[self.offset..self.offset + length];
        }
        *short = self.key.0.to_le_bytes();
        &short[..length]
    }
}

impl PieceTable {
    pub(super) fn new(seeds: Seeds) -> Self {
        PieceTable {
            slots: vec![EMPTY; INITIAL_SLOTS],
            shift: 64 - INITIAL_SLOTS.trailing_zeros(),
            used: 0,
            arena: Vec::new(),
            seeds,
        }
    }

    pub(super) fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// The number of slots.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Adds 1 to the count of each piece of a run.
    #[inline]
    pub(super) fn add_run(&mut self, text: &[u8], spans: &Spans) {
        let mut start = spans.start();
        let mut group = [(Key(0), 0u64, 0usize, 0usize); GROUP];
        for ends in spans.ends().chunks(GROUP) {
            // Growing now keeps the prefetched slots valid for the whole group.
            if self.is_full_with(GROUP) {
                self.grow();
            }
            for (entry, &end) in group.iter_mut().zip(ends) {
                let key = self.seeds.key(text, start, end);
                let hash = self.seeds.hash(key);
                prefetch(&self.slots, (hash >> self.shift) as usize);
                *entry = (key, hash, start, end);
                start = end;
            }
            for &(key, hash, start, end) in &group[..ends.len()] {
                let slot = self.find(key, hash, &text[start..end]);
                // Cannot overflow: a table filled from runs only ever counts up by one.
                self.slots[slot].count += 1;
            }
        }
    }

    /// Returns the pieces whose hashes start with the `bits` bits of `range`. The table must have at least
    /// `1 << bits` slots.
    pub(super) fn entries(&self, range: usize, bits: u32) -> impl Iterator<Item = Entry<'_>> {
        let width = self.slots.len() >> bits;
        let homes = range * width..(range + 1) * width;
        // Pieces displaced by collisions follow the range, up to the first free slot. The table wraps around.
        let last = self.slots.len() - 1;
        let displaced = (homes.end..homes.start + self.slots.len())
            .map(move |at| at & last)
            .take_while(|&at| self.slots[at].key != Key(0));
        homes.clone().chain(displaced).filter_map(move |at| {
            let slot = &self.slots[at];
            let hash = self.seeds.hash(slot.key);
            let home = (hash >> self.shift) as usize;
            (slot.key != Key(0) && homes.contains(&home)).then_some(Entry {
                slot,
                hash,
                count: slot.count,
            })
        })
    }

    /// Returns the bytes of an entry's piece. A short piece is copied to `short`.
    pub(super) fn piece<'a>(&'a self, entry: &Entry<'_>, short: &'a mut [u8; 16]) -> &'a [u8] {
        entry.slot.piece(&self.arena, short)
    }

    /// Returns whether an entry of this table and an entry of another one are the same piece.
    pub(super) fn same_piece(&self, own: &Entry<'_>, other: &Self, theirs: &Entry<'_>) -> bool {
        let (own, theirs) = (own.slot, theirs.slot);
        own.key == theirs.key
            && (!own.key.is_long()
                || other.arena[theirs.offset..]
                    .starts_with(&self.arena[own.offset..own.offset + own.key.length()]))
    }

    /// Returns the slot of a piece, inserting the piece if it is new.
    #[inline(always)]
    fn find(&mut self, key: Key, hash: u64, piece: &[u8]) -> usize {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = &self.slots[at];
            if slot.key == key && (!key.is_long() || self.same_long(slot.offset, piece)) {
                return at;
            }
            if slot.key == Key(0) {
                self.insert_at(at, key, piece);
                return at;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline(never)]
    fn same_long(&self, offset: usize, piece: &[u8]) -> bool {
        self.arena[offset..].starts_with(piece)
    }

    /// Inserts a piece with count 0 at a free slot.
    #[inline(never)]
    fn insert_at(&mut self, at: usize, key: Key, piece: &[u8]) {
        self.used += 1;
        let offset = self.arena.len();
        if key.is_long() {
            self.arena.extend_from_slice(piece);
        }
        self.slots[at] = Slot {
            key,
            count: 0,
            offset,
        };
    }

    /// Returns whether `pieces` new pieces would fill more than three quarters of the slots. Growing at one
    /// half would not make searches faster, and the first access to the additional memory costs more than all
    /// look-ups in it.
    fn is_full_with(&self, pieces: usize) -> bool {
        self.used + pieces > self.slots.len() / 4 * 3
    }

    #[cold]
    fn grow(&mut self) {
        let doubled = vec![EMPTY; self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, doubled);
        self.shift -= 1;
        let last = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| slot.key != Key(0)) {
            let mut at = (self.seeds.hash(slot.key) >> self.shift) as usize;
            while self.slots[at].key != Key(0) {
                at = (at + 1) & last;
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::count::merge::merge;
    use crate::pattern::Pattern;
    use crate::piece_counts::PieceCounts;
    use proptest::prelude::*;

    fn counted(counts: &PieceCounts) -> HashMap<Vec<u8>, Count> {
        let all: HashMap<Vec<u8>, Count> = counts.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        assert_eq!(all.len(), counts.len(), "pieces are distinct");
        all
    }

    #[test]
    fn a_large_and_a_small_table_are_merged() {
        let pattern = Pattern::regex("[^\n]*\n", Default::default()).unwrap();
        let seeds = Seeds::new();
        let table = |numbers: std::ops::Range<u32>| {
            let text: String = numbers.map(|number| format!("{number}\n")).collect();
            let mut table = PieceTable::new(seeds);
            let mut splitter = pattern.split(text.as_bytes());
            let mut spans = Spans::new();
            while splitter.fill(&mut spans).unwrap() {
                table.add_run(text.as_bytes(), &spans);
            }
            table
        };
        let counts = merge(&[table(0..300_000), table(299_990..300_010)], 2).unwrap();
        let by_piece = counted(&counts);
        assert_eq!(by_piece.len(), 300_010);
        assert_eq!(counts.total(), 300_020);
        assert_eq!((by_piece[&b"299990\n"[..]], by_piece[&b"7\n"[..]]), (2, 1));
    }

    proptest! {
        #[test]
        fn counts_equal_those_of_a_map(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(prop::sample::select(&b"ab\0"[..]), 1..4),
                    prop::collection::vec(prop::sample::select(&b"a\0\xFF"[..]), 12..20),
                    prop::collection::vec(any::<u8>(), 1..40),
                ],
                0..3000,
            ),
            tables in 1usize..5,
            threads in 1usize..4,
        ) {
            // Each piece is a line, so that any pieces can be joined to a text.
            let pattern = Pattern::regex("(?s:[^\n]*)\n", Default::default()).unwrap();
            let mut text = Vec::new();
            let mut want: HashMap<Vec<u8>, Count> = HashMap::new();
            for piece in &pieces {
                let mut piece: Vec<u8> = piece.iter().map(|&b| if b == b'\n' { b'x' } else { b }).collect();
                piece.push(b'\n');
                text.extend_from_slice(&piece);
                *want.entry(piece).or_default() += 1;
            }
            let seeds = Seeds::new();
            let table = || {
                let mut table = PieceTable::new(seeds);
                let mut splitter = pattern.split(&text);
                let mut spans = Spans::new();
                while splitter.fill(&mut spans).unwrap() {
                    table.add_run(&text, &spans);
                }
                table
            };
            let mut all: Vec<PieceTable> = (0..tables).map(|_| table()).collect();
            // Also merge a smaller table and an empty one.
            let mut small = PieceTable::new(seeds);
            let mut splitter = pattern.split(b"a\n");
            let mut spans = Spans::new();
            splitter.fill(&mut spans).unwrap();
            small.add_run(b"a\n", &spans);
            all.push(small);
            all.push(PieceTable::new(seeds));
            for count in want.values_mut() {
                *count *= tables as Count;
            }
            *want.entry(b"a\n".to_vec()).or_default() += 1;
            prop_assert_eq!(counted(&merge(&all, threads).unwrap()), want);
        }
    }
}

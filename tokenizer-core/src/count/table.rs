//! The table in which one thread counts pieces.
//!
//! A slot is 32 bytes, two to a cache line: a key of 16 bytes (`hash.rs`), the count, and a
//! place in the arena, where the bytes of a piece stand that is longer than its key.
//!
//! Pieces come in runs from the splitter. The keys of a group of them are made first, and their
//! slots asked for from memory; by the time the group is looked up, the slots have come.
//!
//! **Cost.** For a known piece a load, a multiplication and one cache line; a new piece of up to 15
//! bytes the same, a longer one is copied once. At most three quarters of the slots are in use.

mod sorted;

pub(super) use self::sorted::SortedTable;

use crate::hash::Key;
pub(super) use crate::hash::Seeds;
use crate::pattern::Spans;
use crate::simd::prefetch;
use crate::token::Count;

/// Counts of distinct pieces.
pub(super) struct PieceTable {
    /// Their number is a power of two.
    slots: Vec<Slot>,
    /// How far a hash is shifted down to be the number of a slot.
    shift: u32,
    used: usize,
    arena: Vec<u8>,
    seeds: Seeds,
}

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    count: Count,
    /// Where the bytes of a long piece begin in the arena.
    place: usize,
}

/// A piece in a table, with its hash and its count.
pub(super) struct Entry<'t> {
    slot: &'t Slot,
    pub(super) hash: u64,
    pub(super) count: Count,
}

/// Slots of a new table: 32 KiB, so that counting a few words costs no megabytes.
const FIRST_SLOTS: usize = 1 << 10;

/// Pieces whose slots are asked for together.
const GROUP: usize = 32;

const EMPTY: Slot = Slot {
    key: Key(0),
    count: 0,
    place: 0,
};

impl Slot {
    /// The bytes of the piece, which may be put into `short`.
    fn piece<'a>(&self, arena: &'a [u8], short: &'a mut [u8; 16]) -> &'a [u8] {
        let length = self.key.length();
        if self.key.is_long() {
            return &arena[self.place..self.place + length];
        }
        *short = self.key.0.to_le_bytes();
        &short[..length]
    }
}

impl PieceTable {
    pub(super) fn new(seeds: Seeds) -> Self {
        PieceTable {
            slots: vec![EMPTY; FIRST_SLOTS],
            shift: 64 - FIRST_SLOTS.trailing_zeros(),
            used: 0,
            arena: Vec::new(),
            seeds,
        }
    }

    pub(super) fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Counts every piece of a run once.
    #[inline]
    pub(super) fn add_run(&mut self, text: &[u8], spans: &Spans) {
        let mut start = spans.start();
        let mut group = [(Key(0), 0u64, 0usize, 0usize); GROUP];
        for ends in spans.ends().chunks(GROUP) {
            // No look-up of the group finds the table full.
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
                // One piece at a time never reaches 2^64.
                self.slots[slot].count += 1;
            }
        }
    }

    /// The pieces whose hashes begin with the `bits` bits `range`. There are at least so many slots.
    pub(super) fn entries(&self, range: usize, bits: u32) -> impl Iterator<Item = Entry<'_>> {
        let width = self.slots.len() >> bits;
        let homes = range * width..(range + 1) * width;
        // Behind the last slot of the range stand those that were displaced, up to the first free
        // one; behind the last slot of the table comes the first.
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

    /// The bytes of an entry's piece, which may be put into `short`.
    pub(super) fn piece<'a>(&'a self, entry: &Entry<'_>, short: &'a mut [u8; 16]) -> &'a [u8] {
        entry.slot.piece(&self.arena, short)
    }

    /// Whether an entry here and one of another table are the same piece.
    pub(super) fn same_piece(&self, here: &Entry<'_>, other: &Self, there: &Entry<'_>) -> bool {
        let (here, there) = (here.slot, there.slot);
        here.key == there.key
            && (!here.key.is_long()
                || other.arena[there.place..]
                    .starts_with(&self.arena[here.place..here.place + here.key.length()]))
    }

    /// The slot of a piece, which is taken for it if there was none.
    #[inline(always)]
    fn find(&mut self, key: Key, hash: u64, piece: &[u8]) -> usize {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = &self.slots[at];
            if slot.key == key && (!key.is_long() || self.same_long(slot.place, piece)) {
                return at;
            }
            if slot.key == Key(0) {
                self.take(at, key, piece);
                return at;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline(never)]
    fn same_long(&self, place: usize, piece: &[u8]) -> bool {
        self.arena[place..].starts_with(piece)
    }

    #[inline(never)]
    fn take(&mut self, at: usize, key: Key, piece: &[u8]) {
        self.used += 1;
        let place = self.arena.len();
        if key.is_long() {
            self.arena.extend_from_slice(piece);
        }
        self.slots[at] = Slot {
            key,
            count: 0,
            place,
        };
    }

    /// Whether so many more pieces, if they are new, leave fewer than a quarter of the slots free.
    /// With half of them free a look-up is no faster, and memory that is touched for the first time
    /// costs more than all look-ups in it.
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

    fn counted(words: &PieceCounts) -> HashMap<Vec<u8>, Count> {
        let all: HashMap<Vec<u8>, Count> = words.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        assert_eq!(all.len(), words.len(), "a piece is there once");
        all
    }

    #[test]
    fn a_large_table_and_a_small_one_are_put_together() {
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
        let words = merge(&[table(0..300_000), table(299_990..300_010)], 2).unwrap();
        let counts = counted(&words);
        assert_eq!(counts.len(), 300_010);
        assert_eq!(words.total(), 300_020);
        assert_eq!((counts[&b"299990\n"[..]], counts[&b"7\n"[..]]), (2, 1));
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_map(
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
            // A piece is a line, so that any pieces can be one text.
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
            // One that is smaller than the others, and one that is empty.
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

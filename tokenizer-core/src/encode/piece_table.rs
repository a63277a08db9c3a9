//! The piece table: a bounded cache from chunks to their ids.
//!
//! One open-addressing table with linear probing. A bucket is a cache line with two 32-byte slots. A slot
//! contains a 16-byte key (`hash.rs`) and up to four ids in 16 bytes, with their count in the top byte of
//! the first id. Longer id lists are in an arena; so are all ids of chunks longer than 15 bytes, together
//! with the bytes of the chunk. A hit usually costs one cache line, one comparison and one 16-byte store,
//! for any number of ids up to four.
//!
//! **Invariant.** An entry holds the ids that encoding its chunk yields. So evicting it costs time but never
//! changes ids.
//!
//! **Bound.** The table doubles when half of its slots are used, up to three quarters of the allowed bytes;
//! the rest is for the arena. A chunk that finds no free slot within [`PROBES`] buckets replaces one of
//! their entries, round robin. The arena has two halves, filled alternately; before a half is filled again,
//! the slots that point into it are freed.

use super::boundaries::Boundaries;
use super::chunks::{Chunks, End, FRAGMENT};
use crate::hash::{Key, Seeds};
use crate::simd::{Appender, Kernel, Simd, Tier, advise_huge_pages, prefetch, sixteen_bytes};
use crate::token::{MAX_TOKEN_ID, TokenId};

/// A bounded cache from chunks to ids: see the module documentation.
pub(super) struct PieceTable {
    seeds: Seeds,
    /// The number addressed by hash plus [`PROBES`] - 1, so that no probe leaves the table.
    buckets: Vec<Bucket>,
    used_slots: usize,
    max_buckets: usize,
    arena: Vec<u8>,
    /// The offset of the next arena entry.
    arena_next: usize,
    /// The size in bytes of half the arena.
    half_bytes: usize,
    /// Counts evictions, to choose the evicted slot among the probed buckets round robin.
    victim: usize,
}

/// Two slots in a cache line. The first one is filled first.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket {
    keys: [u128; 2],
    ids: [SlotIds; 2],
}

/// Up to four ids as a little-endian array, or a reference to an arena entry.
#[derive(Clone, Copy)]
struct SlotIds(u128);

/// Capacity of a slot in ids.
const INLINE_IDS: usize = 4;

/// The bit position of the id count, in the top byte of the first id: above any id.
const COUNT_SHIFT: u32 = MAX_TOKEN_ID.trailing_ones();

/// The count of a slot whose ids are in the arena. The other three words of its [`SlotIds`] are the offset of
/// the arena entry, the number of ids in it, and the length of the chunk stored after them (0 for a short
/// chunk, which is not stored).
const IN_ARENA: u32 = 255;

/// Number of chunks whose buckets are prefetched before the first of them is looked up.
pub(super) const GROUP: usize = 32;

/// Number of consecutive buckets that may contain a given chunk.
const PROBES: usize = 4;

/// Size of a new table: 16 KiB.
const INITIAL_BUCKETS: usize = 1 << 8;

/// The key of a slot whose arena entry was overwritten.
const TOMBSTONE: u128 = u128::MAX;

const FREE_BUCKET: Bucket = Bucket {
    keys: [0; 2],
    ids: [SlotIds(0); 2],
};

impl SlotIds {
    fn new(words: [u32; INLINE_IDS], count: u32) -> Self {
        let words = words.iter().rev();
        let all = words.fold(0, |all, &word| all << 32 | u128::from(word));
        SlotIds(all | u128::from(count) << COUNT_SHIFT)
    }

    /// The number of ids, or [`IN_ARENA`].
    #[inline(always)]
    fn count(self) -> u32 {
        self.0 as u32 >> COUNT_SHIFT
    }

    /// The ids, with the count masked out.
    #[inline(always)]
    fn ids(self) -> u128 {
        self.0 & !(0xFF << COUNT_SHIFT)
    }

    /// Word `index` of four.
    #[inline(always)]
    fn word(self, index: u32) -> usize {
        (self.ids() >> (32 * index)) as u32 as usize
    }

    /// Returns the ids in the arena as bytes, or `None` if the entry belongs to another long chunk with the
    /// same key.
    #[inline(always)]
    fn arena_ids<'a>(self, arena: &'a [u8], chunk: &[u8]) -> Option<&'a [u8]> {
        let (offset, count, length) = (self.word(1), self.word(2), self.word(3));
        let (ids, rest) = arena[offset..].split_at(4 * count);
        (length == 0 || &rest[..length] == chunk).then_some(ids)
    }
}

/// A chunk whose key has been computed and whose bucket has been prefetched.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    key: u128,
    bucket: usize,
    pub(super) end: End,
}

impl Prepared {
    pub(super) const NONE: Self = Prepared {
        key: 0,
        bucket: 0,
        end: End::new(0, false),
    };

    pub(super) fn key(self) -> u128 {
        self.key
    }

    pub(super) fn bucket(self) -> usize {
        self.bucket
    }
}

impl PieceTable {
    /// Creates a table that grows to about `bytes`, or to about 24 KiB if `bytes` is less than that.
    pub(super) fn new(bytes: usize) -> Self {
        let bucket_bytes = bytes / 4 * 3;
        PieceTable {
            seeds: Seeds::new(),
            buckets: free_buckets(INITIAL_BUCKETS),
            used_slots: 0,
            max_buckets: (bucket_bytes / size_of::<Bucket>()).max(INITIAL_BUCKETS),
            arena: Vec::new(),
            arena_next: 0,
            half_bytes: ((bytes - bucket_bytes) / 2).clamp(1 << 12, u32::MAX as usize / 2),
            victim: 0,
        }
    }

    /// The number of buckets addressed by hash.
    fn addressed(&self) -> usize {
        self.buckets.len() - (PROBES - 1)
    }

    /// Computes the keys of the next chunks and prefetches their buckets. Returns the number of chunks, 0 at
    /// the end of the run.
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

    /// Like [`PieceTable::prepare`], but only for the chunks of the next piece.
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

    /// Appends the ids of the chunks of a group to `ids`, in order. Stops at a miss or at a chunk of more
    /// than four ids. Returns the number of chunks before that. The first chunk starts at `text[start]`.
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
            buckets: &self.buckets,
            arena: &self.arena,
            text,
            start,
            group,
            ids,
        })
    }

    /// Appends the ids of a chunk, however many. Returns `false` on a miss.
    #[inline]
    pub(super) fn append_ids_of(
        &self,
        prepared: Prepared,
        chunk: &[u8],
        ids: &mut Vec<TokenId>,
    ) -> bool {
        for bucket in &self.buckets[prepared.bucket..prepared.bucket + PROBES] {
            for (&key, &found) in bucket.keys.iter().zip(&bucket.ids) {
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

    /// Appends the ids of a slot with the chunk's key. Returns `false` if the slot belongs to another long
    /// chunk.
    fn append_found(&self, found: SlotIds, chunk: &[u8], ids: &mut Vec<TokenId>) -> bool {
        if found.count() != IN_ARENA {
            Appender::new(ids, 1).push(found.ids(), found.count() as usize);
            return true;
        }
        let Some(bytes) = found.arena_ids(&self.arena, chunk) else {
            return false;
        };
        let words = bytes.chunks_exact(4);
        ids.extend(words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        true
    }

    /// Stores the ids of a chunk, unless they would take too much of the arena.
    ///
    /// The table may grow, which invalidates every [`Prepared`] chunk.
    pub(super) fn insert(&mut self, key: u128, chunk: &[u8], ids: &[TokenId]) {
        if self.used_slots >= self.addressed() && self.addressed() < self.max_buckets {
            self.grow();
        }
        let is_long = Key(key & !FRAGMENT).is_long();
        let slot_ids = match ids.len() {
            1..=INLINE_IDS if !is_long => {
                let mut words = [0; INLINE_IDS];
                words[..ids.len()].copy_from_slice(ids);
                SlotIds::new(words, ids.len() as u32)
            }
            count => {
                let bytes = if is_long { chunk } else { &[] };
                // At most a sixteenth of half the arena, so that large entries do not evict many others.
                if 4 * count + bytes.len() > self.half_bytes / 16 {
                    return;
                }
                let offset = self.store_in_arena(bytes, ids) as u32;
                SlotIds::new([0, offset, count as u32, bytes.len() as u32], IN_ARENA)
            }
        };
        self.put(bucket_of(self.seeds, key, self.addressed()), key, slot_ids);
    }

    /// Appends ids and the bytes of a long chunk to the arena. Returns the offset of the entry.
    fn store_in_arena(&mut self, bytes: &[u8], ids: &[TokenId]) -> usize {
        let needed = 4 * ids.len() + bytes.len();
        let in_second_half = self.arena_next > self.half_bytes;
        let end = if in_second_half {
            2 * self.half_bytes
        } else {
            self.half_bytes
        };
        if self.arena_next + needed > end {
            self.arena_next = if in_second_half {
                0
            } else {
                self.half_bytes + 1
            };
            self.evict_half(self.arena_next);
        }
        let offset = self.arena_next;
        if self.arena.len() < offset + needed {
            let length = (2 * (offset + needed)).min(2 * self.half_bytes + 1);
            self.arena.resize(length.max(offset + needed), 0);
        }
        let (words, rest) = self.arena[offset..offset + needed].split_at_mut(4 * ids.len());
        for (word, id) in words.chunks_exact_mut(4).zip(ids) {
            word.copy_from_slice(&id.to_le_bytes());
        }
        rest.copy_from_slice(bytes);
        self.arena_next += needed;
        offset
    }

    /// Turns all slots whose arena entries are in the half that starts at `start` into tombstones.
    #[cold]
    fn evict_half(&mut self, start: usize) {
        let evicted = start..start + self.half_bytes;
        for bucket in &mut self.buckets {
            for (key, ids) in bucket.keys.iter_mut().zip(&bucket.ids) {
                if ids.count() == IN_ARENA && evicted.contains(&ids.word(1)) {
                    *key = TOMBSTONE;
                }
            }
        }
    }

    /// Writes the first slot within [`PROBES`] buckets that is free or has this key, or else the next victim.
    fn put(&mut self, home: usize, key: u128, ids: SlotIds) {
        let free = (2 * home..2 * (home + PROBES))
            .map(|slot| (slot / 2, slot % 2))
            .find(|&(bucket, slot)| {
                let stored = self.buckets[bucket].keys[slot];
                stored == 0 || stored == TOMBSTONE || stored == key
            });
        let (bucket, slot) = free.unwrap_or_else(|| {
            self.victim = self.victim.wrapping_add(1);
            (home + self.victim / 2 % PROBES, self.victim % 2)
        });
        let bucket = &mut self.buckets[bucket];
        self.used_slots += usize::from(bucket.keys[slot] == 0);
        bucket.keys[slot] = key;
        bucket.ids[slot] = ids;
    }

    #[cold]
    fn grow(&mut self) {
        let addressed = (2 * self.addressed()).min(self.max_buckets);
        let old = std::mem::replace(&mut self.buckets, free_buckets(addressed));
        self.used_slots = 0;
        for bucket in &old {
            for (&key, &ids) in bucket.keys.iter().zip(&bucket.ids) {
                if key != 0 && key != TOMBSTONE {
                    self.put(bucket_of(self.seeds, key, addressed), key, ids);
                }
            }
        }
    }
}

/// Allocates free buckets, in huge pages if available.
fn free_buckets(addressed: usize) -> Vec<Bucket> {
    let buckets = addressed + PROBES - 1;
    let mut table = Vec::with_capacity(buckets);
    advise_huge_pages(table.spare_capacity_mut());
    table.resize(buckets, FREE_BUCKET);
    table
}

/// The first bucket of a key: its hash scaled to the number of buckets.
#[inline(always)]
fn bucket_of(seeds: Seeds, key: u128, buckets: usize) -> usize {
    let hash = u128::from(seeds.hash(Key(key)));
    ((hash * buckets as u128) >> 64) as usize
}

/// Prepares pieces that are looked up whole. Returns their number.
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

/// Prepares the chunks of one piece. Returns their number.
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

/// The fields of [`PieceTable`] that preparing reads, copied to keep them in registers.
struct Preparing<'p> {
    seeds: Seeds,
    buckets: &'p [Bucket],
    addressed: usize,
}

impl<'p> Preparing<'p> {
    #[inline(always)]
    fn new(table: &'p PieceTable) -> Self {
        Preparing {
            seeds: table.seeds,
            buckets: &table.buckets,
            addressed: table.addressed(),
        }
    }

    /// Prefetches the bucket of a chunk.
    #[inline(always)]
    fn prepare(&self, key: u128, end: End) -> Prepared {
        let bucket = bucket_of(self.seeds, key, self.addressed);
        prefetch(self.buckets, bucket);
        Prepared { key, bucket, end }
    }
}

/// The kernel of [`PieceTable::look_up`].
struct LookUp<'l> {
    buckets: &'l [Bucket],
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
        for (index, Prepared { key, bucket, end }) in self.group.iter().enumerate() {
            let Some(&found) = find(simd, &self.buckets[*bucket..*bucket + PROBES], key) else {
                return index;
            };
            if found.count() != IN_ARENA {
                ids.push(found.ids(), found.count() as usize);
                continue;
            }
            let previous = index
                .checked_sub(1)
                .map(|previous| self.group[previous].end);
            let start = previous.map_or(self.start, End::offset);
            let chunk = &self.text[start..end.offset()];
            let Some((four, count)) = few_arena_ids(found, self.arena, chunk) else {
                return index;
            };
            ids.push(four, count);
        }
        self.group.len()
    }
}

/// Returns the ids of a chunk from the arena, with their count, if they are at most four.
#[inline(never)]
fn few_arena_ids(found: SlotIds, arena: &[u8], chunk: &[u8]) -> Option<(u128, usize)> {
    let ids = found.arena_ids(arena, chunk)?;
    (ids.len() <= 4 * INLINE_IDS).then(|| (sixteen_bytes(ids, 0), ids.len() / 4))
}

/// Returns the ids of a slot with this key.
#[inline(always)]
fn find<'l, S: Simd>(simd: S, buckets: &'l [Bucket], key: &u128) -> Option<&'l SlotIds> {
    for bucket in buckets {
        let which = simd.which(&bucket.keys, key);
        if which != 0 {
            return Some(&bucket.ids[(which >> 1) as usize & 1]);
        }
        if bucket.keys[1] == 0 {
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

    /// Prepares a piece as a single chunk.
    fn prepared(table: &mut PieceTable, piece: &[u8], is_fragment: bool) -> Prepared {
        let Key(key) = table.seeds.key(piece, 0, piece.len());
        let key = key | if is_fragment { FRAGMENT } else { 0 };
        let bucket = bucket_of(table.seeds, key, table.addressed());
        let end = End::new(piece.len(), is_fragment);
        Prepared { key, bucket, end }
    }

    /// Returns the ids of a piece, if the table has them. Checks that `look_up` agrees with `append`.
    fn found(table: &PieceTable, prepared: Prepared, piece: &[u8]) -> Option<Vec<TokenId>> {
        let (mut quick, mut all) = (vec![7], vec![7]);
        let known = table.look_up(Tier::best(), piece, 0, &[prepared], &mut quick);
        let is_found = table.append_ids_of(prepared, piece, &mut all);
        assert_eq!(known == 1, is_found && all.len() <= 1 + INLINE_IDS);
        assert!(known == 0 || quick == all);
        is_found.then(|| all.split_off(1))
    }

    proptest! {
        /// Some of these tables are so small that most pieces evict others; one holds all pieces.
        #[test]
        fn found_ids_equal_stored_ids(
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
            for (number, (asked, is_fragment)) in asked.iter().enumerate() {
                let asked = asked.index(pieces.len());
                let piece = pieces[asked].as_bytes();
                let prepared = prepared(&mut table, piece, *is_fragment);
                let cached = found(&table, prepared, piece);
                let want = stored.get(&(asked, *is_fragment));
                if let Some(cached) = cached {
                    // Another index may refer to the same text.
                    let is_stored = stored.iter().any(|((other, fragment), ids)| {
                        fragment == is_fragment && pieces[*other] == pieces[asked] && *ids == cached
                    });
                    prop_assert!(is_stored);
                    known += 1;
                } else {
                    lost += usize::from(want.is_some());
                    let first = (number * 64) as TokenId;
                    let ids: Vec<TokenId> = (first..).take(counts[asked]).collect();
                    table.insert(prepared.key, piece, &ids);
                    stored.insert((asked, *is_fragment), ids);
                }
            }
            prop_assert_eq!(known + lost + stored.len(), asked.len());
            // In a table that is less than half full, all slots of a probe sequence are rarely used.
            prop_assert!(bytes < 1 << 20 || lost <= asked.len() / 20);
        }
    }

    #[test]
    fn a_full_table_stays_within_its_bound_and_returns_stored_ids() {
        for bytes in [0, 1 << 16, 1 << 20] {
            let mut table = PieceTable::new(bytes);
            let piece = |number: usize| format!("{number:0$}", 3 + number % 40);
            for number in 0..60_000 {
                let piece = piece(number);
                let prepared = prepared(&mut table, piece.as_bytes(), false);
                let ids = vec![number as TokenId; 1 + number % 9];
                match found(&table, prepared, piece.as_bytes()) {
                    Some(cached) => assert_eq!(cached, ids),
                    None => table.insert(prepared.key, piece.as_bytes(), &ids),
                }
            }
            let mut kept = 0;
            for number in 0..60_000 {
                let piece = piece(number);
                let prepared = prepared(&mut table, piece.as_bytes(), false);
                if let Some(cached) = found(&table, prepared, piece.as_bytes()) {
                    assert_eq!(cached, vec![number as TokenId; 1 + number % 9]);
                    kept += 1;
                }
            }
            assert!(kept > 0, "{bytes}");
            let memory = size_of_val(&table.buckets[..]) + table.arena.len();
            let min_memory = (INITIAL_BUCKETS + PROBES) * size_of::<Bucket>() + (2 << 12) + 1;
            assert!(
                memory <= (bytes + PROBES * size_of::<Bucket>() + 1).max(min_memory),
                "{memory}"
            );
        }
    }
}

//! The hash table of tracked pairs.
//!
//! Open addressing with linear probing. A slot of 32 bytes, two to a cache line, contains a pair and its
//! [`Occurrences`], so a look-up usually is one memory access, which can be prefetched. A removed pair leaves
//! a tombstone and is never inserted again; each scan of the corpus builds a new table. At most three
//! quarters of the slots are in use, tombstones included.

use std::hash::BuildHasher;

use crate::hash::Seeds;
use crate::simd::prefetch;
use crate::token::{Count, Pair, TokenId};

/// The count and the positions of a tracked pair.
#[derive(Clone, Copy, Default)]
pub(super) struct Occurrences {
    pub(super) count: Count,
    /// The positions of the pair are elements `begin..begin + length` of the buffer of all lists, ascending.
    /// Some may be stale.
    pub(super) begin: usize,
    pub(super) length: u32,
}

/// A map from pairs to [`Occurrences`].
pub(super) struct PairTable {
    slots: Vec<Slot>,
    /// The number of slots in use, tombstones included.
    used: usize,
    /// Random, so that nobody can craft a corpus whose pairs collide.
    seed: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    pair: Pair,
    occurrences: Occurrences,
}

/// Markers of free and removed slots. No pair has these ids.
const FREE: Pair = Pair::new(TokenId::MAX, TokenId::MAX);
const TOMBSTONE: Pair = Pair::new(TokenId::MAX, 0);

impl PairTable {
    /// Creates a table with room for `pairs` pairs.
    pub(super) fn with_capacity(pairs: usize) -> Self {
        let slots = pairs + pairs / 3 + 16;
        let free = Slot {
            pair: FREE,
            occurrences: Occurrences::default(),
        };
        PairTable {
            slots: vec![free; slots],
            used: 0,
            seed: Seeds::new().hash_one(0u8),
        }
    }

    /// Prefetches the slot of a pair.
    #[inline(always)]
    pub(super) fn prefetch(&self, pair: Pair) {
        prefetch(&self.slots, self.home(pair));
    }

    #[inline(always)]
    pub(super) fn get(&self, pair: Pair) -> Option<&Occurrences> {
        let slot = self.find(pair)?;
        Some(&self.slots[slot].occurrences)
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, pair: Pair) -> Option<&mut Occurrences> {
        let slot = self.find(pair)?;
        Some(&mut self.slots[slot].occurrences)
    }

    /// Removes a pair, which must not be inserted again.
    pub(super) fn take(&mut self, pair: Pair) -> Option<Occurrences> {
        let at = self.find(pair)?;
        let slot = &mut self.slots[at];
        slot.pair = TOMBSTONE;
        Some(slot.occurrences)
    }

    /// Inserts a pair, which must not be present.
    pub(super) fn insert(&mut self, pair: Pair, occurrences: Occurrences) {
        self.used += 1;
        if self.used * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.put(Slot { pair, occurrences });
    }

    /// Returns all pairs in arbitrary order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Pair, &Occurrences)> + '_ {
        let is_used = |slot: &&Slot| slot.pair != FREE && slot.pair != TOMBSTONE;
        let slots = self.slots.iter().filter(is_used);
        slots.map(|slot| (slot.pair, &slot.occurrences))
    }

    /// The first slot to probe.
    #[inline(always)]
    fn home(&self, pair: Pair) -> usize {
        let key = u64::from(pair.left()) << 32 | u64::from(pair.right());
        let product = u128::from(key ^ self.seed) * 0x9E37_79B9_7F4A_7C15;
        let hash = (product >> 64) as u64 ^ product as u64;
        // Scales the hash to the number of slots, which need not be a power of two.
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    #[inline(always)]
    fn find(&self, pair: Pair) -> Option<usize> {
        let mut at = self.home(pair);
        loop {
            let stored = self.slots[at].pair;
            if stored == pair {
                return Some(at);
            }
            if stored == FREE {
                return None;
            }
            at = self.next(at);
        }
    }

    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() {
            0
        } else {
            at + 1
        }
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.pair);
        while self.slots[at].pair != FREE {
            at = self.next(at);
        }
        self.slots[at] = slot;
    }

    #[cold]
    fn grow(&mut self) {
        // `with_capacity` allocates four thirds of this number: twice as many slots as now.
        let pairs = self.slots.len() / 2 * 3;
        let old = std::mem::replace(self, PairTable::with_capacity(pairs));
        self.seed = old.seed;
        for (pair, &occurrences) in old.iter() {
            self.used += 1;
            self.put(Slot { pair, occurrences });
        }
        // The pair that `insert` is about to put.
        self.used += 1;
    }
}

impl Default for PairTable {
    fn default() -> Self {
        PairTable::with_capacity(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_table_behaves_like_a_map(pairs in prop::collection::btree_set((0u32..30, 0u32..30), 0..300), take in 0usize..5) {
            let mut table = PairTable::default();
            let mut map = HashMap::new();
            for (number, &(left, right)) in pairs.iter().enumerate() {
                let pair = Pair::new(left, right);
                let count = number as Count + 1;
                table.insert(pair, Occurrences { count, ..Occurrences::default() });
                map.insert(pair, count);
                if number % 5 < take {
                    prop_assert_eq!(table.take(pair).map(|found| found.count), map.remove(&pair));
                }
            }
            for pair in (0..30).flat_map(|left| (0..30).map(move |right| Pair::new(left, right))) {
                prop_assert_eq!(table.get(pair).map(|found| found.count), map.get(&pair).copied());
            }
            let all: HashMap<Pair, Count> = table.iter().map(|(pair, found)| (pair, found.count)).collect();
            prop_assert_eq!(all, map);
        }
    }
}

//! The table of tracked pairs.
//!
//! Open addressing with slots of 32 bytes, two to a cache line: the pair and its state side by side,
//! so that a look-up is one access to memory, which can be asked for ahead of time. A pair that is
//! taken leaves a mark behind; it never comes back, and the table is made anew whenever the corpus
//! is read again. At most three quarters of the slots are in use.
//!
//! hashbrown's table, which stood here before, takes two accesses (control bytes, then the pair) and
//! cannot be asked ahead: a third of all time with 131,072 ids was spent waiting for it.

use std::hash::BuildHasher;

use crate::hash::Seeds;
use crate::simd::prefetch;
use crate::token::{Count, Pair, TokenId};

/// The state of a tracked pair.
#[derive(Clone, Copy, Default)]
pub(super) struct Occurrences {
    pub(super) count: Count,
    /// Its places are `places[begin..begin + length]`: ascending, and perhaps some where it no
    /// longer stands.
    pub(super) begin: usize,
    pub(super) length: u32,
}

/// Pairs with their states.
pub(super) struct PairTable {
    slots: Vec<Slot>,
    used: usize,
    /// Not to be guessed by who writes the corpus.
    seed: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    pair: Pair,
    occurrences: Occurrences,
}

/// No pair has these ids.
const FREE: Pair = Pair::new(TokenId::MAX, TokenId::MAX);
const TAKEN: Pair = Pair::new(TokenId::MAX, 0);

impl PairTable {
    /// With room for so many pairs.
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

    /// Asks for the slot of a pair that is about to be looked up.
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

    /// Takes a pair out; it must not be inserted again.
    pub(super) fn take(&mut self, pair: Pair) -> Option<Occurrences> {
        let at = self.find(pair)?;
        let slot = &mut self.slots[at];
        slot.pair = TAKEN;
        Some(slot.occurrences)
    }

    /// Inserts a pair that is not there.
    pub(super) fn insert(&mut self, pair: Pair, occurrences: Occurrences) {
        self.used += 1;
        if self.used * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.put(Slot { pair, occurrences });
    }

    /// Every pair, in no meaningful order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Pair, &Occurrences)> + '_ {
        let there = |slot: &&Slot| slot.pair != FREE && slot.pair != TAKEN;
        let slots = self.slots.iter().filter(there);
        slots.map(|slot| (slot.pair, &slot.occurrences))
    }

    #[inline(always)]
    fn home(&self, pair: Pair) -> usize {
        let key = u64::from(pair.left()) << 32 | u64::from(pair.right());
        let product = u128::from(key ^ self.seed) * 0x9E37_79B9_7F4A_7C15;
        let hash = (product >> 64) as u64 ^ product as u64;
        // The share of the slots that the hash is of all hashes: their number may be any.
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    #[inline(always)]
    fn find(&self, pair: Pair) -> Option<usize> {
        let mut at = self.home(pair);
        loop {
            let here = self.slots[at].pair;
            if here == pair {
                return Some(at);
            }
            if here == FREE {
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
        // Twice the slots.
        let pairs = self.slots.len() / 2 * 3;
        let old = std::mem::replace(self, PairTable::with_capacity(pairs));
        self.seed = old.seed;
        for (pair, &occurrences) in old.iter() {
            self.used += 1;
            self.put(Slot { pair, occurrences });
        }
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
        fn it_is_a_map(pairs in prop::collection::btree_set((0u32..30, 0u32..30), 0..300), take in 0usize..5) {
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

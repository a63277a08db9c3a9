//! An index from hashes to numbers: tokens by their bytes, merges by their pairs.
//!
//! Open addressing in buckets of eight slots, half a cache line, at most half full; what does not fit goes
//! to the next bucket. A slot is four bytes: a number, and above it as many bits of the hash as there is
//! room for (a tag: 15 for ids up to 100,000, 7 up to 2^24). A look-up is one cache line, eight XORs and a minimum, without
//! a branch that depends on what is found.
//!
//! **Invariant.** Equal hashes have equal tags, so [`HashIndex::lowest`] is a lower bound of the number
//! that is sought. The caller verifies it.

use crate::hash::FIBONACCI;
use crate::simd::prefetch;

/// See the module.
#[derive(Clone)]
pub(crate) struct HashIndex {
    /// Their number is a power of two.
    buckets: Vec<Bucket>,
    /// The bits of a slot that hold the number. No number is equal to it.
    mask: u32,
    /// A mixed hash shifted right by this is the index of a bucket.
    shift: u32,
    used: usize,
}

const SLOTS: usize = 8;

/// Filled from the front.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Bucket([u32; SLOTS]);

/// No number is the mask, so no slot in use is all ones.
const FREE: u32 = u32::MAX;

impl HashIndex {
    /// An index for at most `capacity` numbers, all below `limit`, which is at most 2^24.
    pub(crate) fn new(capacity: usize, limit: usize) -> Self {
        let buckets = (2 * capacity).div_ceil(SLOTS).next_power_of_two().max(2);
        HashIndex {
            // Written, so that the pages are there and prefetching them works.
            buckets: vec![Bucket([FREE; SLOTS]); buckets],
            mask: (limit as u32 + 1).next_power_of_two() - 1,
            shift: 64 - buckets.trailing_zeros(),
            used: 0,
        }
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// The first bucket of a hash, and its tag.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u32) {
        let mixed = hash.wrapping_mul(FIBONACCI);
        let below = mixed << (64 - self.shift) >> 32;
        ((mixed >> self.shift) as usize, below as u32 & !self.mask)
    }

    /// Fetches the bucket of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets, self.place(hash).0);
    }

    /// The lowest number whose tag is that of the hash: the number with this hash is not lower. `None` if
    /// there is certainly none.
    #[inline(always)]
    pub(crate) fn lowest(&self, hash: u64) -> Option<u32> {
        let (mut at, tag) = self.place(hash);
        let mut lowest = FREE;
        loop {
            let Bucket(slots) = &self.buckets[at];
            // Equal tags cancel out: only a number is left.
            let numbers = slots.iter().map(|slot| slot ^ tag);
            lowest = numbers.fold(lowest, u32::min);
            if slots[SLOTS - 1] == FREE {
                // A free slot gives the mask, if the tag is all ones, or more.
                return (lowest < self.mask).then_some(lowest);
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// The number with this hash that is the right one.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (mut at, tag) = self.place(hash);
        loop {
            for &slot in &self.buckets[at].0 {
                if slot == FREE {
                    return None;
                }
                if slot ^ tag < self.mask && is(slot ^ tag) {
                    return Some(slot ^ tag);
                }
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Inserts `number`, unless `is` accepts one with this hash, which is returned. There is room for it.
    ///
    /// Counts used slots without branching: while an index is filled, that branch is unpredictable.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        number: u32,
        is: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let (mut at, tag) = self.place(hash);
        loop {
            let Bucket(slots) = &mut self.buckets[at];
            let has_tag = |&slot: &u32| slot & !self.mask == tag;
            if slots.iter().filter(|slot| has_tag(slot)).count() > 0 {
                let numbers = slots.iter().map(|slot| slot ^ tag);
                let there = numbers
                    .filter(|&there| there < self.mask)
                    .find(|&there| is(there));
                if there.is_some() {
                    return there;
                }
            }
            let used = slots.iter().filter(|&&slot| slot != FREE).count();
            if let Some(slot) = slots.get_mut(used) {
                *slot = tag | number;
                self.used += 1;
                return None;
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few hashes and many, so that buckets overflow; limits that leave tags of 7 to 30 bits.
        #[test]
        fn numbers_are_those_of_a_map(
            entries in prop::collection::btree_map(0..5000_u32, 0..400_u64, 0..300),
            stretch in prop::sample::select(&[1, 1 << 20, FIBONACCI][..]),
            limit in prop::sample::select(&[5000, 8191, 8192, 1 << 16, 1 << 24][..]),
        ) {
            let mut index = HashIndex::new(entries.len(), limit);
            for (&number, &hash) in &entries {
                let there = index.insert(hash.wrapping_mul(stretch), number, |other| other == number);
                prop_assert_eq!(there, None);
            }
            prop_assert_eq!(index.len(), entries.len());
            for hash in 0..450 {
                let wanted = entries.iter().filter(|&(_, &other)| other == hash);
                let numbers: Vec<u32> = wanted.map(|(&number, _)| number).collect();
                let hash = hash.wrapping_mul(stretch);
                for &number in &numbers {
                    prop_assert_eq!(index.find(hash, |other| other == number), Some(number));
                    let again = index.insert(hash, number, |other| other == number);
                    prop_assert_eq!(again, Some(number));
                }
                prop_assert_eq!(index.find(hash, |_| false), None);
                let lowest = index.lowest(hash).unwrap_or(u32::MAX);
                prop_assert!(numbers.iter().all(|&number| lowest <= number));
                prop_assert!(lowest == u32::MAX || entries.contains_key(&lowest));
            }
        }
    }

    #[test]
    fn the_number_below_the_limit_is_told_from_a_free_slot() {
        for limit in [1, 2, 3, 4, 255, 256, 257, 1 << 24] {
            let mut index = HashIndex::new(600, limit);
            let last = limit as u32 - 1;
            // Tags of all ones too.
            for hash in 0..600_u64 {
                index.insert(hash, last, |_| false);
            }
            for hash in 0..600 {
                assert_eq!(index.lowest(hash), Some(last));
                assert_eq!(index.find(hash, |number| number == last), Some(last));
            }
        }
    }
}

//! A hash table from 64-bit hashes to numbers: from bytes to token ids, from pairs to merge ranks.
//!
//! Open addressing in buckets of eight 4-byte slots; a bucket is half a cache line. A full bucket overflows
//! to the next; at most half of all slots are used. A slot holds a number and, in the bits above it, a tag:
//! as many bits of the hash as fit (15 for numbers up to 100,000, 7 up to 2^24). A look-up usually reads one
//! cache line; [`HashIndex::lowest`] takes the minimum of eight XORs, without a branch per slot.
//!
//! **Invariant.** Equal hashes have equal tags, so [`HashIndex::lowest`] never exceeds a number with the
//! given hash. The table stores no keys: the caller verifies that a number found is the right one.

use crate::hash::FIBONACCI;
use crate::simd::prefetch;

/// A hash table of numbers; see the module documentation.
#[derive(Clone)]
pub(crate) struct HashIndex {
    /// Their number is a power of two.
    buckets: Vec<Bucket>,
    /// The bits of a slot that hold the number. Every number is less than the mask.
    mask: u32,
    /// The product of a hash and [`FIBONACCI`], shifted right by this, is the index of the bucket.
    shift: u32,
    /// Number of used slots.
    used: usize,
}

const SLOTS: usize = 8;

/// Slots are filled from the front.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Bucket([u32; SLOTS]);

/// A free slot. No slot in use is all ones, because every number is less than the mask.
const FREE: u32 = u32::MAX;

impl HashIndex {
    /// Creates a table for up to `capacity` numbers, all below `limit`, which is at most 2^24.
    pub(crate) fn new(capacity: usize, limit: usize) -> Self {
        let buckets = (2 * capacity).div_ceil(SLOTS).next_power_of_two().max(2);
        HashIndex {
            // Not zeros: writing the slots maps the pages, and a prefetch of an unmapped page does nothing.
            buckets: vec![Bucket([FREE; SLOTS]); buckets],
            mask: (limit as u32 + 1).next_power_of_two() - 1,
            shift: 64 - buckets.trailing_zeros(),
            used: 0,
        }
    }

    /// Returns the number of used slots.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Returns the index of the first bucket for a hash, and the tag of the hash.
    #[inline(always)]
    fn bucket_and_tag(&self, hash: u64) -> (usize, u32) {
        let mixed = hash.wrapping_mul(FIBONACCI);
        // The tag consists of the bits below those of the index.
        let below_index = mixed << (64 - self.shift) >> 32;
        (
            (mixed >> self.shift) as usize,
            below_index as u32 & !self.mask,
        )
    }

    /// Prefetches the first bucket for a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(&self.buckets, self.bucket_and_tag(hash).0);
    }

    /// Returns the lowest number found with the tag of this hash, a lower bound on the numbers with this
    /// hash. Returns `None` if there is certainly no number with this hash.
    #[inline(always)]
    pub(crate) fn lowest(&self, hash: u64) -> Option<u32> {
        let (mut at, tag) = self.bucket_and_tag(hash);
        let mut lowest = FREE;
        loop {
            let Bucket(slots) = &self.buckets[at];
            // Equal tags cancel out and leave the number; other tags leave a value above the mask.
            let numbers = slots.iter().map(|slot| slot ^ tag);
            lowest = numbers.fold(lowest, u32::min);
            if slots[SLOTS - 1] == FREE {
                // The bucket never overflowed to the next. A free slot yields at least the mask.
                return (lowest < self.mask).then_some(lowest);
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Returns the first number with the tag of this hash that `matches` accepts.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, matches: impl Fn(u32) -> bool) -> Option<u32> {
        let (mut at, tag) = self.bucket_and_tag(hash);
        loop {
            for &slot in &self.buckets[at].0 {
                if slot == FREE {
                    return None;
                }
                if slot ^ tag < self.mask && matches(slot ^ tag) {
                    return Some(slot ^ tag);
                }
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Inserts `number` and returns `None`. If the table already has a number with the tag of this hash that
    /// `matches` accepts, returns this number instead. At most `capacity` numbers may be inserted.
    ///
    /// Counts the used slots of a bucket without branching: while a table is filled, a branch on each slot
    /// would be unpredictable.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        number: u32,
        matches: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let (mut at, tag) = self.bucket_and_tag(hash);
        loop {
            let Bucket(slots) = &mut self.buckets[at];
            let has_tag = |&slot: &u32| slot & !self.mask == tag;
            if slots.iter().filter(|slot| has_tag(slot)).count() > 0 {
                let numbers = slots.iter().map(|slot| slot ^ tag);
                let existing = numbers
                    .filter(|&number| number < self.mask)
                    .find(|&number| matches(number));
                if existing.is_some() {
                    return existing;
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
        /// Colliding and distinct hashes, so that buckets overflow; limits that leave tags of 7 to 19 bits.
        #[test]
        fn the_index_agrees_with_a_map(
            entries in prop::collection::btree_map(0..5000_u32, 0..400_u64, 0..300),
            stretch in prop::sample::select(&[1, 1 << 20, FIBONACCI][..]),
            limit in prop::sample::select(&[5000, 8191, 8192, 1 << 16, 1 << 24][..]),
        ) {
            let mut index = HashIndex::new(entries.len(), limit);
            for (&number, &hash) in &entries {
                let existing = index.insert(hash.wrapping_mul(stretch), number, |other| other == number);
                prop_assert_eq!(existing, None);
            }
            prop_assert_eq!(index.len(), entries.len());
            for hash in 0..450 {
                let same = entries.iter().filter(|&(_, &other)| other == hash);
                let numbers: Vec<u32> = same.map(|(&number, _)| number).collect();
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
    fn the_highest_number_differs_from_a_free_slot() {
        for limit in [1, 2, 3, 4, 255, 256, 257, 1 << 24] {
            let mut index = HashIndex::new(600, limit);
            let last = limit as u32 - 1;
            // These hashes include tags of all ones.
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

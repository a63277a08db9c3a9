//! The ranks of pairs: which two tokens merge, and how early.
//!
//! One immutable open-addressing table with linear probing, at most half full. A slot packs both ids
//! and the rank into a `u64` (20 + 20 + 24 bits), and a byte beside it has eight bits of the hash. Most
//! pairs do not merge, and the bytes alone say so: 256 KiB for 100,000 tokens, where the slots are
//! 2 MiB. Models with ids of 2^20 and more have a hash map.

use std::collections::HashMap;

use crate::hash::FIBONACCI;
use crate::token::{Pair, TokenId};

/// The rank of a pair that does not merge. Ranks are below 2^24, as ids are.
pub(super) const NO_RANK: u32 = (1 << 26) - 1;

/// See the module.
pub(super) enum PairRanks {
    Packed {
        /// Eight bits of the hash of each slot, or [`FREE`]. Their number is a power of two.
        tags: Vec<u8>,
        slots: Vec<u64>,
        /// A hash shifted right by this is the index of a slot.
        shift: u32,
    },
    Wide(HashMap<Pair, u32>),
}

const ID_BITS: u32 = 20;
const RANK_BITS: u32 = 24;

/// The tag of a free slot.
const FREE: u8 = 0;

impl PairRanks {
    /// An empty table for at most `pairs` pairs, whose ids are below `id_limit`.
    pub(super) fn new(pairs: usize, id_limit: usize) -> Self {
        if id_limit > 1 << ID_BITS || pairs > 1 << RANK_BITS {
            return PairRanks::Wide(HashMap::new());
        }
        let slots = (2 * pairs.max(1)).next_power_of_two();
        PairRanks::Packed {
            tags: vec![FREE; slots],
            slots: vec![0; slots],
            shift: 64 - slots.trailing_zeros(),
        }
    }

    /// Adds a pair that is not there.
    pub(super) fn insert(&mut self, left: TokenId, right: TokenId, rank: u32) {
        match self {
            PairRanks::Packed { tags, slots, shift } => {
                let pair = pack(left, right);
                let (mut at, tag) = place(pair, *shift);
                while tags[at] != FREE {
                    at = (at + 1) & (tags.len() - 1);
                }
                tags[at] = tag;
                slots[at] = pair << RANK_BITS | u64::from(rank);
            }
            PairRanks::Wide(ranks) => {
                ranks.insert(Pair::new(left, right), rank);
            }
        }
    }

    /// The rank of the merge of two tokens, or [`NO_RANK`].
    #[inline(always)]
    pub(super) fn get(&self, left: TokenId, right: TokenId) -> u32 {
        match self {
            PairRanks::Packed { tags, slots, shift } => {
                let pair = pack(left, right);
                let (mut at, tag) = place(pair, *shift);
                loop {
                    let there = tags[at];
                    if there == tag && slots[at] >> RANK_BITS == pair {
                        return (slots[at] & ((1 << RANK_BITS) - 1)) as u32;
                    }
                    if there == FREE {
                        return NO_RANK;
                    }
                    at = (at + 1) & (tags.len() - 1);
                }
            }
            PairRanks::Wide(ranks) => {
                let rank = ranks.get(&Pair::new(left, right));
                rank.copied().unwrap_or(NO_RANK)
            }
        }
    }
}

#[inline(always)]
fn pack(left: TokenId, right: TokenId) -> u64 {
    u64::from(left) << ID_BITS | u64::from(right)
}

/// The index of the first slot of a pair, and its tag.
#[inline(always)]
fn place(pair: u64, shift: u32) -> (usize, u8) {
    let hash = pair.wrapping_mul(FIBONACCI);
    ((hash >> shift) as usize, (hash >> 24) as u8 | 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_forms_answer_as_a_map_does(
            pairs in prop::collection::hash_map((0..50u32, 0..50u32), 0..1000u32, 0..300),
            offset in prop::sample::select(&[0, (1 << ID_BITS) - 50][..]),
        ) {
            let limit = offset as usize + 50;
            let mut packed = PairRanks::new(pairs.len(), limit);
            let mut wide = PairRanks::new(pairs.len(), (1 << ID_BITS) + 1);
            let is_packed = matches!(packed, PairRanks::Packed { .. });
            prop_assert!(is_packed);
            for (&(left, right), &rank) in &pairs {
                packed.insert(left + offset, right + offset, rank);
                wide.insert(left + offset, right + offset, rank);
            }
            for left in 0..50 {
                for right in 0..50 {
                    let want = pairs.get(&(left, right)).copied().unwrap_or(NO_RANK);
                    prop_assert_eq!(packed.get(left + offset, right + offset), want);
                    prop_assert_eq!(wide.get(left + offset, right + offset), want);
                }
            }
        }
    }
}

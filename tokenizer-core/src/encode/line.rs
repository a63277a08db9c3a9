//! Merging a stretch of up to 64 bytes.
//!
//! Everything is at the place of a token's first byte: its id, and the rank at which it merges with
//! the next. One word of bits says at which bytes tokens begin, so the next token, the one before
//! and the end of a token are each found with one instruction, and nothing is ever moved.
//!
//! A rank is kept as a key, shifted up with its place in the lowest six bits. The smallest key is
//! then the lowest rank, the leftmost of equal ones, and says where it is: one minimum over up to
//! 64 words, four of the widest vectors.
//!
//! **Cost.** A merge takes the minimum and two questions for ranks. Those of two bytes stand in the
//! rules' square, all others in [`PairRanks`].

use super::pair_ranks::PairRanks;
use super::rules::{NO_RANK, Rules};
use crate::arch::{Kernel, LANES, Simd};
use crate::model::Model;
use crate::token::TokenId;

/// Bytes that a line holds.
pub(super) const LINE: usize = 64;

/// The tokens of a stretch. See the module.
pub(super) struct Line {
    keys: [u32; LINE],
    ids: [TokenId; LINE],
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// How far a rank is shifted.
const PLACE_BITS: u32 = LINE.trailing_zeros();

impl Line {
    pub(super) fn new() -> Self {
        Line {
            keys: [NO_KEY; LINE],
            ids: [0; LINE],
        }
    }

    /// The token that begins at a byte of the stretch merged last.
    #[inline(always)]
    pub(super) fn id(&self, at: u32) -> TokenId {
        self.ids[at as usize]
    }
}

/// Merges `text[start..end]`, 1 to 64 bytes, and gives the bits of the bytes where tokens begin.
pub(super) struct MergeLine<'m> {
    pub(super) line: &'m mut Line,
    pub(super) pairs: &'m mut PairRanks,
    pub(super) rules: &'m Rules,
    pub(super) model: &'m Model,
    pub(super) text: &'m [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Kernel for MergeLine<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> u64 {
        let MergeLine {
            line: Line { keys, ids },
            pairs,
            rules,
            model,
            text,
            start,
            end,
        } = self;
        let piece = &text[start..end];
        let length = piece.len();
        assert!((1..=LINE).contains(&length));
        let byte_ids = model.vocab().byte_ids();
        let mut before = piece[0];
        for (at, &byte) in piece.iter().enumerate() {
            ids[at] = byte_ids[usize::from(byte)];
            if at > 0 {
                keys[at - 1] = key(rules.byte_rank(before, byte), at as u32 - 1);
            }
            before = byte;
        }
        let used = length.next_multiple_of(LANES);
        keys[length - 1..used].fill(NO_KEY);

        let mut begins = u64::MAX >> (LINE - length);
        loop {
            let lowest = simd.minimum(&keys[..used]);
            if lowest == NO_KEY {
                return begins;
            }
            let at = lowest % LINE as u32;
            let merged = rules.token(model, lowest >> PLACE_BITS);
            let behind = begins & (u64::MAX << at) & !(1 << at);
            let next = behind & behind.wrapping_neg();
            begins ^= next;
            keys[next.trailing_zeros() as usize % LINE] = NO_KEY;
            let behind = behind ^ next;
            // Where the new token ends, and where the one after it does.
            let token_end = first_bit(behind, length);
            ids[at as usize] = merged;
            let mut rank = |left: u32, right: u32, end: u32| {
                let ids = (ids[left as usize], ids[right as usize % LINE]);
                let joined = start + left as usize..start + end as usize;
                key(pairs.rank(rules, model, ids, text, joined), left)
            };
            keys[at as usize] = match behind {
                0 => NO_KEY,
                _ => rank(at, token_end, first_bit(behind & (behind - 1), length)),
            };
            let ahead = begins & ((1 << at) - 1);
            if ahead != 0 {
                let left = ahead.ilog2();
                keys[left as usize] = rank(left, at, token_end);
            }
        }
    }
}

/// The place of the lowest bit, or the length of the stretch if there is none.
#[inline(always)]
fn first_bit(bits: u64, length: usize) -> u32 {
    bits.trailing_zeros().min(length as u32)
}

#[inline(always)]
fn key(rank: u32, at: u32) -> u32 {
    // The rank of no merge, shifted, is all ones above the place.
    let _: () = const { assert!(NO_RANK << PLACE_BITS | (LINE as u32 - 1) == NO_KEY) };
    match rank {
        NO_RANK => NO_KEY,
        rank => rank << PLACE_BITS | at,
    }
}

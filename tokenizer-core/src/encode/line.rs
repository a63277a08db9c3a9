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
//!
//! **What did not pay.** The two lowest keys at once, where neither merge touches what the other asks
//! and no new key is lower: as fast. That the token of a merge is handed to the questions, and not read
//! back from where it was just written, does pay: a twelfth.

use std::ops::Range;

use super::pair_ranks::PairRanks;
use super::rules::{NO_RANK, Rules};
use crate::arch::{Kernel, Simd, Tier};
use crate::model::Model;
use crate::token::TokenId;

/// Bytes that a line holds.
pub(super) const LINE: usize = 64;

/// See the module. Its memory is used again from one stretch to the next.
pub(super) struct Line {
    ids: [TokenId; LINE],
    pub(super) pairs: PairRanks,
    tier: Tier,
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// How far a rank is shifted.
const PLACE_BITS: u32 = LINE.trailing_zeros();

impl Line {
    pub(super) fn new(tier: Tier) -> Self {
        Line {
            ids: [0; LINE],
            pairs: PairRanks::new(),
            tier,
        }
    }

    /// Merges `text[stretch]`, 1 to 64 bytes, and gives the bits of the bytes where tokens begin.
    pub(super) fn merge(
        &mut self,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        stretch: Range<usize>,
    ) -> u64 {
        self.tier.run(MergeLine {
            ids: &mut self.ids,
            pairs: &mut self.pairs,
            rules,
            model,
            text,
            start: stretch.start,
            end: stretch.end,
        })
    }

    /// The token that begins at a byte of the stretch merged last.
    #[inline(always)]
    pub(super) fn id(&self, at: u32) -> TokenId {
        self.ids[at as usize]
    }

    /// Appends the tokens that begin at these bytes of the stretch merged last.
    #[inline]
    pub(super) fn append(&self, mut begins: u64, to: &mut Vec<TokenId>) {
        while begins != 0 {
            to.push(self.id(begins.trailing_zeros()));
            begins &= begins - 1;
        }
    }
}

/// See [`Line::merge`].
struct MergeLine<'m> {
    ids: &'m mut [TokenId; LINE],
    pairs: &'m mut PairRanks,
    rules: &'m Rules,
    model: &'m Model,
    text: &'m [u8],
    start: usize,
    end: usize,
}

impl Kernel for MergeLine<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> u64 {
        match self.end - self.start {
            0..=16 => self.merge::<S, 1>(simd),
            17..=32 => self.merge::<S, 2>(simd),
            _ => self.merge::<S, 4>(simd),
        }
    }
}

impl MergeLine<'_> {
    /// Merges up to `16 * N` bytes.
    #[inline(always)]
    fn merge<S: Simd, const N: usize>(self, simd: S) -> u64 {
        let MergeLine {
            ids,
            pairs,
            rules,
            model,
            text,
            start,
            end,
        } = self;
        let piece = &text[start..end];
        let length = piece.len();
        assert!((1..=16 * N).contains(&length));
        let byte_ids = model.vocab().byte_ids();
        let mut first_keys = [NO_KEY; LINE];
        ids[0] = byte_ids[usize::from(piece[0])];
        for (at, bytes) in piece.windows(2).enumerate() {
            ids[at + 1] = byte_ids[usize::from(bytes[1])];
            first_keys[at] = key(rules.byte_rank(bytes[0], bytes[1]), at as u32);
        }
        let mut keys = simd.numbers::<N>(&first_keys);

        let mut begins = u64::MAX >> (LINE - length);
        let mut ask = |ids: (TokenId, TokenId), begin: u32, end: u32| {
            let joined = start + begin as usize..start + end as usize;
            key(pairs.rank(rules, model, ids, text, joined), begin)
        };
        loop {
            let lowest = simd.smallest(&keys);
            if lowest == NO_KEY {
                return begins;
            }
            let at = lowest % LINE as u32;
            let token = rules.token(model, lowest >> PLACE_BITS);
            let behind = begins & (u64::MAX << at) & !(1 << at);
            let next = behind & behind.wrapping_neg();
            let behind = behind ^ next;
            // Where the new token ends, and where the one after it does.
            let token_end = first_bit(behind, length);
            let new_key = match behind {
                0 => NO_KEY,
                _ => {
                    let right = ids[token_end as usize % LINE];
                    let right_end = first_bit(behind & (behind - 1), length);
                    ask((token, right), at, right_end)
                }
            };
            let ahead = begins & ((1 << at) - 1);
            if ahead != 0 {
                let left = ahead.ilog2();
                let left_key = ask((ids[left as usize], token), left, token_end);
                simd.set_number(&mut keys, left, left_key);
            }
            simd.set_number(&mut keys, next.trailing_zeros(), NO_KEY);
            simd.set_number(&mut keys, at, new_key);
            ids[at as usize] = token;
            begins ^= next;
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

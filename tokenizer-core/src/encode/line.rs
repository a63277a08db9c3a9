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

use super::pair_ranks::NO_RANK;
use super::rules::Rules;
use crate::arch::{Kernel, Simd, Tier};
use crate::token::TokenId;
use crate::vocab::Part;

/// Bytes that a line holds.
pub(super) const LINE: usize = 64;

/// See the module. Its memory is used again from one stretch to the next.
pub(super) struct Line {
    parts: [Part; LINE],
    tier: Tier,
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// How far a rank is shifted.
const PLACE_BITS: u32 = LINE.trailing_zeros();

impl Line {
    pub(super) fn new(tier: Tier) -> Self {
        Line {
            parts: [Part::default(); LINE],
            tier,
        }
    }

    /// Merges `piece`, 1 to 64 bytes, and gives the bits of the bytes where tokens begin.
    pub(super) fn merge(&mut self, rules: &Rules, piece: &[u8]) -> u64 {
        let parts = &mut self.parts;
        self.tier.run(MergeLine {
            parts,
            rules,
            piece,
        })
    }

    /// The token that begins at a byte of the stretch merged last.
    #[inline(always)]
    pub(super) fn id(&self, at: u32) -> TokenId {
        self.parts[at as usize].id
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
    parts: &'m mut [Part; LINE],
    rules: &'m Rules,
    piece: &'m [u8],
}

impl Kernel for MergeLine<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> u64 {
        match self.piece.len() {
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
            parts,
            rules,
            piece,
        } = self;
        let length = piece.len();
        assert!((1..=16 * N).contains(&length));
        let mut first_keys = [NO_KEY; LINE];
        parts[0] = rules.bytes[usize::from(piece[0])];
        for (at, bytes) in piece.windows(2).enumerate() {
            parts[at + 1] = rules.bytes[usize::from(bytes[1])];
            first_keys[at] = key(rules.byte_rank(bytes[0], bytes[1]), at as u32);
        }
        let mut keys = simd.numbers::<N>(&first_keys);

        let mut begins = u64::MAX >> (LINE - length);
        // With room behind the last byte for loads of 16 bytes.
        let mut padded = [0; LINE + 16];
        padded[..length].copy_from_slice(piece);
        let ask = |left: Part, right: Part, begin: u32| key(rules.lowest_rank(left, right), begin);
        loop {
            let lowest = simd.smallest(&keys);
            if lowest == NO_KEY {
                return begins;
            }
            let at = lowest % LINE as u32;
            let behind = begins & (u64::MAX << at) & !(1 << at);
            let next = behind & behind.wrapping_neg();
            let behind = behind ^ next;
            let second = next.trailing_zeros();
            let (rank, left, right) = (
                lowest >> PLACE_BITS,
                parts[at as usize],
                parts[second as usize % LINE],
            );
            // Bytes are compared only here, where nothing waits for it: keys are lower bounds, and this
            // one may be too low.
            if !rules.is_rank(rank, left, right, &padded, at as usize) {
                let rank = rules.rank(left, right, &padded, at as usize);
                simd.set_number(&mut keys, at, key(rank, at));
                continue;
            }
            let token = rules.merged(rank, left, right);
            let new_key = match behind {
                0 => NO_KEY,
                _ => {
                    let right = parts[behind.trailing_zeros() as usize % LINE];
                    ask(token, right, at)
                }
            };
            let ahead = begins & ((1 << at) - 1);
            if ahead != 0 {
                let left = ahead.ilog2();
                let left_key = ask(parts[left as usize], token, left);
                simd.set_number(&mut keys, left, left_key);
            }
            simd.set_number(&mut keys, second, NO_KEY);
            simd.set_number(&mut keys, at, new_key);
            parts[at as usize] = token;
            begins ^= next;
        }
    }
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

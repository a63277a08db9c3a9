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
//! The ranks of new pairs are lower bounds (`hash_index.rs`). A merge of a bound that is too low is the
//! only harm they do, so the merges that were made are verified, when all are done: their loads do not
//! depend on one another then. One that fails, in some ten thousand pieces, sends its piece to the heap.
//!
//! **Cost.** A merge takes the minimum and two look-ups of ranks, a cache line each.
//!
//! **What did not pay.** The two lowest keys at once, where neither merge touches what the other asks
//! and no new key is lower: as fast. That the token of a merge is handed to the look-ups, and not read
//! back from where it was just written, does pay: a twelfth.

use super::rules::{NO_RANK, Rules};
use crate::arch::{Kernel, Simd, Tier};
use crate::token::TokenId;
use crate::vocab::Part;

/// Bytes that a line holds.
pub(super) const LINE: usize = 64;

/// See the module. Its memory is used again from one stretch to the next.
pub(super) struct Line {
    parts: [Part; LINE],
    made: [Made; LINE],
    tier: Tier,
}

/// A merge that was made, to be verified.
#[derive(Clone, Copy, Default)]
struct Made {
    rank: u32,
    left: TokenId,
    right: TokenId,
    /// Where its token begins.
    at: u16,
    /// Bytes of its token.
    length: u16,
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// How far a rank is shifted.
const PLACE_BITS: u32 = LINE.trailing_zeros();

impl Line {
    pub(super) fn new(tier: Tier) -> Self {
        Line {
            parts: [Part::default(); LINE],
            made: [Made::default(); LINE],
            tier,
        }
    }

    /// Merges `piece`, 1 to 64 bytes, and gives the bits of the bytes where tokens begin. `None` if a rank
    /// was not that of its pair: then the piece has to be merged elsewhere.
    pub(super) fn merge(&mut self, rules: &Rules, piece: &[u8]) -> Option<u64> {
        self.tier.run(MergeLine {
            parts: &mut self.parts,
            made: &mut self.made,
            rules,
            piece,
        })
    }

    /// The tokens that begin at these bytes of the stretch merged last, with the places of the bytes.
    #[inline(always)]
    pub(super) fn tokens(&self, mut begins: u64) -> impl Iterator<Item = (usize, TokenId)> {
        std::iter::from_fn(move || {
            let at = begins.trailing_zeros() as usize;
            let part = self.parts.get(at)?;
            begins &= begins - 1;
            Some((at, part.id))
        })
    }
}

/// See [`Line::merge`].
struct MergeLine<'m> {
    parts: &'m mut [Part; LINE],
    made: &'m mut [Made; LINE],
    rules: &'m Rules,
    piece: &'m [u8],
}

impl Kernel for MergeLine<'_> {
    type Output = Option<u64>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Option<u64> {
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
    fn merge<S: Simd, const N: usize>(self, simd: S) -> Option<u64> {
        let MergeLine {
            parts,
            made,
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
        let mut merges = 0;
        loop {
            let lowest = simd.smallest(&keys);
            if lowest == NO_KEY {
                break;
            }
            let at = lowest % LINE as u32;
            let behind = begins & (u64::MAX << at) & !(1 << at);
            let next = behind & behind.wrapping_neg();
            let behind = behind ^ next;
            let second = next.trailing_zeros();
            let (left, right) = (parts[at as usize], parts[second as usize % LINE]);
            let rank = lowest >> PLACE_BITS;
            let token = rules.merged(rank, left, right);
            // No more than there are bytes.
            made[merges % LINE] = Made {
                rank,
                left: left.id,
                right: right.id,
                at: at as u16,
                length: token.length as u16,
            };
            merges += 1;
            let lowest_key = |left, right, at| key(rules.lowest_rank(left, right), at);
            let new_key = match behind {
                0 => NO_KEY,
                _ => lowest_key(token, parts[behind.trailing_zeros() as usize % LINE], at),
            };
            let ahead = begins & ((1 << at) - 1);
            if ahead != 0 {
                let before = ahead.ilog2();
                let left_key = lowest_key(parts[before as usize], token, before);
                simd.set_number(&mut keys, before, left_key);
            }
            simd.set_number(&mut keys, second, NO_KEY);
            simd.set_number(&mut keys, at, new_key);
            parts[at as usize] = token;
            begins ^= next;
        }
        // With room behind the last byte for loads of 16 bytes.
        let mut padded = [0; LINE + 16];
        padded[..length].copy_from_slice(piece);
        let all = made[..merges].iter().all(|made| {
            let (at, length) = (usize::from(made.at), usize::from(made.length));
            // Two bytes have a table of their own, which is exact.
            length == 2 || rules.is_rank(made.rank, (made.left, made.right), &padded, at, length)
        });
        all.then_some(begins)
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

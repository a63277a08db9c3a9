//! The ranks of pairs met lately: a small table in front of [`Rules`], private to a thread.
//!
//! Each merge asks for two pairs, mostly for such as were asked for a moment ago. A pair has one
//! place here, found by a multiplication; whoever comes last has it. What is kept is the answer of
//! the rules, also that there is none, so nothing depends on what the table holds.
//!
//! What the filter rules out is not kept here (`token_filter.rs`): with that asked first, text of rare
//! pairs is encoded 1.2 times as fast.
//!
//! **Cost.** One cache line a question; 12 bytes a place. The table starts small and grows with the
//! questions that it could not answer.
//!
//! **What did not pay.** Eight bytes a place (the ids multiplied to a number of which the place tells
//! the upper part), and carrying over what it held when it grows: within 1 % of the cost by counted
//! instructions and misses, and as fast. To look here before the filter has answered, so that its
//! answer is no branch: slower by a third, as the lines of what is no token come too.

use std::ops::Range;

use super::rules::{NO_RANK, Rules};
use crate::model::Model;
use crate::token::{Pair, TokenId};

/// See the module.
pub(super) struct PairRanks {
    /// Their number is a power of two.
    places: Vec<Place>,
    /// How far a hash is shifted down to be the number of a place.
    shift: u32,
    /// Questions to the rules since the table grew.
    misses: usize,
}

#[derive(Clone, Copy)]
struct Place {
    left: TokenId,
    right: TokenId,
    rank: u32,
}

const FIRST_PLACES: usize = 1 << 10;

/// 192 KiB: with the filter they stay in the second-level cache. Four times as many were slower by a
/// twentieth on one word of random letters, half as many on that and on many scripts.
const MOST_PLACES: usize = 1 << 14;

/// No token has this id.
const FREE: Place = Place {
    left: TokenId::MAX,
    right: TokenId::MAX,
    rank: NO_RANK,
};

impl PairRanks {
    pub(super) fn new() -> Self {
        PairRanks {
            places: vec![FREE; FIRST_PLACES],
            shift: 64 - FIRST_PLACES.trailing_zeros(),
            misses: 0,
        }
    }

    /// As [`Rules::rank`].
    #[inline(always)]
    pub(super) fn rank(
        &mut self,
        rules: &Rules,
        model: &Model,
        (left, right): (TokenId, TokenId),
        text: &[u8],
        joined: Range<usize>,
    ) -> u32 {
        if !rules.may_be_token(&text[joined.clone()]) {
            return NO_RANK;
        }
        // Multiplied by the fraction of the golden ratio, as Knuth has it.
        let pair = u64::from(left) << 32 | u64::from(right);
        let at = (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        let place = &self.places[at];
        if (place.left, place.right) == (left, right) {
            return place.rank;
        }
        self.ask(rules, model, (left, right), text, joined, at)
    }

    #[inline(never)]
    fn ask(
        &mut self,
        rules: &Rules,
        model: &Model,
        (left, right): (TokenId, TokenId),
        text: &[u8],
        joined: Range<usize>,
        at: usize,
    ) -> u32 {
        let rank = rules.rank(model, Pair::new(left, right), text, joined);
        self.places[at] = Place { left, right, rank };
        self.misses += 1;
        if self.misses > self.places.len() && self.places.len() < MOST_PLACES {
            rules.prepare_for_many(model);
            // What it held is asked for again: cheaper than to carry it over.
            self.places = vec![FREE; self.places.len() * 4];
            self.shift -= 2;
            self.misses = 0;
        }
        rank
    }
}

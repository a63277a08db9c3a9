//! Finds tokens by their bytes.
//!
//! Open addressing with linear probing, at most half full. A slot is an id, and a byte beside it has seven
//! bits of the hash: most questions are for bytes that are no token, and the bytes alone say so. They are
//! 256 KiB for 100,000 tokens, where the ids are 1 MiB.

use crate::arch::prefetch;
use crate::hash::FIBONACCI;
use crate::token::TokenId;

/// See the module.
#[derive(Clone)]
pub(crate) struct TokenIndex {
    /// Seven bits of the hash of each slot, or [`FREE`]. Their number is a power of two.
    tags: Vec<u8>,
    ids: Vec<TokenId>,
    /// A mixed hash shifted right by this is the index of a slot.
    shift: u32,
    used: usize,
}

/// The tag of a free slot. Tags have seven bits.
const FREE: u8 = 0xFF;

impl TokenIndex {
    /// An index for at most `tokens` tokens.
    pub(crate) fn with_capacity(tokens: usize) -> Self {
        let slots = (2 * tokens.max(1)).next_power_of_two();
        TokenIndex {
            tags: vec![FREE; slots],
            // Written, so that the pages are there and prefetching them works.
            ids: vec![TokenId::MAX; slots],
            shift: 64 - slots.trailing_zeros(),
            used: 0,
        }
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// The first slot of a hash, and its tag.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u8) {
        let mixed = hash.wrapping_mul(FIBONACCI);
        ((mixed >> self.shift) as usize, (mixed >> 24) as u8 & 0x7F)
    }

    /// Fetches the slot of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        let (at, _) = self.place(hash);
        prefetch(&self.tags, at);
        prefetch(&self.ids, at);
    }

    /// The id with this hash that is the right one.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(TokenId) -> bool) -> Option<TokenId> {
        self.probe(hash, is).ok()
    }

    /// The lowest id whose tag is that of the hash: the id with this hash is not lower. `None` if there is
    /// certainly none.
    #[inline(always)]
    pub(crate) fn lowest(&self, hash: u64) -> Option<TokenId> {
        let (mut at, tag) = self.place(hash);
        let mut lowest = None;
        loop {
            let there = self.tags[at];
            if there == tag {
                let id = self.ids[at];
                lowest = Some(lowest.map_or(id, |lowest: TokenId| lowest.min(id)));
            }
            if there == FREE {
                return lowest;
            }
            at = (at + 1) & (self.tags.len() - 1);
        }
    }

    /// Adds the id of a token, if there was none; otherwise gives the one that was there. There is
    /// room for it.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        id: TokenId,
        is: impl Fn(TokenId) -> bool,
    ) -> Option<TokenId> {
        match self.probe(hash, is) {
            Ok(there) => Some(there),
            Err(free) => {
                (_, self.tags[free]) = self.place(hash);
                self.ids[free] = id;
                self.used += 1;
                None
            }
        }
    }

    /// The id, or else the free slot where it would be.
    #[inline(always)]
    fn probe(&self, hash: u64, is: impl Fn(TokenId) -> bool) -> Result<TokenId, usize> {
        let (mut at, tag) = self.place(hash);
        loop {
            let there = self.tags[at];
            if there == tag && is(self.ids[at]) {
                return Ok(self.ids[at]);
            }
            if there == FREE {
                return Err(at);
            }
            at = (at + 1) & (self.tags.len() - 1);
        }
    }
}

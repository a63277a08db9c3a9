//! From the bytes of a token to its id.
//!
//! A slot is an id with eight bits of the token's hash above it, so of bytes that are no token all
//! but one in 250 are turned away by the slot alone. The slots of a run of tokens are asked for from
//! memory together when the index is made: it is ready in a few nanoseconds a token. At most half
//! of the slots are in use, and what is displaced stands in the next free one.

use crate::arch::prefetch;
use crate::token::{MAX_TOKEN_ID, TokenId};

/// See the module.
#[derive(Clone)]
pub(crate) struct TokenIndex {
    /// Their number is a power of two.
    slots: Vec<u32>,
    /// One less than their number.
    last: usize,
    used: usize,
}

const FREE: u32 = u32::MAX;

/// Where the bits of the hash stand.
const TAG: u32 = MAX_TOKEN_ID.trailing_ones();

/// What is above the id in a slot: never what is above it in a free one.
fn tag(hash: u64) -> u32 {
    ((hash >> 56) as u32).min((FREE >> TAG) - 1) << TAG
}

impl TokenIndex {
    /// An index for so many tokens.
    pub(crate) fn with_capacity(tokens: usize) -> Self {
        let slots = (2 * tokens.max(1)).next_power_of_two();
        TokenIndex {
            slots: vec![FREE; slots],
            last: slots - 1,
            used: 0,
        }
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Asks for the slot of a hash from memory.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(&self.slots, hash as usize & self.last);
    }

    /// The id whose token is the one meant, by its hash; `is` tells for an id.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(TokenId) -> bool) -> Option<TokenId> {
        self.probe(hash, is).ok()
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
                self.slots[free] = tag(hash) | id;
                self.used += 1;
                None
            }
        }
    }

    /// The id, or else the free slot where it would be.
    #[inline(always)]
    fn probe(&self, hash: u64, is: impl Fn(TokenId) -> bool) -> Result<TokenId, usize> {
        let tag = tag(hash);
        let mut at = hash as usize & self.last;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return Err(at);
            }
            let id = slot & MAX_TOKEN_ID;
            if slot & !MAX_TOKEN_ID == tag && is(id) {
                return Ok(id);
            }
            at = (at + 1) & self.last;
        }
    }
}

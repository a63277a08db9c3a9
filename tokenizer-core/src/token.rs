//! Ids, pairs and counts: the words every other room speaks in.

use std::fmt;

/// The number of a token. In a trained vocabulary the single bytes are `0..256` and merge `k`
/// makes token `256 + k`; a vocabulary that came from a file may number them in any order.
pub type TokenId = u32;

/// How often something occurs. Never narrower: corpora pass 2^32 occurrences of a space.
pub type Count = u64;

/// The highest id that an ordinary token may have.
///
/// Ids index dense tables, so an absurd id in a file must not become an absurd allocation. The
/// largest published vocabularies stay below 2^19.
pub const MAX_TOKEN_ID: TokenId = (1 << 24) - 1;

/// Two adjacent tokens, packed so that comparing the integers compares `(left, right)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair(u64);

impl Pair {
    /// The pair of `left` followed by `right`.
    #[inline]
    pub const fn new(left: TokenId, right: TokenId) -> Self {
        Pair((left as u64) << 32 | right as u64)
    }

    /// The first token.
    #[inline]
    pub const fn left(self) -> TokenId {
        (self.0 >> 32) as TokenId
    }

    /// The second token.
    #[inline]
    pub const fn right(self) -> TokenId {
        self.0 as TokenId
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.left(), self.right())
    }
}

/// A pair that may be merged next, with its count. The *greater* candidate is merged first.
///
/// This is the one place where the order of training is written down: highest count first, ties
/// to the smallest `(left id, right id)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Occurrences of the pair in the corpus, overlapping ones included.
    pub count: Count,
    /// The pair.
    pub pair: Pair,
}

impl Ord for Candidate {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.count
            .cmp(&other.count)
            .then_with(|| other.pair.cmp(&self.pair))
    }
}

impl PartialOrd for Candidate {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_keeps_its_halves_and_orders_by_left_then_right() {
        let pair = Pair::new(7, u32::MAX);
        assert_eq!((pair.left(), pair.right()), (7, u32::MAX));
        assert!(Pair::new(1, 9) < Pair::new(2, 0));
        assert!(Pair::new(1, 1) < Pair::new(1, 2));
    }

    #[test]
    fn the_highest_count_wins_and_ties_go_to_the_smallest_pair() {
        let candidate = |count, left, right| Candidate {
            count,
            pair: Pair::new(left, right),
        };
        assert!(candidate(3, 9, 9) > candidate(2, 0, 0));
        assert!(candidate(3, 0, 1) > candidate(3, 0, 2));
        assert!(candidate(3, 0, 9) > candidate(3, 1, 0));
    }
}

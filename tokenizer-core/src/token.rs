//! Token ids, pairs of them, and counts.

use std::fmt;

/// The id of a token.
///
/// By default, training gives the single bytes the ids `0..256` and merge `k` the id `256 + k`. A
/// vocabulary from a file may number its tokens in any order.
pub type TokenId = u32;

/// A number of occurrences. It has 64 bits, because a space can occur more than 2^32 times in a large corpus.
pub type Count = u64;

/// The highest id of an ordinary token: ids have 24 bits.
///
/// The tables of vocabularies and of encoded pieces store an id in a `u32` and use its upper 8 bits for
/// bits of a hash or for a count. The limit also bounds memory: some tables have an entry for each id up
/// to the highest, so one huge id in a file must not cause a huge allocation. The largest published
/// vocabularies have fewer than 2^19 ids.
pub const MAX_TOKEN_ID: TokenId = (1 << 24) - 1;

/// Two adjacent tokens, packed into a `u64` that orders by `(left, right)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair(u64);

impl Pair {
    /// Creates the pair of `left` followed by `right`.
    #[inline]
    #[must_use]
    pub const fn new(left: TokenId, right: TokenId) -> Self {
        Pair((left as u64) << 32 | right as u64)
    }

    /// Returns the first token.
    #[inline]
    #[must_use]
    pub const fn left(self) -> TokenId {
        (self.0 >> 32) as TokenId
    }

    /// Returns the second token.
    #[inline]
    #[must_use]
    pub const fn right(self) -> TokenId {
        self.0 as TokenId
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.left(), self.right())
    }
}

/// A pair and its count, ordered by merge priority: the greatest candidate is merged next.
///
/// `Ord` defines the merge order of training: highest count first, then smallest `(left, right)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Occurrences in the corpus, overlapping ones included: `aaa` contains `aa` twice.
    pub count: Count,
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
    fn pairs_round_trip_and_order_by_left_then_right() {
        let pair = Pair::new(7, u32::MAX);
        assert_eq!((pair.left(), pair.right()), (7, u32::MAX));
        assert!(Pair::new(1, 9) < Pair::new(2, 0));
        assert!(Pair::new(1, 1) < Pair::new(1, 2));
    }

    #[test]
    fn candidates_order_by_count_then_by_smallest_pair() {
        let candidate = |count, left, right| Candidate {
            count,
            pair: Pair::new(left, right),
        };
        assert!(candidate(3, 9, 9) > candidate(2, 0, 0));
        assert!(candidate(3, 0, 1) > candidate(3, 0, 2));
        assert!(candidate(3, 0, 9) > candidate(3, 1, 0));
    }
}

//! The ordered list of merge rules.

use std::fmt;

use crate::hash::{Key, Seeds};
use crate::hash_index::HashIndex;
use crate::simd::prefetch;
use crate::token::{MAX_TOKEN_ID, Pair, TokenId};

/// One rule: `left` followed by `right` becomes `token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The first token of the pair.
    pub left: TokenId,
    /// The second token of the pair.
    pub right: TokenId,
    /// The token that replaces the pair.
    pub token: TokenId,
}

impl Merge {
    /// Returns the pair that this rule merges.
    #[inline]
    #[must_use]
    pub fn pair(&self) -> Pair {
        Pair::new(self.left, self.right)
    }
}

/// Merge rules in the order of their ranks: where rules 0 and 1 could both be applied, rule 0 is applied
/// first.
///
/// In a trained list (see [`Merges::trained`]), rule `k` produces token `256 + k`. Other lists may number
/// their tokens in any way, and in a list from a file several rules may produce the same token.
#[derive(Clone)]
pub struct Merges {
    rules: Vec<Merge>,
    /// The hash table from pairs to ranks.
    index: HashIndex,
    seeds: Seeds,
}

/// An invalid list of merges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergesError {
    /// Two rules merge the same pair.
    #[error("duplicate pair in merge {rank} (first in merge {first})")]
    RepeatedPair {
        /// Rank of the later rule.
        rank: usize,
        /// Rank of the earlier rule.
        first: usize,
    },
    /// In a trained list, a rule uses a token that no earlier rule produces.
    #[error("merge {rank} uses token {id}, which no earlier merge produces")]
    LaterToken {
        /// Rank of the rule.
        rank: usize,
        /// The token that it uses.
        id: TokenId,
    },
    /// A rule of a trained list does not produce the next id.
    #[error("merge {rank} does not produce token 256 + {rank}")]
    NotTrained {
        /// Rank of the rule.
        rank: usize,
    },
    /// The tokens together exceed 4 GiB.
    #[error("tokens together exceed 4 GiB, from merge {rank} on")]
    TooLong {
        /// Rank of the rule whose token makes the total exceed the limit.
        rank: usize,
    },
    /// There are more merges than ids for their tokens.
    #[error("too many merges for token ids up to {MAX_TOKEN_ID}: {merges}")]
    TooMany {
        /// Number of merges.
        merges: usize,
    },
}

impl Merges {
    /// Creates a list from rules in the order of their ranks.
    ///
    /// # Errors
    /// If two rules have the same pair, or there are too many rules.
    pub fn new(rules: Vec<Merge>) -> Result<Self, MergesError> {
        if rules.len() > MAX_TOKEN_ID as usize {
            return Err(MergesError::TooMany {
                merges: rules.len(),
            });
        }
        let mut index = HashIndex::new(rules.len(), rules.len());
        let seeds = Seeds::new();
        for (rank, rule) in (0..).zip(&rules) {
            let same = |other: u32| rules[other as usize].pair() == rule.pair();
            if let Some(first) = index.insert(hash(seeds, rule.left, rule.right), rank, same) {
                let (rank, first) = (rank as usize, first as usize);
                return Err(MergesError::RepeatedPair { rank, first });
            }
        }
        Ok(Merges {
            rules,
            index,
            seeds,
        })
    }

    /// Creates a trained list: rule `k` merges `pairs[k]` into token `256 + k`.
    ///
    /// # Errors
    /// If a pair is a duplicate or uses a token of a later rule, or there are too many pairs.
    pub fn trained(pairs: &[Pair]) -> Result<Self, MergesError> {
        if pairs.len() > MAX_TOKEN_ID as usize - 255 {
            return Err(MergesError::TooMany {
                merges: pairs.len(),
            });
        }
        let mut rules = Vec::with_capacity(pairs.len());
        for (rank, pair) in pairs.iter().enumerate() {
            let token = 256 + rank as TokenId;
            for id in [pair.left(), pair.right()] {
                if id >= token {
                    return Err(MergesError::LaterToken { rank, id });
                }
            }
            rules.push(Merge {
                left: pair.left(),
                right: pair.right(),
                token,
            });
        }
        Self::new(rules)
    }

    /// Returns the number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Returns whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the rank of the rule that merges a pair, or `None` if there is no such rule.
    #[inline(always)]
    pub(crate) fn rank(&self, left: TokenId, right: TokenId) -> Option<u32> {
        let hash = hash(self.seeds, left, right);
        self.index
            .find(hash, |rank| self.is_rule(rank, left, right))
    }

    /// Returns the hash of a pair and prefetches the bucket that [`Merges::lowest_rank`] reads.
    #[inline(always)]
    pub(crate) fn hash_and_prefetch(&self, left: TokenId, right: TokenId) -> u64 {
        let hash = hash(self.seeds, left, right);
        self.index.prefetch(hash);
        hash
    }

    /// Returns a lower bound on the rank of the rule for the pair with this hash, or `None` if there is
    /// certainly no such rule. Usually reads one cache line.
    #[inline(always)]
    pub(crate) fn lowest_rank(&self, hash: u64) -> Option<u32> {
        self.index.lowest(hash)
    }

    /// Prefetches the rule that [`Merges::is_rule`] reads.
    #[inline(always)]
    pub(crate) fn prefetch_rule(&self, rank: u32) {
        prefetch(&self.rules, rank as usize);
    }

    /// Returns whether the rule of this rank merges `left` and `right`.
    #[inline(always)]
    pub(crate) fn is_rule(&self, rank: u32, left: TokenId, right: TokenId) -> bool {
        let rule = &self.rules[rank as usize];
        rule.left == left && rule.right == right
    }

    /// Returns the token that the rule of this rank produces.
    #[inline(always)]
    pub(crate) fn token(&self, rank: u32) -> TokenId {
        self.rules[rank as usize].token
    }

    /// Returns the rules in the order of their ranks.
    pub fn iter(&self) -> std::slice::Iter<'_, Merge> {
        self.rules.iter()
    }

    /// Returns the bytes of every token of a trained list, in the order of ids: the single bytes first.
    ///
    /// # Errors
    /// If the list is not numbered like a list from [`Merges::trained`], or the tokens together exceed 4 GiB.
    pub fn trained_tokens(&self) -> Result<Vec<Vec<u8>>, MergesError> {
        let (bytes, ends) = self.trained_arena()?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let tokens = starts.zip(&ends);
        Ok(tokens
            .map(|(start, &end)| bytes[start as usize..end as usize].to_vec())
            .collect())
    }

    /// Returns the tokens of [`Merges::trained_tokens`] concatenated, and the end offset of each.
    pub(crate) fn trained_arena(&self) -> Result<(Vec<u8>, Vec<u32>), MergesError> {
        let mut bytes: Vec<u8> = (0..=255).collect();
        let mut ends: Vec<u32> = (1..=256).collect();
        for (rank, rule) in self.rules.iter().enumerate() {
            let span = |id: TokenId| {
                let end = ends.get(id as usize).copied();
                let end = end.ok_or(MergesError::LaterToken { rank, id })?;
                let start = id.checked_sub(1).map_or(0, |before| ends[before as usize]);
                Ok(start as usize..end as usize)
            };
            let (left, right) = (span(rule.left)?, span(rule.right)?);
            if rule.token as usize != ends.len() {
                return Err(MergesError::NotTrained { rank });
            }
            let end = bytes.len() as u64 + left.len() as u64 + right.len() as u64;
            ends.push(u32::try_from(end).map_err(|_| MergesError::TooLong { rank })?);
            bytes.extend_from_within(left);
            bytes.extend_from_within(right);
        }
        Ok((bytes, ends))
    }
}

#[inline(always)]
fn hash(seeds: Seeds, left: TokenId, right: TokenId) -> u64 {
    seeds.hash(Key(u128::from(left) << 64 | u128::from(right)))
}

impl Default for Merges {
    fn default() -> Self {
        Merges {
            rules: Vec::new(),
            index: HashIndex::new(0, 0),
            seeds: Seeds::new(),
        }
    }
}

impl fmt::Debug for Merges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.rules).finish()
    }
}

impl PartialEq for Merges {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for Merges {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trained_tokens_are_numbered_from_256() {
        let merges = Merges::trained(&[Pair::new(97, 98), Pair::new(256, 99)]).unwrap();
        assert_eq!(
            merges.iter().map(|m| m.token).collect::<Vec<_>>(),
            [256, 257]
        );
        let tokens = merges.trained_tokens().unwrap();
        assert_eq!(tokens[257], b"abc");
        assert_eq!(tokens.len(), 258);
    }

    #[test]
    fn tokens_of_more_than_4_gib_are_refused_before_allocation() {
        let doubling = (0..40).map(|n| match n {
            0 => Pair::new(97, 97),
            n => Pair::new(255 + n, 255 + n),
        });
        let merges = Merges::trained(&doubling.collect::<Vec<_>>()).unwrap();
        let error = merges.trained_tokens().unwrap_err();
        assert!(matches!(error, MergesError::TooLong { .. }), "{error}");
    }

    #[test]
    fn duplicate_and_undefined_pairs_are_refused() {
        let twice = [Pair::new(97, 98), Pair::new(97, 98)];
        assert_eq!(
            Merges::trained(&twice),
            Err(MergesError::RepeatedPair { rank: 1, first: 0 })
        );
        assert_eq!(
            Merges::trained(&[Pair::new(97, 256)]),
            Err(MergesError::LaterToken { rank: 0, id: 256 })
        );
    }
}

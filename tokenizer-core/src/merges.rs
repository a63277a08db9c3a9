//! Merges: which pair becomes which token, in order of rank.

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
    /// What the pair becomes.
    pub token: TokenId,
}

impl Merge {
    /// The pair that this rule merges.
    #[inline]
    pub fn pair(&self) -> Pair {
        Pair::new(self.left, self.right)
    }
}

/// Merge rules by rank: rule 0 is applied before rule 1, wherever both can be.
///
/// A trained list makes token `256 + k` with rule `k`. A list from a file may number its tokens in
/// any way and may make one token by several rules.
#[derive(Clone)]
pub struct Merges {
    rules: Vec<Merge>,
    /// Ranks by their pairs.
    index: HashIndex,
    seeds: Seeds,
}

/// A list of merges contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergesError {
    /// The same pair stands twice.
    #[error("merge {rank} repeats the pair of merge {first}")]
    RepeatedPair {
        /// The later rule.
        rank: usize,
        /// The earlier rule.
        first: usize,
    },
    /// A trained list: the rule uses a token that no earlier rule makes.
    #[error("merge {rank} uses token {id}, which no earlier merge makes")]
    LaterToken {
        /// The rule.
        rank: usize,
        /// The token it uses too early.
        id: TokenId,
    },
    /// A list that is taken for a trained one numbers its tokens in another way.
    #[error("merge {rank} does not make token 256 + {rank}, as training does")]
    NotTrained {
        /// The rule.
        rank: usize,
    },
    /// The tokens together pass 4 GiB.
    #[error("with merge {rank} the tokens together pass 4 GiB")]
    TooLong {
        /// The rule.
        rank: usize,
    },
    /// More merges than there are ids.
    #[error("{merges} merges are more than ids up to {MAX_TOKEN_ID} can number")]
    TooMany {
        /// How many there are.
        merges: usize,
    },
}

impl Merges {
    /// Rules in order of rank.
    ///
    /// # Errors
    /// When a pair stands twice, or there are too many.
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

    /// The rules of a trained list: rule `k` makes token `256 + k` of earlier tokens.
    ///
    /// # Errors
    /// When a pair stands twice, uses a later token, or there are too many.
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

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rank of the rule for a pair.
    #[inline(always)]
    pub(crate) fn rank(&self, left: TokenId, right: TokenId) -> Option<u32> {
        let hash = hash(self.seeds, left, right);
        self.index
            .find(hash, |rank| self.is_rule(rank, left, right))
    }

    /// Hashes a pair, and fetches what [`Merges::lowest_rank`] reads.
    #[inline(always)]
    pub(crate) fn seek(&self, left: TokenId, right: TokenId) -> u64 {
        let hash = hash(self.seeds, left, right);
        self.index.prefetch(hash);
        hash
    }

    /// A lower bound of the rank of the rule for the pair with this hash; `None` if there is certainly no
    /// such rule. One cache line.
    #[inline(always)]
    pub(crate) fn lowest_rank(&self, hash: u64) -> Option<u32> {
        self.index.lowest(hash)
    }

    /// Fetches what [`Merges::is_rule`] reads.
    #[inline(always)]
    pub(crate) fn prefetch_rule(&self, rank: u32) {
        prefetch(&self.rules, rank as usize);
    }

    /// Whether a rank is that of the rule for a pair.
    #[inline(always)]
    pub(crate) fn is_rule(&self, rank: u32, left: TokenId, right: TokenId) -> bool {
        let rule = &self.rules[rank as usize];
        rule.left == left && rule.right == right
    }

    /// The token that the rule of a rank makes.
    #[inline(always)]
    pub(crate) fn token(&self, rank: u32) -> TokenId {
        self.rules[rank as usize].token
    }

    /// The rules in order of rank.
    pub fn iter(&self) -> std::slice::Iter<'_, Merge> {
        self.rules.iter()
    }

    /// The bytes of every token of a trained list, single bytes first, in the order of ids.
    ///
    /// # Errors
    /// When the list is not numbered as [`Merges::trained`] numbers it, or the tokens together pass
    /// 4 GiB.
    pub fn trained_tokens(&self) -> Result<Vec<Vec<u8>>, MergesError> {
        let (bytes, ends) = self.trained_arena()?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let tokens = starts.zip(&ends);
        Ok(tokens
            .map(|(start, &end)| bytes[start as usize..end as usize].to_vec())
            .collect())
    }

    /// The tokens of [`Merges::trained_tokens`] one behind the other, and where each ends.
    pub(crate) fn trained_arena(&self) -> Result<(Vec<u8>, Vec<u32>), MergesError> {
        let mut bytes: Vec<u8> = (0..=255).collect();
        let mut ends: Vec<u32> = (1..=256).collect();
        for (rank, rule) in self.rules.iter().enumerate() {
            let part = |id: TokenId| {
                let end = ends.get(id as usize).copied();
                let end = end.ok_or(MergesError::LaterToken { rank, id })?;
                let start = id.checked_sub(1).map_or(0, |before| ends[before as usize]);
                Ok(start as usize..end as usize)
            };
            let (left, right) = (part(rule.left)?, part(rule.right)?);
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
    fn a_trained_list_numbers_its_tokens_from_256() {
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
    fn tokens_that_double_are_refused_before_they_are_made() {
        let doubling = (0..40).map(|n| match n {
            0 => Pair::new(97, 97),
            n => Pair::new(255 + n, 255 + n),
        });
        let merges = Merges::trained(&doubling.collect::<Vec<_>>()).unwrap();
        let error = merges.trained_tokens().unwrap_err();
        assert!(matches!(error, MergesError::TooLong { .. }), "{error}");
    }

    #[test]
    fn lists_that_contradict_themselves_are_refused() {
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

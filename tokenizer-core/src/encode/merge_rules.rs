//! Merge rules: which pairs of tokens merge, at which rank, and into which token.
//!
//! With [`Merging::Ranks`], a pair merges if its joined bytes are a token, and the id of that token is the
//! rank. The token is found in the vocabulary by the hash of the joined bytes, which is computed from the
//! hashes of both tokens. With [`Merging::Merges`], the pair is looked up in the list of merges.
//!
//! Both look-ups use a hash index (`hash_index.rs`), which returns a lower bound faster than the exact rank.
//! Merging in lockstep uses such bounds, and verifies only those of the pairs that it merges; all other
//! merging uses exact ranks. The ranks of pairs of single bytes, with which all merging starts, are exact
//! too: they are in a direct table of 65,536 ranks.

use std::sync::Arc;

use super::hidden::HiddenSymbols;
use crate::merges::Merges;
use crate::model::{Merging, Model};
use crate::pattern::Pattern;
use crate::token::TokenId;
use crate::vocab::{HashedToken, Vocab};

/// The rank of a pair that does not merge. Ranks, like ids, are below 2^24.
pub(super) const NO_RANK: u32 = (1 << 26) - 1;

/// The merge rules of a model.
pub(super) struct MergeRules {
    model: Arc<Model>,
    /// The hidden symbols, unless every byte is a token and a first symbol.
    hidden: Option<Box<HiddenSymbols>>,
    /// The tokens or hidden symbols of single bytes.
    pub(super) bytes: [HashedToken; 256],
    /// The rank of two bytes, at index `first * 256 + second`.
    byte_ranks: Box<[u32; 1 << 16]>,
    /// Whether a piece that equals a token is encoded as that token without merging.
    pub(super) ignore_merges: bool,
}

impl MergeRules {
    pub(super) fn new(model: Arc<Model>) -> Self {
        let vocab = model.vocab();
        let hidden = match model.merging() {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => HiddenSymbols::new(&model, merges).map(Box::new),
        };
        let bytes = match &hidden {
            Some(hidden) => hidden.bytes(),
            None => vocab.byte_ids().map(|id| vocab.hashed(id.unwrap_or(0))),
        };
        let mut rules = MergeRules {
            hidden,
            bytes,
            byte_ranks: (vec![NO_RANK; 1 << 16].into_boxed_slice().try_into())
                .expect("of this length"),
            ignore_merges: true,
            model: Arc::clone(&model),
        };
        match model.merging() {
            Merging::Ranks => {
                for (id, [first, second]) in vocab.two_byte_tokens() {
                    // If several ids have the same two bytes, the lowest wins.
                    let rank = &mut rules.byte_ranks[byte_pair(first, second)];
                    *rank = id.min(*rank);
                }
            }
            Merging::Merges {
                merges,
                ignore_merges,
            } => {
                rules.ignore_merges = *ignore_merges;
                let hidden = rules.hidden.as_deref();
                let byte = |id| match vocab.token(id) {
                    Some(&[byte]) if bytes[usize::from(byte)].id == id => Some(byte),
                    Some(_) => None,
                    None => hidden.and_then(|hidden| hidden.byte(id)),
                };
                let merges = hidden.map_or(merges, HiddenSymbols::merges);
                for (merge, rank) in merges.iter().zip(0..) {
                    if let (Some(first), Some(second)) = (byte(merge.left), byte(merge.right)) {
                        rules.byte_ranks[byte_pair(first, second)] = rank;
                    }
                }
            }
        }
        rules
    }

    pub(super) fn pattern(&self) -> &Pattern {
        self.model.pattern()
    }

    pub(super) fn vocab(&self) -> &Vocab {
        self.model.vocab()
    }

    /// The hidden symbols, unless every byte is a token and a first symbol.
    #[inline(always)]
    pub(super) fn hidden(&self) -> Option<&HiddenSymbols> {
        self.hidden.as_deref()
    }

    /// The length in bytes of a token or hidden symbol.
    pub(super) fn length(&self, id: TokenId) -> usize {
        match &self.hidden {
            None => self.vocab().token(id).map_or(0, <[u8]>::len),
            Some(hidden) => hidden.length(self.vocab(), id),
        }
    }

    /// The rank of the merge of two bytes, or [`NO_RANK`].
    #[inline(always)]
    pub(super) fn byte_rank(&self, first: u8, second: u8) -> u32 {
        self.byte_ranks[byte_pair(first, second)]
    }

    /// The list of merges, unless the model merges by ranks.
    #[inline(always)]
    fn listed(&self) -> Option<&Merges> {
        match self.model.merging() {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => match &self.hidden {
                None => Some(merges),
                Some(hidden) => Some(hidden.merges()),
            },
        }
    }

    /// Prefetches the rank of a pair. Returns the hash for [`MergeRules::lowest_rank`].
    #[inline(always)]
    pub(super) fn hash_and_prefetch(&self, left: HashedToken, right: HashedToken) -> u64 {
        match self.listed() {
            None => {
                let hash = self.vocab().joined_hash(left, right);
                self.vocab().prefetch(hash);
                hash
            }
            Some(merges) => merges.hash_and_prefetch(left.id, right.id),
        }
    }

    /// Returns a lower bound on the rank of the pair whose hash [`MergeRules::hash_and_prefetch`] returned, or
    /// [`NO_RANK`].
    #[inline(always)]
    pub(super) fn lowest_rank(&self, hash: u64) -> u32 {
        let lowest = match self.listed() {
            None => self.vocab().lowest_id(hash),
            Some(merges) => merges.lowest_rank(hash),
        };
        lowest.unwrap_or(NO_RANK)
    }

    /// Prefetches the memory that [`MergeRules::is_rank`] reads.
    #[inline(always)]
    pub(super) fn prefetch_rank(&self, rank: u32) {
        match self.listed() {
            None => self.vocab().prefetch_end(rank),
            Some(merges) => merges.prefetch_rule(rank),
        }
    }

    /// Returns whether a rank from [`MergeRules::lowest_rank`] is the exact rank of the pair `(left, right)`,
    /// whose joined bytes are `text[at..at + length]`.
    #[inline(always)]
    pub(super) fn is_rank(
        &self,
        rank: u32,
        (left, right): (TokenId, TokenId),
        text: &[u8],
        at: usize,
        length: usize,
    ) -> bool {
        match self.listed() {
            None => self.vocab().is_at(rank, text, at, length),
            Some(merges) => merges.is_rule(rank, left, right),
        }
    }

    /// Returns the rank of a pair, or [`NO_RANK`]. The joined bytes of the pair begin at `text[at]`.
    #[inline(always)]
    pub(super) fn rank(
        &self,
        left: HashedToken,
        right: HashedToken,
        text: &[u8],
        at: usize,
    ) -> u32 {
        let rank = match self.listed() {
            None => self.vocab().id_of_joined(left, right, text, at),
            Some(merges) => merges.rank(left.id, right.id),
        };
        rank.unwrap_or(NO_RANK)
    }

    /// Like [`MergeRules::rank`], but needs only the ids.
    pub(super) fn rank_of_ids(&self, left: TokenId, right: TokenId) -> u32 {
        let rank = match self.listed() {
            None => {
                let vocab = self.vocab();
                let bytes = |id| vocab.token(id).unwrap_or_default();
                vocab.id(&[bytes(left), bytes(right)].concat())
            }
            Some(merges) => merges.rank(left, right),
        };
        rank.unwrap_or(NO_RANK)
    }

    /// The id of the token that the merge of `rank` produces.
    #[inline(always)]
    pub(super) fn token(&self, rank: u32) -> TokenId {
        match self.listed() {
            None => rank,
            Some(merges) => merges.token(rank),
        }
    }

    /// The token that merging `left` and `right`, a pair of this rank, produces.
    #[inline(always)]
    pub(super) fn merged(&self, rank: u32, left: HashedToken, right: HashedToken) -> HashedToken {
        HashedToken::joined(self.vocab(), self.token(rank), left, right)
    }
}

#[inline(always)]
fn byte_pair(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

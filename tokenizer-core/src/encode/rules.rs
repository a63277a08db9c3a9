//! The rules of merging: which two tokens merge, how early, and what they become.
//!
//! Under [`Merging::Ranks`] any two tokens merge whose joined bytes are a token, the one with the lowest id
//! first: the vocabulary is searched, by a hash that follows from those of both tokens. Listed merges are
//! searched by their pairs. Both indexes give a lower bound of the rank first (`hash_index.rs`), which is
//! verified for the pairs that are merged. Two single bytes, which every merge begins with, have a direct
//! table of 65,536.

use std::sync::Arc;

use crate::merges::Merges;
use crate::model::{Merging, Model};
use crate::pattern::Pattern;
use crate::token::TokenId;
use crate::vocab::{Part, Vocab};

/// The rank of a pair that does not merge. Ranks are below 2^24, as ids are.
pub(super) const NO_RANK: u32 = (1 << 26) - 1;

/// See the module.
pub(super) struct Rules {
    model: Arc<Model>,
    pub(super) bytes: [Part; 256],
    /// The rank of two bytes, at `first * 256 + second`.
    byte_ranks: Box<[u32; 1 << 16]>,
    /// Whether a piece that is a token is that token, without merging.
    pub(super) ignore_merges: bool,
}

impl Rules {
    pub(super) fn new(model: Arc<Model>) -> Self {
        let vocab = model.vocab();
        let mut rules = Rules {
            bytes: vocab.byte_ids().map(|id| vocab.part(id)),
            byte_ranks: (vec![NO_RANK; 1 << 16].into_boxed_slice().try_into())
                .expect("of this length"),
            ignore_merges: true,
            model: Arc::clone(&model),
        };
        match model.merging() {
            Merging::Ranks => {
                for (id, [first, second]) in vocab.two_byte_tokens() {
                    // Of repeated tokens the one with the lowest id counts.
                    let rank = &mut rules.byte_ranks[square(first, second)];
                    *rank = id.min(*rank);
                }
            }
            Merging::Merges {
                merges,
                ignore_merges,
            } => {
                rules.ignore_merges = *ignore_merges;
                let byte = |id| match vocab.token(id) {
                    Some(&[byte]) if vocab.byte_ids()[usize::from(byte)] == id => Some(byte),
                    _ => None,
                };
                for (merge, rank) in merges.iter().zip(0..) {
                    if let (Some(first), Some(second)) = (byte(merge.left), byte(merge.right)) {
                        rules.byte_ranks[square(first, second)] = rank;
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

    /// The rank of the merge of two bytes, or [`NO_RANK`].
    #[inline(always)]
    pub(super) fn byte_rank(&self, first: u8, second: u8) -> u32 {
        self.byte_ranks[square(first, second)]
    }

    /// The merges, if they are listed.
    #[inline(always)]
    fn listed(&self) -> Option<&Merges> {
        match self.model.merging() {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => Some(merges),
        }
    }

    /// Starts to look for the rank of the merge of two tokens.
    #[inline(always)]
    pub(super) fn seek(&self, left: Part, right: Part) -> u64 {
        match self.listed() {
            None => {
                let hash = self.vocab().joined_hash(left, right);
                self.vocab().prefetch(hash);
                hash
            }
            Some(merges) => merges.seek(left.id, right.id),
        }
    }

    /// A lower bound of the rank that [`Rules::seek`] started to look for, or [`NO_RANK`].
    #[inline(always)]
    pub(super) fn lowest_rank(&self, hash: u64) -> u32 {
        let lowest = match self.listed() {
            None => self.vocab().lowest_id(hash),
            Some(merges) => merges.lowest_rank(hash),
        };
        lowest.unwrap_or(NO_RANK)
    }

    /// Fetches what [`Rules::is_rank`] reads of a rank.
    #[inline(always)]
    pub(super) fn prefetch_rank(&self, rank: u32) {
        match self.listed() {
            None => self.vocab().prefetch_end(rank),
            Some(merges) => merges.prefetch_rule(rank),
        }
    }

    /// Whether a rank that [`Rules::lowest_rank`] gave is that of the merge of two tokens. Their joined
    /// bytes are the `length` bytes at `text[at]`.
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

    /// The rank of the merge of two tokens, or [`NO_RANK`]. Their joined bytes begin at `text[at]`.
    #[inline(always)]
    pub(super) fn rank(&self, left: Part, right: Part, text: &[u8], at: usize) -> u32 {
        let rank = match self.listed() {
            None => self.vocab().id_of_joined(left, right, text, at),
            Some(merges) => merges.rank(left.id, right.id),
        };
        rank.unwrap_or(NO_RANK)
    }

    /// As [`Rules::rank`], by ids alone.
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

    /// The token that the merge of a rank makes.
    #[inline(always)]
    pub(super) fn token(&self, rank: u32) -> TokenId {
        match self.listed() {
            None => rank,
            Some(merges) => merges.token(rank),
        }
    }

    /// The token that a merge of two tokens makes.
    #[inline(always)]
    pub(super) fn merged(&self, rank: u32, left: Part, right: Part) -> Part {
        Part::joined(self.vocab(), self.token(rank), left, right)
    }
}

#[inline(always)]
fn square(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

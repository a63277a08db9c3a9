//! Which two tokens merge, how early, and into what: one question for both kinds of model.
//!
//! * **Ranks** (tiktoken's kind): two tokens merge where their joined bytes are an entry. The joined
//!   bytes stand in the piece, so the question goes to the vocabulary itself, and no table of pairs
//!   is made: an entry of ten bytes could be made of nine pairs, and to list them all takes longer
//!   than to encode the first megabytes.
//! * **Merges**: the listed pairs, in a table from a pair to its place in the list.
//!
//! Two single bytes are asked for most of all. Their answers stand in a square of 256 by 256, found
//! by the bytes themselves.

use std::ops::Range;
use std::sync::OnceLock;

use ahash::RandomState;
use hashbrown::HashTable;

use super::borders::Borders;
use super::token_filter::TokenFilter;
use crate::merges::Merges;
use crate::model::{Merging, Model};
use crate::token::{MAX_TOKEN_ID, Pair, TokenId};

/// The rank of a pair that does not merge. Ranks are lower than [`MAX_TOKEN_ID`], and there is room
/// above it.
pub(super) const NO_RANK: u32 = (1 << 26) - 1;

const _: () = assert!(MAX_TOKEN_ID < NO_RANK);

/// See the module.
pub(super) struct Rules {
    /// The rank of two bytes, at `first * 256 + second`.
    byte_pairs: Vec<u32>,
    /// Of listed merges, where each pair stands in the list. Empty under ranks.
    pairs: HashTable<u32>,
    hasher: RandomState,
    /// Bytes of the longest token: no merge makes a longer one.
    longest: usize,
    pub(super) whole_piece_first: bool,
    /// Made when it is asked for first.
    borders: OnceLock<Borders>,
    /// Made when it is wanted.
    filter: OnceLock<TokenFilter>,
}

impl Rules {
    pub(super) fn new(model: &Model) -> Self {
        let vocab = model.vocab();
        let mut rules = Rules {
            byte_pairs: vec![NO_RANK; 1 << 16],
            pairs: HashTable::new(),
            hasher: RandomState::new(),
            longest: vocab.longest(),
            whole_piece_first: true,
            borders: OnceLock::new(),
            filter: OnceLock::new(),
        };
        match model.merging() {
            Merging::Ranks => {
                for (id, token) in vocab.iter() {
                    if let [first, second] = *token {
                        rules.byte_pairs[square(first, second)] = id;
                    }
                }
            }
            Merging::Merges {
                merges,
                whole_piece_first,
            } => {
                rules.whole_piece_first = *whole_piece_first;
                rules.list(merges);
                let byte = |id| match vocab.token(id) {
                    Some(&[byte]) if vocab.byte_ids()[usize::from(byte)] == id => Some(byte),
                    _ => None,
                };
                for (merge, rank) in merges.iter().zip(0..) {
                    if let (Some(first), Some(second)) = (byte(merge.left), byte(merge.right)) {
                        rules.byte_pairs[square(first, second)] = rank;
                    }
                }
            }
        }
        rules
    }

    fn list(&mut self, merges: &Merges) {
        let hash = |rank: u32| {
            let pair = merges.iter().as_slice()[rank as usize].pair();
            self.hasher.hash_one(pair)
        };
        self.pairs.reserve(merges.len(), |&rank| hash(rank));
        for rank in 0..merges.len() as u32 {
            // No pair stands twice.
            self.pairs
                .insert_unique(hash(rank), rank, |&rank| hash(rank));
        }
    }

    /// The borders that no token reaches across, for a piece of characters beyond ASCII.
    #[inline]
    pub(super) fn borders(&self, model: &Model, piece: &[u8]) -> Option<&Borders> {
        // The first character is often a space or a mark.
        let beyond_ascii = piece.iter().take(2).any(|byte| !byte.is_ascii());
        beyond_ascii.then(|| made_once(&self.borders, || Borders::new(model.vocab())))
    }

    /// Makes the table that tells quickly what is no token, unless it is there.
    pub(super) fn prepare_for_many(&self, model: &Model) {
        let vocab_is_asked = self.whole_piece_first || matches!(model.merging(), Merging::Ranks);
        if vocab_is_asked {
            made_once(&self.filter, || TokenFilter::new(model.vocab()));
        }
    }

    /// Whether these bytes may be a token: no means no.
    #[inline]
    pub(super) fn may_be_token(&self, bytes: &[u8]) -> bool {
        match self.filter.get() {
            Some(filter) => filter.may_be_token(bytes),
            None => true,
        }
    }

    /// The rank of the merge of two bytes, or [`NO_RANK`].
    #[inline(always)]
    pub(super) fn byte_rank(&self, first: u8, second: u8) -> u32 {
        self.byte_pairs[square(first, second)]
    }

    /// The rank of the merge of two tokens, or [`NO_RANK`]. Their joined bytes are `text[joined]`.
    #[inline]
    pub(super) fn rank(&self, model: &Model, pair: Pair, text: &[u8], joined: Range<usize>) -> u32 {
        if joined.len() > self.longest {
            return NO_RANK;
        }
        match model.merging() {
            Merging::Ranks => {
                let vocab = model.vocab();
                let seeds = vocab.seeds();
                let hash = seeds.hash(seeds.key(text, joined.start, joined.end));
                vocab.id_of_hash(hash, &text[joined]).unwrap_or(NO_RANK)
            }
            Merging::Merges { merges, .. } => {
                let rules = merges.iter().as_slice();
                let same = |&rank: &u32| rules[rank as usize].pair() == pair;
                let rank = self.pairs.find(self.hasher.hash_one(pair), same);
                rank.copied().unwrap_or(NO_RANK)
            }
        }
    }

    /// The token that the merge of a rank makes.
    #[inline(always)]
    pub(super) fn token(&self, model: &Model, rank: u32) -> TokenId {
        match model.merging() {
            Merging::Ranks => rank,
            Merging::Merges { merges, .. } => merges.iter().as_slice()[rank as usize].token,
        }
    }
}

/// What is in the cell, or is made now. Two threads may make it at once: so nobody waits for one that
/// a fork left behind.
#[inline]
fn made_once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(made) => made,
        None => {
            let made = make();
            cell.get_or_init(|| made)
        }
    }
}

#[inline(always)]
fn square(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

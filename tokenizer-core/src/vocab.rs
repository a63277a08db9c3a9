//! Vocab: the bytes of every id, and the id of bytes.
//!
//! All tokens stand one behind another in one arena. An id without a token (p50k has one) is an
//! empty span: no token is empty, so nothing else is needed to mark a hole.

use crate::piece_key::Seeds;
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::token_index::TokenIndex;

/// The tokens of a model, special tokens left out: ids to bytes and back. Immutable.
///
/// Every single byte is a token, so every text can be encoded.
#[derive(Clone)]
pub struct Vocab {
    bytes: Vec<u8>,
    /// Where the token of an id ends; it starts where the one before ends.
    ends: Vec<u32>,
    index: TokenIndex,
    seeds: Seeds,
    byte_ids: [TokenId; 256],
    tokens: usize,
    longest: usize,
}

/// Tokens whose slots in the index are asked for together.
const GROUP: usize = 32;

/// What to do with two ids for the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// An error: a table from bytes to ranks cannot hold both.
    Refuse,
    /// Two merges made the same bytes, which training by pairs allows; bytes mean the lowest id.
    LowestId,
}

/// A vocabulary contradicts itself or lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabError {
    /// A token has no bytes.
    #[error("token {id} is empty")]
    EmptyToken {
        /// Its id.
        id: TokenId,
    },
    /// Two ids have the same bytes.
    #[error("tokens {first} and {id} are both \"{}\"", .bytes.escape_ascii())]
    RepeatedToken {
        /// The bytes.
        bytes: Vec<u8>,
        /// The lower id.
        first: TokenId,
        /// The higher id.
        id: TokenId,
    },
    /// One id stands twice.
    #[error("id {id} stands twice")]
    RepeatedId {
        /// The id.
        id: TokenId,
    },
    /// An id is higher than a vocabulary may use.
    #[error("id {id} is above {MAX_TOKEN_ID}, the highest that a vocabulary may use")]
    IdTooHigh {
        /// The id.
        id: u64,
    },
    /// A byte has no token of its own, so some text could not be encoded.
    #[error("the single byte 0x{byte:02X} is no token")]
    MissingByte {
        /// The byte.
        byte: u8,
    },
    /// The ends of an arena do not ascend to its length.
    #[error("the bytes of token {id} lie outside the vocabulary's")]
    BrokenArena {
        /// The first id that does not fit.
        id: TokenId,
    },
    /// The tokens together pass 4 GiB.
    #[error("the tokens together pass 4 GiB")]
    TooLarge,
}

impl Vocab {
    /// Tokens in any order.
    ///
    /// # Errors
    /// See [`VocabError`].
    pub fn new<'a>(
        tokens: impl IntoIterator<Item = (TokenId, &'a [u8])>,
        repeats: Repeats,
    ) -> Result<Self, VocabError> {
        let mut tokens: Vec<(TokenId, &[u8])> = tokens.into_iter().collect();
        if !tokens.is_sorted_by_key(|&(id, _)| id) {
            tokens.sort_unstable_by_key(|&(id, _)| id);
        }
        let mut bytes: Vec<u8> = Vec::with_capacity(tokens.iter().map(|(_, t)| t.len()).sum());
        let mut ends: Vec<u32> = Vec::with_capacity(tokens.len());
        for &(id, token) in &tokens {
            if id > MAX_TOKEN_ID {
                return Err(VocabError::IdTooHigh { id: id.into() });
            }
            if token.is_empty() {
                return Err(VocabError::EmptyToken { id });
            }
            if (id as usize) < ends.len() {
                return Err(VocabError::RepeatedId { id });
            }
            // Ids that are passed over are holes: they end where the token before them does.
            ends.resize(id as usize, bytes.len() as u32);
            bytes.extend_from_slice(token);
            ends.push(u32::try_from(bytes.len()).map_err(|_| VocabError::TooLarge)?);
        }
        Self::index(bytes, ends, repeats)
    }

    /// A vocabulary from its arena: the bytes of all tokens by id, and where each ends. An id whose
    /// end is that of the one before is a hole.
    ///
    /// # Errors
    /// See [`VocabError`].
    pub fn from_arena(
        bytes: impl Into<Vec<u8>>,
        ends: impl Into<Vec<u32>>,
        repeats: Repeats,
    ) -> Result<Self, VocabError> {
        let (bytes, mut ends) = (bytes.into(), ends.into());
        let mut start = 0;
        for (id, &end) in (0..).zip(&ends) {
            if end < start || end as usize > bytes.len() {
                return Err(VocabError::BrokenArena { id });
            }
            if id > MAX_TOKEN_ID && end > start {
                return Err(VocabError::IdTooHigh { id: id.into() });
            }
            start = end;
        }
        if start as usize != bytes.len() {
            let id = ends.len() as TokenId;
            return Err(VocabError::BrokenArena { id });
        }
        // Holes behind the last token are no ids.
        let used = ends.partition_point(|&end| end < start) + 1;
        ends.truncate(used);
        Self::index(bytes, ends, repeats)
    }

    /// Finds the tokens of an arena by their bytes from now on. The last id has a token.
    fn index(bytes: Vec<u8>, ends: Vec<u32>, repeats: Repeats) -> Result<Self, VocabError> {
        let mut vocab = Vocab {
            index: TokenIndex::with_capacity(ends.len()),
            seeds: Seeds::new(),
            byte_ids: [0; 256],
            tokens: 0,
            longest: 0,
            bytes,
            ends,
        };
        let Vocab {
            index,
            seeds,
            tokens,
            longest,
            bytes,
            ends,
            ..
        } = &mut vocab;
        let (bytes, ends, seeds) = (&*bytes, &*ends, &*seeds);
        let mut start = 0;
        let mut group = [const { (0..0, 0u64) }; GROUP];
        for (some, first) in ends.chunks(GROUP).zip((0..).step_by(GROUP)) {
            for (entry, &end) in group.iter_mut().zip(some) {
                let token = start as usize..end as usize;
                start = end;
                let hash = match token.is_empty() {
                    true => 0,
                    false => seeds.hash(seeds.key(bytes, token.start, token.end)),
                };
                index.prefetch(hash);
                *entry = (token, hash);
            }
            for ((token, hash), id) in group[..some.len()].iter().zip(first..) {
                let token = &bytes[token.clone()];
                if token.is_empty() {
                    continue;
                }
                *tokens += 1;
                *longest = token.len().max(*longest);
                let same = |other| span(bytes, ends, other) == token;
                if let Some(first) = index.insert(*hash, id, same)
                    && repeats == Repeats::Refuse
                {
                    return Err(VocabError::RepeatedToken {
                        bytes: token.to_vec(),
                        first,
                        id,
                    });
                }
            }
        }
        for byte in 0..=255u8 {
            vocab.byte_ids[byte as usize] =
                vocab.id(&[byte]).ok_or(VocabError::MissingByte { byte })?;
        }
        Ok(vocab)
    }

    /// The bytes of all tokens by id.
    pub fn arena(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the token of each id ends in [`Vocab::arena`]; it starts where the one before ends.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Ids whose bytes have a lower id too. Only merges from a file can make them, training never does.
    pub fn repeated(&self) -> impl Iterator<Item = TokenId> + '_ {
        // Mostly there are none, which shows in how many tokens were found to be different.
        let all = (self.index.len() < self.tokens).then(|| self.iter());
        all.into_iter()
            .flatten()
            .filter(|&(id, token)| self.id(token) != Some(id))
            .map(|(id, _)| id)
    }

    /// The id of `token`, or `None` when it is not in the vocabulary.
    pub fn id(&self, token: &[u8]) -> Option<TokenId> {
        match token {
            [] => None,
            _ => self.id_of_hash(hash(&self.seeds, token), token),
        }
    }

    /// As [`Vocab::id`], with the hash of the token by [`Vocab::seeds`].
    #[inline]
    pub(crate) fn id_of_hash(&self, hash: u64, token: &[u8]) -> Option<TokenId> {
        self.index
            .find(hash, |id| span(&self.bytes, &self.ends, id) == token)
    }

    /// Asks from memory for what [`Vocab::id_of_hash`] looks at first.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// What the hashes of this vocabulary depend on.
    pub(crate) fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// The bytes of `id`, or `None` when there is no such token. Never empty.
    #[inline]
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        if id as usize >= self.ends.len() {
            return None;
        }
        Some(span(&self.bytes, &self.ends, id)).filter(|token| !token.is_empty())
    }

    /// The ids of the 256 single bytes.
    pub fn byte_ids(&self) -> &[TokenId; 256] {
        &self.byte_ids
    }

    /// How many tokens there are; with holes, fewer than [`Vocab::id_limit`].
    pub fn len(&self) -> usize {
        self.tokens
    }

    /// Never true: the single bytes are always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes of the longest token.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// One more than the highest id.
    pub fn id_limit(&self) -> usize {
        self.ends.len()
    }

    /// Ids and bytes, by ascending id, holes left out.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..self.ends.len() as TokenId).filter_map(|id| Some((id, self.token(id)?)))
    }
}

/// The hash of a token, which is not empty.
fn hash(seeds: &Seeds, token: &[u8]) -> u64 {
    seeds.hash(seeds.key(token, 0, token.len()))
}

#[inline]
fn span<'a>(bytes: &'a [u8], ends: &[u32], id: TokenId) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &bytes[start as usize..ends[id] as usize]
}

impl PartialEq for Vocab {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.ends == other.ends
    }
}

impl Eq for Vocab {}

impl std::fmt::Debug for Vocab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocab")
            .field("tokens", &self.tokens)
            .field("id_limit", &self.id_limit())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<(TokenId, Vec<u8>)> {
        (0..=255u8).map(|b| (TokenId::from(b), vec![b])).collect()
    }

    fn vocab(tokens: &[(TokenId, Vec<u8>)], repeats: Repeats) -> Result<Vocab, VocabError> {
        Vocab::new(tokens.iter().map(|(id, t)| (*id, t.as_slice())), repeats)
    }

    #[test]
    fn holes_have_no_token() {
        let mut tokens = bytes();
        tokens.push((300, b"ab".to_vec()));
        let vocab = vocab(&tokens, Repeats::Refuse).unwrap();
        assert_eq!(vocab.token(300), Some(&b"ab"[..]));
        assert_eq!(vocab.token(299), None);
        assert_eq!(vocab.token(301), None);
        assert_eq!(vocab.id(b"ab"), Some(300));
        assert_eq!((vocab.len(), vocab.id_limit()), (257, 301));
        assert_eq!(vocab.iter().last(), Some((300, &b"ab"[..])));
    }

    #[test]
    fn faults_are_named() {
        let with = |id, token: &[u8]| {
            let mut tokens = bytes();
            tokens.push((id, token.to_vec()));
            tokens
        };
        use VocabError::*;
        let fault = |tokens: &[_]| vocab(tokens, Repeats::Refuse).unwrap_err();
        assert_eq!(fault(&with(256, b"")), EmptyToken { id: 256 });
        assert_eq!(fault(&with(65, b"xy")), RepeatedId { id: 65 });
        assert_eq!(
            fault(&with(256, b"A")),
            RepeatedToken {
                bytes: b"A".to_vec(),
                first: 65,
                id: 256
            }
        );
        assert_eq!(fault(&with(1 << 24, b"ab")), IdTooHigh { id: 1 << 24 });
        assert_eq!(fault(&bytes()[..255]), MissingByte { byte: 255 });
        let twice = vocab(&with(256, b"A"), Repeats::LowestId).unwrap();
        assert_eq!(twice.id(b"A"), Some(65));
        assert_eq!(twice.token(256), Some(&b"A"[..]));
    }
}

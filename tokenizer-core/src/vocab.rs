//! Vocab: the bytes of every id, and the id of bytes.
//!
//! All tokens stand one behind another in one arena. An id without a token (p50k has one) is an
//! empty span. One token may be empty (Whisper's rank file has one, the last): its id is stored
//! separately, to tell it from a hole.

use crate::hash::JoinHash;
use crate::hash_index::HashIndex;
use crate::simd::{prefetch, sixteen_bytes};
use crate::token::{MAX_TOKEN_ID, TokenId};

/// The tokens of a model, special tokens left out: ids to bytes and back. Immutable.
///
/// Every single byte is a token, so every text can be encoded.
#[derive(Clone)]
pub struct Vocab {
    bytes: Vec<u8>,
    /// Where the token of an id ends; it starts where the one before ends.
    ends: Vec<u32>,
    index: HashIndex,
    hash: JoinHash,
    byte_ids: [TokenId; 256],
    tokens: usize,
    longest: usize,
    /// The id of the token without bytes. It is not in `index`.
    empty: Option<TokenId>,
}

/// A token as a part of joined bytes: see [`Vocab::id_of_joined`].
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) id: TokenId,
    /// Bytes.
    pub(crate) length: u32,
    hash: u64,
}

impl Part {
    /// No token.
    pub(crate) const NONE: Self = Part {
        id: 0,
        length: 0,
        hash: 0,
    };

    /// The token `id`, whose bytes are those of two others.
    #[inline(always)]
    pub(crate) fn joined(vocab: &Vocab, id: TokenId, left: Part, right: Part) -> Part {
        Part {
            id,
            length: left.length + right.length,
            hash: vocab.joined_hash(left, right),
        }
    }
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
    /// Tokens in any order. One of them may be empty: an id that decodes to nothing, and that no
    /// text is encoded to.
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
        let mut empty = None;
        for &(id, token) in &tokens {
            if id > MAX_TOKEN_ID {
                return Err(VocabError::IdTooHigh { id: id.into() });
            }
            if (id as usize) < ends.len() {
                return Err(VocabError::RepeatedId { id });
            }
            if token.is_empty()
                && let Some(first) = empty.replace(id)
            {
                let bytes = Vec::new();
                return Err(VocabError::RepeatedToken { bytes, first, id });
            }
            // Ids that are passed over are holes: they end where the token before them does.
            ends.resize(id as usize, bytes.len() as u32);
            bytes.extend_from_slice(token);
            ends.push(u32::try_from(bytes.len()).map_err(|_| VocabError::TooLarge)?);
        }
        Self::index(bytes, ends, empty, repeats)
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
        Self::from_arena_with_empty(bytes, ends, None, repeats)
    }

    /// As [`Vocab::from_arena`], with the id of the empty token, if there is one: an id whose end is
    /// that of the one before, and no hole.
    ///
    /// # Errors
    /// See [`VocabError`]. `empty` must have an end, and no bytes.
    pub fn from_arena_with_empty(
        bytes: impl Into<Vec<u8>>,
        ends: impl Into<Vec<u32>>,
        empty: Option<TokenId>,
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
        let mut used = ends.partition_point(|&end| end < start) + 1;
        if let Some(id) = empty {
            let has_no_bytes = (id as usize) < ends.len() && span(&bytes, &ends, id).is_empty();
            if !has_no_bytes {
                return Err(VocabError::BrokenArena { id });
            }
            if id > MAX_TOKEN_ID {
                return Err(VocabError::IdTooHigh { id: id.into() });
            }
            used = used.max(id as usize + 1);
        }
        ends.truncate(used);
        Self::index(bytes, ends, empty, repeats)
    }

    /// Finds the tokens of an arena by their bytes from now on. The last id has a token.
    fn index(
        bytes: Vec<u8>,
        ends: Vec<u32>,
        empty: Option<TokenId>,
        repeats: Repeats,
    ) -> Result<Self, VocabError> {
        let tokens = lengths(&ends).filter(|&length| length > 0).count();
        let mut vocab = Vocab {
            // Holes take no room in it.
            index: HashIndex::new(tokens, ends.len()),
            hash: JoinHash::new(),
            byte_ids: [0; 256],
            tokens: tokens + usize::from(empty.is_some()),
            longest: lengths(&ends).max().unwrap_or(0) as usize,
            empty,
            bytes,
            ends,
        };
        let Vocab {
            index,
            hash,
            bytes,
            ends,
            ..
        } = &mut vocab;
        let (bytes, ends, hash) = (&*bytes, &*ends, &*hash);
        let mut start = 0;
        let mut group = [const { (0..0, 0u64) }; GROUP];
        for (some, first) in ends.chunks(GROUP).zip((0..).step_by(GROUP)) {
            for (entry, &end) in group.iter_mut().zip(some) {
                let token = start as usize..end as usize;
                start = end;
                let hash = hash.of_part(bytes, token.start, token.len());
                index.prefetch(hash);
                *entry = (token, hash);
            }
            for ((token, hash), id) in group[..some.len()].iter().zip(first..) {
                let token = &bytes[token.clone()];
                if token.is_empty() {
                    continue;
                }
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
        let indexed = self.tokens - usize::from(self.empty.is_some());
        let all = (self.index.len() < indexed).then(|| self.iter());
        all.into_iter()
            .flatten()
            .filter(|&(id, token)| self.id(token) != Some(id))
            .map(|(id, _)| id)
    }

    /// The id of `token`, or `None` when it is not in the vocabulary.
    pub fn id(&self, token: &[u8]) -> Option<TokenId> {
        match token {
            [] => self.empty,
            _ => self.index.find(self.hash.of(token), |id| {
                span(&self.bytes, &self.ends, id) == token
            }),
        }
    }

    /// Starts to look for the token that is the `length` > 0 bytes at `text[at]`: their hash, whose bucket is
    /// being fetched; `None` if no token is as long.
    #[inline]
    pub(crate) fn seek(&self, text: &[u8], at: usize, length: usize) -> Option<u64> {
        (length <= self.longest).then(|| {
            let hash = self.hash.of_part(text, at, length);
            self.index.prefetch(hash);
            hash
        })
    }

    /// Fetches what [`Vocab::is_at`] reads first.
    #[inline(always)]
    pub(crate) fn prefetch_end(&self, id: TokenId) {
        prefetch(&self.ends, id as usize);
    }

    /// The id of the token with this hash whose bytes are the `length` bytes at `text[at]`.
    #[inline(always)]
    pub(crate) fn id_of_hash(
        &self,
        hash: u64,
        text: &[u8],
        at: usize,
        length: usize,
    ) -> Option<TokenId> {
        self.index.find(hash, |id| self.is_at(id, text, at, length))
    }

    /// Whether the `length` bytes at `text[at]` are those of a token.
    #[inline(always)]
    pub(crate) fn is_at(&self, id: TokenId, text: &[u8], at: usize, length: usize) -> bool {
        let before = id.checked_sub(1).map_or(0, |id| self.ends[id as usize]);
        let (start, end) = (before as usize, self.ends[id as usize] as usize);
        // Most tokens are short: they are compared without a call.
        let mask = u128::MAX >> (8 * 16_usize.saturating_sub(length));
        end - start == length
            && (sixteen_bytes(&self.bytes, start) ^ sixteen_bytes(text, at)) & mask == 0
            && (length <= 16 || self.bytes[start..end] == text[at..at + length])
    }

    /// Fetches what [`Vocab::lowest_id`] reads of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// A lower bound of the id of the token with this hash; `None` if there is certainly no such token.
    /// One cache line.
    #[inline(always)]
    pub(crate) fn lowest_id(&self, hash: u64) -> Option<TokenId> {
        self.index.lowest(hash)
    }

    /// A token as a part of joined bytes.
    pub(crate) fn part(&self, id: TokenId) -> Part {
        let token = span(&self.bytes, &self.ends, id);
        Part {
            id,
            length: token.len() as u32,
            hash: self.hash.of(token),
        }
    }

    /// The hash of the joined bytes of two tokens.
    #[inline(always)]
    pub(crate) fn joined_hash(&self, left: Part, right: Part) -> u64 {
        self.hash.join(left.hash, right.hash, right.length as usize)
    }

    /// The id of the token whose bytes are those of two tokens, which begin at `text[at]`.
    #[inline(always)]
    pub(crate) fn id_of_joined(
        &self,
        left: Part,
        right: Part,
        text: &[u8],
        at: usize,
    ) -> Option<TokenId> {
        let length = (left.length + right.length) as usize;
        if length > self.longest {
            return None;
        }
        self.id_of_hash(self.joined_hash(left, right), text, at, length)
    }

    /// The bytes of `id`, or `None` when there is no such token. Empty for one id at most.
    #[inline]
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        if id as usize >= self.ends.len() {
            return None;
        }
        Some(span(&self.bytes, &self.ends, id))
            .filter(|token| !token.is_empty() || self.empty == Some(id))
    }

    /// The id of the empty token, if there is one: it decodes to nothing, and no text is encoded to
    /// it.
    pub fn empty_id(&self) -> Option<TokenId> {
        self.empty
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

    /// The tokens of two bytes, by ascending id.
    pub(crate) fn two_byte_tokens(&self) -> impl Iterator<Item = (TokenId, [u8; 2])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = (0..).zip(starts.zip(self.ends.iter().copied()));
        spans
            .filter(|(_, (start, end))| end - start == 2)
            .map(|(id, (start, _))| (id, [start, start + 1].map(|at| self.bytes[at as usize])))
    }

    /// Ids and bytes, by ascending id, holes left out.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..self.ends.len() as TokenId).filter_map(|id| Some((id, self.token(id)?)))
    }
}

/// The bytes of each id.
fn lengths(ends: &[u32]) -> impl Iterator<Item = u32> {
    let starts = std::iter::once(&0).chain(ends);
    starts.zip(ends).map(|(start, end)| end - start)
}

#[inline]
fn span<'a>(bytes: &'a [u8], ends: &[u32], id: TokenId) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &bytes[start as usize..ends[id] as usize]
}

impl PartialEq for Vocab {
    fn eq(&self, other: &Self) -> bool {
        (&self.bytes, &self.ends, self.empty) == (&other.bytes, &other.ends, other.empty)
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
    fn one_token_may_be_empty() {
        // Before, between and behind the others.
        for id in [0, 200, 400] {
            let shifted = bytes().into_iter().map(|(id, token)| (id + 1, token));
            let mut tokens: Vec<_> = shifted.filter(|(_, token)| token != &[199]).collect();
            tokens.extend([(300, vec![199]), (id, Vec::new())]);
            let vocab = vocab(&tokens, Repeats::Refuse).unwrap();
            assert_eq!((vocab.id(b""), vocab.token(id)), (Some(id), Some(&b""[..])));
            assert_eq!((vocab.token(299), vocab.token(500)), (None, None));
            assert_eq!(
                (vocab.len(), vocab.id_limit()),
                (257, id.max(300) as usize + 1)
            );
            assert_eq!(
                vocab.iter().filter(|(_, token)| token.is_empty()).count(),
                1
            );
            assert_eq!(vocab.repeated().count(), 0);
            let arena = |empty, behind| {
                let ends = [vocab.ends(), behind].concat();
                Vocab::from_arena_with_empty(vocab.arena(), ends, empty, Repeats::Refuse)
            };
            assert_eq!(arena(Some(id), &[256; 9]).as_ref(), Ok(&vocab));
            assert_ne!(
                arena(None, &[]).as_ref(),
                Ok(&vocab),
                "a hole is another thing"
            );
            for other in [300, 1 << 20] {
                let fault = arena(Some(other), &[]);
                assert_eq!(fault, Err(VocabError::BrokenArena { id: other }));
            }
            tokens.push((500, Vec::new()));
            let fault = VocabError::RepeatedToken {
                bytes: Vec::new(),
                first: id,
                id: 500,
            };
            assert_eq!(super::tests::vocab(&tokens, Repeats::LowestId), Err(fault));
        }
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

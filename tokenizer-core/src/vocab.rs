//! The vocabulary: a two-way map between ids and the bytes of tokens.
//!
//! The bytes of all tokens are concatenated in one arena, in the order of ids. An unassigned id, or
//! hole (p50k has one), is an empty span. One token may be empty (Whisper's rank file ends with one):
//! its id is stored separately, to distinguish it from a hole.

use crate::hash::JoinHash;
use crate::hash_index::HashIndex;
use crate::simd::{prefetch, sixteen_bytes};
use crate::token::{MAX_TOKEN_ID, TokenId};

/// The ordinary tokens of a model, without special tokens: an immutable map from ids to bytes and back.
///
/// In most vocabularies every single byte is a token; [`Symbols`](crate::Symbols) describes the others.
#[derive(Clone)]
pub struct Vocab {
    bytes: Vec<u8>,
    /// The end offset of each id in `bytes`; a token starts at the end of the previous id.
    ends: Vec<u32>,
    index: HashIndex,
    hash: JoinHash,
    byte_ids: [Option<TokenId>; 256],
    /// Number of tokens, the empty one included.
    token_count: usize,
    /// Length of the longest token in bytes.
    longest: usize,
    /// The id of the empty token, which `index` does not contain.
    empty: Option<TokenId>,
}

/// A token with its length and hash, from which the hash of two joined tokens is computed in constant
/// time. See [`Vocab::id_of_joined`].
#[derive(Clone, Copy)]
pub(crate) struct HashedToken {
    pub(crate) id: TokenId,
    /// In bytes.
    pub(crate) length: u32,
    hash: u64,
}

impl HashedToken {
    /// A symbol that is not in the vocabulary. Its hash is invalid: only listed merges apply to it.
    pub(crate) fn unhashed(id: TokenId, length: u32) -> Self {
        HashedToken {
            id,
            length,
            hash: 0,
        }
    }

    /// A placeholder: not a token.
    pub(crate) const NONE: Self = HashedToken {
        id: 0,
        length: 0,
        hash: 0,
    };

    /// Returns the token `id`, whose bytes are those of `left` followed by those of `right`.
    #[inline(always)]
    pub(crate) fn joined(
        vocab: &Vocab,
        id: TokenId,
        left: HashedToken,
        right: HashedToken,
    ) -> HashedToken {
        HashedToken {
            id,
            length: left.length + right.length,
            hash: vocab.joined_hash(left, right),
        }
    }
}

/// The 256 bytes, ascending.
const ALL_BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        bytes[byte] = byte as u8;
        byte += 1;
    }
    bytes
};

/// Number of tokens whose index buckets are prefetched together.
const GROUP: usize = 32;

/// How to treat two ids with the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Report an error: a table of ranks maps each byte string to one id.
    Refuse,
    /// Accept both; [`Vocab::id`] returns the lower id. Different merges may produce the same bytes.
    LowestId,
}

/// An inconsistent or incomplete vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabError {
    /// Two ids have the same bytes.
    #[error("duplicate token \"{}\" with ids {first} and {id}", .bytes.escape_ascii())]
    RepeatedToken {
        /// The bytes.
        bytes: Vec<u8>,
        /// The lower id.
        first: TokenId,
        /// The higher id.
        id: TokenId,
    },
    /// Two tokens have the same id.
    #[error("duplicate id {id}")]
    RepeatedId {
        /// The id.
        id: TokenId,
    },
    /// An id is above [`MAX_TOKEN_ID`].
    #[error("token id {id} is above the maximum of {MAX_TOKEN_ID}")]
    IdTooHigh {
        /// The id.
        id: u64,
    },
    /// A single byte is not a token, so text that contains it could not be encoded. See
    /// [`Symbols`](crate::Symbols) for models that accept this.
    #[error("no token for the single byte 0x{byte:02X}")]
    MissingByte {
        /// The byte.
        byte: u8,
    },
    /// An end offset is lower than the one before it, or the last is not the length of the arena, or the id
    /// given for the empty token has bytes or no end offset.
    #[error("invalid end offset of token {id} in the vocabulary's bytes")]
    BrokenArena {
        /// The first id with an invalid end offset.
        id: TokenId,
    },
    /// The tokens together exceed 4 GiB.
    #[error("tokens together exceed 4 GiB")]
    TooLarge,
}

impl Vocab {
    /// Creates a vocabulary from tokens in any order. One of them may be empty: it decodes to nothing,
    /// and no text encodes to it.
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
            // Skipped ids are holes: they end where the previous token ends.
            ends.resize(id as usize, bytes.len() as u32);
            bytes.extend_from_slice(token);
            ends.push(u32::try_from(bytes.len()).map_err(|_| VocabError::TooLarge)?);
        }
        Self::from_valid_arena(bytes, ends, empty, repeats)
    }

    /// Creates a vocabulary from its arena: the bytes of all tokens in the order of ids, and the end
    /// offset of each. An id with the same end as the previous one is a hole.
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

    /// Like [`Vocab::from_arena`], but `empty` is the id of the empty token instead of a hole.
    ///
    /// # Errors
    /// See [`VocabError`]; [`VocabError::BrokenArena`] if `empty` has bytes or is not below `ends.len()`.
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
        // Holes after the last token are dropped.
        let mut used = match start {
            0 => 0,
            start => ends.partition_point(|&end| end < start) + 1,
        };
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
        Self::from_valid_arena(bytes, ends, empty, repeats)
    }

    /// Builds the index from bytes to ids. The arena must be valid, and its last id must have a token.
    fn from_valid_arena(
        bytes: Vec<u8>,
        ends: Vec<u32>,
        empty: Option<TokenId>,
        repeats: Repeats,
    ) -> Result<Self, VocabError> {
        let nonempty = lengths(&ends).filter(|&length| length > 0).count();
        let mut vocab = Vocab {
            index: HashIndex::new(nonempty, ends.len()),
            hash: JoinHash::new(),
            byte_ids: [None; 256],
            token_count: nonempty + usize::from(empty.is_some()),
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
        for (chunk, first) in ends.chunks(GROUP).zip((0..).step_by(GROUP)) {
            for (entry, &end) in group.iter_mut().zip(chunk) {
                let token = start as usize..end as usize;
                start = end;
                let hash = hash.of_range(bytes, token.start, token.len());
                index.prefetch(hash);
                *entry = (token, hash);
            }
            for ((token, hash), id) in group[..chunk.len()].iter().zip(first..) {
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
        vocab.byte_ids = ALL_BYTES.map(|byte| vocab.id(&[byte]));
        Ok(vocab)
    }

    /// Returns the concatenated bytes of all tokens, in the order of ids.
    #[must_use]
    pub fn arena(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the end offset of each id in [`Vocab::arena`]. A token starts at the end of the previous id.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Returns the ids whose bytes also have a lower id. Training never produces such ids; merges from a
    /// file may.
    pub fn repeated(&self) -> impl Iterator<Item = TokenId> + '_ {
        // There are none if the index holds every token with bytes, which is the common case.
        let nonempty = self.token_count - usize::from(self.empty.is_some());
        let all = (self.index.len() < nonempty).then(|| self.iter());
        all.into_iter()
            .flatten()
            .filter(|&(id, token)| self.id(token) != Some(id))
            .map(|(id, _)| id)
    }

    /// Returns the id of the token with these bytes, or `None` if there is none.
    #[must_use]
    pub fn id(&self, token: &[u8]) -> Option<TokenId> {
        match token {
            [] => self.empty,
            _ => self.index.find(self.hash.of(token), |id| {
                span(&self.bytes, &self.ends, id) == token
            }),
        }
    }

    /// Returns the hash of the `length` > 0 bytes at `text[at]` and prefetches its bucket. Returns `None`
    /// if every token is shorter.
    #[inline]
    pub(crate) fn hash_and_prefetch(&self, text: &[u8], at: usize, length: usize) -> Option<u64> {
        (length <= self.longest).then(|| {
            let hash = self.hash.of_range(text, at, length);
            self.index.prefetch(hash);
            hash
        })
    }

    /// Prefetches the end offset that [`Vocab::is_at`] reads.
    #[inline(always)]
    pub(crate) fn prefetch_end(&self, id: TokenId) {
        prefetch(&self.ends, id as usize);
    }

    /// Returns the id of the token that equals the `length` bytes at `text[at]`, which have this hash.
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

    /// Returns whether token `id` equals the `length` bytes at `text[at]`.
    #[inline(always)]
    pub(crate) fn is_at(&self, id: TokenId, text: &[u8], at: usize, length: usize) -> bool {
        let before = id.checked_sub(1).map_or(0, |id| self.ends[id as usize]);
        let (start, end) = (before as usize, self.ends[id as usize] as usize);
        // Tokens of up to 16 bytes, which are most of them, are compared without a call.
        let mask = u128::MAX >> (8 * 16_usize.saturating_sub(length));
        end - start == length
            && (sixteen_bytes(&self.bytes, start) ^ sixteen_bytes(text, at)) & mask == 0
            && (length <= 16 || self.bytes[start..end] == text[at..at + length])
    }

    /// Prefetches the bucket that [`Vocab::lowest_id`] reads for a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Returns a lower bound on the id of the token with this hash, or `None` if there is certainly no
    /// such token. Usually reads one cache line.
    #[inline(always)]
    pub(crate) fn lowest_id(&self, hash: u64) -> Option<TokenId> {
        self.index.lowest(hash)
    }

    /// Returns token `id` with its length and hash.
    pub(crate) fn hashed(&self, id: TokenId) -> HashedToken {
        let token = span(&self.bytes, &self.ends, id);
        HashedToken {
            id,
            length: token.len() as u32,
            hash: self.hash.of(token),
        }
    }

    /// Returns the hash of the bytes of `left` followed by those of `right`.
    #[inline(always)]
    pub(crate) fn joined_hash(&self, left: HashedToken, right: HashedToken) -> u64 {
        self.hash.join(left.hash, right.hash, right.length as usize)
    }

    /// Returns the id of the token whose bytes are those of `left` followed by those of `right`, which
    /// are adjacent in `text` from `at`.
    #[inline(always)]
    pub(crate) fn id_of_joined(
        &self,
        left: HashedToken,
        right: HashedToken,
        text: &[u8],
        at: usize,
    ) -> Option<TokenId> {
        let length = (left.length + right.length) as usize;
        if length > self.longest {
            return None;
        }
        self.id_of_hash(self.joined_hash(left, right), text, at, length)
    }

    /// Returns the bytes of token `id`, or `None` if there is no such token.
    #[inline]
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        if id as usize >= self.ends.len() {
            return None;
        }
        Some(span(&self.bytes, &self.ends, id))
            .filter(|token| !token.is_empty() || self.empty == Some(id))
    }

    /// Returns the id of the empty token, if there is one. It decodes to nothing, and no text encodes to
    /// it.
    #[must_use]
    pub fn empty_id(&self) -> Option<TokenId> {
        self.empty
    }

    /// Returns the ids of the 256 single bytes, indexed by byte; `None` for a byte that is not a token.
    #[must_use]
    pub fn byte_ids(&self) -> &[Option<TokenId>; 256] {
        &self.byte_ids
    }

    /// Returns the lowest byte that is not a token, or `None` if every byte is.
    #[must_use]
    pub fn missing_byte(&self) -> Option<u8> {
        let missing = |byte: &u8| self.byte_ids[usize::from(*byte)].is_none();
        ALL_BYTES.into_iter().find(missing)
    }

    /// Returns the number of tokens: less than [`Vocab::id_limit`] if there are holes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.token_count
    }

    /// Returns whether there are no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.token_count == 0
    }

    /// Returns the length of the longest token in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Returns one more than the highest id.
    #[must_use]
    pub fn id_limit(&self) -> usize {
        self.ends.len()
    }

    /// Returns the tokens of two bytes, by ascending id.
    pub(crate) fn two_byte_tokens(&self) -> impl Iterator<Item = (TokenId, [u8; 2])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = (0..).zip(starts.zip(self.ends.iter().copied()));
        spans
            .filter(|(_, (start, end))| end - start == 2)
            .map(|(id, (start, _))| (id, [start, start + 1].map(|at| self.bytes[at as usize])))
    }

    /// Returns the ids and bytes of all tokens, by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..self.ends.len() as TokenId).filter_map(|id| Some((id, self.token(id)?)))
    }
}

/// Returns the length in bytes of the token of each id; 0 for a hole.
fn lengths(ends: &[u32]) -> impl Iterator<Item = u32> {
    let starts = std::iter::once(&0).chain(ends);
    starts.zip(ends).map(|(start, end)| end - start)
}

/// Returns the bytes of token `id`, which must be below `ends.len()`.
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
            .field("tokens", &self.token_count)
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
        // Before, between and after the others.
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
            let arena = |empty, trailing| {
                let ends = [vocab.ends(), trailing].concat();
                Vocab::from_arena_with_empty(vocab.arena(), ends, empty, Repeats::Refuse)
            };
            assert_eq!(arena(Some(id), &[256; 9]).as_ref(), Ok(&vocab));
            assert_ne!(
                arena(None, &[]).as_ref(),
                Ok(&vocab),
                "a hole is not an empty token"
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
    fn bytes_may_be_missing() {
        let incomplete = vocab(&bytes()[1..255], Repeats::Refuse).unwrap();
        assert_eq!(incomplete.byte_ids()[0], None);
        assert_eq!(incomplete.byte_ids()[65], Some(65));
        assert_eq!(incomplete.missing_byte(), Some(0));
        assert_eq!(
            vocab(&bytes(), Repeats::Refuse).unwrap().missing_byte(),
            None
        );
        let empty = vocab(&[], Repeats::Refuse).unwrap();
        assert!(empty.is_empty() && !incomplete.is_empty());
        for holes in [0, 3] {
            let arena = Vocab::from_arena([], vec![0; holes], Repeats::Refuse).unwrap();
            assert_eq!(arena, empty);
        }
    }

    #[test]
    fn invalid_vocabularies_are_refused() {
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
        let twice = vocab(&with(256, b"A"), Repeats::LowestId).unwrap();
        assert_eq!(twice.id(b"A"), Some(65));
        assert_eq!(twice.token(256), Some(&b"A"[..]));
    }
}

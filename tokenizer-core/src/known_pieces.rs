//! Pieces of which the ids are known before any text is seen.
//!
//! A text has few pieces that are not one token, and the same ones again and again. Who trains a
//! vocabulary has counted them: [`most_frequent`](crate::most_frequent()) lists them with their ids, a
//! model carries the list ([`Model::with_known_pieces`](crate::Model::with_known_pieces)), and a
//! `.bpe` file holds it. The list is shared by all threads and never changes.
//!
//! **It decides nothing.** What a piece's ids are, the model's rule of merging says. A list may come
//! from a file, and files lie: so it is not looked at before it is known to be true. Either every
//! piece was merged and compared
//! ([`Encoder::check_known_pieces`](crate::Encoder::check_known_pieces)), or the caller knows where
//! the list is from ([`Model::trust_known_pieces`](crate::Model::trust_known_pieces)). Until then
//! text is encoded as if there were no list. To merge each listed piece when it is met first, and to
//! compare then, would be as safe, but saves nothing: the merging is what the list is to save.
//!
//! **Cost.** To load, a copy, and a comparison of each piece with the tokens that are to spell it:
//! 0.15 ms for 8,192. The index is made when a piece is asked for first, a few nanoseconds for each
//! one listed. Asking costs as much as merging a short piece does, so a trusted list of 8,192 to
//! 100,000 pieces left the first pass over prose and over twenty languages as fast as it was, or a few
//! percent slower; it is for vocabularies and pieces where merging is slow.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::piece_key::Seeds;
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::token_index::TokenIndex;
use crate::vocab::Vocab;

/// Pieces that are more than one token, each with its ids. Immutable.
///
/// ```
/// use tokenizer_core::KnownPieces;
///
/// let pieces = [(&b"abc"[..], &[256, 99][..]), (b"xy", &[120, 121])];
/// let known = KnownPieces::new(pieces)?;
/// assert_eq!(known.get(b"abc"), Some(&[256, 99][..]));
/// assert_eq!(known.get(b"ab"), None);
/// # Ok::<(), tokenizer_core::known_pieces::KnownPiecesError>(())
/// ```
#[derive(Clone, Default)]
pub struct KnownPieces {
    bytes: Vec<u8>,
    /// Where the bytes of a piece end; they start where those of the one before end.
    ends: Vec<u32>,
    ids: Vec<TokenId>,
    /// Where the ids of a piece end.
    id_ends: Vec<u32>,
    /// Bytes of the longest piece.
    longest: usize,
    /// Made when it is first asked.
    index: OnceLock<Index>,
}

#[derive(Clone)]
struct Index {
    pieces: TokenIndex,
    seeds: Seeds,
}

/// The list of known pieces contradicts itself or the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KnownPiecesError {
    /// A piece has fewer than two ids. What is one token needs no list.
    #[error("the known piece {piece} has fewer than two ids")]
    FewIds {
        /// Which piece, from 0.
        piece: usize,
    },
    /// The ends of an arena do not ascend to its length.
    #[error("the bytes or the ids of the known piece {piece} lie outside those of all")]
    BrokenArena {
        /// The first piece that does not fit.
        piece: usize,
    },
    /// The ids of a piece do not exist, or their bytes, joined, are not the piece.
    #[error("the ids of the known piece \"{}\" do not spell it", .piece.escape_ascii())]
    Misspelled {
        /// The bytes of the piece.
        piece: Vec<u8>,
    },
    /// More pieces than a list may have, or more than 4 GiB of them.
    #[error("the known pieces are more than {}, or pass 4 GiB", MAX_TOKEN_ID + 1)]
    TooLarge,
}

impl KnownPieces {
    /// A list of pieces with their ids. Of a piece that stands twice, the first counts.
    ///
    /// # Errors
    /// When a piece has fewer than two ids, or there are too many.
    pub fn new<'a>(
        pieces: impl IntoIterator<Item = (&'a [u8], &'a [TokenId])>,
    ) -> Result<Self, KnownPiecesError> {
        let mut known = KnownPieces::default();
        for (piece, ids) in pieces {
            known.bytes.extend_from_slice(piece);
            known.ids.extend_from_slice(ids);
            let end = |length| u32::try_from(length).map_err(|_| KnownPiecesError::TooLarge);
            known.ends.push(end(known.bytes.len())?);
            known.id_ends.push(end(known.ids.len())?);
        }
        known.checked()
    }

    /// A list from its arenas: the bytes of all pieces and where those of each end, the ids of all
    /// and where those of each end.
    ///
    /// # Errors
    /// When the ends do not ascend to the length of their arena, a piece has fewer than two ids, or
    /// there are too many.
    pub fn from_arenas(
        bytes: Vec<u8>,
        ends: Vec<u32>,
        ids: Vec<TokenId>,
        id_ends: Vec<u32>,
    ) -> Result<Self, KnownPiecesError> {
        let known = KnownPieces {
            bytes,
            ends,
            ids,
            id_ends,
            ..KnownPieces::default()
        };
        known.checked()
    }

    fn checked(mut self) -> Result<Self, KnownPiecesError> {
        if self.ends.len() > MAX_TOKEN_ID as usize + 1 {
            return Err(KnownPiecesError::TooLarge);
        }
        let (mut start, mut first_id) = (0, 0);
        for (piece, (&end, &last_id)) in self.ends.iter().zip(&self.id_ends).enumerate() {
            if end < start || last_id < first_id {
                return Err(KnownPiecesError::BrokenArena { piece });
            }
            if last_id - first_id < 2 {
                return Err(KnownPiecesError::FewIds { piece });
            }
            self.longest = self.longest.max((end - start) as usize);
            (start, first_id) = (end, last_id);
        }
        let is_whole = self.ends.len() == self.id_ends.len()
            && (start as usize, first_id as usize) == (self.bytes.len(), self.ids.len());
        match is_whole {
            true => Ok(self),
            false => Err(KnownPiecesError::BrokenArena { piece: self.len() }),
        }
    }

    /// The ids listed for a piece.
    #[inline]
    pub fn get(&self, piece: &[u8]) -> Option<&[TokenId]> {
        if piece.is_empty() || piece.len() > self.longest {
            return None;
        }
        let Index { pieces, seeds } = self.index.get_or_init(|| self.make_index());
        let hash = seeds.hash(seeds.key(piece, 0, piece.len()));
        let number = pieces.find(hash, |number| self.bytes_of(number as usize) == piece);
        number.map(|number| self.ids_of(number as usize))
    }

    #[cold]
    fn make_index(&self) -> Index {
        let seeds = Seeds::new();
        let mut pieces = TokenIndex::with_capacity(self.len());
        let mut start = 0;
        for (number, &end) in (0..).zip(&self.ends) {
            let span = start as usize..end as usize;
            start = end;
            // No text has an empty piece.
            if span.is_empty() {
                continue;
            }
            let hash = seeds.hash(seeds.key(&self.bytes, span.start, span.end));
            let piece = &self.bytes[span];
            pieces.insert(hash, number, |other| self.bytes_of(other as usize) == piece);
        }
        Index { pieces, seeds }
    }

    fn bytes_of(&self, number: usize) -> &[u8] {
        &self.bytes[span(&self.ends, number)]
    }

    fn ids_of(&self, number: usize) -> &[TokenId] {
        &self.ids[span(&self.id_ends, number)]
    }

    /// How many pieces are listed.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The pieces with their ids, in the order of the list.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[TokenId])> {
        (0..self.len()).map(|number| (self.bytes_of(number), self.ids_of(number)))
    }

    /// The bytes of all pieces, and where those of each end.
    pub(crate) fn bytes(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.ends)
    }

    /// The ids of all pieces, and where those of each end.
    pub(crate) fn ids(&self) -> (&[TokenId], &[u32]) {
        (&self.ids, &self.id_ends)
    }

    /// Fails at the first piece whose ids do not exist or do not spell it.
    fn check_spelling(&self, vocab: &Vocab) -> Result<(), KnownPiecesError> {
        for (piece, ids) in self.iter() {
            let mut rest = Some(piece);
            for &id in ids {
                rest = rest.and_then(|rest| rest.strip_prefix(vocab.token(id)?));
            }
            if rest != Some(&[]) {
                let piece = piece.to_vec();
                return Err(KnownPiecesError::Misspelled { piece });
            }
        }
        Ok(())
    }
}

fn span(ends: &[u32], number: usize) -> std::ops::Range<usize> {
    let start = match number {
        0 => 0,
        _ => ends[number - 1],
    };
    start as usize..ends[number] as usize
}

/// The order of the list counts, what was asked of it does not.
impl PartialEq for KnownPieces {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes() && self.ids() == other.ids()
    }
}

impl Eq for KnownPieces {}

impl std::fmt::Debug for KnownPieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownPieces")
            .field("pieces", &self.len())
            .finish_non_exhaustive()
    }
}

/// The known pieces of a model, and whether they are known to be true. That holds for one rule of
/// merging, so this never goes from one model to another.
#[derive(Default)]
pub(crate) struct CarriedPieces {
    known: KnownPieces,
    is_true: AtomicBool,
}

impl CarriedPieces {
    /// Those of a model with this vocabulary, not known to be true.
    pub(crate) fn new(known: KnownPieces, vocab: &Vocab) -> Result<Self, KnownPiecesError> {
        known.check_spelling(vocab)?;
        Ok(CarriedPieces {
            known,
            is_true: AtomicBool::new(false),
        })
    }

    pub(crate) fn known(&self) -> &KnownPieces {
        &self.known
    }

    /// From now on they are.
    pub(crate) fn set_true(&self) {
        self.is_true.store(true, Ordering::Relaxed);
    }

    /// The ids of a piece, if it is listed and the list is known to be true.
    #[inline]
    pub(crate) fn get(&self, piece: &[u8]) -> Option<&[TokenId]> {
        // The list never changes, so there is nothing to be seen in order with this.
        match self.is_true.load(Ordering::Relaxed) {
            true => self.known.get(piece),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_two_counts_and_nothing_is_found_that_is_not_there() {
        let pieces: [(&[u8], &[TokenId]); 3] =
            [(b"ab", &[97, 98]), (b"ab", &[1, 2]), (b"", &[5, 5])];
        let known = KnownPieces::new(pieces).unwrap();
        assert_eq!(known.get(b"ab"), Some(&[97, 98][..]));
        assert_eq!(
            (known.get(b""), known.get(b"a"), known.get(b"abc")),
            (None, None, None)
        );
        assert_eq!(known.len(), 3);
        assert!(known.iter().eq(pieces));
        assert_eq!(KnownPieces::default().get(b"ab"), None);
    }

    #[test]
    fn faults_are_named() {
        use KnownPiecesError::*;
        let made = |bytes: &[u8], ends: &[u32], ids: &[TokenId], id_ends: &[u32]| {
            KnownPieces::from_arenas(bytes.into(), ends.into(), ids.into(), id_ends.into())
        };
        let fault = |bytes, ends, ids, id_ends| made(bytes, ends, ids, id_ends).unwrap_err();
        assert!(made(b"abcd", &[2, 4], &[1, 2, 3, 4], &[2, 4]).is_ok());
        assert_eq!(
            fault(b"abcd", &[2, 4], &[1, 2, 3], &[2, 3]),
            FewIds { piece: 1 }
        );
        assert_eq!(
            fault(b"abcd", &[4, 2], &[1; 4], &[2, 4]),
            BrokenArena { piece: 1 }
        );
        assert_eq!(
            fault(b"abcd", &[2, 9], &[1; 4], &[2, 4]),
            BrokenArena { piece: 2 }
        );
        assert_eq!(
            fault(b"abcd", &[2, 4], &[1; 5], &[2, 4]),
            BrokenArena { piece: 2 }
        );
        assert_eq!(
            fault(b"abcd", &[2, 4], &[1; 4], &[4, 2]),
            BrokenArena { piece: 1 }
        );
        assert_eq!(
            fault(b"ab", &[2], &[1; 4], &[2, 4]),
            BrokenArena { piece: 1 }
        );
        let one: [(&[u8], &[TokenId]); 1] = [(b"a", &[97])];
        assert_eq!(KnownPieces::new(one), Err(FewIds { piece: 0 }));
    }

    proptest! {
        #[test]
        fn every_piece_is_found_and_no_other(
            pieces in prop::collection::hash_map(
                prop::collection::vec(0..3u8, 1..20),
                prop::collection::vec(0..300u32, 2..5),
                0..200,
            ),
            other in prop::collection::vec(0..3u8, 0..20),
        ) {
            let list = pieces.iter().map(|(piece, ids)| (&piece[..], &ids[..]));
            let known = KnownPieces::new(list).unwrap();
            for (piece, ids) in &pieces {
                prop_assert_eq!(known.get(piece), Some(&ids[..]));
            }
            prop_assert_eq!(known.get(&other), pieces.get(&other).map(Vec::as_slice));
        }
    }
}

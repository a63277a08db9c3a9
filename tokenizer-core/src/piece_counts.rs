//! The distinct pieces of a corpus, each with the number of times it occurs.
//!
//! All pieces stand one behind another in one arena; a piece is a number, its bytes are found
//! through the offsets. So a hundred thousand pieces are three allocations, and training walks
//! them in the order of memory.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::hash::Seeds;
use crate::token::Count;

/// Distinct pieces and their counts. The order of the pieces means nothing.
#[derive(Clone, Default)]
pub struct PieceCounts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    counts: Vec<Count>,
    /// Finds pieces for [`PieceCounts::add`]; made when it is first called.
    index: HashTable<u32>,
    hasher: Seeds,
}

/// The counts of a corpus do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceCountsError {
    /// One piece occurs more than 2^64 - 1 times.
    #[error("the count of the piece \"{}\" passes 2^64 - 1", .piece.escape_ascii())]
    CountOverflow {
        /// The piece.
        piece: Vec<u8>,
    },
    /// More distinct pieces than a word number holds.
    #[error("more than {} distinct pieces", u32::MAX)]
    TooManyPieces,
}

impl PieceCounts {
    /// No pieces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `count` occurrences of `piece`. An empty piece holds no token and is passed over.
    ///
    /// Costs one table access; the piece is copied only when it is new.
    ///
    /// # Errors
    /// When the count or the number of pieces overflows; nothing is changed then.
    pub fn add(&mut self, piece: &[u8], count: Count) -> Result<(), PieceCountsError> {
        if piece.is_empty() || count == 0 {
            return Ok(());
        }
        if self.index.len() < self.len() {
            self.make_index();
        }
        let hash = self.hasher.hash_one(piece);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&word) = self
            .index
            .find(hash, |&word| span(bytes, ends, word as usize) == piece)
        {
            let slot = &mut self.counts[word as usize];
            *slot = slot
                .checked_add(count)
                .ok_or_else(|| PieceCountsError::CountOverflow {
                    piece: piece.to_vec(),
                })?;
            return Ok(());
        }
        let word = self.len() as u32;
        self.push_distinct(piece, count)?;
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.index.insert_unique(hash, word, |&word| {
            hasher.hash_one(span(bytes, ends, word as usize))
        });
        Ok(())
    }

    /// Adds a piece that is not there yet.
    pub(crate) fn push_distinct(
        &mut self,
        piece: &[u8],
        count: Count,
    ) -> Result<(), PieceCountsError> {
        if self.len() == u32::MAX as usize {
            return Err(PieceCountsError::TooManyPieces);
        }
        self.bytes.extend_from_slice(piece);
        self.ends.push(self.bytes.len());
        self.counts.push(count);
        Ok(())
    }

    /// Adds pieces none of which is there yet.
    pub(crate) fn append_distinct(&mut self, other: &PieceCounts) -> Result<(), PieceCountsError> {
        if self.len() + other.len() > u32::MAX as usize {
            return Err(PieceCountsError::TooManyPieces);
        }
        let moved = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| moved + end));
        self.counts.extend_from_slice(&other.counts);
        Ok(())
    }

    fn make_index(&mut self) {
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        let hash = |&word: &u32| hasher.hash_one(span(bytes, ends, word as usize));
        self.index.clear();
        for word in 0..self.counts.len() as u32 {
            self.index.insert_unique(hash(&word), word, hash);
        }
    }

    /// Adds every piece of `other`.
    ///
    /// # Errors
    /// As [`PieceCounts::add`]; pieces before the one that overflows have been added.
    pub fn merge(&mut self, other: &PieceCounts) -> Result<(), PieceCountsError> {
        other
            .iter()
            .try_for_each(|(piece, count)| self.add(piece, count))
    }

    /// How many distinct pieces there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no piece at all.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Bytes of all distinct pieces together.
    pub fn distinct_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory that the pieces and their counts take.
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.len() * (size_of::<usize>() + size_of::<Count>())
    }

    /// How many pieces were counted, repetitions included.
    pub fn total(&self) -> u128 {
        self.counts.iter().map(|&count| u128::from(count)).sum()
    }

    /// The pieces with their counts, in no meaningful order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Count)> {
        (0..self.len()).map(|word| (span(&self.bytes, &self.ends, word), self.counts[word]))
    }
}

fn span<'a>(bytes: &'a [u8], ends: &[usize], word: usize) -> &'a [u8] {
    let start = if word == 0 { 0 } else { ends[word - 1] };
    &bytes[start..ends[word]]
}

impl std::fmt::Debug for PieceCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PieceCounts")
            .field("pieces", &self.len())
            .field("distinct_bytes", &self.distinct_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_counted_once_and_merged() {
        let mut words = PieceCounts::new();
        for piece in ["the", " cat", "the", ""] {
            words.add(piece.as_bytes(), 1).unwrap();
        }
        let mut other = PieceCounts::new();
        other.add(b"the", 1 << 40).unwrap();
        words.merge(&other).unwrap();
        let all: Vec<_> = words.iter().collect();
        assert_eq!(
            all,
            [(&b"the"[..], 2 + (1 << 40)), (b" cat", 1)],
            "in the order of first sight"
        );
        assert_eq!(words.total(), 3 + (1 << 40));
    }

    #[test]
    fn a_count_beyond_u64_is_an_error_and_changes_nothing() {
        let mut words = PieceCounts::new();
        words.add(b"a", Count::MAX).unwrap();
        assert_eq!(
            words.add(b"a", 1),
            Err(PieceCountsError::CountOverflow {
                piece: b"a".to_vec()
            })
        );
        assert_eq!(words.iter().next(), Some((&b"a"[..], Count::MAX)));
    }
}

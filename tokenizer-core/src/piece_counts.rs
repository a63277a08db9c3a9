//! The distinct pieces of a corpus and their counts.
//!
//! All pieces are stored end to end in one arena and numbered. So any number of pieces takes three
//! allocations besides the index, and training reads the pieces sequentially.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::hash::Seeds;
use crate::token::Count;

/// Distinct pieces and their counts. The order of the pieces is not significant.
#[derive(Clone, Default)]
pub struct PieceCounts {
    bytes: Vec<u8>,
    /// The end of each piece in `bytes`.
    ends: Vec<usize>,
    counts: Vec<Count>,
    /// Hash table from pieces to their numbers, built by the first [`PieceCounts::add`].
    index: HashTable<u32>,
    hasher: Seeds,
}

/// A count, or the number of pieces, is too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceCountsError {
    /// A piece occurs more than 2^64 - 1 times.
    #[error("count of piece \"{}\" exceeds 2^64 - 1", .piece.escape_ascii())]
    CountOverflow {
        /// The piece.
        piece: Vec<u8>,
    },
    /// There are 2^32 or more distinct pieces.
    #[error("more than {} distinct pieces", u32::MAX)]
    TooManyPieces,
}

impl PieceCounts {
    /// Creates an empty set of counts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `count` occurrences of `piece`. Empty pieces are ignored.
    ///
    /// Costs one hash table look-up. The piece is copied only if it is new.
    ///
    /// # Errors
    /// If the count or the number of pieces overflows. The counts are then unchanged.
    pub fn add(&mut self, piece: &[u8], count: Count) -> Result<(), PieceCountsError> {
        if piece.is_empty() || count == 0 {
            return Ok(());
        }
        if self.index.len() < self.len() {
            self.build_index();
        }
        let hash = self.hasher.hash_one(piece);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&number) = self
            .index
            .find(hash, |&number| span(bytes, ends, number as usize) == piece)
        {
            let total = &mut self.counts[number as usize];
            *total = total
                .checked_add(count)
                .ok_or_else(|| PieceCountsError::CountOverflow {
                    piece: piece.to_vec(),
                })?;
            return Ok(());
        }
        let number = self.len() as u32;
        self.push_distinct(piece, count)?;
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.index.insert_unique(hash, number, |&number| {
            hasher.hash_one(span(bytes, ends, number as usize))
        });
        Ok(())
    }

    /// Adds a piece, which must be new.
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

    /// Adds the pieces of `other`, which must all be new.
    pub(crate) fn append_distinct(&mut self, other: &PieceCounts) -> Result<(), PieceCountsError> {
        if self.len() + other.len() > u32::MAX as usize {
            return Err(PieceCountsError::TooManyPieces);
        }
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| offset + end));
        self.counts.extend_from_slice(&other.counts);
        Ok(())
    }

    fn build_index(&mut self) {
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        let hash = |&number: &u32| hasher.hash_one(span(bytes, ends, number as usize));
        self.index.clear();
        for number in 0..self.counts.len() as u32 {
            self.index.insert_unique(hash(&number), number, hash);
        }
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    /// See [`PieceCounts::add`]. The pieces before the one that fails have then been added.
    pub fn merge(&mut self, other: &PieceCounts) -> Result<(), PieceCountsError> {
        other
            .iter()
            .try_for_each(|(piece, count)| self.add(piece, count))
    }

    /// The number of distinct pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are no pieces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The total length of all distinct pieces in bytes.
    #[must_use]
    pub fn distinct_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The memory of the pieces and their counts in bytes, without the index and unused capacity.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.len() * (size_of::<usize>() + size_of::<Count>())
    }

    /// The sum of all counts.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.counts.iter().map(|&count| u128::from(count)).sum()
    }

    /// Returns the pieces with their counts, in arbitrary order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], Count)> {
        let piece = |number| (span(&self.bytes, &self.ends, number), self.counts[number]);
        (0..self.len()).map(piece)
    }
}

/// The bytes of the piece with this number.
fn span<'a>(bytes: &'a [u8], ends: &[usize], number: usize) -> &'a [u8] {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
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
    fn counts_of_equal_pieces_are_summed() {
        let mut counts = PieceCounts::new();
        for piece in ["the", " cat", "the", ""] {
            counts.add(piece.as_bytes(), 1).unwrap();
        }
        let mut other = PieceCounts::new();
        other.add(b"the", 1 << 40).unwrap();
        counts.merge(&other).unwrap();
        let all: Vec<_> = counts.iter().collect();
        assert_eq!(
            all,
            [(&b"the"[..], 2 + (1 << 40)), (b" cat", 1)],
            "in order of first occurrence"
        );
        assert_eq!(counts.total(), 3 + (1 << 40));
    }

    #[test]
    fn a_count_beyond_u64_is_an_error_and_changes_nothing() {
        let mut counts = PieceCounts::new();
        counts.add(b"a", Count::MAX).unwrap();
        assert_eq!(
            counts.add(b"a", 1),
            Err(PieceCountsError::CountOverflow {
                piece: b"a".to_vec()
            })
        );
        assert_eq!(counts.iter().next(), Some((&b"a"[..], Count::MAX)));
    }
}

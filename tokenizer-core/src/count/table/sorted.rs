//! A table sorted by the bytes of its pieces.
//!
//! The used slots are moved to the front of the table and sorted in place, without extra memory. Pieces of up
//! to 15 bytes are compared by their keys, as byte-swapped integers; the length in the last byte breaks ties
//! between a piece and its extension by zeros.

use std::cmp::Ordering;

use super::{Key, PieceTable, Slot};
use crate::piece_counts::PieceCountsError;
use crate::token::Count;

/// The pieces of a table, ascending by their bytes.
pub(in crate::count) struct SortedTable {
    slots: Vec<Slot>,
    arena: Vec<u8>,
}

impl PieceTable {
    /// Adds `count` occurrences of a piece, which must not be empty.
    pub(in crate::count) fn add_counted(
        &mut self,
        piece: &[u8],
        count: Count,
    ) -> Result<(), PieceCountsError> {
        if self.is_full_with(1) {
            self.grow();
        }
        let key = self.seeds.key(piece, 0, piece.len());
        let slot = self.find(key, self.seeds.hash(key), piece);
        let total = &mut self.slots[slot].count;
        *total = total
            .checked_add(count)
            .ok_or_else(|| PieceCountsError::CountOverflow {
                piece: piece.to_vec(),
            })?;
        Ok(())
    }

    pub(in crate::count) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Returns the peak memory in bytes while `pieces` new pieces with `bytes` bytes in total are added. When
    /// the slots or the arena grow, the old allocation and the new one exist together. The slots are assumed
    /// to double at most once.
    pub(in crate::count) fn memory_with(&self, pieces: usize, bytes: usize) -> usize {
        let mut slots = self.slots.len() * size_of::<Slot>();
        if self.is_full_with(pieces) {
            slots *= 3;
        }
        let mut arena = self.arena.capacity();
        let needed = self.arena.len() + bytes;
        if needed > arena {
            arena += needed.max(2 * arena);
        }
        slots + arena
    }

    pub(in crate::count) fn into_sorted(self) -> SortedTable {
        let (mut slots, arena) = (self.slots, self.arena);
        slots.retain(|slot| slot.key != Key(0));
        slots.shrink_to_fit();
        slots.sort_unstable_by(|one, other| {
            if one.key.is_long() || other.key.is_long() {
                return compare(&arena, one, other);
            }
            one.key.0.swap_bytes().cmp(&other.key.0.swap_bytes())
        });
        SortedTable { slots, arena }
    }
}

impl SortedTable {
    pub(in crate::count) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The memory of the table in bytes.
    pub(in crate::count) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.arena.capacity()
    }

    /// Returns a piece and its count. A short piece is copied to `short`.
    pub(in crate::count) fn get<'a>(
        &'a self,
        at: usize,
        short: &'a mut [u8; 16],
    ) -> (&'a [u8], Count) {
        let slot = &self.slots[at];
        (slot.piece(&self.arena, short), slot.count)
    }
}

#[inline(never)]
fn compare(arena: &[u8], one: &Slot, other: &Slot) -> Ordering {
    one.piece(arena, &mut [0; 16])
        .cmp(other.piece(arena, &mut [0; 16]))
}

#[cfg(test)]
mod tests {
    use super::super::Seeds;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_sum_beyond_u64_is_an_error() {
        let mut table = PieceTable::new(Seeds::new());
        table.add_counted(b"a", Count::MAX).unwrap();
        let piece = b"a".to_vec();
        let error = table.add_counted(b"a", 1).unwrap_err();
        assert_eq!(error, PieceCountsError::CountOverflow { piece });
    }

    #[test]
    fn memory_with_includes_growth() {
        let mut table = PieceTable::new(Seeds::new());
        let empty = table.memory_with(1, 0);
        for n in 0..10_000u32 {
            let predicted = table.memory_with(1, 20);
            table.add_counted(format!("{n:020}").as_bytes(), 1).unwrap();
            let actual = table.slots.len() * size_of::<Slot>() + table.arena.capacity();
            assert!(predicted >= actual, "{predicted} {actual}");
        }
        assert!(table.memory_with(0, 0) > 16 * empty);
        assert!(table.into_sorted().memory() >= 10_000 * (20 + size_of::<Slot>()));
    }

    proptest! {
        #[test]
        fn pieces_are_sorted_by_bytes(pieces in prop::collection::btree_map(
            prop_oneof![
                prop::collection::vec(prop::sample::select(&b"a\0\xFF"[..]), 1..4),
                prop::collection::vec(prop::sample::select(&b"a\0"[..]), 13..18),
                prop::collection::vec(any::<u8>(), 1..30),
            ],
            1..100u64,
            0..300,
        )) {
            let mut table = PieceTable::new(Seeds::new());
            for (piece, &count) in pieces.iter().rev().chain(&pieces) {
                table.add_counted(piece, count).unwrap();
            }
            let table = table.into_sorted();
            let all: Vec<(Vec<u8>, Count)> = (0..table.len())
                .map(|at| {
                    let mut short = [0; 16];
                    let (piece, count) = table.get(at, &mut short);
                    (piece.to_vec(), count)
                })
                .collect();
            let want: BTreeMap<_, _> = pieces.into_iter().map(|(p, c)| (p, 2 * c)).collect();
            prop_assert_eq!(all, want.into_iter().collect::<Vec<_>>());
        }
    }
}

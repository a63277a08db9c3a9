//! Merging the tables of several threads.
//!
//! All tables hash with the same seeds and choose slots by the upper bits of the hash. So each table stores
//! its pieces in hash order, apart from a few displaced by collisions. The hash space is divided into ranges.
//! The pieces of a range are contiguous in each table; they are read table by table and summed in a small
//! index that fits in cache.
//!
//! **Cost.** Each range is read twice, sequentially, the second time from cache. Hashes are computed from the
//! stored keys, not from the bytes of the pieces. Threads merge disjoint sets of ranges without waiting for
//! each other. This is ten times as fast as inserting the pieces of one table into another: as the pieces
//! come in hash order, the insertions collide.

use super::table::{Entry, PieceTable};
use crate::parallel;
use crate::piece_counts::{PieceCounts, PieceCountsError};

/// The number of slots of the largest table in a range: 16 KiB.
const RANGE_SLOTS: usize = 1 << 9;

/// Merges `tables`, which must have the same seeds, on up to `threads` threads.
pub(super) fn merge(
    tables: &[PieceTable],
    threads: usize,
) -> Result<PieceCounts, PieceCountsError> {
    let slots = || tables.iter().map(PieceTable::slots);
    let (Some(largest), Some(smallest)) = (slots().max(), slots().min()) else {
        return Ok(PieceCounts::new());
    };
    let bits = (largest / RANGE_SLOTS).clamp(1, smallest).ilog2();
    let ranges = 1 << bits;
    let threads = threads.clamp(1, ranges);
    let shares = (0..threads).map(|share| ranges * share / threads..ranges * (share + 1) / threads);
    let merged = parallel::map(shares, |share| {
        let mut counts = PieceCounts::new();
        let mut merger = RangeMerger::default();
        for range in share {
            merger.merge(tables, range, bits, &mut counts)?;
        }
        Ok(counts)
    });
    let mut merged = merged.into_iter();
    let mut counts = merged.next().unwrap_or_else(|| Ok(PieceCounts::new()))?;
    for other in merged {
        counts.append_distinct(&other?)?;
    }
    Ok(counts)
}

/// Merges one range at a time. Its allocations are reused.
#[derive(Default)]
struct RangeMerger<'t> {
    /// The distinct pieces, each with the table where it was first found.
    entries: Vec<(&'t PieceTable, Entry<'t>)>,
    /// Hash table from pieces to the numbers of their entries, from 1; 0 in a free slot. Uses the bits of the
    /// hash below those that select the range.
    index: Vec<u32>,
}

impl<'t> RangeMerger<'t> {
    /// Appends the merged counts of one range to `counts`. The upper `bits` bits of a hash are the number of
    /// its range.
    fn merge(
        &mut self,
        tables: &'t [PieceTable],
        range: usize,
        bits: u32,
        counts: &mut PieceCounts,
    ) -> Result<(), PieceCountsError> {
        self.entries.clear();
        let all = || tables.iter().map(|table| table.entries(range, bits));
        let count: usize = all().map(Iterator::count).sum();
        let index_bits = (2 * count).next_power_of_two().ilog2().max(1);
        self.index.clear();
        self.index.resize(1 << index_bits, 0);
        for table in tables {
            for entry in table.entries(range, bits) {
                self.add(table, entry, bits, index_bits)?;
            }
        }
        let mut short = [0; 16];
        for (table, entry) in &self.entries {
            counts.push_distinct(table.piece(entry, &mut short), entry.count)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        table: &'t PieceTable,
        entry: Entry<'t>,
        bits: u32,
        index_bits: u32,
    ) -> Result<(), PieceCountsError> {
        let mut at = (entry.hash << bits >> (64 - index_bits)) as usize;
        loop {
            let number = self.index[at] as usize;
            if number == 0 {
                self.entries.push((table, entry));
                self.index[at] = self.entries.len() as u32;
                return Ok(());
            }
            let (first_table, first) = &mut self.entries[number - 1];
            if first_table.same_piece(first, table, &entry) {
                let sum = first.count.checked_add(entry.count);
                first.count = sum.ok_or_else(|| PieceCountsError::CountOverflow {
                    piece: table.piece(&entry, &mut [0; 16]).to_vec(),
                })?;
                return Ok(());
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }
}

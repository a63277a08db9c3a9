//! The symbols of all distinct pieces in one arena, and merging a pair at given positions.
//!
//! **Layout.** A piece is its count, its symbols and an end mark, in 32-bit cells. A position is the index of
//! the cell where a symbol starts. A merge moves nothing: the new symbol occupies the cells of its two
//! halves, with its id in the first cell and in the last. So the next symbol is found from the width of the
//! current one in cells, and the previous symbol by reading the preceding cell. A merge at a position takes
//! constant time in a piece of any length.
//!
//! **Stale positions.** The first cell of a right half is blanked, unless it is also the last cell of the new
//! symbol. An id is never created twice, and no symbol ever starts at a blanked cell again. So a recorded
//! position still holds its pair exactly if the cells of both halves contain the ids of the pair.
//!
//! **Counts.** The upper bits of a cell contain its distance from the first symbol of the piece; the count is
//! in the cell before that symbol. The counts of pieces too long for this, and counts of 2^32 - 1 or more,
//! are in a sorted list of exceptions.
//!
//! **Compaction.** When all positions are collected again (`pairs.rs`), symbols are moved together to one
//! cell each, and pieces of a single symbol are dropped.
//!
//! **Cost.** A merge at a position reads four nearby cells and the count, and writes up to three cells.
//! Memory: 4 bytes per symbol and 8 per piece.

use std::iter::Peekable;
use std::slice;

use crate::parallel;
use crate::piece_counts::PieceCounts;
use crate::simd::prefetch;
use crate::stop::Stop;
use crate::token::{Count, Pair, TokenId};

use super::cell::{BLANK, END, Position, cell, distance, id, with_id};
use super::neighbors::Neighbors;
use super::thresholds::Thresholds;

/// Cells of a piece besides its symbols: the count and the end mark.
pub(super) const CELLS_PER_PIECE: usize = 2;

/// Number of positions between checks of the stop flag.
const STOP_CHECK_INTERVAL: usize = 1 << 12;

/// How many positions ahead a cell is prefetched. The count of its piece is prefetched half as far ahead.
const PREFETCH_DISTANCE: usize = 24;

/// The distinct pieces as sequences of symbols.
pub(crate) struct Corpus {
    cells: Vec<u32>,
    /// Ascending by position.
    exceptions: Vec<Exception>,
    /// Where the corpus may be divided into ranges: the first cells of some pieces, about `cut_spacing`
    /// apart, ascending.
    cut_points: Vec<usize>,
    /// The number of occurrences of all pairs when the corpus was built.
    pair_occurrences: Count,
    thresholds: Thresholds,
}

/// A piece whose length or count exceeds the capacity of its cells.
#[derive(Clone, Copy)]
struct Exception {
    /// The position of its first symbol.
    first: Position,
    count: Count,
}

/// An error while building a corpus.
#[derive(Debug)]
pub(crate) enum CorpusError {
    /// Pairs occur more than 2^64 - 1 times in total.
    Counts,
    /// The cells exceed the range of [`Position`].
    Size,
}

/// A pair to merge, and the id of the new token.
#[derive(Clone, Copy)]
pub(super) struct PairMerge {
    pub(super) left: TokenId,
    pub(super) right: TokenId,
    pub(super) token: TokenId,
    /// The widths of both tokens, in cells.
    pub(super) left_width: u32,
    pub(super) right_width: u32,
}

impl Corpus {
    /// Builds a corpus from the pieces of two bytes or more, with `symbols[byte]` for each byte.
    pub(super) fn new(
        pieces: &PieceCounts,
        symbols: &[TokenId; 256],
        thresholds: Thresholds,
    ) -> Result<Self, CorpusError> {
        let symbol = |&byte: &u8| symbols[usize::from(byte)];
        let encoded = (pieces.iter()).map(|(piece, count)| (piece.iter().map(symbol), count));
        let cells = pieces.distinct_bytes() + CELLS_PER_PIECE * pieces.len();
        Self::build(cells, encoded, thresholds)
    }

    /// Builds a corpus from pieces that are already encoded and have at most `symbols` tokens in total.
    pub(crate) fn from_symbols<S: ExactSizeIterator<Item = TokenId>>(
        symbols: usize,
        pieces: impl ExactSizeIterator<Item = (S, Count)>,
        thresholds: Thresholds,
    ) -> Result<Self, CorpusError> {
        Self::build(symbols + CELLS_PER_PIECE * pieces.len(), pieces, thresholds)
    }

    /// Builds a corpus of at most `cells` cells.
    fn build<S: ExactSizeIterator<Item = TokenId>>(
        cells: usize,
        pieces: impl Iterator<Item = (S, Count)>,
        thresholds: Thresholds,
    ) -> Result<Self, CorpusError> {
        let mut corpus = Corpus {
            cells: Vec::with_capacity(cells),
            exceptions: Vec::new(),
            cut_points: Vec::new(),
            pair_occurrences: 0,
            thresholds,
        };
        for (symbols, count) in pieces {
            corpus.push(symbols, count)?;
        }
        Ok(corpus)
    }

    /// Adds a piece that occurs `count` times, unless it contains no pair.
    fn push(
        &mut self,
        symbols: impl ExactSizeIterator<Item = TokenId>,
        count: Count,
    ) -> Result<(), CorpusError> {
        let length = symbols.len();
        if length < 2 || count == 0 {
            return Ok(());
        }
        let occurrences = (length as Count - 1).checked_mul(count);
        let total = occurrences.and_then(|added| self.pair_occurrences.checked_add(added));
        self.pair_occurrences = total.ok_or(CorpusError::Counts)?;
        let begin = self.cells.len();
        Position::try_from(begin + length + CELLS_PER_PIECE).map_err(|_| CorpusError::Size)?;
        let thresholds = self.thresholds;
        add_cut_point(&mut self.cut_points, begin, thresholds);
        let count_cap = Count::from(thresholds.count_cap);
        self.cells.push(count_cap.min(count) as u32);
        let cell = |(distance, id)| cell(id, distance, thresholds.distance_cap);
        self.cells.extend((0..).zip(symbols).map(cell));
        self.cells.push(END);
        if is_exception(length, self.cells[begin], thresholds) {
            let first = begin as Position + 1;
            self.exceptions.push(Exception { first, count });
        }
        Ok(())
    }

    /// The number of occurrences of all pairs when the corpus was built.
    pub(super) fn pair_occurrences(&self) -> Count {
        self.pair_occurrences
    }

    pub(super) fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    pub(super) fn cell_count(&self) -> usize {
        self.cells.len()
    }

    /// The pair at a position. All symbols must be one cell wide.
    #[inline(always)]
    pub(super) fn pair_at(&self, position: Position) -> Pair {
        let at = position as usize;
        Pair::new(id(self.cells[at]), id(self.cells[at + 1]))
    }

    /// The count of the piece that contains a position.
    pub(super) fn count_at(&self, position: Position) -> Count {
        let at = position as usize;
        count_at(&self.cells, &self.exceptions, 0, at, self.thresholds)
    }

    /// Returns the cells at which to cut the corpus into at most `count` ranges of about equal size.
    pub(super) fn cuts(&self, count: usize) -> Vec<usize> {
        let points = self.cut_points.len();
        let mut cuts: Vec<usize> = (1..count).map(|range| points * range / count).collect();
        cuts.dedup();
        cuts.retain(|&point| point > 0);
        cuts.iter().map(|&point| self.cut_points[point]).collect()
    }

    /// Splits the corpus at `cuts`.
    pub(super) fn ranges(&mut self, cuts: &[usize]) -> Vec<PieceRange<'_>> {
        let ends = cuts.iter().copied().chain([self.cells.len()]);
        let (mut cells, mut exceptions) = (&mut self.cells[..], &self.exceptions[..]);
        let mut first = 0;
        let mut ranges = Vec::with_capacity(cuts.len() + 1);
        for end in ends {
            let here = exceptions.partition_point(|e| (e.first as usize) < end);
            let (cells_here, exceptions_here);
            (cells_here, cells) = cells.split_at_mut(end - first);
            (exceptions_here, exceptions) = exceptions.split_at(here);
            ranges.push(PieceRange {
                cells: cells_here,
                first: first as Position,
                exceptions: exceptions_here,
                thresholds: self.thresholds,
            });
            first = end;
        }
        ranges
    }

    /// Moves compacted ranges together, in order. Returns the cuts between them.
    pub(super) fn join_compacted(&mut self, ranges: Vec<Compacted>) -> Vec<usize> {
        self.cut_points.clear();
        self.exceptions.clear();
        let mut cuts = Vec::with_capacity(ranges.len());
        let mut end = 0;
        for range in ranges {
            cuts.push(end);
            let first = range.first as usize;
            self.cells.copy_within(first..first + range.length, end);
            (self.cut_points).extend(range.cut_points.iter().map(|point| end + point));
            let moved = range.exceptions.iter().map(|e| Exception {
                first: e.first + end as Position,
                ..*e
            });
            self.exceptions.extend(moved);
            end += range.length;
        }
        self.cells.truncate(end);
        cuts.split_off(1.min(cuts.len()))
    }

    /// Merges a pair at the `positions` (ascending) that still hold it, from left to right, and records the
    /// neighbors of each merge in `neighbors`. Uses up to one thread per element of `neighbors`, depending on
    /// the number of positions.
    pub(super) fn merge(
        &mut self,
        pair_merge: PairMerge,
        positions: &[Position],
        neighbors: &mut [Neighbors],
        stop: &Stop,
    ) {
        let useful_threads = positions.len() / self.thresholds.positions_per_thread;
        let ranges = neighbors.len().min(useful_threads);
        if ranges < 2 {
            let mut range = PieceRange {
                cells: &mut self.cells,
                first: 0,
                exceptions: &self.exceptions,
                thresholds: self.thresholds,
            };
            return range.merge(pair_merge, positions, &mut neighbors[0], stop);
        }
        // Divide the positions into about equal shares, each of which starts at a cut point.
        let share = |range: usize| positions[positions.len() * range / ranges] as usize;
        let cut_before = |position: usize| {
            let after = self.cut_points.partition_point(|&point| point <= position);
            self.cut_points[after - 1]
        };
        let mut cuts: Vec<usize> = (1..ranges).map(|range| cut_before(share(range))).collect();
        cuts.dedup();
        let mut rest = positions;
        let mut work = Vec::with_capacity(ranges);
        for (range, neighbors) in self.ranges(&cuts).into_iter().zip(neighbors) {
            let end = range.first as usize + range.cells.len();
            let positions;
            (positions, rest) =
                rest.split_at(rest.partition_point(|&position| (position as usize) < end));
            work.push((range, positions, neighbors));
        }
        parallel::map(work.into_iter(), |(mut range, positions, neighbors)| {
            range.merge(pair_merge, positions, neighbors, stop);
        });
    }
}

/// A contiguous range of pieces, for one thread.
pub(super) struct PieceRange<'c> {
    cells: &'c mut [u32],
    /// The index of the range's first cell in the corpus.
    first: Position,
    exceptions: &'c [Exception],
    thresholds: Thresholds,
}

/// The result of compacting a range. `cut_points` and `exceptions` are relative to the start of the range.
pub(super) struct Compacted {
    /// The index of the range's first cell before compaction.
    first: Position,
    /// The number of cells after compaction.
    length: usize,
    cut_points: Vec<usize>,
    exceptions: Vec<Exception>,
}

impl PieceRange<'_> {
    /// Compacts each symbol to one cell and drops pieces without a pair. `width` returns the width of a
    /// symbol before compaction. Calls `each_pair` with each pair and the count of its piece.
    pub(super) fn compact(
        &mut self,
        width: impl Fn(TokenId) -> u32,
        stop: &Stop,
        mut each_pair: impl FnMut(TokenId, TokenId, Count),
    ) -> Compacted {
        let thresholds = self.thresholds;
        let mut compacted = Compacted {
            first: self.first,
            length: 0,
            cut_points: Vec::new(),
            exceptions: Vec::new(),
        };
        let mut exceptions = self.exceptions.iter().peekable();
        let (mut read, mut write) = (0, 0);
        while let Some(&small_count) = self.cells.get(read)
            && !stop.is_set()
        {
            let count = self.count_of_next(&mut exceptions, read, small_count);
            let begin = write;
            let mut before = id(self.cells[read + 1]);
            read += 1 + width(before) as usize;
            self.cells[begin] = small_count;
            self.cells[begin + 1] = cell(before, 0, thresholds.distance_cap);
            let mut length = 1;
            loop {
                let here = id(self.cells[read]);
                if here == END {
                    break;
                }
                read += width(here) as usize;
                self.cells[begin + 1 + length] = cell(here, length as u32, thresholds.distance_cap);
                length += 1;
                each_pair(before, here, count);
                before = here;
            }
            read += 1;
            if length == 1 {
                continue;
            }
            self.cells[begin + 1 + length] = END;
            write = begin + length + CELLS_PER_PIECE;
            add_cut_point(&mut compacted.cut_points, begin, thresholds);
            if is_exception(length, small_count, thresholds) {
                let first = begin as Position + 1;
                compacted.exceptions.push(Exception { first, count });
            }
        }
        compacted.length = write;
        compacted
    }

    /// Calls `each` with each pair, its position and the count of its piece. All symbols must be one cell
    /// wide.
    pub(super) fn for_each_pair(
        &self,
        stop: &Stop,
        mut each: impl FnMut(TokenId, TokenId, Position, Count),
    ) {
        let mut exceptions = self.exceptions.iter().peekable();
        let mut at = 0;
        while let Some(&small_count) = self.cells.get(at)
            && !stop.is_set()
        {
            let count = self.count_of_next(&mut exceptions, at, small_count);
            at += 1;
            let mut left = id(self.cells[at]);
            loop {
                let right = id(self.cells[at + 1]);
                if right == END {
                    break;
                }
                each(left, right, self.first + at as Position, count);
                left = right;
                at += 1;
            }
            at += 2;
        }
    }

    /// Prefetches the cell at a position.
    #[inline(always)]
    fn prefetch(&self, position: Position) {
        prefetch(self.cells, (position - self.first) as usize);
    }

    /// Prefetches the count and the neighborhood of a position whose own cell was prefetched earlier.
    #[inline(always)]
    fn prefetch_context(&self, position: Position) {
        let at = (position - self.first) as usize;
        prefetch(self.cells, at - distance(self.cells[at]) as usize - 1);
        prefetch(self.cells, at + 4);
    }

    /// Returns the count of the piece that starts at cell `at`, where `small_count` is stored. Pieces must be
    /// visited in order.
    #[inline(always)]
    fn count_of_next(
        &self,
        exceptions: &mut Peekable<slice::Iter<'_, Exception>>,
        at: usize,
        small_count: u32,
    ) -> Count {
        let first = self.first + at as Position + 1;
        let exception = exceptions.next_if(|e| e.first == first);
        exception.map_or(small_count.into(), |e| e.count)
    }

    /// See [`Corpus::merge`].
    fn merge(
        &mut self,
        pair_merge: PairMerge,
        positions: &[Position],
        neighbors: &mut Neighbors,
        stop: &Stop,
    ) {
        neighbors.make_room(pair_merge.token as usize + 1);
        let thresholds = self.thresholds;
        let left_width = pair_merge.left_width as usize;
        let width = left_width + pair_merge.right_width as usize;
        let upcoming = &positions[..positions.len().min(PREFETCH_DISTANCE)];
        upcoming
            .iter()
            .for_each(|&position| self.prefetch(position));
        for &position in &upcoming[..upcoming.len().min(PREFETCH_DISTANCE / 2)] {
            self.prefetch_context(position);
        }
        for (index, &position) in positions.iter().enumerate() {
            if index.is_multiple_of(STOP_CHECK_INTERVAL) && stop.is_set() {
                return;
            }
            if let Some(&later) = positions.get(index + PREFETCH_DISTANCE) {
                self.prefetch(later);
            }
            if let Some(&later) = positions.get(index + PREFETCH_DISTANCE / 2) {
                self.prefetch_context(later);
            }
            let at = (position - self.first) as usize;
            // The preceding cell (at the start of a piece, the count), both symbols, and the following cell.
            let near = self.cells.get_mut(at - 1..=at + width);
            let halves = near.and_then(|near| near.split_at_mut_checked(1 + left_width));
            let Some(([before, here, ..], [right, rest @ ..])) = halves else {
                continue;
            };
            if id(*here) != pair_merge.left || id(*right) != pair_merge.right {
                continue;
            }
            let distance = distance(*here);
            *here = with_id(*here, pair_merge.token);
            let before = if distance == 0 { END } else { id(*before) };
            let after;
            match rest {
                [after_cell] => {
                    after = id(*after_cell);
                    *right = pair_merge.token;
                }
                [.., last, after_cell] => {
                    after = id(*after_cell);
                    *right = BLANK;
                    *last = pair_merge.token;
                }
                [] => continue,
            }
            let count = count_at(self.cells, self.exceptions, self.first, at, thresholds);
            neighbors.add(position, before, after, count);
        }
    }
}

/// The count of the piece that contains cell `at`. `first` is the index of `cells[0]` in the corpus.
#[inline(always)]
fn count_at(
    cells: &[u32],
    exceptions: &[Exception],
    first: Position,
    at: usize,
    thresholds: Thresholds,
) -> Count {
    let distance = distance(cells[at]);
    if distance < thresholds.distance_cap {
        let count = cells[at - distance as usize - 1];
        if count != thresholds.count_cap {
            return count.into();
        }
    }
    count_of_exception(exceptions, first + at as Position)
}

#[cold]
fn count_of_exception(exceptions: &[Exception], position: Position) -> Count {
    let after = exceptions.partition_point(|e| e.first <= position);
    exceptions[after - 1].count
}

/// Adds the start of a piece as a cut point, if it is far enough from the last one.
fn add_cut_point(cut_points: &mut Vec<usize>, start: usize, thresholds: Thresholds) {
    let is_far = |&last: &usize| start - last >= thresholds.cut_spacing;
    if cut_points.last().is_none_or(is_far) {
        cut_points.push(start);
    }
}

fn is_exception(length: usize, small_count: u32, thresholds: Thresholds) -> bool {
    length > thresholds.distance_cap as usize || small_count == thresholds.count_cap
}

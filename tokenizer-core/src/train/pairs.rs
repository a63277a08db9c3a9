//! Tracked pairs: those that occur at least `threshold` times.
//!
//! **Correctness.** A pair's count is highest just after the later of its two tokens was created, and only
//! falls from then on: a merge creates occurrences of pairs with its new token, and of no others. So a pair
//! that starts below the threshold stays below it. While the highest tracked count is at least the threshold,
//! the tracked pair with this count is the most frequent of all. Once the highest tracked count is lower, an
//! untracked pair may exceed it, so the threshold is lowered and the corpus is scanned again.
//!
//! Most pairs of a corpus are rare. Without them, the table, the lists of positions and the queue of
//! candidates are much smaller.
//!
//! **Scan.** Two passes, with pairs grouped by a hash. The first pass adds up, for each hash, the
//! counts and the numbers of positions of all its pairs. If a hash's total count is below the
//! threshold, so is the count of each of its pairs. The second pass writes the positions of the
//! pairs of all other hashes into one list per hash, whose length is known. Usually a list contains
//! a single pair, whose count is the total; other lists are sorted by pair. While there are at most
//! 256 ids, as in the first scan when training from bytes, hashes do not collide. Threads scan
//! separate ranges of pieces.

use std::sync::atomic::{AtomicU32, Ordering};

use super::cell::Position;
use super::corpus::{Corpus, PieceRange};
use super::neighbors::List;
use super::pair_table::{Occurrences, PairTable};
use crate::parallel;
use crate::stop::Stop;
use crate::token::{Candidate, Count, Pair, TokenId};

/// The tracked pairs.
#[derive(Default)]
pub(super) struct TrackedPairs {
    table: PairTable,
    /// The lists of positions of all pairs, end to end. The list of a removed pair stays until the next scan.
    /// The total length is at most three times the number of symbols at the last scan.
    positions: Vec<Position>,
}

impl TrackedPairs {
    /// Scans the corpus for the pairs that occur at least `threshold` times and satisfy `may_merge`.
    ///
    /// `widths` contains the width in cells of each symbol. If any is over 1, the corpus is compacted (see
    /// [`PieceRange::compact`]).
    pub(super) fn scan(
        corpus: &mut Corpus,
        widths: &[u32],
        threshold: Count,
        may_merge: impl Fn(Pair) -> bool,
        threads: usize,
        stop: &Stop,
    ) -> Self {
        let hash = PairHash::new(widths.len(), corpus);
        let (tallies, cuts) = tally(corpus, hash, widths, threads, stop);
        if stop.is_set() {
            return TrackedPairs::default();
        }
        let frequent = FrequentHashes::new(tallies, threshold);
        let mut positions = frequent.positions(corpus, hash, &cuts, stop);
        if stop.is_set() {
            return TrackedPairs::default();
        }
        let mut table = PairTable::with_capacity(frequent.sums.len());
        frequent.for_each_pair(corpus, hash, &mut positions, |pair, occurrences| {
            if occurrences.count >= threshold && may_merge(pair) {
                table.insert(pair, occurrences);
            }
        });
        TrackedPairs { table, positions }
    }

    /// Returns each tracked pair with its count.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let pairs = self.table.iter();
        pairs.map(|(pair, &Occurrences { count, .. })| Candidate { count, pair })
    }

    /// Returns the count of a pair, if it is tracked.
    pub(super) fn count(&self, pair: Pair) -> Option<Count> {
        self.table.get(pair).map(|occurrences| occurrences.count)
    }

    /// Stops tracking a pair. Returns its positions, or none if it was not tracked.
    pub(super) fn take(&mut self, pair: Pair) -> &[Position] {
        match self.table.take(pair) {
            Some(found) => &self.positions[found.begin..found.begin + found.length as usize],
            None => &[],
        }
    }

    /// Prefetches the table slot of a pair.
    #[inline(always)]
    pub(super) fn prefetch(&self, pair: Pair) {
        self.table.prefetch(pair);
    }

    /// Subtracts `count` occurrences of a pair, if it is tracked.
    pub(super) fn remove(&mut self, pair: Pair, count: Count) {
        if let Some(occurrences) = self.table.get_mut(pair) {
            occurrences.count -= count;
        }
    }

    /// The buffer of all lists of positions, to which new lists are appended.
    pub(super) fn lists(&mut self) -> &mut Vec<Position> {
        &mut self.positions
    }

    /// Starts tracking a new pair, whose list has been written.
    pub(super) fn insert(&mut self, pair: Pair, count: Count, list: List) {
        let List { begin, length, .. } = list;
        let occurrences = Occurrences {
            count,
            begin,
            length,
        };
        self.table.insert(pair, occurrences);
    }
}

impl Occurrences {
    fn new(count: Count, begin: usize, length: usize) -> Self {
        Occurrences {
            count,
            begin,
            // Never truncates: a corpus has fewer than 2^32 positions.
            length: length as u32,
        }
    }
}

/// The first pass. Returns the tallies by hash for each range of pieces, and the cuts between the ranges.
fn tally(
    corpus: &mut Corpus,
    hash: PairHash,
    widths: &[u32],
    threads: usize,
    stop: &Stop,
) -> (Vec<Vec<Tally>>, Vec<usize>) {
    let is_wide = widths.iter().any(|&width| width > 1);
    let tally = |mut range: PieceRange<'_>| {
        let mut tallies = vec![Tally::default(); hash.values()];
        let mut add = |left, right, count| tallies[hash.of(left, right)].add(count);
        let compacted = if is_wide {
            Some(range.compact(|id| widths[id as usize], stop, add))
        } else {
            range.for_each_pair(stop, |left, right, _, count| add(left, right, count));
            None
        };
        (tallies, compacted)
    };
    // If there is more than one range, the tallies take at most twice as much memory as the cells.
    let cuts = corpus.cuts(threads.min(corpus.cell_count() / hash.values()));
    let tallied = parallel::map(corpus.ranges(&cuts).into_iter(), tally);
    let (tallies, compacted): (Vec<_>, Vec<_>) = tallied.into_iter().unzip();
    let cuts = match is_wide && !stop.is_set() {
        true => corpus.join_compacted(compacted.into_iter().flatten().collect()),
        false => cuts,
    };
    (tallies, cuts)
}

/// A hash of pairs.
#[derive(Clone, Copy)]
struct PairHash {
    bits: u32,
    /// Whether the hash is free of collisions.
    is_exact: bool,
}

impl PairHash {
    /// Creates a hash for ids below `ids`. For up to 256 ids it has 2^16 values and no collisions; otherwise
    /// about one value per four cells, but at most 32 MiB of tallies per range.
    fn new(ids: usize, corpus: &Corpus) -> Self {
        let is_exact = ids <= 256;
        let min_bits = corpus.thresholds().hash_bits;
        let bits = if is_exact {
            16
        } else {
            (corpus.cell_count() / 4).max(1).ilog2().clamp(min_bits, 22)
        };
        PairHash { bits, is_exact }
    }

    /// The number of hash values.
    fn values(self) -> usize {
        1 << self.bits
    }

    #[inline(always)]
    fn of(self, left: TokenId, right: TokenId) -> usize {
        let mixed = (left << 8 ^ right) ^ (left >> 8 | right >> 8).wrapping_mul(0x9E37_79B1);
        mixed as usize & ((1 << self.bits) - 1)
    }
}

/// The total count and the number of positions of all pairs with the same hash.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Saturates at 2^32 - 1.
    sum: u32,
    position_count: u32,
}

impl Tally {
    #[inline(always)]
    fn add(&mut self, count: Count) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.sum = self.sum.saturating_add(count);
        self.position_count += 1;
    }
}

/// The hashes whose total count reaches the threshold. They are numbered from 1 in ascending order.
/// Number `n` has index `n - 1` in `sums` and in each element of `lengths`.
struct FrequentHashes {
    /// The number of each hash, or 0 if its total count is below the threshold.
    numbers: Vec<u32>,
    /// The total count of each frequent hash.
    sums: Vec<u32>,
    /// For each range of pieces, the number of positions of each frequent hash.
    lengths: Vec<Vec<u32>>,
}

impl FrequentHashes {
    fn new(ranges: Vec<Vec<Tally>>, threshold: Count) -> Self {
        let threshold = u32::try_from(threshold).unwrap_or(u32::MAX);
        let hashes = ranges.first().map_or(0, Vec::len);
        let mut frequent = FrequentHashes {
            numbers: vec![0; hashes],
            sums: Vec::new(),
            lengths: vec![Vec::new(); ranges.len()],
        };
        for hash in 0..hashes {
            let add = |sum: u32, range: &Vec<Tally>| sum.saturating_add(range[hash].sum);
            let sum = ranges.iter().fold(0, add);
            if sum >= threshold {
                frequent.sums.push(sum);
                frequent.numbers[hash] = frequent.sums.len() as u32;
                for (lengths, range) in frequent.lengths.iter_mut().zip(&ranges) {
                    lengths.push(range[hash].position_count);
                }
            }
        }
        frequent
    }

    /// The second pass. Returns the lists of positions, end to end.
    fn positions(
        &self,
        corpus: &mut Corpus,
        hash: PairHash,
        cuts: &[usize],
        stop: &Stop,
    ) -> Vec<Position> {
        let numbers = &self.numbers;
        let lists = Lists::new(self.total());
        let write = |(range, mut cursors): (PieceRange<'_>, Vec<u32>)| {
            range.for_each_pair(stop, |left, right, position, _| {
                lists.push(&mut cursors, numbers[hash.of(left, right)], position);
            });
        };
        parallel::map(corpus.ranges(cuts).into_iter().zip(self.cursors()), write);
        lists.into_positions()
    }

    /// Calls `each` with each pair in the lists. Sorts lists of several pairs by pair.
    fn for_each_pair(
        &self,
        corpus: &Corpus,
        hash: PairHash,
        positions: &mut [Position],
        mut each: impl FnMut(Pair, Occurrences),
    ) {
        let count_of =
            |list: &[Position]| list.iter().map(|&position| corpus.count_at(position)).sum();
        let mut begin = DISCARDED + 1;
        for (index, &sum) in self.sums.iter().enumerate() {
            let length = self.length(index);
            let list = &mut positions[begin..begin + length];
            let first = corpus.pair_at(list[0]);
            if hash.is_exact
                || list
                    .iter()
                    .all(|&position| corpus.pair_at(position) == first)
            {
                let count = match sum {
                    u32::MAX => count_of(list),
                    _ => sum.into(),
                };
                each(first, Occurrences::new(count, begin, length));
            } else {
                // A stable sort keeps the positions of each pair ascending.
                list.sort_by_key(|&position| corpus.pair_at(position));
                let mut begin = begin;
                for positions in list.chunk_by(|&a, &b| corpus.pair_at(a) == corpus.pair_at(b)) {
                    let occurrences = Occurrences::new(count_of(positions), begin, positions.len());
                    each(corpus.pair_at(positions[0]), occurrences);
                    begin += positions.len();
                }
            }
            begin += length;
        }
    }

    /// The length of the list of the hash with this index.
    fn length(&self, index: usize) -> usize {
        let lengths = self.lengths.iter();
        lengths.map(|lengths| lengths[index] as usize).sum()
    }

    /// The total length of all lists.
    fn total(&self) -> usize {
        let lengths = self.lengths.iter().flatten();
        lengths.map(|&length| length as usize).sum()
    }

    /// Returns, for each range of pieces, where the range's part of each list starts, by the number of the
    /// hash. A list consists of the parts of all ranges, in order.
    fn cursors(&self) -> Vec<Vec<u32>> {
        let mut cursors = vec![vec![DISCARDED as u32]; self.lengths.len()];
        // Never overflows: a corpus has fewer than 2^32 positions.
        let mut end = DISCARDED as u32 + 1;
        for index in 0..self.sums.len() {
            for (cursors, lengths) in cursors.iter_mut().zip(&self.lengths) {
                cursors.push(end);
                end += lengths[index];
            }
        }
        cursors
    }
}

/// The index of the element that positions of infrequent hashes are written to. It belongs to no list.
const DISCARDED: usize = 0;

/// Lists of positions. Several threads write to disjoint elements, and all of them to [`DISCARDED`].
struct Lists(Vec<AtomicU32>);

impl Lists {
    fn new(total: usize) -> Self {
        let zeros = vec![0; DISCARDED + 1 + total];
        Lists(zeros.into_iter().map(AtomicU32::new).collect())
    }

    /// Appends a position to the list with this number. For number 0, overwrites the element at `DISCARDED`
    /// instead, which avoids a branch.
    #[inline(always)]
    fn push(&self, cursors: &mut [u32], number: u32, position: Position) {
        let cursor = &mut cursors[number as usize];
        self.0[*cursor as usize].store(position, Ordering::Relaxed);
        *cursor += u32::from(number > 0);
    }

    fn into_positions(self) -> Vec<Position> {
        self.0.into_iter().map(AtomicU32::into_inner).collect()
    }
}

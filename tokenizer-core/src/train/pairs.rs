//! The pairs that are kept track of: those that occur at least `threshold` times.
//!
//! **Why the others need not be.** The count of a pair is at its highest in the moment the merge
//! that creates it is done: two tokens can stand side by side later only where they, or what became
//! part of them, stood so already. So a pair that is below the threshold when it comes up stays
//! below it. As long as the highest count among the tracked pairs reaches the threshold, that pair
//! is the highest of all. As soon as it does not, the threshold is lowered and the corpus is read
//! again. (Waiting until no tracked pair is left is not enough: an untracked pair may be higher
//! than a tracked one whose count has fallen below the threshold.)
//!
//! Most pairs of a corpus are rare, so this saves most of the table, of the lists of places and of
//! the candidates.
//!
//! **Reading.** Pairs are told apart by a hash first. A first pass sums up, for every hash, the counts
//! and the places of all pairs that have it; where the sum is below the threshold, none of them is
//! at it. A second pass writes the places of the other hashes into lists, whose lengths are known by
//! then. Mostly a list holds a single pair, whose count is the sum; the few others are taken apart.
//! Pairs of single bytes, the many there are at the beginning, have hashes of their own. Threads
//! read runs of words.
//!
//! Not worth it: finding the pairs themselves in the passes, through the hash and a table for those
//! that share one. With a list that grows for each pair, 131,072 ids took 1.4 times as long, much of
//! it in the allocator; with one sequence of numbers and places that is sorted afterwards, 4,096 ids
//! on mixed scripts took 1.2 times as long, for the memory that it touches.

use std::sync::atomic::{AtomicU32, Ordering};

use super::cell::Place;
use super::corpus::{Corpus, Run};
use super::neighbours::List;
use super::pair_table::{Occurrences, PairTable};
use crate::parallel;
use crate::stop::Stop;
use crate::token::{Candidate, Count, Pair, TokenId};

/// The tracked pairs.
#[derive(Default)]
pub(super) struct TrackedPairs {
    table: PairTable,
    /// The places of all pairs, one list behind another. A list stays when its pair is gone, until
    /// the corpus is read again; all lists together are at most three times the symbols of the corpus.
    places: Vec<Place>,
}

impl TrackedPairs {
    /// Reads the corpus for every pair that occurs at least `threshold` times and that `may_merge`
    /// takes. Ids are below the number of `widths`; symbols that are wider than a cell are moved
    /// together (see [`Run::compact`]).
    pub(super) fn read(
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
        let mut places = frequent.places(corpus, hash, &cuts, stop);
        if stop.is_set() {
            return TrackedPairs::default();
        }
        let mut table = PairTable::with_capacity(frequent.sums.len());
        frequent.for_each_pair(corpus, hash, &mut places, |pair, occurrences| {
            if occurrences.count >= threshold && may_merge(pair) {
                table.insert(pair, occurrences);
            }
        });
        TrackedPairs { table, places }
    }

    /// Every tracked pair with its count.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let pairs = self.table.iter();
        pairs.map(|(pair, &Occurrences { count, .. })| Candidate { count, pair })
    }

    /// The count of a tracked pair.
    pub(super) fn count(&self, pair: Pair) -> Option<Count> {
        self.table.get(pair).map(|occurrences| occurrences.count)
    }

    /// Takes a pair that is about to be merged everywhere; gives its places.
    pub(super) fn take(&mut self, pair: Pair) -> &[Place] {
        match self.table.take(pair) {
            Some(taken) => &self.places[taken.begin..taken.begin + taken.length as usize],
            None => &[],
        }
    }

    /// Asks for the state of a pair that is about to be looked up.
    #[inline(always)]
    pub(super) fn prefetch(&self, pair: Pair) {
        self.table.prefetch(pair);
    }

    /// `count` occurrences of a pair are gone. Nothing happens when it is not tracked.
    pub(super) fn remove(&mut self, pair: Pair, count: Count) {
        if let Some(occurrences) = self.table.get_mut(pair) {
            occurrences.count -= count;
        }
    }

    /// Where the lists of pairs that come up are written, one behind another.
    pub(super) fn lists(&mut self) -> &mut Vec<Place> {
        &mut self.places
    }

    /// Tracks a pair that has come up; its list has been written.
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
            // There are fewer places than a place can number.
            length: length as u32,
        }
    }
}

/// The first pass: the tallies of each run of words, by hash, and the cuts between the runs.
fn tally(
    corpus: &mut Corpus,
    hash: PairHash,
    widths: &[u32],
    threads: usize,
    stop: &Stop,
) -> (Vec<Vec<Tally>>, Vec<usize>) {
    let is_wide = widths.iter().any(|&width| width > 1);
    let tally = |mut run: Run<'_>| {
        let mut tallies = vec![Tally::default(); hash.values()];
        let mut add = |left, right, count| tallies[hash.of(left, right)].add(count);
        let compacted = if is_wide {
            Some(run.compact(|id| widths[id as usize], stop, add))
        } else {
            run.for_each_pair(stop, |left, right, _, count| add(left, right, count));
            None
        };
        (tallies, compacted)
    };
    // All tallies together take no more than a few times the corpus.
    let cuts = corpus.cuts(threads.min(corpus.cells() / hash.values()));
    let tallied = parallel::map(corpus.runs(&cuts).into_iter(), tally);
    let (tallies, compacted): (Vec<_>, Vec<_>) = tallied.into_iter().unzip();
    let cuts = match is_wide && !stop.is_set() {
        true => corpus.join(compacted.into_iter().flatten().collect()),
        false => cuts,
    };
    (tallies, cuts)
}

/// A hash of pairs.
#[derive(Clone, Copy)]
struct PairHash {
    bits: u32,
    /// Whether different pairs have different values.
    is_exact: bool,
}

impl PairHash {
    /// For ids below `ids`: a value for every fourth cell or so, up to 32 megabytes of tallies.
    fn new(ids: usize, corpus: &Corpus) -> Self {
        let is_exact = ids <= 256;
        let least = corpus.thresholds().hash_bits;
        let bits = if is_exact {
            16
        } else {
            (corpus.cells() / 4).max(1).ilog2().clamp(least, 22)
        };
        PairHash { bits, is_exact }
    }

    /// How many values there are.
    fn values(self) -> usize {
        1 << self.bits
    }

    #[inline(always)]
    fn of(self, left: TokenId, right: TokenId) -> usize {
        let mixed = (left << 8 ^ right) ^ (left >> 8 | right >> 8).wrapping_mul(0x9E37_79B1);
        mixed as usize & ((1 << self.bits) - 1)
    }
}

/// The counts and the places of all pairs with one hash.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// 2^32 - 1 stands for all from there on.
    sum: u32,
    places: u32,
}

impl Tally {
    #[inline(always)]
    fn add(&mut self, count: Count) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.sum = self.sum.saturating_add(count);
        self.places += 1;
    }
}

/// The hashes that may hold a frequent pair.
struct FrequentHashes {
    /// By hash: its number, from 1, or 0.
    numbers: Vec<u32>,
    /// By number - 1: the sum of its counts.
    sums: Vec<u32>,
    /// For each run, by number - 1: how many places there are.
    lengths: Vec<Vec<u32>>,
}

impl FrequentHashes {
    fn new(runs: Vec<Vec<Tally>>, threshold: Count) -> Self {
        let enough = u32::try_from(threshold).unwrap_or(u32::MAX);
        let hashes = runs.first().map_or(0, Vec::len);
        let mut frequent = FrequentHashes {
            numbers: vec![0; hashes],
            sums: Vec::new(),
            lengths: vec![Vec::new(); runs.len()],
        };
        for hash in 0..hashes {
            let add = |sum: u32, run: &Vec<Tally>| sum.saturating_add(run[hash].sum);
            let sum = runs.iter().fold(0, add);
            if sum >= enough {
                frequent.sums.push(sum);
                frequent.numbers[hash] = frequent.sums.len() as u32;
                for (lengths, run) in frequent.lengths.iter_mut().zip(&runs) {
                    lengths.push(run[hash].places);
                }
            }
        }
        frequent
    }

    /// The second pass: the lists of places, one behind another.
    fn places(
        &self,
        corpus: &mut Corpus,
        hash: PairHash,
        cuts: &[usize],
        stop: &Stop,
    ) -> Vec<Place> {
        let numbers = &self.numbers;
        let lists = Lists::new(self.total());
        let write = |(run, mut cursors): (Run<'_>, Vec<u32>)| {
            run.for_each_pair(stop, |left, right, place, _| {
                lists.push(&mut cursors, numbers[hash.of(left, right)], place);
            });
        };
        parallel::map(corpus.runs(cuts).into_iter().zip(self.cursors()), write);
        lists.into_places()
    }

    /// Calls `each` with every pair of the lists. Lists of several pairs are sorted by pair.
    fn for_each_pair(
        &self,
        corpus: &Corpus,
        hash: PairHash,
        places: &mut [Place],
        mut each: impl FnMut(Pair, Occurrences),
    ) {
        let count_of = |list: &[Place]| list.iter().map(|&place| corpus.count_at(place)).sum();
        let mut begin = NOWHERE + 1;
        for (number, &sum) in self.sums.iter().enumerate() {
            let length = self.length(number);
            let list = &mut places[begin..begin + length];
            let first = corpus.pair_at(list[0]);
            if hash.is_exact || list.iter().all(|&place| corpus.pair_at(place) == first) {
                let count = match sum {
                    u32::MAX => count_of(list),
                    _ => sum.into(),
                };
                each(first, Occurrences::new(count, begin, length));
            } else {
                // The order of places stays within a pair.
                list.sort_by_key(|&place| corpus.pair_at(place));
                let mut begin = begin;
                for places in list.chunk_by(|&a, &b| corpus.pair_at(a) == corpus.pair_at(b)) {
                    let occurrences = Occurrences::new(count_of(places), begin, places.len());
                    each(corpus.pair_at(places[0]), occurrences);
                    begin += places.len();
                }
            }
            begin += length;
        }
    }

    /// How many places a list has.
    fn length(&self, number: usize) -> usize {
        let lengths = self.lengths.iter();
        lengths.map(|lengths| lengths[number] as usize).sum()
    }

    /// How many places all lists have.
    fn total(&self) -> usize {
        let lengths = self.lengths.iter().flatten();
        lengths.map(|&length| length as usize).sum()
    }

    /// For each run, by number: where its part of the list begins. A list is one part behind the
    /// other, in the order of runs.
    fn cursors(&self) -> Vec<Vec<u32>> {
        let mut cursors = vec![vec![NOWHERE as u32]; self.lengths.len()];
        // There are fewer places than a place can number.
        let mut end = NOWHERE as u32 + 1;
        for number in 0..self.sums.len() {
            for (cursors, lengths) in cursors.iter_mut().zip(&self.lengths) {
                cursors.push(end);
                end += lengths[number];
            }
        }
        cursors
    }
}

/// The first cell of all places, which is in no list.
const NOWHERE: usize = 0;

/// Lists of places that several threads write, each into cells of its own.
struct Lists(Vec<AtomicU32>);

impl Lists {
    fn new(total: usize) -> Self {
        let cells = vec![0; NOWHERE + 1 + total];
        Lists(cells.into_iter().map(AtomicU32::new).collect())
    }

    /// Writes the next place of the list with this number. Places of number 0 go `NOWHERE`, and stay
    /// there, so that nothing branches on it.
    #[inline(always)]
    fn push(&self, cursors: &mut [u32], number: u32, place: Place) {
        let cursor = &mut cursors[number as usize];
        self.0[*cursor as usize].store(place, Ordering::Relaxed);
        *cursor += u32::from(number > 0);
    }

    fn into_places(self) -> Vec<Place> {
        self.0.into_iter().map(AtomicU32::into_inner).collect()
    }
}

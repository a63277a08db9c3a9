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
//! the heap.
//!
//! **Reading.** The corpus is read twice. First the counts of all pairs are summed up by a hash of the
//! pair, in an array that stays in cache. Where the sum of all pairs with one hash is below the
//! threshold, none of them is at it. Then the places of all other pairs are noted: the first pair
//! that comes with a hash is found through the array, the few others through a hash table.
//! Threads read runs of words, and what they found is put together in the order of runs.

use ahash::RandomState;
use hashbrown::HashMap;

use super::corpus::{Corpus, Place, Run};
use crate::threads;
use crate::token::{Candidate, Count, Pair, TokenId};

/// The state of a tracked pair.
#[derive(Default)]
struct Occurrences {
    count: Count,
    /// Places where it stands, ascending, and perhaps some where it no longer does.
    places: Vec<Place>,
}

/// The tracked pairs.
#[derive(Default)]
pub(super) struct TrackedPairs {
    table: HashMap<Pair, Occurrences, RandomState>,
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
    ) -> Self {
        let bits = hash_bits(widths.len(), corpus.cells());
        let wide = widths.iter().any(|&width| width > 1);
        let sum_up = |mut run: Run| {
            let mut sums = vec![0u32; 1 << bits];
            let mut add = |left, right, count: Count| {
                let sum = &mut sums[hash(left, right, bits)];
                // A sum of 2^32 - 1 stands for all from there on.
                *sum = sum.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            };
            let compacted = if wide {
                Some(run.compact(|id| widths[id as usize], add))
            } else {
                run.for_each_pair(|left, right, _, count| add(left, right, count));
                None
            };
            (sums, compacted)
        };
        let summed = threads::map(corpus.runs(threads), sum_up);
        let (sums, compacted): (Vec<_>, Vec<_>) = summed.into_iter().unzip();
        if wide {
            corpus.join(compacted.into_iter().flatten().collect());
        }
        let (numbers, frequent) = number_frequent(add_up(sums), threshold);

        let number = |left, right| numbers[hash(left, right, bits)] as usize;
        let note = |run: Run| {
            let mut found = Found::new(frequent);
            run.for_each_pair(|left, right, place, count| {
                let number = number(left, right);
                if number > 0 {
                    found.add(Pair::new(left, right), number - 1, place, count);
                }
            });
            found
        };
        let found = Found::join(threads::map(corpus.runs(threads), note), |pair| {
            number(pair.left(), pair.right()) - 1
        });
        let wanted =
            |(pair, found): &(Pair, Occurrences)| found.count >= threshold && may_merge(*pair);
        let table = found.into_pairs().filter(wanted).collect();
        TrackedPairs { table }
    }

    /// Every tracked pair with its count.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let pairs = self.table.iter();
        pairs.map(|(&pair, &Occurrences { count, .. })| Candidate { count, pair })
    }

    /// The count of a tracked pair.
    pub(super) fn count(&self, pair: Pair) -> Option<Count> {
        self.table.get(&pair).map(|occurrences| occurrences.count)
    }

    /// Takes a pair that is about to be merged everywhere; gives its places.
    pub(super) fn take(&mut self, pair: Pair) -> Vec<Place> {
        self.table.remove(&pair).unwrap_or_default().places
    }

    /// `count` occurrences of a pair are gone. Nothing happens when it is not tracked.
    pub(super) fn remove(&mut self, pair: Pair, count: Count) {
        if let Some(occurrences) = self.table.get_mut(&pair) {
            occurrences.count -= count;
        }
    }

    /// Tracks a pair that has come up.
    pub(super) fn insert(&mut self, pair: Pair, count: Count, places: Vec<Place>) {
        self.table.insert(pair, Occurrences { count, places });
    }
}

/// What one thread has found.
struct Found {
    /// The first pair that came with each of the frequent hashes.
    first: Vec<(Pair, Occurrences)>,
    /// All other pairs.
    others: HashMap<Pair, Occurrences, RandomState>,
}

/// What stands where no pair has come.
const NO_PAIR: Pair = Pair::new(TokenId::MAX, TokenId::MAX);

impl Found {
    fn new(frequent: usize) -> Self {
        let mut first = Vec::new();
        first.resize_with(frequent, || (NO_PAIR, Occurrences::default()));
        Found {
            first,
            others: HashMap::default(),
        }
    }

    #[inline(always)]
    fn add(&mut self, pair: Pair, number: usize, place: Place, count: Count) {
        let (owner, first) = &mut self.first[number];
        let occurrences = if *owner == pair {
            first
        } else if *owner == NO_PAIR {
            *owner = pair;
            first
        } else {
            self.others.entry(pair).or_default()
        };
        occurrences.count += count;
        occurrences.places.push(place);
    }

    /// Puts together what was found in runs that follow each other. `number` is that of `add`.
    fn join(runs: Vec<Found>, number: impl Fn(Pair) -> usize) -> Found {
        let mut runs = runs.into_iter();
        let mut all = runs.next().unwrap_or_else(|| Found::new(0));
        for run in runs {
            for ((owner, first), (pair, more)) in all.first.iter_mut().zip(run.first) {
                if *owner == pair {
                    first.append(more);
                } else if *owner == NO_PAIR {
                    *owner = pair;
                    *first = more;
                } else if pair != NO_PAIR {
                    all.others.entry(pair).or_default().append(more);
                }
            }
            // A pair of another run may be the first one here.
            for (pair, more) in run.others {
                match &mut all.first[number(pair)] {
                    (owner, first) if *owner == pair => first.append(more),
                    _ => all.others.entry(pair).or_default().append(more),
                }
            }
        }
        all
    }

    fn into_pairs(self) -> impl Iterator<Item = (Pair, Occurrences)> {
        let first = self.first.into_iter().filter(|(pair, _)| *pair != NO_PAIR);
        first.chain(self.others)
    }
}

impl Occurrences {
    fn append(&mut self, more: Occurrences) {
        self.count += more.count;
        self.places.extend(more.places);
    }
}

/// The sums of all threads.
fn add_up(sums: Vec<Vec<u32>>) -> Vec<u32> {
    let mut all = sums.into_iter();
    let mut total = all.next().unwrap_or_default();
    for sums in all {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total = total.saturating_add(sum);
        }
    }
    total
}

/// Numbers the hashes whose sums reach the threshold, from 1; the others get 0. Gives also how many
/// they are.
fn number_frequent(mut sums: Vec<u32>, threshold: Count) -> (Vec<u32>, usize) {
    let enough = u32::try_from(threshold).unwrap_or(u32::MAX);
    let mut frequent = 0;
    for sum in &mut sums {
        let is_frequent = u32::from(*sum >= enough);
        frequent += is_frequent;
        *sum = frequent * is_frequent;
    }
    (sums, frequent as usize)
}

/// Pairs of single bytes have hashes of their own; else a hash for every eighth cell or so, up to 16
/// megabytes of them.
fn hash_bits(ids: usize, cells: usize) -> u32 {
    match ids {
        0..=256 => 16,
        _ => (cells / 4).max(1).ilog2().clamp(12, 22),
    }
}

#[inline(always)]
fn hash(left: TokenId, right: TokenId, bits: u32) -> usize {
    let mixed = (left << 8 ^ right) ^ (left >> 8 | right >> 8).wrapping_mul(0x9E37_79B1);
    mixed as usize & ((1 << bits) - 1)
}

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
//! Most pairs of a corpus are rare, so this saves most of the table, of the lists of words and of
//! the heap.

use ahash::RandomState;
use hashbrown::HashMap;

use super::corpus::Corpus;
use crate::token::{Candidate, Count, Pair};

/// The state of a tracked pair.
#[derive(Default)]
struct Occurrences {
    count: Count,
    /// Words that hold the pair, ascending, and perhaps some that no longer do.
    words: Vec<u32>,
}

/// The tracked pairs.
#[derive(Default)]
pub(super) struct TrackedPairs {
    table: HashMap<Pair, Occurrences, RandomState>,
}

impl TrackedPairs {
    /// Reads the corpus for every pair that occurs at least `threshold` times and that `may_merge`
    /// takes.
    ///
    /// In a first pass the pairs are counted by a hash in an array that stays in cache. Where the
    /// sum of all pairs with one hash is below the threshold, none of them is at it; only what is
    /// left goes into the table, in a second pass.
    pub(super) fn read(
        corpus: &Corpus,
        threshold: Count,
        may_merge: impl Fn(Pair) -> bool,
    ) -> Self {
        let mut sums = vec![0u32; 1 << HASH_BITS];
        for (_, symbols, count) in corpus.words() {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            for pair in symbols.windows(2) {
                let sum = &mut sums[hash(pair[0], pair[1])];
                *sum = sum.saturating_add(count);
            }
        }
        let enough = u32::try_from(threshold).unwrap_or(u32::MAX);
        let mut pairs = TrackedPairs::default();
        for (word, symbols, count) in corpus.words() {
            for pair in symbols.windows(2) {
                if sums[hash(pair[0], pair[1])] < enough {
                    continue;
                }
                let occurrences = pairs.table.entry(Pair::new(pair[0], pair[1])).or_default();
                occurrences.count += count;
                if occurrences.words.last() != Some(&word) {
                    occurrences.words.push(word);
                }
            }
        }
        pairs
            .table
            .retain(|&pair, occurrences| occurrences.count >= threshold && may_merge(pair));
        pairs
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

    /// Takes a pair that is about to be merged everywhere; gives its words.
    pub(super) fn take(&mut self, pair: Pair) -> Vec<u32> {
        self.table.remove(&pair).unwrap_or_default().words
    }

    /// `count` occurrences of a pair are gone. Nothing happens when it is not tracked.
    pub(super) fn remove(&mut self, pair: Pair, count: Count) {
        if let Some(occurrences) = self.table.get_mut(&pair) {
            occurrences.count -= count;
        }
    }

    /// Tracks a pair that has come up.
    pub(super) fn insert(&mut self, pair: Pair, count: Count, words: Vec<u32>) {
        self.table.insert(pair, Occurrences { count, words });
    }
}

/// Four megabytes of sums.
const HASH_BITS: u32 = 20;

/// Pairs of single bytes have hashes of their own.
#[inline(always)]
fn hash(left: u32, right: u32) -> usize {
    let mixed = (left << 8 ^ right) ^ (left >> 8 | right >> 8).wrapping_mul(0x9E37_79B1);
    (mixed & ((1 << HASH_BITS) - 1)) as usize
}

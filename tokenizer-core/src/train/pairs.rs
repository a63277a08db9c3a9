//! Pairs: how often each occurs, and in which words.

use ahash::RandomState;
use hashbrown::HashMap;

use super::rewrite::Corpus;
use crate::token::{Candidate, Count, Pair};

/// The state of one pair.
#[derive(Default)]
struct Occurrences {
    count: Count,
    /// Numbers of the words that hold the pair, and perhaps of some that no longer do. A word may
    /// stand twice.
    words: Vec<u32>,
}

/// All pairs of the corpus.
pub(super) struct Pairs {
    table: HashMap<Pair, Occurrences, RandomState>,
    /// Pairs that came up since [`Pairs::drain_new`].
    new: Vec<Pair>,
}

impl Pairs {
    /// Counts every pair of the corpus; `None` when the counts together pass 2^64 - 1, so that no
    /// later sum can.
    pub(super) fn count(corpus: &Corpus) -> Option<Self> {
        let mut pairs = Pairs {
            table: HashMap::default(),
            new: Vec::new(),
        };
        let mut total: Count = 0;
        for (word, symbols, count) in corpus.words() {
            let occurrences = symbols.len().saturating_sub(1) as Count;
            total = total.checked_add(occurrences.checked_mul(count)?)?;
            for pair in symbols.windows(2) {
                pairs.add(Pair::new(pair[0], pair[1]), word, count);
            }
        }
        pairs.new.clear();
        Some(pairs)
    }

    /// Every pair with its count.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.table.iter().map(|(&pair, occurrences)| Candidate {
            count: occurrences.count,
            pair,
        })
    }

    /// The count of a pair that has occurred.
    pub(super) fn current(&self, pair: Pair) -> Option<Count> {
        self.table.get(&pair).map(|occurrences| occurrences.count)
    }

    /// Takes the list of words of a pair that is about to be merged everywhere, each word once.
    pub(super) fn take_words(&mut self, pair: Pair) -> Vec<u32> {
        let occurrences = self.table.get_mut(&pair);
        let mut words = occurrences.map_or(Vec::new(), |o| std::mem::take(&mut o.words));
        words.sort_unstable();
        words.dedup();
        words
    }

    /// `count` more occurrences, in `word`.
    pub(super) fn add(&mut self, pair: Pair, word: u32, count: Count) {
        let occurrences = self.table.entry(pair).or_default();
        if occurrences.words.is_empty() {
            self.new.push(pair);
        }
        occurrences.count += count;
        if occurrences.words.last() != Some(&word) {
            occurrences.words.push(word);
        }
    }

    /// `count` fewer occurrences.
    pub(super) fn remove(&mut self, pair: Pair, count: Count) {
        if let Some(occurrences) = self.table.get_mut(&pair) {
            occurrences.count -= count;
        }
    }

    /// The pairs that came up since the last call, with their counts.
    pub(super) fn drain_new(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.new)
            .into_iter()
            .filter_map(|pair| {
                let count = self.current(pair)?;
                Some(Candidate { count, pair })
            })
            .collect()
    }
}

//! The symbols of all words, and the one operation on them: merge a pair within a word.

use crate::token::{Count, Pair, TokenId};
use crate::words::Words;

/// The distinct pieces as tokens, in one arena. A word keeps its place and only gets shorter.
pub(super) struct Corpus {
    symbols: Vec<TokenId>,
    words: Vec<Word>,
}

struct Word {
    start: usize,
    len: usize,
    count: Count,
}

/// One place where a pair was merged.
pub(super) struct Merged {
    /// The symbol before, if there is one; the merged token itself when two merges touch.
    pub(super) before: Option<TokenId>,
    /// The symbol behind, if there is one, as it was.
    pub(super) behind: Option<TokenId>,
}

impl Corpus {
    /// Every piece of two bytes or more, as single bytes. Shorter ones hold no pair. `None` when
    /// the pairs together occur more than 2^64 - 1 times, so that no later sum can.
    pub(super) fn new(words: &Words) -> Option<Self> {
        let mut corpus = Corpus {
            symbols: Vec::with_capacity(words.distinct_bytes()),
            words: Vec::with_capacity(words.len()),
        };
        let mut pairs: Count = 0;
        for (piece, count) in words.iter().filter(|(piece, _)| piece.len() > 1) {
            pairs = pairs.checked_add((piece.len() as Count - 1).checked_mul(count)?)?;
            corpus.words.push(Word {
                start: corpus.symbols.len(),
                len: piece.len(),
                count,
            });
            let symbols = piece.iter().map(|&byte| TokenId::from(byte));
            corpus.symbols.extend(symbols);
        }
        Some(corpus)
    }

    /// Every word that holds a pair: its number, its symbols, its count.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, &[TokenId], Count)> {
        self.words.iter().zip(0..).map(|(word, number)| {
            let symbols = &self.symbols[word.start..word.start + word.len];
            (number, symbols, word.count)
        })
    }

    /// How often a word occurs.
    pub(super) fn count(&self, number: u32) -> Count {
        self.words[number as usize].count
    }

    /// Replaces `pair` by `token` in one word, from the left, and calls `each` at every place.
    pub(super) fn merge(
        &mut self,
        number: u32,
        pair: Pair,
        token: TokenId,
        mut each: impl FnMut(Merged),
    ) {
        let word = &mut self.words[number as usize];
        let symbols = &mut self.symbols[word.start..word.start + word.len];
        let (left, right) = (pair.left(), pair.right());
        // Nothing moves before the first place.
        let is_pair = |pair: &[TokenId]| pair == [left, right];
        let Some(first) = symbols.windows(2).position(is_pair) else {
            return;
        };
        let (mut read, mut write) = (first, first);
        while read < symbols.len() {
            let here = symbols[read];
            if here != left || symbols.get(read + 1) != Some(&right) {
                symbols[write] = here;
                (read, write) = (read + 1, write + 1);
                continue;
            }
            each(Merged {
                before: (write > 0).then(|| symbols[write - 1]),
                behind: symbols.get(read + 2).copied(),
            });
            symbols[write] = token;
            (read, write) = (read + 2, write + 1);
        }
        word.len = write;
    }
}

//! The symbols of all words, and the one operation on them: merge a pair within a word.

use super::pairs::Pairs;
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

impl Corpus {
    /// Every piece of two bytes or more, as single bytes. Shorter ones hold no pair.
    pub(super) fn new(words: &Words) -> Self {
        let mut corpus = Corpus {
            symbols: Vec::with_capacity(words.distinct_bytes()),
            words: Vec::with_capacity(words.len()),
        };
        for (piece, count) in words.iter().filter(|(piece, _)| piece.len() > 1) {
            corpus.words.push(Word {
                start: corpus.symbols.len(),
                len: piece.len(),
                count,
            });
            corpus
                .symbols
                .extend(piece.iter().map(|&b| TokenId::from(b)));
        }
        corpus
    }

    /// Every word: its number, its symbols, its count.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, &[TokenId], Count)> {
        self.words.iter().enumerate().map(|(number, word)| {
            let symbols = &self.symbols[word.start..word.start + word.len];
            (number as u32, symbols, word.count)
        })
    }

    /// Replaces `pair` by `token` in one word, from the left, and tells `pairs` what changed.
    ///
    /// Around a merged pair `(a, b)` with `x` before and `y` behind, `(x, a)` and `(b, y)` go and
    /// `(x, token)` and `(token, y)` come. What stands before is read from the rewritten part and
    /// what stands behind from the old one, so for two merges in a row the pair between them goes
    /// once, as it is: `(b, a)`, and `(token, a)`, which came with the first of them, turns into
    /// `(token, token)` with the second.
    pub(super) fn merge(&mut self, number: u32, pair: Pair, token: TokenId, pairs: &mut Pairs) {
        let word = &mut self.words[number as usize];
        let symbols = &mut self.symbols[word.start..word.start + word.len];
        let count = word.count;
        let (mut read, mut write) = (0, 0);
        while read < symbols.len() {
            let here = symbols[read];
            let next = symbols.get(read + 1).copied();
            if here != pair.left() || next != Some(pair.right()) {
                symbols[write] = here;
                (read, write) = (read + 1, write + 1);
                continue;
            }
            if write > 0 {
                let before = symbols[write - 1];
                pairs.remove(Pair::new(before, pair.left()), count);
                pairs.add(Pair::new(before, token), number, count);
            }
            pairs.remove(pair, count);
            if let Some(&behind) = symbols.get(read + 2) {
                pairs.remove(Pair::new(pair.right(), behind), count);
                pairs.add(Pair::new(token, behind), number, count);
            }
            symbols[write] = token;
            (read, write) = (read + 2, write + 1);
        }
        word.len = write;
    }
}

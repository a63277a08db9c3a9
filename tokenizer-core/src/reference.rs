//! Byte-level BPE by its definition: slow, short, and the judge of everything fast.
//!
//! Training counts all pairs anew for every merge; encoding looks at all pairs anew for every
//! step. Nothing here is shared with the fast versions but the types.

use std::collections::HashMap;

use crate::piece_counts::PieceCounts;
use crate::token::{Candidate, Count, Pair, TokenId};

/// Learns up to `merges` merges: each time the pair with the highest count, ties to the smallest
/// `(left id, right id)`, as long as a pair occurs at least `min_frequency` times. Overlapping
/// occurrences count (`aaa` has two), and a merge is applied greedily from the left. A pair whose
/// token would pass `max_token_bytes` is never merged.
///
/// Costs the whole corpus of distinct pieces for every merge.
pub fn train(
    words: &PieceCounts,
    merges: usize,
    min_frequency: Count,
    max_token_bytes: usize,
) -> Vec<Pair> {
    let corpus = words
        .iter()
        .map(|(piece, count)| (piece.iter().map(|&b| b.into()).collect(), count))
        .collect();
    let bytes = (0..=255u8).map(|byte| vec![byte]).collect();
    learn(
        corpus,
        bytes,
        merges,
        min_frequency,
        max_token_bytes,
        |_, _| true,
    )
}

/// As [`train`], on pieces that are tokens already. `tokens` has the bytes of every id below the
/// first new one; a pair whose bytes are among them, or have been learned, is passed over.
pub fn extend(
    corpus: Vec<(Vec<TokenId>, Count)>,
    tokens: Vec<Vec<u8>>,
    merges: usize,
    min_frequency: Count,
    max_token_bytes: usize,
) -> Vec<Pair> {
    let is_new = |tokens: &[Vec<u8>], joined: &[u8]| !tokens.iter().any(|token| token == joined);
    learn(
        corpus,
        tokens,
        merges,
        min_frequency,
        max_token_bytes,
        is_new,
    )
}

fn learn(
    mut corpus: Vec<(Vec<TokenId>, Count)>,
    mut tokens: Vec<Vec<u8>>,
    merges: usize,
    min_frequency: Count,
    max_token_bytes: usize,
    may_merge: impl Fn(&[Vec<u8>], &[u8]) -> bool,
) -> Vec<Pair> {
    let mut learned: Vec<Pair> = Vec::new();
    while learned.len() < merges {
        let mut counts: HashMap<Pair, Count> = HashMap::new();
        for (symbols, count) in &corpus {
            for pair in symbols.windows(2) {
                *counts.entry(Pair::new(pair[0], pair[1])).or_default() += count;
            }
        }
        let part = |id: TokenId| tokens[id as usize].as_slice();
        let joined = |pair: Pair| [part(pair.left()), part(pair.right())].concat();
        let best = counts
            .into_iter()
            .map(|(pair, count)| Candidate { count, pair })
            .filter(|c| c.count >= min_frequency.max(1))
            .filter(|c| joined(c.pair).len() <= max_token_bytes)
            .filter(|c| may_merge(&tokens, &joined(c.pair)))
            .max();
        let Some(Candidate { pair, .. }) = best else {
            break;
        };
        let (token, joined) = (tokens.len() as TokenId, joined(pair));
        for (symbols, _) in &mut corpus {
            *symbols = merge_everywhere(symbols, pair, token);
        }
        tokens.push(joined);
        learned.push(pair);
    }
    learned
}

/// Replaces every occurrence of `pair` from the left by `token`.
fn merge_everywhere(symbols: &[TokenId], pair: Pair, token: TokenId) -> Vec<TokenId> {
    let mut merged = Vec::with_capacity(symbols.len());
    let mut at = 0;
    while at < symbols.len() {
        if symbols.get(at..at + 2) == Some(&[pair.left(), pair.right()]) {
            merged.push(token);
            at += 2;
        } else {
            merged.push(symbols[at]);
            at += 1;
        }
    }
    merged
}

/// Merges the symbols of one piece: as long as some adjacent pair can merge, the one with the
/// lowest rank does, the leftmost of several. `rule` gives a pair's rank and the token it makes.
///
/// Costs the square of the length.
pub fn merge_piece(
    mut symbols: Vec<TokenId>,
    rule: impl Fn(Pair) -> Option<(u32, TokenId)>,
) -> Vec<TokenId> {
    loop {
        let best = symbols
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| {
                let (rank, token) = rule(Pair::new(pair[0], pair[1]))?;
                Some((rank, at, token))
            })
            .min();
        let Some((_, at, token)) = best else {
            return symbols;
        };
        symbols[at] = token;
        symbols.remove(at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_counts_overlaps_and_breaks_ties_by_ids() {
        let mut words = PieceCounts::new();
        words.add(b"aaab", 2).unwrap();
        words.add(b"cd", 4).unwrap();
        // (a, a) has two occurrences in "aaab": 4; (c, d) has 4 too; the smaller pair first.
        // Then "aaab" is X a b, where (a, b) and (X, a) have 2: the smaller pair first.
        let learned = train(&words, 10, 1, usize::MAX);
        let pairs = [(97, 97), (99, 100), (97, 98), (256, 258)];
        assert_eq!(learned, pairs.map(|(l, r)| Pair::new(l, r)));
        assert_eq!(train(&words, 10, 3, usize::MAX).len(), 2);
        assert_eq!(train(&words, 10, 1, 2).len(), 3);
    }

    #[test]
    fn a_piece_merges_by_rank_and_then_from_the_left() {
        let rule = |pair: Pair| match (pair.left(), pair.right()) {
            (97, 97) => Some((0, 256)),
            (256, 97) => Some((1, 257)),
            _ => None,
        };
        assert_eq!(merge_piece(vec![97; 5], rule), [256, 257]);
        assert!(merge_piece(vec![], rule).is_empty());
    }
}

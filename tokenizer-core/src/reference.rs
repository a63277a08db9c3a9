//! Byte-level BPE by its definition: the slow, short oracle for tests of all fast paths.
//!
//! Training recounts all pairs for each merge; encoding searches all pairs for each step. Only types, and the
//! order of candidates, are shared with the fast implementations.

use std::collections::HashMap;

use crate::piece_counts::PieceCounts;
use crate::token::{Candidate, Count, Pair, TokenId};

/// Learns up to `merges` merges.
///
/// Each step merges the pair with the highest count, ties to the smallest `(left id, right id)`, greedily
/// from the left. Overlapping occurrences count (`aaa` has two pairs). Pairs that occur fewer than
/// `min_frequency` times, or whose token would exceed `max_token_bytes`, are not merged.
///
/// Each merge takes time linear in the total length of the distinct pieces.
pub fn train(
    pieces: &PieceCounts,
    merges: usize,
    min_frequency: Count,
    max_token_bytes: usize,
) -> Vec<Pair> {
    let corpus = pieces
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

/// Like [`train`], but on pieces that are already encoded.
///
/// `tokens` contains the bytes of each existing id; new ids follow. A pair that would produce the bytes of an
/// existing or learned token is skipped.
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
        let bytes = |id: TokenId| tokens[id as usize].as_slice();
        let joined = |pair: Pair| [bytes(pair.left()), bytes(pair.right())].concat();
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

/// Replaces each occurrence of `pair` by `token`, greedily from the left.
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

/// Merges the symbols of one piece: repeatedly the adjacent pair with the lowest rank, leftmost first, until
/// no pair has a rank. `rule` returns the rank of a pair and the token that it produces.
///
/// Takes time quadratic in the length of the piece.
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

/// Returns the first symbols of a piece, each with its length in bytes, in a model in which not
/// every symbol is a token. `units` are the symbols in order; `id` returns the token of a symbol,
/// given its index, and `fallback` that of a byte.
///
/// A symbol that is not a token becomes the tokens of its bytes if all of them exist, and otherwise the unknown
/// token, which is emitted before the next symbol that is a token, and with `fuse` only once. Returns `None` if
/// there is no unknown token for a symbol.
pub fn first_symbols(
    units: &[&[u8]],
    id: impl Fn(usize, &[u8]) -> Option<TokenId>,
    fallback: impl Fn(u8) -> Option<TokenId>,
    unknown: Option<TokenId>,
    fuse: bool,
) -> Option<Vec<(TokenId, usize)>> {
    let mut symbols = Vec::new();
    let mut pending: Option<usize> = None;
    for (index, unit) in units.iter().enumerate() {
        let bytes: Option<Vec<TokenId>> = unit.iter().map(|&byte| fallback(byte)).collect();
        if let Some(id) = id(index, unit) {
            symbols.extend(pending.take().and_then(|length| Some((unknown?, length))));
            symbols.push((id, unit.len()));
        } else if let Some(bytes) = bytes {
            symbols.extend(bytes.into_iter().map(|id| (id, 1)));
        } else {
            let id = unknown?;
            pending = match pending {
                Some(length) if fuse => Some(length + unit.len()),
                Some(length) => {
                    symbols.push((id, length));
                    Some(unit.len())
                }
                None => Some(unit.len()),
            };
        }
    }
    symbols.extend(pending.and_then(|length| Some((unknown?, length))));
    Some(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_counts_overlaps_and_breaks_ties_by_ids() {
        let mut pieces = PieceCounts::new();
        pieces.add(b"aaab", 2).unwrap();
        pieces.add(b"cd", 4).unwrap();
        // (a, a) occurs twice in each "aaab": 4 times, as often as (c, d). The smaller pair is merged first.
        // Then "aaab" is X a b, where (a, b) and (X, a) occur twice. Again the smaller pair is merged first.
        let learned = train(&pieces, 10, 1, usize::MAX);
        let pairs = [(97, 97), (99, 100), (97, 98), (256, 258)];
        assert_eq!(learned, pairs.map(|(l, r)| Pair::new(l, r)));
        assert_eq!(train(&pieces, 10, 3, usize::MAX).len(), 2);
        assert_eq!(train(&pieces, 10, 1, 2).len(), 3);
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

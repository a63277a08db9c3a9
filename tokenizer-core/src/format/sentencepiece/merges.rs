//! Converting scores to an equivalent list of merges.
//!
//! SentencePiece merges two adjacent symbols if their joined text is a piece: the highest score first, the
//! leftmost on ties. A list names pairs of tokens instead. As for ranks (`rank_merges.rs`, whose proof holds
//! for any order of pieces that breaks ties by position), **at most one split of each piece ever merges**: the
//! last one when the text of the piece is merged alone. The list of these splits by descending score is
//! equivalent, if no two pieces have the same score.
//!
//! **Equal scores.** Llama's pieces of several spaces have the same score. Let all pieces that repeat a
//! character `c` have one score, and let no other piece contain `cc`. Then the longest of them first is
//! equivalent to the leftmost first:
//!
//! - Symbols `cc` and longer merge only with repetitions of `c`, so that the merges of these pieces make no
//!   other merge possible, and none is possible again after they are done. Stretches of `c` are independent.
//! - In a stretch, the leftmost merge first grows one symbol until it fits nothing, then the next one. Let `p`,
//!   `b` and 1 be the lengths of the symbol before it, of the growing symbol, and of each after it. Of the
//!   possible merges to `p + b`, `b + 1` and 2, the leftmost is also the longest or has the same length.

use hashbrown::HashMap;

use super::error::{PieceFault, SentencePieceError};
use super::pieces::{Kind, Pieces, shortened};
use crate::hash::Seeds;
use crate::merges::Merge;
use crate::token::TokenId;

/// Returns the merges by rank. Linear in the number of pieces, and quadratic in the length of each.
///
/// # Errors
/// If a merge uses a character that is not a piece, or scores are equal in another way than described above.
pub(super) fn merges(pieces: &Pieces) -> Result<Vec<Merge>, SentencePieceError> {
    let ranks = ranks(pieces);
    let mut merges = Vec::new();
    for (number, piece) in pieces.list.iter().enumerate() {
        let Some(split) = last_split(pieces, &ranks, number) else {
            continue;
        };
        let (left, right) = piece.text.split_at(split);
        let kind = |symbol: &str| pieces.id(symbol).map(|id| pieces.list[id].kind);
        // A user-defined symbol never merges.
        if [left, right].map(kind).contains(&Some(Kind::UserDefined)) {
            continue;
        }
        let id = |symbol: &str| match pieces.id(symbol) {
            Some(id) if pieces.list[id].kind == Kind::Normal => Ok(id as TokenId),
            _ => Err(piece.fault(
                number,
                PieceFault::Symbol {
                    symbol: symbol.to_owned(),
                },
            )),
        };
        merges.push(Merge {
            left: id(left)?,
            right: id(right)?,
            token: number as TokenId,
        });
    }
    let text = |merge: &Merge| pieces.list[merge.token as usize].text.as_str();
    let rank = |merge: &Merge| ranks[merge.token as usize];
    merges.sort_by_key(|merge| (rank(merge), std::cmp::Reverse(text(merge).len())));
    check_equal_scores(pieces, &ranks, &merges)?;
    Ok(merges)
}

/// The rank of each piece by descending score. Equal scores, such as 0 and -0, have equal ranks.
fn ranks(pieces: &Pieces) -> Vec<u32> {
    let mut scores: Vec<f32> = pieces.list.iter().map(|piece| piece.score).collect();
    scores.sort_by(|one, two| two.total_cmp(one));
    scores.dedup();
    let rank = |score: f32| scores.partition_point(|&other| other > score) as u32;
    pieces.list.iter().map(|piece| rank(piece.score)).collect()
}

/// Returns the offset that separates the last two symbols when a piece is merged alone; `None` if merging does
/// not reach it.
fn last_split(pieces: &Pieces, ranks: &[u32], number: usize) -> Option<usize> {
    let piece = &pieces.list[number];
    if piece.kind != Kind::Normal {
        return None;
    }
    let text = piece.text.as_str();
    let rank = |start, end| {
        let id = pieces.id(&text[start..end])?;
        (pieces.list[id].kind == Kind::Normal).then_some(ranks[id])
    };
    let starts = text.char_indices().map(|(start, _)| start);
    // Where each symbol starts, and the end. The pair at `n` is from `bounds[n]` to `bounds[n + 2]`.
    let mut bounds: Vec<usize> = starts.chain([text.len()]).collect();
    let pairs = bounds.windows(3).map(|pair| rank(pair[0], pair[2]));
    let mut pairs: Vec<Option<u32>> = pairs.collect();
    loop {
        let possible = pairs.iter().zip(0_usize..);
        let possible = possible.filter_map(|(rank, at)| rank.map(|rank| (rank, at)));
        let (_, at) = possible.min()?;
        if let [_, middle, _] = bounds[..] {
            return Some(middle);
        }
        bounds.remove(at + 1);
        pairs.remove(at);
        for changed in [at.checked_sub(1), Some(at)].into_iter().flatten() {
            if let Some(pair) = pairs.get_mut(changed) {
                *pair = rank(bounds[changed], bounds[changed + 2]);
            }
        }
    }
}

/// Refuses merges of equal ranks, except those proven above.
fn check_equal_scores(
    pieces: &Pieces,
    ranks: &[u32],
    merges: &[Merge],
) -> Result<(), SentencePieceError> {
    let text = |merge: &Merge| pieces.list[merge.token as usize].text.as_str();
    let rank = |merge: &Merge| ranks[merge.token as usize];
    // For each character that is repeated in a piece, the rank of all pieces in which it is; `None` if they
    // have several or contain other characters too.
    let mut repeated = HashMap::<char, Option<u32>, Seeds>::default();
    for merge in merges {
        let only = repeated_character(text(merge));
        for (one, two) in text(merge).chars().zip(text(merge).chars().skip(1)) {
            if one == two {
                let rank = only.map(|_| rank(merge));
                let known = repeated.entry(one).or_insert(rank);
                *known = known.filter(|_| *known == rank);
            }
        }
    }
    for equal in merges.chunk_by(|one, two| rank(one) == rank(two)) {
        let [first, second, ..] = equal else {
            continue;
        };
        let only = repeated_character(text(first));
        let proven = only.is_some_and(|c| repeated.get(&c).is_some_and(Option::is_some));
        let other = equal
            .iter()
            .find(|merge| repeated_character(text(merge)) != only);
        if let Some(second) = other.or(Some(second).filter(|_| !proven)) {
            return Err(SentencePieceError::SameScore {
                first: first.token as usize,
                first_piece: shortened(text(first)),
                second: second.token as usize,
                second_piece: shortened(text(second)),
            });
        }
    }
    Ok(())
}

/// The character that the text repeats, if it contains no other.
fn repeated_character(text: &str) -> Option<char> {
    let first = text.chars().next()?;
    text.chars().all(|c| c == first).then_some(first)
}

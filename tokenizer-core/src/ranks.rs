//! The rule of tiktoken: two adjacent tokens merge wherever their joined bytes are an entry, and
//! the rank of the merge is the entry's id.
//!
//! An entry of `n` bytes can be made of any of its `n - 1` splits whose halves are entries. Listing
//! those splits once turns the rule into the same table that listed merges give, a pair to the
//! rank and the token it makes, so that one encoder serves both kinds of model.

use crate::token::{Pair, TokenId};
use crate::vocab::Vocab;

/// Every pair of entries whose joined bytes are an entry, with that entry's id, which is also its
/// rank. The order is that of ids, and within one id from the shortest left half on.
///
/// Costs at most two look-ups a byte of the vocabulary; a cut into lengths that no token has costs
/// none, so that a few very long tokens do not cost the square of their length.
pub(crate) fn rank_pairs(vocab: &Vocab) -> impl Iterator<Item = (Pair, TokenId)> {
    let longest = vocab.iter().map(|(_, token)| token.len()).max();
    let mut lengths = vec![false; longest.unwrap_or(0) + 1];
    for (_, token) in vocab.iter() {
        lengths[token.len()] = true;
    }
    let lengths = std::rc::Rc::new(lengths);
    vocab.iter().flat_map(move |(id, token)| {
        let lengths = std::rc::Rc::clone(&lengths);
        (1..token.len()).filter_map(move |cut| {
            if !lengths[cut] || !lengths[token.len() - cut] {
                return None;
            }
            let left = vocab.id(&token[..cut])?;
            let right = vocab.id(&token[cut..])?;
            Some((Pair::new(left, right), id))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Repeats;

    #[test]
    fn every_split_into_entries_counts() {
        let mut tokens: Vec<(TokenId, Vec<u8>)> =
            (0..=255u8).map(|b| (TokenId::from(b), vec![b])).collect();
        for (id, token) in [(256, "ab"), (257, "bc"), (258, "abc"), (259, "xyz")] {
            tokens.push((id, token.as_bytes().to_vec()));
        }
        let vocab = Vocab::new(
            tokens.iter().map(|(id, t)| (*id, t.as_slice())),
            Repeats::Refuse,
        )
        .unwrap();
        let pairs: Vec<_> = rank_pairs(&vocab).collect();
        assert_eq!(
            pairs,
            [
                (Pair::new(97, 98), 256),
                (Pair::new(98, 99), 257),
                (Pair::new(97, 257), 258),
                (Pair::new(256, 99), 258),
            ],
            "xyz has no split into entries, so merging never reaches it"
        );
    }
}

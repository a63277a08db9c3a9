//! Ranks told as a list of merges.
//!
//! Under ranks any two adjacent tokens merge whose joined bytes are an entry, the lowest rank first
//! and the leftmost of several. A list names pairs, so it looks as if every split of every entry had
//! to stand in it, in an order that nobody knows. But **of each entry at most one split ever
//! merges**, and so the list of these, by rank, is the same rule:
//!
//! Let two tokens `L R` stand side by side in some text, at a moment when they join to the entry
//! `X`. The borders of `L R` were borders of tokens all the time, since a merge across them would
//! have removed them. So every merge within these bytes was one of two tokens within them, and of
//! those it was, when it was done, the one of the lowest rank, the leftmost of several. That is
//! what merging the bytes of `X` alone does at its every step. Both begin with single bytes, so both
//! pass through the same states, and merging `X` alone passes through one state of two tokens only.
//! `L R` is that state.
//!
//! Merging the bytes of `X` alone ends in `X`, by that split, or in several tokens; then no text
//! ever merges to `X`, and only a piece that is `X` as a whole becomes it. The order of the list and
//! the place in the text decide between two merges just as the rank and the place do, because no two
//! merges of the list have the same rank.

use crate::merge_steps::MergeRule;
use crate::merges::Merge;
use crate::token::TokenId;
use crate::vocab::Vocab;

/// A list of merges.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RankMerges {
    /// In the order of rank.
    pub rules: Vec<Merge>,
    /// Whether merging reaches every entry, so that looking up whole pieces changes nothing.
    pub reaches_all: bool,
}

/// The merges of a vocabulary whose ids are ranks.
pub fn rank_merges(vocab: &Vocab) -> RankMerges {
    let mut list = RankMerges {
        rules: Vec::new(),
        reaches_all: true,
    };
    let rule = MergeRule::ranks(vocab);
    for (id, token) in vocab.iter().filter(|(_, token)| token.len() > 1) {
        match last_merge(&rule, token) {
            Some((left, right)) => list.rules.push(Merge {
                left,
                right,
                token: id,
            }),
            None => list.reaches_all = false,
        }
    }
    list
}

/// The last two tokens of which merging makes `token`, if it does.
fn last_merge(rule: &MergeRule<'_>, token: &[u8]) -> Option<(TokenId, TokenId)> {
    let mut last = None;
    rule.merge(token, |step| {
        if step.span == (0..token.len()) {
            last = Some((step.pair.left(), step.pair.right()));
        }
    });
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_steps::tests::ranks as vocab;
    use crate::reference;
    use crate::token::Pair;
    use proptest::prelude::*;

    #[test]
    fn each_entry_has_the_split_that_merging_comes_to() {
        let tokens = ["aa", "aaa", "bc", "ab", "abc", "xyz"].map(|t| t.as_bytes().to_vec());
        let list = rank_merges(&vocab(&tokens));
        let pairs: Vec<_> = list
            .rules
            .iter()
            .map(|r| (r.left, r.right, r.token))
            .collect();
        assert_eq!(
            pairs,
            [
                (97, 97, 256),
                (256, 97, 257),
                (98, 99, 258),
                (97, 98, 259),
                (97, 258, 260)
            ]
        );
        assert!(!list.reaches_all, "nothing makes xyz");
        assert!(rank_merges(&vocab(&tokens[..5])).reaches_all);
    }

    proptest! {
        #[test]
        fn the_list_gives_the_ids_of_the_ranks(
            table in prop::collection::hash_set(
                prop::collection::vec(prop::sample::select(&b"ab"[..]), 2..7), 0..40),
            text in prop::collection::vec(prop::sample::select(&b"abc"[..]), 0..40),
        ) {
            // The table in the order of its hashes: no order at all.
            let vocab = vocab(&table.into_iter().collect::<Vec<_>>());
            let symbols: Vec<TokenId> = text.iter().map(|&b| b.into()).collect();
            let by_rank = reference::merge_piece(symbols.clone(), |pair| {
                let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                vocab.id(&joined).map(|id| (id, id))
            });
            let list: std::collections::HashMap<Pair, (u32, TokenId)> = rank_merges(&vocab)
                .rules.iter().zip(0..).map(|(rule, rank)| (rule.pair(), (rank, rule.token))).collect();
            prop_assert_eq!(reference::merge_piece(symbols, |pair| list.get(&pair).copied()), by_rank);
        }
    }
}

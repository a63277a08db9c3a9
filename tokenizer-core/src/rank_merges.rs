//! Converting ranks to an equivalent list of merges.
//!
//! With ranks, any two adjacent tokens merge if their joined bytes are a token, lowest rank first, then
//! leftmost. A list names pairs of tokens instead, and a token can be split into many pairs. But **at most
//! one split of each token ever merges**, so the list of these splits in rank order is equivalent.
//!
//! **Proof.** Let `L R` be adjacent tokens in some text whose joined bytes are the token `X`. The start of
//! `L` and the end of `R` have always been token boundaries, because a merge across either would have removed
//! it for good. So each merge that touched the bytes of `X` joined two tokens inside them: of the possible
//! merges there, the one with the lowest rank, leftmost first. Merging the bytes of `X` alone starts with the
//! same single bytes and makes the same choices, so it passes through the same states. Whatever the text,
//! its state with two tokens is therefore `L R`, so no other split of `X` ever merges.
//!
//! If merging the bytes of `X` alone does not end in `X`, no text ever merges to `X`; only a piece that
//! equals `X` is encoded as `X`. The list applies merges in the same order as the ranks: it has at most one
//! merge for each token, sorted by the token's rank.

use crate::merge_steps::MergeRule;
use crate::merges::Merge;
use crate::token::TokenId;
use crate::vocab::Vocab;

/// The merges equivalent to a vocabulary whose ids are ranks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RankMerges {
    /// In rank order.
    pub rules: Vec<Merge>,
    /// Whether merging reaches each token, so that looking up whole pieces makes no difference.
    pub reaches_all: bool,
}

/// Returns the merges equivalent to a vocabulary whose ids are ranks.
#[must_use]
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

/// Returns the pair that produces `token` when its bytes are merged, or `None` if merging does not reach it.
fn last_merge(rule: &MergeRule<'_>, token: &[u8]) -> Option<(TokenId, TokenId)> {
    let mut last = None;
    let merged = rule.merge(token, |step| {
        if step.span == (0..token.len()) {
            last = Some((step.pair.left(), step.pair.right()));
        }
    });
    merged.ok().and(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge_steps::tests::ranks as vocab;
    use crate::reference;
    use crate::token::Pair;
    use proptest::prelude::*;

    #[test]
    fn each_token_has_the_split_that_merging_reaches() {
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
        assert!(!list.reaches_all, "no merge produces xyz");
        assert!(rank_merges(&vocab(&tokens[..5])).reaches_all);
    }

    proptest! {
        #[test]
        fn the_list_is_equivalent_to_the_ranks(
            table in prop::collection::hash_set(
                prop::collection::vec(prop::sample::select(&b"ab"[..]), 2..7), 0..40),
            text in prop::collection::vec(prop::sample::select(&b"abc"[..]), 0..40),
        ) {
            // Tokens in the arbitrary order of the hash set.
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

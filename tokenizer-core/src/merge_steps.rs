//! Merging one piece step by step: a linked list of tokens and a heap of possible merges.
//!
//! The heap gives the lowest rank, the leftmost of equal ones. An entry is stale when the token it
//! begins at is gone or the pair there has changed; since tokens only grow, a changed pair ends
//! elsewhere. Each merge puts at most two new entries on the heap, so a piece of `n` bytes costs `n`
//! look-ups and `n log n` steps of the heap, whatever it is.
//!
//! This is for looking at a model: the pair that makes a token, the steps of a piece. It has no
//! caches; texts are encoded by a [`Tokenizer`](crate::Tokenizer).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use crate::hash::Seeds;
use crate::model::{Merging, Model};
use crate::token::{Pair, TokenId};
use crate::vocab::Vocab;

/// Which two tokens merge, and in which order.
#[derive(Debug)]
pub struct MergeRule<'m> {
    vocab: &'m Vocab,
    /// The rank of each listed pair and the token it makes; `None` under ranks.
    list: Option<hashbrown::HashMap<Pair, (u32, TokenId), Seeds>>,
}

/// One merge within a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeStep {
    /// The rank of the merge.
    pub rank: u32,
    /// The two tokens that are merged.
    pub pair: Pair,
    /// The token that they make.
    pub token: TokenId,
    /// The bytes of that token in the piece.
    pub span: Range<usize>,
    /// Where its second half begins.
    pub middle: usize,
}

impl<'m> MergeRule<'m> {
    /// The rule of a model, without the look-up of whole pieces.
    pub fn new(model: &'m Model) -> Self {
        let list = match model.merging() {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => {
                let rules = merges.iter().zip(0..);
                Some(rules.map(|(m, rank)| (m.pair(), (rank, m.token))).collect())
            }
        };
        MergeRule {
            list,
            vocab: model.vocab(),
        }
    }

    /// The rule of a vocabulary whose ids are ranks: two tokens merge if their bytes, joined, are a
    /// token.
    pub fn ranks(vocab: &'m Vocab) -> Self {
        MergeRule { vocab, list: None }
    }

    /// Merges the bytes of a piece, calls `each` with every step in order, and returns the ids.
    ///
    /// ```
    /// use tokenizer_core::{MergeRule, Merges, Model, Pair, Pattern};
    ///
    /// let pairs = [(97, 97), (256, 98)].map(|(left, right)| Pair::new(left, right));
    /// let pattern: Pattern = "gpt2".parse()?;
    /// let model = Model::from_merges(pattern, Merges::trained(&pairs)?, &[""; 0])?;
    /// let mut made = Vec::new();
    /// let ids = MergeRule::new(&model).merge(b"aaab", |step| made.push((step.span, step.token)));
    /// assert_eq!(made, [(0..2, 256)]);
    /// assert_eq!(ids, [256, 97, 98]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(&self, piece: &[u8], mut each: impl FnMut(MergeStep)) -> Vec<TokenId> {
        let byte_ids = self.vocab.byte_ids();
        let mut ids: Vec<TokenId> = piece.iter().map(|&b| byte_ids[usize::from(b)]).collect();
        // Where the token that begins at a byte ends, 0 where none begins; and where the one before
        // it begins.
        let mut ends: Vec<usize> = (1..=piece.len()).collect();
        let mut before: Vec<usize> = (0..piece.len()).map(|at| at.saturating_sub(1)).collect();
        let mut waiting = BinaryHeap::new();
        let look_up = |waiting: &mut BinaryHeap<_>, pair: Pair, start: usize, end: usize| {
            if let Some((rank, token)) = self.merged(pair, &piece[start..end]) {
                waiting.push(Reverse((rank, start, end, token)));
            }
        };
        for (start, pair) in ids.windows(2).enumerate() {
            look_up(&mut waiting, Pair::new(pair[0], pair[1]), start, start + 2);
        }
        while let Some(Reverse((rank, start, end, token))) = waiting.pop() {
            let middle = ends[start];
            if middle == 0 || middle >= end || ends[middle] != end {
                continue;
            }
            let (pair, span) = (Pair::new(ids[start], ids[middle]), start..end);
            each(MergeStep {
                rank,
                pair,
                token,
                span,
                middle,
            });
            (ids[start], ends[start], ends[middle]) = (token, end, 0);
            if end < piece.len() {
                before[end] = start;
                look_up(&mut waiting, Pair::new(token, ids[end]), start, ends[end]);
            }
            if start > 0 {
                let before = before[start];
                look_up(&mut waiting, Pair::new(ids[before], token), before, end);
            }
        }
        let kept = ids.iter().zip(&ends).filter(|&(_, &end)| end > 0);
        kept.map(|(&id, _)| id).collect()
    }

    /// The rank of a pair and the token it makes, whose bytes are `joined`.
    fn merged(&self, pair: Pair, joined: &[u8]) -> Option<(u32, TokenId)> {
        match &self.list {
            Some(list) => list.get(&pair).copied(),
            None => self.vocab.id(joined).map(|id| (id, id)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::merges::{Merge, Merges};
    use crate::pattern::{Pattern, PatternName};
    use crate::reference;
    use crate::special::SpecialTokens;
    use crate::vocab::Repeats;
    use proptest::prelude::*;

    /// The single bytes and these tokens, in their order.
    pub(crate) fn ranks(tokens: &[Vec<u8>]) -> Vocab {
        let bytes: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        let tokens = bytes.iter().chain(tokens).zip(0..);
        Vocab::new(
            tokens.map(|(token, id)| (id, token.as_slice())),
            Repeats::Refuse,
        )
        .unwrap()
    }

    /// Some of the ways to make the tokens of a vocabulary, in no order.
    fn list(vocab: &Vocab, splits: &[(prop::sample::Index, prop::sample::Index)]) -> Model {
        let mut rules: Vec<Merge> = Vec::new();
        for (token, split) in splits {
            let token = token.index(vocab.len() - 256) as TokenId + 256;
            let bytes = vocab.token(token).unwrap();
            let (left, right) = bytes.split_at(1 + split.index(bytes.len() - 1));
            if let (Some(left), Some(right)) = (vocab.id(left), vocab.id(right))
                && !rules
                    .iter()
                    .any(|rule| (rule.left, rule.right) == (left, right))
            {
                rules.push(Merge { left, right, token });
            }
        }
        let merging = Merging::Merges {
            merges: Merges::new(rules).unwrap(),
            ignore_merges: true,
        };
        let pattern = Pattern::named(PatternName::Gpt2);
        Model::new(pattern, vocab.clone(), merging, SpecialTokens::default()).unwrap()
    }

    proptest! {
        #[test]
        fn steps_are_those_of_the_definition(
            table in prop::collection::hash_set(
                prop::collection::vec(prop::sample::select(&b"ab"[..]), 2..7), 1..40),
            splits in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..40),
            text in prop::collection::vec(prop::sample::select(&b"abc"[..]), 0..60),
        ) {
            let vocab = ranks(&table.into_iter().collect::<Vec<_>>());
            let model = list(&vocab, &splits);
            for rule in [MergeRule::ranks(&vocab), MergeRule::new(&model)] {
                let symbols: Vec<TokenId> = text.iter().map(|&b| b.into()).collect();
                let want = reference::merge_piece(symbols.clone(), |pair| {
                    let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                    rule.merged(pair, &joined)
                });
                // The steps, done one by one, give what the definition gives, and each was the best.
                let mut tokens: std::collections::BTreeMap<usize, TokenId> =
                    symbols.into_iter().enumerate().collect();
                let ids = rule.merge(&text, |step| {
                    let now: Vec<(usize, TokenId)> = tokens.iter().map(|(&at, &id)| (at, id)).collect();
                    let best = now.windows(2).filter_map(|two| {
                        let pair = Pair::new(two[0].1, two[1].1);
                        let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                        let (rank, token) = rule.merged(pair, &joined)?;
                        let span = two[0].0..two[0].0 + joined.len();
                        Some(MergeStep { rank, pair, token, span, middle: two[1].0 })
                    });
                    let best = best.min_by_key(|step| (step.rank, step.span.start));
                    assert_eq!(Some(&step), best.as_ref());
                    tokens.remove(&step.middle);
                    tokens.insert(step.span.start, step.token);
                });
                prop_assert_eq!(&ids, &want);
                prop_assert!(tokens.into_values().eq(want));
            }
        }
    }
}

//! Merging one piece step by step, with a linked list of tokens and a heap of candidate merges.
//!
//! The heap yields the lowest rank, leftmost first. Candidates are deleted lazily: one is stale if its left
//! token is gone, or if its pair now ends elsewhere (tokens only grow). Each merge pushes at most two
//! candidates, so a piece of `n` bytes takes `O(n)` look-ups and `O(n log n)` heap steps.
//!
//! Use this to inspect a model: to find the pair that produces a token, or the steps that merge a piece.
//! Nothing is cached; to encode text, use a [`Tokenizer`](crate::Tokenizer).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use crate::encode::EncodeError;
use crate::hash::Seeds;
use crate::model::{Merging, Model};
use crate::symbols::Symbols;
use crate::token::{Pair, TokenId};
use crate::vocab::Vocab;

/// The merge rule of a model: which pairs merge, and in which order.
#[derive(Debug)]
pub struct MergeRule<'m> {
    vocab: &'m Vocab,
    /// The first symbols; `None` if they are bytes, all of which are tokens.
    symbols: Option<&'m Symbols>,
    /// The rank and the resulting token of each listed pair; `None` for a model of ranks.
    list: Option<hashbrown::HashMap<Pair, (u32, TokenId), Seeds>>,
}

/// A merge in a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeStep {
    /// The rank of the merge.
    pub rank: u32,
    /// The merged tokens.
    pub pair: Pair,
    /// The new token.
    pub token: TokenId,
    /// The byte range of the new token in the piece.
    pub span: Range<usize>,
    /// The byte offset in the piece at which the right half of the new token starts.
    pub middle: usize,
}

impl<'m> MergeRule<'m> {
    /// Creates the rule of a model. Unlike an encoder, the rule merges even a piece that is a token.
    #[must_use]
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
            symbols: model.symbols(),
            vocab: model.vocab(),
        }
    }

    /// Creates the rule of a vocabulary whose ids are ranks: two tokens merge if their joined bytes are a
    /// token. Every byte must be a token.
    #[must_use]
    pub fn ranks(vocab: &'m Vocab) -> Self {
        MergeRule {
            vocab,
            symbols: None,
            list: None,
        }
    }

    /// Returns the symbols with which the merging of a piece starts, each with its length in bytes.
    ///
    /// # Errors
    /// [`EncodeError::UnknownSymbol`] if there is no token for a byte or character, and no unknown token.
    pub fn symbols(&self, piece: &[u8]) -> Result<Vec<(TokenId, usize)>, EncodeError> {
        let unknown = |offset| {
            let end = self
                .symbols
                .map(|symbols| symbols.symbol_end(piece, offset));
            let symbol = piece[offset..end.unwrap_or(offset + 1)].to_vec();
            EncodeError::UnknownSymbol { symbol, offset }
        };
        if let Some(symbols) = self.symbols {
            return symbols.of_piece(self.vocab, piece).map_err(unknown);
        }
        let ids = piece
            .iter()
            .map(|&byte| self.vocab.byte_ids()[usize::from(byte)]);
        let symbol = |(at, id): (usize, Option<TokenId>)| Ok((id.ok_or_else(|| unknown(at))?, 1));
        ids.enumerate().map(symbol).collect()
    }

    /// Merges a piece, calls `each` with each step in order, and returns the ids.
    ///
    /// # Errors
    /// As [`MergeRule::symbols`].
    ///
    /// ```
    /// use tokenizer_core::{MergeRule, Merges, Model, Pair, Pattern};
    ///
    /// let pairs = [(97, 97), (256, 98)].map(|(left, right)| Pair::new(left, right));
    /// let pattern: Pattern = "gpt2".parse()?;
    /// let model = Model::from_merges(pattern, Merges::trained(&pairs)?, &[""; 0])?;
    /// let mut steps = Vec::new();
    /// let ids = MergeRule::new(&model).merge(b"aaab", |step| steps.push((step.span, step.token)))?;
    /// assert_eq!(steps, [(0..2, 256)]);
    /// assert_eq!(ids, [256, 97, 98]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge(
        &self,
        piece: &[u8],
        mut each: impl FnMut(MergeStep),
    ) -> Result<Vec<TokenId>, EncodeError> {
        // For each byte where a token starts: the id and the end of the token, and the start of the previous
        // one. The end is 0 if no token starts there.
        let mut ids: Vec<TokenId> = vec![0; piece.len()];
        let mut ends: Vec<usize> = vec![0; piece.len()];
        let mut before: Vec<usize> = vec![0; piece.len()];
        let (mut at, mut previous) = (0, 0);
        for (id, length) in self.symbols(piece)? {
            (ids[at], ends[at], before[at]) = (id, at + length, previous);
            (at, previous) = (at + length, at);
        }
        let mut candidates = BinaryHeap::new();
        let look_up = |candidates: &mut BinaryHeap<_>, pair: Pair, start: usize, end: usize| {
            if let Some((rank, token)) = self.merged(pair, &piece[start..end]) {
                candidates.push(Reverse((rank, start, end, token)));
            }
        };
        for start in 0..piece.len() {
            let middle = ends[start];
            if middle > 0 && middle < piece.len() {
                let pair = Pair::new(ids[start], ids[middle]);
                look_up(&mut candidates, pair, start, ends[middle]);
            }
        }
        while let Some(Reverse((rank, start, end, token))) = candidates.pop() {
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
                look_up(
                    &mut candidates,
                    Pair::new(token, ids[end]),
                    start,
                    ends[end],
                );
            }
            if start > 0 {
                let before = before[start];
                look_up(&mut candidates, Pair::new(ids[before], token), before, end);
            }
        }
        let kept = ids.iter().zip(&ends).filter(|&(_, &end)| end > 0);
        Ok(kept.map(|(&id, _)| id).collect())
    }

    /// Returns the rank of a pair and the token it produces, whose bytes are `joined`.
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

    /// A vocabulary of the single bytes, followed by `tokens`.
    pub(crate) fn ranks(tokens: &[Vec<u8>]) -> Vocab {
        let bytes: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        let tokens = bytes.iter().chain(tokens).zip(0..);
        Vocab::new(
            tokens.map(|(token, id)| (id, token.as_slice())),
            Repeats::Refuse,
        )
        .unwrap()
    }

    /// A model whose merges are some splits of the vocabulary's tokens, in arbitrary order.
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
        fn steps_equal_the_reference(
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
                // Each step is the lowest-ranked merge, and the steps lead to the result of the reference.
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
                }).unwrap();
                prop_assert_eq!(&ids, &want);
                prop_assert!(tokens.into_values().eq(want));
            }
        }
    }
}

//! How the pieces of a text are merged, step by step, by the definition.

use std::collections::HashMap;
use std::fmt::Write;

use tokenizer_core::{Encoder, Merging, Model, Pair, SplitError, TokenId};

use super::visible::visible;

/// The rule of a model: the rank of a pair, and the token that it makes.
pub(super) struct Rule<'m> {
    model: &'m Model,
    /// Where the model lists its pairs.
    pairs: HashMap<Pair, (u32, TokenId)>,
    /// Whether a piece that is an entry is that entry before any merging.
    whole_piece_first: bool,
}

impl<'m> Rule<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        let (pairs, whole_piece_first) = match model.merging() {
            Merging::Ranks => (HashMap::new(), true),
            Merging::Merges {
                merges,
                whole_piece_first,
            } => {
                let mut pairs = HashMap::new();
                for (merge, rank) in merges.iter().zip(0..) {
                    pairs.entry(merge.pair()).or_insert((rank, merge.token));
                }
                (pairs, *whole_piece_first)
            }
        };
        Rule {
            model,
            pairs,
            whole_piece_first,
        }
    }

    /// The ids of the bytes of a piece.
    pub(super) fn bytes(&self, piece: &[u8]) -> Vec<TokenId> {
        let ids = self.model.vocab().byte_ids();
        piece.iter().map(|&byte| ids[usize::from(byte)]).collect()
    }

    /// The rank of two tokens beside each other, and the token they make.
    pub(super) fn merge(&self, pair: Pair) -> Option<(u32, TokenId)> {
        match self.model.merging() {
            Merging::Ranks => {
                let vocab = self.model.vocab();
                let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                let token = vocab.id(&joined)?;
                Some((token, token))
            }
            _ => self.pairs.get(&pair).copied(),
        }
    }
}

/// All pieces of a text, each with its bytes and what every merge makes of them.
pub(super) fn steps(encoder: &Encoder, text: &[u8]) -> Result<String, SplitError> {
    let model = encoder.model();
    let rule = Rule::new(model);
    let mut shown = String::new();
    let normalized = model.normalizer().map(|normalizer| normalizer.apply(text));
    let text = normalized.as_deref().unwrap_or(text);
    model.pattern().for_each_piece(text, |piece| {
        show(&rule, piece, &mut shown);
        Ok::<(), SplitError>(())
    })?;
    Ok(shown)
}

fn show(rule: &Rule<'_>, piece: &[u8], shown: &mut String) {
    let model = rule.model;
    // Writing to a string cannot fail.
    let _ = writeln!(shown, "piece \"{}\"", visible(piece));
    let whole = model.vocab().id(piece).filter(|_| rule.whole_piece_first);
    if let Some(id) = whole {
        let _ = writeln!(shown, "      the whole piece is the token {id}\n");
        return;
    }
    let token = |id: TokenId| visible(model.token(id).unwrap_or_default());
    let line = |ids: &[TokenId]| {
        let tokens: Vec<String> = ids.iter().map(|&id| token(id)).collect();
        tokens.join("|")
    };
    let mut ids = rule.bytes(piece);
    let _ = writeln!(shown, "      {}", line(&ids));
    loop {
        let pairs = ids.windows(2).enumerate();
        let best = pairs
            .filter_map(|(at, two)| {
                let (rank, made) = rule.merge(Pair::new(two[0], two[1]))?;
                Some((rank, at, made))
            })
            .min();
        let Some((rank, at, made)) = best else { break };
        let (left, right) = (token(ids[at]), token(ids[at + 1]));
        ids[at] = made;
        ids.remove(at + 1);
        let _ = writeln!(
            shown,
            "      {}    rank {rank}: \"{left}\" and \"{right}\" make {made}",
            line(&ids)
        );
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let _ = writeln!(shown, "      ids {}\n", ids.join(" "));
}

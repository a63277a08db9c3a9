//! How the pieces of a text are merged, step by step.

use std::collections::BTreeMap;
use std::fmt::Write;

use tokenizer_core::{MergeRule, Merging, Model, SplitError, TokenId};

use super::visible::visible;
use crate::progress;

/// Tokens shown on each side of a merge: with all of them, the output would grow with the square of the
/// length of the piece.
const AROUND: usize = 64;

/// A longer token is cut in a line.
const LONGEST: usize = 64;

/// All pieces of a text, each with its bytes and what every merge makes of them.
pub(super) fn steps(model: &Model, text: &[u8]) -> Result<String, SplitError> {
    let rule = MergeRule::new(model);
    let mut shown = String::new();
    let normalized = model.normalizer().map(|normalizer| normalizer.apply(text));
    let text = normalized.as_deref().unwrap_or(text);
    model.pattern().for_each_piece(text, |piece| {
        show(model, &rule, piece, &mut shown);
        Ok::<(), SplitError>(())
    })?;
    Ok(shown)
}

fn show(model: &Model, rule: &MergeRule<'_>, piece: &[u8], shown: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(shown, "piece \"{}\"", visible(piece));
    let ignore_merges = match model.merging() {
        Merging::Ranks => true,
        Merging::Merges { ignore_merges, .. } => *ignore_merges,
    };
    if let Some(id) = model.vocab().id(piece).filter(|_| ignore_merges) {
        let _ = writeln!(shown, "      the whole piece is the token {id}\n");
        return;
    }
    let bytes: Vec<String> = piece.chunks(1).map(visible).collect();
    let _ = writeln!(shown, "      {}", bytes.join("|"));
    let byte_ids = model.vocab().byte_ids();
    let byte_ids = piece.iter().map(|&byte| byte_ids[usize::from(byte)]);
    let mut tokens: BTreeMap<usize, TokenId> = byte_ids.enumerate().collect();
    let ids = rule.merge(piece, |step| {
        tokens.remove(&step.middle);
        tokens.insert(step.span.start, step.token);
        let (rank, made) = (step.rank, step.token);
        let [left, right] = [step.pair.left(), step.pair.right()].map(|id| shortened(model, id));
        let line = line(model, &tokens, step.span.start);
        let step = format!("rank {rank}: \"{left}\" and \"{right}\" make {made}");
        let _ = writeln!(shown, "      {line}    {step}");
    });
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let _ = writeln!(shown, "      ids {}\n", ids.join(" "));
}

/// The tokens of a piece near the one that begins at `made`.
fn line(model: &Model, tokens: &BTreeMap<usize, TokenId>, made: usize) -> String {
    let mut before: Vec<TokenId> = (tokens.range(..made).rev())
        .map(|(_, &id)| id)
        .take(AROUND + 1)
        .collect();
    before.reverse();
    let mut parts: Vec<String> = before.iter().map(|&id| shortened(model, id)).collect();
    if parts.len() > AROUND {
        parts[0] = "…".to_owned();
    }
    let mut from = tokens.range(made..).map(|(_, &id)| shortened(model, id));
    parts.extend(from.by_ref().take(AROUND + 1));
    if from.next().is_some() {
        parts.push("…".to_owned());
    }
    parts.join("|")
}

/// A token, cut if it is long.
fn shortened(model: &Model, id: TokenId) -> String {
    let token = model.token(id).unwrap_or_default();
    // A character has at most four bytes.
    let text = visible(&token[..token.len().min(4 * LONGEST)]);
    progress::shortened(&text, LONGEST)
}

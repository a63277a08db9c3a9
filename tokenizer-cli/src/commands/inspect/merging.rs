//! The merges of each piece of a text, step by step.

use std::collections::BTreeMap;
use std::fmt::Write;

use tokenizer_core::{EncodeError, MergeRule, Merging, Model, TokenId};

use super::visible::visible;
use crate::progress;

/// Number of tokens shown on each side of a merge. Without a limit, the length of the output would be
/// quadratic in the length of the piece.
const CONTEXT: usize = 64;

/// Number of characters shown of a token.
const TOKEN_LIMIT: usize = 64;

/// Returns a block for each piece of a text: its bytes, a line for each merge, its ids.
///
/// # Errors
/// If the pattern fails on the text, or there is no token for a byte or character.
pub(super) fn steps(model: &Model, text: &[u8]) -> Result<String, EncodeError> {
    let rule = MergeRule::new(model);
    let mut shown = String::new();
    for section in model.sections(text) {
        model.pattern().for_each_piece(&section, |piece| {
            push_piece(model, &rule, piece, &mut shown)
        })?;
    }
    Ok(shown)
}

fn push_piece(
    model: &Model,
    rule: &MergeRule<'_>,
    piece: &[u8],
    shown: &mut String,
) -> Result<(), EncodeError> {
    // Writing to a string cannot fail.
    let _ = writeln!(shown, "piece \"{}\"", visible(piece));
    let ignore_merges = match model.merging() {
        Merging::Ranks => true,
        Merging::Merges { ignore_merges, .. } => *ignore_merges,
    };
    if let Some(id) = model.vocab().id(piece).filter(|_| ignore_merges) {
        let _ = writeln!(shown, "      the whole piece is the token {id}\n");
        return Ok(());
    }
    let mut tokens = BTreeMap::new();
    let mut symbols = Vec::new();
    let mut at = 0;
    for (id, length) in rule.symbols(piece)? {
        symbols.push(visible(&piece[at..at + length]));
        tokens.insert(at, id);
        at += length;
    }
    let _ = writeln!(shown, "      {}", symbols.join("|"));
    let ids = rule.merge(piece, |step| {
        tokens.remove(&step.middle);
        tokens.insert(step.span.start, step.token);
        let (rank, id) = (step.rank, step.token);
        let [left, right] = [step.pair.left(), step.pair.right()].map(|id| shortened(model, id));
        let line = line(model, &tokens, step.span.start);
        let step = format!("rank {rank}: \"{left}\" + \"{right}\" = {id}");
        let _ = writeln!(shown, "      {line}    {step}");
    })?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let _ = writeln!(shown, "      ids {}\n", ids.join(" "));
    Ok(())
}

/// Returns the visible tokens of a piece around the one that starts at byte `merged`, separated by `|`.
fn line(model: &Model, tokens: &BTreeMap<usize, TokenId>, merged: usize) -> String {
    let mut before: Vec<TokenId> = (tokens.range(..merged).rev())
        .map(|(_, &id)| id)
        .take(CONTEXT + 1)
        .collect();
    before.reverse();
    let mut shown: Vec<String> = before.iter().map(|&id| shortened(model, id)).collect();
    if shown.len() > CONTEXT {
        shown[0] = "…".to_owned();
    }
    let mut rest = tokens.range(merged..).map(|(_, &id)| shortened(model, id));
    shown.extend(rest.by_ref().take(CONTEXT + 1));
    if rest.next().is_some() {
        shown.push("…".to_owned());
    }
    shown.join("|")
}

/// Returns the visible form of a token, or the start of a long one.
fn shortened(model: &Model, id: TokenId) -> String {
    let token = model.token(id).unwrap_or_default();
    // A character has at most four bytes.
    let text = visible(&token[..token.len().min(4 * TOKEN_LIMIT)]);
    progress::shortened(&text, TOKEN_LIMIT)
}

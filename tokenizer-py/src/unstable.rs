//! tiktoken's `encode_with_unstable`: ids that stay whatever text follows, and how the rest may go
//! on.
//!
//! The last piece is unstable: with more text behind it, it may become other tokens. Its completions
//! are all ids that tokens may begin with which reach to its end or beyond. They are found as
//! tiktoken finds them, by trying every token that continues a part of the piece, and so with the
//! same gaps: that regexes may split elsewhere when more text comes is looked at only for white
//! space.
//!
//! Costs an encoding of the piece for each token that begins with an end of it: milliseconds for a
//! word.

use std::collections::BTreeSet;

use pyo3::prelude::*;
use tokenizer_core::{EncodeError, Encoder, MergeRule, SpecialSet, TokenId};

use crate::errors::value_error;
use crate::interruptible::take_turns;
use crate::text::detached;

/// So many tokens are tried before it is looked whether Ctrl-C was pressed.
const TRIED_AT_ONCE: usize = 64;

/// Ids that stay, and the possible beginnings of what follows them.
pub(crate) type Unstable = (Vec<TokenId>, BTreeSet<Vec<TokenId>>);

/// The ordinary tokens by their bytes.
pub(crate) fn sorted_tokens(encoder: &Encoder) -> Box<[TokenId]> {
    let mut tokens: Vec<(&[u8], TokenId)> = encoder
        .model()
        .vocab()
        .iter()
        .map(|(id, token)| (token, id))
        .collect();
    tokens.sort_unstable();
    tokens.into_iter().map(|(_, id)| id).collect()
}

/// Encodes `text`, in which the tokens of `allowed` are recognised. `sorted` are the encoder's
/// tokens by their bytes.
///
/// # Errors
/// `ValueError` when the regex gives up, and what a signal handler raises.
pub(crate) fn encode(
    py: Python<'_>,
    encoder: &Encoder,
    sorted: &[TokenId],
    text: &[u8],
    allowed: Option<&SpecialSet>,
) -> PyResult<Unstable> {
    let encoded = detached(py, text.len(), || {
        let mut ids = Vec::new();
        match allowed {
            Some(allowed) => encoder.encode_with_specials(text, allowed, &mut ids)?,
            None => encoder.encode_into(text, &mut ids)?,
        }
        let unstable = last_ids(encoder, text, allowed, &ids)?;
        Ok::<_, EncodeError>((ids, unstable))
    });
    let (mut ids, unstable) = encoded.map_err(value_error)?;
    let vocab = encoder.model().vocab();
    let rest = ids.split_off(ids.len() - unstable);
    let piece: Vec<u8> = rest
        .iter()
        .flat_map(|&id| vocab.token(id).unwrap_or_default())
        .copied()
        .collect();
    let token = |id: &TokenId| vocab.token(*id).unwrap_or_default();
    let beginning_with = |bytes: &[u8]| {
        let start = sorted.partition_point(|id| token(id) < bytes);
        let count = sorted[start..].partition_point(|id| token(id).starts_with(bytes));
        &sorted[start..start + count]
    };
    let mut completions = BTreeSet::new();
    if piece.is_empty() {
        return Ok((ids, completions));
    }
    completions.extend(beginning_with(&piece).iter().map(|&id| vec![id]));
    for place in 1..piece.len() {
        let (before, behind) = piece.split_at(place);
        for some in beginning_with(behind).chunks(TRIED_AT_ONCE) {
            take_turns(py)?;
            let tried = detached(py, some.len() * piece.len(), || {
                some.iter()
                    .map(|id| beginning(encoder, &[before, token(id)].concat(), piece.len()))
                    .collect::<Result<Vec<_>, _>>()
            });
            completions.extend(tried.map_err(value_error)?);
        }
    }
    // White space that would join what follows may split off: with gpt2, "\n\n" is one piece, and
    // "\n\n0" three.
    if let Some(space) = last_char(&piece).filter(|last| last.is_whitespace()) {
        let (before, space) = piece.split_at(piece.len() - space.len_utf8());
        if !before.is_empty() {
            completions.insert([merged(encoder, before), merged(encoder, space)].concat());
        }
    }
    Ok((ids, completions))
}

/// Encodes `bytes` as tiktoken's `_encode_bytes` does. Where they stop being UTF-8, the last piece
/// before is taken together with all that follows.
///
/// # Errors
/// The regex gave up.
pub(crate) fn encode_bytes(encoder: &Encoder, bytes: &[u8]) -> Result<Vec<TokenId>, EncodeError> {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => return encoder.encode(bytes),
        Err(error) => error.valid_up_to(),
    };
    let mut ids = encoder.encode(&bytes[..valid])?;
    let unstable = last_ids(encoder, &bytes[..valid], None, &ids)?;
    let last = ids.split_off(ids.len() - unstable);
    let vocab = encoder.model().vocab();
    let mut piece: Vec<u8> = last
        .iter()
        .flat_map(|&id| vocab.token(id).unwrap_or_default())
        .copied()
        .collect();
    piece.extend_from_slice(&bytes[valid..]);
    ids.extend(encoder.encode_single_piece(&piece));
    Ok(ids)
}

/// How many of the ids at the end may change: those of the last piece, and if it begins with white
/// space, all tokens of white space before it.
fn last_ids(
    encoder: &Encoder,
    text: &[u8],
    allowed: Option<&SpecialSet>,
    ids: &[TokenId],
) -> Result<usize, EncodeError> {
    // Text behind the last special token.
    let mut start = 0;
    if let Some(allowed) = allowed {
        while let Err(EncodeError::SpecialNotAllowed { content, offset }) =
            encoder.refuse_specials(&text[start..], allowed)
        {
            start += offset + content.len();
        }
    }
    let mut last: &[u8] = &[];
    let model = encoder.model();
    model.pattern().for_each_piece(&text[start..], |piece| {
        last = piece;
        Ok::<_, EncodeError>(())
    })?;
    // Nothing at all is no piece, though a model may have a token for it.
    let mut count = match last {
        [] => 0,
        last => encoder.encode_single_piece(last).len(),
    };
    let is_space = |id: TokenId| {
        let token = model.vocab().token(id);
        token.is_some_and(|token| token.iter().all(|byte| b" \n\t".contains(byte)))
    };
    if count > 0 && is_space(ids[ids.len() - count]) {
        let before = ids[..ids.len() - count].iter().rev();
        count += before.take_while(|&&id| is_space(id)).count();
    }
    Ok(count)
}

/// The first ids of `bytes`, until they have `length` bytes.
fn beginning(encoder: &Encoder, bytes: &[u8], length: usize) -> Result<Vec<TokenId>, EncodeError> {
    let mut ids = match std::str::from_utf8(bytes) {
        // They may be more than one piece.
        Ok(_) => encoder.encode(bytes)?,
        Err(_) => merged(encoder, bytes),
    };
    let vocab = encoder.model().vocab();
    let mut reached = 0;
    let enough = ids.iter().position(|&id| {
        reached += vocab.token(id).unwrap_or_default().len();
        reached >= length
    });
    ids.truncate(enough.map_or(ids.len(), |last| last + 1));
    Ok(ids)
}

/// The ids to which the bytes merge, also when all of them are one entry, which merging may miss.
fn merged(encoder: &Encoder, bytes: &[u8]) -> Vec<TokenId> {
    let vocab = encoder.model().vocab();
    if vocab.id(bytes).is_none() {
        return encoder.encode_single_piece(bytes);
    }
    MergeRule::ranks(vocab).merge(bytes, |_| {})
}

fn last_char(bytes: &[u8]) -> Option<char> {
    let tail = &bytes[bytes.len().saturating_sub(4)..];
    (0..tail.len())
        .rev()
        .find_map(|start| std::str::from_utf8(&tail[start..]).ok()?.chars().next())
}

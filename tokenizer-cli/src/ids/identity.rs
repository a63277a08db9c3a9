//! Hashes that identify the model of a header, and differences between two models.
//!
//! `decoding_sha256`, defined in `docs/shards.md`, covers decoding only: pattern, merges, normalizer and file
//! format do not change it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use tokenizer_core::format::native;
use tokenizer_core::{Model, SpecialToken, TokenId};

use crate::progress::shortened;

/// Special tokens and their ids.
pub(crate) type SpecialTokens = BTreeMap<String, TokenId>;

/// Returns the special tokens of a model, without its other added tokens.
pub(crate) fn special_tokens(model: &Model) -> SpecialTokens {
    let specials = model.specials().iter().filter(|special| special.special);
    specials
        .map(|special| (special.content.clone(), special.id))
        .collect()
}

fn by_id(specials: &SpecialTokens) -> BTreeMap<TokenId, &str> {
    let specials = specials.iter();
    specials.map(|(token, &id)| (id, token.as_str())).collect()
}

/// Hashes everything that decides ids: the bytes of the model as a `.bpe` file, without per-call settings.
pub(crate) fn model_sha256(model: &Model) -> String {
    format!("{:x}", Sha256::digest(native::write_deciding(model)))
}

/// Hashes a record for each token, in the order of ids: id (u32), 1 if special else 0 (u8), length of the
/// token (u32), bytes of the token. `specials` replace the special tokens of the model.
pub(crate) fn decoding_sha256(model: &Model, specials: &SpecialTokens) -> String {
    let added = model.specials().iter().filter(|added| !added.special);
    let ordinary = model.vocab().iter().map(|(id, _)| id);
    let specials = by_id(specials);
    let ids = ordinary.chain(added.map(|added| added.id));
    let ids: BTreeSet<TokenId> = ids.chain(specials.keys().copied()).collect();
    let mut digest = Sha256::new();
    for id in ids {
        let (is_special, token) = match specials.get(&id) {
            Some(content) => {
                let own = model.specials().by_id(id);
                let own = own.filter(|own| own.content == *content);
                (true, own.map_or(content.as_bytes(), SpecialToken::bytes))
            }
            None => (false, model.token(id).unwrap_or_default()),
        };
        digest.update(id.to_le_bytes());
        digest.update([u8::from(is_special)]);
        digest.update((token.len() as u32).to_le_bytes());
        digest.update(token);
    }
    format!("{:x}", digest.finalize())
}

/// Describes the first differences between `theirs`, the special tokens of a header, and those of `model`.
pub(super) fn special_difference(theirs: &SpecialTokens, model: &Model) -> String {
    const SHOWN: usize = 3;
    let ours = special_tokens(model);
    let (theirs, ours) = (by_id(theirs), by_id(&ours));
    let ids: BTreeSet<TokenId> = theirs.keys().chain(ours.keys()).copied().collect();
    let differs = |id: &TokenId| theirs.get(id) != ours.get(id);
    let describe = |id: TokenId| {
        let quoted = |token: Option<&&str>| Some(format!("{:?}", shortened(token?, 40)));
        let here = quoted(ours.get(&id)).unwrap_or_else(|| match model.token(id) {
            Some(_) => "not special".to_owned(),
            None => "not a token".to_owned(),
        });
        let there = quoted(theirs.get(&id)).unwrap_or_else(|| "not special".to_owned());
        format!("id {id} is {there} in the header and {here} in the model")
    };
    let mut differences: Vec<String> = ids.into_iter().filter(differs).map(describe).collect();
    let more = differences.len().saturating_sub(SHOWN);
    differences.truncate(SHOWN);
    if more > 0 {
        let differ = if more == 1 {
            "token differs"
        } else {
            "tokens differ"
        };
        differences.push(format!("and {more} more special {differ}"));
    }
    differences.join(", ")
}

//! A model as a `tokenizer.json`, in the form in which `tokenizers` saves its own.

use super::byte_level::{bytes_of, spell};
use super::json::{Json, object};
use super::proof::prove;
use super::rank_merges::rank_merges;
use super::regex_dialect::to_oniguruma;
use super::{HuggingFaceError, read};
use crate::merges::Merge;
use crate::model::{Affixes, Merging, Model};
use crate::normalize::Normalizer;
use crate::special::SpecialToken;
use crate::split::{Gaps, Pattern};
use crate::token::TokenId;

/// Writes a `tokenizer.json`. The same model gives the same bytes.
///
/// Ranks become a list of merges that gives the same ids. What was written is read again, and the
/// ids of a text of hard cases, of every token and of every special token are compared.
///
/// # Errors
/// When the pattern cannot be told in the words of the other regex engine, when two tokens have the
/// same bytes, or a special token is spelled as another token is.
pub fn write(model: &Model) -> Result<Vec<u8>, HuggingFaceError> {
    if let Some(id) = model.vocab().repeated().next() {
        let bytes = model.vocab().token(id).unwrap_or_default().to_vec();
        let first = model.vocab().id(&bytes).unwrap_or(id);
        return Err(HuggingFaceError::RepeatedBytes { bytes, first, id });
    }
    let added = model.specials().iter().map(added_token).collect();
    let json = object([
        ("version", "1.0".into()),
        ("truncation", Json::Null),
        ("padding", Json::Null),
        ("added_tokens", Json::List(added)),
        ("normalizer", normalizer(model.normalizer())),
        ("pre_tokenizer", pre_tokenizer(model.pattern())?),
        ("post_processor", post_processor(model)),
        ("decoder", byte_level()),
        ("model", bpe(model)?),
    ]);
    let bytes = json.pretty()?;
    prove(model, read(&bytes)?)?;
    Ok(bytes)
}

fn added_token(token: &SpecialToken) -> Json {
    object([
        ("id", token.id.into()),
        ("content", token.content.as_str().into()),
        ("single_word", token.single_word.into()),
        ("lstrip", token.left_strip.into()),
        ("rstrip", token.right_strip.into()),
        ("normalized", token.normalized.into()),
        ("special", token.control.into()),
    ])
}

fn normalizer(normalizer: Option<Normalizer>) -> Json {
    match normalizer {
        None => Json::Null,
        Some(Normalizer::Nfc) => object([("type", "NFC".into())]),
    }
}

/// Bytes to characters and back; nothing is put in front, and offsets stay as they are.
fn byte_level() -> Json {
    object([
        ("type", "ByteLevel".into()),
        ("add_prefix_space", false.into()),
        ("trim_offsets", false.into()),
        ("use_regex", false.into()),
    ])
}

fn pre_tokenizer(pattern: &Pattern) -> Result<Json, HuggingFaceError> {
    let mut steps = Vec::new();
    // An empty regex is the pattern that does not split.
    for (source, gaps) in pattern.stages().filter(|(source, _)| !source.is_empty()) {
        let told = to_oniguruma(source).map_err(|error| HuggingFaceError::Regex {
            source_text: source.to_owned(),
            error,
        })?;
        // To remove what is between the matches is to drop the gaps.
        let (behavior, invert) = match gaps {
            Gaps::Keep => ("Isolated", false),
            Gaps::Drop => ("Removed", true),
        };
        steps.push(object([
            ("type", "Split".into()),
            ("pattern", object([("Regex", told.as_str().into())])),
            ("behavior", behavior.into()),
            ("invert", invert.into()),
        ]));
    }
    steps.push(byte_level());
    Ok(object([
        ("type", "Sequence".into()),
        ("pretokenizers", Json::List(steps)),
    ]))
}

fn post_processor(model: &Model) -> Json {
    let Affixes { before, after } = model.affixes();
    if before.is_empty() && after.is_empty() {
        return byte_level();
    }
    let name = |id: TokenId| match model.specials().by_id(id) {
        Some(token) => token.content.clone(),
        None => spell(model.token(id).unwrap_or_default()),
    };
    let text = |id: &str, text_number: u32| {
        let fields = object([("id", id.into()), ("type_id", text_number.into())]);
        object([("Sequence", fields)])
    };
    let around = |text: Json, text_number: u32| {
        let token = |&id: &TokenId| {
            let fields = [
                ("id", name(id).as_str().into()),
                ("type_id", text_number.into()),
            ];
            object([("SpecialToken", object(fields))])
        };
        let mut pieces: Vec<Json> = before.iter().map(token).collect();
        pieces.push(text);
        pieces.extend(after.iter().map(token));
        pieces
    };
    let single = around(text("A", 0), 0);
    let pair = [single.clone(), around(text("B", 1), 1)].concat();
    let mut tokens: Vec<(String, TokenId)> = before
        .iter()
        .chain(after)
        .map(|&id| (name(id), id))
        .collect();
    tokens.sort();
    tokens.dedup();
    let tokens = tokens.into_iter().map(|(name, id)| {
        let fields = object([
            ("id", name.as_str().into()),
            ("ids", Json::List(vec![id.into()])),
            ("tokens", Json::List(vec![name.as_str().into()])),
        ]);
        (name, fields)
    });
    object([
        ("type", "TemplateProcessing".into()),
        ("single", Json::List(single)),
        ("pair", Json::List(pair)),
        ("special_tokens", Json::Object(tokens.collect())),
    ])
}

fn bpe(model: &Model) -> Result<Json, HuggingFaceError> {
    let entries = vocabulary(model)?;
    let entries = entries
        .into_iter()
        .map(|(id, spelling)| (spelling, id.into()));
    let spelled = |id: TokenId| Json::Text(spell(model.vocab().token(id).unwrap_or_default()));
    let pair = |rule: &Merge| Json::List(vec![spelled(rule.left), spelled(rule.right)]);
    let (merges, whole_piece_first) = match model.merging() {
        Merging::Ranks => {
            let list = rank_merges(model.vocab());
            (list.rules.iter().map(pair).collect(), !list.reaches_all)
        }
        Merging::Merges {
            merges,
            whole_piece_first,
        } => (merges.iter().map(pair).collect(), *whole_piece_first),
    };
    Ok(object([
        ("type", "BPE".into()),
        ("dropout", Json::Null),
        ("unk_token", Json::Null),
        ("continuing_subword_prefix", Json::Null),
        ("end_of_word_suffix", Json::Null),
        ("fuse_unk", false.into()),
        ("byte_fallback", false.into()),
        ("ignore_merges", whole_piece_first.into()),
        ("vocab", Json::Object(entries.collect())),
        ("merges", Json::List(merges)),
    ]))
}

/// Spellings by id.
///
/// `tokenizers` numbers the added tokens itself, from the size of the vocabulary on, unless they
/// stand in the vocabulary. So they do, as soon as one of them would get another id than its own.
fn vocabulary(model: &Model) -> Result<Vec<(TokenId, String)>, HuggingFaceError> {
    let (vocab, specials) = (model.vocab(), model.specials());
    let mut entries: Vec<(TokenId, String)> =
        vocab.iter().map(|(id, token)| (id, spell(token))).collect();
    let follow = specials
        .iter()
        .zip(vocab.len()..)
        .all(|(token, next)| token.id as usize == next);
    for token in specials.iter() {
        let taken = bytes_of(&token.content).and_then(|bytes| vocab.id(&bytes));
        // The same bytes under the same id are spelled in two ways when they are not ASCII.
        let other = taken.or(vocab.token(token.id).map(|_| token.id));
        match other {
            Some(id) if taken == Some(id) && id == token.id => {}
            Some(other) => {
                return Err(HuggingFaceError::SpecialNotTold {
                    content: token.content.clone(),
                    id: token.id,
                    other,
                });
            }
            None if follow => {}
            None => entries.push((token.id, token.content.clone())),
        }
    }
    entries.sort();
    Ok(entries)
}

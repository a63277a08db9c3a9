//! `tekken.json`: the pattern, ranks and special tokens of Mistral's models, as `mistral-common` reads them.
//!
//! | field | meaning here |
//! | --- | --- |
//! | `config.pattern` | the regex; text between its matches is dropped, as in tiktoken |
//! | `config.default_num_special_tokens` | the number of special tokens, which have the first ids |
//! | `config.default_vocab_size` | the number of ids; entries of `vocab` beyond it are unused |
//! | `config.version` | decides whether `special_tokens` may be missing |
//! | `vocab` | tokens by ascending rank, from 0; their ids follow those of the special tokens |
//! | `special_tokens` | the special tokens by ascending id, from 0; missing ones are named `<SPECIAL_n>` |
//!
//! Ignored, since they change no id: `num_vocab_tokens`, `token_str` in the vocabulary, `is_control`, the fields
//! `version` and `type` next to `config`, and those that describe images, audio or chat settings (`image`,
//! `multimodal`, `audio`, `model_settings_builder`). Any other field is an error that names it.
//!
//! Tokens merge by the rank of their joined bytes ([`Merging::Ranks`]). No special token is added around a text:
//! `Tekkenizer.encode` of `mistral-common` adds them only on request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::huggingface::gpt2::first_field;
use super::huggingface::json::{At, Json};
use super::huggingface::{HuggingFaceError, MAX_BYTES};
use crate::model::{Merging, Model, ModelError};
use crate::pattern::{Gaps, Pattern, PatternName};
use crate::special::{SpecialToken, SpecialTokens};
use crate::token::TokenId;
use crate::vocab::{Repeats, Vocab};

/// The versions that `mistral-common` 1.13 knows. Up to the last of the first four, `special_tokens` may be
/// missing.
const VERSIONS: [&str; 7] = ["v1", "v2", "v3", "v7", "v11", "v13", "v15"];
const VERSIONS_WITH_DEFAULTS: usize = 4;

/// The special tokens of files without `special_tokens`.
const DEFAULT_SPECIALS: [&str; 20] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];

/// The number of special tokens without a name that a file of any length may have.
const MAX_UNNAMED: u64 = 1 << 14;

/// Whether the bytes start like a `tekken.json`: with an object whose first key is one that a
/// `tokenizer.json` does not have.
#[must_use]
pub fn is_tekken(bytes: &[u8]) -> bool {
    const KEYS: [&[u8]; 6] = [
        b"config",
        b"vocab",
        b"special_tokens",
        b"image",
        b"multimodal",
        b"audio",
    ];
    first_field(bytes).is_some_and(|(key, value)| {
        let is_compound = value.starts_with(b"{") || value.starts_with(b"[");
        KEYS.contains(&key) && is_compound
    })
}

/// Reads a `tekken.json`. Takes time and memory in proportion to the file.
///
/// # Errors
/// If a field is missing, invalid, unknown or contradicts another one; the error names its path.
pub fn read(bytes: &[u8]) -> Result<Model, HuggingFaceError> {
    if bytes.len() > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes: bytes.len() });
    }
    let json = Json::parse(bytes)?;
    let root = At::root(&json);
    root.only(
        "config vocab special_tokens version type image multimodal audio model_settings_builder",
    )?;
    let config = root.field("config");
    config
        .only("pattern num_vocab_tokens default_vocab_size default_num_special_tokens version")?;
    let version = config.field("version");
    let version = VERSIONS
        .iter()
        .position(|known| version.text() == Ok(known))
        .ok_or_else(|| version.expected("a version: v1, v2, v3, v7, v11, v13 or v15"))?;

    let named = special_names(&root.field("special_tokens"), version)?;
    let count = config.field("default_num_special_tokens");
    let unnamed = count.integer()?.checked_sub(named.len() as u64);
    let unnamed = unnamed.ok_or_else(|| count.unsupported("special_tokens has more entries"))?;
    if unnamed > MAX_UNNAMED.max(bytes.len() as u64 / 64) {
        return Err(count.unsupported("too many special tokens without a name"));
    }
    let first_rank = named.len() + unnamed as usize;
    let unnamed = (named.len()..first_rank).map(|id| format!("<SPECIAL_{id}>"));
    let specials = named.iter().map(|&name| name.to_owned()).chain(unnamed);
    let specials = specials
        .zip(0..)
        .map(|(name, id)| SpecialToken::new(name, id));

    let size = config.field("default_vocab_size");
    let ranks = size.integer()?.checked_sub(first_rank as u64);
    let ranks = ranks.ok_or_else(|| size.unsupported("there are more special tokens"))?;
    let vocab = vocabulary(&root.field("vocab"), first_rank as TokenId, ranks)?;

    let specials = SpecialTokens::new(specials).map_err(ModelError::from)?;
    let pattern = pattern(config.field("pattern").text()?)?;
    Ok(Model::new(pattern, vocab, Merging::Ranks, specials)?)
}

fn pattern(source: &str) -> Result<Pattern, HuggingFaceError> {
    if let Some(name) = PatternName::of_regex(source) {
        return Ok(Pattern::named(name));
    }
    Ok(Pattern::regex(source, Gaps::Drop)?)
}

/// The texts of the special tokens that have one.
fn special_names<'j>(at: &At<'j>, version: usize) -> Result<Vec<&'j str>, HuggingFaceError> {
    if at.is_null() {
        return match version < VERSIONS_WITH_DEFAULTS {
            true => Ok(DEFAULT_SPECIALS.to_vec()),
            false => Err(at.expected("a list (this version has no default special tokens)")),
        };
    }
    let mut names = Vec::new();
    for (token, id) in at.list()?.iter().zip(0..) {
        token.only("rank token_str is_control")?;
        if token.field("rank").integer()? != id {
            return Err(token
                .field("rank")
                .unsupported("expected the position in the list"));
        }
        token.field("is_control").flag_or(true)?;
        names.push(token.field("token_str").text()?);
    }
    Ok(names)
}

/// The first `ranks` entries of `vocab`, whose ids start with `first`.
fn vocabulary(at: &At<'_>, first: TokenId, ranks: u64) -> Result<Vocab, HuggingFaceError> {
    let entries = at.list()?;
    let used = usize::try_from(ranks)
        .ok()
        .and_then(|ranks| entries.get(..ranks));
    let used = used.ok_or_else(|| at.unsupported("fewer than default_vocab_size needs"))?;
    let mut bytes = Vec::new();
    let mut ends = vec![0; first as usize];
    for (entry, rank) in used.iter().zip(0..) {
        entry.only("rank token_bytes token_str")?;
        if entry.field("rank").integer()? != rank {
            return Err(entry
                .field("rank")
                .unsupported("expected the position in the list"));
        }
        let token_str = entry.field("token_str");
        if !token_str.is_null() {
            token_str.text()?;
        }
        let token = entry.field("token_bytes");
        let start = bytes.len();
        let decoded = STANDARD.decode_vec(token.text()?, &mut bytes);
        decoded.map_err(|_| token.expected("base64"))?;
        if rank < 256 && bytes[start..] != [rank as u8] {
            return Err(token.unsupported("expected the byte whose value is the rank"));
        }
        if bytes.len() == start {
            return Err(token.expected("at least one byte"));
        }
        ends.push(bytes.len() as u32);
    }
    Ok(Vocab::from_arena(bytes, ends, Repeats::Refuse).map_err(ModelError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::native;
    use crate::tokenizer::Tokenizer;

    const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// A file with the bytes, `lo`, `low`, ` low` and a token that merging does not reach, `xyz`.
    fn file() -> serde_json::Value {
        let tokens = (0..=255_u8).map(|byte| vec![byte]);
        let merged = ["lo", "low", " low", "xyz"].map(|token| token.as_bytes().to_vec());
        let entry = |(token, rank): (Vec<u8>, u32)| {
            let text = std::str::from_utf8(&token).ok();
            serde_json::json!({
                "rank": rank, "token_bytes": STANDARD.encode(&token), "token_str": text
            })
        };
        let vocab: Vec<_> = tokens.chain(merged).zip(0..).map(entry).collect();
        serde_json::json!({
            "config": {
                "pattern": TEKKEN, "num_vocab_tokens": 260, "default_vocab_size": 284,
                "default_num_special_tokens": 24, "version": "v3"
            },
            "vocab": vocab
        })
    }

    fn read_value(file: &serde_json::Value) -> Result<Model, HuggingFaceError> {
        let bytes = serde_json::to_vec(file).unwrap();
        assert!(is_tekken(&bytes) && !is_tekken(b"{\"config\": 1}"));
        read(&bytes)
    }

    /// The ids are those of `Tekkenizer.encode` in mistral-common 1.13.
    #[test]
    fn ids_follow_the_special_tokens() {
        let model = read_value(&file()).unwrap();
        assert_eq!(model.specials().len(), 24);
        assert_eq!(model.id(b"<s>"), Some(1));
        assert_eq!(model.id(b"<SPECIAL_23>"), Some(23));
        assert_eq!(native::read(&native::write(&model)).as_ref(), Ok(&model));
        let tokenizer = Tokenizer::new(model);
        let ids = tokenizer.encode("low lower xyz axyza").unwrap();
        let want = [
            281, 282, 125, 138, 56, 144, 145, 146, 56, 121, 144, 145, 146, 121,
        ];
        assert_eq!(ids, want);
        assert_eq!(tokenizer.encode("xyz").unwrap(), [283]);
        assert_eq!(tokenizer.decode(&[1, 283]).unwrap(), b"<s>xyz");
    }

    #[test]
    fn a_smaller_vocabulary_omits_the_last_entries() {
        let mut file = file();
        file["config"]["default_vocab_size"] = 282.into();
        let model = read_value(&file).unwrap();
        assert_eq!(model.vocab().len(), 258);
        assert_eq!(model.id(b" low"), None);
    }

    #[test]
    fn special_tokens_have_the_ids_of_their_positions() {
        let mut file = file();
        let token = |rank: u32, text: &str| serde_json::json!({"rank": rank, "token_str": text, "is_control": true});
        file["special_tokens"] = serde_json::json!([token(0, "<x>"), token(1, "<s>")]);
        file["config"]["version"] = "v13".into();
        let model = read_value(&file).unwrap();
        assert_eq!(model.id(b"<s>"), Some(1));
        assert_eq!(model.id(b"<SPECIAL_2>"), Some(2));
        file["special_tokens"][1]["rank"] = 7.into();
        let error = read_value(&file).unwrap_err().to_string();
        assert!(
            error.starts_with("special_tokens[1].rank: 7 is not supported"),
            "{error}"
        );
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        for (path, value, start) in [
            ("/config/pattern", "\"(\"", ""),
            (
                "/config/version",
                "\"v99\"",
                "config.version: expected a version",
            ),
            (
                "/config/version",
                "\"v13\"",
                "special_tokens: expected a list",
            ),
            ("/config/new", "1", "config.new: unknown field"),
            ("/new", "1", "new: unknown field"),
            (
                "/config/default_vocab_size",
                "285",
                "vocab: a list is not supported",
            ),
            (
                "/config/default_vocab_size",
                "23",
                "config.default_vocab_size: 23",
            ),
            (
                "/config/default_vocab_size",
                "30",
                "no token for the single byte",
            ),
            (
                "/config/default_num_special_tokens",
                "4",
                "config.default_num_special_tokens: 4",
            ),
            (
                "/config/default_num_special_tokens",
                "99999999",
                "config.default_num_special_tokens: 9",
            ),
            (
                "/config/default_num_special_tokens",
                "-1",
                "config.default_num_special_tokens: expected",
            ),
            ("/vocab/3/rank", "4", "vocab[3].rank: 4"),
            ("/vocab/3/token_bytes", "\"YQ==\"", "vocab[3].token_bytes"),
            (
                "/vocab/258/token_bytes",
                "\"YQ=\"",
                "vocab[258].token_bytes: expected base64",
            ),
            (
                "/vocab/258/token_bytes",
                "\"\"",
                "vocab[258].token_bytes: expected at least one",
            ),
            (
                "/vocab/258/token_bytes",
                "\"YQ==\"",
                "duplicate token \"a\"",
            ),
            ("/vocab/258/new", "1", "vocab[258].new: unknown field"),
        ] {
            let mut file = file();
            let (parent, name) = path.rsplit_once('/').unwrap();
            let value: serde_json::Value = serde_json::from_str(value).unwrap();
            file.pointer_mut(parent).unwrap()[name] = value;
            let error = read_value(&file).unwrap_err().to_string();
            assert!(error.starts_with(start), "{path}: {error}");
        }
        let error = read(b"{\"config\": {}, \"config\": {}}")
            .unwrap_err()
            .to_string();
        assert!(error.contains("duplicate key"), "{error}");
    }
}

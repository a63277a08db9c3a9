//! The special tokens of a folder with a file of ranks, as Kimi's class `TikTokenTokenizer` names them.

use hashbrown::HashSet;

use super::added::listed_tokens;
use super::companions::{Companions, TOKENIZER_CONFIG};
use super::error::HuggingFaceError;
use super::json::At;
use crate::hash::Seeds;
use crate::special::SpecialToken;
use crate::token::TokenId;

/// The number of ids after the ranks that the class gives to special tokens.
const RESERVED: u64 = 256;

/// The class, whose code is in the model's repository.
const CLASS: &str = "TikTokenTokenizer";

/// Returns the special tokens of a folder whose ranks are the ids below `ranks`, such as Kimi's with its
/// `tiktoken.model`. Without a `tokenizer_config.json` there are none.
///
/// Names and ids are those of `added_tokens_decoder`; the rest of the 256 ids after the ranks are named
/// `<|reserved_token_N|>`, where `N` is the id.
///
/// # Errors
/// If `tokenizer_config.json` is invalid, or names another class than `TikTokenTokenizer`, or a special token that
/// is not in `added_tokens_decoder`.
pub fn read_rank_specials(
    companions: &Companions,
    ranks: usize,
) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    if companions.tokenizer_config.is_none() {
        return Ok(Vec::new());
    }
    let parsed = companions.parse()?;
    let config = parsed.files().tokenizer_config;
    check_class(&config)?;
    let listed = listed_tokens(&config)?;
    let first = ranks as u64;
    let mut tokens = Vec::new();
    let mut ids = HashSet::<u64, Seeds>::default();
    for (id, token, at) in listed {
        if !(first..first + RESERVED).contains(&id) {
            return Err(at.unsupported("expected one of the 256 ids after the ranks"));
        }
        if token.lstrip || token.rstrip || token.single_word {
            return Err(at.unsupported("expected lstrip, rstrip and single_word to be false"));
        }
        ids.insert(id);
        let normalized = false;
        tokens.push(SpecialToken {
            id: id as TokenId,
            normalized,
            ..token
        });
    }
    let unnamed = (first..first + RESERVED).filter(|id| !ids.contains(id));
    tokens.extend(
        unnamed.map(|id| SpecialToken::new(format!("<|reserved_token_{id}|>"), id as TokenId)),
    );
    tokens.sort_by_key(|token| token.id);
    check_names(&config, &tokens)?;
    Ok(tokens)
}

/// Fails if the configuration names another class.
fn check_class(config: &At<'_>) -> Result<(), HuggingFaceError> {
    let class = config.field("tokenizer_class");
    if !class.is_null() && class.text()? != CLASS {
        return Err(HuggingFaceError::Class {
            file: TOKENIZER_CONFIG,
            field: "tokenizer_class",
            name: class.text()?.to_owned(),
            why: "for a file of ranks, only TikTokenTokenizer is; give the file instead of the folder",
        });
    }
    let code = config.field("auto_map").field("AutoTokenizer");
    if code.is_null() {
        return Ok(());
    }
    for name in code.list()? {
        let is_class = |name: &str| name.rsplit('.').next() == Some(CLASS);
        if !name.is_null() && !is_class(name.text()?) {
            return Err(name.unsupported("custom tokenizer code is not run"));
        }
    }
    Ok(())
}

/// Fails if a special token of the configuration is not one of the tokens.
fn check_names(config: &At<'_>, tokens: &[SpecialToken]) -> Result<(), HuggingFaceError> {
    let contents: HashSet<&str, Seeds> =
        tokens.iter().map(|token| token.content.as_str()).collect();
    let check = |at: &At<'_>| {
        let content = at.get("content");
        let content = content.as_ref().unwrap_or(at);
        match content.is_null() || contents.contains(content.text()?) {
            true => Ok(()),
            false => Err(at.unsupported("not in added_tokens_decoder")),
        }
    };
    for name in [
        "bos_token",
        "eos_token",
        "unk_token",
        "pad_token",
        "sep_token",
        "cls_token",
        "mask_token",
    ] {
        check(&config.field(name))?;
    }
    for name in ["additional_special_tokens", "extra_special_tokens"] {
        let list = config.field(name);
        if !list.is_null() {
            list.list()?.iter().try_for_each(check)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<Vec<SpecialToken>, HuggingFaceError> {
        let companions = Companions {
            tokenizer_config: Some(config.into()),
            ..Companions::default()
        };
        read_rank_specials(&companions, 1000)
    }

    #[test]
    fn ids_without_a_name_are_reserved() {
        let tokens = read(
            r#"{"added_tokens_decoder": {"1001": {"content": "[EOS]", "special": true},
                "1003": {"content": "<|tool|>", "special": false}}, "eos_token": "[EOS]",
                "additional_special_tokens": ["<|reserved_token_1004|>"],
                "tokenizer_class": "TikTokenTokenizer",
                "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", null]}}"#,
        );
        let tokens = tokens.unwrap();
        assert_eq!(tokens.len(), 256);
        let of = |id: usize| {
            (
                tokens[id].id,
                tokens[id].content.as_str(),
                tokens[id].special,
            )
        };
        assert_eq!(of(0), (1000, "<|reserved_token_1000|>", true));
        assert_eq!(of(1), (1001, "[EOS]", true));
        assert_eq!(of(3), (1003, "<|tool|>", false));
        assert_eq!(of(255), (1255, "<|reserved_token_1255|>", true));
        assert_eq!(
            read_rank_specials(&Companions::default(), 1000),
            Ok(Vec::new())
        );
    }

    #[test]
    fn other_configurations_are_refused_by_name() {
        for (config, start) in [
            (
                r#"{"tokenizer_class": "QWenTokenizer"}"#,
                "tokenizer_config.json: tokenizer_class \"QWen",
            ),
            (
                r#"{"auto_map": {"AutoTokenizer": ["a.B", null]}}"#,
                "tokenizer_config.json: auto_map.AutoTokenizer[0]",
            ),
            (
                r#"{"added_tokens_decoder": {"999": {"content": "x"}}}"#,
                "tokenizer_config.json: added_tokens_decoder.999",
            ),
            (
                r#"{"added_tokens_decoder": {"1256": {"content": "x"}}}"#,
                "tokenizer_config.json: added_tokens_decoder.1256",
            ),
            (
                r#"{"added_tokens_decoder": {"1001": {"content": "x", "lstrip": true}}}"#,
                "tokenizer_config.json: added_tokens_decoder.1001",
            ),
            (
                r#"{"bos_token": "<s>"}"#,
                "tokenizer_config.json: bos_token",
            ),
            (
                r#"{"additional_special_tokens": ["<s>"]}"#,
                "tokenizer_config.json: additional_special_tokens[0]",
            ),
        ] {
            let error = read(config).unwrap_err().to_string();
            assert!(error.starts_with(start), "{config}: {error}");
        }
    }
}

//! Folders in Hugging Face's layout: a tokenizer, and companion files that may add tokens and name a class.

use super::added::FolderTokens;
use super::class::{Class, named_class};
use super::companions::{Companions, Files};
use super::error::HuggingFaceError;
use super::gpt2::{bracketed, read_gpt2_with};
use super::json::{At, Json};
use super::normalizer::read_normalizer;
use super::pre_tokenizer::{read_pre_tokenizer, refuse_prefix_space};
use super::read::{Components, check_algorithm, read_with};
use crate::model::Model;
use crate::post_processor::Affixes;
use crate::special::SpecialToken;

/// Reads the `tokenizer.json` of a folder, with the added tokens of its companion files.
///
/// Ids equal those of `AutoTokenizer.from_pretrained` of transformers 5.
///
/// # Errors
/// Those of [`read`](super::read()). Also if a companion file is invalid, or if transformers would use a
/// tokenizer class that may give other ids than the `tokenizer.json`.
pub fn read_folder(tokenizer: &[u8], companions: &Companions) -> Result<Model, HuggingFaceError> {
    let parsed = companions.parse()?;
    let files = parsed.files();
    let named = named_class(&files)?;
    let class = named.as_ref().map_or(Class::AsFile, |named| named.class);
    let refused = |why| match &named {
        Some(named) => Err(named.refused(why)),
        None => Ok(()),
    };
    if class == Class::Other {
        check_algorithm(tokenizer)?;
        refused(
            "for this class, transformers may ignore tokenizer.json; to use tokenizer.json \
             unchanged, give the file instead of the folder",
        )?;
    }
    read_with(tokenizer, |components| {
        if let Some(pipeline) = class.pipeline() {
            refuse_prefix_space(&files.tokenizer_config)?;
            if !is_pipeline(&components, pipeline)? {
                refused(
                    "for this class, transformers sets normalizer, pre_tokenizer and ignore_merges \
                     itself, and tokenizer.json has different ones; to use tokenizer.json unchanged, \
                     give the file instead of the folder",
                )?;
            }
        }
        complete_added(components, &files, class)
    })
}

/// Whether the file has the normalizer and pattern in `pipeline`, those of its class, and, like the
/// class, does not set `ignore_merges`.
fn is_pipeline(components: &Components<'_>, pipeline: &str) -> Result<bool, HuggingFaceError> {
    let json = Json::parse(pipeline.as_bytes())?;
    let normalizer = read_normalizer(&At::root(&json).field("normalizer"))?;
    let pre_tokenizer = read_pre_tokenizer(&At::root(&json).field("pre_tokenizer"))?;
    let same = normalizer.as_ref() == components.normalizer
        && pre_tokenizer.rewrites == components.rewrites
        && pre_tokenizer.pattern == *components.pattern;
    Ok(same && !components.ignore_merges)
}

/// The added tokens of a `tokenizer.json` and its companion files.
fn complete_added(
    components: Components<'_>,
    files: &Files<'_>,
    class: Class,
) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    let padding = &components.padding;
    let pad_token = match padding.is_null() {
        true => None,
        false => Some(padding.field("pad_token").text()?),
    };
    let of_tokenizer = Some(&components.added[..]);
    let gathered = FolderTokens::gather(files, of_tokenizer, pad_token, &class.tokens())?;
    // Classes with their own pipeline start without the added tokens of the file.
    let added: &[SpecialToken] = match class {
        Class::AsFile => &components.added,
        _ => &[],
    };
    gathered.add_to(added, components.spellings, &class.tokens())
}

/// Reads `vocab.json` and `merges.txt` of a folder, with the added tokens of its companion files.
/// Also returns whether GPT-2's class was assumed because no file names a class.
///
/// Without companion files, the model is that of [`read_gpt2`](super::read_gpt2).
///
/// # Errors
/// Those of [`read_gpt2`](super::read_gpt2). Also if a companion file is invalid or names another class
/// than `GPT2Tokenizer`, since other classes split by other patterns.
pub fn read_gpt2_folder(
    vocab: &[u8],
    merges: &[u8],
    companions: &Companions,
) -> Result<(Model, bool), HuggingFaceError> {
    if companions.is_empty() {
        return Ok((read_gpt2_with(vocab, merges, bracketed)?, true));
    }
    let parsed = companions.parse()?;
    let files = parsed.files();
    let named = named_class(&files)?;
    if let Some(named) = &named
        && named.class != Class::Gpt2
    {
        return Err(named.refused(
            "a vocab.json with merges.txt is read for GPT2Tokenizer only; load the tokenizer with \
             transformers and save it again to get a tokenizer.json",
        ));
    }
    refuse_prefix_space(&files.tokenizer_config)?;
    let tokens = Class::Gpt2.tokens();
    let gathered = FolderTokens::gather(&files, None, None, &tokens)?;
    let model = read_gpt2_with(vocab, merges, |spellings, _| {
        gathered.add_to(&[], spellings, &tokens)
    })?;
    let affix = |flag: &str, token: &str| -> Result<Vec<_>, HuggingFaceError> {
        let adds = files.tokenizer_config.field(flag).flag_or(false)?;
        let token = gathered.special(token).filter(|_| adds);
        let id = token.and_then(|token| model.id(token.as_bytes()));
        Ok(id.into_iter().collect())
    };
    let affixes = Affixes {
        before: affix("add_bos_token", "bos_token")?,
        after: affix("add_eos_token", "eos_token")?,
    };
    Ok((model.with_post_processor(affixes)?, named.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::{Pattern, PatternName};

    fn tokenizer() -> Vec<u8> {
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern, Merges::default(), &["<s>"]).unwrap();
        super::super::write(&model).unwrap()
    }

    fn config(json: &str) -> Companions {
        Companions {
            tokenizer_config: Some(json.into()),
            ..Companions::default()
        }
    }

    fn pair() -> (Vec<u8>, &'static [u8]) {
        let spell = |byte: u8| crate::byte_level::spell(&[byte]);
        let entries = (0..=255u8).map(|byte| (spell(byte), u32::from(byte).into()));
        (Json::Object(entries.collect()).pretty().unwrap(), b"")
    }

    fn contents(model: &Model) -> Vec<(u32, &str)> {
        let specials = model.specials().iter();
        specials
            .map(|token| (token.id, token.content.as_str()))
            .collect()
    }

    #[test]
    fn configured_tokens_are_numbered_after_all_others() {
        let file = tokenizer();
        let plain = read_folder(&file, &Companions::default()).unwrap();
        assert_eq!(contents(&plain), [(256, "<s>")]);
        let json = r#"{"pad_token": "<pad>", "bos_token": {"__type": "AddedToken", "content": "<b>",
            "rstrip": true}, "eos_token": "<s>", "additional_special_tokens": ["<x>", "<pad>"]}"#;
        let model = read_folder(&file, &config(json)).unwrap();
        let want = [(256, "<s>"), (257, "<b>"), (258, "<pad>"), (259, "<x>")];
        assert_eq!(contents(&model), want);
        let begin = model.specials().by_id(257).unwrap();
        assert!(begin.special && begin.rstrip && !begin.normalized);
    }

    #[test]
    fn padding_adds_its_token() {
        let padding = r#"{"pad_id": 0, "pad_token": "<pad>"}"#;
        let file = String::from_utf8(tokenizer()).unwrap();
        let file = file.replacen("\"padding\": null", &format!("\"padding\": {padding}"), 1);
        let model = read_folder(file.as_bytes(), &Companions::default()).unwrap();
        assert_eq!(contents(&model), [(256, "<s>"), (257, "<pad>")]);
        assert!(model.call_settings().padding.is_some());
        let none = read_folder(file.as_bytes(), &config(r#"{"pad_token": null}"#)).unwrap();
        assert_eq!(contents(&none), [(256, "<s>")]);
        assert_eq!(
            super::super::read(file.as_bytes())
                .unwrap()
                .specials()
                .len(),
            1
        );
    }

    #[test]
    fn added_tokens_decoder_overrides_the_older_files() {
        let mut files = config(r#"{"added_tokens_decoder": {"9": {"content": "<n>"}}}"#);
        files.added_tokens = Some(br#"{"<y>": 1}"#.into());
        files.special_tokens_map = Some(br#"{"pad_token": "<z>"}"#.into());
        let model = read_folder(&tokenizer(), &files).unwrap();
        assert_eq!(contents(&model), [(256, "<s>"), (257, "<n>")]);
        let listed = model.specials().by_id(257).unwrap();
        assert!(!listed.special && listed.normalized);
        files.tokenizer_config = None;
        let model = read_folder(&tokenizer(), &files).unwrap();
        assert_eq!(contents(&model), [(256, "<s>"), (257, "<y>"), (258, "<z>")]);
    }

    #[test]
    fn contradictory_special_flags_are_refused() {
        let json = r#"{"added_tokens_decoder": {"256": {"content": "<s>", "special": false}}}"#;
        let error = read_folder(&tokenizer(), &config(json)).unwrap_err();
        assert!(
            matches!(error, HuggingFaceError::SpecialAndNot { .. }),
            "{error}"
        );
    }

    #[test]
    fn vocab_and_merges_are_read_for_gpt2_only() {
        let (vocab, merges) = pair();
        let read = |files: &Companions| read_gpt2_folder(&vocab, merges, files);
        let (model, assumed) = read(&Companions::default()).unwrap();
        assert!(assumed && model.specials().is_empty());
        for class in ["GPT2Tokenizer", "GPT2TokenizerFast"] {
            let json = format!(r#"{{"tokenizer_class": "{class}", "add_bos_token": true}}"#);
            let (model, assumed) = read(&config(&json)).unwrap();
            assert!(!assumed);
            assert_eq!(contents(&model), [(256, "<|endoftext|>")]);
            assert_eq!(model.post_processor().affixes().unwrap().before, [256]);
        }
        for class in [
            "Qwen2Tokenizer",
            "RobertaTokenizerFast",
            "PreTrainedTokenizerFast",
        ] {
            let error = read(&config(&format!(r#"{{"tokenizer_class": "{class}"}}"#)));
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(class) && error.contains("GPT2Tokenizer only"),
                "{error}"
            );
        }
        assert!(read(&config("{}")).unwrap().1, "no class is named");
    }

    #[test]
    fn classes_with_another_pattern_are_refused() {
        let file = tokenizer();
        let read = |class: &str| {
            read_folder(
                &file,
                &config(&format!(r#"{{"tokenizer_class": "{class}"}}"#)),
            )
        };
        assert!(read("PreTrainedTokenizerFast").is_ok());
        assert!(read("LlamaTokenizerFast").is_ok());
        assert!(read("GPT2Tokenizer").is_ok());
        let error = read("Qwen2Tokenizer").unwrap_err().to_string();
        assert!(error.contains("has different ones"), "{error}");
        let error = read("GemmaTokenizer").unwrap_err().to_string();
        assert!(error.contains("give the file instead"), "{error}");
    }

    #[test]
    fn another_algorithm_is_reported_before_the_class() {
        let file = br#"{"model": {"type": "WordPiece", "vocab": {}}}"#;
        let error = read_folder(file, &config(r#"{"tokenizer_class": "BertTokenizer"}"#));
        let error = error.unwrap_err();
        assert!(
            matches!(&error, HuggingFaceError::ModelType { name } if name == "WordPiece"),
            "{error}"
        );
    }
}

//! A folder in Hugging Face's layout: a tokenizer and the files beside it that name more tokens.

use super::added::Named;
use super::class::{Class, named_class};
use super::companions::{Companions, Files};
use super::error::HuggingFaceError;
use super::gpt2::{framed, read_gpt2_with};
use super::json::{At, Json};
use super::pre_tokenizer::{read_pre_tokenizer, refuse_prefix_space};
use super::read::{Parts, read_normalizer, read_with};
use crate::model::{Affixes, Model};
use crate::special::SpecialToken;

/// Reads the `tokenizer.json` of a folder, with the added tokens that the files beside it name.
///
/// The ids are those of `AutoTokenizer.from_pretrained` of transformers 5.
///
/// # Errors
/// As [`read`](super::read()); when a file beside it is not as transformers expects it; when
/// transformers would read the folder with a class that does not take the `tokenizer.json` as it is
/// and is not known to give the same ids.
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
        refused(
            "transformers may build another tokenizer than tokenizer.json for it; \
             to read tokenizer.json as it is, give the file instead of the folder",
        )?;
    }
    read_with(tokenizer, |parts| {
        if let Some(pipeline) = class.pipeline() {
            refuse_prefix_space(&files.tokenizer_config)?;
            if !is_pipeline(&parts, pipeline)? {
                refused(
                    "transformers replaces the normalizer and the pre_tokenizer of tokenizer.json \
                     by those of this class, which differ; to read tokenizer.json as it is, give \
                     the file instead of the folder",
                )?;
            }
        }
        settle(parts, &files, class)
    })
}

/// Whether the file splits as the class does.
fn is_pipeline(parts: &Parts<'_>, pipeline: &str) -> Result<bool, HuggingFaceError> {
    let json = Json::parse(pipeline.as_bytes())?;
    let normalizer = read_normalizer(&At::root(&json).field("normalizer"))?;
    let pattern = read_pre_tokenizer(&At::root(&json).field("pre_tokenizer"))?;
    let same = normalizer == parts.normalizer && pattern == *parts.pattern;
    Ok(same && !parts.ignore_merges)
}

/// The added tokens of a `tokenizer.json` and of the files beside it.
fn settle(
    parts: Parts<'_>,
    files: &Files<'_>,
    class: Class,
) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    let pad_token = match parts.padding.is_null() {
        true => None,
        false => Some(parts.padding.field("pad_token").text()?),
    };
    let gathered = Named::gather(files, Some(&parts.added), pad_token, &class.tokens())?;
    // A class of its own starts without the added tokens of the file.
    let added: &[SpecialToken] = match class {
        Class::AsFile => &parts.added,
        _ => &[],
    };
    gathered.add_to(added, parts.spellings, &class.tokens())
}

/// Reads GPT-2's pair of files in a folder, with the added tokens that the files beside it name.
/// Also returns whether no file names a class, so that it was taken to be GPT-2's.
///
/// Without any file beside the pair, the tokens are those of [`read_gpt2`](super::read_gpt2).
///
/// # Errors
/// As [`read_gpt2`](super::read_gpt2); when a file beside it is not as transformers expects it, or
/// names another class than `GPT2Tokenizer`: such a pair is split by another pattern.
pub fn read_gpt2_folder(
    vocab: &[u8],
    merges: &[u8],
    companions: &Companions,
) -> Result<(Model, bool), HuggingFaceError> {
    if companions.is_empty() {
        return Ok((read_gpt2_with(vocab, merges, framed)?, true));
    }
    let parsed = companions.parse()?;
    let files = parsed.files();
    let named = named_class(&files)?;
    if let Some(named) = &named
        && named.class != Class::Gpt2
    {
        return Err(named.refused(
            "vocab.json with merges.txt is read for GPT2Tokenizer alone; save the tokenizer with \
             transformers, which writes a tokenizer.json",
        ));
    }
    refuse_prefix_space(&files.tokenizer_config)?;
    let tokens = Class::Gpt2.tokens();
    let gathered = Named::gather(&files, None, None, &tokens)?;
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
    Ok((model.with_affixes(affixes)?, named.is_none()))
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
    fn tokens_of_the_configuration_are_numbered_behind_all_others() {
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
    fn the_padding_of_the_file_names_a_token() {
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
    fn the_listed_tokens_silence_the_older_files() {
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
    fn a_token_that_is_special_and_not_is_refused() {
        let json = r#"{"added_tokens_decoder": {"256": {"content": "<s>", "special": false}}}"#;
        let error = read_folder(&tokenizer(), &config(json)).unwrap_err();
        assert!(
            matches!(error, HuggingFaceError::SpecialAndNot { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_pair_is_read_for_one_class_alone() {
        let (vocab, merges) = pair();
        let read = |files: &Companions| read_gpt2_folder(&vocab, merges, files);
        let (model, assumed) = read(&Companions::default()).unwrap();
        assert!(assumed && model.specials().is_empty());
        for class in ["GPT2Tokenizer", "GPT2TokenizerFast"] {
            let json = format!(r#"{{"tokenizer_class": "{class}", "add_bos_token": true}}"#);
            let (model, assumed) = read(&config(&json)).unwrap();
            assert!(!assumed);
            assert_eq!(contents(&model), [(256, "<|endoftext|>")]);
            assert_eq!(model.affixes().before, [256]);
        }
        for class in [
            "Qwen2Tokenizer",
            "RobertaTokenizerFast",
            "PreTrainedTokenizerFast",
        ] {
            let error = read(&config(&format!(r#"{{"tokenizer_class": "{class}"}}"#)));
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(class) && error.contains("GPT2Tokenizer alone"),
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
        assert!(error.contains("by those of this class"), "{error}");
        let error = read("GemmaTokenizer").unwrap_err().to_string();
        assert!(error.contains("give the file instead"), "{error}");
    }
}

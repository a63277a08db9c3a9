//! Folders in Hugging Face's layout: a tokenizer, and companion files that may add tokens and name a class.

use super::added::FolderTokens;
use super::class::{Class, named_class};
use super::companions::{Companions, Files};
use super::decoder::with_clean_up;
use super::error::HuggingFaceError;
use super::gpt2::{pair_json, read_gpt2, read_pair};
use super::json::{At, Json, object};
use super::normalizer::read_normalizer;
use super::pre_tokenizer::read_pre_tokenizer;
use super::read::{Components, check_algorithm, parse, read_with};
use crate::model::Model;
use crate::post_processor::{PostProcessor, TemplatePart, Trimming};
use crate::special::SpecialToken;
use crate::token::TokenId;

/// Reads the `tokenizer.json` of a folder, with the added tokens of its companion files.
///
/// Ids equal those of `AutoTokenizer.from_pretrained` of transformers 5, also with special tokens added. Its classes
/// for Llama and Gemma replace the components of a `tokenizer.json` that is not byte-level; so it is here.
///
/// # Errors
/// Those of [`read`](super::read()). Also if a companion file is invalid, or if transformers would use a
/// tokenizer class that may give other ids than the `tokenizer.json`.
pub fn read_folder(tokenizer: &[u8], companions: &Companions) -> Result<Model, HuggingFaceError> {
    let parsed = companions.parse()?;
    let files = parsed.files();
    let named = named_class(&files)?;
    let mut class = named.as_ref().map_or(Class::AsFile, |named| named.class);
    let refused = |why| match &named {
        Some(named) => Err(named.refused(why)),
        None => Ok(()),
    };
    let mut json = parse(tokenizer)?;
    check_algorithm(&json)?;
    if class == Class::Other {
        refused(
            "for this class, transformers may ignore tokenizer.json; to use tokenizer.json \
             unchanged, give the file instead of the folder",
        )?;
    }
    // transformers looks for the same text.
    if class == Class::Llama && memchr::memmem::find(tokenizer, b"\"ByteLevel\"").is_some() {
        class = Class::AsFile;
    }
    let config = &files.tokenizer_config;
    if let Some(pipeline) = class.pipeline(config)?
        && !class.is_text()
        && !is_pipeline(&json, &pipeline)?
    {
        refused(
            "for this class, transformers sets normalizer, pre_tokenizer and ignore_merges \
             itself, and tokenizer.json has different ones; to use tokenizer.json unchanged, \
             give the file instead of the folder",
        )?;
    }
    class.set_pipeline(&mut json, config)?;
    let mut gathered = None;
    let model = read_with(&json, tokenizer.len(), |components| {
        let (tokens, added) = complete_added(components, &files, class)?;
        gathered = Some(tokens);
        Ok(added)
    })?;
    let model = cleaned_up(model, config)?;
    match gathered {
        Some(gathered) => with_processor(model, class, config, &gathered, Some(&json)),
        None => Ok(model),
    }
}

/// Cleans up decoded text if `tokenizer_config.json` asks for it. For BPE, transformers 5 obeys
/// `clean_up_tokenization_spaces` only with a second flag.
fn cleaned_up(model: Model, config: &At<'_>) -> Result<Model, HuggingFaceError> {
    let confirmed =
        config.field("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output");
    let asked = config.field("clean_up_tokenization_spaces");
    if !(asked.flag_or(false)? && confirmed.flag_or(false)?) {
        return Ok(model);
    }
    let decoder = with_clean_up(model.text_decoder()).map_err(|why| asked.refused(why))?;
    Ok(model.with_text_decoder(Some(decoder)))
}

/// Whether the file has the normalizer and pattern in `pipeline`, those of its class, and, like the
/// class, does not set `ignore_merges`.
fn is_pipeline(tokenizer: &Json, pipeline: &Json) -> Result<bool, HuggingFaceError> {
    let components = |json: &Json| {
        let at = |name| At::root(json).field(name);
        let pre_tokenizer = read_pre_tokenizer(&at("pre_tokenizer"))?;
        Ok::<_, HuggingFaceError>((
            read_normalizer(&at("normalizer"))?,
            pre_tokenizer.rewrites,
            pre_tokenizer.pattern,
        ))
    };
    let ignore_merges = At::root(tokenizer).field("model").field("ignore_merges");
    Ok(components(tokenizer)? == components(pipeline)? && !ignore_merges.flag_or(false)?)
}

/// The tokens of a `tokenizer.json` and its companion files, and the same as added tokens with their ids.
fn complete_added(
    components: Components<'_>,
    files: &Files<'_>,
    class: Class,
) -> Result<(FolderTokens, Vec<SpecialToken>), HuggingFaceError> {
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
    let added = gathered.add_to(added, components.spellings, &class.tokens())?;
    Ok((gathered, added))
}

/// Reads `vocab.json` and `merges.txt` of a folder, with the added tokens of its companion files.
/// Also returns whether GPT-2's class was assumed because no file names a class.
///
/// Without companion files, the model is that of [`read_gpt2`](super::read_gpt2).
///
/// # Errors
/// Those of [`read_gpt2`](super::read_gpt2). Also if a companion file is invalid or names an unknown class, or one
/// that transformers does not read from these files.
pub fn read_gpt2_folder(
    vocab: &[u8],
    merges: &[u8],
    companions: &Companions,
) -> Result<(Model, bool), HuggingFaceError> {
    if companions.is_empty() {
        return Ok((read_gpt2(vocab, merges)?, true));
    }
    let parsed = companions.parse()?;
    let files = parsed.files();
    let named = named_class(&files)?;
    let class = named.as_ref().map_or(Class::Gpt2, |named| named.class);
    let config = &files.tokenizer_config;
    let mut json = pair_json(vocab, merges)?;
    let is_other = class == Class::Qwen35 || class.is_text();
    if let Some(named) = &named
        && (is_other || !class.set_pipeline(&mut json, config)?)
    {
        return Err(named.refused(
            "a vocab.json with merges.txt is not read for this class; load the tokenizer with \
             transformers and save it again to get a tokenizer.json",
        ));
    }
    class.set_pipeline(&mut json, config)?;
    let tokens = class.tokens();
    let gathered = FolderTokens::gather(&files, None, None, &tokens)?;
    let model = read_pair(&json, (vocab, merges), |components| {
        gathered.add_to(&[], components.spellings, &tokens)
    })?;
    let model = cleaned_up(model, config)?;
    let model = with_processor(model, class, config, &gathered, None)?;
    Ok((model, named.is_none()))
}

/// The entries of a `tokenizer_config.json` that [`write_config`] keeps.
const KEPT: [&str; 8] = [
    "additional_special_tokens",
    "chat_template",
    "clean_up_tokenization_spaces",
    "extra_special_tokens",
    "model_input_names",
    "model_max_length",
    "padding_side",
    "truncation_side",
];

/// Writes a `tokenizer_config.json` with which transformers 4 and 5 read the `tokenizer.json` of `model`
/// unchanged. If the model comes from a folder, `companions` are its files: the special tokens in their roles, such
/// as `bos_token`, are kept, also those that the tokenizer class implies, and so are the chat template, the tokens
/// without a role, and settings that change no id.
///
/// # Errors
/// If a companion file is invalid.
pub fn write_config(model: &Model, companions: &Companions) -> Result<Vec<u8>, HuggingFaceError> {
    let parsed = companions.parse()?;
    let files = parsed.files();
    let class = named_class(&files).ok().flatten();
    let tokens = class.map_or(Class::AsFile, |named| named.class).tokens();
    // The class name of transformers 4; transformers 5 accepts it too.
    let mut config = object([
        ("tokenizer_class", "PreTrainedTokenizerFast".into()),
        ("clean_up_tokenization_spaces", false.into()),
    ]);
    for name in KEPT {
        if let Some(at) = files.tokenizer_config.get(name) {
            config.set(name, texts_of_tokens(at.value));
        }
    }
    let gathered = FolderTokens::gather(&files, None, None, &tokens)?;
    for (role, content) in gathered.roles() {
        // A role makes its token special. The class may have had no effect, as Llama's for a byte-level file.
        let token = model.specials().by_content(content);
        if token.is_some_and(|token| token.special) {
            config.set(role, content.into());
        }
    }
    Ok(config.pretty()?)
}

/// The value with each `AddedToken` replaced by its text: its flags are in the `tokenizer.json`.
fn texts_of_tokens(value: &Json) -> Json {
    let text = |value: &Json| {
        let at = At::root(value);
        let is_token = at.get("__type").is_some();
        at.get("content")
            .filter(|_| is_token)
            .map_or_else(|| value.clone(), |at| at.value.clone())
    };
    match value {
        Json::List(values) => Json::List(values.iter().map(text).collect()),
        Json::Object(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Replaces the post-processor by that of a class, which may depend on `tokenizer_config.json`. With a
/// `tokenizer.json`, `add_bos_token` and `add_eos_token` have no effect, as in transformers.
fn with_processor(
    model: Model,
    class: Class,
    config: &At<'_>,
    tokens: &FolderTokens,
    tokenizer: Option<&Json>,
) -> Result<Model, HuggingFaceError> {
    let flag = |name: &str| match tokenizer {
        Some(_) => Ok(false),
        None => config.field(name).flag_or(false),
    };
    let has_own = tokenizer.is_some_and(|json| !At::root(json).field("post_processor").is_null());
    let id = |role: &str| {
        let text = tokens.special(role)?;
        Some(model.specials().by_content(text)?.id)
    };
    let required = |role: &'static str| {
        id(role).ok_or_else(|| {
            config
                .field(role)
                .expected("a token, which this class adds to texts")
        })
    };
    let (before, after) = match class {
        Class::Roberta | Class::Deberta => {
            (vec![required("cls_token")?], vec![required("sep_token")?])
        }
        Class::Clip => (vec![required("bos_token")?], vec![required("eos_token")?]),
        Class::Whisper => (
            whisper_prefix(&model, config, required("unk_token")?)?,
            vec![required("eos_token")?],
        ),
        _ if class == Class::GptNeoX || !has_own => {
            let (bos, eos) = (flag("add_bos_token")?, flag("add_eos_token")?);
            let before = id("bos_token").filter(|_| bos).into_iter();
            let after = id("eos_token").filter(|_| eos).into_iter();
            (before.collect(), after.collect())
        }
        _ => return Ok(model),
    };
    let trimming = match class {
        Class::Roberta => read_trimming(config)?,
        _ => None,
    };
    let [single, pair] = templates(class, &before, &after);
    match PostProcessor::new(single.into(), Some(pair.into())) {
        Ok(processor) => Ok(model.with_post_processor(processor.with_trimming(trimming))?),
        Err(_) => Ok(model),
    }
}

/// The templates with which a class adds ids before and after a text, and a pair of texts.
fn templates(class: Class, before: &[TokenId], after: &[TokenId]) -> [Vec<TemplatePart>; 2] {
    let added = |ids: &[TokenId], type_id| {
        let part = move |&id| TemplatePart::Added { id, type_id };
        Vec::from_iter(ids.iter().map(part))
    };
    let second = |type_id| vec![TemplatePart::Second { type_id }];
    let first = [added(before, 0), vec![TemplatePart::First { type_id: 0 }]].concat();
    let single = [&first[..], &added(after, 0)].concat();
    let pair = match class {
        Class::Roberta | Class::Deberta | Class::Clip => {
            [&single[..], &added(after, 0), &second(0), &added(after, 0)].concat()
        }
        Class::Whisper => [first, second(1), added(after, 1)].concat(),
        _ => [&single[..], &added(before, 1), &second(1), &added(after, 1)].concat(),
    };
    [single, pair]
}

/// How RoBERTa's class trims offsets.
fn read_trimming(config: &At<'_>) -> Result<Option<Trimming>, HuggingFaceError> {
    let trims = config.field("trim_offsets").flag_or(true)?;
    let trimming = match config.field("add_prefix_space").flag_or(false)? {
        true => Trimming::KeepPrefixSpace,
        false => Trimming::All,
    };
    Ok(trims.then_some(trimming))
}

/// The ids that Whisper's class adds before a text: the start, and the token for a text without timestamps.
fn whisper_prefix(
    model: &Model,
    config: &At<'_>,
    unknown: TokenId,
) -> Result<Vec<TokenId>, HuggingFaceError> {
    for name in ["language", "task"] {
        if !config.field(name).is_null() {
            return Err(config.field(name).unsupported("expected null"));
        }
    }
    let id = |text: &str| model.id(text.as_bytes()).unwrap_or(unknown);
    let mut prefix = vec![id("<|startoftranscript|>")];
    if !config.field("predict_timestamps").flag_or(false)? {
        prefix.push(id("<|notimestamps|>"));
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::{Pattern, PatternName};
    use crate::tokenizer::Tokenizer;

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
    fn vocab_and_merges_are_read_as_the_class_says() {
        let (vocab, merges) = pair();
        let read = |files: &Companions| read_gpt2_folder(&vocab, merges, files);
        let (model, assumed) = read(&Companions::default()).unwrap();
        assert!(assumed && model.specials().is_empty());
        for class in ["GPT2Tokenizer", "GPT2TokenizerFast", "CodeGenTokenizer"] {
            let json = format!(r#"{{"tokenizer_class": "{class}", "add_bos_token": true}}"#);
            let (model, assumed) = read(&config(&json)).unwrap();
            assert!(!assumed);
            assert_eq!(contents(&model), [(256, "<|endoftext|>")]);
            assert_eq!(model.post_processor().affixes().unwrap().before, [256]);
        }
        for class in [
            "CohereTokenizer",
            "LlamaTokenizer",
            "PreTrainedTokenizerFast",
            "Qwen3_5Tokenizer",
            "Made",
        ] {
            let error = read(&config(&format!(r#"{{"tokenizer_class": "{class}"}}"#)));
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(class) && error.contains("is not read for this class"),
                "{error}"
            );
        }
        assert!(read(&config("{}")).unwrap().1, "no class is named");
    }

    /// The results are those of transformers 5.24.
    #[test]
    fn classes_set_pattern_tokens_and_post_processor() {
        let (vocab, merges) = pair();
        let read = |class: &str, more: &str| {
            let json = format!(r#"{{"tokenizer_class": "{class}"{more}}}"#);
            read_gpt2_folder(&vocab, merges, &config(&json)).unwrap().0
        };
        let sentence = [
            (256, "<s>"),
            (257, "</s>"),
            (258, "<unk>"),
            (259, "<pad>"),
            (260, "<mask>"),
        ];
        let ids = |model: &Model, text: &str| Tokenizer::new(model.clone()).encode(text).unwrap();
        for class in [
            "RobertaTokenizer",
            "BartTokenizerFast",
            "LongformerTokenizer",
            "LEDTokenizer",
        ] {
            let model = read(class, "");
            assert_eq!(contents(&model), sentence);
            let affixes = model.post_processor().affixes().unwrap();
            assert_eq!((affixes.before, affixes.after), (vec![256], vec![257]));
            let pair = model
                .post_processor()
                .process_pair(&[1], &[2], true)
                .unwrap();
            assert_eq!(pair, (vec![256, 1, 257, 257, 2, 257], vec![0; 6]));
            assert_eq!(ids(&model, "a"), [97]);
            let model = read(class, r#", "add_prefix_space": true"#);
            assert_eq!(ids(&model, "a"), [32, 97]);
        }
        let model = read("BlenderbotTokenizer", r#", "add_eos_token": true"#);
        assert_eq!(ids(&model, "a"), [32, 97]);
        assert!(model.specials().by_content("<mask>").unwrap().lstrip);
        assert_eq!(model.post_processor().affixes().unwrap().after, [257]);
        let pair = read("DebertaTokenizer", "")
            .post_processor()
            .process_pair(&[1], &[2], true);
        assert_eq!(pair.unwrap(), (vec![256, 1, 257, 257, 2, 257], vec![0; 6]));
        let model = read("GPTNeoXTokenizer", "");
        assert_eq!(
            contents(&model),
            [(256, "<|endoftext|>"), (257, "<|padding|>")]
        );
        assert_eq!(ids(&model, "e\u{301}"), [0xC3, 0xA9]);
        let model = read(
            "WhisperTokenizer",
            r#", "additional_special_tokens": ["<|startoftranscript|>"]"#,
        );
        let affixes = model.post_processor().affixes().unwrap();
        assert_eq!((affixes.before, affixes.after), (vec![257, 256], vec![256]));
        let model = read("Qwen2Tokenizer", "");
        assert_eq!(model.normalizer(), Some(&crate::normalize::Normalizer::Nfc));
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
        let error = read("CohereTokenizer").unwrap_err().to_string();
        assert!(error.contains("give the file instead"), "{error}");
    }

    #[test]
    fn a_written_folder_leaves_its_tokenizer_unchanged() {
        let classes = [
            "BlenderbotTokenizer",
            "GemmaTokenizer",
            "GPT2Tokenizer",
            "LlamaTokenizer",
            "PreTrainedTokenizerFast",
            "Qwen2Tokenizer",
            "RobertaTokenizer",
        ];
        let special = String::from_utf8(tokenizer()).unwrap();
        let plain = special.replace("\"special\": true", "\"special\": false");
        assert_ne!(plain, special);
        for (class, file) in classes
            .iter()
            .flat_map(|class| [(class, &special), (class, &plain)])
        {
            for roles in ["", r#", "bos_token": "<s>""#, r#", "pad_token": "<pad>""#] {
                let companions = config(&format!("{{\"tokenizer_class\": \"{class}\"{roles}}}"));
                let Ok(model) = read_folder(file.as_bytes(), &companions) else {
                    continue;
                };
                let written = super::super::write(&model).unwrap();
                let read = super::super::read(&written).unwrap();
                let json = String::from_utf8(write_config(&model, &companions).unwrap()).unwrap();
                let again = read_folder(written.as_slice(), &config(&json)).unwrap();
                assert_eq!(again, read, "{class}{roles}: {json}");
            }
        }
        // transformers ignores the class for a byte-level file, and so the roles that it implies.
        let llama = config(r#"{"tokenizer_class": "LlamaTokenizer"}"#);
        for (file, is_role) in [(&special, true), (&plain, false)] {
            let model = read_folder(file.as_bytes(), &llama).unwrap();
            let json = String::from_utf8(write_config(&model, &llama).unwrap()).unwrap();
            assert_eq!(json.contains("bos_token"), is_role, "{json}");
        }
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

//! Reads a `tokenizer.json`, component by component.

use super::decoder::read_decoder;
use super::error::{HuggingFaceError, MAX_BYTES};
use super::json::{At, Json};
use super::normalizer::read_normalizer;
use super::post_processor::read_post_processor;
use super::pre_tokenizer::{PreTokenizer, read_pre_tokenizer};
use super::vocabulary::{Spellings, pair};
use crate::add_tokens::with_decoded;
use crate::byte_level::bytes_of;
use crate::merges::Merge;
use crate::model::{CallSettings, Model, ModelError};
use crate::normalize::Normalizer;
use crate::pattern::Pattern;
use crate::special::{SpecialToken, check_normalized};
use crate::symbols::Symbols;
use crate::text_decoder::TextDecoder;

/// Reads a `tokenizer.json`.
///
/// # Errors
/// If a component or field is invalid or unsupported, or components contradict each other; the error
/// names the path. The [module](super) lists what is supported.
pub fn read(bytes: &[u8]) -> Result<Model, HuggingFaceError> {
    read_with(&parse(bytes)?, bytes.len(), |parts| Ok(parts.added))
}

/// Parses a file of limited size.
pub(super) fn parse(bytes: &[u8]) -> Result<Json, HuggingFaceError> {
    if bytes.len() > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes: bytes.len() });
    }
    Ok(Json::parse(bytes)?)
}

/// The parts of a `tokenizer.json` that are needed to determine the added tokens of a model, which the other
/// files in its folder may change.
pub(super) struct Components<'p> {
    pub(super) spellings: &'p Spellings<'p>,
    pub(super) added: Vec<SpecialToken>,
    pub(super) padding: At<'p>,
}

/// Reads a `tokenizer.json` of this length in bytes. The model gets the added tokens that `complete_added`
/// returns, which may differ from those in the file.
pub(super) fn read_with(
    json: &Json,
    bytes: usize,
    complete_added: impl FnOnce(Components<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    let root = At::root(json);
    check_model_type(&root.field("model"))?;
    root.only(
        "version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder \
         model",
    )?;
    let version = root.field("version");
    if !version.is_null() && version.text()? != "1.0" {
        return Err(version.unsupported("expected \"1.0\""));
    }
    let settings = read_settings(&root)?;
    let normalizer = read_normalizer(&root.field("normalizer"))?;
    let PreTokenizer {
        rewrites,
        pattern,
        characters,
    } = read_pre_tokenizer(&root.field("pre_tokenizer"))?;
    let processor = read_post_processor(&root.field("post_processor"))?;
    let decoder = read_decoder(&root.field("decoder"), characters)?;
    let mut added = read_added_tokens(&root.field("added_tokens"))?;
    let complete_added = |spellings: &Spellings<'_>| {
        spellings.number(&mut added);
        let completed = complete_added(Components {
            spellings,
            added,
            padding: root.field("padding"),
        })?;
        let normalizer = normalizer.as_ref();
        check_added(&root.field("added_tokens"), &completed, normalizer)?;
        Ok(with_decoded(completed, normalizer, characters))
    };
    let at = root.field("model");
    let is_spelled = decoder.as_ref().is_some_and(TextDecoder::is_spelled);
    let model = read_model(&at, bytes, pattern, characters, is_spelled, complete_added)?;
    let model = model.with_post_processor(processor)?;
    let model = model.with_normalizer(normalizer).with_rewrites(rewrites);
    Ok(model
        .with_text_decoder(decoder)
        .with_call_settings(settings))
}

/// Checks the normalized contents of added tokens.
fn check_added(
    at: &At<'_>,
    tokens: &[SpecialToken],
    normalizer: Option<&Normalizer>,
) -> Result<(), HuggingFaceError> {
    check_normalized(tokens, normalizer).map_err(ModelError::from)?;
    let is_emptied = |token: &SpecialToken| {
        !token.content.is_empty() && token.normalized_content(normalizer).is_empty()
    };
    match tokens.iter().any(is_emptied) {
        true => Err(at.refused("a token that the normalizer empties")),
        false => Ok(()),
    }
}

fn read_settings(root: &At<'_>) -> Result<CallSettings, HuggingFaceError> {
    Ok(CallSettings {
        truncation: read_setting(&root.field("truncation"))?,
        padding: read_setting(&root.field("padding"))?,
    })
}

/// Returns `truncation` or `padding` as JSON text, the form in which the model stores it; `None` for `null`.
fn read_setting(at: &At<'_>) -> Result<Option<String>, HuggingFaceError> {
    if at.is_null() {
        return Ok(None);
    }
    at.entries()?;
    Ok(Some(serde_json::to_string(at.value)?))
}

fn read_added_tokens(at: &At<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    if at.is_null() {
        return Ok(Vec::new());
    }
    let mut tokens = Vec::new();
    for token in at.list()? {
        token.only("id content single_word lstrip rstrip normalized special")?;
        tokens.push(SpecialToken {
            content: token.field("content").text()?.to_owned(),
            id: token.field("id").id()?,
            decoded: None,
            special: token.field("special").flag()?,
            normalized: token.field("normalized").flag()?,
            lstrip: token.field("lstrip").flag()?,
            rstrip: token.field("rstrip").flag()?,
            single_word: token.field("single_word").flag()?,
        });
    }
    Ok(tokens)
}

fn read_model(
    at: &At<'_>,
    bytes: usize,
    pattern: Pattern,
    characters: bool,
    is_spelled: bool,
    complete_added: impl FnOnce(&Spellings<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    check_model(at)?;
    let ignore_merges = at.field("ignore_merges").flag_or(false)?;
    let spellings = Spellings::read(&at.field("vocab"), bytes)?;
    let symbols = read_symbols(at, characters, &spellings)?;
    let added = complete_added(&spellings)?;
    let prefix = at.field("continuing_subword_prefix");
    let prefix = if prefix.is_null() { "" } else { prefix.text()? };
    let merges = at.field("merges");
    let Json::List(list) = merges.value else {
        return Err(merges.expected("a list"));
    };
    let rule = |(rank, merge)| {
        let rule = spellings.merge(pair_of(merge), prefix);
        rule.map_err(|fault| HuggingFaceError::Merge { rank, fault })
    };
    let rules: Result<Vec<Merge>, HuggingFaceError> = list.iter().enumerate().map(rule).collect();
    spellings.model(pattern, rules?, ignore_merges, &added, symbols, is_spelled)
}

/// Refuses algorithms other than BPE. Runs before the other checks: a file of another algorithm may fail
/// those too, but with a less helpful error. A missing type is accepted: old BPE files have none.
fn check_model_type(at: &At<'_>) -> Result<(), HuggingFaceError> {
    match at.field("type").value {
        Json::Text(name) if name != "BPE" => {
            let name = name.clone();
            Err(HuggingFaceError::ModelType { name })
        }
        _ => Ok(()),
    }
}

/// Refuses a `tokenizer.json` of an algorithm other than BPE. Checks nothing else.
pub(super) fn check_algorithm(json: &Json) -> Result<(), HuggingFaceError> {
    check_model_type(&At::root(json).field("model"))
}

/// Refuses unsupported settings of the model.
fn check_model(at: &At<'_>) -> Result<(), HuggingFaceError> {
    at.entries()?;
    let name = at.field("type");
    if !name.is_null() {
        name.text()?;
    }
    at.only(
        "type dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk byte_fallback \
         ignore_merges vocab merges",
    )?;
    let dropout = at.field("dropout");
    match dropout.value {
        Json::Null | Json::Integer(0) => {}
        Json::Float(rate) if *rate == 0.0 => {}
        _ => return Err(dropout.unsupported("expected 0 or null: with dropout, ids are random")),
    }
    Ok(())
}

/// Reads the fields for symbols that are not tokens. `characters` states whether the tokens are text.
fn read_symbols(
    at: &At<'_>,
    characters: bool,
    spellings: &Spellings<'_>,
) -> Result<Symbols, HuggingFaceError> {
    let unknown = at.field("unk_token");
    let unknown = match unknown.is_null() {
        true => None,
        false => spellings.id(unknown.text()?),
    };
    let fallback = at.field("byte_fallback");
    let byte_fallback = fallback.flag_or(false)?;
    if byte_fallback && !characters && !(0..=255).all(|byte| spellings.has_byte(byte)) {
        // `tokenizers` would insert the tokens for the UTF-8 form of the spelling of the byte.
        return Err(fallback.unsupported("expected false in a byte-level model that lacks a byte"));
    }
    let affix = |name| read_affix(&at.field(name), characters);
    let symbols = Symbols {
        characters,
        byte_fallback,
        unknown,
        fuse_unknown: at.field("fuse_unk").flag_or(false)?,
        continuing_subword_prefix: affix("continuing_subword_prefix")?,
        end_of_word_suffix: affix("end_of_word_suffix")?,
    };
    match byte_fallback && symbols.has_affixes() {
        true => Err(fallback.unsupported("expected false in a model with affixes")),
        false => Ok(symbols),
    }
}

/// Reads `continuing_subword_prefix` or `end_of_word_suffix` as the bytes of tokens.
fn read_affix(at: &At<'_>, characters: bool) -> Result<Vec<u8>, HuggingFaceError> {
    if at.is_null() {
        return Ok(Vec::new());
    }
    match at.text()? {
        text if characters => Ok(text.as_bytes().to_vec()),
        text => bytes_of(text).ok_or_else(|| at.expected("a byte-level spelling")),
    }
}

/// The two tokens of a merge, `"a b"` or `["a", "b"]`.
fn pair_of(merge: &Json) -> Option<(&str, &str)> {
    match merge {
        Json::Text(text) => pair(text),
        Json::List(pair) => match pair.as_slice() {
            [Json::Text(left), Json::Text(right)] => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::object;
    use super::*;
    use crate::byte_level::spell;
    use crate::model::Merging;
    use crate::normalize::Normalizer;
    use crate::pattern::{Gaps, PatternName};
    use crate::token::TokenId;
    use crate::tokenizer::Tokenizer;

    /// A file with the 256 bytes, `ab`, `abc` and two added tokens; the second strips white space on
    /// both sides.
    fn file() -> Json {
        let tokens = (0..=255u8).map(|byte| vec![byte]);
        let tokens = tokens.chain([b"ab".to_vec(), b"abc".to_vec()]);
        let vocab = tokens
            .zip(0u32..)
            .map(|(token, id)| (spell(&token), id.into()));
        let added = |id: u32, content: &str, strips: bool| {
            object([
                ("id", id.into()),
                ("content", content.into()),
                ("single_word", false.into()),
                ("lstrip", strips.into()),
                ("rstrip", strips.into()),
                ("normalized", false.into()),
                ("special", true.into()),
            ])
        };
        object([
            ("version", "1.0".into()),
            ("truncation", Json::Null),
            ("padding", Json::Null),
            (
                "added_tokens",
                Json::List(vec![added(258, "<s>", false), added(259, "<｜e｜>", true)]),
            ),
            ("normalizer", Json::Null),
            ("pre_tokenizer", json(BYTE_LEVEL)),
            ("post_processor", Json::Null),
            ("decoder", json(BYTE_LEVEL)),
            (
                "model",
                object([
                    ("type", "BPE".into()),
                    ("vocab", Json::Object(vocab.collect())),
                    ("merges", json(r#"["a b", ["ab", "c"]]"#)),
                ]),
            ),
        ])
    }

    const BYTE_LEVEL: &str = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    /// The file with `value` at `path`, replaced or added.
    fn with(path: &str, value: &str) -> Json {
        changed(file(), path, value)
    }

    fn changed(mut file: Json, path: &str, value: &str) -> Json {
        let mut target = &mut file;
        for key in path.split('.') {
            target = match target {
                Json::List(list) => &mut list[key.parse::<usize>().unwrap()],
                Json::Object(fields) => {
                    if !fields.iter().any(|(name, _)| name == key) {
                        fields.push((key.to_owned(), Json::Null));
                    }
                    let found = fields.iter_mut().find(|(name, _)| name == key);
                    &mut found.unwrap().1
                }
                other => panic!("{path}: {other:?}"),
            };
        }
        *target = json(value);
        file
    }

    fn read_json(file: &Json) -> Result<Model, HuggingFaceError> {
        read(&file.pretty().unwrap())
    }

    fn ids(model: Model, text: &str) -> Vec<TokenId> {
        let encoder = Tokenizer::new(model);
        let all = encoder.model().all_specials();
        let mut ids = Vec::new();
        encoder
            .request()
            .allow(&all)
            .encode_into(text.as_bytes(), &mut ids)
            .unwrap();
        ids
    }

    #[test]
    fn a_plain_file_is_read() {
        let model = read_json(&file()).unwrap();
        assert_eq!(model.pattern().name(), Some(PatternName::Gpt2));
        assert_eq!(ids(model, "abc<s>ab <｜e｜> x"), [257, 258, 256, 259, 120]);
    }

    #[test]
    fn supported_components_are_read() {
        let model = |path: &str, value: &str| read_json(&with(path, value)).unwrap();
        let nfc = model(
            "normalizer",
            r#"{"type": "Sequence", "normalizers": [{"type": "NFC"}]}"#,
        );
        assert_eq!(nfc.normalizer(), Some(&Normalizer::Nfc));
        let none = model("normalizer", r#"{"type": "Sequence", "normalizers": []}"#);
        assert_eq!(none.normalizer(), None);
        let first = model("model.ignore_merges", "true");
        let Merging::Merges { ignore_merges, .. } = first.merging() else {
            panic!("a file lists merges");
        };
        assert!(ignore_merges);
        assert_eq!(model("model.dropout", "0.0"), read_json(&file()).unwrap());

        let steps = r#"{"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}+"}, "behavior": "Isolated", "invert": false},
            {"type": "Split", "pattern": {"String": "a.b"}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}"#;
        let stages = model("pre_tokenizer", steps);
        let stages: Vec<_> = stages.pattern().stages().collect();
        assert_eq!(
            stages,
            [(r"(?:\p{N}{1,3})+", Gaps::Keep), (r"a\.b", Gaps::Drop)]
        );
        let whole = model("pre_tokenizer.use_regex", "false");
        assert_eq!(whole.pattern(), &Pattern::sequence([]));

        let template = r#"{"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "begin", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [],
             "special_tokens": {"begin": {"id": "begin", "ids": [258, 259], "tokens": ["<s>", "x"]}}}]}"#;
        let affixes = model("post_processor", template);
        let affixes = affixes.post_processor().affixes().unwrap();
        assert_eq!(affixes.before, [258, 259]);
        assert!(affixes.after.is_empty());
    }

    /// Ids and ranges made with `tokenizers` 0.23.1.
    #[test]
    fn text_is_changed_as_by_tokenizers() {
        let prefix = BYTE_LEVEL.replace(r#"space": false"#, r#"space": true"#);
        let metaspace = |fields: &str| {
            format!(
                r#"{{"type": "Sequence", "pretokenizers": [
                    {{"type": "Metaspace", "replacement": "a", {fields}}}, {BYTE_LEVEL}]}}"#
            )
        };
        for (pre_tokenizer, text, want) in [
            (
                prefix.clone(),
                "ab c",
                [(32, 0..1), (256, 0..2), (32, 2..3), (99, 3..4)].to_vec(),
            ),
            (prefix, " b", [(32, 0..1), (98, 1..2)].to_vec()),
            (
                metaspace(r#""prepend_scheme": "always""#),
                "b b",
                [(256, 0..1), (256, 1..3)].to_vec(),
            ),
            (
                metaspace(r#""prepend_scheme": "first", "split": false"#),
                "b<s>b",
                [(256, 0..1), (258, 1..4), (98, 4..5)].to_vec(),
            ),
            (
                metaspace(r#""prepend_scheme": "never""#),
                " b",
                [(256, 0..2)].to_vec(),
            ),
        ] {
            let model = read_json(&with("pre_tokenizer", &pre_tokenizer)).unwrap();
            let written = read(&super::super::write(&model).unwrap());
            assert_eq!(written.as_ref(), Ok(&model), "{pre_tokenizer}");
            let native = crate::format::native::read(&crate::format::native::write(&model));
            assert_eq!(native.as_ref(), Ok(&model), "{pre_tokenizer}");
            let tokenizer = Tokenizer::new(model);
            let all = tokenizer.model().all_specials();
            let request = tokenizer.request().allow(&all);
            let found = request.offsets(text).unwrap();
            let found: Vec<_> = found.ids.into_iter().zip(found.ranges).collect();
            assert_eq!(found, want, "{pre_tokenizer} {text:?}");
            let mut stream = request.stream();
            let mut ids = Vec::new();
            for byte in text.as_bytes().chunks(1) {
                stream.push(byte, &mut ids).unwrap();
            }
            stream.finish(&mut ids).unwrap();
            let want: Vec<TokenId> = want.into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, want, "{pre_tokenizer} {text:?}");
        }
    }

    #[test]
    fn normalizers_are_read_and_written() {
        let steps = r#"{"type": "Sequence", "normalizers": [
            {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"},
            {"type": "StripAccents"}, {"type": "Strip", "strip_left": true, "strip_right": false},
            {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
            {"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"Regex": "x+"}, "content": ""},
                {"type": "Prepend", "prepend": "ab"}, {"type": "NFC"}]}]}"#;
        let model = read_json(&with("normalizer", steps)).unwrap();
        let names =
            "NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Replace, Prepend, NFC";
        assert_eq!(model.normalizer().unwrap().to_string(), names);
        assert_eq!(
            read(&super::super::write(&model).unwrap()).as_ref(),
            Ok(&model)
        );
        let native = crate::format::native::write(&model);
        assert_eq!(crate::format::native::read(&native).as_ref(), Ok(&model));
        assert_eq!(ids(model, " Cx \u{e9}"), [257, 95, 101]);
        let emptied = r#"{"type": "Replace", "pattern": {"String": "<s>"}, "content": ""}"#;
        let mut file = with("normalizer", emptied);
        assert!(read_json(&file).is_ok());
        let Json::Object(fields) = &mut file else {
            unreachable!("an object")
        };
        let normalized = with("added_tokens.0.normalized", "true");
        let Json::Object(other) = normalized else {
            unreachable!("an object")
        };
        let added = other.into_iter().find(|(name, _)| name == "added_tokens");
        fields.retain(|(name, _)| name != "added_tokens");
        fields.extend(added);
        let error = read_json(&file).unwrap_err().to_string();
        assert!(
            error.starts_with("added_tokens: a token that the normalizer empties"),
            "{error}"
        );
    }

    #[test]
    fn errors_name_the_path() {
        let cases = [
            ("version", "\"2.0\"", "version: \"2.0\" is not supported"),
            ("truncation", "[]", "truncation: expected an object"),
            ("padding", "7", "padding: expected an object, found 7"),
            ("extra", "1", "extra: unknown field"),
            (
                "normalizer",
                r#"{"type": "Nmt"}"#,
                "normalizer: Nmt is not supported",
            ),
            (
                "normalizer",
                r#"{"type": "Sequence", "normalizers": [{"type": "BertNormalizer"}]}"#,
                "normalizer.normalizers[0]: BertNormalizer",
            ),
            (
                "normalizer",
                r#"{"type": "Prepend", "prepend": ""}"#,
                "normalizer.prepend: \"\" is not supported",
            ),
            (
                "normalizer",
                r#"{"type": "Replace", "pattern": {"Regex": "a*"}, "content": "b"}"#,
                "can match the empty string",
            ),
            (
                "normalizer",
                r#"{"type": "Replace", "pattern": {"Regex": "a(?=b)"}, "content": "b"}"#,
                "normalizer.pattern.Regex: \"a(?=b)\", which has look-around",
            ),
            (
                "normalizer",
                r#"{"type": "Replace", "pattern": {"String": ""}, "content": "b"}"#,
                "normalizer.pattern.String: \"\", which matches the empty string",
            ),
            (
                "normalizer",
                r#"{"type": "NFC", "form": 1}"#,
                "normalizer.form: unknown field",
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Metaspace", "replacement": "ab"}"#,
                "pre_tokenizer.replacement: \"ab\"",
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}"#,
                "pre_tokenizer.prepend_scheme: \"last\"",
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Metaspace", "replacement": "_", "add_prefix_space": false}"#,
                "pre_tokenizer.add_prefix_space: false",
            ),
            ("pre_tokenizer.new", "true", "pre_tokenizer.new: unknown"),
            (
                "pre_tokenizer",
                r#"{"type": "Split", "pattern": {"Regex": "\\R"}, "behavior": "Isolated", "invert": false}"#,
                r#"regex "\\R": \R at byte 0"#,
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Merged", "invert": false}"#,
                "pre_tokenizer.behavior: expected a behavior of Split",
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated", "invert": false}"#,
                "match the empty string",
            ),
            (
                "post_processor",
                r#"{"type": "BertProcessing", "cls": ["<s>"], "sep": ["<s>", 258]}"#,
                "post_processor.cls: expected a token and its id, found a list",
            ),
            (
                "post_processor",
                r#"{"type": "NewProcessing"}"#,
                "post_processor: NewProcessing",
            ),
            (
                "post_processor",
                r#"{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}"#,
                r#"post_processor.single: expected a list that contains {"Sequence""#,
            ),
            (
                "post_processor",
                r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {}}"#,
                "post_processor.special_tokens.x: expected an object, found null",
            ),
            ("decoder", r#"{"type": "CTC"}"#, "decoder: CTC"),
            (
                "added_tokens.0.id",
                "-1",
                "added_tokens[0].id: expected a whole number, found -1",
            ),
            ("added_tokens.0.id", "1e300", "expected a whole number"),
            ("added_tokens.0.content", "\"\"", "empty special token"),
            (
                "added_tokens.1.content",
                "\"<s>\"",
                "duplicate special token \"<s>\"",
            ),
            (
                "added_tokens.0.special",
                "1",
                "added_tokens[0].special: expected true or false",
            ),
            ("model.type", "1", "model.type: expected a string, found 1"),
            (
                "model.dropout",
                "0.1",
                "model.dropout: 0.1 is not supported (expected 0 or null: with dropout, ids are random)",
            ),
            (
                "model.end_of_word_suffix",
                "\"< w\"",
                "model.end_of_word_suffix: expected a byte-level spelling, found \"< w\"",
            ),
            (
                "model.end_of_word_suffix",
                "1",
                "model.end_of_word_suffix: expected a string, found 1",
            ),
            (
                "model.continuing_subword_prefix",
                "\"##\"",
                "model.merges[0]: token \"b\" does not continue a word",
            ),
            ("model.byte_fallback", "1", "model.byte_fallback"),
            ("model.merges", "null", "model.merges: expected a list"),
            (
                "model.merges.0",
                "\"a b c\"",
                "model.merges[0]: expected two tokens",
            ),
            (
                "model.merges.1",
                "[\"a\"]",
                "model.merges[1]: expected two tokens",
            ),
            (
                "model.merges.1",
                "\"a xyz\"",
                "model.merges[1]: token \"xyz\" is not in the vocabulary",
            ),
            (
                "model.merges.1",
                "\"a c\"",
                "model.merges[1]: merged token \"ac\"",
            ),
            ("model.vocab.ab", "97", "duplicate id 97"),
            ("model.vocab.ab", "null", "model.vocab.ab: expected an id"),
            ("model.vocab.ab", "16777216", "id 16777216 is above"),
            ("model.vocab.ab", "18446744073709551616", "expected an id"),
            (
                "model.vocab",
                "{\"a\": 1}",
                "model.merges[0]: token \"b\" is not in the vocabulary",
            ),
            ("model", "[]", "model: expected an object"),
        ];
        for (path, value, message) in cases {
            let error = read_json(&with(path, value)).unwrap_err().to_string();
            assert!(error.contains(message), "{path} = {value}: {error}");
        }
        let replace = r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "b"}"#;
        for (path, value) in [("model.ignore_merges", "true"), ("decoder", replace)] {
            let file = changed(with("model.vocab.x y", "260"), path, value);
            let error = read_json(&file).unwrap_err();
            assert!(matches!(error, HuggingFaceError::NotByteLevel { token } if token == "x y"));
        }
    }

    /// Ids and text are those of `tokenizers` 0.23.1, except for the tokens that do not decode here.
    #[test]
    fn tokens_that_are_not_byte_level_text_only_decode() {
        let model = small(
            BYTE_LEVEL,
            BYTE_LEVEL,
            &[],
            r#"{"a": 0, "b": 1, "ab": 2, "ä¸": 3, "a b": 4, " ": 5, "Ġ": 6, "中": 7, "ä": 8, "¸": 9, "Ń": 10,
                "ä¸Ń": 11}, "merges": ["a b", "ä ¸", "ä¸ Ń"]"#,
        );
        let model = read(model.as_bytes()).unwrap();
        for id in [5, 7] {
            assert!(model.decode(&[id]).is_err(), "{id}");
        }
        assert_eq!(model.decode(&[4]).unwrap(), b"a b");
        assert_eq!(ids(model.clone(), "a b ab中"), [0, 6, 1, 6, 2, 11]);
        let native = crate::format::native::read(&crate::format::native::write(&model));
        assert_eq!(native.as_ref(), Ok(&model));
    }

    /// A file of a small vocabulary. `model` has the fields of `model` from `vocab` on.
    fn small(pre_tokenizer: &str, decoder: &str, added: &[(&str, u32)], model: &str) -> String {
        let added = added.iter().map(|(content, id)| {
            format!(
                r#"{{"id": {id}, "content": "{content}", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}}"#
            )
        });
        let added = added.collect::<Vec<_>>().join(", ");
        format!(
            r#"{{"added_tokens": [{added}], "normalizer": null, "pre_tokenizer": {pre_tokenizer},
            "decoder": {decoder}, "model": {{"type": "BPE", "vocab": {model}}}}}"#
        )
    }

    /// Expected ids are from `tokenizers` 0.23.1, which drops text where these texts are refused.
    #[test]
    fn missing_bytes_holes_and_duplicate_merges_are_read_as_in_tokenizers() {
        let texts = ["abc", "a<s>b<e>", "axxb", "x\u{e9}"];
        let cases: [(&str, &str, [&[TokenId]; 4]); 4] = [
            (r#"["a b", "b c"]"#, "", [&[2, 9], &[0, 7, 1, 6], &[], &[]]),
            (
                r#"["a b", "b c", "a b"]"#,
                "",
                [&[0, 4], &[0, 7, 1, 6], &[], &[]],
            ),
            (
                r#"["a b", "b c"]"#,
                r#""unk_token": "[U]", "#,
                [&[2, 9], &[0, 7, 1, 6], &[0, 3, 3, 1], &[3, 3, 3]],
            ),
            (
                r#"["a b", "b c", "a b"]"#,
                r#""unk_token": "[U]", "fuse_unk": true, "#,
                [&[0, 4], &[0, 7, 1, 6], &[0, 3, 1], &[3]],
            ),
        ];
        for (merges, fields, want) in cases {
            let vocab = r#"{"a": 0, "b": 1, "c": 9, "ab": 2, "bc": 4, "[U]": 3}"#;
            let model = format!(r#"{vocab}, {fields}"merges": {merges}"#);
            let added = [("[U]", 3), ("<e>", 77), ("<s>", 5)];
            let file = small(BYTE_LEVEL, BYTE_LEVEL, &added, &model);
            let tokenizer = Tokenizer::new(read(file.as_bytes()).unwrap());
            let all = tokenizer.model().all_specials();
            for (text, want) in texts.iter().zip(want) {
                let got = tokenizer.request().allow(&all).encode(text);
                assert_eq!(got.unwrap_or_default(), want, "{text} {fields}");
            }
            let written = super::super::write(tokenizer.model()).unwrap();
            assert_eq!(&read(&written).unwrap(), &**tokenizer.model());
        }
        let model = r#"{"a": 0}, "byte_fallback": true, "merges": []"#;
        let error = read(small(BYTE_LEVEL, BYTE_LEVEL, &[], model).as_bytes()).unwrap_err();
        let message = "model.byte_fallback: true is not supported (expected false in a byte-level model \
                       that lacks a byte)";
        assert_eq!(error.to_string(), message);
    }

    /// Expected ids and texts are from `tokenizers` 0.23.1.
    #[test]
    fn affixes_are_read_as_in_tokenizers() {
        type Case<'c> = (&'c [TokenId], &'c str);
        let texts = ["aba ba", "ab", "xab</w>", "bx \u{e9}"];
        let suffix = r#"{"a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab": 4, "ab</w>": 5, "aba</w>": 6,
            "\u0120": 7, "\u0120b": 8, "<": 9, "/": 10, "w": 11, ">": 12, "></w>": 13, "[U]": 14,
            "\u00e9</w>": 15, "\u0120b</w>": 16}, "end_of_word_suffix": "</w>",
            "merges": ["a b", "a b</w>", "ab a</w>", "\u0120 b"]"#;
        let prefix = r###"{"a": 0, "b": 1, "##a": 2, "##b": 3, "ab": 4, "##b##": 5, "##ba": 6, "aba": 7,
            "\u0120": 8, "\u0120b": 9, "\u0120ba": 10, "[U]": 11}, "continuing_subword_prefix": "##",
            "merges": ["a ##b", "##b ##a", "ab ##a", "\u0120 ##b", "\u0120b ##a"]"###;
        let both = r###"{"a": 0, "##a": 1, "##b": 2, "a</w>": 3, "##b</w>": 4, "ab</w>": 5, "aba": 6,
            "ab": 7, "##a</w>": 8, "##ba</w>": 9, "aba</w>": 10, "\u0120": 11, "\u0120b</w>": 12,
            "[U]": 13, "b</w>": 14}, "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
            "merges": ["a ##b", "a ##b</w>", "##b ##a</w>", "ab ##a</w>", "\u0120 ##b</w>"]"###;
        let cases: [(&str, &str, [Case<'_>; 4]); 4] = [
            (
                suffix,
                "",
                [
                    (&[6, 8, 2], "aba</w> ba</w>"),
                    (&[5], "ab</w>"),
                    (&[14, 5, 9, 14, 14, 13], "[U]ab</w><[U][U]></w>"),
                    (&[1, 14, 7, 14, 14], "b[U] [U][U]"),
                ],
            ),
            (
                suffix,
                r#", "fuse_unk": true, "ignore_merges": true"#,
                [
                    (&[6, 8, 2], "aba</w> ba</w>"),
                    (&[4], "ab"),
                    (&[14, 5, 9, 14, 11, 12], "[U]ab</w><[U]w>"),
                    (&[1, 14, 7, 14], "b[U] [U]"),
                ],
            ),
            (
                prefix,
                "",
                [
                    (&[7, 8, 6], "aba ##ba"),
                    (&[4], "ab"),
                    (&[11, 2, 3, 11, 11, 11, 11], "[U]##a##b[U][U][U][U]"),
                    (&[1, 11, 8, 11, 11], "b[U] [U][U]"),
                ],
            ),
            (
                both,
                r#", "fuse_unk": true"#,
                [
                    (&[10, 11, 9], "aba</w> ##ba</w>"),
                    (&[5], "ab</w>"),
                    (&[13, 1, 4, 13, 13, 13], "[U]##a##b</w>[U][U][U]"),
                    (&[13, 11, 13], "[U] [U]"),
                ],
            ),
        ];
        for (vocab, fields, want) in cases {
            let model = format!(r#"{vocab}, "unk_token": "[U]"{fields}"#);
            let file = small(BYTE_LEVEL, BYTE_LEVEL, &[], &model);
            let tokenizer = Tokenizer::new(read(file.as_bytes()).unwrap());
            for (text, (ids, decoded)) in texts.iter().zip(want) {
                let got = tokenizer.request().offsets(text).unwrap();
                assert_eq!(got.ids, ids, "{text} {fields}");
                assert_eq!(got.ranges.last().map(|range| range.end), Some(text.len()));
                assert_eq!(tokenizer.decode_lossy(ids).unwrap(), decoded);
            }
            let written = super::super::write(tokenizer.model()).unwrap();
            assert_eq!(&read(&written).unwrap(), &**tokenizer.model());
            let native = crate::format::native::write(tokenizer.model());
            assert_eq!(
                &crate::format::native::read(&native).unwrap(),
                &**tokenizer.model()
            );
        }
        let fallback = format!(r#"{suffix}, "byte_fallback": true"#);
        let error = read(small(BYTE_LEVEL, BYTE_LEVEL, &[], &fallback).as_bytes()).unwrap_err();
        let message = "model.byte_fallback: true is not supported (expected false in a";
        assert!(error.to_string().starts_with(message), "{error}");
        let file = small(BYTE_LEVEL, BYTE_LEVEL, &[], suffix);
        let tokenizer = Tokenizer::new(read(file.as_bytes()).unwrap());
        let error = tokenizer.encode("ba \u{e9}").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("at byte 3, and the model has no unknown token"),
            "{error}"
        );
    }

    const TEXT_DECODER: &str = r#"{"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#;

    /// Expected ids and texts are from `tokenizers` 0.23.1.
    #[test]
    fn characters_are_read_as_in_tokenizers() {
        let texts = [
            "\u{2581}ab\u{4e2d}",
            "xxab",
            "x\u{5b57}x",
            "\u{6587}\u{5b57}\u{6587}a",
        ];
        type Case<'c> = (&'c [TokenId], &'c str);
        let cases: [(&str, [Case<'_>; 4]); 4] = [
            (
                "",
                [
                    (&[10, 6], "ab\u{4e2d}"),
                    (&[0, 0, 3], "<unk><unk>ab"),
                    (&[0, 0, 0], "<unk><unk><unk>"),
                    (&[0, 0, 0, 1], "<unk><unk><unk>a"),
                ],
            ),
            (
                r#""fuse_unk": true, "#,
                [
                    (&[10, 6], "ab\u{4e2d}"),
                    (&[0, 3], "<unk>ab"),
                    (&[0], "<unk>"),
                    (&[0, 1], "<unk>a"),
                ],
            ),
            (
                r#""byte_fallback": true, "#,
                [
                    (&[10, 6], "ab\u{4e2d}"),
                    (&[0, 0, 3], "<unk><unk>ab"),
                    (&[7, 8, 9, 0, 0], "\u{5b57}<unk><unk>"),
                    (&[7, 8, 9, 0, 0, 1], "\u{5b57}<unk><unk>a"),
                ],
            ),
            (
                r#""byte_fallback": true, "fuse_unk": true, "#,
                [
                    (&[10, 6], "ab\u{4e2d}"),
                    (&[0, 3], "<unk>ab"),
                    (&[7, 8, 9, 0], "\u{5b57}<unk>"),
                    (&[7, 8, 9, 0, 1], "\u{5b57}<unk>a"),
                ],
            ),
        ];
        for (fields, want) in cases {
            let vocab = r#"{"<unk>": 0, "a": 1, "b": 2, "ab": 3, "\u2581": 4, "\u2581a": 5, "\u4e2d": 6,
                "<0xE5>": 7, "<0xAD>": 8, "<0x97>": 9, "\u2581ab": 10}"#;
            let merges = r#"["a b", "\u2581 a", "\u2581 ab"]"#;
            let model = format!(r#"{vocab}, "unk_token": "<unk>", {fields}"merges": {merges}"#);
            let file = small("null", TEXT_DECODER, &[("<unk>", 0)], &model);
            let tokenizer = Tokenizer::new(read(file.as_bytes()).unwrap());
            for (text, (ids, decoded)) in texts.iter().zip(want) {
                let got = tokenizer.encode(text).unwrap();
                assert_eq!(got, ids, "{text} {fields}");
                assert_eq!(tokenizer.decode_lossy(&got).unwrap(), decoded);
                let mut stream = tokenizer.model().decode_stream();
                let mut streamed = String::new();
                for &id in ids {
                    stream.push(id, &mut streamed).unwrap();
                }
                stream.finish(&mut streamed);
                assert_eq!(streamed, decoded);
            }
            let written = super::super::write(tokenizer.model()).unwrap();
            assert_eq!(&read(&written).unwrap(), &**tokenizer.model());
        }
    }

    /// Expected texts are from `tokenizers` 0.23.1.
    #[test]
    fn added_tokens_decode_to_their_normalized_contents() {
        let vocab = r#"{"a": 0, "A": 1, "\u2581": 2, "AA": 3}, "merges": ["A A"]"#;
        for (pre_tokenizer, decoder, want) in [
            ("null", r#"{"type": "Fuse"}"#, "aaA"),
            (BYTE_LEVEL, BYTE_LEVEL, "aaA"),
        ] {
            let vocab = match pre_tokenizer {
                "null" => vocab.to_owned(),
                _ => vocab.replace(r#""\u2581": 2, "#, ""),
            };
            let file = small(pre_tokenizer, decoder, &[("AA", 3)], &vocab);
            let file = file.replace(r#""normalized": false"#, r#""normalized": true"#);
            let lower = r#""normalizer": {"type": "Lowercase"}"#;
            let file = file.replace(r#""normalizer": null"#, lower);
            let model = read(file.as_bytes()).unwrap();
            assert_eq!(model.decode(&[3, 1]).unwrap(), want.as_bytes());
            assert_eq!(model.decode_lossy_without(&[3, 1], &[1]).unwrap(), "aa");
            let mut streamed = String::new();
            let mut stream = model.decode_stream();
            for id in [3, 1] {
                stream.push(id, &mut streamed).unwrap();
            }
            stream.finish(&mut streamed);
            assert_eq!(streamed, want);
            let native = crate::format::native::write(&model);
            let again = crate::format::native::read(&native).unwrap();
            assert_eq!(again.decode(&[3, 1]).unwrap(), want.as_bytes());
            let written = super::super::write(&model).unwrap();
            assert_eq!(read(&written).unwrap(), model);
        }
    }

    #[test]
    fn memory_follows_the_size_of_the_file() {
        let error = |file: &str| read(file.as_bytes()).unwrap_err().to_string();
        let vocab = |id: u32| {
            small(
                "null",
                r#"{"type": "Fuse"}"#,
                &[],
                &format!(r#"{{"a": {id}}}, "merges": []"#),
            )
        };
        assert!(read(vocab(65_535).as_bytes()).is_ok());
        for id in [65_536, 16_777_215] {
            let message = error(&vocab(id));
            assert!(
                message.contains("(expected an id below 65536)"),
                "{message}"
            );
        }
        let splits = |count: usize| {
            let step = r#"{"type": "WhitespaceSplit"}"#;
            let steps = vec![step; count].join(", ");
            let steps = format!(r#"{{"type": "Sequence", "pretokenizers": [{steps}]}}"#);
            small(
                &steps,
                r#"{"type": "Fuse"}"#,
                &[],
                r#"{"a": 0}, "merges": []"#,
            )
        };
        let model = read(splits(16).as_bytes()).unwrap();
        let native = crate::format::native::write(&model);
        assert_eq!(crate::format::native::read(&native).unwrap(), model);
        let message = error(&splits(17));
        assert!(
            message.contains("pretokenizers[16]: WhitespaceSplit after 16 splits"),
            "{message}"
        );
        let lower = r#"{"type": "Lowercase"}"#;
        let steps = |count: usize| {
            let steps = vec![lower; count].join(", ");
            format!(r#""normalizer": {{"type": "Sequence", "normalizers": [{steps}]}}"#)
        };
        let file = small(
            "null",
            r#"{"type": "Fuse"}"#,
            &[],
            r#"{"a": 0}, "merges": []"#,
        );
        let with = |count| file.replace(r#""normalizer": null"#, &steps(count));
        assert!(read(with(64).as_bytes()).is_ok());
        let message = error(&with(65));
        assert!(
            message.contains("normalizers[64]: Lowercase after 64 steps"),
            "{message}"
        );
        // Normalization may make added tokens far longer than the file.
        let contents: Vec<String> = (0..500).map(|n| format!("{n}Q")).collect();
        let added: Vec<(&str, u32)> = contents.iter().map(|text| (text.as_str(), 7)).collect();
        let file = small(
            "null",
            r#"{"type": "Fuse"}"#,
            &added,
            r#"{"a": 0}, "merges": []"#,
        );
        let file = file.replace(r#""normalized": false"#, r#""normalized": true"#);
        let replace = |length: usize| {
            let content = "z".repeat(length);
            let replace = format!(
                r#"{{"type": "Replace", "pattern": {{"String": "Q"}}, "content": "{content}"}}"#
            );
            file.replace(
                r#""normalizer": null"#,
                &format!(r#""normalizer": {replace}"#),
            )
        };
        assert!(read(replace(1000).as_bytes()).is_ok());
        let message = error(&replace(10_000));
        assert!(message.contains("above the limit of 4194304"), "{message}");
        // A regex of any length is shortened in messages.
        let regex = format!("^{}", "a".repeat(10_000));
        let split = format!(
            r#"{{"type": "Split", "pattern": {{"Regex": "{regex}"}}, "behavior": "Isolated", "invert": false}}"#
        );
        let message = error(&small(
            &split,
            r#"{"type": "Fuse"}"#,
            &[],
            r#"{"a": 0}, "merges": []"#,
        ));
        assert!(message.len() < 400, "{message}");
    }

    #[test]
    fn other_algorithms_are_refused_by_name() {
        // Minimal files of each kind, as `tokenizers` saves them.
        for (name, model) in [
            (
                "WordPiece",
                r###"{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0}}"###,
            ),
            (
                "Unigram",
                r#"{"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": false}"#,
            ),
            (
                "WordLevel",
                r#"{"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}"#,
            ),
        ] {
            let file = format!(
                r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
                "normalizer": {{"type": "Lowercase"}}, "pre_tokenizer": null, "post_processor": null,
                "decoder": null, "model": {model}}}"#
            );
            let error = read(file.as_bytes()).unwrap_err().to_string();
            let message =
                format!("model type \"{name}\" is not supported: this is not a BPE tokenizer");
            assert_eq!(error, message);
        }
    }

    #[test]
    fn added_tokens_in_the_vocabulary_are_ordinary_only_where_needed() {
        let mut file = with("model.vocab.<s>", "258");
        let model = read_json(&file).unwrap();
        assert_eq!(model.vocab().token(258), None);
        assert_eq!(model.specials().len(), 2);
        let Json::Object(fields) = &mut file else {
            panic!()
        };
        for (name, value) in fields.iter_mut() {
            if let ("model", Json::Object(model)) = (name.as_str(), value) {
                model.push(("ignore_merges".into(), true.into()));
            }
        }
        let model = read_json(&file).unwrap();
        assert_eq!(model.vocab().id(b"<s>"), Some(258));
    }

    #[test]
    fn invalid_json_is_an_error() {
        for text in [
            "",
            "{",
            "[]",
            "1",
            "\"x\"",
            "{\"model\": {}, \"model\": {}}",
            "\u{feff}{}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(&[0xFF, 0xFE]).is_err());
        let deep = format!(
            "{{\"model\": {}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(read(deep.as_bytes()).is_err());
    }
}

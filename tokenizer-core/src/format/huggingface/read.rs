//! Reads a `tokenizer.json`, component by component.

use super::error::{HuggingFaceError, MAX_BYTES};
use super::json::{At, Json};
use super::post_processor::read_post_processor;
use super::pre_tokenizer::{check_byte_level, read_pre_tokenizer};
use super::vocabulary::{Spellings, pair};
use crate::add_tokens::with_decoded;
use crate::merges::Merge;
use crate::model::{CallSettings, Model};
use crate::normalize::Normalizer;
use crate::pattern::Pattern;
use crate::special::SpecialToken;

/// Reads a `tokenizer.json`.
///
/// # Errors
/// If a component or field is invalid or unsupported, or components contradict each other; the error
/// names the path. The [module](super) lists what is supported.
pub fn read(bytes: &[u8]) -> Result<Model, HuggingFaceError> {
    read_with(bytes, |parts| Ok(parts.added))
}

/// The parts of a `tokenizer.json` that are needed to determine the added tokens of a model, which the other
/// files in its folder may change.
pub(super) struct Components<'p> {
    pub(super) spellings: &'p Spellings<'p>,
    pub(super) added: Vec<SpecialToken>,
    pub(super) normalizer: Option<Normalizer>,
    pub(super) pattern: &'p Pattern,
    pub(super) ignore_merges: bool,
    pub(super) padding: At<'p>,
}

/// Reads a `tokenizer.json`. The model gets the added tokens that `complete_added` returns, which may differ
/// from those in the file.
pub(super) fn read_with(
    bytes: &[u8],
    complete_added: impl FnOnce(Components<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    if bytes.len() > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes: bytes.len() });
    }
    let json = Json::parse(bytes)?;
    let root = At::root(&json);
    check_model_type(&root.field("model"))?;
    root.only(
        "version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder \
         model",
    )?;
    let version = root.field("version");
    if !version.is_null() && version.text()? != "1.0" {
        return Err(version.unsupported("expected \"1.0\""));
    }
    let settings = CallSettings {
        truncation: read_setting(&root.field("truncation"))?,
        padding: read_setting(&root.field("padding"))?,
    };
    let normalizer = read_normalizer(&root.field("normalizer"))?;
    let pattern = read_pre_tokenizer(&root.field("pre_tokenizer"))?;
    let processor = read_post_processor(&root.field("post_processor"))?;
    check_decoder(&root.field("decoder"))?;
    let added = read_added_tokens(&root.field("added_tokens"))?;
    let complete_added = |spellings: &Spellings<'_>, pattern: &Pattern, ignore_merges| {
        spellings.check_numbering(&added)?;
        let completed = complete_added(Components {
            spellings,
            added,
            normalizer,
            pattern,
            ignore_merges,
            padding: root.field("padding"),
        })?;
        Ok(with_decoded(completed, normalizer))
    };
    let model = read_model(&root.field("model"), pattern, complete_added)?;
    let model = model.with_normalizer(normalizer);
    let model = model.with_post_processor(processor)?;
    Ok(model.with_call_settings(settings))
}

/// Returns `truncation` or `padding` as JSON text, the form in which the model stores it; `None` for `null`.
fn read_setting(at: &At<'_>) -> Result<Option<String>, HuggingFaceError> {
    if at.is_null() {
        return Ok(None);
    }
    at.entries()?;
    Ok(Some(serde_json::to_string(at.value)?))
}

pub(super) fn read_normalizer(at: &At<'_>) -> Result<Option<Normalizer>, HuggingFaceError> {
    match at.component()? {
        None => Ok(None),
        Some("NFC") => {
            at.only("type")?;
            Ok(Some(Normalizer::Nfc))
        }
        Some("Sequence") => {
            let mut found = None;
            for step in at.sequence("normalizers")? {
                // NFC is idempotent, so one stands for several.
                found = read_normalizer(&step)?.or(found);
            }
            Ok(found)
        }
        Some(other) => Err(at.refused(other)),
    }
}

/// Checks the decoder. The model stores no decoder: it decodes to the bytes of its tokens, as `ByteLevel`
/// does, the only supported decoder. A missing decoder is read as `ByteLevel`.
fn check_decoder(at: &At<'_>) -> Result<(), HuggingFaceError> {
    match at.component()? {
        None => Ok(()),
        Some("ByteLevel") => check_byte_level(at),
        Some("Sequence") => match at.sequence("decoders")?.as_slice() {
            [only] => check_decoder(only),
            _ => Err(at.refused("a Sequence of zero or several decoders")),
        },
        Some(other) => Err(at.refused(other)),
    }
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
    pattern: Pattern,
    complete_added: impl FnOnce(
        &Spellings<'_>,
        &Pattern,
        bool,
    ) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    check_model(at)?;
    let ignore_merges = at.field("ignore_merges").flag_or(false)?;
    let spellings = Spellings::read(&at.field("vocab"))?;
    let added = complete_added(&spellings, &pattern, ignore_merges)?;
    let merges = at.field("merges");
    let Json::List(list) = merges.value else {
        return Err(merges.expected("a list"));
    };
    let rule = |(rank, merge)| {
        let rule = spellings.merge(pair_of(merge));
        rule.map_err(|fault| HuggingFaceError::Merge { rank, fault })
    };
    let rules: Result<Vec<Merge>, HuggingFaceError> = list.iter().enumerate().map(rule).collect();
    spellings.model(pattern, rules?, ignore_merges, &added)
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

/// Refuses invalid JSON, and a `tokenizer.json` of an algorithm other than BPE. Checks nothing else.
pub(super) fn check_algorithm(bytes: &[u8]) -> Result<(), HuggingFaceError> {
    check_model_type(&At::root(&Json::parse(bytes)?).field("model"))
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
        _ => return Err(dropout.unsupported("expected 0 or null")),
    }
    // Every byte is a token, so the unknown token is never used.
    let unknown = at.field("unk_token");
    if !unknown.is_null() {
        unknown.text()?;
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let affix = at.field(name);
        if !affix.is_null() && !affix.text()?.is_empty() {
            return Err(affix.unsupported("expected \"\" or null"));
        }
    }
    for name in ["fuse_unk", "byte_fallback"] {
        if at.field(name).flag_or(false)? {
            return Err(at.field(name).unsupported("expected false"));
        }
    }
    Ok(())
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
            ("pre_tokenizer", parse(BYTE_LEVEL)),
            ("post_processor", Json::Null),
            ("decoder", parse(BYTE_LEVEL)),
            (
                "model",
                object([
                    ("type", "BPE".into()),
                    ("vocab", Json::Object(vocab.collect())),
                    ("merges", parse(r#"["a b", ["ab", "c"]]"#)),
                ]),
            ),
        ])
    }

    const BYTE_LEVEL: &str = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#;

    fn parse(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    /// The file with `value` at `path`, replaced or added.
    fn with(path: &str, value: &str) -> Json {
        let mut file = file();
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
        *target = parse(value);
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
        assert_eq!(nfc.normalizer(), Some(Normalizer::Nfc));
        let none = model("normalizer", r#"{"type": "Sequence", "normalizers": []}"#);
        assert_eq!(none.normalizer(), None);
        let first = model("model.ignore_merges", "true");
        let Merging::Merges { ignore_merges, .. } = first.merging() else {
            panic!("a file lists merges");
        };
        assert!(ignore_merges);
        assert_eq!(model("decoder", "null"), read_json(&file()).unwrap());
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

    #[test]
    fn errors_name_the_path() {
        let cases = [
            ("version", "\"2.0\"", "version: \"2.0\" is not supported"),
            ("truncation", "[]", "truncation: expected an object"),
            ("padding", "7", "padding: expected an object, found 7"),
            ("extra", "1", "extra: unknown field"),
            (
                "normalizer",
                r#"{"type": "NFKC"}"#,
                "normalizer: NFKC is not supported",
            ),
            (
                "normalizer",
                r#"{"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}"#,
                "normalizer.normalizers[0]: Lowercase",
            ),
            (
                "pre_tokenizer",
                "null",
                "pre_tokenizer: null is not supported (expected ByteLevel",
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Metaspace"}"#,
                "pre_tokenizer: Metaspace",
            ),
            (
                "pre_tokenizer.add_prefix_space",
                "true",
                "pre_tokenizer.add_prefix_space: true",
            ),
            ("pre_tokenizer.new", "true", "pre_tokenizer.new: unknown"),
            (
                "pre_tokenizer",
                r#"{"type": "Split", "pattern": {"Regex": "\\w"}, "behavior": "Isolated", "invert": false}"#,
                r#"regex "\\w": \w at byte 0"#,
            ),
            (
                "pre_tokenizer",
                r#"{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "MergedWithNext", "invert": false}"#,
                "pre_tokenizer.behavior: \"MergedWithNext\"",
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
            ("decoder", r#"{"type": "WordPiece"}"#, "decoder: WordPiece"),
            (
                "added_tokens.0.id",
                "7",
                "has id 7 in the file, but tokenizers would give it id 258",
            ),
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
            ("added_tokens.0.content", "\"ab\"", "would give it id 256"),
            (
                "added_tokens.0.special",
                "1",
                "added_tokens[0].special: expected true or false",
            ),
            ("model.type", "1", "model.type: expected a string, found 1"),
            (
                "model.dropout",
                "0.1",
                "model.dropout: 0.1 is not supported",
            ),
            (
                "model.end_of_word_suffix",
                "\"</w>\"",
                "model.end_of_word_suffix: \"</w>\"",
            ),
            (
                "model.continuing_subword_prefix",
                "\"##\"",
                "model.continuing_subword_prefix",
            ),
            ("model.byte_fallback", "true", "model.byte_fallback"),
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
            (
                "model.merges.1",
                "\"a b\"",
                "duplicate pair in merge 1 (first in merge 0)",
            ),
            ("model.vocab.ab", "97", "duplicate id 97"),
            ("model.vocab.ab", "null", "model.vocab.ab: expected an id"),
            ("model.vocab.ab", "16777216", "id 16777216 is above"),
            ("model.vocab.ab", "18446744073709551616", "expected an id"),
            ("model.vocab", "{\"a\": 1}", "would give it id"),
            ("model", "[]", "model: expected an object"),
        ];
        for (path, value, message) in cases {
            let error = read_json(&with(path, value)).unwrap_err().to_string();
            assert!(error.contains(message), "{path} = {value}: {error}");
        }
        let mut unspelled = with("model.vocab.x y", "260");
        let error = read_json(&unspelled).unwrap_err().to_string();
        assert!(error.contains("would give it id 259"), "{error}");
        let Json::Object(fields) = &mut unspelled else {
            panic!()
        };
        fields.retain(|(name, _)| name != "added_tokens");
        let error = read_json(&unspelled).unwrap_err();
        assert!(matches!(error, HuggingFaceError::NotByteLevel { token } if token == "x y"));
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

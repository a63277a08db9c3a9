//! `tokenizer.json` files with components drawn from an input.

use crate::input::Input;

const TEXT_TOKENS: [&str; 20] = [
    "a", "b", "é", "▁", "中", " ", "\\n", "1", "e", "\\u0301", "ab", "▁a", "aa", "<unk>", "<s>",
    "<0xE4>", "<0xB8>", "<0xAD>", "<0x41>", "中中",
];
const BYTE_TOKENS: [&str; 20] = [
    "a", "b", "Ã", "©", "Ġ", "Ċ", "1", "e", "x", "ä", "ab", "Ġa", "aa", "<unk>", "<s>", "Ã©", "ĠĠ",
    "¸", "Ń", "t",
];
const MERGES: [(&str, &str); 8] = [
    ("a", "b"),
    ("▁", "a"),
    ("a", "a"),
    ("中", "中"),
    ("Ġ", "a"),
    ("Ġ", "Ġ"),
    ("Ã", "©"),
    ("a", "b"),
];
const NORMALIZERS: [&str; 14] = [
    r#"{"type": "NFC"}"#,
    r#"{"type": "NFD"}"#,
    r#"{"type": "NFKC"}"#,
    r#"{"type": "NFKD"}"#,
    r#"{"type": "Lowercase"}"#,
    r#"{"type": "StripAccents"}"#,
    r#"{"type": "Strip", "strip_left": true, "strip_right": true}"#,
    r#"{"type": "Strip", "strip_left": false, "strip_right": true}"#,
    r#"{"type": "Prepend", "prepend": "▁"}"#,
    r#"{"type": "Prepend", "prepend": "xé"}"#,
    r#"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#,
    r#"{"type": "Replace", "pattern": {"String": "a"}, "content": ""}"#,
    r#"{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}"#,
    r#"{"type": "Replace", "pattern": {"Regex": "b|\\p{M}"}, "content": "aé"}"#,
];
const BEHAVIORS: [&str; 5] = [
    "Removed",
    "Isolated",
    "MergedWithPrevious",
    "MergedWithNext",
    "Contiguous",
];
const REGEXES: [&str; 8] = [
    r#""Regex": "\\p{N}{1,3}""#,
    r#""Regex": "\\s+(?!\\S)|\\s+""#,
    r#""Regex": " ?\\p{L}+""#,
    r#""Regex": "[^\\W_]""#,
    r#""Regex": "[a-c]*b""#,
    r#""Regex": "\\b[a-z]""#,
    r#""String": "a""#,
    r#""String": "▁""#,
];
const DECODERS: [&str; 12] = [
    r#"{"type": "Fuse"}"#,
    r#"{"type": "ByteFallback"}"#,
    r#"{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}"#,
    r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "xyz"}"#,
    r#"{"type": "Strip", "content": " ", "start": 1, "stop": 0}"#,
    r#"{"type": "Strip", "content": "a", "start": 2, "stop": 1}"#,
    r#"{"type": "Replace", "pattern": {"Regex": "[ab]+"}, "content": "é"}"#,
    r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#,
    r#"{"type": "BPEDecoder", "suffix": "b"}"#,
    r#"{"type": "WordPiece", "prefix": "a", "cleanup": true}"#,
    r###"{"type": "WordPiece", "prefix": "##", "cleanup": false}"###,
    r#"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#,
];
const ADDED: [&str; 14] = [
    "<s>", "</s>", "<unk>", "a", "ab", "é", "É", "▁", " ", "\\n", "e\\u0301", "中", "<0x41>", "s>x",
];

/// Files that the reader accepts or refuses, for mutation.
pub fn samples() -> Vec<String> {
    let mut state = 7_u32;
    let mut bytes = || {
        let byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(byte).take(200).collect::<Vec<u8>>()
    };
    (0..24).map(|_| file(&mut Input::new(&bytes()))).collect()
}

/// A file with up to three normalizers, four pre-tokenizers and decoders, and six added tokens.
pub fn file(input: &mut Input<'_>) -> String {
    let is_text = input.below(2) == 0;
    let tokens = if is_text { TEXT_TOKENS } else { BYTE_TOKENS };
    let known: Vec<&str> = tokens.into_iter().filter(|_| input.below(8) > 0).collect();
    let vocab = known
        .iter()
        .zip(0..)
        .map(|(token, id)| format!("\"{token}\": {id}"));
    let vocab = vocab.collect::<Vec<String>>().join(", ");
    let merges = MERGES.iter().filter(|(left, right)| {
        let parts = [*left, *right, &[*left, *right].concat()];
        input.below(8) > 0 && parts.iter().all(|part| known.contains(part))
    });
    let merges = merges.map(|(left, right)| format!("[\"{left}\", \"{right}\"]"));
    let merges = merges.collect::<Vec<String>>().join(", ");
    let unknown = ["null", "\"<unk>\"", "\"<none>\"", "\"e\""][input.below(4)];
    let [fuse, fallback, ignore] = [0; 3].map(|_| input.below(2) == 0);
    let fallback = fallback && is_text;
    let added = list(input, 6, |input| {
        let content = ADDED[input.below(ADDED.len())];
        let flags = ["single_word", "lstrip", "rstrip", "normalized", "special"];
        let flags = flags.map(|flag| format!(", \"{flag}\": {}", input.below(2) == 0));
        format!(
            "{{\"id\": 50, \"content\": \"{content}\"{}}}",
            flags.concat()
        )
    });
    let normalizers = list(input, 3, |input| {
        NORMALIZERS[input.below(NORMALIZERS.len())].to_owned()
    });
    let mut steps = list(input, 3, pre_tokenizer);
    let mut decoders = list(input, 4, |input| {
        DECODERS[input.below(DECODERS.len())].to_owned()
    });
    let mut byte_level_decoder = None;
    if !is_text {
        let byte_level = |input: &mut Input<'_>| {
            let [prefix, regex] = [0; 2].map(|_| input.below(2) == 0);
            format!(
                r#"{{"type": "ByteLevel", "add_prefix_space": {prefix}, "trim_offsets": false, "use_regex": {regex}}}"#
            )
        };
        steps.insert(input.below(steps.len() + 1), byte_level(input));
        byte_level_decoder = Some(byte_level(input));
    }
    let processor = processor(input, known.len().max(1));
    // Decoders for text may follow or replace that of byte-level tokens.
    match byte_level_decoder {
        Some(only) if input.below(4) > 0 => decoders = vec![only],
        Some(first) if input.below(2) > 0 => decoders.insert(0, first),
        _ => {}
    }
    format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{}],
        "normalizer": {{"type": "Sequence", "normalizers": [{}]}},
        "pre_tokenizer": {{"type": "Sequence", "pretokenizers": [{}]}}, "post_processor": {processor},
        "decoder": {{"type": "Sequence", "decoders": [{}]}}, "model": {{"type": "BPE", "unk_token": {unknown},
        "fuse_unk": {fuse}, "byte_fallback": {fallback}, "ignore_merges": {ignore}, "vocab": {{{vocab}}},
        "merges": [{merges}]}}}}"#,
        added.join(", "),
        normalizers.join(", "),
        steps.join(", "),
        decoders.join(", "),
    )
}

fn list(
    input: &mut Input<'_>,
    most: usize,
    mut one: impl FnMut(&mut Input<'_>) -> String,
) -> Vec<String> {
    (0..input.below(most + 1)).map(|_| one(input)).collect()
}

fn pre_tokenizer(input: &mut Input<'_>) -> String {
    let behavior = BEHAVIORS[input.below(BEHAVIORS.len())];
    let flag = input.below(2) == 0;
    match input.below(8) {
        0 => format!(r#"{{"type": "Digits", "individual_digits": {flag}}}"#),
        1 => format!(r#"{{"type": "Punctuation", "behavior": "{behavior}"}}"#),
        2 => r#"{"type": "Whitespace"}"#.to_owned(),
        3 => r#"{"type": "WhitespaceSplit"}"#.to_owned(),
        4 | 5 => {
            let scheme = ["always", "first", "never"][input.below(3)];
            format!(
                r#"{{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{scheme}", "split": {flag}}}"#
            )
        }
        _ => {
            let pattern = REGEXES[input.below(REGEXES.len())];
            format!(
                r#"{{"type": "Split", "pattern": {{{pattern}}}, "behavior": "{behavior}", "invert": {flag}}}"#
            )
        }
    }
}

fn processor(input: &mut Input<'_>, ids: usize) -> String {
    let (first, second) = (input.below(ids), input.below(ids));
    match input.below(3) {
        0 => "null".to_owned(),
        1 => format!(
            r#"{{"type": "BertProcessing", "cls": ["c", {first}], "sep": ["s", {second}]}}"#
        ),
        _ => format!(
            r#"{{"type": "TemplateProcessing", "single": [{{"SpecialToken": {{"id": "x", "type_id": 1}}}},
            {{"Sequence": {{"id": "A", "type_id": 0}}}}], "pair": [{{"Sequence": {{"id": "B", "type_id": 2}}}},
            {{"Sequence": {{"id": "A", "type_id": 0}}}}], "special_tokens": {{"x": {{"id": "x",
            "ids": [{first}, {second}], "tokens": ["x", "y"]}}}}}}"#
        ),
    }
}

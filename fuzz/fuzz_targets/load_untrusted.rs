//! Reading untrusted model files neither panics nor hangs. A model that loads encodes and decodes
//! correctly and survives a round trip through each format.
//!
//! An input is the bytes of a file, or changes to a valid file, since most random bytes are rejected at
//! once. The length and checksum of a changed `.bpe` are corrected, so that the changes are read.
//!
//! The first byte of an input selects the reader, or the first three bytes if it is a SentencePiece model or the
//! companion files of a folder.
//! The environment variable `READER` restricts them to one of `READERS`: other inputs are left out of the corpus.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use tokenizer_core::Normalizer;
use tokenizer_core::format::huggingface::Companions;
use tokenizer_core::format::{huggingface, native, sentencepiece, tekken, tiktoken};
use tokenizer_core::{
    Gaps, Merge, Merges, Merging, Model, Pattern, PatternName, SpecialToken, SpecialTokens,
};
use tokenizer_fuzz::input::Input;
use tokenizer_fuzz::loaded::check;
use tokenizer_fuzz::pipeline;

/// Positions of the checksum and the length in a `.bpe` file.
const CHECKSUM: std::ops::Range<usize> = 12..16;
const LENGTH: std::ops::Range<usize> = 16..24;

/// Valid files by format.
struct Files {
    models: Vec<Model>,
    native: Vec<Vec<u8>>,
    tiktoken: Vec<Vec<u8>>,
    json: Vec<Vec<u8>>,
    vocab: Vec<u8>,
    merges: Vec<u8>,
    tekken: Vec<Vec<u8>>,
    configs: Vec<Vec<u8>>,
    sentencepiece: Vec<Vec<u8>>,
}

/// Valid files named `tokenizer_config.json`.
const CONFIGS: [&str; 5] = [
    CONFIG,
    r#"{"tokenizer_class": "RobertaTokenizer", "add_prefix_space": true, "bos_token": "<s>",
        "added_tokens_decoder": {"300": {"content": "<s>", "lstrip": true, "special": true}}}"#,
    r#"{"tokenizer_class": "WhisperTokenizer", "additional_special_tokens": ["<|startoftranscript|>"]}"#,
    r#"{"tokenizer_class": "LlamaTokenizer", "legacy": true, "pad_token": {"__type": "AddedToken",
        "content": "<pad>"}, "chat_template": "{{ x }}"}"#,
    r#"{"tokenizer_class": "TikTokenTokenizer", "bos_token": "[BOS]", "auto_map": {"AutoTokenizer":
        ["a.TikTokenTokenizer", null]}, "added_tokens_decoder": {"261": {"content": "[BOS]"}}}"#,
];

/// A `tekken.json` with the ranks of a model.
fn tekken_of(model: &Model) -> Vec<u8> {
    let ranks = String::from_utf8(tiktoken::write(model).expect("ranks")).expect("text");
    let entries = ranks.lines().map(|line| {
        let (token, rank) = line.split_once(' ').expect("two words");
        format!(r#"{{"rank": {rank}, "token_bytes": "{token}", "token_str": null}}"#)
    });
    let entries: Vec<String> = entries.collect();
    let (size, entries) = (entries.len() + 3, entries.join(", "));
    let special = r#"[{"rank": 0, "token_str": "<s>", "is_control": true}]"#;
    let config = format!(
        r#"{{"pattern": "\\S+|\\s+", "num_vocab_tokens": 0, "default_vocab_size": {size},
        "default_num_special_tokens": 3, "version": "v13"}}"#
    );
    format!(r#"{{"config": {config}, "vocab": [{entries}], "special_tokens": {special}}}"#).into()
}

const CONFIG: &str = r#"{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token":
    {"content": "</s>", "lstrip": true, "normalized": false, "rstrip": false, "single_word": false},
    "add_bos_token": true, "added_tokens_decoder": {"301": {"content": "word", "special": false}}}"#;

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let mut models = models();
    let pipelines = pipeline::samples();
    let read = |file: &String| huggingface::read(file.as_bytes()).ok();
    models.extend(pipelines.iter().filter_map(read));
    let native: Vec<_> = models.iter().map(native::write).collect();
    for bytes in &native {
        assert_eq!(
            *bytes,
            with_valid_header(bytes.clone()),
            "the header has changed"
        );
    }
    let json = models
        .iter()
        .filter_map(|model| huggingface::write(model).ok());
    let json = json.chain(pipelines.into_iter().map(String::into_bytes));
    let tiktoken = models
        .iter()
        .filter_map(|model| tiktoken::write(model).ok());
    let files = Files {
        native,
        json: json.collect(),
        tiktoken: tiktoken.collect(),
        vocab: include_bytes!("../../fixtures/gpt2_style/vocab.json").to_vec(),
        merges: include_bytes!("../../fixtures/gpt2_style/merges.txt").to_vec(),
        tekken: vec![tekken_of(&models[0])],
        configs: CONFIGS.map(|config| config.as_bytes().to_vec()).to_vec(),
        sentencepiece: vec![
            include_bytes!("../../fixtures/sentencepiece/fallback.model").to_vec(),
            include_bytes!("../../fixtures/sentencepiece/unknown.model").to_vec(),
        ],
        models,
    };
    for model in &files.models {
        check(model, b"any text", true);
    }
    check(
        &tekken::read(&files.tekken[0]).expect("a model"),
        b"any text",
        true,
    );
    assert!(files.json.len() > 1 && files.tiktoken.len() > 1);
    files
});

/// Small models of every kind.
fn models() -> Vec<Model> {
    let merged: [&[u8]; 5] = [b"ab", b"abc", b" t", b"aaaa", b"th"];
    let tokens: Vec<Vec<u8>> = (0..=255)
        .map(|byte| vec![byte])
        .chain(merged.iter().map(|token| token.to_vec()))
        .collect();
    let ranks = tokens
        .iter()
        .zip(0..)
        .map(|(token, id)| (token.as_slice(), id));
    let special = SpecialToken::new("<s>", 300);
    let gpt2 = Pattern::named(PatternName::Gpt2);
    let by_ranks = Model::from_ranks(gpt2, ranks, [special.clone()]).expect("a model");

    let rules = [
        (97, 98, 256),
        (256, 99, 257),
        (32, 116, 258),
        (116, 104, 260),
    ];
    let rules = rules.map(|(left, right, token)| Merge { left, right, token });
    let merging = |ignore_merges| Merging::Merges {
        merges: Merges::new(rules.to_vec()).expect("no duplicate pair"),
        ignore_merges,
    };
    let mut word = SpecialToken::new("word é", 301);
    (word.special, word.normalized, word.single_word) = (false, true, true);
    (word.lstrip, word.rstrip) = (true, true);
    let stages = [r"\p{N}{1,3}", r"[a-z]+| +", r"\s+(?!\S)|\S+"];
    let stages = stages.map(|source| Pattern::regex(source, Gaps::Keep).expect("it compiles"));
    let with_merges = |pattern, ignore_merges, specials: &[SpecialToken]| {
        let specials = SpecialTokens::new(specials.to_vec()).expect("special tokens");
        let vocab = by_ranks.vocab().clone();
        Model::new(pattern, vocab, merging(ignore_merges), specials).expect("a model")
    };
    let cl100k = Pattern::named(PatternName::Cl100k);
    let many = with_merges(Pattern::sequence(stages), true, &[special, word])
        .with_normalizer(Some(Normalizer::Nfc));
    let none = with_merges(Pattern::sequence([]), false, &[]);
    let few = with_merges(cl100k, false, &[]);
    vec![by_ranks, few, many, none]
}

/// Inputs with this prefix are SentencePiece models, so that older inputs keep their meaning.
const SENTENCEPIECE: &[u8] = b"SPM";

/// Inputs with this prefix are the companion files of a folder, separated by zeros.
const FOLDER: &[u8] = b"DIR";

/// Reads a `tokenizer.json` or the pair of files with the companion files in the input.
fn check_companions(input: &mut Input<'_>) {
    let files = &*FILES;
    let with_json = input.below(8) == 0;
    let tokenizer = files.json.get(input.below(files.json.len() + 4));
    let mut companions = Companions::default();
    let contents = input.take(usize::MAX).split(|&byte| byte == 0);
    for ((_, file), content) in companions.by_name().into_iter().zip(contents) {
        *file = Some(content.to_vec()).filter(|content| !content.is_empty());
    }
    let _ = huggingface::read_rank_specials(&companions, 261);
    let model = match tokenizer {
        Some(file) => huggingface::read_folder(file, &companions).ok(),
        None => huggingface::read_gpt2_folder(&files.vocab, &files.merges, &companions)
            .map(|(model, _)| model)
            .ok(),
    };
    if let Some(model) = model {
        check_written_folder(&model, &companions);
        check(&model, b"  the The <s>cat</s> <|endoftext|>", with_json);
    }
}

/// Reads a changed SentencePiece model, or the input itself.
fn check_sentencepiece(input: &mut Input<'_>) {
    let with_json = input.below(8) == 0;
    let files = &FILES.sentencepiece;
    let bytes = match input.below(4) {
        0 => input.take(usize::MAX).to_vec(),
        _ => changed(&files[input.below(files.len())].clone(), files, input),
    };
    let _ = sentencepiece::is_model(&bytes);
    if let Ok(model) = sentencepiece::read(&bytes) {
        check(&model, b"  \xE2\x96\x81 <sep>ing <s>", with_json);
    }
}

/// The readers, by the remainder of the first byte.
const READERS: [&str; 10] = [
    "bpe",
    "bpe",
    "bpe",
    "tiktoken",
    "tokenizer_json",
    "tokenizer_json",
    "tokenizer_json",
    "tekken",
    "folder",
    "vocab_and_merges",
];

static READER: LazyLock<String> = LazyLock::new(|| std::env::var("READER").unwrap_or_default());

/// Whether `READER` allows a reader.
fn is_allowed(reader: &str) -> bool {
    READER.is_empty() || *READER == reader
}

fuzz_target!(init: { LazyLock::force(&FILES); }, |input: &[u8]| -> Corpus {
    if let Some(rest) = input.strip_prefix(SENTENCEPIECE) {
        if !is_allowed("sentencepiece") {
            return Corpus::Reject;
        }
        check_sentencepiece(&mut Input::new(rest));
        return Corpus::Keep;
    }
    if let Some(rest) = input.strip_prefix(FOLDER) {
        if !is_allowed("folder") {
            return Corpus::Reject;
        }
        check_companions(&mut Input::new(rest));
        return Corpus::Keep;
    }
    let mut input = Input::new(input);
    let kind = input.below(READERS.len());
    if !is_allowed(READERS[kind]) {
        return Corpus::Reject;
    }
    // Writing a tokenizer.json is by far the slowest step.
    let with_json = input.below(8) == 0 || (4..8).contains(&kind);
    let text_length = input.below(64);
    let text = input.take(text_length).to_vec();
    let any_or = |input: &mut Input, files: &[Vec<u8>]| match input.below(4) {
        0 => input.take(usize::MAX).to_vec(),
        _ => {
            let base = &files[input.below(files.len())];
            changed(base, files, input)
        }
    };
    let files = &*FILES;
    let model = match kind {
        0..3 => {
            let bytes = any_or(&mut input, &files.native);
            // The unchanged header is tested too.
            let _ = native::read(&bytes);
            native::read(&with_valid_header(bytes)).ok()
        }
        3 => {
            let pattern = Pattern::named(PatternName::ALL[input.below(4)]);
            tiktoken::read(&any_or(&mut input, &files.tiktoken), pattern).ok()
        }
        4..7 => huggingface::read(&any_or(&mut input, &files.json)).ok(),
        7 => {
            let bytes = any_or(&mut input, &files.tekken);
            let _ = tekken::is_tekken(&bytes);
            tekken::read(&bytes).ok()
        }
        8 => read_folder(files, &mut input),
        _ => {
            let vocab = changed(&files.vocab, &files.json, &mut input);
            let merges = changed(&files.merges, &files.json, &mut input);
            let _ = huggingface::is_vocab(&vocab);
            huggingface::read_gpt2(&vocab, &merges).ok()
        }
    };
    if let Some(model) = model
        && !files.models.contains(&model)
    {
        check(&model, &text, with_json);
    }
    Corpus::Keep
});

/// Reads a folder: a `tokenizer.json` or the pair of files, with a `tokenizer_config.json`.
fn read_folder(files: &Files, input: &mut Input<'_>) -> Option<Model> {
    let config = &files.configs[input.below(files.configs.len())];
    let companions = Companions {
        tokenizer_config: Some(changed(config, &files.configs, input)),
        ..Companions::default()
    };
    let _ = huggingface::read_rank_specials(&companions, 261);
    let model = match input.below(2) {
        0 => {
            let file = &files.json[input.below(files.json.len())];
            huggingface::read_folder(&changed(file, &files.json, input), &companions).ok()?
        }
        _ => {
            let merges = changed(&files.merges, &files.json, input);
            let read = huggingface::read_gpt2_folder(&files.vocab, &merges, &companions);
            read.ok()?.0
        }
    };
    check_written_folder(&model, &companions);
    Some(model)
}

/// Fails unless the `tokenizer_config.json` that is written for a model leaves its `tokenizer.json` unchanged.
fn check_written_folder(model: &Model, companions: &Companions) {
    let config = huggingface::write_config(model, companions);
    if let (Ok(file), Ok(config)) = (huggingface::write(model), config) {
        let tokenizer_config = Some(config);
        let companions = Companions {
            tokenizer_config,
            ..Companions::default()
        };
        let again = huggingface::read_folder(&file, &companions).expect("a written folder");
        assert_eq!(again, huggingface::read(&file).expect("a written file"));
    }
}

/// Mutates a file: overwrites, inserts and removes bytes, sets 32-bit numbers, and copies parts of the
/// file or another one.
fn changed(base: &[u8], others: &[Vec<u8>], input: &mut Input) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..input.below(6) {
        let at = input.below(bytes.len() + 1);
        let (before, after) = bytes.split_at(at);
        bytes = match input.below(6) {
            0 => {
                let length = 1 + input.below(4);
                let new = input.take(length);
                let after = &after[new.len().min(after.len())..];
                [before, new, after].concat()
            }
            1 => {
                // Numbers in a .bpe are at multiples of 4.
                let (before, after) = bytes.split_at(at / 4 * 4);
                let number = match input.below(3) {
                    0 => input.below(8) as u32,
                    1 => u32::MAX - input.below(8) as u32,
                    _ => input.below(1024) as u32,
                };
                let after = &after[4.min(after.len())..];
                [before, &number.to_le_bytes(), after].concat()
            }
            2 => {
                let length = input.below(24);
                [before, input.take(length), after].concat()
            }
            3 => {
                let length = input.below(200).min(after.len());
                [before, &after[length..]].concat()
            }
            _ => {
                let other = match input.below(2) {
                    0 => base,
                    _ => others[input.below(others.len())].as_slice(),
                };
                let start = input.below(other.len() + 1);
                let end = (start + input.below(200)).min(other.len());
                [before, &other[start..end], after].concat()
            }
        };
    }
    bytes
}

/// A `.bpe` with its magic number, version, length and checksum corrected.
fn with_valid_header(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= LENGTH.end {
        let length = bytes.len() as u64;
        bytes[..8].copy_from_slice(&native::MAGIC);
        bytes[8..12].copy_from_slice(&native::VERSION.to_le_bytes());
        bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[LENGTH.start..]);
        bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

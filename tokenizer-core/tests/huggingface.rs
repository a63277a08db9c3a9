//! Compares models from `tokenizer.json` and GPT-2's files with recorded ids of the public packages.

#![cfg(feature = "huggingface")]

mod absent;

use std::path::{Path, PathBuf};

use tokenizer_core::format::{huggingface, tiktoken};
use tokenizer_core::{Gaps, Model, PatternName, SpecialToken, TokenId, Tokenizer};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A file of the shared data; `None` if it is missing.
fn shared(file: &str) -> Option<Vec<u8>> {
    absent::shared(file).map(|path| std::fs::read(path).unwrap())
}

fn read_fixture(file: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(file)).unwrap()
}

fn all_ids(encoder: &Tokenizer, text: &str) -> Vec<TokenId> {
    let mut ids = Vec::new();
    let all = encoder.model().all_specials();
    encoder
        .request()
        .allow(&all)
        .encode_into(text.as_bytes(), &mut ids)
        .unwrap();
    ids
}

/// Checks a model against a golden file: ids without and with special tokens.
fn check_golden(model: Model, golden: &str) {
    let encoder = Tokenizer::new(model);
    let golden = String::from_utf8(read_fixture(golden)).unwrap();
    assert!(golden.lines().count() > 100);
    for line in golden.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let ids = |name: &str| -> Option<Vec<TokenId>> {
            let ids = case.get(name)?.as_array()?;
            Some(
                ids.iter()
                    .map(|id| id.as_u64().unwrap() as TokenId)
                    .collect(),
            )
        };
        let plain = ids("ids").unwrap();
        assert_eq!(encoder.encode(text.as_bytes()).unwrap(), plain, "{text:?}");
        let special = ids("special_ids").unwrap_or(plain);
        assert_eq!(all_ids(&encoder, text), special, "{text:?}");
    }
}

/// Writes a model as a `tokenizer.json` and reads it back.
fn round_trip(model: &Model) -> Model {
    huggingface::read(&huggingface::write(model).unwrap()).unwrap()
}

#[test]
fn gpt2_files_give_the_golden_ids() {
    let vocab = read_fixture("gpt2_style/vocab.json");
    assert!(huggingface::is_vocab(&vocab));
    let model = huggingface::read_gpt2(&vocab, &read_fixture("gpt2_style/merges.txt")).unwrap();
    assert_eq!(round_trip(&model), model);
    check_golden(model, "gpt2_style/golden.jsonl");
}

#[test]
fn ranks_written_as_merges_give_the_golden_ids() {
    for name in PatternName::ALL {
        let bytes = read_fixture(&format!("golden/{name}.tiktoken"));
        let ranks = tiktoken::read_ranks(&bytes).unwrap();
        let ranks = ranks.iter().map(|(token, rank)| (token.as_slice(), *rank));
        let specials = [("<|endoftext|>", 2048), ("<|bos|>", 2049)];
        let specials = specials.map(|(content, id)| SpecialToken::new(content, id));
        let pattern = tokenizer_core::Pattern::named(name);
        let model = Model::from_ranks(pattern, ranks, specials).unwrap();
        let written = round_trip(&model);
        assert_eq!(written.pattern().name(), Some(name));
        check_golden(written, &format!("golden/{name}.jsonl"));
    }
}

#[test]
fn published_files_round_trip() {
    for (file, normalized, stages, specials) in [
        ("vocabs/qwen/tokenizer.json", true, 1, 22),
        ("vocabs/deepseek/tokenizer.json", false, 3, 1283),
    ] {
        let Some(bytes) = shared(file) else { continue };
        assert!(!huggingface::is_vocab(&bytes));
        let model = huggingface::read(&bytes).unwrap();
        assert_eq!(model.normalizer().is_some(), normalized);
        assert_eq!(model.specials().len(), specials);
        let pattern = model.pattern();
        assert_eq!(pattern.stages().len(), stages);
        assert!(pattern.stages().all(|(_, gaps)| gaps == Gaps::Keep));
        assert_eq!(round_trip(&model), model, "{file}");
    }
}

#[test]
fn gpt2_equals_its_ranks() {
    let files = [
        "vocabs/gpt2/vocab.json",
        "vocabs/gpt2/merges.txt",
        "vocabs/r50k_base.tiktoken",
    ];
    let [Some(vocab), Some(merges), Some(ranks)] = files.map(shared) else {
        return;
    };
    let model = huggingface::read_gpt2(&vocab, &merges).unwrap();
    assert_eq!(
        model.specials().by_content("<|endoftext|>").unwrap().id,
        50256
    );
    let pattern = tokenizer_core::Pattern::named(PatternName::Gpt2);
    let ranks = tiktoken::read(&ranks, pattern).unwrap();
    assert_eq!(model.vocab(), ranks.vocab());
    let [model, ranks] = [model, ranks].map(Tokenizer::new);
    let text = read_fixture("corpus.txt");
    assert_eq!(model.encode(&text).unwrap(), ranks.encode(&text).unwrap());
}

//! Compares with recorded results in `fixtures/`: merges of `rustbpe` and ids of `tiktoken`.

use std::path::PathBuf;

use tokenizer_core::format::tiktoken::read_ranks;
use tokenizer_core::internals::reference;
use tokenizer_core::{
    CountOptions, Model, Pair, Pattern, PieceCounts, SpecialToken, Tokenizer, TrainOptions,
    count_pieces, train,
};

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn words(name: &str, pattern: &str) -> PieceCounts {
    let pattern: Pattern = pattern.parse().unwrap();
    count_pieces([fixture(name)], &pattern, &CountOptions::default()).unwrap()
}

#[test]
fn the_demo_gives_the_documented_merges() {
    let table = String::from_utf8(fixture("merges_demo/demo_merges.tsv")).unwrap();
    let pairs: Vec<Pair> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t').skip(1);
            let mut id = || fields.next().unwrap().parse().unwrap();
            Pair::new(id(), id())
        })
        .collect();
    assert!(pairs.len() > 50);
    let words = words("merges_demo/demo.txt", "gpt2");
    let trained = train(&words, &TrainOptions::new(1256)).unwrap();
    let learned = trained.merges().iter().map(|merge| merge.pair());
    assert_eq!(learned.collect::<Vec<_>>(), pairs);
    assert_eq!(reference::train(&words, 1000, 1, usize::MAX), pairs);
}

#[test]
fn training_equals_rustbpe() {
    for name in ["gpt2", "cl100k", "o200k", "nanochat"] {
        let want = read_ranks(&fixture(&format!("golden/{name}.tiktoken"))).unwrap();
        let options = TrainOptions::new(want.len());
        let trained = train(&words("corpus.txt", name), &options).unwrap();
        let tokens = trained.merges().trained_tokens().unwrap();
        assert!(tokens.into_iter().zip(0..).eq(want), "{name}");
    }
}

#[test]
fn encoding_equals_tiktoken() {
    for name in ["gpt2", "cl100k", "o200k", "nanochat"] {
        let ranks = read_ranks(&fixture(&format!("golden/{name}.tiktoken"))).unwrap();
        let specials = [("<|endoftext|>", 2048), ("<|bos|>", 2049)];
        let model = Model::from_ranks(
            name.parse().unwrap(),
            ranks.iter().map(|(token, rank)| (token.as_slice(), *rank)),
            specials.map(|(content, id)| SpecialToken::new(content, id)),
        );
        let encoder = Tokenizer::new(model.unwrap());
        let all = encoder.model().all_specials();
        let vectors = String::from_utf8(fixture(&format!("golden/{name}.jsonl"))).unwrap();
        for line in vectors.lines() {
            let vector: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = vector["text"].as_str().unwrap();
            let ids = |key: &str| -> Option<Vec<u32>> {
                let ids = vector.get(key)?.as_array()?.iter();
                Some(ids.map(|id| id.as_u64().unwrap() as u32).collect())
            };
            let plain = ids("ids").unwrap();
            assert_eq!(
                encoder.encode(text.as_bytes()).unwrap(),
                plain,
                "{name}, {text:?}"
            );
            assert_eq!(encoder.model().decode(&plain).unwrap(), text.as_bytes());
            let mut special = Vec::new();
            encoder
                .request()
                .allow(&all)
                .encode_into(text.as_bytes(), &mut special)
                .unwrap();
            assert_eq!(
                special,
                ids("special_ids").unwrap_or(plain),
                "{name}, {text:?}"
            );
        }
    }
}

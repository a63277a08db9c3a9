//! Trained models of the repository, and texts for them.

use std::path::PathBuf;

use tokenizer_core::format::{native, tiktoken};
use tokenizer_core::{
    CountOptions, Model, Pattern, PatternName, Tokenizer, TrainOptions, count_pieces, train,
};

pub fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// A model of each pattern: two that merge by ranks, two by the merges that training learned.
pub fn models() -> Vec<Model> {
    let by_ranks = |name: PatternName| {
        let table = fixture(&format!("golden/{name}.tiktoken"));
        tiktoken::read(&table, Pattern::named(name)).unwrap()
    };
    let by_merges = |name: PatternName| {
        let pattern = Pattern::named(name);
        let corpus = [fixture("corpus.txt")];
        let words = count_pieces(&corpus, &pattern, &CountOptions::default()).unwrap();
        let trained = train(&words, &TrainOptions::new(3256)).unwrap();
        let model = Model::from_trained(pattern, trained).unwrap();
        // As it comes out of a file.
        native::read(&native::write(&model)).unwrap()
    };
    vec![
        by_ranks(PatternName::Gpt2),
        by_merges(PatternName::Cl100k),
        by_ranks(PatternName::O200k),
        by_merges(PatternName::Nanochat),
    ]
}

/// Encoders that have encoded nothing yet, and that cut texts into small parts for threads.
pub fn encoders() -> Vec<Tokenizer> {
    let options = Tokenizer::builder().small_parts();
    let encoder = |model| options.clone().build(model);
    models().into_iter().map(encoder).collect()
}

/// Hard cases, prose of many languages, pieces that are very long, and bytes that are no text.
pub fn texts() -> Vec<Vec<u8>> {
    let cases = String::from_utf8(fixture("hard_cases.jsonl")).unwrap();
    let text = |line| {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        case["text"].as_str().unwrap().as_bytes().to_vec()
    };
    let mut texts: Vec<Vec<u8>> = cases.lines().map(text).collect();
    let corpus = fixture("corpus.txt");
    texts.extend(corpus.chunks(5000).map(<[u8]>::to_vec));
    for piece in ["a", "ab", " ", "\n", "中", "e\u{301}", "!", "12345"] {
        texts.push(piece.repeat(20_000).into_bytes());
    }
    texts.push(random_bytes(30_000, 256));
    texts.push(random_bytes(30_000, 128));
    texts.push(corpus);
    texts
}

/// Bytes below `limit`, always the same.
pub fn random_bytes(length: usize, limit: u32) -> Vec<u8> {
    random(1).take(length).map(|n| (n % limit) as u8).collect()
}

/// Words that no one has met, of 2 to 13 letters.
pub fn novel_words(count: usize) -> Vec<u8> {
    let mut numbers = random(2);
    let mut words = Vec::new();
    for _ in 0..count {
        let length = 2 + numbers.next().unwrap_or(0) % 12;
        words.push(b' ');
        words.extend(
            numbers
                .by_ref()
                .take(length as usize)
                .map(|n| b'a' + (n % 26) as u8),
        );
    }
    words
}

fn random(seed: u64) -> impl Iterator<Item = u32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as u32
    })
}

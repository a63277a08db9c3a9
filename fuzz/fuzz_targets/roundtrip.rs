//! Decoding restores the text, for any bytes and every pattern without gaps, and all entry points return
//! the same ids, with and without special tokens.
//!
//! The tokenizers live as long as the process, which tests their caches; some inputs also use a fresh
//! one. The first byte of an input selects the model and whether some bytes become special tokens, the
//! second how often the rest is repeated.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokenizer_core::format::tiktoken;
use tokenizer_core::{
    Gaps, Merging, Model, Pattern, PatternName, SpecialSet, SpecialToken, SpecialTokens, Tokenizer,
};
use tokenizer_fuzz::entry_points::assert_ids;

const TABLES: [&[u8]; 4] = [
    include_bytes!("../../fixtures/golden/gpt2.tiktoken"),
    include_bytes!("../../fixtures/golden/cl100k.tiktoken"),
    include_bytes!("../../fixtures/golden/o200k.tiktoken"),
    include_bytes!("../../fixtures/golden/nanochat.tiktoken"),
];

static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let custom = [
        r"[a-z]+| ?\d{1,2}",
        r"(?s).{1,7}",
        r"\p{L}+(?=\s)|\s+(?!\S)",
    ];
    let custom = custom.map(|source| Pattern::regex(source, Gaps::Keep).expect("it compiles"));
    let named = PatternName::ALL.map(Pattern::named);
    let patterns = named
        .into_iter()
        .chain(custom)
        .chain([Pattern::sequence([])]);
    let models = TABLES.iter().cycle().zip(patterns);
    let plain = models
        .map(|(table, pattern)| tiktoken::read(table, pattern).expect("the fixtures are models"));
    let plain: Vec<Model> = plain.collect();
    let special = plain.iter().map(with_specials);
    let models = special.chain(plain.iter().cloned());
    // Small tasks, so that short texts are encoded on several threads.
    let options = Tokenizer::builder().small_tasks();
    models.map(|model| options.clone().build(model)).collect()
});

/// Special tokens that contain each other; each flag is set for one of them.
const CONTENTS: [&str; 8] = [
    "<|s|>",
    "<|",
    "|>",
    "<|s|><|t|>",
    "ab",
    " a",
    "\n",
    "e\u{301}",
];

fn with_specials(model: &Model) -> Model {
    let specials = CONTENTS.into_iter().zip(0..).map(|(content, n)| {
        let mut token = SpecialToken::new(content, 5000 + n);
        (token.special, token.normalized) = (n < 5, n > 5);
        (token.lstrip, token.rstrip) = (n == 1, n == 2);
        token.single_word = n == 4;
        token
    });
    let specials = SpecialTokens::new(specials).expect("distinct tokens");
    let (pattern, vocab) = (model.pattern().clone(), model.vocab().clone());
    Model::new(pattern, vocab, Merging::Ranks, specials).expect("a model")
}

fuzz_target!(|input: &[u8]| {
    let [choice, repeat, text @ ..] = input else {
        return;
    };
    let tokenizer = &TOKENIZERS[usize::from(*choice) % TOKENIZERS.len()];
    let model = tokenizer.model();
    let part = |&byte: &u8| match byte {
        // Bytes that never occur in UTF-8 select special tokens.
        0xF8..=0xFF if *choice >= 128 => CONTENTS[usize::from(byte - 0xF8)].as_bytes().to_vec(),
        _ => vec![byte],
    };
    let text: Vec<u8> = text.iter().flat_map(part).collect();
    let text = match repeat {
        0..240 => text,
        _ => text.repeat(usize::from(repeat - 238)),
    };
    let contents: Vec<&str> = model
        .specials()
        .iter()
        .map(|token| &*token.content)
        .collect();
    let allowed = contents.len() * usize::from(choice / 16 % 3) / 2;
    let allowed = model.special_set(&contents[..allowed]);
    let request = tokenizer.request().allow(&allowed);
    let ids = request
        .encode(&text)
        .expect("these patterns split any short text");
    // Tokens that strip white space do not restore it.
    if !ids.iter().any(|id| (5001..=5002).contains(id)) {
        assert!(model.decode(&ids).expect("the ids exist") == text);
    }
    assert_ids(tokenizer, &allowed, &text, &ids, model.pattern().source());
    if repeat % 16 == 0 {
        let new = Tokenizer::builder().small_tasks().build(model.clone());
        assert_ids(&new, &allowed, &text, &ids, model.pattern().source());
    }
    // Slow, so few inputs do it.
    if *repeat == 255 && text.len() % 32 == 31 {
        assert_same_on_threads(&Tokenizer::new(model.clone()), &allowed, &text);
    }

    let mut stream = model.decode_stream();
    let mut streamed = String::new();
    for &id in &ids {
        stream.push(id, &mut streamed).expect("the ids exist");
    }
    stream.finish(&mut streamed);
    assert!(streamed == model.decode_lossy(&ids).expect("the ids exist"));
});

/// Compares threads on a text that is long enough for parts of the default size.
fn assert_same_on_threads(tokenizer: &Tokenizer, allowed: &SpecialSet, text: &[u8]) {
    let long = text.repeat(70_000usize.div_ceil(text.len()));
    let texts = [&long, text, &long, text];
    let request = tokenizer.request().allow(allowed);
    // May be an error: a pattern with a long look-ahead fails on a text of this length.
    let one = request.threads(1).encode_batch(&texts);
    for threads in [2, 3] {
        let request = request.threads(threads);
        assert!(request.encode_batch(&texts) == one);
    }
}

//! Decoding gives the text back, for any bytes and every pattern that keeps all of them, and every
//! way to encode gives the same ids.
//!
//! The tokenizers live as long as the process, so that what they remember of earlier texts is put to
//! the test as well; sometimes one that knows nothing must give the same. The first byte of an input
//! chooses the pattern, the second how often the rest is repeated.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokenizer_core::format::tiktoken;
use tokenizer_core::{Tokenizer, Gaps, Pattern, PatternName};
use tokenizer_fuzz::ways::assert_ids;

const TABLES: [&[u8]; 4] = [
    include_bytes!("../../fixtures/golden/gpt2.tiktoken"),
    include_bytes!("../../fixtures/golden/cl100k.tiktoken"),
    include_bytes!("../../fixtures/golden/o200k.tiktoken"),
    include_bytes!("../../fixtures/golden/nanochat.tiktoken"),
];

static ENCODERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let custom = [
        r"[a-z]+| ?\d{1,2}",
        r"(?s).{1,7}",
        r"\p{L}+(?=\s)|\s+(?!\S)",
    ];
    let custom = custom.map(|source| Pattern::regex(source, Gaps::Keep).expect("it compiles"));
    let named = [
        PatternName::Gpt2,
        PatternName::Cl100k,
        PatternName::O200k,
        PatternName::Nanochat,
    ];
    let patterns = named.map(Pattern::named).into_iter().chain(custom);
    let whole = Pattern::sequence([]);
    let models = TABLES.iter().cycle().zip(patterns.chain([whole]));
    let read = |(table, pattern): (&&[u8], Pattern)| tiktoken::read(table, pattern);
    // Short texts reach threads too.
    let options = Tokenizer::builder().small_parts();
    let tokenizer = |model| options.clone().build(model);
    models
        .map(|model| tokenizer(read(model).expect("the fixtures are models")))
        .collect()
});

fuzz_target!(|input: &[u8]| {
    let [choice, repeat, text @ ..] = input else {
        return;
    };
    let tokenizer = &ENCODERS[usize::from(*choice) % ENCODERS.len()];
    let model = tokenizer.model();
    let text = match repeat {
        0..240 => text.to_vec(),
        _ => text.repeat(usize::from(repeat - 238)),
    };
    let ids = tokenizer
        .encode(&text)
        .expect("these patterns split any short text");
    assert!(model.decode(&ids).expect("the ids exist") == text);
    assert_ids(tokenizer, &text, &ids, model.pattern().source());
    if repeat % 16 == 0 {
        let new = Tokenizer::new(model.clone());
        assert_ids(&new, &text, &ids, model.pattern().source());
    }
    // Slow, so it is asked for by few inputs.
    if *repeat == 255 && text.len() % 32 == 31 {
        assert_same_on_threads(&Tokenizer::new(model.clone()), &text);
    }

    let mut stream = model.decode_stream();
    let mut streamed = String::new();
    for &id in &ids {
        stream.push(id, &mut streamed).expect("the ids exist");
    }
    stream.finish(&mut streamed);
    assert!(streamed == String::from_utf8_lossy(&text));
});

/// Enough text for parts of the usual size.
fn assert_same_on_threads(tokenizer: &Tokenizer, text: &[u8]) {
    let long = text.repeat(70_000usize.div_ceil(text.len()));
    let texts = [&long, text, &long, text];
    // A pattern that looks far ahead gives up on a text as long as this.
    let one = tokenizer.request().threads(1).encode_batch(&texts);
    if let Ok(one) = &one {
        for (text, ids) in texts.iter().zip(one.iter()) {
            assert!(tokenizer.model().decode(ids).expect("the ids exist") == *text);
        }
    }
    for threads in [2, 3] {
        assert!(tokenizer.request().threads(threads).encode_batch(&texts) == one);
    }
}

//! Trained models, and texts for them.

use std::path::PathBuf;
use std::sync::LazyLock;

use tokenizer_core::format::{native, tiktoken};
use tokenizer_core::internals::Tier;
use tokenizer_core::{
    CountOptions, Gaps, Merge, Merging, Model, Normalizer, Pattern, PatternName, SpecialToken,
    SpecialTokens, Tokenizer, TrainOptions, count_pieces, train,
};

use super::definition::Definition;
use super::edge_cases::CHARACTERS;

pub fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// A pattern without a scanner.
pub const REGEX: &str = r"\w+|\s+(?!\S)|[^\w\s]+|\s";

/// A model trained on the corpus of the fixtures and on edge cases, so that wrong pieces give wrong ids.
pub fn trained(pattern: Pattern) -> Model {
    let edge_cases = CHARACTERS.concat() + " a  b\r\n\n 'll 'S 12345 \n \n!!\n/ ";
    let texts = [fixture("corpus.txt"), edge_cases.repeat(20).into_bytes()];
    let pieces = count_pieces(&texts, &pattern, &CountOptions::default()).unwrap();
    let trained = train(&pieces, &TrainOptions::new(2256)).unwrap();
    Model::from_trained(pattern, trained).unwrap()
}

/// A model for each scanner and one without a scanner. Two merge by rank, the others by a list of merges.
pub fn models() -> &'static [Model] {
    static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let by_ranks = |name: PatternName| {
            let table = fixture(&format!("golden/{name}.tiktoken"));
            tiktoken::read(&table, Pattern::named(name)).unwrap()
        };
        let regex = |source: &str| trained(Pattern::regex(source, Gaps::Keep).unwrap());
        let endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
        let o200k = PatternName::O200k.regex().replace(endings, "");
        let cl100k = trained(Pattern::named(PatternName::Cl100k));
        vec![
            by_ranks(PatternName::Gpt2),
            // Read back from its file format.
            native::read(&native::write(&cl100k)).unwrap(),
            by_ranks(PatternName::O200k),
            trained(Pattern::named(PatternName::Nanochat)),
            regex(&o200k.replace("{1,3}", "")),
            regex(REGEX),
        ]
    });
    &MODELS
}

/// `model` with a normalizer and two special tokens, one of which is matched in normalized text and
/// strips white space.
pub fn with_specials(model: &Model) -> Model {
    let mut strips = SpecialToken::new("<n>", 4001);
    (strips.normalized, strips.lstrip) = (true, true);
    with(
        model,
        vec![SpecialToken::new("<|s|>", 4000), strips],
        Some(Normalizer::Nfc),
    )
}

/// `model` with these special tokens and this normalizer.
pub fn with(model: &Model, specials: Vec<SpecialToken>, normalizer: Option<Normalizer>) -> Model {
    let (pattern, vocab) = (model.pattern().clone(), model.vocab().clone());
    let specials = SpecialTokens::new(specials).unwrap();
    let model = Model::new(pattern, vocab, model.merging().clone(), specials).unwrap();
    model.with_normalizer(normalizer)
}

/// The reference implementation for a model.
pub fn definition(model: &Model) -> Definition {
    let tokens = model.vocab().iter().map(|(id, token)| (id, token.to_vec()));
    let merges: Option<Vec<Merge>> = match model.merging() {
        Merging::Ranks => None,
        Merging::Merges { merges, .. } => Some(merges.iter().copied().collect()),
    };
    Definition::new(model, tokens.collect(), merges.as_deref())
}

/// Fresh tokenizers with small parts: one for each of [`models`], and one with special tokens and a
/// normalizer.
pub fn tokenizers(tier: Tier) -> Vec<Tokenizer> {
    let options = Tokenizer::builder().small_tasks().tier(tier);
    let special = with_specials(&models()[1]);
    let models = models().iter().chain([&special]);
    models
        .map(|model| options.clone().build(model.clone()))
        .collect()
}

/// Edge cases, prose in many languages, very long pieces, invalid UTF-8 at all offsets, special tokens,
/// and past failures.
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
    texts.push(random_bytes(300_000, 256));
    texts.push(random_bytes(30_000, 128));
    for bad in [&b"\x80"[..], b"\xE2\x82", b"\xF0\x9F\x99", b"\xFF"] {
        for gap in 1..40 {
            let some = [&b"a".repeat(gap), bad, b" "].concat();
            texts.push(some.repeat(600 / some.len()));
        }
    }
    texts.push(
        "a <n>  <n><|s|> <|s|>\n<n>e\u{301} the"
            .repeat(300)
            .into_bytes(),
    );
    texts.push(b"\x0b<n>".to_vec());
    let past_failure = [b"\x00{0:\x0B{0a\t,\t0A\t 'a a  a\t0'0\xE1\x81\x8A{a {A\xF0\xAE\xBF\x8E\xF2\xAA\x91\xAAV\" \xD1\xA8'\rPRf'9".as_slice(), b",D ovr2\t\n\nV\rm'\t\t S\t\n. 0l.,\nl84\n\x83\xBB\x10?\x84\xA4\x916\xF3p\xE0\xAD\x8E\x03p\xAA\x0BW\xA7\xF4m%t\xF2", &[b'a'; 234]];
    texts.push(past_failure.concat());
    texts.push(novel_words(20_000));
    texts.push(corpus);
    texts
}

/// Pseudo-random bytes below `limit`.
pub fn random_bytes(length: usize, limit: u32) -> Vec<u8> {
    random(1).take(length).map(|n| (n % limit) as u8).collect()
}

/// Pseudo-random words of 2 to 13 letters.
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

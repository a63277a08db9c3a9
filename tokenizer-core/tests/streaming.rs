//! Encoding text that comes in chunks gives the ids of the whole text.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use tokenizer_core::Normalizer;
use tokenizer_core::{
    CountOptions, EncodeError, Gaps, Merges, Model, Pattern, PatternName, SpecialSet, SpecialToken,
    SpecialTokens, TokenId, Tokenizer, TrainOptions, count_pieces, train,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Merges of the text of the repository, and of hard text, so that wrong pieces make wrong ids.
fn merges(pattern: &Pattern) -> Merges {
    let text = std::fs::read(root().join("fixtures/corpus.txt")).unwrap();
    let hard = format!("{} a  b\r\n\n 'll 'S 12345 \n \n!!\n/ ", HARD.concat()).repeat(20);
    let texts = [&text[..], hard.as_bytes()];
    let words = count_pieces(texts, pattern, &CountOptions::default()).unwrap();
    let trained = train(&words, &TrainOptions::new(1756)).unwrap();
    trained.merges().clone()
}

fn trained(pattern: Pattern) -> Model {
    let merges = merges(&pattern);
    Model::from_merges(pattern, merges, &[] as &[&str]).unwrap()
}

/// Every kind of scanner, one regex without, each without a normaliser and with one.
fn models() -> &'static [Model] {
    static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let mut sources: Vec<String> = PatternName::ALL.map(|n| n.regex().to_owned()).into();
        let o200k = PatternName::O200k.regex();
        sources.push(
            o200k
                .replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "")
                .replace("{1,3}", ""),
        );
        sources.push(r"\w+|\s+(?!\S)|[^\w\s]+|\s".into());
        let patterns = sources
            .iter()
            .map(|source| Pattern::regex(source, Gaps::Keep).unwrap());
        let plain: Vec<Model> = patterns.map(trained).collect();
        let composed = plain.clone().into_iter();
        let composed = composed.map(|model| model.with_normalizer(Some(Normalizer::Nfc)));
        plain.iter().cloned().chain(composed).collect()
    });
    &MODELS
}

fn encoders() -> &'static [Tokenizer] {
    static ENCODERS: LazyLock<Vec<Tokenizer>> =
        LazyLock::new(|| models().iter().cloned().map(Tokenizer::new).collect());
    &ENCODERS
}

const O200K: Option<PatternName> = Some(PatternName::O200k);

/// The ids and what went wrong, of the whole text and of its chunks.
type Encoded = (Vec<TokenId>, Result<(), EncodeError>);

/// The set that allows no special token; it holds the other added tokens.
fn no_specials(encoder: &Tokenizer) -> SpecialSet {
    encoder.model().special_set(&[] as &[&str])
}

fn whole(encoder: &Tokenizer, specials: &SpecialSet, text: &[u8]) -> Encoded {
    let mut ids = Vec::new();
    let done = encoder
        .request()
        .allow(specials)
        .encode_into(text, &mut ids);
    (ids, done)
}

fn in_chunks<'t>(
    encoder: &Tokenizer,
    specials: &SpecialSet,
    chunks: impl IntoIterator<Item = &'t [u8]>,
) -> Encoded {
    let mut ids = Vec::new();
    let mut stream = encoder.request().allow(specials).stream();
    let pushed = chunks
        .into_iter()
        .try_for_each(|chunk| stream.push(chunk, &mut ids));
    let done = pushed.and_then(|()| stream.finish(&mut ids));
    (ids, done)
}

/// One character of each kind that some pattern or the normaliser tells apart.
const HARD: [&str; 52] = [
    "a", "b", "Z", "s", "S", "d", "t", "l", "L", "v", "e", "E", "r", "'", "'", " ", " ", " ", "\n",
    "\n", "\r", "\t", "1", "2", "3", "/", "/", "!", ".", "<", "|", ">", "\u{17F}", "\u{85}",
    "\u{A0}", "\u{3000}", "\u{200D}", "\u{301}", "\u{93F}", "\u{345}", "é", "É", "ǅ", "ʰ", "中",
    "\u{1100}", "\u{1161}", "\u{958}", "०", "𝟙", "😀", "\u{212B}",
];

const BROKEN: [&[u8]; 8] = [
    b"\x80",
    b"\xC3",
    b"\xE2\x82",
    b"\xE3\x80",
    b"\xED\xA0\x80",
    b"\xF0\x9F\x98",
    b"\xFF",
    b"\xE0\x80",
];

/// Special tokens that are beginnings, ends and parts of each other, that begin and end in white
/// space, that compose.
const CONTENTS: [&str; 14] = [
    "<|a|>",
    "<|a|><|b|>",
    "<|",
    "|>",
    "<|a",
    "aa",
    "ab",
    " a",
    "\n",
    "a ",
    "a<|",
    "e\u{301}",
    "\u{3000}<",
    "é!",
];

fn hard_text() -> impl Strategy<Value = Vec<u8>> {
    let hard = prop::sample::select(&HARD[..]).prop_map(|c| c.as_bytes().to_vec());
    let run = (prop::sample::select(&HARD[..]), 1usize..40);
    let run = run.prop_map(|(c, n)| c.repeat(n).into_bytes());
    let special = prop::sample::select(&CONTENTS[..]).prop_map(|c| c.as_bytes().to_vec());
    let any = any::<char>().prop_map(|c| c.to_string().into_bytes());
    let bad = prop::sample::select(&BROKEN[..]).prop_map(<[u8]>::to_vec);
    let part = prop_oneof![30 => hard, 3 => run, 8 => special, 2 => any, 2 => bad];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// Chunks of every size from one byte to the whole, or of sizes that vary.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        (1usize..20).prop_map(|size| vec![size]),
        prop::collection::vec(0usize..30, 1..10),
    ]
}

fn chunks<'t>(text: &'t [u8], sizes: &[usize]) -> Vec<&'t [u8]> {
    let mut rest = text;
    let mut chunks = Vec::new();
    for &size in sizes.iter().cycle().take(text.len() + 10) {
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    chunks
}

fn special_tokens() -> impl Strategy<Value = Vec<SpecialToken>> {
    let flags = prop::array::uniform5(prop::bool::weighted(0.25));
    let token = (prop::sample::select(&CONTENTS[..]), flags);
    prop::collection::btree_map(0..CONTENTS.len(), token, 0..6).prop_map(|tokens| {
        let mut contents = Vec::new();
        let mut specials = Vec::new();
        for (content, flags) in tokens.into_values() {
            let [added, normalized, lstrip, rstrip, single_word] = flags;
            if contents.contains(&content) {
                continue;
            }
            contents.push(content);
            let mut token = SpecialToken::new(content, 3000 + contents.len() as TokenId);
            token.special = !added;
            token.normalized = normalized;
            token.lstrip = lstrip;
            token.rstrip = rstrip;
            token.single_word = single_word;
            specials.push(token);
        }
        specials
    })
}

fn config() -> ProptestConfig {
    let cases = if cfg!(debug_assertions) { 500 } else { 5000 };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn chunks_give_the_ids_of_the_whole(text in hard_text(), sizes in sizes()) {
        for encoder in encoders() {
            let none = no_specials(encoder);
            let got = in_chunks(encoder, &none, chunks(&text, &sizes));
            prop_assert_eq!(&got, &whole(encoder, &none, &text), "{:?}", encoder.model());
        }
    }

    #[test]
    fn chunks_give_the_special_tokens_of_the_whole(
        text in hard_text(),
        sizes in sizes(),
        specials in special_tokens(),
        model in 0..models().len(),
    ) {
        let model = &models()[model];
        let merging = model.merging().clone();
        let specials = SpecialTokens::new(specials).unwrap();
        let vocab = model.vocab().clone();
        let pattern = model.pattern().clone();
        let encoder = Model::new(pattern, vocab, merging, specials).unwrap();
        let encoder = Tokenizer::new(encoder.with_normalizer(model.normalizer()));
        let model = encoder.model();
        let some = model.special_set(&[CONTENTS[0], CONTENTS[2], CONTENTS[8]]);
        for allowed in [model.all_specials(), some, no_specials(&encoder)] {
            let got = in_chunks(&encoder, &allowed, chunks(&text, &sizes));
            prop_assert_eq!(got, whole(&encoder, &allowed, &text), "{:?}", model);
        }
    }
}

#[test]
fn what_no_chunk_can_change_is_given_out_at_once() {
    let model = trained(Pattern::named(PatternName::Cl100k));
    let specials = SpecialTokens::new([SpecialToken::new("<|end|>", 5000)]).unwrap();
    let model = Model::new(
        model.pattern().clone(),
        model.vocab().clone(),
        model.merging().clone(),
        specials,
    );
    let encoder = Tokenizer::new(model.unwrap());
    let mut stream = encoder
        .request()
        .allow(&encoder.model().all_specials())
        .stream();
    let (mut text, mut ids) = (Vec::new(), Vec::new());
    for (chunk, settled) in [
        ("one two thr", "one two"),
        ("ee.", "one two three"),
        ("  \n", "one two three."),
        ("<|en", "one two three."),
        ("d|", "one two three."),
        (">", "one two three.  \n<|end|>"),
        ("12345", "one two three.  \n<|end|>123"),
        ("é", "one two three.  \n<|end|>12345"),
    ] {
        stream.push(chunk.as_bytes(), &mut ids).unwrap();
        text.extend_from_slice(chunk.as_bytes());
        let given = encoder.model().decode(&ids).unwrap();
        assert_eq!(
            String::from_utf8(given).unwrap(),
            settled,
            "behind {chunk:?}"
        );
    }
    stream.finish(&mut ids).unwrap();
    assert_eq!(encoder.model().decode(&ids).unwrap(), text);
}

#[test]
fn an_error_is_that_of_the_whole_text_and_stays() {
    let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
    let model = Model::from_merges(bomb, Merges::default(), &["<|s|>"]).unwrap();
    let encoder = Tokenizer::new(model);
    let all = encoder.model().all_specials();
    let text = format!("xy<|s|>z{}<|s|>b", "a".repeat(64));
    let want = whole(&encoder, &all, text.as_bytes());
    assert!(matches!(&want.1, Err(EncodeError::Split(error)) if error.offset == 8));
    for size in 1..text.len() {
        let got = in_chunks(&encoder, &all, text.as_bytes().chunks(size));
        assert_eq!(got, want, "{size}");
    }
    let mut stream = encoder.request().allow(&all).stream();
    let mut ids = Vec::new();
    let error = stream.push(text.as_bytes(), &mut ids).unwrap_err();
    let before = ids.clone();
    assert_eq!(stream.push(b"more", &mut ids), Err(error.clone()));
    assert_eq!(stream.finish(&mut ids), Err(error));
    assert_eq!(ids, before);
}

#[test]
fn a_long_text_byte_by_byte_is_linear_whatever_it_holds() {
    // With a look at all that is held for every byte they would take an hour.
    const SIZE: usize = 1 << 18;
    let mut strip = SpecialToken::new("<|strip|>", 5000);
    (strip.lstrip, strip.rstrip) = (true, true);
    let mut word = SpecialToken::new(" word", 5001);
    (word.single_word, word.normalized) = (true, true);
    let specials = SpecialTokens::new([strip, word]).unwrap();
    for name in PatternName::ALL {
        let model = trained(Pattern::named(name));
        let (pattern, vocab) = (model.pattern().clone(), model.vocab().clone());
        let model = Model::new(pattern, vocab, model.merging().clone(), specials.clone());
        let model = model.unwrap().with_normalizer(Some(Normalizer::Nfc));
        let encoder = Tokenizer::new(model);
        let all = encoder.model().all_specials();
        for unit in [
            "a", " ", "\n", "!", "1", "a ", "\u{301}", "\u{1161}", "<|strip|", "\u{3000}", "Ab",
            "'a", "!\u{301}", "中", "\n \n", " word",
        ] {
            let mut text = b"b<|strip|>".to_vec();
            text.extend_from_slice(unit.repeat(SIZE / unit.len()).as_bytes());
            let got = in_chunks(&encoder, &all, text.chunks(1));
            assert!(got == whole(&encoder, &all, &text), "{name}, {unit:?}");
        }
        let broken = b"\xE2\x82".repeat(SIZE / 2);
        let got = in_chunks(&encoder, &all, broken.chunks(1));
        assert!(got == whole(&encoder, &all, &broken), "{name}, broken");
    }
}

#[test]
fn every_corpus_in_chunks_gives_the_ids_of_the_whole() {
    let corpora = root().join("../shared/data/corpora");
    let mut files = vec![root().join("fixtures/corpus.txt")];
    for folder in [corpora.clone(), corpora.join("adversarial")] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            eprintln!("the shared corpora are not at hand: nothing to compare");
            break;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.is_file()));
    }
    // Every kind of scanner, and one of them with a normaliser.
    let plain = |encoder: &Tokenizer| encoder.model().normalizer().is_none();
    let encoders: Vec<&Tokenizer> = encoders()
        .iter()
        .filter(|encoder| encoder.model().pattern().has_scanner())
        .filter(|encoder| plain(encoder) || encoder.model().pattern().name() == O200K)
        .collect();
    for path in files {
        let text = std::fs::read(&path).unwrap();
        for encoder in &encoders {
            let none = no_specials(encoder);
            // Byte by byte, a page at a time, and all at once.
            for (most, size) in [(20_000, 1), (200_000, 4096), (200_000, usize::MAX)] {
                let text = &text[..text.len().min(most)];
                let got = in_chunks(encoder, &none, text.chunks(size));
                let same = got == whole(encoder, &none, text);
                assert!(same, "{}, {size}, {:?}", path.display(), encoder.model());
            }
        }
    }
}

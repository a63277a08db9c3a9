//! Streaming: how early ids are emitted, errors, cost, and the shared corpora.

use std::path::{Path, PathBuf};

use tokenizer_core::{
    EncodeError, Gaps, Merges, Model, Normalizer, Pattern, PatternName, Request, SpecialToken,
    TokenId, Tokenizer,
};

use super::absent;
use super::entry_points::in_chunks;
use super::texts::{models, trained, with};

/// Encodes the whole text. Returns the ids before any error, and the result.
fn whole(request: &Request<'_>, text: &[u8]) -> (Vec<TokenId>, Result<(), EncodeError>) {
    let mut ids = Vec::new();
    let done = request.encode_into(text, &mut ids);
    (ids, done)
}

#[test]
fn ids_are_emitted_as_soon_as_they_are_final() {
    let model = trained(Pattern::named(PatternName::Cl100k));
    let encoder = Tokenizer::new(with(&model, vec![SpecialToken::new("<|end|>", 5000)], None));
    let all = encoder.model().all_specials();
    let mut stream = encoder.request().allow(&all).stream();
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
        let emitted = encoder.model().decode(&ids).unwrap();
        assert_eq!(
            String::from_utf8(emitted).unwrap(),
            settled,
            "after {chunk:?}"
        );
    }
    stream.finish(&mut ids).unwrap();
    assert_eq!(encoder.model().decode(&ids).unwrap(), text);
}

#[test]
fn errors_equal_those_of_the_whole_text_and_persist() {
    let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
    let model = Model::from_merges(bomb, Merges::default(), &["<|s|>"]).unwrap();
    let encoder = Tokenizer::new(model);
    let all = encoder.model().all_specials();
    let text = format!("xy<|s|>z{}<|s|>b", "a".repeat(64));
    let request = encoder.request().allow(&all);
    let want = whole(&request, text.as_bytes());
    assert!(matches!(&want.1, Err(EncodeError::Split(error)) if error.offset == 8));
    for size in 1..text.len() {
        let got = in_chunks(&request, text.as_bytes().chunks(size));
        assert_eq!(got, want, "{size}");
    }
    let mut stream = request.stream();
    let mut ids = Vec::new();
    let error = stream.push(text.as_bytes(), &mut ids).unwrap_err();
    let before = ids.clone();
    assert_eq!(stream.push(b"more", &mut ids), Err(error.clone()));
    assert_eq!(stream.finish(&mut ids), Err(error));
    assert_eq!(ids, before);
}

#[test]
fn streaming_byte_by_byte_takes_linear_time() {
    // Rescanning the buffered text for every byte would take an hour.
    const SIZE: usize = 1 << 18;
    let mut strip = SpecialToken::new("<|strip|>", 5000);
    (strip.lstrip, strip.rstrip) = (true, true);
    let mut word = SpecialToken::new(" word", 5001);
    (word.single_word, word.normalized) = (true, true);
    let specials = vec![strip, word];
    for name in PatternName::ALL {
        let model = trained(Pattern::named(name));
        let encoder = Tokenizer::new(with(&model, specials.clone(), Some(Normalizer::Nfc)));
        let all = encoder.model().all_specials();
        let request = encoder.request().allow(&all);
        for unit in [
            "a", " ", "\n", "!", "1", "a ", "\u{301}", "\u{1161}", "<|strip|", "\u{3000}", "Ab",
            "'a", "!\u{301}", "中", "\n \n", " word",
        ] {
            let mut text = b"b<|strip|>".to_vec();
            text.extend_from_slice(unit.repeat(SIZE / unit.len()).as_bytes());
            let got = in_chunks(&request, text.chunks(1));
            assert!(got == whole(&request, &text), "{name}, {unit:?}");
        }
        let broken = b"\xE2\x82".repeat(SIZE / 2);
        let got = in_chunks(&request, broken.chunks(1));
        assert!(got == whole(&request, &broken), "{name}, broken");
    }
}

#[test]
fn corpora_in_chunks_give_the_ids_of_the_whole() {
    let folders = ["corpora", "corpora/adversarial"]
        .into_iter()
        .filter_map(absent::shared);
    let entries = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus.txt");
    let files: Vec<PathBuf> = paths
        .filter(|path| path.is_file())
        .chain([fixture])
        .collect();
    // Every scanner, and one with a normalizer.
    let scanners = models()
        .iter()
        .filter(|model| !model.pattern().uses_regex_engine());
    let normalizes = with(&models()[2], vec![], Some(Normalizer::Nfc));
    let models = scanners.cloned().chain([normalizes]);
    let encoders: Vec<Tokenizer> = models.map(Tokenizer::new).collect();
    for path in files {
        let text = std::fs::read(&path).unwrap();
        for encoder in &encoders {
            let request = encoder.request();
            // Byte by byte, a page at a time, and all at once.
            for (length, size) in [(20_000, 1), (200_000, 4096), (200_000, usize::MAX)] {
                let text = &text[..text.len().min(length)];
                let got = in_chunks(&request, text.chunks(size));
                let same = got == whole(&request, text);
                assert!(same, "{}, {size}, {:?}", path.display(), encoder.model());
            }
        }
    }
}

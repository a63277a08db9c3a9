//! The check of a model that was read from a file.

use tokenizer_core::format::{huggingface, native, tiktoken};
use tokenizer_core::{Gaps, Merging, Model, TokenId, Tokenizer};

use crate::entry_points::assert_ids;

const TEXT: &[u8] =
    "abc the abcab aaaaaaaaa <s>12345  x word é\r\n e\u{301}中文 it's\u{a0}".as_bytes();

/// Fails unless a loaded model encodes, decodes and round-trips correctly.
pub fn check(model: &Model, text: &[u8], with_json: bool) {
    let tokenizer = Tokenizer::builder().small_tasks().build(model.clone());
    let texts = [text, TEXT, b"", b"\xFF\xC3 abc \xE2\x82", &[b'a'; 100]];
    let encoded = texts.map(|text| ids_of_text(&tokenizer, text));
    let sets = [model.special_set(&[""; 0]), model.all_specials()];
    for (text, ids) in texts.iter().zip(&encoded) {
        let Some(ids) = ids else { continue };
        for (allowed, ids) in sets.iter().zip(ids) {
            assert_ids(&tokenizer, allowed, text, ids, "a loaded model");
        }
    }
    let same_ids = |again: Model, format: &str| {
        let again = Tokenizer::new(again);
        for (text, ids) in texts.iter().zip(&encoded) {
            assert_eq!(ids_of_text(&again, text), *ids, "{format}");
        }
    };

    let bytes = native::write(model);
    let again = native::read(&bytes).expect("a written file can be read");
    assert_eq!(again, *model, ".bpe");
    assert_eq!(native::write(&again), bytes, ".bpe");
    same_ids(again, ".bpe");

    if let Ok(bytes) = tiktoken::write(model) {
        let again = tiktoken::read(&bytes, model.pattern().clone()).expect("it can be read");
        if model.vocab().repeated().next().is_none() {
            assert_eq!(again.vocab(), model.vocab(), ".tiktoken");
        }
        assert_eq!(
            tiktoken::write(&again).expect("these are ranks"),
            bytes,
            ".tiktoken"
        );
        // The format stores nothing else, so other models may encode differently.
        if *model.merging() == Merging::Ranks
            && model.normalizer().is_none()
            && model.rewrites().is_empty()
            && model.specials().is_empty()
        {
            same_ids(again, ".tiktoken");
        }
    }

    if !with_json {
        return;
    }
    match huggingface::write(model) {
        Ok(bytes) => {
            let again = huggingface::read(&bytes).expect("a written file can be read");
            assert_eq!(huggingface::write(&again), Ok(bytes), "tokenizer.json");
            same_ids(again, "tokenizer.json");
        }
        Err(huggingface::HuggingFaceError::NotProven { text }) => {
            panic!("a written file differs: {text:?}")
        }
        Err(_) => {}
    }
}

/// The ids of a text without and with special tokens, checked by decoding. `None` if the pattern fails, or if
/// there is no token for a symbol: then all entry points fail in the same way.
fn ids_of_text(tokenizer: &Tokenizer, text: &[u8]) -> Option<[Vec<TokenId>; 2]> {
    let model = tokenizer.model();
    let request = tokenizer.request();
    let ids = match request.encode(text) {
        Ok(ids) => ids,
        Err(error) => {
            assert_eq!(request.offsets(text).map(drop), Err(error.clone()));
            assert_eq!(request.count(text), Err(error.clone()));
            assert_eq!(request.threads(2).encode(text), Err(error));
            return None;
        }
    };
    let all = model.all_specials();
    let special = tokenizer.request().allow(&all).encode(text).ok()?;
    let decoded = model.decode(&ids).expect("the ids exist");
    let keeps = (model.pattern().stages()).all(|(_, gaps)| gaps == Gaps::Keep);
    let is_literal = model.symbols().is_none() && model.text_decoder().is_none();
    if keeps && is_literal && model.specials().iter().all(|token| token.special) {
        assert_eq!(decoded, model.sections(text).concat());
    }
    model.decode(&special).expect("the ids exist");
    let mut stream = model.decode_stream();
    let mut streamed = String::new();
    for &id in &special {
        stream.push(id, &mut streamed).expect("the ids exist");
    }
    stream.finish(&mut streamed);
    assert_eq!(
        model.decode_lossy(&special),
        Ok(streamed),
        "decoded as a stream"
    );
    Some([ids, special])
}

//! Ids do not depend on threads, cuts, SIMD tiers or the state of caches.

use tokenizer_core::internals::Tier;
use tokenizer_core::{TokenId, Tokenizer};

use super::entry_points::assert_ids;
use super::texts::{definition, novel_words, texts, tokenizers};

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// The ids of a text, by an encoder with an empty cache.
fn cold(encoder: &Tokenizer, text: &[u8]) -> Vec<TokenId> {
    Tokenizer::new(encoder.model().clone())
        .encode(text)
        .unwrap()
}

/// Limit for the definition, whose time is quadratic in the length of a piece.
const LONGEST_PIECE: usize = 2000;

#[test]
fn entry_points_and_tiers_give_the_ids_of_the_definition() {
    let texts = texts();
    let tokenizers_of = |tier| tokenizers(tier).into_iter();
    for (number, scalar) in tokenizers_of(Tier::Scalar).enumerate() {
        let model = scalar.model().clone();
        let definition = definition(&model);
        let specials = model.all_specials();
        let contents: Vec<&str> = model
            .specials()
            .iter()
            .map(|token| &*token.content)
            .collect();
        let wants = texts.iter().map(|text| {
            let mut pieces = model.pattern().split(text);
            match pieces.all(|piece| piece.unwrap().len() <= LONGEST_PIECE) {
                true => definition.encode(text, &contents).ids,
                false => scalar.request().allow(&specials).encode(text).unwrap(),
            }
        });
        let wants: Vec<Vec<TokenId>> = wants.collect();
        for tier in Tier::available() {
            let tokenizer = tokenizers_of(tier).nth(number).unwrap();
            for (text, want) in texts.iter().zip(&wants) {
                let limit = if tier == Tier::best() { 100_000 } else { 1000 };
                if text.len() <= limit {
                    assert_ids(&tokenizer, &specials, text, want, tier);
                } else {
                    let request = tokenizer.request().allow(&specials).threads(2);
                    assert!(request.encode(text).unwrap() == *want, "{tier}");
                }
                if contents.is_empty() {
                    assert!(tokenizer.decode(want).unwrap() == *text);
                }
            }
        }
    }
}

#[test]
fn cache_state_does_not_change_ids() {
    let texts = texts();
    // More words than the cache can store.
    let flood = novel_words(400_000);
    for encoder in tokenizers(Tier::best()) {
        let want: Vec<_> = texts.iter().map(|text| cold(&encoder, text)).collect();
        let check_all = |state: &str| {
            for (text, want) in texts.iter().zip(&want) {
                assert!(encoder.encode(text).unwrap() == *want, "{state}");
                assert_eq!(encoder.count(text).unwrap(), want.len(), "{state}");
            }
        };
        check_all("first pass");
        check_all("warm cache");
        let first = encoder.encode(&flood).unwrap();
        check_all("after evictions");
        assert!(
            encoder.encode(&flood).unwrap() == first,
            "the same words again"
        );
        assert!(encoder.model().decode(&first).unwrap() == flood);
        // Piece by piece, through another entry point.
        let mut by_piece = Vec::new();
        for piece in encoder.model().pattern().split(&flood).take(5000) {
            by_piece.extend(encoder.encode_single_piece(&flood[piece.unwrap()]).unwrap());
        }
        assert!(first.starts_with(&by_piece), "piece by piece");
    }
}

#[test]
fn threads_do_not_change_ids() {
    let mut documents = texts();
    // One document that is longer than all others together, and many tiny or empty ones.
    let long = documents.concat();
    documents.insert(documents.len() / 2, long);
    documents.extend(vec![b"a".to_vec(); 3000]);
    documents.extend(vec![Vec::new(); 100]);
    for encoder in tokenizers(Tier::best()) {
        let want: Vec<_> = documents
            .iter()
            .map(|text| encoder.encode(text).unwrap())
            .collect();
        for threads in THREADS {
            for encoder in [
                &encoder,
                &Tokenizer::new(encoder.model().clone()),
                &encoder.clone(),
            ] {
                let batch = encoder
                    .request()
                    .threads(threads)
                    .encode_batch(&documents)
                    .unwrap();
                assert_eq!(batch.offsets.len(), documents.len() + 1);
                assert_eq!(batch.offsets.last(), Some(&batch.ids.len()));
                assert!(
                    batch.iter().eq(want.iter().map(Vec::as_slice)),
                    "{threads} threads"
                );
            }
        }
    }
}

#[test]
fn concurrent_calls_give_the_same_ids() {
    let texts = texts();
    for encoder in tokenizers(Tier::best()) {
        let want: Vec<_> = texts.iter().map(|text| cold(&encoder, text)).collect();
        std::thread::scope(|scope| {
            for first in 0..8 {
                let (encoder, texts, want) = (&encoder, &texts, &want);
                scope.spawn(move || {
                    for number in 0..texts.len() {
                        let number = (number + first * 31) % texts.len();
                        let ids = encoder.encode(&texts[number]).unwrap();
                        assert!(ids == want[number], "text {number}");
                    }
                });
            }
        });
    }
}

#[test]
fn cuts_do_not_change_ids() {
    for encoder in tokenizers(Tier::best()) {
        let pattern = encoder.model().pattern();
        if encoder.model().normalizer().is_some() {
            // Cuts hold for normalized text only.
            continue;
        }
        for text in texts() {
            let want = encoder.encode(&text).unwrap();
            // In two parts, at each of the first 60 cuts.
            let mut at = 0;
            let mut cuts = 0;
            while cuts < 60
                && let Some(cut) = pattern.first_cut(&text, at)
            {
                let mut ids = encoder.encode(&text[..cut]).unwrap();
                encoder
                    .request()
                    .encode_into(&text[cut..], &mut ids)
                    .unwrap();
                assert!(ids == want, "cut at {cut}");
                (at, cuts) = (cut, cuts + 1);
            }
            for size in [1, 2, 3, 7, 16, 61, 250, 1000, 4096, 65_536] {
                let mut ids = Vec::new();
                for part in pattern.parts(&text, size) {
                    encoder
                        .request()
                        .encode_into(&text[part], &mut ids)
                        .unwrap();
                }
                assert!(ids == want, "parts of {size} bytes");
            }
        }
    }
}

//! What changes nothing in the ids: threads, cuts, instruction sets, and what an encoder has met
//! before.

use tokenizer_core::internals::Tier;
use tokenizer_core::{TokenId, Tokenizer};

use super::texts::{definition, novel_words, texts, tokenizers};
use super::ways::assert_ids;

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// The ids of each text, by an encoder that has met no other.
fn cold(encoder: &Tokenizer, text: &[u8]) -> Vec<TokenId> {
    Tokenizer::new(encoder.model().clone())
        .encode(text)
        .unwrap()
}

/// The definition takes the square of a piece.
const LONGEST_PIECE: usize = 2000;

#[test]
fn every_way_and_every_tier_give_the_ids_of_the_definition() {
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
                let most = if tier == Tier::best() { 100_000 } else { 1000 };
                if text.len() <= most {
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
fn what_an_encoder_has_met_changes_nothing() {
    let texts = texts();
    // More than any table of pieces holds that is bounded by a few megabytes.
    let flood = novel_words(400_000);
    for encoder in tokenizers(Tier::best()) {
        let want: Vec<_> = texts.iter().map(|text| cold(&encoder, text)).collect();
        let all_are_right = |state: &str| {
            for (text, want) in texts.iter().zip(&want) {
                assert!(encoder.encode(text).unwrap() == *want, "{state}");
                assert_eq!(encoder.count(text).unwrap(), want.len(), "{state}");
            }
        };
        all_are_right("the texts before");
        all_are_right("the texts before, all of them");
        let first = encoder.encode(&flood).unwrap();
        all_are_right("more than it can remember");
        assert!(
            encoder.encode(&flood).unwrap() == first,
            "the same flood again"
        );
        assert!(encoder.model().decode(&first).unwrap() == flood);
        // Piece by piece, asked for in another way.
        let mut apart = Vec::new();
        for piece in encoder.model().pattern().split(&flood).take(5000) {
            apart.extend(encoder.encode_single_piece(&flood[piece.unwrap()]));
        }
        assert!(first.starts_with(&apart), "piece by piece");
    }
}

#[test]
fn threads_change_nothing() {
    let mut documents = texts();
    // One that is longer than all others together, and many that are nearly nothing.
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
fn one_encoder_serves_many_threads() {
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
fn cuts_change_nothing() {
    for encoder in tokenizers(Tier::best()) {
        let pattern = encoder.model().pattern();
        if encoder.model().normalizer().is_some() {
            // Cuts are those of normalized text.
            continue;
        }
        for text in texts() {
            let want = encoder.encode(&text).unwrap();
            // In two, at every place where it can be cut; of long texts at some of the first.
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

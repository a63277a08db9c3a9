//! What changes nothing in the ids: threads, cuts, instruction sets, and what an encoder has met
//! before.

use std::process::Command;

use tokenizer_core::internals::Tier;
use tokenizer_core::{TokenId, Tokenizer};

use super::texts::{encoders, models, novel_words, random_bytes, texts};
use super::ways::assert_ids;

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// The ids of each text, by an encoder that has met no other.
fn cold(encoder: &Tokenizer, text: &[u8]) -> Vec<TokenId> {
    Tokenizer::new(encoder.model().clone())
        .encode(text)
        .unwrap()
}

#[test]
fn every_way_gives_the_same_and_decodes_to_the_text() {
    let texts = texts();
    for encoder in encoders() {
        let pattern = encoder.model().pattern().source();
        for text in &texts {
            let ids = encoder.encode(text).unwrap();
            assert!(encoder.model().decode(&ids).unwrap() == *text);
            assert_ids(&encoder, text, &ids, pattern);
        }
    }
}

#[test]
fn what_an_encoder_has_met_changes_nothing() {
    let texts = texts();
    // More than any table of pieces holds that is bounded by a few megabytes.
    let flood = novel_words(400_000);
    for encoder in encoders() {
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
    for encoder in encoders() {
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
    for encoder in encoders() {
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
    for encoder in encoders() {
        let pattern = encoder.model().pattern();
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

/// Names the environment variable with which a test runs itself again, on one tier.
const PRINT: &str = "TOKENIZER_TEST_PRINT_IDS";

#[test]
fn every_tier_gives_the_same_ids() {
    if std::env::var_os(PRINT).is_some() {
        for encoder in encoders() {
            let mut texts = texts();
            texts.push(novel_words(20_000));
            texts.push(random_bytes(300_000, 256));
            let batch = encoder.request().threads(2).encode_batch(&texts).unwrap();
            let crc = batch.ids.iter().fold(0u64, |crc, &id| {
                (crc.rotate_left(5) ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            });
            println!("IDS {} {crc:016x} {:?}", batch.ids.len(), batch.offsets);
        }
        return;
    }
    let on = |tier: Tier| -> Vec<String> {
        let test = "sameness::every_tier_gives_the_same_ids";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PRINT, "1")
            .env("TOKENIZER_SIMD", tier.name())
            .output()
            .unwrap();
        assert!(output.status.success(), "{tier}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let ids = printed.lines().filter_map(|line| line.split_once("IDS "));
        ids.map(|(_, ids)| ids.to_owned()).collect()
    };
    let want = on(Tier::Scalar);
    assert_eq!(want.len(), models().len());
    for tier in Tier::available() {
        assert!(on(tier) == want, "{tier}");
    }
}

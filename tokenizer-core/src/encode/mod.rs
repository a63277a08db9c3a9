//! Encoding: text to ids.
//!
//! A text is a sequence of segments (`segments.rs`): special and added tokens, and the text between them.
//! The pattern splits that text into runs of at most 2,048 pieces, and `PieceRuns::encode` appends the ids of
//! one run to a vector. Encoding, counting, offsets, truncation and batches are loops over segments and runs;
//! so are streams (`stream.rs`), which find the segments chunk by chunk.
//!
//! ```text
//! Tokenizer::encode ─▶ Request::encode, encode_into (texts.rs) ─▶ Encoder::encode_segments (encoder.rs)
//!   ─▶ PieceRuns::encode_all, encode ─▶ RunEncoder::encode_run (session.rs) ─▶ PieceTable::look_up
//!                                                               └ misses ─▶ Merger ─▶ MergeRules
//! ```
//!
//! The steps within a run (`session.rs`):
//!
//! 1. Long pieces with non-ASCII characters are cut into chunks at boundaries that no token crosses
//!    (`chunks.rs`, `boundaries.rs`). Any other piece is one chunk.
//! 2. Chunks are looked up in a cache from chunks to ids (`piece_table.rs`), in groups whose cache lines are
//!    prefetched together. Most are found.
//! 3. A whole piece that is not found but equals a token is encoded as that token, if the model ignores
//!    merges for such pieces.
//! 4. All other chunks are merged (`merge.rs`): those of up to 64 bytes in lockstep, eight at a time
//!    (`lockstep.rs`), longer ones window by window. Repetitions are run-length encoded (`runs.rs`), so that
//!    a megabyte of one letter costs as much as a megabyte of short words.
//!
//! Models with ranks and models with listed merges differ only in how the rank of a pair is looked up
//! (`merge_rules.rs`). Models in which not every byte is a token, or whose tokens have affixes, use hidden ids
//! within the encoder (`hidden.rs`).

mod boundaries;
mod chunks;
mod encoder;
mod error;
mod heap;
mod hidden;
mod limit;
mod lockstep;
mod merge;
mod merge_rules;
mod offsets;
mod piece_table;
mod runs;
mod session;
mod stream;
mod tasks;
mod texts;

pub use encoder::Request;
pub(crate) use encoder::{Encoder, EncoderOptions};
pub use error::{BatchError, EncodeError};
pub use limit::Truncated;
pub use offsets::IdsWithOffsets;
pub use stream::EncodeStream;
pub use texts::Batch;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::{Merge, Merges};
    use crate::model::{Merging, Model};
    use crate::pattern::{Gaps, Pattern, PatternName, SplitError};
    use crate::special::{SpecialSet, SpecialTokens};
    use crate::token::TokenId;
    use crate::tokenizer::Tokenizer;
    use crate::vocab::{Repeats, Vocab};

    fn bytes_and(tokens: &[&[u8]]) -> Vec<Vec<u8>> {
        let bytes = (0..=255u8).map(|b| vec![b]);
        bytes.chain(tokens.iter().map(|t| t.to_vec())).collect()
    }

    fn whole_text() -> Pattern {
        Pattern::sequence([])
    }

    fn ranks(tokens: &[&[u8]]) -> Tokenizer {
        let tokens = bytes_and(tokens);
        let ranks = tokens.iter().zip(0..).map(|(t, id)| (t.as_slice(), id));
        Tokenizer::new(Model::from_ranks(whole_text(), ranks, []).unwrap())
    }

    #[test]
    fn with_ranks_a_piece_that_equals_a_token_is_not_merged() {
        let tokenizer = ranks(&[b"abc"]);
        assert_eq!(tokenizer.encode(b"abc").unwrap(), [256]);
        assert_eq!(tokenizer.encode(b"xabc").unwrap(), [120, 97, 98, 99]);
    }

    #[test]
    fn a_token_of_two_bytes_may_have_any_id() {
        for id in [0, 1, 97, 98, 99, 256] {
            let mut tokens = bytes_and(&[]);
            tokens.insert(id, b"ab".to_vec());
            let ranks = tokens.iter().zip(0..).map(|(t, id)| (t.as_slice(), id));
            let tokenizer = Tokenizer::new(Model::from_ranks(whole_text(), ranks, []).unwrap());
            let ids = tokenizer.encode(b"abab!ab").unwrap();
            let id = id as TokenId;
            assert_eq!((ids.len(), ids[0], ids[1], ids[3]), (4, id, id, id));
        }
    }

    #[test]
    fn ranks_merge_any_pair_and_listed_merges_only_the_listed_one() {
        let tokens: [&[u8]; 3] = [b"bc", b"ab", b"abc"];
        // (b, c) has the lowest rank. Then (a, bc) merges by ranks, but the list below lacks that pair.
        assert_eq!(ranks(&tokens).encode(b"xabc").unwrap(), [120, 258]);
        let vocab = bytes_and(&tokens);
        let vocab = Vocab::new(
            vocab.iter().zip(0..).map(|(t, id)| (id, &t[..])),
            Repeats::Refuse,
        );
        let listed = [(98, 99, 256), (97, 98, 257), (257, 99, 258)];
        let merges = listed.map(|(left, right, token)| Merge { left, right, token });
        let merging = |ignore_merges| Merging::Merges {
            merges: Merges::new(merges.to_vec()).unwrap(),
            ignore_merges,
        };
        let tokenizer = |first| {
            let specials = SpecialTokens::default();
            let vocab = vocab.clone().unwrap();
            Tokenizer::new(Model::new(whole_text(), vocab, merging(first), specials).unwrap())
        };
        assert_eq!(tokenizer(false).encode(b"abc").unwrap(), [97, 256]);
        assert_eq!(tokenizer(true).encode(b"abc").unwrap(), [258]);
        assert_eq!(tokenizer(true).encode(b"xabc").unwrap(), [120, 97, 256]);
    }

    #[test]
    fn special_tokens_are_recognized_only_if_allowed() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let model =
            Model::from_merges(pattern, Merges::default(), &["<|a|>", "<|a|><|b|>"]).unwrap();
        let tokenizer = Tokenizer::new(model);
        let with = |set: &SpecialSet, text: &str| {
            let mut ids = Vec::new();
            tokenizer
                .request()
                .allow(set)
                .encode_into(text.as_bytes(), &mut ids)
                .unwrap();
            ids
        };
        let all = tokenizer.model().all_specials();
        assert_eq!(with(&all, "x<|a|><|b|>y<|a|>"), [120, 257, 121, 256]);
        let one = tokenizer.model().special_set(&["<|a|>", "unknown"]);
        assert_eq!(with(&one, "<|a|>!<|a|><|b|>")[..3], [256, 33, 256]);
        assert_eq!(
            with(&tokenizer.model().special_set(&[] as &[&str]), "<|a|>").len(),
            5
        );
        let refused = tokenizer
            .request()
            .refuse_specials(b"ab<|a|>", &all)
            .unwrap_err();
        assert!(matches!(
            refused,
            EncodeError::SpecialNotAllowed { offset: 2, .. }
        ));
        assert_eq!(
            tokenizer.request().refuse_specials(b"ab<|c|>", &all),
            Ok(())
        );
    }

    #[test]
    fn a_split_error_has_the_byte_offset_in_the_whole_text() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let model = Model::from_merges(bomb, Merges::default(), &["<|s|>"]).unwrap();
        let tokenizer = Tokenizer::new(model);
        let text = format!("xy<|s|>z{}", "a".repeat(64));
        let all = tokenizer.model().all_specials();
        let error = tokenizer
            .request()
            .allow(&all)
            .encode_into(text.as_bytes(), &mut Vec::new());
        assert!(matches!(
            error,
            Err(EncodeError::Split(SplitError { offset: 8, .. }))
        ));
    }

    #[test]
    fn a_piece_whose_windows_never_agree_is_near_linear() {
        // Each pair of bytes occurs once, and pairs further right merge earlier. So the tokens are pairs that
        // line up with the end of the text, but not with its start: the length is odd. Windows have even
        // lengths, so they never agree. Taking back one token at a time would take minutes.
        let mut text: Vec<u8> = Vec::new();
        for first in 0..200 {
            text.push(first);
            text.extend((first + 1..200).flat_map(|second| [first, second]));
        }
        text.truncate((text.len() - 1) | 1);
        let pairs: Vec<&[u8]> = text.windows(2).rev().collect();
        let ids = ranks(&pairs).encode(&text).unwrap();
        let last = 256 + pairs.len() as TokenId;
        let want = (256..last).step_by(2).rev();
        assert_eq!(ids[0], TokenId::from(text[0]));
        assert!(ids[1..].iter().copied().eq(want));
    }

    #[test]
    fn a_megabyte_of_one_letter_is_near_linear() {
        // Quadratic time would take hours.
        let tokens: Vec<Vec<u8>> = (1..8).map(|n| vec![b'a'; 1 << n]).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let tokenizer = ranks(&tokens);
        let ids = tokenizer.encode(vec![b'a'; 1_000_001]).unwrap();
        assert_eq!(ids.len(), 1_000_000 / 128 + 2);
        assert_eq!(ids.last(), Some(&97));
    }

    #[test]
    fn a_model_of_very_long_tokens_loads_quickly() {
        // Looking up both parts of each token for every way to split it would take minutes.
        let tokens: Vec<Vec<u8>> = (1..=21).map(|n| vec![b'a'; 1 << n]).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        assert_eq!(
            ranks(&tokens).encode(vec![b'a'; 1 << 21]).unwrap(),
            [256 + 20]
        );
    }
}

#[cfg(test)]
mod stop_tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::pattern::{Gaps, Pattern, PatternName};
    use crate::token::Pair;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn a_set_stop_flag_ends_encoding_soon_and_an_unset_one_changes_nothing() {
        let specials: [&str; 0] = [];
        for pattern in [
            Pattern::named(PatternName::Cl100k),
            Pattern::regex(r"\w+(?=\b)|.", Gaps::Keep).unwrap(),
        ] {
            let model = Model::from_merges(pattern, Merges::default(), &specials).unwrap();
            let tokenizer = Tokenizer::new(model);
            let text = b"some words of a text, ".repeat(20_000);
            let texts = [&text[..], b"short", &text];
            for threads in [1, 3] {
                let flag = AtomicBool::new(false);
                let request = tokenizer.request().threads(threads).stop(&flag);
                assert_eq!(request.encode(&text).unwrap(), {
                    let ids = text.iter().map(|&byte| u32::from(byte));
                    ids.collect::<Vec<_>>()
                });
                assert_eq!(request.count(&text), Ok(text.len()));
                let offsets = request.offsets(&text).unwrap();
                assert_eq!(offsets.ranges.len(), text.len());
                assert!(request.encode_batch(&texts).is_ok());
                flag.store(true, Ordering::Relaxed);
                let began = Instant::now();
                let stopped = Err(EncodeError::Stopped);
                assert_eq!(request.encode(&text).map(drop), stopped);
                assert_eq!(request.count(&text).map(drop), stopped);
                let offsets = request.offsets(&text);
                assert_eq!(offsets.map(drop), stopped);
                let batch = request.encode_batch(&texts);
                assert_eq!(batch.unwrap_err().error, EncodeError::Stopped);
                assert!(began.elapsed() < Duration::from_secs(1));
            }
        }
    }

    /// One piece of many chunks, most of them new. The flag is checked between groups of chunks, and the ids
    /// appended before the stop are a prefix of all ids.
    #[test]
    fn a_piece_of_many_chunks_is_stopped() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let tokens = bytes.iter().map(|byte| &byte[..]).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), tokens, []).unwrap();
        let tokenizer = Tokenizer::new(model);
        let letters: Vec<char> = ('\u{4E00}'..'\u{9FA0}').collect();
        let text: String = (0..3_000_000_usize)
            .map(|n| letters[n.wrapping_mul(7919) % letters.len()])
            .collect();
        let want = tokenizer.encode(&text).unwrap();
        for delay in [0, 1, 3, 10] {
            let flag = AtomicBool::new(false);
            let mut ids = Vec::new();
            let done = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(delay));
                    flag.store(true, Ordering::Relaxed);
                });
                let tokenizer = Tokenizer::new(tokenizer.model().clone());
                tokenizer.request().stop(&flag).encode_into(&text, &mut ids)
            });
            assert!(want.starts_with(&ids));
            assert_eq!(done.is_ok(), ids.len() == want.len());
        }
    }

    #[test]
    fn a_long_piece_is_stopped_and_not_cached() {
        let specials: [&str; 0] = [];
        let pattern = Pattern::named(PatternName::Cl100k);
        let merges = [(97, 98), (256, 99), (98, 97)].map(|(left, right)| Pair::new(left, right));
        let merges = Merges::trained(&merges).unwrap();
        let tokenizer = Tokenizer::new(Model::from_merges(pattern, merges, &specials).unwrap());
        // Pseudo-random, so that no window equals the previous one.
        let letter = |index: u32| b'a' + (index.wrapping_mul(0x9E37_79B9) >> 29) as u8 % 3;
        let text: Vec<u8> = (0..8 << 20).map(letter).collect();
        let want = Tokenizer::new(tokenizer.model().clone())
            .encode(&text)
            .unwrap();
        for threads in [1, 2] {
            for delay in [0, 1, 5, 20] {
                let flag = AtomicBool::new(delay == 0);
                let request = tokenizer.request().threads(threads).stop(&flag);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(delay));
                        flag.store(true, Ordering::Relaxed);
                    });
                    let began = Instant::now();
                    let got = request.encode(&text);
                    assert!(began.elapsed() < Duration::from_secs(1));
                    // Encoding may finish first, unless the flag was set from the start.
                    assert!(got.is_err_and(|error| error == EncodeError::Stopped) || delay > 0);
                });
            }
            // The partial result was not cached as the ids of the piece.
            assert!(tokenizer.encode(&text).unwrap() == want);
        }
    }

    #[test]
    fn a_text_of_special_tokens_is_stopped() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::from_merges(pattern, Merges::default(), &["<s>"]).unwrap();
        let tokenizer = Tokenizer::new(model);
        let all = tokenizer.model().all_specials();
        let flag = AtomicBool::new(false);
        let request = tokenizer.request().allow(&all).stop(&flag);
        let text = b"<s>".repeat(100_000);
        assert_eq!(request.encode(&text).unwrap(), [256; 100_000]);
        flag.store(true, Ordering::Relaxed);
        for threads in [1, 3] {
            let stopped = request.threads(threads).encode(&text);
            assert_eq!(stopped, Err(EncodeError::Stopped));
        }
        let stopped = request.offsets(&text);
        assert_eq!(stopped.map(drop), Err(EncodeError::Stopped));
    }
}

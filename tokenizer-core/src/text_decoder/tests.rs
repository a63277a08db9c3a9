use super::*;
use crate::byte_level::bytes_of;
use crate::normalize::Replace;
use proptest::prelude::*;

/// The result of decoding tokens.
fn decoded(decoder: &TextDecoder, tokens: &[String], invalid: Invalid) -> Vec<u8> {
    let mut out = Vec::new();
    let mut text = decoder.start();
    for token in tokens {
        text.push(decoder, token.as_bytes(), false, invalid, &mut out);
    }
    text.finish(decoder, invalid, &mut out);
    out
}

/// A step applied to a list of tokens, by its definition in `tokenizers`.
fn by_definition(step: &DecodeStep, tokens: &[String]) -> Vec<String> {
    let last = tokens.len().saturating_sub(1);
    let numbered = tokens.iter().enumerate();
    match step {
        DecodeStep::Spaced => {
            let space = |at: usize| if at == 0 { "" } else { " " };
            numbered
                .map(|(at, t)| format!("{}{t}", space(at)))
                .collect()
        }
        DecodeStep::Replace(replace) => {
            let from = replace.as_text().unwrap();
            let replaced = tokens.iter().map(|t| t.replace(from, replace.content()));
            replaced.collect()
        }
        DecodeStep::Strip {
            character,
            start,
            stop,
        } => {
            let strip = |token: &String| {
                let characters: Vec<char> = token.chars().collect();
                let same = |c: &&char| *c == character;
                let first = characters.iter().take(*start as usize);
                let first = first.take_while(same).count();
                let rest = &characters[first..];
                let ends = rest.iter().rev().take(*stop as usize);
                let ends = ends.take_while(same).count();
                rest[..rest.len() - ends].iter().collect()
            };
            tokens.iter().map(strip).collect()
        }
        DecodeStep::Metaspace(symbol) => {
            let space = |at: usize| if at == 0 { "" } else { " " };
            numbered
                .map(|(at, t)| t.replace(*symbol, space(at)))
                .collect()
        }
        DecodeStep::BpeDecoder(suffix) => {
            let space = |at: usize| if at == last { "" } else { " " };
            numbered
                .map(|(at, t)| t.replace(suffix, space(at)))
                .collect()
        }
        DecodeStep::WordPiece { prefix, .. } => {
            let joined = numbered.map(|(at, token)| match token.strip_prefix(&**prefix) {
                _ if at == 0 => token.clone(),
                Some(rest) => rest.into(),
                None => format!(" {token}"),
            });
            joined.collect()
        }
        DecodeStep::ByteFallback => {
            let runs = tokens.chunk_by(|a, b| {
                fallback_byte(a.as_bytes()).is_some() && fallback_byte(b.as_bytes()).is_some()
            });
            let texts = runs.flat_map(|run| {
                let bytes = run
                    .iter()
                    .filter_map(|t| fallback_byte(t.as_bytes()))
                    .collect();
                match (fallback_byte(run[0].as_bytes()), String::from_utf8(bytes)) {
                    (None, _) => vec![run[0].clone()],
                    (Some(_), Ok(text)) => vec![text],
                    (Some(_), Err(_)) => vec!["\u{FFFD}".into(); run.len()],
                }
            });
            texts.collect()
        }
        DecodeStep::Fuse => vec![tokens.concat()],
        DecodeStep::ByteLevel => {
            let bytes = tokens
                .iter()
                .flat_map(|token| bytes_of(token).unwrap_or_else(|| token.as_bytes().to_vec()));
            vec![String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()]
        }
    }
}

fn any_step() -> impl Strategy<Value = DecodeStep> {
    let character = || prop::sample::select(vec!['a', ' ', '\u{2581}', '\u{120}', '\u{FFFD}']);
    let text = || prop::sample::select(vec!["a", "\u{2581}", "ab", " ", "</w>", "\u{120}", "é"]);
    prop_oneof![
        (text(), prop::sample::select(vec!["", " ", "a", "bb"]))
            .prop_map(|(from, to)| DecodeStep::Replace(Replace::text(from, to).unwrap())),
        (
            character(),
            0..3u32,
            prop_oneof![2 => Just(0), 1 => 0..3u32]
        )
            .prop_map(|(character, start, stop)| DecodeStep::Strip {
                character,
                start,
                stop
            }),
        character().prop_map(DecodeStep::Metaspace),
        text().prop_map(|suffix| DecodeStep::BpeDecoder(suffix.into())),
        text().prop_map(|prefix| DecodeStep::WordPiece {
            prefix: prefix.into(),
            cleanup: false
        }),
        Just(DecodeStep::Spaced),
        Just(DecodeStep::ByteFallback),
        Just(DecodeStep::Fuse),
        Just(DecodeStep::ByteLevel),
    ]
}

fn any_tokens() -> impl Strategy<Value = Vec<String>> {
    let token = prop_oneof![
        2 => "[a\u{2581} bé\u{120}]{0,4}(</w>)?",
        1 => prop::sample::select(vec!["<0xE4>", "<0xB8>", "<0xAD>", "<0x20>", "<0x61>", "<0xg0>"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["\u{e4}\u{b8}\u{143}", "\u{e4}", "\u{b8}", "\u{143}"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..8)
}

proptest! {
    #[test]
    fn a_chain_equals_its_steps_one_by_one(
        steps in prop::collection::vec(any_step(), 0..6),
        tokens in any_tokens(),
    ) {
        let mut list = tokens.clone();
        for step in &steps {
            list = by_definition(step, &list);
        }
        let decoder = TextDecoder::of_steps(steps, false);
        let text = String::from_utf8_lossy(&decoded(&decoder, &tokens, Invalid::Replace)).into_owned();
        prop_assert_eq!(text, list.concat());
    }
}

/// Invalid bytes are kept on request, and text is not changed by it.
#[test]
fn invalid_bytes_may_be_kept() {
    let steps = vec![DecodeStep::ByteFallback, DecodeStep::Metaspace('\u{2581}')];
    let decoder = TextDecoder::of_steps(steps, false);
    let tokens = ["<0xE4>", "<0xB8>", "\u{2581}a"].map(str::to_owned);
    assert_eq!(decoded(&decoder, &tokens, Invalid::Keep), b"\xE4\xB8 a");
    let decoder = TextDecoder::of_steps(
        vec![DecodeStep::ByteLevel, DecodeStep::Metaspace('a')],
        true,
    );
    let tokens = ["a\u{120}", "\u{e4}b"].map(str::to_owned);
    assert_eq!(decoded(&decoder, &tokens, Invalid::Keep), b" \xE4b");
}

/// Text is decoded as early as later steps allow.
#[test]
fn text_is_not_held_back_without_need() {
    let strip = |stop| DecodeStep::Strip {
        character: ' ',
        start: 1,
        stop,
    };
    let cases: [(&[DecodeStep], &[&str]); 5] = [
        (
            &[DecodeStep::ByteFallback, DecodeStep::Fuse, strip(0)],
            &["a", " b", "", "c", ""],
        ),
        (&[DecodeStep::ByteLevel], &[" a", " b", "", "c", ""]),
        (
            &[DecodeStep::BpeDecoder("b".into())],
            &["", " a", "  ", "", "c"],
        ),
        (&[DecodeStep::Fuse, strip(1)], &["", "", "", "", "a bc"]),
        (
            &[DecodeStep::ByteLevel, strip(0)],
            &["", "", "", "", "a bc"],
        ),
    ];
    for (steps, want) in cases {
        let decoder = TextDecoder::of_steps(steps.to_vec(), false);
        let mut text = decoder.start();
        let mut parts = Vec::new();
        for token in [" a", " b", "", "c"] {
            let mut out = Vec::new();
            text.push(
                &decoder,
                token.as_bytes(),
                false,
                Invalid::Replace,
                &mut out,
            );
            parts.push(String::from_utf8(out).unwrap());
        }
        let mut out = Vec::new();
        text.finish(&decoder, Invalid::Replace, &mut out);
        parts.push(String::from_utf8(out).unwrap());
        assert_eq!(parts, want, "{steps:?}");
    }
}

use proptest::prelude::*;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::Value;

use super::proto::PieceProto;
use super::*;
use crate::format::native;
use crate::tokenizer::Tokenizer;

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

type Listed<'p> = (&'p str, f32, i32);

fn bpe() -> TrainerSpec {
    TrainerSpec {
        model_type: Some(2),
        ..TrainerSpec::default()
    }
}

fn plain() -> NormalizerSpec {
    NormalizerSpec {
        add_dummy_prefix: Some(false),
        remove_extra_whitespaces: Some(false),
        ..NormalizerSpec::default()
    }
}

fn file(pieces: &[Listed<'_>], trainer: &TrainerSpec, normalizer: &NormalizerSpec) -> Vec<u8> {
    let pieces = pieces.iter().map(|&(piece, score, kind)| {
        let piece = PieceProto {
            piece: piece.into(),
            score,
            kind: Some(kind),
        };
        Bytes::from(piece.encode_to_vec())
    });
    let model = ModelProto {
        pieces: pieces.collect(),
        trainer_spec: vec![trainer.encode_to_vec().into()],
        normalizer_spec: vec![normalizer.encode_to_vec().into()],
        denormalizer_spec: Vec::new(),
    };
    model.encode_to_vec()
}

/// The error for a model with these pieces after an unknown piece.
fn error(pieces: &[Listed<'_>]) -> String {
    let pieces = [&[("<unk>", 0.0, UNKNOWN)], pieces].concat();
    let read = read(&file(&pieces, &bpe(), &plain()));
    read.unwrap_err().to_string()
}

fn fixture(name: &str) -> (Vec<u8>, String) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sentencepiece");
    let golden = std::fs::read_to_string(format!("{folder}/{name}.jsonl")).unwrap();
    (
        std::fs::read(format!("{folder}/{name}.model")).unwrap(),
        golden,
    )
}

/// Ids and texts are from `sentencepiece`.
#[test]
fn ids_and_texts_are_those_of_sentencepiece() {
    for name in ["fallback", "unknown", "no_prefix"] {
        let (file, golden) = fixture(name);
        assert!(is_model(&file[..64]), "{name}");
        let model = read(&file).unwrap();
        assert!(native::read(&native::write(&model)).unwrap() == model);
        let tokenizer = Tokenizer::new(model);
        for line in golden.lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let list = |name: &str| -> Option<Vec<TokenId>> {
                let ids = entry[name].as_array()?;
                ids.iter().map(|id| Some(id.as_u64()? as TokenId)).collect()
            };
            let ids = list("decode").or_else(|| list("ids")).unwrap();
            if let Some(text) = entry["text"].as_str() {
                assert_eq!(tokenizer.encode(text).unwrap(), ids, "{name}: {text:?}");
            }
            let decoded = entry["decoded"].as_str().unwrap();
            let context = format!("{name}: {line}");
            assert_eq!(tokenizer.decode_lossy(&ids).unwrap(), decoded, "{context}");
            let mut stream = tokenizer.model().decode_stream();
            let mut streamed = String::new();
            for &id in &ids {
                stream.push(id, &mut streamed).unwrap();
            }
            stream.finish(&mut streamed);
            assert_eq!(streamed, decoded, "{context}");
        }
    }
}

#[test]
fn control_pieces_are_text_unless_allowed() {
    let model = read(&fixture("fallback").0).unwrap();
    let begin = model.id(b"<s>").unwrap();
    let tokenizer = Tokenizer::new(model);
    let all = tokenizer.model().all_specials();
    assert!(!tokenizer.encode("<s>a").unwrap().contains(&begin));
    let allowed = tokenizer.request().allow(&all).encode("<s>a").unwrap();
    assert_eq!(allowed.first(), Some(&begin));
    assert_eq!(tokenizer.model().token(begin), Some(&b""[..]));
}

/// Offsets are those of `sentencepiece`, except within a character without a piece.
#[test]
fn offsets_are_those_of_the_original_text() {
    let tokenizer = Tokenizer::new(read(&fixture("unknown").0).unwrap());
    let found = tokenizer
        .request()
        .offsets("  \u{4e00}\u{4e01}  is ")
        .unwrap();
    let model = tokenizer.model();
    let tokens: Vec<&[u8]> = found
        .ids
        .iter()
        .map(|&id| model.token(id).unwrap())
        .collect();
    let want = ["\u{2581}", " \u{2047} ", "\u{2581}", "is"].map(str::as_bytes);
    assert_eq!(tokens, want);
    assert_eq!(found.ranges, [2..2, 2..8, 8..10, 10..12]);
}

#[test]
fn unsupported_settings_are_named() {
    let pieces = [("<unk>", 0.0, UNKNOWN), ("a", -1.0, NORMAL)];
    let error = |trainer: TrainerSpec, normalizer| {
        let read = read(&file(&pieces, &trainer, &normalizer));
        read.unwrap_err().to_string()
    };
    for (model_type, name) in [
        (None, "UNIGRAM"),
        (Some(3), "WORD"),
        (Some(4), "CHAR"),
        (Some(9), "9"),
    ] {
        let trainer = TrainerSpec {
            model_type,
            ..bpe()
        };
        let message =
            format!("unsupported model_type {name} of the SentencePiece model (expected BPE)");
        assert_eq!(error(trainer, plain()), message);
    }
    let suffix = TrainerSpec {
        treat_whitespace_as_suffix: true,
        ..bpe()
    };
    assert!(error(suffix, plain()).contains("treat_whitespace_as_suffix true"));
    let spaces = NormalizerSpec {
        escape_whitespaces: Some(false),
        ..plain()
    };
    assert!(error(bpe(), spaces).contains("escape_whitespaces false"));
    let nfkc = NormalizerSpec {
        name: "nmt_nfkc".into(),
        precompiled_charsmap: b"x".to_vec().into(),
        ..plain()
    };
    assert!(error(bpe(), nfkc.clone()).contains("normalizer \"nmt_nfkc\""));
    let mut bytes = file(&pieces, &bpe(), &plain());
    let denormalizer = ModelProto {
        denormalizer_spec: vec![nfkc.encode_to_vec().into()],
        ..ModelProto::default()
    };
    bytes.extend(denormalizer.encode_to_vec());
    assert!(
        read(&bytes)
            .unwrap_err()
            .to_string()
            .contains("denormalizer")
    );
}

#[test]
fn unsupported_pieces_are_named() {
    let cases: [(&[Listed<'_>], &str); 15] = [
        (
            &[("", 0.0, NORMAL)],
            "piece 1 \"\" of the SentencePiece model: empty",
        ),
        (&[("a\0", 0.0, NORMAL)], "contains U+0000"),
        (
            &[("a", 0.0, NORMAL), ("a", 1.0, CONTROL)],
            "piece 2 \"a\" of the SentencePiece model: duplicate of piece 1",
        ),
        (&[("a", 0.0, UNUSED)], "unsupported type UNUSED"),
        (&[("a", 0.0, 77)], "unsupported type 77"),
        (&[("a", 0.0, -1)], "unsupported type -1"),
        (&[("a", f32::NAN, NORMAL)], "score is not a number"),
        (&[("a", 0.0, UNKNOWN)], "second piece of type UNKNOWN"),
        (&[("<0x41>", 0.0, BYTE)], "type BYTE without byte_fallback"),
        (&[("a b", 0.0, USER_DEFINED)], "user-defined, with a space"),
        (
            &[("b", 0.0, NORMAL), ("ab", 0.0, NORMAL)],
            "piece 2 \"ab\" of the SentencePiece model: merges \"a\", which is not an ordinary piece",
        ),
        (
            &[("a", 0.0, CONTROL), ("b", 0.0, NORMAL), ("ab", 0.0, NORMAL)],
            "merges \"a\"",
        ),
        (
            &[
                ("a", 0.0, NORMAL),
                ("b", 0.0, NORMAL),
                ("ab", -1.0, NORMAL),
                ("ba", -1.0, NORMAL),
            ],
            "pieces 3 \"ab\" and 4 \"ba\" of the SentencePiece model have the same score",
        ),
        (
            &[
                ("a", 0.0, NORMAL),
                ("aa", -1.0, NORMAL),
                ("aaa", -2.0, NORMAL),
                ("aaaa", -2.0, NORMAL),
            ],
            "have the same score",
        ),
        (
            &[
                ("a", 0.0, NORMAL),
                ("aa", -1.0, NORMAL),
                ("aaa", -1.0, NORMAL),
                ("b", 0.0, NORMAL),
                ("aab", 0.0, NORMAL),
            ],
            "have the same score",
        ),
    ];
    for (pieces, message) in cases {
        let error = error(pieces);
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    let long = "a".repeat(MAX_PIECE_BYTES + 1);
    assert!(error(&[(&long, 0.0, NORMAL)]).contains("513 bytes (supported: 512)"));
    let nested: Vec<String> = (1..=65).map(|n| "a".repeat(n)).collect();
    let nested: Vec<Listed<'_>> = nested
        .iter()
        .map(|text| (&text[..], 0.0, USER_DEFINED))
        .collect();
    assert!(error(&nested).contains("more than 64 user-defined pieces"));
    let read_with = |pieces: &[Listed<'_>], byte_fallback| {
        let trainer = TrainerSpec {
            byte_fallback,
            ..bpe()
        };
        read(&file(pieces, &trainer, &plain())).map_err(|error| error.to_string())
    };
    let neither = "the SentencePiece model has neither an unknown piece nor byte_fallback";
    assert_eq!(read_with(&[], false), Err(neither.into()));
    let missing = "no piece for byte 0x00, although the SentencePiece model has byte_fallback";
    assert_eq!(read_with(&[], true), Err(missing.into()));
    let spelled = read_with(&[("<0xe9>", 0.0, NORMAL)], true).unwrap_err();
    assert!(spelled.contains("contradict"), "{spelled}");
}

#[test]
fn every_prefix_and_each_changed_byte_is_an_error_or_a_model() {
    let (file, _) = fixture("unknown");
    let model = read(&file).unwrap();
    for end in 0..file.len() {
        // The last message is an empty denormalizer_spec.
        match read(&file[..end]) {
            Ok(read) => assert!(read == model && end == file.len() - 2, "{end}"),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
    let mut changed = file.clone();
    for at in (0..file.len()).step_by(7) {
        for byte in [0, 0x0A, 0x7F, 0xFF, file[at] ^ 1] {
            changed[at] = byte;
            let _ = read(&changed);
        }
        changed[at] = file[at];
    }
    let huge = [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    let error = read(&huge).unwrap_err().to_string();
    assert!(
        error.starts_with("invalid SentencePiece model after 0 pieces: "),
        "{error}"
    );
    let not_utf8 = [
        &b"\x0A\x03\x0A\x01\xFF"[..],
        &self::file(&[], &bpe(), &plain())[..],
    ]
    .concat();
    let error = read(&not_utf8).unwrap_err().to_string();
    assert!(
        error.starts_with("invalid SentencePiece model in piece 0: "),
        "{error}"
    );
    // Nested groups.
    assert!(read(&[0x73; 100_000]).is_err());
}

/// SentencePiece's merging by its definition: the highest score first, then the leftmost.
fn by_definition(pieces: &[(String, f32)], text: &str) -> Vec<String> {
    let mut symbols: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let score = |at: usize| {
            let joined = format!("{}{}", symbols[at], symbols[at + 1]);
            let piece = pieces.iter().find(|(piece, _)| *piece == joined)?;
            Some(piece.1)
        };
        let mut best: Option<(f32, usize)> = None;
        for at in 0..symbols.len().saturating_sub(1) {
            if let Some(score) = score(at)
                && best.is_none_or(|(other, _)| score > other)
            {
                best = Some((score, at));
            }
        }
        let Some((_, at)) = best else {
            return symbols;
        };
        let right = symbols.remove(at + 1);
        symbols[at].push_str(&right);
    }
}

fn any_pieces() -> impl Strategy<Value = Vec<(String, f32)>> {
    // Scores of mixed pieces are mostly distinct, those of repetitions mostly equal.
    let mixed = (
        "[ab_]{2,5}",
        (-40..40_i32).prop_map(|score| score as f32 / 4.0),
    );
    let runs = (2..9_usize, prop_oneof![9 => Just(-5.1_f32), 1 => Just(3.1)])
        .prop_map(|(length, score)| ("_".repeat(length), score));
    let runs = prop::collection::vec(runs, 0..8);
    (prop::collection::vec(mixed, 0..12), runs).prop_map(|(mixed, runs)| {
        let singles = ["a", "b", "_"].map(|single| (single.to_owned(), 0.0));
        let mut pieces: Vec<(String, f32)> = singles.into();
        for piece in mixed.into_iter().chain(runs) {
            if pieces.iter().all(|(known, _)| *known != piece.0) {
                pieces.push(piece);
            }
        }
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn merges_are_those_of_the_definition(
        pieces in any_pieces(),
        texts in prop::collection::vec("[ab_]{0,12}_{0,20}[ab_]{0,9}_{0,9}", 1..5),
    ) {
        let listed = pieces.iter().map(|(piece, score)| (&piece[..], *score, NORMAL));
        let listed: Vec<Listed<'_>> = listed.chain([("<unk>", 0.0, UNKNOWN)]).collect();
        // Models with equal scores are often refused.
        if let Ok(model) = read(&file(&listed, &bpe(), &plain())) {
            let tokenizer = Tokenizer::new(model);
            for text in &texts {
                let ids = tokenizer.encode(text).unwrap();
                let model = tokenizer.model();
                let tokens: Vec<&[u8]> = ids.iter().map(|&id| model.token(id).unwrap()).collect();
                let want = by_definition(&pieces, text);
                prop_assert!(tokens.iter().copied().eq(want.iter().map(String::as_bytes)), "{text:?} {want:?}");
            }
        }
    }
}

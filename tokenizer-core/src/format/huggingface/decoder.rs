//! The component `decoder`: read and written.

use super::error::HuggingFaceError;
use super::json::{At, Json};
use super::normalizer::{read_replace, replace_json};
use super::pre_tokenizer::{byte_level_json, check_byte_level, read_metaspace};
use crate::normalize::Replace;
use crate::rewrite::PrependScheme;
use crate::text_decoder::{DecodeStep, MAX_STEPS, TextDecoder};

/// Reads a `decoder`; `None` if tokens decode to their bytes. `characters` states whether the tokens are text,
/// not byte-level.
pub(super) fn read_decoder(
    at: &At<'_>,
    characters: bool,
) -> Result<Option<TextDecoder>, HuggingFaceError> {
    let mut steps = Vec::new();
    match at.component()? {
        Some(_) => add_steps(at, &mut steps)?,
        None => steps.push(DecodeStep::Spaced),
    }
    let decoder = TextDecoder::of_steps(steps, !characters);
    decoder.check().map_err(|refused| at.refused(refused))?;
    let is_byte_level = decoder == TextDecoder::of_steps(vec![DecodeStep::ByteLevel], true);
    Ok((!is_byte_level).then_some(decoder))
}

fn add_steps(at: &At<'_>, steps: &mut Vec<DecodeStep>) -> Result<(), HuggingFaceError> {
    let name = at.component()?.ok_or_else(|| at.expected("a decoder"))?;
    if steps.len() == MAX_STEPS {
        return Err(at.refused(&format!("{name} after {MAX_STEPS} steps")));
    }
    let without_fields = |step: DecodeStep| at.only("type").map(|()| step);
    steps.push(match name {
        "Sequence" => {
            for step in at.sequence("decoders")? {
                add_steps(&step, steps)?;
            }
            return Ok(());
        }
        "ByteFallback" => without_fields(DecodeStep::ByteFallback)?,
        "Fuse" => without_fields(DecodeStep::Fuse)?,
        "ByteLevel" => {
            check_byte_level(at)?;
            DecodeStep::ByteLevel
        }
        "Replace" => DecodeStep::Replace(read_replace(at)?),
        "Strip" => read_strip(at)?,
        "Metaspace" => {
            let (metaspace, _) = read_metaspace(at)?;
            let symbol = metaspace.replacement();
            match metaspace.prepend_scheme() {
                PrependScheme::Always | PrependScheme::First => DecodeStep::Metaspace(symbol),
                PrependScheme::Never => {
                    let replace = Replace::text(&symbol.to_string(), " ");
                    DecodeStep::Replace(replace.map_err(|error| at.refused(&error.to_string()))?)
                }
            }
        }
        "BPEDecoder" => {
            at.only("type suffix")?;
            DecodeStep::BpeDecoder(at.field("suffix").text()?.into())
        }
        "WordPiece" => {
            at.only("type prefix cleanup")?;
            DecodeStep::WordPiece {
                prefix: at.field("prefix").text()?.into(),
                cleanup: at.field("cleanup").flag()?,
            }
        }
        other => return Err(at.refused(other)),
    });
    Ok(())
}

/// Appends the replacements with which transformers cleans up decoded text.
pub(super) fn with_clean_up(decoder: Option<&TextDecoder>) -> Result<TextDecoder, &'static str> {
    let (mut steps, spelled) = match decoder {
        None => (vec![DecodeStep::ByteLevel], true),
        Some(TextDecoder::Steps { steps, spelled }) => (steps.clone(), *spelled),
        Some(TextDecoder::SentencePiece(_)) => return Err("clean-up of SentencePiece's decoder"),
    };
    steps.push(DecodeStep::Fuse);
    for punctuation in [".", "?", "!", ",", "' ", "n't", "'m", "'s", "'ve", "'re"] {
        let replace = Replace::text(&format!(" {punctuation}"), punctuation.trim_end());
        steps.push(DecodeStep::Replace(
            replace.expect("a pattern of characters"),
        ));
    }
    let decoder = TextDecoder::of_steps(steps, spelled);
    decoder.check().map(|()| decoder)
}

fn read_strip(at: &At<'_>) -> Result<DecodeStep, HuggingFaceError> {
    at.only("type content start stop")?;
    let content = at.field("content");
    let mut characters = content.text()?.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return Err(content.expected("one character"));
    };
    let number = |name: &str| {
        let at = at.field(name);
        u32::try_from(at.integer()?).map_err(|_| at.expected("a number of characters"))
    };
    Ok(DecodeStep::Strip {
        character,
        start: number("start")?,
        stop: number("stop")?,
    })
}

/// The component for a decoder.
pub(super) fn decoder_json(decoder: Option<&TextDecoder>) -> Result<Json, HuggingFaceError> {
    let steps = match decoder {
        None => return Ok(byte_level_json(false, false, false)),
        Some(TextDecoder::SentencePiece(_)) => {
            return Err(HuggingFaceError::Unsupported {
                path: "decoder".into(),
                component: "SentencePiece".into(),
            });
        }
        Some(TextDecoder::Steps { steps, .. }) => steps,
    };
    if **steps == [DecodeStep::Spaced] {
        return Ok(Json::Null);
    }
    let mut written = steps.iter().map(step_json).collect::<Result<Vec<_>, _>>()?;
    // Joins the tokens visibly.
    if !steps.contains(&DecodeStep::Fuse) {
        written.push(named("Fuse", []));
    }
    Ok(named("Sequence", [("decoders", Json::List(written))]))
}

fn step_json(step: &DecodeStep) -> Result<Json, HuggingFaceError> {
    Ok(match step {
        DecodeStep::Replace(replace) => replace_json(replace)?,
        DecodeStep::Strip {
            character,
            start,
            stop,
        } => named(
            "Strip",
            [
                ("content", character.to_string().as_str().into()),
                ("start", (*start).into()),
                ("stop", (*stop).into()),
            ],
        ),
        DecodeStep::Metaspace(symbol) => named(
            "Metaspace",
            [
                ("replacement", symbol.to_string().as_str().into()),
                ("prepend_scheme", "always".into()),
                ("split", true.into()),
            ],
        ),
        DecodeStep::BpeDecoder(suffix) => named("BPEDecoder", [("suffix", suffix.as_str().into())]),
        DecodeStep::WordPiece { prefix, cleanup } => named(
            "WordPiece",
            [
                ("prefix", prefix.as_str().into()),
                ("cleanup", (*cleanup).into()),
            ],
        ),
        DecodeStep::ByteFallback => named("ByteFallback", []),
        DecodeStep::Fuse => named("Fuse", []),
        DecodeStep::ByteLevel => byte_level_json(false, false, false),
        DecodeStep::Spaced => {
            return Err(HuggingFaceError::Unsupported {
                path: "decoder".into(),
                component: "spaces between tokens before other steps".into(),
            });
        }
    })
}

fn named<const N: usize>(name: &str, fields: [(&str, Json); N]) -> Json {
    let kind = [("type", name.into())];
    let fields = kind.into_iter().chain(fields);
    Json::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::super::write::write;
    use crate::format::native;
    use crate::model::Model;
    use crate::token::TokenId;

    const FUSE: &str = r#"{"type": "Fuse"}"#;
    const FALLBACK: &str = r#"{"type": "ByteFallback"}"#;
    const BYTE_LEVEL: &str = r#"{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#;
    const T1: &[&str] = &[
        "\u{2581}\u{2581}a",
        "\u{2581}b\u{2581}",
        "<0xE4>",
        "<0xB8>",
        "<0xAD>",
        "c",
        "\u{2581}",
    ];
    const T2: &[&str] = &["<0xE4>", "<0xB8>", "\u{2581}a", "<0x20>"];
    const T3: &[&str] = &["a</w>", "b", "c</w></w>d", "e</w>"];
    const T4: &[&str] = &[
        "\u{120}a",
        "\u{c3}\u{a9}",
        "\u{c3}",
        "x y",
        "\u{120}",
        "\u{e9}",
    ];
    const T5: &[&str] = &["I", "##m", " do not", "n't", ".", "##", "do not"];

    fn sequence(steps: &[String]) -> String {
        let steps = steps.join(", ");
        format!(r#"{{"type": "Sequence", "decoders": [{steps}]}}"#)
    }

    fn replace(kind: &str, from: &str, to: &str) -> String {
        format!(r#"{{"type": "Replace", "pattern": {{"{kind}": "{from}"}}, "content": "{to}"}}"#)
    }

    fn strip(content: char, start: u64, stop: i64) -> String {
        format!(r#"{{"type": "Strip", "content": "{content}", "start": {start}, "stop": {stop}}}"#)
    }

    fn metaspace(scheme: &str) -> String {
        format!(
            r#"{{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "{scheme}", "split": true}}"#
        )
    }

    fn suffix(suffix: &str) -> String {
        format!(r#"{{"type": "BPEDecoder", "suffix": "{suffix}"}}"#)
    }

    fn word_piece(prefix: &str, cleanup: bool) -> String {
        format!(r#"{{"type": "WordPiece", "prefix": "{prefix}", "cleanup": {cleanup}}}"#)
    }

    /// A file with this decoder, whose vocabulary is these tokens. If it is byte-level, the tokens are added
    /// ones if they have other characters than those for bytes.
    fn file(decoder: &str, tokens: &[&str], byte_level: bool) -> String {
        let is_spelled = |token: &&str| !byte_level || crate::byte_level::bytes_of(token).is_some();
        let mut tokens = tokens.to_vec();
        tokens.sort_unstable();
        tokens.dedup();
        let (spelled, added): (Vec<&str>, Vec<&str>) = tokens.into_iter().partition(is_spelled);
        let vocab = spelled
            .iter()
            .enumerate()
            .map(|(id, token)| format!(r#""{token}": {id}"#));
        let added = (spelled.len()..).zip(&added).map(|(id, token)| {
            format!(
                r#"{{"id": {id}, "content": "{token}", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": false}}"#
            )
        });
        format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{}],
            "normalizer": null, "pre_tokenizer": {}, "post_processor": null, "decoder": {decoder},
            "model": {{"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false, "vocab": {{{}}}, "merges": []}}}}"#,
            added.collect::<Vec<_>>().join(", "),
            if byte_level { BYTE_LEVEL } else { "null" },
            vocab.collect::<Vec<_>>().join(", "),
        )
    }

    /// Decodes whole and as a stream.
    fn decoded(model: &Model, tokens: &[&str], byte_level: bool) -> String {
        let id = |token: &&str| -> TokenId {
            let bytes = crate::byte_level::bytes_of(token).filter(|_| byte_level);
            let bytes = bytes.unwrap_or_else(|| token.as_bytes().to_vec());
            model.id(&bytes).expect("a token")
        };
        let ids: Vec<TokenId> = tokens.iter().map(id).collect();
        let whole = model.decode_lossy(&ids).unwrap();
        let mut stream = model.decode_stream();
        let mut text = String::new();
        for id in ids {
            stream.push(id, &mut text).unwrap();
        }
        stream.finish(&mut text);
        assert_eq!(text, whole);
        whole
    }

    /// Expected texts are from `tokenizers` 0.23.1.
    #[test]
    #[rustfmt::skip]
    fn texts_equal_those_of_tokenizers() {
        let cases: [(String, &[&str], &str); 38] = [
            ("null".into(), &["a", " b", "", "c"], "a  b  c"),
            (sequence(&[]), T1, "\u{2581}\u{2581}a\u{2581}b\u{2581}<0xE4><0xB8><0xAD>c\u{2581}"),
            (FUSE.into(), T1, "\u{2581}\u{2581}a\u{2581}b\u{2581}<0xE4><0xB8><0xAD>c\u{2581}"),
            (FALLBACK.into(), T1, "\u{2581}\u{2581}a\u{2581}b\u{2581}\u{4e2d}c\u{2581}"),
            (FALLBACK.into(), T2, "\u{fffd}\u{fffd}\u{2581}a "),
            (replace("String", "\u{2581}", " "), T1, "  a b <0xE4><0xB8><0xAD>c "),
            (replace("Regex", "\u{2581}+", "_"), T1, "_a_b_<0xE4><0xB8><0xAD>c_"),
            (replace("Regex", "[ab]|\u{2581}b", ""), T1, "\u{2581}\u{2581}\u{2581}<0xE4><0xB8><0xAD>c\u{2581}"),
            (sequence(&[replace("Regex", "[ab]c|\u{2581}+", ""), FUSE.into()]), T1, "ab<0xE4><0xB8><0xAD>c"),
            (strip('\u{2581}', 1, 0), T1, "\u{2581}ab\u{2581}<0xE4><0xB8><0xAD>c"),
            (strip('\u{2581}', 2, 1), &["\u{2581}\u{2581}a\u{2581}\u{2581}", "a", "\u{2581}a\u{2581}", "\u{2581}\u{2581}\u{2581}\u{2581}"], "a\u{2581}aa\u{2581}"),
            (strip('a', 0, 2), &["aba", "baaa"], "abba"),
            (metaspace("always"), T1, "a b <0xE4><0xB8><0xAD>c "),
            (metaspace("first"), T1, "a b <0xE4><0xB8><0xAD>c "),
            (metaspace("never"), T1, "  a b <0xE4><0xB8><0xAD>c "),
            (sequence(&[FALLBACK.into(), metaspace("always")]), T2, "\u{fffd}\u{fffd} a "),
            (sequence(&[metaspace("always"), FALLBACK.into()]), &["<0x41>", "\u{2581}<0x41>", "\u{2581}a"], "A <0x41> a"),
            (suffix("</w>"), T3, "a bc  de"),
            (sequence(&[FUSE.into(), suffix("</w>")]), T3, "abcde"),
            (sequence(&[suffix("</w>"), FUSE.into(), strip(' ', 1, 1)]), &["</w>", "a</w>", "b</w>", "c"], "a b c"),
            (suffix("</w>"), &[], ""),
            (word_piece("##", true), T5, "Im  don'tn't. don't"),
            (word_piece("##", false), T5, "Im  do not n't . do not"),
            (word_piece("", false), T5, "I##m do notn't.##do not"),
            (BYTE_LEVEL.into(), T4, " a\u{e9}\u{fffd}x y \u{fffd}"),
            (sequence(&[BYTE_LEVEL.into()]), T4, " a\u{e9}\u{fffd}x y \u{fffd}"),
            (sequence(&[FUSE.into(), BYTE_LEVEL.into()]), T4, "\u{120}a\u{c3}\u{a9}\u{c3}x y\u{120}\u{e9}"),
            (sequence(&[BYTE_LEVEL.into(), strip(' ', 1, 0)]), T4, "a\u{e9}\u{fffd}x y \u{fffd}"),
            (sequence(&[BYTE_LEVEL.into(), FUSE.into()]), T4, " a\u{e9}\u{fffd}x y \u{fffd}"),
            (sequence(&[replace("String", "\u{120}", "_"), BYTE_LEVEL.into()]), T4, "_a\u{e9}\u{fffd}x y_\u{fffd}"),
            (sequence(&[BYTE_LEVEL.into(), BYTE_LEVEL.into()]), T4, " a\u{e9}\u{fffd}x y \u{fffd}"),
            (sequence(&[replace("String", "\u{2581}", " "), FALLBACK.into(), FUSE.into(), strip(' ', 1, 0)]), T1, " a b \u{4e2d}c "),
            (sequence(&[replace("String", "\u{2581}", " "), FALLBACK.into(), FUSE.into()]), T1, "  a b \u{4e2d}c "),
            (sequence(&[replace("String", "\u{2581}", " "), FALLBACK.into(), FUSE.into(), strip(' ', 1, 0)]), T2, "\u{fffd}\u{fffd} a "),
            (sequence(&[FUSE.into(), replace("String", "\u{2581}\u{2581}", "=")]), &["\u{2581}\u{2581}a", "\u{2581}b\u{2581}", "<0xE4>", "<0xB8>", "<0xAD>", "c", "\u{2581}", "\u{2581}\u{2581}a", "\u{2581}b\u{2581}", "<0xE4>", "<0xB8>", "<0xAD>", "c", "\u{2581}"], "=a\u{2581}b\u{2581}<0xE4><0xB8><0xAD>c=\u{2581}a\u{2581}b\u{2581}<0xE4><0xB8><0xAD>c\u{2581}"),
            (sequence(&[FUSE.into(), strip('\u{2581}', 1, 1)]), T1, "\u{2581}a\u{2581}b\u{2581}<0xE4><0xB8><0xAD>c"),
            (sequence(&[sequence(&[replace("String", "\u{2581}", " "), FALLBACK.into()]), sequence(&[FUSE.into(), strip(' ', 1, 0)])]), T1, " a b \u{4e2d}c "),
            (sequence(&[FALLBACK.into(), FALLBACK.into()]), &["<0x3C>", "<0x30>", "<0x78>", "<0x34>", "<0x31>", "<0x3E>"], "A"),
        ];
        for (decoder, tokens, want) in cases {
            for byte_level in [false, true] {
                let file = file(&decoder, tokens, byte_level);
                let model = read(file.as_bytes()).unwrap();
                assert_eq!(decoded(&model, tokens, byte_level), want, "{decoder} {byte_level}");
                let written = write(&model).unwrap();
                assert_eq!(read(&written).unwrap(), model, "{decoder}");
                assert_eq!(native::read(&native::write(&model)).unwrap(), model, "{decoder}");
            }
        }
    }

    #[test]
    fn other_decoders_are_refused_by_name() {
        let many = vec![FUSE.to_owned(); 65];
        let ctc =
            r#"{"type": "CTC", "pad_token": "p", "word_delimiter_token": "|", "cleanup": true}"#;
        let longer = "z".repeat(65);
        let cases = [
            (ctc.to_owned(), "decoder: CTC is not supported"),
            (
                sequence(&[FUSE.into(), ctc.into()]),
                "decoder.decoders[1]: CTC is not supported",
            ),
            (suffix(""), "decoder: an empty suffix is not supported"),
            (
                sequence(&many),
                "decoder.decoders[64]: Fuse after 64 steps is not supported",
            ),
            (replace("String", "", "a"), "matches the empty string"),
            (replace("Regex", "a*", "b"), "can match the empty string"),
            (replace("Regex", "a(?=b)", "b"), "look-around"),
            (
                replace("String", "a", &longer),
                "a decoder that may lengthen tokens more than 64 times",
            ),
            (
                strip('a', 1 << 32, 0),
                "decoder.start: expected a number of characters",
            ),
            (strip('a', 0, -1), "decoder.stop"),
            (
                r#"{"type": "Strip", "content": "ab", "start": 0, "stop": 0}"#.into(),
                "one character",
            ),
            (r#"{"type": "Fuse", "more": 1}"#.into(), "decoder.more"),
            (
                r#"{"type": "WordPiece", "prefix": "a"}"#.into(),
                "decoder.cleanup",
            ),
            (
                r#"{"type": "Sequence", "decoders": [null]}"#.into(),
                "expected a decoder",
            ),
        ];
        for (decoder, part) in cases {
            for byte_level in [false, true] {
                let file = file(&decoder, &["a"], byte_level);
                let message = read(file.as_bytes()).unwrap_err().to_string();
                assert!(message.contains(part), "{decoder}: {message}");
            }
        }
    }
}

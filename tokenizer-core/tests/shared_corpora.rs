//! Compares splitting with the regex engine on large public corpora, if they are available.

mod absent;

use std::path::PathBuf;

use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

/// All files of the shared corpora, sorted; none if the folder is missing.
fn corpora() -> Vec<PathBuf> {
    let folders = ["corpora", "corpora/adversarial"]
        .into_iter()
        .filter_map(absent::shared);
    let entries = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn ends(pattern: &Pattern, tier: Tier, text: &[u8]) -> Result<Vec<usize>, usize> {
    let pieces = pattern.split_on(tier, text);
    pieces
        .map(|piece| piece.map(|piece| piece.end).map_err(|error| error.offset))
        .collect()
}

#[test]
fn scanners_split_all_corpora_as_the_regex_engine_does() {
    for path in corpora() {
        let text = std::fs::read(&path).unwrap();
        for name in PatternName::ALL {
            let scanner = Pattern::named(name);
            let regex = Pattern::through_regex_engine(name.regex(), Gaps::Keep).unwrap();
            let want = ends(&regex, Tier::Scalar, &text).unwrap_or_else(|offset| {
                // The engine's stack overflows on a million characters of white space before a
                // look-ahead. Those files contain nothing else, and white space at the end of a text is
                // one piece.
                assert_eq!(offset, 0, "{}", path.display());
                assert!(
                    text.iter().all(u8::is_ascii_whitespace),
                    "{}",
                    path.display()
                );
                vec![text.len()]
            });
            for tier in Tier::available() {
                let got = ends(&scanner, tier, &text).unwrap();
                assert!(got == want, "{name}, {tier}, {}", path.display());
            }
            let mut in_parts = Vec::new();
            for part in scanner.parts(&text, 1 << 16) {
                let start = part.start;
                let part = ends(&scanner, Tier::best(), &text[part]).unwrap();
                in_parts.extend(part.into_iter().map(|end| start + end));
            }
            assert!(in_parts == want, "{name}, in parts, {}", path.display());
        }
    }
}

/// The supported patterns among the published pre-tokenizers, with their names.
#[cfg(feature = "huggingface")]
fn chains() -> Vec<(String, Pattern)> {
    use serde_json::{Value, json};

    let Some(path) = absent::shared("chains.json") else {
        return Vec::new();
    };
    let chains: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // Byte-level vocabularies spell unprintable bytes as characters from U+0100 on.
    let is_printed = |c: &char| matches!(c, '!'..='~' | '¡'..='¬' | '®'..='ÿ');
    let printed = ('\0'..='ÿ').filter(is_printed);
    let bytes = printed.chain('\u{100}'..='\u{143}').map(String::from);
    let vocab: serde_json::Map<String, Value> = bytes.zip((0..256).map(Value::from)).collect();
    let read = |chain: &Value| {
        let file = json!({
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": chain["pre_tokenizer"],
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
            "model": {"type": "BPE", "vocab": vocab, "merges": []},
        });
        let file = serde_json::to_vec(&file).unwrap();
        let model = tokenizer_core::format::huggingface::read(&file).ok()?;
        let name = chain["name"].as_str().unwrap().to_owned();
        Some((name, model.pattern().clone()))
    };
    let read: Vec<_> = chains.as_array().unwrap().iter().filter_map(read).collect();
    assert!(
        read.len() > 17,
        "only {} patterns are supported",
        read.len()
    );
    read
}

/// Uses the first megabyte of each corpus, since the regex engine is slow.
#[cfg(feature = "huggingface")]
#[test]
fn published_patterns_split_all_corpora_as_the_regex_engine_does() {
    let chains: Vec<(String, Pattern, Pattern)> = (chains().into_iter())
        .map(|(name, pattern)| {
            let stages = pattern.stages();
            let stages =
                stages.map(|(source, gaps)| Pattern::through_regex_engine(source, gaps).unwrap());
            let oracle = Pattern::sequence(stages);
            assert!(oracle.uses_regex_engine(), "{name}");
            (name, pattern, oracle)
        })
        .filter(|(name, pattern, _)| {
            // Word boundaries, look-ahead of two characters, steps on the spelling of the bytes, many stages.
            let uses_engine =
                ["cohere2", "laguna", "falcon", "deepseek-coder"].contains(&name.as_str());
            assert_eq!(pattern.uses_regex_engine(), uses_engine, "{name}");
            !uses_engine
        })
        .collect();
    for path in corpora() {
        let text = std::fs::read(&path).unwrap();
        let text = &text[..text.len().min(1_000_000)];
        for (name, pattern, oracle) in &chains {
            let Ok(want) = ends(oracle, Tier::Scalar, text) else {
                // The engine's stack, as above.
                assert!(
                    text.iter().all(u8::is_ascii_whitespace),
                    "{name}, {}",
                    path.display()
                );
                continue;
            };
            for tier in Tier::available() {
                let got = ends(pattern, tier, text).unwrap();
                assert!(got == want, "{name}, {tier}, {}", path.display());
            }
        }
    }
}

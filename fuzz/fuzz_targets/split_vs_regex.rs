//! The scanners split as the regex engine does.
//!
//! The first byte of an input chooses the pattern, the second how the rest is read: as it is, or
//! as characters of an alphabet in which every character is a hard one. `FAMILY=gpt2`, `cl100k` or
//! `o200k` keeps to one family.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

const LLAMA: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A scanner and its oracle, by family.
static PATTERNS: LazyLock<Vec<(Pattern, Pattern)>> = LazyLock::new(|| {
    let o200k = PatternName::O200k.regex();
    let endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let all = [
        ("gpt2", PatternName::Gpt2.regex().to_owned()),
        ("cl100k", PatternName::Cl100k.regex().to_owned()),
        ("cl100k", PatternName::Nanochat.regex().to_owned()),
        ("cl100k", LLAMA.to_owned()),
        ("cl100k", LLAMA.replace("{1,3}", "")),
        ("o200k", o200k.to_owned()),
        ("o200k", o200k.replace(endings, "").replace("{1,3}", "")),
    ];
    let family = std::env::var("FAMILY").unwrap_or_default();
    all.into_iter()
        .filter(|(name, _)| family.is_empty() || family == *name)
        .map(|(_, source)| {
            let scanner = Pattern::regex(&source, Gaps::Keep).expect("a known pattern");
            assert!(scanner.has_scanner());
            let regex = Pattern::through_regex_engine(&source, Gaps::Keep).expect("a known pattern");
            (scanner, regex)
        })
        .collect()
});

const ALPHABET: [&str; 64] = [
    "a", "b", "Z", "B", "s", "S", "d", "m", "t", "T", "l", "L", "v", "e", "r", "E", "'", "'", " ",
    " ", "\n", "\r", "\t", "1", "2", "/", "!", ".", "\u{17F}", "\u{212A}", "\u{85}", "\u{A0}",
    "\u{3000}", "\u{2028}", "\u{200D}", "\u{FE0F}", "\u{301}", "\u{93F}", "\u{20DD}", "é", "É",
    "ǅ", "ʰ", "ª", "中", "か", "ر", "क", "١", "०", "½", "𝟙", "𐐀", "𐐨", "😀", "’", "\0", "\u{FFFD}",
    "aaaaaaaaaaaaaaaa", "                ", "\n\n\n\n\n\n\n\n", "0000000000000", "中中中中中中中", "!!!!!!!!!!!!",
];

fuzz_target!(|input: &[u8]| {
    let [choice, mode, rest @ ..] = input else {
        return;
    };
    let text: Vec<u8> = match mode % 2 {
        0 => rest.to_vec(),
        _ => rest.iter().flat_map(|&b| ALPHABET[usize::from(b) % 64].bytes()).collect(),
    };
    let (scanner, regex) = &PATTERNS[usize::from(*choice) % PATTERNS.len()];
    // A failing engine has no answer to compare with; on texts this short it does not fail.
    let want: Vec<usize> = regex.split(&text).map(|piece| piece.unwrap().end).collect();
    for tier in Tier::available() {
        let got: Vec<usize> = scanner.split_on(tier, &text).map(|piece| piece.unwrap().end).collect();
        assert_eq!(got, want, "{tier}, {}", scanner.source());
    }
});

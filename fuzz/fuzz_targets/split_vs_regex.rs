//! Scanners and automata split as the regex engine does.
//!
//! The first byte of an input selects the pattern, published or random; the second whether the rest is
//! the text, or selects characters from an alphabet of edge cases. The environment variable `FAMILY`
//! (`gpt2`, `cl100k`, `o200k` or `random`) restricts the patterns.

#![no_main]

#[path = "../../tokenizer-core/tests/random_chain/mod.rs"]
mod random_chain;

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

const LLAMA: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

static FAMILY: LazyLock<String> = LazyLock::new(|| std::env::var("FAMILY").unwrap_or_default());

/// A scanner and its oracle, by family.
static PATTERNS: LazyLock<Vec<(Pattern, Pattern)>> = LazyLock::new(|| {
    let family = &*FAMILY;
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
    all.into_iter()
        .filter(|(name, _)| family.is_empty() || family == name)
        .map(|(_, source)| {
            let scanner = Pattern::regex(&source, Gaps::Keep).expect("a known pattern");
            assert!(!scanner.uses_regex_engine());
            let regex =
                Pattern::through_regex_engine(&source, Gaps::Keep).expect("a known pattern");
            (scanner, regex)
        })
        .collect()
});

const ALPHABET: [&str; 64] = [
    "a",
    "b",
    "Z",
    "B",
    "s",
    "S",
    "d",
    "m",
    "t",
    "T",
    "l",
    "L",
    "v",
    "e",
    "r",
    "E",
    "'",
    "'",
    " ",
    " ",
    "\n",
    "\r",
    "\t",
    "1",
    "2",
    "/",
    "!",
    ".",
    "\u{17F}",
    "\u{212A}",
    "\u{85}",
    "\u{A0}",
    "\u{3000}",
    "\u{2028}",
    "\u{200D}",
    "\u{FE0F}",
    "\u{301}",
    "\u{93F}",
    "\u{20DD}",
    "é",
    "É",
    "ǅ",
    "ʰ",
    "ª",
    "中",
    "か",
    "ر",
    "क",
    "١",
    "०",
    "½",
    "𝟙",
    "𐐀",
    "𐐨",
    "😀",
    "’",
    "\0",
    "\u{FFFD}",
    "aaaaaaaaaaaaaaaa",
    "                ",
    "\n\n\n\n\n\n\n\n",
    "0000000000000",
    "中中中中中中中",
    "!!!!!!!!!!!!",
];

fuzz_target!(|input: &[u8]| {
    let [choice, mode, rest @ ..] = input else {
        return;
    };
    let is_random = match FAMILY.as_str() {
        "" => *choice >= 128,
        family => family == "random",
    };
    if !is_random {
        let (scanner, regex) = &PATTERNS[usize::from(*choice) % PATTERNS.len()];
        return compare(scanner, regex, *mode, rest);
    }
    let (seed, rest) = rest.split_at(rest.len().min(48));
    let chain = random_chain::chain(&mut seed.iter().copied());
    // Caches the last pattern, since compiling takes longer than splitting.
    static LAST: Mutex<Option<(Vec<(String, Gaps)>, Option<[Pattern; 2]>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap();
    if last.as_ref().is_none_or(|(known, _)| *known != chain) {
        let patterns = random_chain::compile(&chain).ok();
        *last = Some((
            chain,
            patterns.filter(|[scanner, _]| !scanner.uses_regex_engine()),
        ));
    }
    if let Some((_, Some([scanner, regex]))) = &*last {
        // Short, since the oracle takes quadratic time for some look-aheads.
        compare(scanner, regex, *mode, &rest[..rest.len().min(200)]);
    }
});

fn compare(scanner: &Pattern, regex: &Pattern, mode: u8, rest: &[u8]) {
    let text: Vec<u8> = match mode % 2 {
        0 => rest.to_vec(),
        _ => rest
            .iter()
            .flat_map(|&b| ALPHABET[usize::from(b) % 64].bytes())
            .collect(),
    };
    // The engine does not fail on texts this short.
    let pieces = |pattern: &Pattern, tier| {
        let pieces = pattern.split_on(tier, &text).map(Result::unwrap);
        pieces.collect::<Vec<_>>()
    };
    let want = pieces(regex, Tier::Scalar);
    for tier in Tier::available() {
        assert_eq!(pieces(scanner, tier), want, "{tier}, {scanner:?}");
    }
}

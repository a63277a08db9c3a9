//! Generates patterns that resemble published pre-tokenizers from random bytes. Used by a property test
//! and a fuzz target.

use tokenizer_core::{Gaps, Pattern, PatternError};

const SETS: [&str; 32] = [
    r"\p{L}",
    r"\p{L}",
    r"\p{N}",
    r"\p{N}",
    r"\s",
    r"\S",
    r"[\r\n]",
    r"[\r\n/]",
    r"\p{Lu}",
    r"\p{Ll}",
    r"\p{M}",
    r"\p{P}",
    r"\p{S}",
    r"\p{Han}",
    r"[一-龥぀-ヿ]",
    r"[^\s\p{L}\p{N}]",
    r"[^\r\n\p{L}\p{N}]",
    r"[\p{L}\p{M}]",
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]",
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]",
    r"[A-Za-z]",
    r"[!-/:-@\[-`{-~]",
    r"[^a-z]",
    r"(?i:[sdmt]|ll|ve|re)",
    r"(?:\r?\n)",
    r"\w",
    r"\d",
    ".",
    " ",
    "'",
    "a",
    "(?i:s)",
];

/// The first [`NOT_EMPTY`] never match the empty string.
const QUANTIFIERS: [&str; 20] = [
    "", "", "+", "+", "+", "{1,3}", "{1,2}", "{2}", "++", "{1,3}+", "+?", "{1,3}?", "?", "?", "*",
    "?+", "*+", "{0,2}", "*?", "??",
];
const NOT_EMPTY: usize = 12;

/// Endings of alternatives; most have none.
const ENDS: [&str; 16] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    r"(?!\S)",
    r"(?!\s)",
    r"(?=\p{L})",
    "$",
    r"(?![\r\n])",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
];

/// Whole alternatives of published patterns.
const ALTERNATIVES: [&str; 12] = [
    r"\s+(?!\S)",
    r"\s+",
    r"\s",
    r"\s*[\r\n]+",
    r"\s*[\r\n]",
    r"\s++$",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"[^\r\n\p{L}\p{N}]?+\p{L}++",
    r"\p{N}{1,3}",
    r"'(?i:[sdmt]|ll|ve|re)",
    r" ?\p{L}+",
    r"\s?\p{P}+",
];

/// Generates the stages of a pattern. Equal bytes give equal stages.
pub(crate) fn chain(bytes: &mut impl Iterator<Item = u8>) -> Vec<(String, Gaps)> {
    let mut number = |below: usize| usize::from(bytes.next().unwrap_or_default()) % below;
    let stages = [1, 1, 1, 1, 2, 3][number(6)];
    let mut stage = || {
        let mut alternatives = Vec::new();
        for _ in 0..=number(5) {
            if number(2) == 0 {
                alternatives.push(ALTERNATIVES[number(ALTERNATIVES.len())].to_owned());
                continue;
            }
            let mut alternative = String::new();
            let last = number(SETS.len());
            for _ in 0..number(3) {
                // fancy-regex 0.20 rewrites `x+y?x+` to `x+(?:yx+)?`, which is not equivalent.
                let set = Some(number(SETS.len())).filter(|&set| SETS[set] != SETS[last]);
                let Some(set) = set.filter(|&set| !alternative.contains(SETS[set])) else {
                    continue;
                };
                alternative += SETS[set];
                alternative += QUANTIFIERS[number(QUANTIFIERS.len())];
            }
            alternative += SETS[last];
            alternative += QUANTIFIERS[number(NOT_EMPTY)];
            alternatives.push(alternative + ENDS[number(ENDS.len())]);
        }
        let gaps = if number(8) == 0 {
            Gaps::Drop
        } else {
            Gaps::Keep
        };
        (alternatives.join("|"), gaps)
    };
    (0..stages).map(|_| stage()).collect()
}

/// Compiles a pattern as usual, and for the regex engine.
pub(crate) fn compile(stages: &[(String, Gaps)]) -> Result<[Pattern; 2], PatternError> {
    let each = |compile: fn(&str, Gaps) -> Result<Pattern, PatternError>| {
        let stages = stages.iter().map(|(source, gaps)| compile(source, *gaps));
        Ok(Pattern::sequence(stages.collect::<Result<Vec<_>, _>>()?))
    };
    Ok([each(Pattern::regex)?, each(Pattern::through_regex_engine)?])
}

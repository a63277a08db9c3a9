//! Translates regexes between Oniguruma (`tokenizer.json`) and `fancy-regex` (this crate).
//!
//! `translate` scans a regex from left to right and copies or rewrites each construct. `check` walks
//! the syntax tree of `fancy-regex` and refuses combinations on which the engines differ. A construct
//! without a proven equivalent is an error that names it.
//!
//! "Read as" is the translation to `fancy-regex`, "written as" that to Oniguruma:
//!
//! | construct | in Oniguruma | in `fancy-regex` | read as | written as |
//! | --- | --- | --- | --- | --- |
//! | `x{1,3}+` | nested repetition | possessive | `(?:x{1,3})+` | see below |
//! | `$` | end of a line | end of the text | `(?m:$)` | `\z` |
//! | `^` | start of a line, except at the end of the text | start of the text | error | `\A` |
//! | `x{2}?` | `x{2}`, optional | lazy, which has no effect | error | `x{2}` |
//! | `x{,3}` | at most three | literal | `x{0,3}` | error |
//! | `[:alpha:]` | different characters | | error | error |
//! | `\w`, `\b` | `²³¹¼½¾` are word characters, except in classes | U+200C and U+200D are word characters | a class, look-around | the same |
//! | `\<`, `\>`, `\'`, `` \` ``, `\_` | the character | assertion or error | the character | error |
//! | `(?m:.)` | matches line feeds too | | error | error |
//! | `(?i:ss)` | matches `ß` too | letters only | error if two adjacent letters have a ligature | the same |
//! | `(?<!x).*` | misses matches | | error | error |
//! | an empty match | ends a piece | makes no piece | error | error |
//!
//! **Possessive intervals.** `x{n,m}+` is written as the atomic group `(?>x{n,m})`, its definition.
//! At the end of a top-level alternative it is written as `x{n,m}`: greedy and possessive repetition
//! differ only if a match fails after the repetition and the engine backtracks. Here nothing follows the
//! repetition, so nothing can fail.
//!
//! Both engines were run over every character to verify that the accepted classes and properties, and
//! the folding of ASCII letters, agree; both use tables of the same Unicode version.

mod check;
mod dialect;
mod translate;

pub use dialect::DialectError;

use check::check;
use dialect::Dialect;
pub(in crate::format::huggingface) use translate::escaped;
use translate::translate;

/// Translates a regex of a `tokenizer.json` to `fancy-regex`.
pub(super) fn from_oniguruma(source: &str) -> Result<String, DialectError> {
    let own = translate(source, Dialect::Oniguruma)?;
    check(&own)?;
    Ok(own)
}

/// Translates a regex of `fancy-regex` to Oniguruma.
pub(super) fn to_oniguruma(source: &str) -> Result<String, DialectError> {
    let translated = translate(source, Dialect::Own)?;
    check(source)?;
    Ok(translated)
}

/// Returns a regex, valid in both dialects, that matches `text` literally.
pub(super) fn literal(text: &str) -> String {
    text.chars().map(|c| escaped(c, false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gaps, Pattern, PatternName};
    use proptest::prelude::*;

    const PUBLISHED: [&str; 8] = [
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"\p{N}{1,3}",
        "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
        PatternName::O200k.regex(),
        PatternName::Nanochat.regex(),
    ];

    #[test]
    fn published_patterns_are_unchanged() {
        for source in PUBLISHED {
            assert_eq!(from_oniguruma(source).as_deref(), Ok(source));
            assert_eq!(to_oniguruma(source).as_deref(), Ok(source));
        }
    }

    #[test]
    fn named_patterns_translate() {
        let written = |name: PatternName| to_oniguruma(name.regex()).unwrap();
        assert_eq!(
            written(PatternName::Cl100k),
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++\z|\s*[\r\n]|\s+(?!\S)|\s"
        );
        assert_eq!(
            written(PatternName::Gpt2),
            r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++\z|\s+(?!\S)|\s"
        );
        for name in PatternName::ALL {
            let back = from_oniguruma(&written(name)).unwrap();
            Pattern::regex(&back, Gaps::Keep).unwrap();
        }
    }

    #[test]
    fn different_constructs_are_rewritten() {
        let read = |source: &str| from_oniguruma(source).unwrap();
        assert_eq!(read(r"\p{N}{1,3}+"), r"(?:\p{N}{1,3})+");
        assert_eq!(read(r"a{2}+b"), r"(?:a{2})+b");
        assert_eq!(read(r"a+$|b"), r"a+(?m:$)|b");
        assert_eq!(read(r"a{,3}b"), r"a{0,3}b");
        assert_eq!(read(r"a\ b\x{2028}"), r"a b\x{2028}");
        assert_eq!(read(r"\<\>\'\`\_"), "<>'`_");
        assert_eq!(read(r"[\<-\>\'\`\_]"), "[<->'`_]");
        assert_eq!(read(r"[^(\s|[.,])]"), r"[^(\s|[.,])]");
        assert_eq!(read(r"[a-z&&[^aeiou]]"), r"[a-z&&[^aeiou]]");
        assert_eq!(read(r"[\W-]"), r"[[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]-]");
        let write = |source: &str| to_oniguruma(source).unwrap();
        assert_eq!(write(r"^a{1,3}+b$"), r"\A(?>a{1,3})b\z");
        assert_eq!(write(r"(?:a{1,3}+|b)"), r"(?:(?>a{1,3})|b)");
        assert_eq!(write(r"a{1,3}+|b{2,}+"), r"a{1,3}|b{2,}");
        assert_eq!(write(r"a{2}?"), r"a{2}");
        assert_eq!(write(r"a(?m:$)"), r"a$");
        assert_eq!(write(r"\pL\u{1F600}"), "\\p{L}\u{1F600}");
        assert_eq!(literal("it's.a-b ]_`<>"), r"it's\.a-b \]_`<>");
        assert_eq!(literal("a.b-c ]"), r"a\.b-c \]");
    }

    #[test]
    fn constructs_without_equivalent_are_refused_by_name() {
        for source in [
            "",
            "a*",
            "a|",
            "a||b",
            "(?:a?b?)+c",
            "^a",
            r"\b",
            r"\b{start}a",
            r"[\b]",
            r"(?i:\w)",
            r"(?<=a\b)c",
            r"a\Z",
            r"\Ga",
            r"(a)\1",
            r"\k<x>",
            "(?<x>a)",
            "(?i)a",
            "(?m:.)",
            "(?x: a)",
            "(?#a)b",
            "[[:alpha:]]",
            "[a[:alpha:]]",
            "[a&&]",
            "[&&a]",
            "[a&&&b]",
            "[a&&^b]",
            "[a&&-b]",
            "[a-&&b]",
            "[a-[b]]",
            "[[a]-b]",
            "[[]]",
            "[a[b]",
            "[]a]",
            "[]",
            "[^]",
            "[z-a]",
            "[a-z-9]",
            r"[\s-x]",
            "a**",
            "a+*",
            "a{3,1}",
            "a{2}?",
            "a{99999}",
            "a{1",
            "{",
            "a]",
            "a}",
            "*a",
            "(?=a)*b",
            "(?!a)",
            "(?<=a+)b",
            "(?<=a|bc)b",
            "(?i:ss)",
            "(?i:s)(?i:t)",
            "(?i:é)",
            "(?i:[^a])",
            r"(?i:\p{Lu})",
            "(?i:f+)",
            "(?i:f)+",
            r"\p{Alpha}",
            r"\p{^L}",
            r"\xE9",
            r"\123",
            "(",
            ")",
            "(?",
            "[",
            "[a",
            r"\",
            r"\x{110000}",
            r"\x{D800}",
            "a(?~b)",
            r"\R",
            r"\X",
            r"\N",
            r"\O",
            r"a\Kb",
            "(?>",
            "(?a:b)",
            "(?<!(a))b",
            r"(?<!\s).*b",
        ] {
            let result = from_oniguruma(source);
            assert!(result.is_err(), "{source:?} was read as {result:?}");
        }
        let error = from_oniguruma(r"a|\R").unwrap_err();
        assert_eq!((error.offset, error.construct.as_str()), (2, r"\R"));
        for source in [
            "a*",
            "",
            "[a--b]",
            "[a~~b]",
            r"\<a",
            "(?s:.)",
            "(?i)a",
            "a{,3}",
            r"\b{start}a",
        ] {
            let result = to_oniguruma(source);
            assert!(result.is_err(), "{source:?} was written as {result:?}");
        }
        assert!(to_oniguruma("(?<!(a))b").is_ok_and(|written| written == "(?<!(?:a))b"));
    }

    /// Returns the number of characters in a class, and a hash of them.
    fn characters(class: &str) -> (usize, u32) {
        let regex = fancy_regex::Regex::new(&format!("^{class}$")).unwrap();
        let mut text = String::new();
        let mut matched = (0, 0u32);
        for c in '\0'..=char::MAX {
            text.clear();
            text.push(c);
            if regex.is_match(&text).unwrap() {
                let hash = matched.1.wrapping_mul(0x0100_0193) ^ u32::from(c);
                matched = (matched.0 + 1, hash);
            }
        }
        matched
    }

    #[test]
    fn word_characters_are_those_of_each_engine() {
        let written = to_oniguruma(r"\w").unwrap();
        assert_eq!(characters(&written), characters(r"\w"));
        // The number of characters that `tokenizers` 0.23 matches with `\w`.
        assert_eq!(characters(&from_oniguruma(r"\w").unwrap()).0, 144_671);
        assert_eq!(characters(&from_oniguruma(r"[\w]").unwrap()).0, 144_665);
    }

    #[test]
    fn deep_and_long_regexes_are_refused() {
        for (open, close) in [("(?:", ")"), ("[", "]")] {
            let deep = format!("{}a{}", open.repeat(100_000), close.repeat(100_000));
            assert!(from_oniguruma(&deep).is_err());
        }
        assert!(from_oniguruma(&"a".repeat(1 << 20)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_translations_round_trip(
            parts in prop::collection::vec(prop::sample::select(vec![
                "a", "s", "ß", ".", "[^", "[", "]", "(", "(?:", "(?i:", "(?>", "(?=", "(?!", "(?<=",
                "(?<!", ")", r"\w", r"\W", r"\b", r"\B", r"\'", "|", "*", "+", "?", "{1,3}", "{2}", "{2,}", "$", "^", r"\s", r"\S",
                r"\p{L}", r"\z", r"\A", "-", "&&", "\\", " ", "\n", "(?m:$)", r"\x{41}", r"\h",
            ]), 0..12),
        ) {
            let source = parts.concat();
            if let Ok(own) = from_oniguruma(&source) {
                // The engine may refuse a regex for its size or look-behind, but must not panic.
                let _ = Pattern::regex(&own, Gaps::Keep);
                let back = to_oniguruma(&own);
                prop_assert!(back.is_ok(), "{source:?} {own:?} {back:?}");
                prop_assert_eq!(from_oniguruma(&back.unwrap()), Ok(own));
            }
            let _ = to_oniguruma(&source);
        }
    }
}

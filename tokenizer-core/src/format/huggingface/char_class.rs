//! Pre-tokenizers that split at the characters of a class.
//!
//! `tokenizers` takes the classes from several sources, each of its own Unicode version. The classes here are
//! spelled out relative to the properties of both regex engines, and were compared with those of `tokenizers`
//! 0.23 for every character.

use crate::pattern::{Gaps, Pattern, PatternError};

/// The digits of `Digits`: Rust's `char::is_numeric`, which also knows the numbers of Unicode 17.
pub(super) const DIGIT: &str = r"\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}";

/// The characters of `Whitespace`'s words: the `\w` of `fancy-regex`.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}";

/// The punctuation of `Punctuation`: that of ASCII, and that of Unicode 8 with two characters that are no
/// punctuation any more.
pub(super) fn punctuation() -> String {
    format!(r"\p{{P}}$+<=>\^`|\~\x{{166D}}\x{{111C9}}&&[^{NEWER_PUNCTUATION}]")
}

/// The characters of `\p{P}` that Unicode 8 does not have.
const NEWER_PUNCTUATION: &str = concat!(
    r"\x{61D}\x{9FD}\x{A76}\x{C77}\x{C84}\x{1B4E}\x{1B4F}\x{1B7D}-\x{1B7F}\x{2E43}-\x{2E4F}",
    r"\x{2E52}-\x{2E5D}\x{10D6E}\x{10EAD}\x{10F55}-\x{10F59}\x{10F86}-\x{10F89}\x{113D4}\x{113D5}\x{113D7}",
    r"\x{113D8}\x{1144B}-\x{1144F}\x{1145A}\x{1145B}\x{1145D}\x{11660}-\x{1166C}\x{116B9}\x{1183B}",
    r"\x{11944}-\x{11946}\x{119E2}\x{11A3F}-\x{11A46}\x{11A9A}-\x{11A9C}\x{11A9E}-\x{11AA2}",
    r"\x{11B00}-\x{11B09}\x{11BE1}\x{11C41}-\x{11C45}\x{11C70}\x{11C71}\x{11EF7}\x{11EF8}",
    r"\x{11F43}-\x{11F4F}\x{11FFF}\x{12FF1}\x{12FF2}\x{16D6D}-\x{16D6F}\x{16E97}-\x{16E9A}\x{16FE2}",
    r"\x{1E5FF}\x{1E95E}\x{1E95F}",
);

/// Returns the pattern of a `Split` whose matches are the single characters of a class. `class` is
/// the inside of the class. No pattern needs the rules that only the regex engine has.
pub(super) fn split_at(class: &str, gaps: Gaps) -> Result<Pattern, PatternError> {
    let (is, not) = (format!("[{class}]"), format!("[^{class}]"));
    let (regex, gaps) = match gaps {
        Gaps::Keep | Gaps::Drop => (is, gaps),
        Gaps::Only => (format!("{not}+"), Gaps::Drop),
        Gaps::WithNext => (format!("{not}*{is}|{not}+"), Gaps::Keep),
        Gaps::WithPrevious => (format!("{is}{not}*|{not}+"), Gaps::Keep),
        Gaps::Contiguous => (format!("{is}+"), Gaps::Keep),
    };
    Pattern::regex(&regex, gaps)
}

/// Returns the pattern of `Whitespace`: words and runs of other characters.
pub(super) fn words() -> Result<Pattern, PatternError> {
    Pattern::regex(&format!(r"[{WORD}]+|[^{WORD}\s]+"), Gaps::Drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The number of characters in a class.
    fn count(class: &str) -> usize {
        let regex = fancy_regex::Regex::new(&format!("[{class}]")).unwrap();
        let text: String = ('\0'..=char::MAX).collect();
        regex.find_iter(&text).count()
    }

    #[test]
    fn classes_have_the_characters_of_tokenizers() {
        assert_eq!(count(DIGIT), 1924);
        assert_eq!(count(&punctuation()), 726);
        assert_eq!(count(WORD), 144667);
        assert_eq!(count(r"\s"), 25);
    }

    proptest! {
        #[test]
        fn a_class_splits_as_its_regex_does(text in "[ab.!,]{0,12}") {
            for gaps in Gaps::ALL {
                let class = split_at(".,!", gaps).unwrap();
                let regex = Pattern::through_regex_engine("[.,!]", gaps).unwrap();
                let pieces = |pattern: &Pattern| {
                    let pieces = pattern.split(text.as_bytes());
                    pieces.map(Result::unwrap).collect::<Vec<_>>()
                };
                prop_assert_eq!(pieces(&class), pieces(&regex), "{:?}", gaps);
            }
        }
    }
}

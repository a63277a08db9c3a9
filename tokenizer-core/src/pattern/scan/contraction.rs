//! English contractions: `'(?:[sdmt]|ll|ve|re)`.

/// Maximum length of a contraction in bytes, with the apostrophe.
pub(in crate::pattern) const LONGEST: usize = 3;

/// Returns the length in bytes of the contraction whose apostrophe is at `at`, with the apostrophe; 0 if
/// there is none.
///
/// With `any_case`, U+017F (long s) matches `s`, because the regex engine folds case as Unicode does. No
/// other character outside ASCII folds to one of these letters.
#[inline]
pub(in crate::pattern) fn length(text: &[u8], at: usize, any_case: bool) -> usize {
    let fold = if any_case { 0x20 } else { 0 };
    let letter = |n: usize| text.get(at + n).map_or(0, |&byte| byte | fold);
    match (letter(1), letter(2)) {
        (b's' | b'd' | b'm' | b't', _) => 2,
        (b'l', b'l') | (b'v', b'e') | (b'r', b'e') => 3,
        _ if any_case && text.get(at + 1..at + 3) == Some("\u{17F}".as_bytes()) => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::length;
    use fancy_regex::Regex;

    #[test]
    fn contractions_are_those_of_the_regex() {
        let exact = Regex::new(r"^'(?:[sdmt]|ll|ve|re)").unwrap();
        let any_case = Regex::new(r"^'(?i:[sdmt]|ll|ve|re)").unwrap();
        let length_of =
            |regex: &Regex, text: &str| regex.find(text).unwrap().map_or(0, |m| m.end());
        let letters: Vec<char> = ('\0'..='\u{24F}').chain(['\u{212A}', '\u{FF53}']).collect();
        for &first in &letters {
            for second in ['l', 'L', 'e', 'E', 'x', '\'', '\u{17F}', ' '] {
                let text = format!("'{first}{second}");
                assert_eq!(
                    length(text.as_bytes(), 0, false),
                    length_of(&exact, &text),
                    "{text}"
                );
                assert_eq!(
                    length(text.as_bytes(), 0, true),
                    length_of(&any_case, &text),
                    "{text}"
                );
            }
        }
        for cut in ["'", "'l", "'\u{17F}"] {
            assert_eq!(length(cut.as_bytes(), 0, true), length_of(&any_case, cut));
        }
    }
}

//! A pattern in one line of text, as the files of counted pieces hold it.
//!
//! | text | pattern |
//! | --- | --- |
//! | `cl100k` | the pattern of that name |
//! | `keep:REGEX`, `drop:REGEX` | a regex and its gap rule |
//! | several of these, between tabs | several regexes in a row |
//! | `whole` | no regex: a text is one piece |
//!
//! In a regex, `%` and control characters are written `%25` and so on, the number being the
//! character's in hexadecimal. A text that begins with no gap rule is what a person would type as
//! a pattern, a name or a bare regex, and is taken so, with nothing escaped in it.

use std::fmt::Write;

use crate::pattern::{Gaps, Pattern, PatternError};

/// As many as a `.bpe` model holds; every regex costs memory to compile.
const MAX_STAGES: usize = 16;

/// A text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternTextError {
    /// A regex behind the first has no gap rule.
    #[error("{0:?} begins neither with keep: nor with drop:")]
    NoGapRule(String),
    /// A `%` that no number of an ASCII character follows.
    #[error("a % in {0:?} is not followed by two digits of a character's number")]
    Escape(String),
    /// More regexes in a row than any pattern in use.
    #[error("more than {MAX_STAGES} regexes in a row")]
    TooManyStages,
    /// A name or a regex cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// The pattern as one line, with no control character but tabs.
///
/// ```
/// use tokenizer_core::format::counts::pattern_text;
/// use tokenizer_core::{Gaps, Pattern};
///
/// let pattern = Pattern::regex(r"[a-z]+|100%", Gaps::Drop)?;
/// assert_eq!(pattern_text::write(&pattern), "drop:[a-z]+|100%25");
/// assert_eq!(pattern_text::write(&"nanochat".parse()?), "nanochat");
/// # Ok::<(), tokenizer_core::PatternError>(())
/// ```
pub fn write(pattern: &Pattern) -> String {
    if let Some(name) = pattern.name()
        && *pattern == Pattern::named(name)
    {
        return name.to_string();
    }
    if pattern.stages().len() == 0 {
        return "whole".to_owned();
    }
    let mut text = String::new();
    for (source, gaps) in pattern.stages() {
        if !text.is_empty() {
            text.push('\t');
        }
        text.push_str(match gaps {
            Gaps::Keep => "keep:",
            Gaps::Drop => "drop:",
        });
        for char in source.chars() {
            if char.is_ascii_control() || char == '%' {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{:02X}", char as u32);
            } else {
                text.push(char);
            }
        }
    }
    text
}

/// The pattern that [`write()`] wrote, or that a person would type.
///
/// # Errors
/// When it is no pattern; the error quotes what is wrong.
pub fn read(text: &str) -> Result<Pattern, PatternTextError> {
    if text == "whole" {
        return Ok(Pattern::sequence([]));
    }
    if gap_rule(text).is_none() {
        return Ok(text.parse()?);
    }
    let mut stages = Vec::new();
    for field in text.split('\t') {
        if stages.len() == MAX_STAGES {
            return Err(PatternTextError::TooManyStages);
        }
        let (gaps, source) =
            gap_rule(field).ok_or_else(|| PatternTextError::NoGapRule(field.to_owned()))?;
        stages.push(Pattern::regex(&unescaped(source)?, gaps)?);
    }
    Ok(Pattern::sequence(stages))
}

/// Whether two patterns are spelled alike. For the named ones, which leave no gaps, the gap rule
/// makes no difference.
pub fn split_alike(one: &Pattern, other: &Pattern) -> bool {
    one == other || (one.name().is_some() && one.name() == other.name())
}

/// As much of the pattern as a message has room for.
pub(crate) fn short(pattern: &Pattern) -> String {
    const ROOM: usize = 60;
    let text = write(pattern);
    match text.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn gap_rule(field: &str) -> Option<(Gaps, &str)> {
    let keep = field.strip_prefix("keep:").map(|rest| (Gaps::Keep, rest));
    keep.or_else(|| field.strip_prefix("drop:").map(|rest| (Gaps::Drop, rest)))
}

fn unescaped(source: &str) -> Result<String, PatternTextError> {
    let mut parts = source.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => text.push(char::from(byte)),
            None => return Err(PatternTextError::Escape(source.to_owned())),
        }
        text.push_str(&part[2..]);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternName;
    use proptest::prelude::*;

    fn comes_back(pattern: &Pattern) -> String {
        let text = write(pattern);
        assert!(
            !text.contains(|c: char| c.is_ascii_control() && c != '\t'),
            "{text:?}"
        );
        assert_eq!(&read(&text).unwrap(), pattern, "{text:?}");
        text
    }

    #[test]
    fn every_kind_of_pattern_comes_back() {
        for name in PatternName::ALL {
            assert_eq!(comes_back(&Pattern::named(name)), name.as_str());
            let dropping = Pattern::regex(name.regex(), Gaps::Drop).unwrap();
            assert!(comes_back(&dropping).starts_with("drop:"));
        }
        assert_eq!(comes_back(&Pattern::sequence([])), "whole");
        let empty = Pattern::regex("", Gaps::Keep).unwrap();
        assert_eq!(comes_back(&empty), "keep:");
        let word = Pattern::regex("cl100k", Gaps::Keep).unwrap();
        assert_eq!(comes_back(&word), "keep:cl100k");
        let control = Pattern::regex("a\t\r\n%2é|keep:", Gaps::Drop).unwrap();
        assert_eq!(comes_back(&control), "drop:a%09%0D%0A%252é|keep:");
        let stages = [Pattern::named(PatternName::Gpt2), empty, control];
        comes_back(&Pattern::sequence(stages));
    }

    #[test]
    fn what_a_person_would_type_is_taken_so() {
        assert_eq!(
            read("cl100k_base").unwrap(),
            Pattern::named(PatternName::Cl100k)
        );
        let bare = Pattern::regex(r"\p{L}+|%41|.", Gaps::Keep).unwrap();
        assert_eq!(read(r"\p{L}+|%41|.").unwrap(), bare);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let fails = |text: &str| read(text).unwrap_err().to_string();
        assert!(fails("cl101k").contains("unknown pattern"));
        assert!(fails("").contains("unknown pattern"));
        assert!(fails("keep:(").contains("invalid pattern"));
        assert!(fails("keep:a\tb").contains("\"b\" begins neither"));
        for escape in ["%", "%4", "%zz", "%+4", "%80", "%é"] {
            assert!(fails(&format!("drop:{escape}")).contains("a % in"));
        }
        assert!(fails(&["keep:a"; 17].join("\t")).contains("more than 16"));
    }

    proptest! {
        #[test]
        fn any_literal_comes_back(text in any::<String>(), keep in any::<bool>()) {
            let gaps = if keep { Gaps::Keep } else { Gaps::Drop };
            let escaped: String = text.chars().map(|c| match c {
                c if c.is_alphanumeric() || c.is_control() => c.to_string(),
                c if c.is_ascii() && c != ' ' && c != '<' && c != '>' => format!("\\{c}"),
                c => c.to_string(),
            }).collect();
            if let Ok(pattern) = Pattern::regex(&escaped, gaps) {
                comes_back(&pattern);
            }
        }
    }
}

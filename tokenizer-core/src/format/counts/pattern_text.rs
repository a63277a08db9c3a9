//! A pattern as one line of text, as stored in files of piece counts.
//!
//! | text | pattern |
//! | --- | --- |
//! | `cl100k` | the named pattern |
//! | `keep:REGEX`, `drop:REGEX` | a regex and the [name](Gaps::name) of its gap rule |
//! | `spelled-keep:REGEX` | the same, on the byte-to-unicode spelling of the text, like all regexes after it |
//! | several of these, separated by tabs | several regexes in sequence |
//! | `whole` | no regex: a text is one piece |
//!
//! In a regex with a gap rule, `%` and ASCII control characters are percent-encoded (`%25` is `%`). Text
//! without a gap rule is read like the argument of `--pattern`: as a name or an unescaped regex.

use std::fmt::Write;

use crate::pattern::{Gaps, Pattern, PatternError};

/// Limit on the regexes of a pattern, the same as in a `.bpe` model.
const MAX_STAGES: usize = 16;

/// Prefix of the gap rule of a regex that acts on the spelling.
const SPELLED: &str = "spelled-";

/// An invalid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternTextError {
    /// A regex after the first has no gap rule.
    #[error("no gap rule before {0:?} (expected keep: or drop:)")]
    NoGapRule(String),
    /// A `%` without the code of an ASCII character.
    #[error("invalid escape in {0:?} (expected % and two hexadecimal digits up to 7F)")]
    Escape(String),
    /// More regexes than the limit.
    #[error("more than {MAX_STAGES} regexes in sequence")]
    TooManyStages,
    /// An unknown name, or a regex that does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Returns the pattern as one line, without ASCII control characters except tabs.
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
#[must_use]
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
    for (stage, (source, gaps)) in pattern.stages().enumerate() {
        if stage > 0 {
            text.push('\t');
        }
        if pattern.spelled_from().is_some_and(|from| from <= stage) {
            text.push_str(SPELLED);
        }
        text.push_str(gaps.name());
        text.push(':');
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

/// Reads a pattern as [`write()`] writes it or a user types it.
///
/// # Errors
/// If the pattern is invalid.
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
        let (is_spelled, gaps, source) =
            gap_rule(field).ok_or_else(|| PatternTextError::NoGapRule(field.to_owned()))?;
        let pattern = Pattern::regex(&unescaped(source)?, gaps)?;
        stages.push(match is_spelled {
            true => pattern.on_spelling(),
            false => pattern,
        });
    }
    Ok(Pattern::sequence(stages))
}

/// Whether two patterns split alike: they are equal, or have the same name and differ in the gap rule
/// only. Named patterns leave no gaps, so the rule has no effect on them.
#[must_use]
pub fn split_alike(one: &Pattern, other: &Pattern) -> bool {
    one == other || (one.name().is_some() && one.name() == other.name())
}

/// The pattern, truncated to 60 characters for error messages.
pub(crate) fn short(pattern: &Pattern) -> String {
    const MAX_CHARS: usize = 60;
    let text = write(pattern);
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Divides a field into whether its regex acts on the spelling, the gap rule and the regex.
fn gap_rule(field: &str) -> Option<(bool, Gaps, &str)> {
    let (rule, source) = field.split_once(':')?;
    let name = rule.strip_prefix(SPELLED);
    let mut rules = Gaps::ALL.into_iter();
    let gaps = rules.find(|gaps| gaps.name() == name.unwrap_or(rule))?;
    Some((name.is_some(), gaps, source))
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

    fn round_trip(pattern: &Pattern) -> String {
        let text = write(pattern);
        assert!(
            !text.contains(|c: char| c.is_ascii_control() && c != '\t'),
            "{text:?}"
        );
        assert_eq!(&read(&text).unwrap(), pattern, "{text:?}");
        text
    }

    #[test]
    fn patterns_round_trip() {
        for name in PatternName::ALL {
            assert_eq!(round_trip(&Pattern::named(name)), name.as_str());
            let dropping = Pattern::regex(name.regex(), Gaps::Drop).unwrap();
            assert!(round_trip(&dropping).starts_with("drop:"));
        }
        assert_eq!(round_trip(&Pattern::sequence([])), "whole");
        let empty = Pattern::regex("", Gaps::Keep).unwrap();
        assert_eq!(round_trip(&empty), "keep:");
        let word = Pattern::regex("cl100k", Gaps::Keep).unwrap();
        assert_eq!(round_trip(&word), "keep:cl100k");
        let control = Pattern::regex("a\t\r\n%2é|keep:", Gaps::Drop).unwrap();
        assert_eq!(round_trip(&control), "drop:a%09%0D%0A%252é|keep:");
        let stages = [Pattern::named(PatternName::Gpt2), empty, control];
        round_trip(&Pattern::sequence(stages));
    }

    #[test]
    fn gap_rules_and_the_spelling_round_trip() {
        let stage = |gaps| Pattern::regex("a:%", gaps).unwrap();
        let spelled = stage(Gaps::WithNext).on_spelling();
        assert_eq!(write(&spelled), "spelled-with-next:a:%25");
        for gaps in Gaps::ALL {
            round_trip(&stage(gaps));
            round_trip(&Pattern::sequence([
                stage(gaps),
                spelled.clone(),
                spelled.clone(),
            ]));
        }
    }

    #[test]
    fn text_without_gap_rule_is_a_name_or_a_regex() {
        assert_eq!(
            read("cl100k_base").unwrap(),
            Pattern::named(PatternName::Cl100k)
        );
        let bare = Pattern::regex(r"\p{L}+|%41|.", Gaps::Keep).unwrap();
        assert_eq!(read(r"\p{L}+|%41|.").unwrap(), bare);
    }

    #[test]
    fn invalid_patterns_are_refused() {
        let fails = |text: &str| read(text).unwrap_err().to_string();
        assert!(fails("cl101k").contains("unknown pattern"));
        assert!(fails("").contains("unknown pattern"));
        assert!(fails("keep:(").contains("invalid pattern"));
        assert!(fails("keep:a\tb").contains("no gap rule before \"b\""));
        for escape in ["%", "%4", "%zz", "%+4", "%80", "%é"] {
            assert!(fails(&format!("drop:{escape}")).contains("invalid escape in"));
        }
        assert!(fails(&["keep:a"; 17].join("\t")).contains("more than 16"));
    }

    proptest! {
        #[test]
        fn literals_round_trip(text in any::<String>(), keep in any::<bool>()) {
            let gaps = if keep { Gaps::Keep } else { Gaps::Drop };
            let escaped: String = text.chars().map(|c| match c {
                c if c.is_alphanumeric() || c.is_control() => c.to_string(),
                c if c.is_ascii() && c != ' ' && c != '<' && c != '>' => format!("\\{c}"),
                c => c.to_string(),
            }).collect();
            if let Ok(pattern) = Pattern::regex(&escaped, gaps) {
                round_trip(&pattern);
            }
        }
    }
}

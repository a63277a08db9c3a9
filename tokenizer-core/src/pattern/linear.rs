//! Regexes in linear time: the automata of `regex-automata`, with the one look-ahead that patterns
//! have handled beside them.
//!
//! Automata know no look-ahead, but nearly every published pattern has just one, in the
//! alternative `\s+(?!\S)`: white space up to the end of its run, or up to the last character but
//! one when something follows. That alternative stands for two that need no look-ahead,
//!
//! ```text
//! \s+$     the run reaches the end of the text
//! \s+\s    it does not: two characters at least, of which the last is given back
//! ```
//!
//! so a pattern becomes a list of automata in the order of its alternatives, and which of them
//! matched says whether a character is to be given back. (The idea is that of the `bpe-openai`
//! crate.) A possessive mark at the very end of an alternative changes nothing, since nothing comes
//! behind that could want something back, and is left out; so is that of `\s++$`.
//!
//! A regex of any other kind (other look-around, back-references, possessive marks elsewhere,
//! flags that reach over several alternatives) is left to the backtracking engine.

use regex_automata::Input;
use regex_automata::meta::Regex;

const LAST_ALONE: &str = r"\s+(?!\S)";

/// The one possessive mark that is followed by something and changes nothing: white space that is
/// given back does not end the text either. (Unless `$` ends lines, for which there would be a flag.)
const WHOLE_AT_END: &str = r"\s++$";

/// A regex that never backtracks.
#[derive(Clone)]
pub(super) struct LinearRegex {
    regex: Regex,
    /// The automaton whose last character is given back.
    gives_back: Option<usize>,
}

impl LinearRegex {
    /// `None` when the regex is not of the kind that this module speaks of.
    pub(super) fn new(source: &str) -> Option<Self> {
        let alternatives = alternatives(source)?;
        let mut automata: Vec<String> = Vec::new();
        let mut gives_back = None;
        for alternative in alternatives {
            match alternative {
                LAST_ALONE if gives_back.is_none() => {
                    automata.push(r"\s+$".into());
                    gives_back = Some(automata.len());
                    automata.push(r"\s+\s".into());
                }
                LAST_ALONE => {}
                WHOLE_AT_END => automata.push(r"\s+$".into()),
                other => automata.push(other.into()),
            }
        }
        // One automaton for each alternative is slow; only the one that gives back is told apart.
        let (patterns, gives_back) = match gives_back {
            None => (vec![automata.join("|")], None),
            Some(place) => {
                let mut patterns = vec![automata[..place].join("|"), automata[place].clone()];
                if place + 1 < automata.len() {
                    patterns.push(automata[place + 1..].join("|"));
                }
                (patterns, Some(1))
            }
        };
        let regex = Regex::new_many(&patterns).ok()?;
        Some(LinearRegex { regex, gives_back })
    }

    /// The first match in `text` at or behind `at`.
    pub(super) fn find(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        let found = self.regex.find(Input::new(text).range(at..))?;
        let mut end = found.end();
        if self.gives_back == Some(found.pattern().as_usize()) {
            end -= text[..end].chars().next_back().map_or(0, char::len_utf8);
        }
        Some((found.start(), end))
    }
}

/// The alternatives of a regex, without a possessive mark at their end. `None` when a sign may
/// reach over several of them, or is possessive elsewhere.
fn alternatives(source: &str) -> Option<Vec<&str>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0usize);
    // Where a quantifier ended just now, and where a possessive mark stands, if one was met.
    let (mut quantified, mut possessive) = (None, None);
    while at < bytes.len() {
        let after_quantifier = quantified.take() == Some(at);
        if possessive.is_some() && !(depth == 0 && bytes[at] == b'|') {
            let behind = bytes.get(at + 1);
            let whole =
                source.get(start..=at) == Some(WHOLE_AT_END) && matches!(behind, None | Some(b'|'));
            if !whole {
                return None;
            }
            possessive = None;
        }
        match bytes[at] {
            b'\\' => at = escape_end(bytes, at)?,
            b'[' => at = class_end(bytes, at)?,
            b'(' => {
                depth += 1;
                if reaches_on(&bytes[at + 1..]) {
                    return None;
                }
            }
            b')' => depth = depth.checked_sub(1)?,
            b'|' if depth == 0 => {
                found.push(&source[start..possessive.take().unwrap_or(at)]);
                start = at + 1;
            }
            b'+' if after_quantifier => possessive = Some(at),
            // Lazy. More behind it would be a quantifier of a quantifier.
            b'?' if after_quantifier => {
                if matches!(bytes.get(at + 1), Some(b'+' | b'*' | b'?' | b'{')) {
                    return None;
                }
            }
            // A quantifier of a quantifier, which engines read differently.
            b'*' | b'{' if after_quantifier => return None,
            b'+' | b'*' | b'?' => quantified = Some(at + 1),
            b'{' => {
                let inside = bytes[at + 1..].iter().position(|&byte| byte == b'}')?;
                let counts = &bytes[at + 1..at + 1 + inside];
                if !counts
                    .iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b',')
                {
                    return None;
                }
                at += 1 + inside;
                quantified = Some(at + 1);
            }
            _ => {}
        }
        at += 1;
    }
    found.push(&source[start..possessive.unwrap_or(source.len())]);
    (depth == 0 && found.iter().all(|alternative| !alternative.is_empty())).then_some(found)
}

/// Whether a group holds flags for what comes behind it, such as `(?i)`, a comment, or free
/// spacing. `inside` begins behind the bracket.
fn reaches_on(inside: &[u8]) -> bool {
    let Some(flags) = inside.strip_prefix(b"?") else {
        return false;
    };
    let is_flag = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == b'-';
    let letters = flags.iter().take_while(is_flag).count();
    flags.starts_with(b"#") || flags.get(letters) == Some(&b')') || flags[..letters].contains(&b'x')
}

/// Where the escape that begins at `at` ends.
fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes.get(at + 1)?, bytes.get(at + 2)) {
        (b'p' | b'P' | b'x' | b'u' | b'U', Some(b'{')) => {
            Some(at + 2 + bytes[at + 2..].iter().position(|&byte| byte == b'}')?)
        }
        _ => Some(at + 1),
    }
}

/// Where the class that begins at `at` ends; `None` for classes made of classes.
fn class_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut place = at + 1;
    if bytes.get(place) == Some(&b'^') {
        place += 1;
    }
    // A bracket right at the front is a character.
    if bytes.get(place) == Some(&b']') {
        return None;
    }
    loop {
        match bytes.get(place)? {
            b'\\' => place += 2,
            b'[' => return None,
            // Operations on classes.
            sign @ (b'&' | b'~' | b'-') if bytes.get(place + 1) == Some(sign) => return None,
            b']' => return Some(place),
            _ => place += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_cut_outside_groups_and_classes() {
        assert_eq!(
            alternatives(r"a|(b|c)|[|]|\|"),
            Some(vec!["a", "(b|c)", "[|]", r"\|"])
        );
        for beyond in [
            "(?i)a|b",
            "(?x:a |b)",
            "[a&&b]|c",
            "[a--b]",
            "[[a]|b]",
            "a||b",
            "(a",
            "[]|a]",
            "a|",
            "(?#x|)a",
        ] {
            assert_eq!(alternatives(beyond), None, "{beyond}");
        }
        assert_eq!(alternatives("(?i:a)|b"), Some(vec!["(?i:a)", "b"]));
    }

    #[test]
    fn only_a_possessive_mark_at_the_end_goes() {
        for (with, without) in [
            (r"\p{L}++", r"\p{L}+"),
            (r"\p{L}+", r"\p{L}+"),
            (r"\p{N}{1,3}+", r"\p{N}{1,3}"),
            (r"x[\r\n]*+", r"x[\r\n]*"),
            (r"\++", r"\++"),
            (r"\\++", r"\\+"),
            (r"(a)++", r"(a)+"),
        ] {
            assert_eq!(alternatives(with), Some(vec![without]));
            let two = format!("{with}|b");
            assert_eq!(alternatives(&two), Some(vec![without, "b"]));
        }
        for elsewhere in ["a++b", "(a++)b", "a+?+b", "a{2}+b", "a+*", "a+{2}", "a{x}"] {
            assert_eq!(alternatives(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn what_automata_cannot_do_is_left() {
        for beyond in [
            r"(?m:x|\s++$|b)",
            r"\s++$b",
            r"(a)\1",
            r"a(?!b)",
            r"(?<=a)b",
            r"a++b",
            r"(?>a+)b",
            r"\Ga",
        ] {
            assert!(LinearRegex::new(beyond).is_none(), "{beyond}");
        }
    }
}

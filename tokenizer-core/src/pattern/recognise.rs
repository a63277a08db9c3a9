//! Recognises the regexes for which there is a scanner.
//!
//! A regex is compared with each family of patterns, alternative by alternative. Each alternative may have
//! any of its published spellings: possessive or greedy, old or new tiktoken, Hugging Face. Other regexes are
//! not recognised. `tests/scanners.rs` compares the scanner of each family with the regex engine.

use super::scan::{Family, Trailing};

/// Returns the family of a regex, with its parameters, if its spelling is known.
pub(super) fn family(regex: &str) -> Option<Family> {
    gpt2(regex)
        .or_else(|| cl100k(regex))
        .or_else(|| o200k(regex))
}

/// The unparsed rest of a regex.
struct Rest<'r>(&'r str);

impl Rest<'_> {
    /// Consumes one alternative, with the `|` after it, if it has one of the given spellings. Returns the
    /// value paired with the spelling. Otherwise consumes nothing and returns `None`.
    fn take<T: Copy>(&mut self, spellings: &[(&str, T)]) -> Option<T> {
        spellings.iter().find_map(|&(spelling, value)| {
            let rest = self.0.strip_prefix(spelling)?;
            self.0 = match rest.strip_prefix('|') {
                Some(rest) => rest,
                None if rest.is_empty() => rest,
                None => return None,
            };
            Some(value)
        })
    }

    /// Returns `Some` if the whole regex is consumed.
    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

const WHOLE_TRAILING: &[(&str, ())] = &[(r"\s++$", ())];
const LAST_ALONE: &[(&str, ())] = &[(r"\s+(?!\S)", ())];
const ANY_SPACE: &[(&str, ())] = &[(r"\s+", ()), (r"\s", ())];
const LINE_ENDS: &[(&str, ())] = &[(r"\s*[\r\n]+", ()), (r"\s*[\r\n]", ())];
const DIGITS: &[(&str, u32)] = &[
    (r"\p{N}{1,3}+", 3),
    (r"\p{N}{1,3}", 3),
    (r"\p{N}{1,2}+", 2),
    (r"\p{N}{1,2}", 2),
    (r"\p{N}", 1),
];

fn gpt2(regex: &str) -> Option<Family> {
    let mut rest = Rest(regex);
    rest.take(&[
        (r"'(?:[sdmt]|ll|ve|re)", ()),
        (r"'s|'t|'re|'ve|'m|'ll|'d", ()),
    ])?;
    rest.take(&[(r" ?\p{L}++", ()), (r" ?\p{L}+", ()), (r" ?[\p{L}]+", ())])?;
    rest.take(&[(r" ?\p{N}++", ()), (r" ?\p{N}+", ()), (r" ?[\p{N}]+", ())])?;
    rest.take(&[(r" ?[^\s\p{L}\p{N}]++", ()), (r" ?[^\s\p{L}\p{N}]+", ())])?;
    // `\s++$` is optional: in this family, it changes no piece.
    rest.take(WHOLE_TRAILING);
    rest.take(LAST_ALONE)?;
    rest.take(ANY_SPACE)?;
    rest.end()?;
    Some(Family::Gpt2)
}

fn cl100k(regex: &str) -> Option<Family> {
    let mut rest = Rest(regex);
    rest.take(&[
        (r"'(?i:[sdmt]|ll|ve|re)", ()),
        (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", ()),
    ])?;
    rest.take(&[
        (r"[^\r\n\p{L}\p{N}]?+\p{L}++", ()),
        (r"[^\r\n\p{L}\p{N}]?+\p{L}+", ()),
        (r"[^\r\n\p{L}\p{N}]?\p{L}+", ()),
    ])?;
    let digits = rest.take(DIGITS)?;
    rest.take(&[
        (r" ?[^\s\p{L}\p{N}]++[\r\n]*+", ()),
        (r" ?[^\s\p{L}\p{N}]++[\r\n]*", ()),
        (r" ?[^\s\p{L}\p{N}]+[\r\n]*", ()),
    ])?;
    let trailing = match rest.take(WHOLE_TRAILING) {
        Some(()) => Trailing::Whole,
        None => Trailing::FromLastNewline,
    };
    rest.take(LINE_ENDS)?;
    rest.take(LAST_ALONE)?;
    rest.take(ANY_SPACE)?;
    rest.end()?;
    Some(Family::Cl100k { digits, trailing })
}

fn o200k(regex: &str) -> Option<Family> {
    const FIRST: &str =
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+";
    const SECOND: &str =
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*";
    const CONTRACTIONS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let mut rest = Rest(regex);
    let mut word =
        |word: &str| rest.take(&[(&*format!("{word}{CONTRACTIONS}"), true), (word, false)]);
    let contractions = word(FIRST)?;
    if word(SECOND)? != contractions {
        return None;
    }
    let digits = rest.take(DIGITS)?;
    rest.take(&[(r" ?[^\s\p{L}\p{N}]+[\r\n/]*", ())])?;
    rest.take(LINE_ENDS)?;
    rest.take(LAST_ALONE)?;
    rest.take(ANY_SPACE)?;
    rest.end()?;
    Some(Family::O200k {
        digits,
        contractions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternName;

    #[test]
    fn published_spellings_are_recognised() {
        let cl100k = |digits, trailing| Some(Family::Cl100k { digits, trailing });
        let old = Trailing::FromLastNewline;
        for (name, want) in [
            (PatternName::Gpt2, Some(Family::Gpt2)),
            (PatternName::Cl100k, cl100k(3, Trailing::Whole)),
            (PatternName::Nanochat, cl100k(2, old)),
            (
                PatternName::O200k,
                Some(Family::O200k {
                    digits: 3,
                    contractions: true,
                }),
            ),
        ] {
            assert_eq!(family(name.regex()), want);
        }
        // With brackets around `\p{L}` and `\p{N}`, as in tiktoken's `_educational.py`, and without them.
        let gpt2 =
            r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
        assert_eq!(family(gpt2), Some(Family::Gpt2));
        assert_eq!(
            family(
                &gpt2
                    .replace(['[', ']'], "")
                    .replace("^\\s\\p{L}\\p{N}", "[^\\s\\p{L}\\p{N}]")
            ),
            Some(Family::Gpt2)
        );
        // Llama 3 and Qwen 2.
        let llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        assert_eq!(family(llama), cl100k(3, old));
        assert_eq!(family(&llama.replace("{1,3}", "")), cl100k(1, old));
    }

    #[test]
    fn other_regexes_are_not_recognised() {
        let known = PatternName::Cl100k.regex();
        assert!(family(known).is_some());
        for at in 0..known.len() {
            let mut changed = known.to_owned();
            changed.remove(at);
            // The regex remains known only if the removed character is the `+` of a possessive quantifier.
            if let Some(found) = family(&changed) {
                assert!(
                    matches!(found, Family::Cl100k { digits: 3, .. }),
                    "{changed}"
                );
                assert_eq!(known.as_bytes()[at], b'+', "{changed}");
            }
        }
        for other in [
            "",
            "|",
            r"\s",
            r"\p{L}+",
            &format!("{known}|x"),
            &format!("x|{known}"),
        ] {
            assert_eq!(family(other), None, "{other}");
        }
    }
}

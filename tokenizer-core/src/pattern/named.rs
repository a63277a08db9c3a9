//! The published patterns, spelled exactly as their publishers spell them.

use std::fmt;

/// A published pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternName {
    /// GPT-2 and GPT-3: `r50k_base`, `p50k_base`.
    Gpt2,
    /// GPT-3.5 and GPT-4: `cl100k_base`. The default for training.
    Cl100k,
    /// GPT-4o and later: `o200k_base`.
    O200k,
    /// nanochat: GPT-4's pattern, but with groups of at most two digits and another rule for white space at
    /// the end of the text.
    Nanochat,
}

impl PatternName {
    /// All published patterns.
    pub const ALL: [PatternName; 4] = [
        PatternName::Gpt2,
        PatternName::Cl100k,
        PatternName::O200k,
        PatternName::Nanochat,
    ];

    /// Returns the name from which [`Pattern`](crate::Pattern) can be parsed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PatternName::Gpt2 => "gpt2",
            PatternName::Cl100k => "cl100k",
            PatternName::O200k => "o200k",
            PatternName::Nanochat => "nanochat",
        }
    }

    /// Returns the regex as spelled by tiktoken 0.14 and nanochat.
    #[must_use]
    pub const fn regex(self) -> &'static str {
        match self {
            PatternName::Gpt2 => {
                r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
            }
            PatternName::Cl100k => {
                r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
            }
            PatternName::O200k => concat!(
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|\p{N}{1,3}",
                r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
                r"|\s*[\r\n]+",
                r"|\s+(?!\S)",
                r"|\s+",
            ),
            PatternName::Nanochat => {
                r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
            }
        }
    }

    /// Returns the pattern with exactly this regex.
    #[must_use]
    pub fn of_regex(source: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.regex() == source)
    }

    /// Returns the pattern with this name. tiktoken's encoding names, with or without `_base`, are accepted
    /// too.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "gpt2" | "r50k" | "r50k_base" | "p50k" | "p50k_base" => PatternName::Gpt2,
            "cl100k" | "cl100k_base" => PatternName::Cl100k,
            "o200k" | "o200k_base" => PatternName::O200k,
            "nanochat" => PatternName::Nanochat,
            _ => return None,
        })
    }

    /// Returns all names, separated by commas.
    pub(super) fn list() -> String {
        Self::ALL.map(PatternName::as_str).join(", ")
    }
}

impl fmt::Display for PatternName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;

    #[test]
    fn every_named_pattern_compiles_and_round_trips() {
        for name in PatternName::ALL {
            assert_eq!(Pattern::named(name).name(), Some(name));
            assert_eq!(PatternName::from_word(name.as_str()), Some(name));
            assert_eq!(PatternName::of_regex(name.regex()), Some(name));
        }
    }
}

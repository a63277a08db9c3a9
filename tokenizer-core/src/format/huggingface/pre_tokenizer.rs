//! Converts the component `pre_tokenizer` to a [`Pattern`].

use super::char_class::{DIGIT, punctuation, split_at, words};
use super::error::HuggingFaceError;
use super::json::At;
use super::regex_dialect::{escaped, from_oniguruma, literal, to_oniguruma};
use crate::pattern::{Gaps, Pattern, PatternName};

/// The steps of a pre-tokenizer that were read so far.
struct PreTokenizer {
    patterns: Vec<Pattern>,
    /// Whether the `ByteLevel` step was read. The steps after it split the spelling of the bytes.
    byte_level: bool,
}

/// Reads a `pre_tokenizer`. Returns its pattern, and whether it has no `ByteLevel` step: then tokens are text,
/// and the first symbols of a piece are its characters.
pub(super) fn read_pre_tokenizer(at: &At<'_>) -> Result<(Pattern, bool), HuggingFaceError> {
    let mut steps = PreTokenizer {
        patterns: Vec::new(),
        byte_level: false,
    };
    steps.add(at)?;
    let pattern = match <[Pattern; 1]>::try_from(steps.patterns) {
        Ok([pattern]) => pattern,
        Err(patterns) => Pattern::sequence(patterns),
    };
    Ok((pattern, !steps.byte_level))
}

impl PreTokenizer {
    fn add(&mut self, at: &At<'_>) -> Result<(), HuggingFaceError> {
        let Some(name) = at.component()? else {
            return Ok(());
        };
        let pattern = match name {
            "ByteLevel" if self.byte_level => return Err(at.refused("ByteLevel after ByteLevel")),
            "ByteLevel" => {
                check_byte_level(at)?;
                refuse_prefix_space(at)?;
                if at.field("use_regex").flag_or(true)? {
                    // The built-in regex is GPT-2's original. The named pattern is spelled differently but splits
                    // every text in the same way.
                    self.patterns.push(Pattern::named(PatternName::Gpt2));
                }
                self.byte_level = true;
                return Ok(());
            }
            "Sequence" => {
                for step in at.sequence("pretokenizers")? {
                    self.add(&step)?;
                }
                return Ok(());
            }
            "Split" => read_split(at)?,
            name => match read_char_class(name, at)? {
                Some(pattern) => pattern,
                None => return Err(at.refused(name)),
            },
        };
        self.patterns.push(match self.byte_level {
            true => pattern.on_spelling(),
            false => pattern,
        });
        Ok(())
    }
}

/// Reads a component that splits at the characters of a class; `None` if it is another component.
fn read_char_class(name: &str, at: &At<'_>) -> Result<Option<Pattern>, HuggingFaceError> {
    let pattern = match name {
        "Digits" => {
            at.only("type individual_digits")?;
            let gaps = match at.field("individual_digits").flag()? {
                true => Gaps::Keep,
                false => Gaps::Contiguous,
            };
            split_at(DIGIT, gaps)?
        }
        "Punctuation" => {
            at.only("type behavior")?;
            let gaps = match at.get("behavior") {
                Some(behavior) => read_behavior(&behavior, false)?,
                None => Gaps::Keep,
            };
            split_at(&punctuation(), gaps)?
        }
        "WhitespaceSplit" => {
            at.only("type")?;
            split_at(r"\s", Gaps::Only)?
        }
        "Whitespace" => {
            at.only("type")?;
            words()?
        }
        "CharDelimiterSplit" => {
            at.only("type delimiter")?;
            let delimiter = at.field("delimiter");
            let mut chars = delimiter.text()?.chars();
            let (Some(c), None) = (chars.next(), chars.next()) else {
                return Err(delimiter.expected("one character"));
            };
            split_at(&escaped(c, true), Gaps::Only)?
        }
        _ => return Ok(None),
    };
    Ok(Some(pattern))
}

/// Checks the fields of a `ByteLevel` component: pre-tokenizer, post-processor or decoder.
pub(super) fn check_byte_level(at: &At<'_>) -> Result<(), HuggingFaceError> {
    at.only("type add_prefix_space trim_offsets use_regex")?;
    at.field("add_prefix_space").flag()?;
    at.field("trim_offsets").flag()?;
    at.field("use_regex").flag_or(true)?;
    Ok(())
}

/// Fails if `add_prefix_space` is set.
pub(super) fn refuse_prefix_space(at: &At<'_>) -> Result<(), HuggingFaceError> {
    let space = at.field("add_prefix_space");
    match space.flag_or(false)? {
        true => Err(space.unsupported("expected false")),
        false => Ok(()),
    }
}

/// Reads the behaviour of a `Split`. With `invert`, it treats matches as gaps and gaps as matches.
fn read_behavior(at: &At<'_>, invert: bool) -> Result<Gaps, HuggingFaceError> {
    Ok(match (at.text()?, invert) {
        // Gaps are never adjacent, so `invert` changes nothing.
        ("Isolated", _) => Gaps::Keep,
        ("Contiguous", _) => Gaps::Contiguous,
        ("Removed", true) => Gaps::Drop,
        ("Removed", false) => Gaps::Only,
        ("MergedWithPrevious", false) | ("MergedWithNext", true) => Gaps::WithNext,
        ("MergedWithNext", false) | ("MergedWithPrevious", true) => Gaps::WithPrevious,
        _ => return Err(at.expected("a behavior of Split")),
    })
}

fn read_split(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    at.only("type pattern behavior invert")?;
    let gaps = read_behavior(&at.field("behavior"), at.field("invert").flag()?)?;
    let pattern = at.field("pattern");
    let [(kind, _)] = pattern.entries()? else {
        return Err(pattern.expected("an object with Regex or String"));
    };
    let text = pattern.field(kind);
    let text = text.text()?;
    let source = match kind.as_str() {
        "Regex" => text.to_owned(),
        "String" => literal(text),
        other => return Err(pattern.refused(other)),
    };
    // The regex that `write` emits for a named pattern reads back as that pattern.
    let is_named =
        |name: &PatternName| to_oniguruma(name.regex()).is_ok_and(|written| written == source);
    if let (Gaps::Keep, Some(name)) = (gaps, PatternName::ALL.into_iter().find(is_named)) {
        return Ok(Pattern::named(name));
    }
    let own = from_oniguruma(&source).map_err(|error| HuggingFaceError::Regex {
        source_text: source.clone(),
        error,
    })?;
    Ok(Pattern::regex(&own, gaps)?)
}

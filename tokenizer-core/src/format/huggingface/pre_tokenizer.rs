//! Converts the component `pre_tokenizer` to a [`Pattern`].

use super::error::HuggingFaceError;
use super::json::At;
use super::regex_dialect::{from_oniguruma, literal, to_oniguruma};
use crate::pattern::{Gaps, Pattern, PatternName};

/// The steps of a pre-tokenizer that were read so far.
struct PreTokenizer {
    patterns: Vec<Pattern>,
    /// Whether the `ByteLevel` step was read. No step may follow it.
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
        if self.byte_level {
            return Err(at.refused(&format!("{name} after ByteLevel")));
        }
        match name {
            "ByteLevel" => {
                check_byte_level(at)?;
                refuse_prefix_space(at)?;
                if at.field("use_regex").flag_or(true)? {
                    // The built-in regex is GPT-2's original. The named pattern is spelled differently but splits
                    // every text in the same way.
                    self.patterns.push(Pattern::named(PatternName::Gpt2));
                }
                self.byte_level = true;
            }
            "Split" => self.patterns.push(read_split(at)?),
            "Sequence" => {
                for step in at.sequence("pretokenizers")? {
                    self.add(&step)?;
                }
            }
            other => return Err(at.refused(other)),
        }
        Ok(())
    }
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

fn read_split(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    at.only("type pattern behavior invert")?;
    let (behavior, invert) = (at.field("behavior"), at.field("invert").flag()?);
    let gaps = match (behavior.text()?, invert) {
        // Matches and gaps are both kept, so `invert` changes nothing.
        ("Isolated", _) => Gaps::Keep,
        ("Removed", true) => Gaps::Drop,
        _ => {
            let expected = "expected \"Isolated\", or \"Removed\" with \"invert\": true";
            return Err(behavior.unsupported(expected));
        }
    };
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

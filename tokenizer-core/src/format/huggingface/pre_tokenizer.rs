//! How a `tokenizer.json` splits: the component `pre_tokenizer` as a pattern.

use super::error::HuggingFaceError;
use super::json::At;
use super::regex_dialect::{from_oniguruma, literal, to_oniguruma};
use crate::pattern::{Gaps, Pattern, PatternName};

/// The pattern, and whether the text was spelled in bytes, behind which nothing else may come.
struct PreTokenizer {
    patterns: Vec<Pattern>,
    byte_level: bool,
}

/// The pattern of a `pre_tokenizer`.
pub(super) fn read_pre_tokenizer(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    let mut steps = PreTokenizer {
        patterns: Vec::new(),
        byte_level: false,
    };
    steps.add(at)?;
    if !steps.byte_level {
        return Err(at.unsupported("only what ends in ByteLevel is"));
    }
    match <[Pattern; 1]>::try_from(steps.patterns) {
        Ok([pattern]) => Ok(pattern),
        Err(patterns) => Ok(Pattern::sequence(patterns)),
    }
}

impl PreTokenizer {
    fn add(&mut self, at: &At<'_>) -> Result<(), HuggingFaceError> {
        let Some(name) = at.component()? else {
            return Ok(());
        };
        if self.byte_level {
            return Err(at.refused(&format!("{name} behind ByteLevel")));
        }
        match name {
            "ByteLevel" => {
                check_byte_level(at)?;
                refuse_prefix_space(at)?;
                if at.field("use_regex").flag_or(true)? {
                    // Theirs is GPT-2's own spelling, which matches the same.
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

/// Fails when a `ByteLevel`, wherever it stands, has a field that is not known.
pub(super) fn check_byte_level(at: &At<'_>) -> Result<(), HuggingFaceError> {
    at.only("type add_prefix_space trim_offsets use_regex")?;
    at.field("add_prefix_space").flag()?;
    at.field("trim_offsets").flag()?;
    at.field("use_regex").flag_or(true)?;
    Ok(())
}

/// Fails when a space is put in front of a text.
pub(super) fn refuse_prefix_space(at: &At<'_>) -> Result<(), HuggingFaceError> {
    let space = at.field("add_prefix_space");
    match space.flag_or(false)? {
        true => Err(space.unsupported("only texts as they are, without a space in front")),
        false => Ok(()),
    }
}

fn read_split(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    at.only("type pattern behavior invert")?;
    let (behavior, invert) = (at.field("behavior"), at.field("invert").flag()?);
    let gaps = match (behavior.text()?, invert) {
        // With two kinds of piece that both stay, it matters not which of them is called the match.
        ("Isolated", _) => Gaps::Keep,
        ("Removed", true) => Gaps::Drop,
        ("Removed", false) => return Err(behavior.unsupported("only with invert is it")),
        _ => return Err(behavior.unsupported("\"Isolated\" is, and \"Removed\" with invert")),
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
    // A named pattern as it is written: it comes back by its name.
    let is_named = |name: &PatternName| to_oniguruma(name.regex()).is_ok_and(|told| told == source);
    if let (Gaps::Keep, Some(name)) = (gaps, PatternName::ALL.into_iter().find(is_named)) {
        return Ok(Pattern::named(name));
    }
    let own = from_oniguruma(&source).map_err(|error| HuggingFaceError::Regex {
        source_text: source.clone(),
        error,
    })?;
    Ok(Pattern::regex(&own, gaps)?)
}

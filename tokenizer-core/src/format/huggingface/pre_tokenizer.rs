//! Converts the component `pre_tokenizer` to a [`Pattern`].

use super::error::HuggingFaceError;
use super::json::At;
use super::regex_dialect::{from_oniguruma, literal, to_oniguruma};
use crate::pattern::{Gaps, Pattern, PatternName};
use crate::rewrite::{MAX_STEPS, Metaspace, PrependScheme, RewriteStep, never_fails};

/// The steps of a pre-tokenizer that were read so far.
struct PreTokenizer {
    /// The steps up to the last one that changes text.
    rewrites: Vec<RewriteStep>,
    /// The splits after it.
    patterns: Vec<Pattern>,
    /// Whether the `ByteLevel` step was read. No step may follow it.
    byte_level: bool,
}

/// Reads a `pre_tokenizer`: the steps up to the last one that changes text, and the splits after it.
pub(super) fn read_pre_tokenizer(
    at: &At<'_>,
) -> Result<(Vec<RewriteStep>, Pattern), HuggingFaceError> {
    let mut steps = PreTokenizer {
        rewrites: Vec::new(),
        patterns: Vec::new(),
        byte_level: false,
    };
    steps.add(at)?;
    if !steps.byte_level {
        return Err(at.unsupported("expected ByteLevel, or a Sequence that ends in it"));
    }
    Ok((steps.rewrites, Pattern::sequence(steps.patterns)))
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
                if at.field("add_prefix_space").flag()? {
                    self.rewrite(at, RewriteStep::PrefixSpace)?;
                }
                if at.field("use_regex").flag_or(true)? {
                    // The built-in regex is GPT-2's original. The named pattern is spelled differently but splits
                    // every text in the same way.
                    self.patterns.push(Pattern::named(PatternName::Gpt2));
                }
                self.byte_level = true;
            }
            "Metaspace" => {
                let (metaspace, splits) = read_metaspace(at)?;
                let replacement = regex_syntax::escape(&metaspace.replacement().to_string());
                self.rewrite(at, RewriteStep::Metaspace(metaspace))?;
                if splits {
                    // The replacement starts a piece.
                    let regex = format!("{replacement}[^{replacement}]*|[^{replacement}]+");
                    self.patterns.push(Pattern::regex(&regex, Gaps::Keep)?);
                }
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

    /// Adds a step that changes text. The splits before it are then applied with it.
    fn rewrite(&mut self, at: &At<'_>, step: RewriteStep) -> Result<(), HuggingFaceError> {
        for pattern in self.patterns.drain(..) {
            if !never_fails(&pattern) {
                return Err(at.refused("a change of text after a Split whose regex may fail"));
            }
            self.rewrites.push(RewriteStep::Split(pattern));
        }
        self.rewrites.push(step);
        match self.rewrites.len() > MAX_STEPS {
            true => Err(at.refused("a change of text after more than 15 steps")),
            false => Ok(()),
        }
    }
}

/// Reads `Metaspace`, and whether it splits.
fn read_metaspace(at: &At<'_>) -> Result<(Metaspace, bool), HuggingFaceError> {
    at.only("type replacement add_prefix_space prepend_scheme split str_rep")?;
    let replacement = at.field("replacement");
    let mut chars = replacement.text()?.chars();
    let (Some(character), None) = (chars.next(), chars.next()) else {
        return Err(replacement.unsupported("expected one character"));
    };
    let scheme = at.field("prepend_scheme");
    let prepend = match at
        .get("prepend_scheme")
        .map(|scheme| scheme.text())
        .transpose()?
    {
        None | Some("always") => PrependScheme::Always,
        Some("first") => PrependScheme::First,
        Some("never") => PrependScheme::Never,
        Some(_) => return Err(scheme.unsupported("expected \"always\", \"first\" or \"never\"")),
    };
    // The older form of `prepend_scheme`.
    let prefix = at.field("add_prefix_space");
    if !prefix.flag_or(true)? && prepend != PrependScheme::Never {
        return Err(prefix.unsupported("expected true, unless prepend_scheme is \"never\""));
    }
    let splits = at.field("split").flag_or(true)?;
    Ok((Metaspace::new(character, prepend), splits))
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

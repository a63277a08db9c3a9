//! Converts the component `pre_tokenizer` to a [`Pattern`].

use super::char_class::{DIGIT, punctuation, split_at, words};
use super::error::HuggingFaceError;
use super::json::{At, Json, object};
use super::regex_dialect::{escaped, from_oniguruma, literal, to_oniguruma};
use crate::pattern::{Gaps, MAX_STAGES, Pattern, PatternName};
use crate::rewrite::{MAX_STEPS, Metaspace, PrependScheme, RewriteStep, never_fails};

/// The steps of a pre-tokenizer that were read so far.
struct Steps {
    /// The steps up to the last one that changes text.
    rewrites: Vec<RewriteStep>,
    /// The splits after it.
    patterns: Vec<Pattern>,
    /// Whether the `ByteLevel` step was read. The steps after it split the spelling of the bytes.
    byte_level: bool,
}

/// A pre-tokenizer.
pub(super) struct PreTokenizer {
    /// The steps up to the last one that changes text.
    pub(super) rewrites: Vec<RewriteStep>,
    /// The splits after them.
    pub(super) pattern: Pattern,
    /// Whether there is no `ByteLevel` step: then tokens are text, and the first symbols of a piece are its
    /// characters.
    pub(super) characters: bool,
}

/// Reads a `pre_tokenizer`.
pub(super) fn read_pre_tokenizer(at: &At<'_>) -> Result<PreTokenizer, HuggingFaceError> {
    let mut steps = Steps {
        rewrites: Vec::new(),
        patterns: Vec::new(),
        byte_level: false,
    };
    steps.add(at)?;
    Ok(PreTokenizer {
        rewrites: steps.rewrites,
        pattern: Pattern::sequence(steps.patterns),
        characters: !steps.byte_level,
    })
}

impl Steps {
    fn add(&mut self, at: &At<'_>) -> Result<(), HuggingFaceError> {
        let Some(name) = at.component()? else {
            return Ok(());
        };
        let pattern = match name {
            "ByteLevel" if self.byte_level => return Err(at.refused("ByteLevel after ByteLevel")),
            "ByteLevel" => {
                check_byte_level(at)?;
                if at.field("add_prefix_space").flag()? {
                    self.rewrite(at, RewriteStep::PrefixSpace)?;
                }
                if at.field("use_regex").flag_or(true)? {
                    // The built-in regex is GPT-2's original. The named pattern is spelled
                    // differently but splits every text in the same way.
                    self.patterns.push(Pattern::named(PatternName::Gpt2));
                }
                self.byte_level = true;
                return Ok(());
            }
            "Metaspace" if self.byte_level => {
                return Err(at.refused("Metaspace after ByteLevel"));
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
        if self.patterns.len() == MAX_STAGES {
            return Err(at.refused(&format!("{name} after {MAX_STAGES} splits")));
        }
        self.patterns.push(match self.byte_level {
            true => pattern.on_spelling(),
            false => pattern,
        });
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
pub(super) fn read_metaspace(at: &At<'_>) -> Result<(Metaspace, bool), HuggingFaceError> {
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

/// A `ByteLevel` component.
pub(super) fn byte_level_json(add_prefix_space: bool, trim_offsets: bool, use_regex: bool) -> Json {
    object([
        ("type", "ByteLevel".into()),
        ("add_prefix_space", add_prefix_space.into()),
        ("trim_offsets", trim_offsets.into()),
        ("use_regex", use_regex.into()),
    ])
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

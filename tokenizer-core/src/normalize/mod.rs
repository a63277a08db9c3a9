//! Normalizers: changes of a text before it is split, for models from a `tokenizer.json`.
//!
//! Ids must equal those of the `tokenizers` package, so this module uses the same crate and thereby the same
//! tables (Unicode 9). With newer tables, 98 characters would be composed differently.
//!
//! Every normalizer takes time linear in its input. Bytes that are not UTF-8 are kept, and no step acts across
//! them: each run of valid text between them is changed on its own, except that `Strip` and `Prepend` concern
//! the two ends of the whole text.

mod aligned;
mod nfc;
mod spaces;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use unicode_normalization_alignments::UnicodeNormalization;
use unicode_normalization_alignments::char::is_combining_mark;

use crate::pattern::{Gaps, Pattern, PatternError};
pub(crate) use aligned::{Alignment, Text};
use aligned::{by_char, last_char};
pub(crate) use nfc::last_settled_cut;
pub(crate) use spaces::SPACE_SYMBOL;
pub use spaces::Spaces;

/// Limit on the number of steps of a model's normalizer, since a regex costs milliseconds to compile.
pub(crate) const MAX_STEPS: usize = 64;

/// Limit on the product of the factors by which `Replace` steps may lengthen text.
const MAX_GROWTH: usize = 1 << 20;

/// A change of text before it is split: one step or several. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalizer {
    /// Normalization Form C, canonical composition. Qwen's tokenizers use it.
    Nfc,
    /// Normalization Form D, canonical decomposition.
    Nfd,
    /// Normalization Form KC, compatibility composition.
    Nfkc,
    /// Normalization Form KD, compatibility decomposition.
    Nfkd,
    /// Converts each character to lower case, whatever surrounds it.
    Lowercase,
    /// Removes combining marks.
    StripAccents,
    /// Removes white space at the ends of the text.
    Strip {
        /// Whether to strip the start.
        left: bool,
        /// Whether to strip the end.
        right: bool,
    },
    /// Prepends a string to every text that is not empty.
    Prepend(Arc<str>),
    /// Replaces matches.
    Replace(Replace),
    /// Replaces spaces as SentencePiece does.
    Spaces(Spaces),
    /// Several steps, one after another.
    Sequence(Arc<[Normalizer]>),
}

/// A normalizer that replaces all matches of a string or a regex, leftmost first and without overlap.
#[derive(Clone, PartialEq, Eq)]
pub struct Replace {
    matches: Matches,
    content: Arc<str>,
}

#[derive(Clone, PartialEq, Eq)]
enum Matches {
    Text(Arc<str>),
    /// With [`Gaps::Drop`], so that the pieces are the matches.
    Regex(Pattern),
}

/// An invalid or unsupported [`Replace`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The regex does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The string to replace is empty, or the regex may match the empty string.
    #[error("matches the empty string")]
    Empty,
    /// The regex has look-around or another construct with which a search may fail.
    #[error("has look-around or another construct that may fail on a text")]
    Engine,
}

impl Replace {
    /// Replaces `text` by `content`.
    ///
    /// # Errors
    /// If `text` is empty.
    pub fn text(text: &str, content: &str) -> Result<Self, ReplaceError> {
        match text.is_empty() {
            true => Err(ReplaceError::Empty),
            false => Ok(Replace {
                matches: Matches::Text(text.into()),
                content: content.into(),
            }),
        }
    }

    /// Replaces the matches of `regex`, in the syntax of [`Pattern::regex`], by `content`.
    ///
    /// # Errors
    /// If the regex is invalid, may match the empty string, or is not in the syntax of the `regex` crate, with
    /// which a search never fails.
    pub fn regex(regex: &str, content: &str) -> Result<Self, ReplaceError> {
        let pattern = Pattern::regex(regex, Gaps::Drop)?;
        match regex_syntax::parse(regex).map(|hir| hir.properties().minimum_len()) {
            Err(_) => return Err(ReplaceError::Engine),
            Ok(None | Some(0)) => return Err(ReplaceError::Empty),
            Ok(Some(_)) => {}
        }
        Ok(Replace {
            matches: Matches::Regex(pattern),
            content: content.into(),
        })
    }

    /// Returns the string to replace, unless it is a regex.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.matches {
            Matches::Text(text) => Some(text),
            Matches::Regex(_) => None,
        }
    }

    /// Returns the regex to replace, unless it is a string.
    #[must_use]
    pub fn as_regex(&self) -> Option<&str> {
        match &self.matches {
            Matches::Text(_) => None,
            Matches::Regex(pattern) => Some(pattern.source()),
        }
    }

    /// Returns the replacement.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Returns the largest factor by which it may lengthen a text, at least 1.
    pub(crate) fn growth(&self) -> usize {
        let shortest = self.as_text().map_or(1, str::len);
        self.content.len().div_ceil(shortest).max(1)
    }

    /// Replaces each match. The replacement has the original range of the last character that it replaces.
    pub(crate) fn apply<'t>(&self, text: Text<'t>) -> Text<'t> {
        let has_match = match &self.matches {
            Matches::Text(from) => memmem::find(&text.bytes, from.as_bytes()).is_some(),
            Matches::Regex(pattern) => pattern.split(&text.bytes).next().is_some(),
        };
        if !has_match {
            return text;
        }
        text.rewritten(|bytes, writer| {
            let mut done = 0;
            let mut replace = |found: Range<usize>| {
                writer.keep(done..found.start);
                writer.put(self.content.as_bytes(), last_char(bytes, found.clone()));
                done = found.end;
            };
            match &self.matches {
                Matches::Text(from) => memmem::find_iter(bytes, from.as_bytes())
                    .for_each(|at| replace(at..at + from.len())),
                // A regex in the syntax of the `regex` crate never fails.
                Matches::Regex(pattern) => pattern.split(bytes).flatten().for_each(replace),
            }
            writer.keep(done..bytes.len());
        })
    }
}

impl fmt::Debug for Replace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, matched) = match &self.matches {
            Matches::Text(text) => ("text", &**text),
            Matches::Regex(pattern) => ("regex", pattern.source()),
        };
        f.debug_struct("Replace")
            .field(kind, &matched)
            .field("content", &self.content)
            .finish()
    }
}

/// The name of each step, as in a `tokenizer.json`.
impl fmt::Display for Normalizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Normalizer::Nfc => "NFC",
            Normalizer::Nfd => "NFD",
            Normalizer::Nfkc => "NFKC",
            Normalizer::Nfkd => "NFKD",
            Normalizer::Lowercase => "Lowercase",
            Normalizer::StripAccents => "StripAccents",
            Normalizer::Strip { .. } => "Strip",
            Normalizer::Prepend(_) => "Prepend",
            Normalizer::Replace(_) => "Replace",
            Normalizer::Spaces(_) => "SentencePiece",
            Normalizer::Sequence(steps) => {
                let names: Vec<String> = steps.iter().map(ToString::to_string).collect();
                return f.write_str(&names.join(", "));
            }
        };
        f.write_str(name)
    }
}

impl Normalizer {
    /// Joins steps. Returns `None` if there are none. A nested sequence is replaced by its steps, and an NFC
    /// step right after another, which changes nothing, is left out.
    #[must_use]
    pub fn sequence(steps: impl IntoIterator<Item = Normalizer>) -> Option<Self> {
        let mut joined: Vec<Normalizer> = Vec::new();
        for step in steps {
            joined.extend_from_slice(step.steps());
        }
        joined.dedup_by(|next, step| (&*next, &*step) == (&Normalizer::Nfc, &Normalizer::Nfc));
        match joined.len() {
            0 | 1 => joined.pop(),
            _ => Some(Normalizer::Sequence(joined.into())),
        }
    }

    /// Refuses a normalizer that costs much more than a text and a file are long: of many steps, or one that
    /// may lengthen text without practical bound.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.steps().len() > MAX_STEPS {
            return Err("a normalizer of more than 64 steps");
        }
        let growth = self.steps().iter().map(|step| match step {
            Normalizer::Replace(replace) => replace.growth(),
            _ => 1,
        });
        match growth.fold(1, usize::saturating_mul) > MAX_GROWTH {
            true => Err("a normalizer that may lengthen text a million times"),
            false => Ok(()),
        }
    }

    /// Returns the steps in order; the normalizer itself if it is a single one.
    #[must_use]
    pub fn steps(&self) -> &[Normalizer] {
        match self {
            Normalizer::Sequence(steps) => steps,
            step => std::slice::from_ref(step),
        }
    }

    /// Returns the normalized text, borrowed if NFC or stripping leaves a part of the text as it is.
    ///
    /// Bytes that are not UTF-8 are kept. Linear in the length of the text and of the results of the steps.
    #[must_use]
    pub fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.apply_to(Text::new(text)).bytes
    }

    /// Returns the normalized content of an added token, to which [`Spaces`] add nothing.
    pub(crate) fn apply_to_token<'t>(&self, content: &'t [u8]) -> Cow<'t, [u8]> {
        match self {
            Normalizer::Spaces(_) => Spaces::default().apply(Text::new(content)).bytes,
            _ => self.apply(content),
        }
    }

    /// Like [`Normalizer::apply`]; also updates the alignment of the text, if it is recorded.
    pub(crate) fn apply_to<'t>(&self, text: Text<'t>) -> Text<'t> {
        match self {
            Normalizer::Nfc => nfc::apply(text),
            Normalizer::Nfd => by_char(text, |writer, valid, at| {
                writer.transform(valid, at, valid.nfd());
            }),
            Normalizer::Nfkc => by_char(text, |writer, valid, at| {
                writer.transform(valid, at, valid.nfkc());
            }),
            Normalizer::Nfkd => by_char(text, |writer, valid, at| {
                writer.transform(valid, at, valid.nfkd());
            }),
            Normalizer::Lowercase if !text.bytes.is_ascii() => {
                by_char(text, |writer, valid, at| {
                    let lower = valid.chars().flat_map(|c| {
                        let parts = c.to_lowercase().enumerate();
                        parts.map(|(index, c)| (c, isize::from(index > 0)))
                    });
                    writer.transform(valid, at, lower);
                })
            }
            Normalizer::Lowercase => text.map_in_place(<[u8]>::make_ascii_lowercase),
            Normalizer::StripAccents => by_char(text, |writer, valid, at| {
                for (start, c) in valid.char_indices() {
                    if !is_combining_mark(c) {
                        writer.keep(at + start..at + start + c.len_utf8());
                    }
                }
            }),
            Normalizer::Strip { left, right } => strip(text, *left, *right),
            Normalizer::Prepend(prefix) => text.prepended(prefix),
            Normalizer::Replace(replace) => replace.apply(text),
            Normalizer::Spaces(spaces) => spaces.apply(text),
            Normalizer::Sequence(steps) => {
                steps.iter().fold(text, |text, step| step.apply_to(text))
            }
        }
    }
}

/// Removes white space at the ends.
fn strip(text: Text<'_>, left: bool, right: bool) -> Text<'_> {
    let mut range = 0..text.bytes.len();
    if left {
        let first = text.bytes.utf8_chunks().next();
        let valid = first.map_or("", |chunk| chunk.valid());
        range.start = valid.len() - valid.trim_start().len();
    }
    if right {
        let rest = &text.bytes[range.clone()];
        let last = rest.utf8_chunks().last();
        let valid = last.map_or("", |chunk| match chunk.invalid() {
            [] => chunk.valid(),
            _ => "",
        });
        range.end -= valid.len() - valid.trim_end().len();
    }
    match range == (0..text.bytes.len()) {
        true => text,
        false => text.slice(range),
    }
}

#[cfg(test)]
mod tests;

//! Pre-tokenizer steps that change text, and the splits before them.
//!
//! The pieces of a pre-tokenizer are those of its [`Pattern`](crate::Pattern), a chain of splits.
//! If a step of the pre-tokenizer changes text, such as the space that RoBERTa puts before it, then
//! all steps up to the last such one are done here, on each segment of the text; the pattern splits
//! each of the resulting sections.

use std::ops::Range;

use crate::normalize::{Replace, Text};
use crate::pattern::Pattern;

/// Limit on the steps of a model, since a split costs milliseconds and megabytes to compile.
pub(crate) const MAX_STEPS: usize = 16;

/// A step of a pre-tokenizer, up to the last one that changes text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RewriteStep {
    /// Splits each section. The pattern never fails.
    Split(Pattern),
    /// `ByteLevel` with `add_prefix_space`: prepends a space to each section that does not start with one.
    PrefixSpace,
    /// `Metaspace` without its split.
    Metaspace(Metaspace),
}

/// Replaces spaces by a character, and prepends that character to sections that do not start with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metaspace {
    replace: Replace,
    prepend: PrependScheme,
}

/// The sections to which [`Metaspace`] prepends its character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrependScheme {
    /// All.
    Always,
    /// Those that start at byte 0 of the original text.
    First,
    /// None.
    Never,
}

impl Metaspace {
    /// Replaces spaces by `replacement`.
    #[must_use]
    pub fn new(replacement: char, prepend: PrependScheme) -> Self {
        let replace = Replace::text(" ", replacement.encode_utf8(&mut [0; 4]));
        Metaspace {
            replace: replace.expect("a space is not empty"),
            prepend,
        }
    }

    /// Returns the character that replaces spaces.
    #[must_use]
    pub fn replacement(&self) -> char {
        self.replace.content().chars().next().unwrap_or(' ')
    }

    /// Returns the sections to which the character is prepended.
    #[must_use]
    pub fn prepend_scheme(&self) -> PrependScheme {
        self.prepend
    }

    fn apply<'t>(&self, text: Text<'t>, is_first: bool) -> Text<'t> {
        let text = self.replace.apply(text);
        let prepends = match self.prepend {
            PrependScheme::Always => true,
            PrependScheme::First => is_first,
            PrependScheme::Never => false,
        };
        match prepends && !text.bytes.starts_with(self.replace.content().as_bytes()) {
            true => text.prepended(self.replace.content()),
            false => text,
        }
    }
}

/// Whether the result of the steps depends on which sections start at byte 0 of the original text. If so,
/// alignments must be recorded, unless the only step that asks is the first one and no normalizer precedes it.
pub(crate) fn needs_alignment(steps: &[RewriteStep], has_normalizer: bool) -> bool {
    let asks = |step: &RewriteStep| match step {
        RewriteStep::Metaspace(metaspace) => metaspace.prepend == PrependScheme::First,
        RewriteStep::Split(_) | RewriteStep::PrefixSpace => false,
    };
    steps.iter().skip(usize::from(!has_normalizer)).any(asks)
}

/// Applies `steps` to a segment, which must not be empty. Returns the sections, none of them empty.
/// `is_first` tells whether a section starts at byte 0 of the original text. Linear in the length
/// of the segment and of the results.
pub(crate) fn rewrite<'t>(
    steps: &[RewriteStep],
    text: Text<'t>,
    is_first: impl Fn(&Text<'t>) -> bool,
) -> Vec<Text<'t>> {
    let mut sections = vec![text];
    for step in steps {
        let change = |section: Text<'t>| match step {
            RewriteStep::PrefixSpace if section.bytes.starts_with(b" ") => section,
            RewriteStep::PrefixSpace => section.prepended(" "),
            RewriteStep::Metaspace(metaspace) => {
                let is_first = is_first(&section);
                metaspace.apply(section, is_first)
            }
            RewriteStep::Split(_) => section,
        };
        sections = match step {
            RewriteStep::Split(pattern) => sections
                .into_iter()
                .flat_map(|section| split(pattern, section))
                .collect(),
            _ => sections.into_iter().map(change).collect(),
        };
    }
    sections
}

/// Whether splitting by `pattern` never fails: without the regex engine, or in the syntax of the `regex` crate.
pub(crate) fn never_fails(pattern: &Pattern) -> bool {
    let is_plain = |(source, _): (&str, _)| regex_syntax::parse(source).is_ok();
    !pattern.uses_regex_engine() || pattern.stages().all(is_plain)
}

fn split<'t>(pattern: &Pattern, section: Text<'t>) -> Vec<Text<'t>> {
    // See [`never_fails`].
    let spans: Vec<Range<usize>> = pattern.split(&section.bytes).flatten().collect();
    match spans.as_slice() {
        [only] if *only == (0..section.bytes.len()) => vec![section],
        _ => spans.into_iter().map(|span| section.slice(span)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Gaps;

    /// The sections of a text and their original ranges.
    fn sections(steps: &[RewriteStep], text: &str) -> Vec<(String, Range<usize>)> {
        let is_first = |section: &Text<'_>| section.alignment.original(0..1).start == 0;
        let sections = rewrite(steps, Text::aligned(text.as_bytes()), is_first);
        let shown = sections.into_iter().map(|section| {
            let range = section.alignment.original(0..section.bytes.len());
            (
                String::from_utf8(section.bytes.into_owned()).unwrap(),
                range,
            )
        });
        shown.collect()
    }

    fn words() -> RewriteStep {
        RewriteStep::Split(Pattern::regex(" ?[a-z]+", Gaps::Keep).unwrap())
    }

    #[test]
    fn a_space_is_put_before_each_section_without_one() {
        let found = sections(&[RewriteStep::PrefixSpace], "ab c");
        assert_eq!(found, [(" ab c".to_owned(), 0..4)]);
        let found = sections(&[words(), RewriteStep::PrefixSpace], "ab cé");
        let want = [(" ab", 0..2), (" c", 2..4), (" é", 4..6)];
        assert_eq!(found, want.map(|(text, range)| (text.to_owned(), range)));
    }

    #[test]
    fn metaspace_replaces_spaces_and_prepends() {
        let step = |prepend| RewriteStep::Metaspace(Metaspace::new('▁', prepend));
        for (prepend, want) in [
            (PrependScheme::Always, ["▁ab", "▁c", "▁d"]),
            (PrependScheme::First, ["▁ab", "▁c", "d"]),
            (PrependScheme::Never, ["ab", "▁c", "d"]),
        ] {
            let split = Pattern::regex(" ?[abc]+", Gaps::Keep).unwrap();
            let found = sections(&[RewriteStep::Split(split), step(prepend)], "ab cd");
            let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(texts, want, "{prepend:?}");
        }
    }

    #[test]
    fn alignments_are_needed_where_a_later_step_asks_for_the_start() {
        let first = RewriteStep::Metaspace(Metaspace::new('▁', PrependScheme::First));
        let always = RewriteStep::Metaspace(Metaspace::new('▁', PrependScheme::Always));
        assert!(!needs_alignment(&[first.clone(), words()], false));
        assert!(needs_alignment(std::slice::from_ref(&first), true));
        assert!(needs_alignment(&[words(), first], false));
        assert!(!needs_alignment(&[words(), always], true));
    }
}

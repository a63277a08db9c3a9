//! Splitting by the backtracking regex engine `fancy-regex`, which defines the pieces of every pattern. Tests
//! compare the other engines with it.

use std::sync::OnceLock;

use fancy_regex::{Error, Regex, RegexBuilder, RegexInput, RuntimeError};

use super::error::{PatternError, SplitError};
use super::lossy::LossyText;
use super::spans::Spans;
use super::spelling::Spelling;

/// How the matches of a regex divide a text into pieces. A gap is a stretch of text that no match covers.
///
/// These six rules are all that `tokenizers` can express with the five behaviours of a `Split` and `invert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gaps {
    /// Each match is a piece, and so is each gap (`Isolated`). Nothing is lost.
    #[default]
    Keep,
    /// Each match is a piece, and gaps are dropped, as in tiktoken and rustbpe (inverted `Removed`).
    Drop,
    /// Each gap is a piece, and matches are dropped (`Removed`).
    Only,
    /// Each gap and the match after it form one piece (`MergedWithPrevious`, inverted `MergedWithNext`).
    WithNext,
    /// Each match and the gap after it form one piece (`MergedWithNext`, inverted `MergedWithPrevious`).
    WithPrevious,
    /// Each gap is a piece, and adjacent matches form one piece (`Contiguous`).
    Contiguous,
}

impl Gaps {
    /// All rules, in the order of their numbers in a `.bpe` file.
    pub const ALL: [Gaps; 6] = [
        Gaps::Keep,
        Gaps::Drop,
        Gaps::Only,
        Gaps::WithNext,
        Gaps::WithPrevious,
        Gaps::Contiguous,
    ];

    /// Returns the name of the rule: `keep`, `drop`, `only`, `with-next`, `with-previous` or `contiguous`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Gaps::Keep => "keep",
            Gaps::Drop => "drop",
            Gaps::Only => "only",
            Gaps::WithNext => "with-next",
            Gaps::WithPrevious => "with-previous",
            Gaps::Contiguous => "contiguous",
        }
    }

    /// Returns whether each piece is a match or a gap: what the engines other than the backtracking one do.
    pub(super) fn are_simple(self) -> bool {
        matches!(self, Gaps::Keep | Gaps::Drop)
    }
}

/// Limit on backtracking at one position, after a search has exceeded the engine's own limit. It
/// bounds the time per character.
const MAX_STEPS: usize = 2000;

/// A compiled stage of a pattern.
#[derive(Clone)]
pub(super) struct RegexStage {
    /// `None`: the whole text is one piece.
    regex: Option<Regex>,
    /// The same regex with a lower limit on backtracking, compiled when it is first used.
    at_one_position: OnceLock<Option<Regex>>,
    gaps: Gaps,
}

impl RegexStage {
    pub(super) fn new(source: &str, gaps: Gaps) -> Result<Self, PatternError> {
        let regex = Regex::new(source).map_err(|error| PatternError::Regex {
            source_text: source.to_owned(),
            message: error.to_string(),
        })?;
        Ok(RegexStage {
            regex: Some(regex),
            at_one_position: OnceLock::new(),
            gaps,
        })
    }

    /// Returns the stage that does not split.
    pub(super) fn whole() -> Self {
        RegexStage {
            regex: None,
            at_one_position: OnceLock::new(),
            gaps: Gaps::Keep,
        }
    }

    /// Returns the first match in `text` at or after `at`. It may be empty.
    fn find(&self, text: &str, at: usize) -> Result<Option<(usize, usize)>, SplitError> {
        let Some(regex) = &self.regex else {
            return Ok(Some((at, text.len())));
        };
        match regex.find_from_pos(text, at) {
            Ok(found) => Ok(found.map(|found| (found.start(), found.end()))),
            Err(Error::RuntimeError(RuntimeError::BacktrackLimitExceeded)) => {
                self.find_by_position(text, at)
            }
            Err(error) => Err(SplitError {
                offset: at,
                message: error.to_string(),
            }),
        }
    }

    /// Like [`find`](Self::find), but searches at each position separately. The engine counts the
    /// backtracking of a whole search, which is one step per character before a match, so it fails
    /// on long texts without a match.
    fn find_by_position(
        &self,
        text: &str,
        at: usize,
    ) -> Result<Option<(usize, usize)>, SplitError> {
        let regex = self.at_one_position.get_or_init(|| {
            let source = self.regex.as_ref()?.as_str();
            let builder = &mut RegexBuilder::new(source);
            builder.backtrack_limit(MAX_STEPS).build().ok()
        });
        let Some(regex) = regex else {
            return Ok(None);
        };
        for (offset, _) in text[at..].char_indices() {
            let input = RegexInput::new(text).from_pos(at + offset).anchored(true);
            match regex.find_input(input) {
                Ok(None) => {}
                Ok(Some(found)) => return Ok(Some((found.start(), found.end()))),
                Err(error) => {
                    return Err(SplitError {
                        offset: at,
                        message: error.to_string(),
                    });
                }
            }
        }
        Ok(None)
    }

    /// Returns the first match in `text` at or after `at` that is not empty.
    fn next_match(&self, text: &str, mut at: usize) -> Result<Option<(usize, usize)>, SplitError> {
        while at < text.len() {
            match self.find(text, at)? {
                None => return Ok(None),
                Some((start, end)) if start < end => return Ok(Some((start, end))),
                Some((_, end)) => {
                    at = end + text[end..].chars().next().map_or(1, char::len_utf8);
                }
            }
        }
        Ok(None)
    }
}

/// The state of one stage, which splits one span of the text.
struct Level {
    /// The span, as offsets in the decoded text.
    start: usize,
    end: usize,
    /// End of the previous piece, relative to `start`.
    at: usize,
    /// The first match at or after `at`, relative to `start`, if the search is already done.
    found: Option<(usize, usize)>,
}

impl Level {
    fn new(start: usize, end: usize) -> Self {
        Level {
            start,
            end,
            at: 0,
            found: None,
        }
    }

    /// Returns the first match at or after `at`, relative to `start`; without one, an empty match at the end.
    fn upcoming(&mut self, stage: &RegexStage, text: &str) -> Result<(usize, usize), SplitError> {
        if let Some(found) = self.found {
            return Ok(found);
        }
        let found = stage
            .next_match(text, self.at)
            .map_err(|error| SplitError {
                offset: self.start + error.offset,
                ..error
            })?;
        Ok(*self.found.insert(found.unwrap_or((text.len(), text.len()))))
    }

    /// Ends the piece at `at`, behind the match found last.
    fn pass(&mut self, at: usize) {
        self.at = at;
        self.found = None;
    }

    /// Returns the next piece of this stage, as a span of the decoded text.
    fn next(
        &mut self,
        stage: &RegexStage,
        text: &str,
    ) -> Result<Option<(usize, usize)>, SplitError> {
        let text = &text[self.start..self.end];
        while self.at < text.len() {
            let (gap, (start, end)) = (self.at, self.upcoming(stage, text)?);
            let piece = match stage.gaps {
                Gaps::WithNext => {
                    self.pass(end);
                    (gap, end)
                }
                Gaps::Drop => {
                    self.pass(end);
                    (start, end)
                }
                // The match that was found is the next one.
                _ if gap < start => {
                    self.at = start;
                    (gap, start)
                }
                Gaps::Keep => {
                    self.pass(end);
                    (start, end)
                }
                Gaps::Only => {
                    self.pass(end);
                    continue;
                }
                Gaps::WithPrevious => {
                    self.pass(end);
                    (self.at, _) = self.upcoming(stage, text)?;
                    (start, self.at)
                }
                Gaps::Contiguous => {
                    self.pass(end);
                    while let (next, end) = self.upcoming(stage, text)?
                        && next == self.at
                        && next < end
                    {
                        self.pass(end);
                    }
                    (start, self.at)
                }
            };
            if piece.0 < piece.1 {
                return Ok(Some((self.start + piece.0, self.start + piece.1)));
            }
        }
        Ok(None)
    }
}

/// Splits a text by all stages of a pattern.
pub(super) struct RegexSplitter<'a> {
    stages: &'a [RegexStage],
    text: LossyText<'a>,
    /// The text of the stages from `spelled_from` on, which act on the spelling of the bytes.
    spelling: Option<Spelling>,
    /// The number of stages if no stage acts on the spelling.
    spelled_from: usize,
    /// A stack: level `n` splits a piece of level `n - 1`. Empty at the end of the text.
    levels: Vec<Level>,
    /// End of the last piece returned, or start of `held`, as an offset in the original bytes.
    end: usize,
    /// The first piece after a dropped gap, kept for the next run.
    held: Option<(usize, usize)>,
    /// An error to return on the next call: the pieces before it are returned first.
    failed: Option<SplitError>,
}

impl<'a> RegexSplitter<'a> {
    /// The stages from `spelled_from` on act on the spelling.
    pub(super) fn new(
        stages: &'a [RegexStage],
        spelled_from: Option<usize>,
        bytes: &'a [u8],
    ) -> Self {
        let text = LossyText::new(bytes);
        let spelling = spelled_from.map(|_| Spelling::new(bytes));
        let first = match &spelling {
            Some(spelling) if spelled_from == Some(0) => spelling.as_str(),
            _ => text.as_str(),
        };
        let levels = vec![Level::new(0, first.len())];
        RegexSplitter {
            stages,
            text,
            spelling,
            spelled_from: spelled_from.unwrap_or(stages.len()),
            levels,
            end: 0,
            held: None,
            failed: None,
        }
    }

    /// Maps an offset of the text that a stage reads to an offset in the original bytes.
    fn original_offset(&mut self, stage: usize, offset: usize) -> usize {
        match &mut self.spelling {
            Some(spelling) if stage >= self.spelled_from => spelling.original_offset(offset),
            _ => self.text.original_offset(offset),
        }
    }

    /// Returns the next piece, as offsets in the original bytes.
    fn next(&mut self) -> Result<Option<(usize, usize)>, SplitError> {
        while let Some(stage) = self.levels.len().checked_sub(1) {
            let text = match &self.spelling {
                Some(spelling) if stage >= self.spelled_from => spelling.as_str(),
                _ => self.text.as_str(),
            };
            match self.levels[stage].next(&self.stages[stage], text) {
                Ok(Some((start, end))) => {
                    let is_last = stage + 1 == self.stages.len();
                    if !is_last && stage + 1 != self.spelled_from {
                        self.levels.push(Level::new(start, end));
                        continue;
                    }
                    let start = self.original_offset(stage, start);
                    let end = self.original_offset(stage, end);
                    match &mut self.spelling {
                        Some(spelling) if !is_last => {
                            let start = spelling.offset_of(start);
                            self.levels.push(Level::new(start, spelling.offset_of(end)));
                        }
                        _ => return Ok(Some((start, end))),
                    }
                }
                Ok(None) => {
                    self.levels.pop();
                }
                Err(error) => {
                    self.levels.clear();
                    return Err(SplitError {
                        offset: self.original_offset(stage, error.offset),
                        ..error
                    });
                }
            }
        }
        Ok(None)
    }

    /// Replaces the contents of `spans` with the next run of adjacent pieces, or with none at the end of the
    /// text.
    pub(super) fn fill(&mut self, spans: &mut Spans) -> Result<(), SplitError> {
        spans.clear(self.end);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while spans.len() < Spans::CAPACITY {
            let piece = match self.held.take() {
                Some(piece) => Ok(Some(piece)),
                None => self.next(),
            };
            match piece {
                Ok(None) => break,
                Ok(Some((start, end))) => {
                    if start != self.end {
                        self.end = start;
                        if !spans.is_empty() {
                            self.held = Some((start, end));
                            break;
                        }
                        spans.clear(start);
                    }
                    self.end = end;
                    spans.push(end);
                }
                Err(error) if spans.is_empty() => return Err(error),
                // Return the pieces before the error first.
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pattern;
    use proptest::prelude::*;

    fn pieces(pattern: &Pattern, text: &str) -> Vec<String> {
        let pieces = pattern.split(text.as_bytes()).map(Result::unwrap);
        pieces
            .map(|piece| String::from_utf8_lossy(&text.as_bytes()[piece]).into_owned())
            .collect()
    }

    /// The pieces that `tokenizers` 0.23 gives for `Split("-")` on this text, whose matches are adjacent and at
    /// both ends.
    #[test]
    fn gap_rules_are_the_behaviours_of_tokenizers() {
        for (gaps, want) in [
            (Gaps::Keep, "- - a - b - - c -"),
            (Gaps::Drop, "- - - - - -"),
            (Gaps::Only, "a b c"),
            (Gaps::WithNext, "- - a- b- - c-"),
            (Gaps::WithPrevious, "- -a -b - -c -"),
            (Gaps::Contiguous, "-- a - b -- c -"),
        ] {
            let pattern = Pattern::regex("-", gaps).unwrap();
            assert_eq!(pieces(&pattern, "--a-b--c-").join(" "), want, "{gaps:?}");
            assert!(pieces(&pattern, "").is_empty());
        }
        let rest = |gaps| pieces(&Pattern::regex("-", gaps).unwrap(), "-a").join(" ");
        let all = Gaps::ALL.map(rest);
        assert_eq!(all, ["- a", "-", "a", "- a", "-a", "- a"]);
        let none = |gaps| pieces(&Pattern::regex("-", gaps).unwrap(), "ab").join(" ");
        assert_eq!(Gaps::ALL.map(none), ["ab", "", "ab", "ab", "ab", "ab"]);
    }

    #[test]
    fn a_long_text_without_a_match_does_not_fail() {
        let pattern = Pattern::regex(r"(?:\r?\n)+(?!\r?\n)", Gaps::WithPrevious).unwrap();
        assert!(pattern.uses_regex_engine());
        let line = "a".repeat(1_500_000);
        let text = format!("{line}\r\n\n{line}");
        let mut pieces = pattern.split(text.as_bytes());
        assert_eq!(pieces.next(), Some(Ok(0..line.len())));
        assert_eq!(pieces.next(), Some(Ok(line.len()..text.len())));
        assert_eq!(pieces.next(), None);
    }

    #[test]
    fn stages_on_the_spelling_cut_inside_characters() {
        // Falcon's chain: `Digits` sees the second byte of U+00BD as a number.
        let digits = Pattern::regex(r"\p{N}+", Gaps::Contiguous).unwrap();
        let threes = Pattern::regex("[0-9][0-9][0-9]", Gaps::Keep).unwrap();
        let chain = |first: Pattern| {
            Pattern::sequence([first, digits.clone().on_spelling(), threes.clone()])
        };
        let text = "a 1234½é";
        let ends = |pattern: &Pattern| {
            let pieces = pattern.split(text.as_bytes());
            pieces.map(|piece| piece.unwrap().end).collect::<Vec<_>>()
        };
        let words = Pattern::regex(" ?[^ ]+", Gaps::Keep).unwrap();
        assert_eq!(ends(&chain(words)), [1, 2, 5, 6, 7, 8, 10]);
        let all = chain(Pattern::sequence([]));
        assert_eq!(ends(&all), [2, 5, 6, 7, 8, 10]);
        assert_eq!(all.spelled_from(), Some(0));
        assert_ne!(all, Pattern::sequence([digits, threes]));
    }

    /// The five behaviours by their definition: all matches and gaps in a list, which is folded.
    fn by_definition(text: &str, gaps: Gaps) -> Vec<String> {
        let mut parts: Vec<(String, bool)> = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let is_match = rest.starts_with("ab") || c == '-';
            let length = if rest.starts_with("ab") {
                2
            } else {
                c.len_utf8()
            };
            match parts.last_mut() {
                Some((gap, false)) if !is_match => gap.push(c),
                _ => parts.push((rest[..length].to_owned(), is_match)),
            }
            rest = &rest[length..];
        }
        let mut pieces: Vec<String> = Vec::new();
        let mut previous = None;
        for (part, is_match) in parts {
            let joins = match gaps {
                Gaps::Drop if !is_match => continue,
                Gaps::Only if is_match => continue,
                Gaps::Keep | Gaps::Drop | Gaps::Only => false,
                Gaps::WithNext => is_match && previous == Some(false),
                Gaps::WithPrevious => !is_match && previous == Some(true),
                Gaps::Contiguous => previous == Some(is_match),
            };
            match pieces.last_mut() {
                Some(last) if joins => last.push_str(&part),
                _ => pieces.push(part),
            }
            previous = Some(is_match);
        }
        pieces
    }

    proptest! {
        #[test]
        fn gap_rules_follow_their_definition(text in "[abé-]{0,16}") {
            for gaps in Gaps::ALL {
                let pattern = Pattern::regex("ab|-", gaps).unwrap();
                prop_assert_eq!(pieces(&pattern, &text), by_definition(&text, gaps), "{:?}", gaps);
            }
        }

        #[test]
        fn spelled_pieces_are_those_of_the_spelling(
            bytes in prop::collection::vec(prop::sample::select(&b"a1 \xC2\xBD\xFF\n"[..]), 0..16),
        ) {
            let regex = r"\p{N}+|Ġ|Â";
            let spelled = Spelling::new(&bytes);
            let want: Vec<usize> = {
                let pattern = Pattern::regex(regex, Gaps::Keep).unwrap();
                let pieces = pattern.split(spelled.as_str().as_bytes());
                let count = |end| spelled.as_str()[..end].chars().count();
                pieces.map(|piece| count(piece.unwrap().end)).collect()
            };
            let pattern = Pattern::regex(regex, Gaps::Keep).unwrap().on_spelling();
            let got: Vec<usize> = pattern.split(&bytes).map(|piece| piece.unwrap().end).collect();
            prop_assert_eq!(got, want);
        }
    }
}

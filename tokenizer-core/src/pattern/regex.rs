//! Splitting by the backtracking regex engine `fancy-regex`, which defines the pieces of every pattern. Tests
//! compare the other engines with it.

use fancy_regex::Regex;

use super::error::{PatternError, SplitError};
use super::lossy::LossyText;
use super::spans::Spans;

/// How to treat text that no match of a regex covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gaps {
    /// Each stretch of text that no match covers is a piece. Nothing is lost.
    #[default]
    Keep,
    /// Text that no match covers is dropped, as in tiktoken and rustbpe.
    Drop,
}

/// A compiled stage of a pattern.
#[derive(Clone)]
pub(super) struct RegexStage {
    /// `None`: the whole text is one piece.
    regex: Option<Regex>,
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
            gaps,
        })
    }

    /// Returns the stage that does not split.
    pub(super) fn whole() -> Self {
        RegexStage {
            regex: None,
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
            Err(error) => Err(SplitError {
                offset: at,
                message: error.to_string(),
            }),
        }
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
    /// Start of the next search, relative to `start`.
    at: usize,
    /// The match after a kept gap that was just returned, relative to `start`. It is the next piece.
    pending: Option<(usize, usize)>,
}

impl Level {
    fn new(start: usize, end: usize) -> Self {
        Level {
            start,
            end,
            at: 0,
            pending: None,
        }
    }

    /// Returns the next piece of this stage, as a span of the decoded text.
    fn next(
        &mut self,
        stage: &RegexStage,
        text: &str,
    ) -> Result<Option<(usize, usize)>, SplitError> {
        let text = &text[self.start..self.end];
        let absolute = |(start, end)| (self.start + start, self.start + end);
        if let Some(found) = self.pending.take() {
            self.at = found.1;
            return Ok(Some(absolute(found)));
        }
        let found = stage
            .next_match(text, self.at)
            .map_err(|error| SplitError {
                offset: self.start + error.offset,
                ..error
            })?;
        let (start, end) = found.unwrap_or((text.len(), text.len()));
        if stage.gaps == Gaps::Keep && start > self.at {
            let gap = (self.at, start);
            self.at = start;
            self.pending = found;
            return Ok(Some(absolute(gap)));
        }
        self.at = end;
        Ok(found.map(absolute))
    }
}

/// Splits a text by all stages of a pattern.
pub(super) struct RegexSplitter<'a> {
    stages: &'a [RegexStage],
    text: LossyText<'a>,
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
    pub(super) fn new(stages: &'a [RegexStage], text: LossyText<'a>) -> Self {
        let levels = vec![Level::new(0, text.as_str().len())];
        RegexSplitter {
            stages,
            text,
            levels,
            end: 0,
            held: None,
            failed: None,
        }
    }

    /// Returns the next piece, as offsets in the original bytes.
    fn next(&mut self) -> Result<Option<(usize, usize)>, SplitError> {
        loop {
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            match level.next(&self.stages[depth - 1], self.text.as_str()) {
                Ok(Some((start, end))) if depth < self.stages.len() => {
                    self.levels.push(Level::new(start, end));
                }
                Ok(Some((start, end))) => {
                    let start = self.text.original_offset(start);
                    return Ok(Some((start, self.text.original_offset(end))));
                }
                Ok(None) => {
                    self.levels.pop();
                }
                Err(error) => {
                    self.levels.clear();
                    return Err(SplitError {
                        offset: self.text.original_offset(error.offset),
                        ..error
                    });
                }
            }
        }
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

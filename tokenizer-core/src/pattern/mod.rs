//! Splitting text into pieces.
//!
//! A [`Pattern`] is a named rule or a regex. Its law: **the pieces, joined, are the text** (unless
//! the pattern was told to drop what lies between its matches). A [`Splitter`] walks one text and
//! hands out pieces a few hundred at a time, as runs of ends: pieces that touch need one number
//! each.
//!
//! Text is bytes. Bytes that are not UTF-8 are kept: each maximal invalid sequence (what Python's
//! decoder would turn into one U+FFFD) counts as one character that is neither letter, number nor
//! white space, and its bytes stand in the piece as they are.

mod automaton;
mod cut;
mod error;
mod lossy;
mod named;
mod recognise;
mod regex;
mod scan;
mod spans;
mod utf8;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

pub use error::{PatternError, SplitError};
pub use named::PatternName;
pub use regex::Gaps;
#[allow(unreachable_pub, reason = "exported with the feature `internals`")]
pub use spans::Spans;

use self::automaton::{Automaton, Walker};
use self::lossy::LossyText;
use self::regex::{RegexSplitter, RegexStage};
use self::scan::{Family, Scanner};
use crate::simd::Tier;

/// How text is cut into pieces, none of which a merge ever crosses.
///
/// Cheap to clone: the compiled regex is shared.
///
/// ```
/// use tokenizer_core::Pattern;
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let text = "I'll pay 12345 yen";
/// let pieces: Vec<&str> = pattern.split(text.as_bytes()).map(|piece| &text[piece.unwrap()]).collect();
/// assert_eq!(pieces, ["I", "'ll", " pay", " ", "123", "45", " yen"]);
/// # Ok::<(), tokenizer_core::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    /// The regexes and their gap rules; each splits the pieces of the one before. None takes the
    /// whole text as one piece.
    stages: Vec<(String, Gaps)>,
    engine: Engine,
}

/// What splits.
enum Engine {
    Scanner(Family),
    Automaton(Box<Automaton>),
    Regex(Vec<RegexStage>),
}

impl Pattern {
    /// One of the patterns that have a name. They match every character, so there are no gaps.
    pub fn named(name: PatternName) -> Self {
        Self::regex(name.regex(), Gaps::Keep).expect("the named patterns compile, as a test shows")
    }

    /// A regex in the syntax of the `fancy-regex` crate: that of `regex`, with look-around,
    /// possessive quantifiers and atomic groups. An empty match makes no piece.
    ///
    /// A regular pattern, as nearly all published ones are, is split by a finite automaton, 15 to 70
    /// times as fast as by the engine: it never fails on a text, and reads each character once. Of
    /// look-around it may have what looks at the next character only, such as `(?!\S)`. Any other
    /// regex is left to the engine. Without look-around and back-references it does not fail either,
    /// and each search is linear; a pattern that looks far ahead for every short piece, such as
    /// `a.*b|a`, costs the square of the text all the same. With them, it fails where it would
    /// backtrack too far.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn regex(source: &str, gaps: Gaps) -> Result<Self, PatternError> {
        let stages = vec![(source.to_owned(), gaps)];
        let engine = if let Some(family) = recognise::family(source) {
            Engine::Scanner(family)
        } else {
            // It must compile for the engine in any case.
            let stage = RegexStage::new(source, gaps)?;
            match Automaton::new(&stages) {
                Some(automaton) => Engine::Automaton(Box::new(automaton)),
                None => Engine::Regex(vec![stage]),
            }
        };
        Ok(Self::new(stages, engine))
    }

    /// As [`Pattern::regex`], but always split by the backtracking engine, which is the definition:
    /// the oracle of all faster ways.
    ///
    /// # Errors
    /// When it does not compile.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn through_regex_engine(source: &str, gaps: Gaps) -> Result<Self, PatternError> {
        let stage = RegexStage::new(source, gaps)?;
        Ok(Self::new(
            vec![(source.to_owned(), gaps)],
            Engine::Regex(vec![stage]),
        ))
    }

    /// Several patterns in a row: each splits the pieces of the one before. With none, the whole
    /// text is one piece.
    pub fn sequence(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut patterns: Vec<Pattern> = patterns.into_iter().collect();
        if patterns.len() == 1 {
            return patterns.remove(0);
        }
        let stages = patterns.iter().flat_map(|pattern| &pattern.shared.stages);
        let stages: Vec<(String, Gaps)> = stages.cloned().collect();
        let is_regular = |pattern: &Pattern| !matches!(pattern.shared.engine, Engine::Regex(_));
        if !patterns.is_empty()
            && patterns.iter().all(is_regular)
            && let Some(automaton) = Automaton::new(&stages)
        {
            return Self::new(stages, Engine::Automaton(Box::new(automaton)));
        }
        let compiled = patterns
            .iter()
            .flat_map(|pattern| match &pattern.shared.engine {
                Engine::Regex(compiled) => compiled.clone(),
                Engine::Scanner(_) | Engine::Automaton(_) => {
                    let stages = pattern.shared.stages.iter();
                    let compiled = stages.map(|(source, gaps)| RegexStage::new(source, *gaps));
                    compiled
                        .collect::<Result<_, _>>()
                        .expect("all compiled before")
                }
            });
        let mut compiled: Vec<RegexStage> = compiled.collect();
        if compiled.is_empty() {
            compiled.push(RegexStage::whole());
        }
        Self::new(stages, Engine::Regex(compiled))
    }

    fn new(stages: Vec<(String, Gaps)>, engine: Engine) -> Self {
        Pattern {
            shared: Arc::new(Shared { stages, engine }),
        }
    }

    /// The regexes and gap rules, in the order in which they are applied. None, if the whole text
    /// is one piece.
    pub fn stages(&self) -> impl ExactSizeIterator<Item = (&str, Gaps)> {
        let stages = self.shared.stages.iter();
        stages.map(|(source, gaps)| (source.as_str(), *gaps))
    }

    /// The regex; of several in a row the first; empty, if the whole text is one piece.
    pub fn source(&self) -> &str {
        self.stages().next().map_or("", |(source, _)| source)
    }

    /// The name whose regex this is, letter for letter.
    pub fn name(&self) -> Option<PatternName> {
        match self.shared.stages.as_slice() {
            [(source, _)] => PatternName::of_regex(source),
            _ => None,
        }
    }

    /// Whether a scanner or an automaton splits, and not the regex engine. Neither ever fails.
    pub fn has_scanner(&self) -> bool {
        !matches!(self.shared.engine, Engine::Regex(_))
    }

    /// Splits `text`. The iterator gives byte ranges.
    pub fn split<'a>(&'a self, text: &'a [u8]) -> Splitter<'a> {
        self.split_on(Tier::best(), text)
    }

    /// As [`Pattern::split`], with the instructions of `tier`, if the machine has it. The pieces
    /// are the same.
    #[doc(hidden)]
    pub fn split_on<'a>(&'a self, tier: Tier, text: &'a [u8]) -> Splitter<'a> {
        Splitter {
            pieces: match &self.shared.engine {
                Engine::Scanner(family) => Pieces::Scanned(Scanner::new(*family, text, tier)),
                Engine::Automaton(automaton) => Pieces::Walked(Walker::new(automaton, text, tier)),
                Engine::Regex(stages) => {
                    Pieces::Matched(Box::new(RegexSplitter::new(stages, LossyText::new(text))))
                }
            },
            one_by_one: None,
        }
    }

    /// A place behind `at`, in bytes, where `text` may be cut: both parts, split on their own, have
    /// the pieces of the whole. `None` when no such place is certain, or when the pattern has no
    /// scanner.
    ///
    /// Costs the distance to the place; prose in any script has one every few words.
    ///
    /// ```
    /// use tokenizer_core::{Pattern, PatternName};
    ///
    /// let text = "今天天气很好，我们去公园。".as_bytes();
    /// let cut = Pattern::named(PatternName::O200k).first_cut(text, 1);
    /// assert_eq!(cut, "今天天气很好".len().into());
    /// ```
    pub fn first_cut(&self, text: &[u8], at: usize) -> Option<usize> {
        self.first_cut_unless(text, at, || false)
    }

    /// As [`Pattern::first_cut`]; `None` also when `gives_up` says so, which is asked after each
    /// megabyte.
    pub(crate) fn first_cut_unless(
        &self,
        text: &[u8],
        at: usize,
        gives_up: impl Fn() -> bool,
    ) -> Option<usize> {
        let windows = (at..text.len()).step_by(1 << 20);
        let mut windows = windows.take_while(|_| !gives_up());
        windows.find_map(|at| {
            let last = at.saturating_add(1 << 20);
            match &self.shared.engine {
                Engine::Scanner(family) => cut::first_cut(*family, text, at, last),
                Engine::Automaton(automaton) => automaton.first_cut(text, at, last),
                Engine::Regex(_) => None,
            }
        })
    }

    /// The last place, `from` or behind it, in bytes, where a text that begins with `text` may be
    /// cut, whatever it goes on with: for text that comes in chunks. A piece must begin where
    /// `text` begins. `None` when no such place is certain, or when the pattern has no scanner.
    ///
    /// All places before `text.len() - 3` are decided for good: with more text behind, no cut is
    /// found there, so there is no need to look there again. Costs the distance from the end of the
    /// text to the place, or to `from`.
    ///
    /// ```
    /// use tokenizer_core::{Pattern, PatternName};
    ///
    /// let pattern = Pattern::named(PatternName::Cl100k);
    /// // More letters may come, and join with the last.
    /// assert_eq!(pattern.last_settled_cut(b"one two thr", 0), Some("one two".len()));
    /// // So may more white space.
    /// assert_eq!(pattern.last_settled_cut(b"one two  ", 0), Some("one two".len()));
    /// ```
    pub fn last_settled_cut(&self, text: &[u8], from: usize) -> Option<usize> {
        match &self.shared.engine {
            Engine::Scanner(family) => cut::last_settled_cut(*family, text, from),
            Engine::Automaton(automaton) => automaton.last_settled_cut(text, from),
            Engine::Regex(_) => None,
        }
    }

    /// Cuts `text` into parts of at least `size` bytes, but for the last, that split on their own
    /// as they do together: see [`Pattern::first_cut`].
    pub fn parts<'a>(
        &'a self,
        text: &'a [u8],
        size: usize,
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut start = 0;
        std::iter::from_fn(move || {
            if start == text.len() {
                return None;
            }
            let cut = start.saturating_add(size.max(1)).min(text.len());
            let part = start..self.first_cut(text, cut).unwrap_or(text.len());
            start = part.end;
            Some(part)
        })
    }

    /// Calls `each` with every piece of `text`, in order.
    ///
    /// # Errors
    /// When the regex fails on the text, or with the first error of `each`.
    pub fn for_each_piece<'t, E: From<SplitError>>(
        &self,
        text: &'t [u8],
        mut each: impl FnMut(&'t [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut splitter = self.split(text);
        let mut spans = Spans::new();
        while splitter.fill(&mut spans)? {
            for span in spans.iter() {
                each(&text[span])?;
            }
        }
        Ok(())
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// A name (`gpt2`, `cl100k`, `o200k`, `nanochat`, also `r50k`, `p50k` and all with `_base`);
    /// another word of letters, digits, `_` and `-` is refused; all else is a regex whose gaps are
    /// kept.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        if let Some(name) = PatternName::from_word(text) {
            return Ok(Pattern::named(name));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if text.chars().all(is_word) {
            return Err(PatternError::UnknownName { name: text.into() });
        }
        Pattern::regex(text, Gaps::Keep)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.stages().eq(other.stages())
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stages()).finish()
    }
}

/// Walks one text and hands out its pieces. Made by [`Pattern::split`].
pub struct Splitter<'a> {
    pieces: Pieces<'a>,
    /// What the iterator has left to give: pieces, and which of them is next.
    one_by_one: Option<(Spans, usize)>,
}

impl fmt::Debug for Splitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splitter").finish_non_exhaustive()
    }
}

enum Pieces<'a> {
    Scanned(Scanner<'a>),
    Walked(Walker<'a>),
    Matched(Box<RegexSplitter<'a>>),
}

impl Splitter<'_> {
    /// Replaces what `spans` holds by the next pieces, some hundred of them, and says whether there
    /// were any. A gap that is dropped ends a run early.
    ///
    /// # Errors
    /// When the regex fails on the text. The pieces handed out before stand.
    pub fn fill(&mut self, spans: &mut Spans) -> Result<bool, SplitError> {
        match &mut self.pieces {
            Pieces::Scanned(scanner) => scanner.fill(spans),
            Pieces::Walked(walker) => walker.fill(spans),
            Pieces::Matched(matcher) => matcher.fill(spans)?,
        }
        Ok(!spans.is_empty())
    }
}

impl Iterator for Splitter<'_> {
    type Item = Result<Range<usize>, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut spans, mut next) = self.one_by_one.take().unwrap_or_default();
        if next == spans.len() {
            match self.fill(&mut spans) {
                Ok(true) => next = 0,
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let start = match next {
            0 => spans.start(),
            next => spans.ends()[next - 1],
        };
        let piece = start..spans.ends()[next];
        self.one_by_one = Some((spans, next + 1));
        Some(Ok(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces<'t>(pattern: &Pattern, text: &'t str) -> Vec<&'t str> {
        pattern
            .split(text.as_bytes())
            .map(|piece| &text[piece.unwrap()])
            .collect()
    }

    #[test]
    fn gaps_are_kept_or_dropped() {
        let text = "12ab3cd!";
        let keep = Pattern::regex("[a-z]+", Gaps::Keep).unwrap();
        assert_eq!(pieces(&keep, text), ["12", "ab", "3", "cd", "!"]);
        let drop = Pattern::regex("[a-z]+", Gaps::Drop).unwrap();
        assert_eq!(pieces(&drop, text), ["ab", "cd"]);
    }

    #[test]
    fn empty_matches_make_no_piece() {
        let keep = Pattern::regex("x*", Gaps::Keep).unwrap();
        assert_eq!(pieces(&keep, "axxb"), ["a", "xx", "b"]);
        assert!(pieces(&keep, "").is_empty());
    }

    #[test]
    fn stages_split_each_others_pieces() {
        let digits = Pattern::regex(r"\p{N}{1,3}", Gaps::Keep).unwrap();
        let words = Pattern::regex(r" ?\w+", Gaps::Keep).unwrap();
        let both = Pattern::sequence([digits, words]);
        assert_eq!(
            pieces(&both, "ab 12345 cd!"),
            ["ab", " ", "123", "45", " cd", "!"]
        );
        assert_eq!(pieces(&Pattern::sequence([]), "a b"), ["a b"]);
    }

    #[test]
    fn words_are_names_and_all_else_is_a_regex() {
        for name in [
            "gpt2",
            "r50k_base",
            "p50k",
            "cl100k",
            "o200k_base",
            "nanochat",
        ] {
            assert!(name.parse::<Pattern>().unwrap().name().is_some(), "{name}");
        }
        let error = "gpt5".parse::<Pattern>().unwrap_err();
        assert!(matches!(&error, PatternError::UnknownName { name } if name == "gpt5"));
        assert!(error.to_string().contains("cl100k"), "{error}");
        assert!("".parse::<Pattern>().is_err(), "an empty pattern is a slip");
        assert_eq!(r"\w+".parse::<Pattern>().unwrap().source(), r"\w+");
        let error = "(a".parse::<Pattern>().unwrap_err();
        assert!(matches!(error, PatternError::Regex { .. }));
    }

    #[test]
    fn a_failing_regex_names_the_place_and_hands_out_what_was_before() {
        // Catastrophic backtracking: the engine's limit is an error, not dropped text.
        let bomb = Pattern::regex(r"b|(?:a|a)+(?=c)|a$", Gaps::Keep).unwrap();
        let text = format!("bb{}", "a".repeat(64));
        let mut splitter = bomb.split(text.as_bytes());
        assert_eq!(splitter.next(), Some(Ok(0..1)));
        assert_eq!(splitter.next(), Some(Ok(1..2)));
        let error = splitter.next().unwrap().unwrap_err();
        assert_eq!(error.offset, 2);
        assert!(error.to_string().contains("at byte 2"), "{error}");
        assert!(splitter.next().is_none(), "and then it is over");
    }

    #[test]
    fn invalid_bytes_are_one_symbol_each_and_stay_as_they_are() {
        let pattern = Pattern::named(PatternName::Cl100k);
        // A lone continuation byte, a sequence cut short (one maximal part), a byte never used.
        let text = b"ab\x80cd \xe2\x82 \xff\xff1";
        let got: Vec<&[u8]> = pattern.split(text).map(|p| &text[p.unwrap()]).collect();
        // As for "ab\u{FFFD}cd \u{FFFD} \u{FFFD}\u{FFFD}1".
        let want: [&[u8]; 5] = [b"ab", b"\x80cd", b" \xe2\x82", b" \xff\xff", b"1"];
        assert_eq!(got, want);
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let bits = prop_oneof![
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            "[ a-zA-Z0-9'\r\n\t.,]{0,8}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(bits, 0..24).prop_map(|bits| bits.concat())
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in any_bytes()) {
            for name in PatternName::ALL {
                let mut end = 0;
                for piece in Pattern::named(name).split(&text) {
                    let piece = piece.unwrap();
                    prop_assert_eq!(piece.start, end);
                    prop_assert!(!piece.is_empty());
                    end = piece.end;
                }
                prop_assert_eq!(end, text.len());
            }
        }

        #[test]
        fn invalid_bytes_split_as_their_replacement_does(text in any_bytes()) {
            let replaced = String::from_utf8_lossy(&text).into_owned();
            for name in PatternName::ALL {
                let pattern = Pattern::named(name);
                let got: Vec<String> = pattern
                    .split(&text)
                    .map(|p| String::from_utf8_lossy(&text[p.unwrap()]).into_owned())
                    .collect();
                prop_assert_eq!(got, pieces(&pattern, &replaced));
            }
        }
    }
}

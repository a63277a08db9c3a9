//! Splitting text into pieces.
//!
//! A [`Pattern`] is a published pattern, any other regex or a chain of regexes. **Invariant:** the
//! concatenated pieces are the text, unless the pattern drops what lies between its matches. A [`Splitter`]
//! returns the pieces of one text in batches of up to 2,048 adjacent pieces; for each piece, a batch stores
//! only its end.
//!
//! Each pattern uses one of three engines. All of them yield the same pieces:
//!
//! - `scan/`: hand-written bit-parallel scanners for the published patterns and their variants;
//! - `automaton/`: a DFA compiled from the regexes, for most other regular patterns;
//! - `regex.rs`: the backtracking engine `fancy-regex`, for all other patterns. Tests compare the first two
//!   engines with it. Stages on the [spelling](Pattern::on_spelling) of a text use it, too.
//!
//! A text is bytes. Each maximal invalid UTF-8 sequence is treated as one U+FFFD, as by Python's decoder;
//! U+FFFD is neither letter, number nor white space. The piece keeps the original bytes.

mod automaton;
mod cut;
mod error;
mod lossy;
mod named;
mod recognise;
mod regex;
mod scan;
mod spans;
mod spelling;
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
use self::regex::{RegexSplitter, RegexStage};
use self::scan::{Family, Scanner};
use crate::simd::Tier;

/// The pre-tokenizer: splits text into pieces. Merges never cross a piece boundary.
///
/// Cheap to clone: the compiled pattern is shared.
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
    /// The regexes and their gap rules. Each regex splits the pieces of the previous one. Without stages, the
    /// whole text is one piece.
    stages: Vec<(String, Gaps)>,
    /// The first stage that acts on the spelling of the text. All stages after it do so, too.
    spelled_from: Option<usize>,
    engine: Engine,
}

enum Engine {
    Scanner(Family),
    Automaton(Box<Automaton>),
    Regex(Vec<RegexStage>),
}

/// Limit on the stages of a pattern that is read from a file, since each regex costs milliseconds and megabytes
/// to compile. The longest published pattern, DeepSeek's, has three.
pub(crate) const MAX_STAGES: usize = 16;

impl Pattern {
    /// Returns a published pattern. Published patterns match every character, so they leave no gaps.
    #[must_use]
    pub fn named(name: PatternName) -> Self {
        Self::regex(name.regex(), Gaps::Keep).expect("a test compiles every named pattern")
    }

    /// Compiles a regex in the syntax of the `fancy-regex` crate: that of the `regex` crate,
    /// plus look-around, back-references, possessive quantifiers and atomic groups. An empty match is not a
    /// piece.
    ///
    /// Nearly all published patterns are regular, even with look-ahead such as `(?!\S)`, which concerns only
    /// the next character. A regular pattern without a scanner is compiled to a finite automaton, unless that
    /// would be too large. The automaton reads each character once, never fails and is 15 to 70 times as fast
    /// as the regex engine. All other patterns use the regex engine:
    ///
    /// - A pattern in the syntax of the `regex` crate never fails, and each search takes linear time. But a
    ///   pattern such as `a.*b|a` may search the whole text for every short piece, which is quadratic.
    /// - Any other pattern may backtrack too far; splitting then returns an error.
    ///
    /// # Errors
    /// If the regex does not compile.
    pub fn regex(source: &str, gaps: Gaps) -> Result<Self, PatternError> {
        let stages = vec![(source.to_owned(), gaps)];
        let engine = if let Some(family) = recognise::family(source)
            && gaps.are_simple()
        {
            Engine::Scanner(family)
        } else {
            // The regex must be valid for the regex engine, whichever engine splits.
            let stage = RegexStage::new(source, gaps)?;
            match Automaton::new(&stages) {
                Some(automaton) => Engine::Automaton(Box::new(automaton)),
                None => Engine::Regex(vec![stage]),
            }
        };
        Ok(Self::new(stages, None, engine))
    }

    /// Like [`Pattern::regex`], but always uses the backtracking engine, with which tests compare the others.
    ///
    /// # Errors
    /// If the regex does not compile.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn through_regex_engine(source: &str, gaps: Gaps) -> Result<Self, PatternError> {
        let stage = RegexStage::new(source, gaps)?;
        Ok(Self::new(
            vec![(source.to_owned(), gaps)],
            None,
            Engine::Regex(vec![stage]),
        ))
    }

    /// Makes all stages of the pattern act on GPT-2's spelling of the text, which has one character
    /// per byte: in Hugging Face's `tokenizers`, the component `ByteLevel` replaces a text by this
    /// spelling, and the components after it split the spelling. A piece may then end inside a
    /// UTF-8 character. Such a pattern [uses the regex engine](Pattern::uses_regex_engine).
    ///
    /// ```
    /// use tokenizer_core::{Gaps, Pattern};
    ///
    /// // The second byte of `é` is spelled `©`.
    /// let pattern = Pattern::regex("©", Gaps::Keep)?.on_spelling();
    /// let pieces: Result<Vec<_>, _> = pattern.split("né".as_bytes()).collect();
    /// assert_eq!(pieces, Ok(vec![0..2, 2..3]));
    /// # Ok::<(), tokenizer_core::PatternError>(())
    /// ```
    #[must_use]
    pub fn on_spelling(self) -> Self {
        if self.shared.stages.is_empty() {
            return self;
        }
        let engine = Engine::Regex(self.compiled());
        Self::new(self.shared.stages.clone(), Some(0), engine)
    }

    /// Chains patterns: each splits the pieces of the previous one. An empty chain returns the whole text
    /// as one piece. The patterns after one [on the spelling](Pattern::on_spelling) act on the spelling, too.
    #[must_use]
    pub fn sequence(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut patterns: Vec<Pattern> = patterns.into_iter().collect();
        if patterns.len() == 1 {
            return patterns.remove(0);
        }
        let mut stages = Vec::new();
        let mut spelled_from = None;
        for pattern in &patterns {
            let spelled = pattern.spelled_from().map(|from| stages.len() + from);
            spelled_from = spelled_from.or(spelled);
            stages.extend(pattern.shared.stages.iter().cloned());
        }
        let is_regular = |pattern: &Pattern| !matches!(pattern.shared.engine, Engine::Regex(_));
        if !patterns.is_empty()
            && patterns.iter().all(is_regular)
            && let Some(automaton) = Automaton::new(&stages)
        {
            return Self::new(stages, None, Engine::Automaton(Box::new(automaton)));
        }
        let mut compiled: Vec<RegexStage> = patterns.iter().flat_map(Self::compiled).collect();
        if compiled.is_empty() {
            compiled.push(RegexStage::whole());
        }
        Self::new(stages, spelled_from, Engine::Regex(compiled))
    }

    /// Returns the stages, compiled for the regex engine.
    fn compiled(&self) -> Vec<RegexStage> {
        match &self.shared.engine {
            Engine::Regex(compiled) => compiled.clone(),
            Engine::Scanner(_) | Engine::Automaton(_) => {
                let stages = self.stages();
                let compiled = stages.map(|(source, gaps)| RegexStage::new(source, gaps));
                compiled
                    .collect::<Result<_, _>>()
                    .expect("the regexes compiled before")
            }
        }
    }

    fn new(stages: Vec<(String, Gaps)>, spelled_from: Option<usize>, engine: Engine) -> Self {
        Pattern {
            shared: Arc::new(Shared {
                stages,
                spelled_from,
                engine,
            }),
        }
    }

    /// Returns the regexes and gap rules in the order in which they are applied. There are none if the
    /// pattern is the empty chain.
    pub fn stages(&self) -> impl ExactSizeIterator<Item = (&str, Gaps)> {
        let stages = self.shared.stages.iter();
        stages.map(|(source, gaps)| (source.as_str(), *gaps))
    }

    /// Returns the index of the first stage that acts [on the spelling](Pattern::on_spelling) of the text. All
    /// stages after it do so, too.
    #[must_use]
    pub fn spelled_from(&self) -> Option<usize> {
        self.shared.spelled_from
    }

    /// Returns the first regex of the chain, usually the only one; the empty string for the empty chain.
    #[must_use]
    pub fn source(&self) -> &str {
        self.stages().next().map_or("", |(source, _)| source)
    }

    /// Returns the name of the published pattern that has exactly this regex, and whose matches are the pieces.
    #[must_use]
    pub fn name(&self) -> Option<PatternName> {
        match self.shared.stages.as_slice() {
            [(source, gaps)] if gaps.are_simple() && self.spelled_from().is_none() => {
                PatternName::of_regex(source)
            }
            _ => None,
        }
    }

    /// Returns whether splitting uses the backtracking regex engine. Otherwise it uses a scanner or an
    /// automaton: splitting never fails, takes linear time, and the text can be cut at
    /// [`first_cut`](Pattern::first_cut).
    #[must_use]
    pub fn uses_regex_engine(&self) -> bool {
        matches!(self.shared.engine, Engine::Regex(_))
    }

    /// Splits `text` lazily into byte ranges.
    #[must_use]
    pub fn split<'a>(&'a self, text: &'a [u8]) -> Splitter<'a> {
        self.split_on(Tier::best(), text)
    }

    /// Like [`Pattern::split`], with the SIMD instructions of `tier`. The pieces are the same.
    #[doc(hidden)]
    #[must_use]
    pub fn split_on<'a>(&'a self, tier: Tier, text: &'a [u8]) -> Splitter<'a> {
        Splitter {
            pieces: match &self.shared.engine {
                Engine::Scanner(family) => Pieces::Scanned(Scanner::new(*family, text, tier)),
                Engine::Automaton(automaton) => Pieces::Walked(Walker::new(automaton, text, tier)),
                Engine::Regex(stages) => {
                    let splitter = RegexSplitter::new(stages, self.shared.spelled_from, text);
                    Pieces::Matched(Box::new(splitter))
                }
            },
            buffer: None,
        }
    }

    /// Returns the first safe cut of `text` after byte `at`: a position where splitting the parts before and
    /// after it separately yields the pieces of the whole text.
    ///
    /// Returns `None` if no later position is known to be safe, or if the pattern
    /// [uses the regex engine](Pattern::uses_regex_engine). Takes time linear in the distance to the cut.
    /// Prose in any script has a cut every few words.
    ///
    /// ```
    /// use tokenizer_core::{Pattern, PatternName};
    ///
    /// let text = "今天天气很好，我们去公园。".as_bytes();
    /// let cut = Pattern::named(PatternName::O200k).first_cut(text, 1);
    /// assert_eq!(cut, "今天天气很好".len().into());
    /// ```
    #[must_use]
    pub fn first_cut(&self, text: &[u8], at: usize) -> Option<usize> {
        self.first_cut_unless(text, at, || false)
    }

    /// Like [`Pattern::first_cut`], but calls `is_stopped` before searching each megabyte, and returns `None`
    /// if `is_stopped` returns true.
    pub(crate) fn first_cut_unless(
        &self,
        text: &[u8],
        at: usize,
        is_stopped: impl Fn() -> bool,
    ) -> Option<usize> {
        let windows = (at..text.len()).step_by(1 << 20);
        let mut windows = windows.take_while(|_| !is_stopped());
        windows.find_map(|at| {
            let last = at.saturating_add(1 << 20);
            match &self.shared.engine {
                Engine::Scanner(family) => cut::first_cut(*family, text, at, last),
                Engine::Automaton(automaton) => automaton.first_cut(text, at, last),
                Engine::Regex(_) => None,
            }
        })
    }

    /// Returns the last safe cut of `text` at or after byte `from` that remains safe whatever bytes are
    /// appended: for text that arrives in chunks. A piece must start at byte 0 of `text`.
    ///
    /// Returns `None` if no such position is known to be safe, or if the pattern
    /// [uses the regex engine](Pattern::uses_regex_engine). Appended bytes never make a position before
    /// `text.len() - 3` safe, so earlier positions need not be searched again. Takes time linear in the
    /// distance from the end of the text to the cut (to `from` if there is none), plus the length of a run of
    /// numbers, or of another class that the pattern splits into groups, at the end.
    ///
    /// ```
    /// use tokenizer_core::{Pattern, PatternName};
    ///
    /// let pattern = Pattern::named(PatternName::Cl100k);
    /// // More letters may follow and extend the last word.
    /// assert_eq!(pattern.last_settled_cut(b"one two thr", 0), Some("one two".len()));
    /// // A word may follow and take the last space.
    /// assert_eq!(pattern.last_settled_cut(b"one two  ", 0), Some("one two".len()));
    /// ```
    #[must_use]
    pub fn last_settled_cut(&self, text: &[u8], from: usize) -> Option<usize> {
        match &self.shared.engine {
            Engine::Scanner(family) => cut::last_settled_cut(*family, text, from),
            Engine::Automaton(automaton) => automaton.last_settled_cut(text, from),
            Engine::Regex(_) => None,
        }
    }

    /// Cuts `text` at [safe cuts](Pattern::first_cut) into parts that can be split separately. Each part
    /// except the last has at least `size` bytes.
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
    /// The first error of `each`, or [`SplitError`] if the regex engine fails on the text.
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

    /// Parses a name or a regex. The names are `gpt2`, `nanochat`, and `r50k`, `p50k`, `cl100k` and `o200k`
    /// with or without `_base`. The gaps of a regex are kept. An empty text is an error, and so is any other
    /// word of ASCII letters, digits, `_` and `-`.
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
        self.stages().eq(other.stages()) && self.spelled_from() == other.spelled_from()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.stages());
        if let Some(from) = self.spelled_from() {
            list.entry(&format_args!("on the spelling from stage {from}"));
        }
        list.finish()
    }
}

/// Iterator over the pieces of a text, returned by [`Pattern::split`].
pub struct Splitter<'a> {
    pieces: Pieces<'a>,
    /// The buffered pieces of the iterator, and the index of the next piece to return.
    buffer: Option<(Spans, usize)>,
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
    /// Replaces the contents of `spans` with the next adjacent pieces, up to 2,048 of them. Returns whether
    /// there were any. A dropped gap ends the batch early.
    ///
    /// # Errors
    /// If the regex engine fails on the text. Pieces returned before the error are valid.
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
        let (mut spans, mut next) = self.buffer.take().unwrap_or_default();
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
        self.buffer = Some((spans, next + 1));
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
    fn empty_matches_are_not_pieces() {
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
    fn a_word_is_parsed_as_a_name_and_other_text_as_a_regex() {
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
        assert!(
            "".parse::<Pattern>().is_err(),
            "an empty pattern is a mistake"
        );
        assert_eq!(r"\w+".parse::<Pattern>().unwrap().source(), r"\w+");
        let error = "(a".parse::<Pattern>().unwrap_err();
        assert!(matches!(error, PatternError::Regex { .. }));
    }

    #[test]
    fn a_failing_regex_is_an_error_after_the_pieces_before_it() {
        // Catastrophic backtracking exceeds the engine's limit.
        let bomb = Pattern::regex(r"b|(?:a|a)+(?=c)|a$", Gaps::Keep).unwrap();
        let text = format!("bb{}", "a".repeat(64));
        let mut splitter = bomb.split(text.as_bytes());
        assert_eq!(splitter.next(), Some(Ok(0..1)));
        assert_eq!(splitter.next(), Some(Ok(1..2)));
        let error = splitter.next().unwrap().unwrap_err();
        assert_eq!(error.offset, 2);
        assert!(error.to_string().contains("at byte 2"), "{error}");
        assert!(
            splitter.next().is_none(),
            "the iterator ends after an error"
        );
    }

    #[test]
    fn invalid_sequences_are_symbols_and_are_kept() {
        let pattern = Pattern::named(PatternName::Cl100k);
        // A lone continuation byte, a truncated sequence, and a byte that UTF-8 never uses.
        let text = b"ab\x80cd \xe2\x82 \xff\xff1";
        let got: Vec<&[u8]> = pattern.split(text).map(|p| &text[p.unwrap()]).collect();
        // The same pieces as for "ab\u{FFFD}cd \u{FFFD} \u{FFFD}\u{FFFD}1".
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
        fn concatenated_pieces_are_the_text(text in any_bytes()) {
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
        fn invalid_bytes_split_like_replacement_characters(text in any_bytes()) {
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

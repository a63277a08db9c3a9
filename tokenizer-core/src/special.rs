//! Special tokens: text that stands for one id and is never split or merged.
//!
//! Which of them are recognised in a text is the caller's choice, made once as a [`SpecialSet`].
//! Where several of those begin at the same place, the longest counts, always; one that is not in
//! the set is text, and what it holds is looked through.
//!
//! The flags are those of the added tokens of a `tokenizer.json`; tiktoken's special tokens have
//! none of them set.

mod streamed;

use std::ops::Range;
use std::sync::Arc;

use ahash::RandomState;
use aho_corasick::{AhoCorasick, FindIter, MatchKind};
use hashbrown::HashMap;

use streamed::Beginnings;
pub(crate) use streamed::StreamedCut;

use crate::normalize::Normalizer;
use crate::token::TokenId;

/// One special token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialToken {
    /// The text that it is recognised by, and that it decodes to. Never empty.
    pub content: String,
    /// Its id.
    pub id: TokenId,
    /// Whether it is a control token, which decoding may leave out, or merely an added word.
    pub control: bool,
    /// Looked for in the normalised text, behind all that are looked for in the text as it is.
    pub normalized: bool,
    /// Takes the white space before it along.
    pub left_strip: bool,
    /// Takes the white space behind it along.
    pub right_strip: bool,
    /// Recognised only between characters that are no letters, digits or underscores.
    pub single_word: bool,
}

impl SpecialToken {
    /// A control token that is recognised exactly as it is written.
    pub fn new(content: impl Into<String>, id: TokenId) -> Self {
        SpecialToken {
            content: content.into(),
            id,
            control: true,
            normalized: false,
            left_strip: false,
            right_strip: false,
            single_word: false,
        }
    }
}

/// The special tokens of a model.
#[derive(Clone, Debug, Default)]
pub struct SpecialTokens {
    /// By ascending id.
    tokens: Vec<SpecialToken>,
    by_content: HashMap<String, usize, RandomState>,
    by_id: HashMap<TokenId, usize, RandomState>,
}

/// Special tokens contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecialTokensError {
    /// One has no text.
    #[error("a special token is empty")]
    Empty,
    /// Two have the same text.
    #[error("the special token {content:?} stands twice")]
    RepeatedContent {
        /// The text.
        content: String,
    },
    /// Two have the same id.
    #[error("the special tokens {first:?} and {second:?} both have the id {id}")]
    RepeatedId {
        /// The id.
        id: TokenId,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl SpecialTokens {
    /// Special tokens in any order.
    ///
    /// # Errors
    /// When one is empty, or two have the same text or the same id.
    pub fn new(tokens: impl IntoIterator<Item = SpecialToken>) -> Result<Self, SpecialTokensError> {
        let mut specials = SpecialTokens {
            tokens: tokens.into_iter().collect(),
            ..Self::default()
        };
        specials.tokens.sort_by_key(|token| token.id);
        for (place, token) in specials.tokens.iter().enumerate() {
            if token.content.is_empty() {
                return Err(SpecialTokensError::Empty);
            }
            if let Some(other) = specials.by_id.insert(token.id, place) {
                return Err(SpecialTokensError::RepeatedId {
                    id: token.id,
                    first: specials.tokens[other].content.clone(),
                    second: token.content.clone(),
                });
            }
            let content = token.content.clone();
            if specials.by_content.insert(content, place).is_some() {
                return Err(SpecialTokensError::RepeatedContent {
                    content: token.content.clone(),
                });
            }
        }
        Ok(specials)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// All of them, by ascending id.
    pub fn iter(&self) -> std::slice::Iter<'_, SpecialToken> {
        self.tokens.iter()
    }

    /// The one with this text.
    pub fn by_content(&self, content: &str) -> Option<&SpecialToken> {
        self.by_content
            .get(content)
            .map(|&place| &self.tokens[place])
    }

    /// The one with this id.
    pub fn by_id(&self, id: TokenId) -> Option<&SpecialToken> {
        self.by_id.get(&id).map(|&place| &self.tokens[place])
    }

    /// Those that `wanted` picks, ready to be looked for. Costs time in the length of their texts:
    /// make it once, not for each text.
    pub(crate) fn select(
        &self,
        normalizer: Option<Normalizer>,
        wanted: impl Fn(&SpecialToken) -> bool,
    ) -> SpecialSet {
        let matcher = |normalized: bool| {
            let tokens: Vec<SpecialToken> = self
                .tokens
                .iter()
                .filter(|token| token.normalized == normalized && wanted(token))
                .cloned()
                .collect();
            Matcher::new(tokens, normalizer.filter(|_| normalized))
        };
        SpecialSet {
            raw: matcher(false),
            normalized: matcher(true),
        }
    }
}

impl PartialEq for SpecialTokens {
    fn eq(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }
}

impl Eq for SpecialTokens {}

/// Special tokens to be recognised in a text. Made by [`Model::special_set`](crate::Model::special_set)
/// and its siblings.
#[derive(Clone, Debug, Default)]
pub struct SpecialSet {
    pub(crate) raw: Matcher,
    pub(crate) normalized: Matcher,
}

impl SpecialSet {
    pub(crate) const fn none() -> Self {
        SpecialSet {
            raw: Matcher::NONE,
            normalized: Matcher::NONE,
        }
    }
}

/// Finds some special tokens in a text. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    /// Nothing, when there are none.
    wanted: Option<Arc<Wanted>>,
}

/// The special tokens that a [`Matcher`] finds.
#[derive(Debug)]
struct Wanted {
    tokens: Vec<SpecialToken>,
    automaton: AhoCorasick,
    beginnings: Beginnings,
}

impl Matcher {
    const NONE: Self = Matcher { wanted: None };

    fn new(tokens: Vec<SpecialToken>, normalizer: Option<Normalizer>) -> Self {
        if tokens.is_empty() {
            return Self::default();
        }
        let contents: Vec<Vec<u8>> = tokens
            .iter()
            .map(|token| match normalizer {
                Some(normalizer) => normalizer.apply(token.content.as_bytes()).into_owned(),
                None => token.content.as_bytes().into(),
            })
            .collect();
        // The builder fails only beyond 2^31 states: two gigabytes of special tokens.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&contents)
            .ok();
        let left_strip = tokens.iter().any(|token| token.left_strip);
        let wanted = automaton.map(|automaton| Wanted {
            tokens,
            automaton,
            beginnings: Beginnings::new(contents, left_strip),
        });
        Matcher {
            wanted: wanted.map(Arc::new),
        }
    }

    fn tokens(&self) -> &[SpecialToken] {
        self.wanted.as_ref().map_or(&[], |wanted| &wanted.tokens)
    }

    /// `text` as special tokens and what lies between them, in order. Looks no further ahead than
    /// the next special token.
    pub(crate) fn segments<'m, 't>(&'m self, text: &'t [u8]) -> Segments<'m, 't> {
        Segments {
            matcher: self,
            found: self
                .wanted
                .as_ref()
                .map(|wanted| wanted.automaton.find_iter(text)),
            text,
            done: 0,
            next: None,
        }
    }

    /// Whether it looks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_none()
    }
}

/// Made by [`Matcher::segments`].
pub(crate) struct Segments<'m, 't> {
    matcher: &'m Matcher,
    found: Option<FindIter<'m, 't>>,
    text: &'t [u8],
    /// Where the last segment ended.
    done: usize,
    /// A special token that was found behind text.
    next: Option<(&'m SpecialToken, Range<usize>)>,
}

impl<'m, 't> Iterator for Segments<'m, 't> {
    type Item = Segment<'m, 't>;

    fn next(&mut self) -> Option<Segment<'m, 't>> {
        let special = self.next.take().or_else(|| {
            self.found.iter_mut().flatten().find_map(|found| {
                let token = &self.matcher.tokens()[found.pattern()];
                let span = token.span(self.text, found.range(), self.done)?;
                Some((token, span))
            })
        });
        let end = special
            .as_ref()
            .map_or(self.text.len(), |special| special.1.start);
        if self.done < end {
            self.next = special;
            let text = self.done..end;
            self.done = end;
            return Some(Segment::Text(&self.text[text.clone()], text.start));
        }
        let (token, span) = special?;
        self.done = span.end;
        Some(Segment::Special(token, span))
    }
}

/// A part of a text.
pub(crate) enum Segment<'m, 't> {
    /// Text without a special token in it, and where it begins. Never empty.
    Text(&'t [u8], usize),
    /// A special token and what it takes of the text.
    Special(&'m SpecialToken, Range<usize>),
}

impl SpecialToken {
    /// What the token takes of the text where its content was found; `None` when its flags say that
    /// it does not count there. Nothing before `done` is taken.
    fn span(&self, text: &[u8], found: Range<usize>, done: usize) -> Option<Range<usize>> {
        let (before, behind) = (&text[..found.start], &text[found.end..]);
        if self.single_word
            && (last_char(before).is_some_and(is_word) || first_char(behind).is_some_and(is_word))
        {
            return None;
        }
        let (mut start, mut end) = (found.start, found.end);
        if end <= done {
            return None;
        }
        if self.left_strip {
            // What was taken before is not walked over again, so all walks together are linear.
            while let Some(c) =
                last_char(&text[done.min(start)..start]).filter(|c| c.is_whitespace())
            {
                start -= c.len_utf8();
            }
        }
        if self.right_strip {
            while let Some(c) = first_char(&text[end..]).filter(|c| c.is_whitespace()) {
                end += c.len_utf8();
            }
        }
        let start = start.max(done);
        (start < end).then_some(start..end)
    }
}

/// `\w` of the Rust regex engines, which is what decides about single words elsewhere.
fn is_word(c: char) -> bool {
    static WORD: std::sync::LazyLock<fancy_regex::Regex> =
        std::sync::LazyLock::new(|| fancy_regex::Regex::new(r"\w").expect("a valid class"));
    WORD.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
}

fn first_char(text: &[u8]) -> Option<char> {
    let head = &text[..text.len().min(4)];
    head.utf8_chunks().next()?.valid().chars().next()
}

fn last_char(text: &[u8]) -> Option<char> {
    let tail = &text[text.len().saturating_sub(4)..];
    (0..tail.len())
        .rev()
        .find_map(|at| std::str::from_utf8(&tail[at..]).ok()?.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokens: &[SpecialToken], text: &str) -> Vec<String> {
        let specials = SpecialTokens::new(tokens.to_vec()).unwrap();
        let set = specials.select(None, |_| true);
        let mut end = 0;
        let mut joined = |start: usize, length: usize| {
            assert_eq!(start, end);
            end += length;
        };
        let segments = set.raw.segments(text.as_bytes());
        let parts = segments.map(|segment| match segment {
            Segment::Text(text, start) => {
                joined(start, text.len());
                String::from_utf8(text.to_vec()).unwrap()
            }
            Segment::Special(token, span) => {
                joined(span.start, span.len());
                format!("#{}@{}", token.id, span.start)
            }
        });
        let parts = parts.collect();
        assert_eq!(end, text.len());
        parts
    }

    #[test]
    fn the_longest_of_those_that_begin_together_counts() {
        let tokens = [
            SpecialToken::new("<a", 1),
            SpecialToken::new("<a>", 2),
            SpecialToken::new("<a><b>", 3),
        ];
        assert_eq!(
            cut(&tokens, "x<a><a><b><ay"),
            ["x", "#2@1", "#3@4", "#1@10", "y"]
        );
        assert!(cut(&tokens, "").is_empty());
    }

    #[test]
    fn flags_take_white_space_and_mind_words() {
        let mut strip = SpecialToken::new("[S]", 1);
        (strip.left_strip, strip.right_strip) = (true, true);
        let mut single = SpecialToken::new("dog", 2);
        single.single_word = true;
        let tokens = [strip, single];
        assert_eq!(cut(&tokens, "a \u{3000}[S]\n b"), ["a", "#1@1", "b"]);
        assert_eq!(cut(&tokens, "[S]  [S]"), ["#1@0", "#1@5"]);
        assert_eq!(
            cut(&tokens, "dog dogs _dog .dog"),
            ["#2@0", " dogs _dog .", "#2@15"]
        );
    }

    #[test]
    fn white_space_that_takes_white_space_is_walked_over_once() {
        // With a walk for each it would take minutes.
        let mut newline = SpecialToken::new("\n", 1);
        (newline.left_strip, newline.right_strip) = (true, true);
        assert_eq!(cut(&[newline], &"\n".repeat(500_000)), ["#1@0"]);
    }

    #[test]
    fn contradictions_are_refused() {
        let token = SpecialToken::new;
        assert_eq!(
            SpecialTokens::new([token("", 1)]),
            Err(SpecialTokensError::Empty)
        );
        assert!(matches!(
            SpecialTokens::new([token("a", 1), token("a", 2)]),
            Err(SpecialTokensError::RepeatedContent { .. })
        ));
        assert!(matches!(
            SpecialTokens::new([token("a", 1), token("b", 1)]),
            Err(SpecialTokensError::RepeatedId { .. })
        ));
    }
}

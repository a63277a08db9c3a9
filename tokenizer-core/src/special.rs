//! Special and added tokens: strings that map to one id and are never split or merged.
//!
//! A **special token** ([`SpecialToken::control`]) is recognised in a text only if the caller allows
//! it. Any other **added token** is part of the vocabulary and always found. A [`SpecialSet`] holds
//! the tokens to recognise; it is built once and used for many texts.
//!
//! Matching is leftmost-longest. If a model has added tokens that are always found, a special token
//! that is not allowed still hides the added tokens that overlap its text, as in `tokenizers` with
//! `encode_special_tokens`; otherwise a token that is not allowed is plain text, as in `tiktoken`.
//!
//! The flags are those of `added_tokens` in a `tokenizer.json`; tiktoken's special tokens have the
//! first one only.

mod streamed;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use ahash::RandomState;
use aho_corasick::{AhoCorasick, FindIter, MatchKind};
use hashbrown::HashMap;

use streamed::Beginnings;
pub(crate) use streamed::StreamedCut;

use crate::normalize::Normalizer;
use crate::token::TokenId;

/// A special token, or another added token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialToken {
    /// The text that it is recognised by. Never empty.
    pub content: String,
    /// Its id.
    pub id: TokenId,
    /// The bytes that it decodes to, if they are not those of `content`.
    pub decoded: Option<Vec<u8>>,
    /// `special` of a `tokenizer.json`: recognised only where allowed, and left out by
    /// `skip_special_tokens`. An added token without it is always found and always decoded.
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
    /// A special token (`control`) without other flags.
    pub fn new(content: impl Into<String>, id: TokenId) -> Self {
        SpecialToken {
            content: content.into(),
            id,
            decoded: None,
            control: true,
            normalized: false,
            left_strip: false,
            right_strip: false,
            single_word: false,
        }
    }

    /// The bytes that it decodes to.
    pub fn bytes(&self) -> &[u8] {
        match &self.decoded {
            Some(bytes) => bytes,
            None => self.content.as_bytes(),
        }
    }
}

/// The special and added tokens of a model.
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

    /// The set of the special tokens that `allowed` picks and all other added tokens. Linear in the
    /// length of their texts: build it once, not for each text.
    pub(crate) fn select(
        &self,
        normalizer: Option<Normalizer>,
        allowed: impl Fn(&SpecialToken) -> bool,
    ) -> SpecialSet {
        let matcher = |normalized: bool| {
            let tokens = || self.tokens.iter().filter(|t| t.normalized == normalized);
            let hides = tokens().any(|token| !token.control);
            let sought = tokens().map(|token| Sought {
                token: token.clone(),
                is_allowed: !token.control || allowed(token),
            });
            let sought = sought.filter(|sought| sought.is_allowed || hides);
            Matcher::new(sought.collect(), normalizer.filter(|_| normalized))
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

/// The special and added tokens to recognise in a text. Made by
/// [`Model::special_set`](crate::Model::special_set) and
/// [`Model::all_specials`](crate::Model::all_specials).
#[derive(Clone, Debug)]
pub struct SpecialSet {
    pub(crate) raw: Matcher,
    pub(crate) normalized: Matcher,
}

/// Finds special and added tokens in a text. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    /// `None` if there is nothing to find.
    wanted: Option<Arc<Wanted>>,
}

/// The tokens that a [`Matcher`] looks for.
#[derive(Debug)]
struct Wanted {
    tokens: Vec<Sought>,
    automaton: AhoCorasick,
    beginnings: Beginnings,
}

/// A token that a [`Matcher`] looks for.
#[derive(Debug)]
struct Sought {
    token: SpecialToken,
    /// `false` for a special token that only hides the added tokens that overlap it.
    is_allowed: bool,
}

impl Matcher {
    fn new(tokens: Vec<Sought>, normalizer: Option<Normalizer>) -> Self {
        if tokens.iter().all(|sought| !sought.is_allowed) {
            return Self::default();
        }
        let content = |sought: &Sought| sought.token.normalized_content(normalizer).into_owned();
        let contents: Vec<Vec<u8>> = tokens.iter().map(content).collect();
        // The builder fails only beyond 2^31 states: two gigabytes of special tokens.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&contents)
            .ok();
        let left_strip = tokens.iter().any(|sought| sought.token.left_strip);
        let wanted = automaton.map(|automaton| Wanted {
            tokens,
            automaton,
            beginnings: Beginnings::new(contents, left_strip),
        });
        Matcher {
            wanted: wanted.map(Arc::new),
        }
    }

    /// `text` as special tokens and the text between them, in order. Looks no further ahead than
    /// the next token.
    pub(crate) fn segments<'m, 't>(&'m self, text: &'t [u8]) -> Segments<'m, 't> {
        let found = self.wanted.as_ref().map(|wanted| {
            let found = wanted.automaton.find_iter(text);
            (&wanted.tokens[..], found)
        });
        Segments {
            found,
            text,
            walk: Walk::default(),
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
    found: Option<(&'m [Sought], FindIter<'m, 't>)>,
    text: &'t [u8],
    walk: Walk,
    /// A token that was found behind text.
    next: Option<(&'m SpecialToken, Range<usize>)>,
}

impl<'m, 't> Segments<'m, 't> {
    fn next_special(&mut self) -> Option<(&'m SpecialToken, Range<usize>)> {
        let (tokens, found) = self.found.as_mut()?;
        found.find_map(|found| {
            let sought = &tokens[found.pattern()];
            let span = self.walk.span(sought, self.text, found.range())?;
            Some((&sought.token, span))
        })
    }
}

impl<'m, 't> Iterator for Segments<'m, 't> {
    type Item = Segment<'m, 't>;

    fn next(&mut self) -> Option<Segment<'m, 't>> {
        let special = self.next.take().or_else(|| self.next_special());
        let end = special
            .as_ref()
            .map_or(self.text.len(), |special| special.1.start);
        if self.walk.done < end {
            self.next = special;
            let text = self.walk.done..end;
            self.walk.done = end;
            return Some(Segment::Text(&self.text[text.clone()], text.start));
        }
        let (token, span) = special?;
        self.walk.done = span.end;
        Some(Segment::Special(token, span))
    }
}

/// A part of a text.
pub(crate) enum Segment<'m, 't> {
    /// Text without a special token in it, and where it begins. Never empty.
    Text(&'t [u8], usize),
    /// A special token and the bytes of the text that it covers: its content, and white space that
    /// its flags strip. If a token that strips white space behind it is followed by a token that
    /// begins in this white space, both cover it.
    Special(&'m SpecialToken, Range<usize>),
}

/// How far a walk from token to token has come.
#[derive(Clone, Debug, Default)]
struct Walk {
    /// Where the last token ended, white space included; the text between two tokens begins here.
    done: usize,
    /// White space that was scanned last for a token that strips on the right. Every byte is
    /// scanned once, however many tokens begin in it.
    space: Range<usize>,
}

impl Walk {
    /// The bytes that a token covers where its content was found; `None` if it does not count there.
    fn span(&mut self, sought: &Sought, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let token = &sought.token;
        let (before, behind) = (&text[..found.start], &text[found.end..]);
        if !sought.is_allowed
            || token.single_word
                && (last_char(before).is_some_and(is_word)
                    || first_char(behind).is_some_and(is_word))
        {
            return None;
        }
        let (mut start, mut end) = (found.start, found.end);
        if token.left_strip {
            // White space that a token has taken already is not scanned again.
            while start > self.done
                && let Some(c) = last_char(&text[self.done..start]).filter(|c| c.is_whitespace())
            {
                start -= c.len_utf8();
            }
            start = start.max(self.done);
        }
        if token.right_strip {
            end = self.space_end(text, end);
        }
        // Two tokens that strip the same white space: the second has none left.
        (start < end).then_some(start..end)
    }

    /// The first `bytes` of the text were dropped.
    fn forget(&mut self, bytes: usize) {
        self.done -= bytes;
        self.space.start = self.space.start.saturating_sub(bytes);
        self.space.end = self.space.end.saturating_sub(bytes);
    }

    /// The end of the white space that begins at `from`, as far as `text` goes.
    fn space_end(&mut self, text: &[u8], from: usize) -> usize {
        if from < self.space.start || from > self.space.end {
            self.space = from..from;
        }
        while let Some(c) = first_char(&text[self.space.end..]).filter(|c| c.is_whitespace()) {
            self.space.end += c.len_utf8();
        }
        self.space.end
    }
}

impl SpecialToken {
    /// Its content as it is looked for in a normalized text.
    pub(crate) fn normalized_content(&self, normalizer: Option<Normalizer>) -> Cow<'_, [u8]> {
        match normalizer.filter(|_| self.normalized) {
            Some(normalizer) => normalizer.apply(self.content.as_bytes()),
            None => self.content.as_bytes().into(),
        }
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
    fn a_run_of_white_space_is_scanned_once() {
        // With a scan for each token it would take minutes.
        let mut newline = SpecialToken::new("\n", 1);
        newline.right_strip = true;
        let set = SpecialTokens::new([newline.clone()]).unwrap();
        let set = set.select(None, |_| true);
        let text = "\n".repeat(500_000);
        assert_eq!(set.raw.segments(text.as_bytes()).count(), text.len());
        newline.left_strip = true;
        assert_eq!(cut(&[newline], &text), ["#1@0"]);
    }

    #[test]
    fn a_token_may_begin_in_white_space_that_another_covers() {
        let mut strips = SpecialToken::new("<s>", 1);
        strips.right_strip = true;
        let set = SpecialTokens::new([strips, SpecialToken::new("  ", 2)]).unwrap();
        let set = set.select(None, |_| true);
        let parts = set.raw.segments(b"a<s>   b").map(|segment| match segment {
            Segment::Text(text, start) => (None, start..start + text.len()),
            Segment::Special(token, span) => (Some(token.id), span),
        });
        let parts: Vec<_> = parts.collect();
        let want = [(None, 0..1), (Some(1), 1..7), (Some(2), 4..6), (None, 6..8)];
        assert_eq!(parts, want);
    }

    #[test]
    fn added_tokens_are_found_always_but_in_special_tokens() {
        let added = |content, id| {
            let mut token = SpecialToken::new(content, id);
            token.control = false;
            token
        };
        let special = SpecialToken::new("<a b>", 1);
        let cut = |tokens: &[SpecialToken], allowed: bool, text: &str| {
            let set = SpecialTokens::new(tokens.to_vec()).unwrap();
            let set = set.select(None, |_| allowed);
            let segments = set.raw.segments(text.as_bytes());
            let found = segments.filter_map(|segment| match segment {
                Segment::Special(token, span) => Some((token.id, span.start)),
                Segment::Text(..) => None,
            });
            found.collect::<Vec<_>>()
        };
        let tokens = [special.clone(), added("a", 2), added("b>.", 3)];
        assert_eq!(cut(&tokens, true, "a<a b>."), [(2, 0), (1, 1)]);
        assert_eq!(cut(&tokens, false, "a<a b>."), [(2, 0)]);
        assert_eq!(
            cut(&tokens[1..], false, "a<a b>."),
            [(2, 0), (2, 2), (3, 4)]
        );
        assert_eq!(cut(&[special], false, "<a b>"), []);
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

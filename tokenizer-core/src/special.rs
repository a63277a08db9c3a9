//! Special and added tokens: strings that map to one id and are never split or merged.
//!
//! A **special token** ([`SpecialToken::special`]) is recognised in a text only if the caller allows
//! it. Any other **added token** is part of the vocabulary and always found. A [`SpecialSet`] holds
//! the tokens to recognise; it is built once and used for many texts.
//!
//! Matching is leftmost-longest. If a model has added tokens that are always found, a special token
//! that is not allowed still hides the added tokens that overlap its text, as in `tokenizers` with
//! `encode_special_tokens`; otherwise a token that is not allowed is plain text, as in `tiktoken`.
//!
//! The flags are those of `added_tokens` in a `tokenizer.json`; tiktoken's special tokens have the
//! first one only.
//!
//! A `Walk` finds the tokens, in a whole text as in one that comes in chunks. Of a text that may go
//! on, only what more text could change is held back: a prefix of a token at the end, white space at
//! the end if a token strips the white space before it, a token that strips the white space behind it
//! until that ends, and a token that must be a single word until the character behind it is known.
//! A token is final if it begins before the first place from which the rest of the text is a prefix of
//! a token: no longer token can begin where it does, and none before it.

mod beginnings;
mod finder;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use beginnings::Beginnings;
use finder::Finder;

use crate::hash::Seeds;
use crate::normalize::Normalizer;
use crate::token::TokenId;

/// A special token, or another added token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpecialToken {
    /// The text that it is recognised by. Never empty.
    pub content: String,
    /// Its id.
    pub id: TokenId,
    /// The bytes that it decodes to, if they are not those of `content`.
    pub decoded: Option<Vec<u8>>,
    /// `special` of a `tokenizer.json`: recognised only where allowed, and left out by
    /// `skip_special_tokens`. An added token without it is always found and always decoded.
    pub special: bool,
    /// Looked for in the normalised text, behind all that are looked for in the text as it is.
    pub normalized: bool,
    /// Takes the white space before it along.
    pub lstrip: bool,
    /// Takes the white space behind it along.
    pub rstrip: bool,
    /// Recognised only between characters that are no letters, digits or underscores.
    pub single_word: bool,
}

impl SpecialToken {
    /// A special token (`special`) without other flags.
    pub fn new(content: impl Into<String>, id: TokenId) -> Self {
        SpecialToken {
            content: content.into(),
            id,
            decoded: None,
            special: true,
            normalized: false,
            lstrip: false,
            rstrip: false,
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

/// The limit in bytes of all tokens of a model together. Normalization triples them at most, so their
/// automaton has fewer than 2^28 states; 2^31 can be numbered.
const MAX_BYTES: usize = 1 << 26;

/// The special and added tokens of a model.
#[derive(Clone, Debug, Default)]
pub struct SpecialTokens {
    /// By ascending id.
    tokens: Vec<SpecialToken>,
    by_content: HashMap<String, usize, Seeds>,
    by_id: HashMap<TokenId, usize, Seeds>,
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
    /// Their texts together are too long.
    #[error("special tokens of {bytes} bytes together, more than {MAX_BYTES}")]
    TooLong {
        /// The bytes of all texts.
        bytes: usize,
    },
}

impl SpecialTokens {
    /// Special tokens in any order.
    ///
    /// # Errors
    /// When one is empty, two have the same text or the same id, or their texts are too long.
    pub fn new(tokens: impl IntoIterator<Item = SpecialToken>) -> Result<Self, SpecialTokensError> {
        let mut specials = SpecialTokens {
            tokens: tokens.into_iter().collect(),
            ..Self::default()
        };
        let bytes = specials
            .tokens
            .iter()
            .map(|token| token.content.len())
            .sum();
        if bytes > MAX_BYTES {
            return Err(SpecialTokensError::TooLong { bytes });
        }
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
            let hides = tokens().any(|token| !token.special);
            let sought = tokens().map(|token| Sought {
                token: token.clone(),
                is_allowed: !token.special || allowed(token),
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

impl SpecialSet {
    /// Whether no token is recognised.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty() && self.normalized.is_empty()
    }
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
    finder: Finder,
    beginnings: Beginnings,
    /// Whether a token takes the white space before it along.
    lstrip: bool,
}

/// A token that a [`Matcher`] looks for.
#[derive(Debug)]
struct Sought {
    token: SpecialToken,
    /// `false` for a special token that only hides the added tokens that overlap it.
    is_allowed: bool,
}

impl Matcher {
    fn new(mut tokens: Vec<Sought>, normalizer: Option<Normalizer>) -> Self {
        let mut distinct = HashSet::with_hasher(Seeds::new());
        let mut contents = Vec::new();
        // Of tokens that are one when they are normalized, the first counts.
        tokens.retain(|sought| {
            let content = sought.token.normalized_content(normalizer).into_owned();
            let is_first = distinct.insert(content.clone());
            contents.extend(is_first.then_some(content));
            is_first
        });
        if tokens.iter().all(|sought| !sought.is_allowed) {
            return Self::default();
        }
        let lstrip = tokens.iter().any(|sought| sought.token.lstrip);
        let wanted = Wanted {
            tokens,
            finder: Finder::new(&contents),
            beginnings: Beginnings::new(contents),
            lstrip,
        };
        Matcher {
            wanted: Some(Arc::new(wanted)),
        }
    }

    /// `text` as special tokens and the text between them, in order. Looks no further ahead than
    /// the next token.
    pub(crate) fn segments<'m, 't>(&'m self, text: &'t [u8]) -> Segments<'m, 't> {
        Segments {
            matcher: self,
            text,
            walk: Walk::default(),
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
    text: &'t [u8],
    walk: Walk,
}

impl<'m, 't> Iterator for Segments<'m, 't> {
    type Item = Segment<'m, 't>;

    fn next(&mut self) -> Option<Segment<'m, 't>> {
        self.walk.next(self.matcher, self.text, true)
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

/// Bytes before the next token that are needed to find it: a single word looks at the character before
/// it.
const CONTEXT: usize = 4;

/// How far a walk from token to token has come. For one [`Matcher`] from the beginning of the text to
/// its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// Where the last segment ended, white space included: the text that was not given out begins
    /// here.
    done: usize,
    /// Where the next token begins at the earliest.
    search: usize,
    /// The number and the bytes of a token that was found behind text.
    found: Option<(usize, Range<usize>)>,
    /// White space that was scanned last for a token that strips on the right. Every byte is
    /// scanned once, however many tokens begin in it.
    space: Range<usize>,
    /// From `done` up to here, if that is behind it, all is white space.
    spaces: usize,
}

impl Walk {
    /// The next segment of `text`, which may go on unless `is_last`. `None` when nothing more is certain:
    /// then the text may be continued, and what [`Walk::forget`] drops left out.
    ///
    /// Text between two tokens is one segment if `is_last`; of a text that goes on, it may come in
    /// several.
    pub(crate) fn next<'m, 't>(
        &mut self,
        matcher: &'m Matcher,
        text: &'t [u8],
        is_last: bool,
    ) -> Option<Segment<'m, 't>> {
        let Some(wanted) = matcher.wanted.as_deref() else {
            return self.text_until(text.len(), text);
        };
        let found = self.found.take();
        if let Some((number, span)) = found.or_else(|| self.find(wanted, text, is_last)) {
            if let Some(segment) = self.text_until(span.start, text) {
                self.found = Some((number, span));
                return Some(segment);
            }
            self.done = span.end;
            return Some(Segment::Special(&wanted.tokens[number].token, span));
        }
        let end = match is_last || !wanted.lstrip {
            true => self.search,
            false => self.before_spaces(text),
        };
        self.text_until(end, text)
    }

    /// Drops the beginning of a text whose next segment is not certain yet, and gives its length: all
    /// bytes but those that are needed to find what follows.
    pub(crate) fn forget(&mut self, matcher: &Matcher) -> usize {
        let bytes = match matcher.is_empty() {
            true => self.done,
            false => self.done.min(self.search).saturating_sub(CONTEXT),
        };
        self.done -= bytes;
        self.search = self.search.saturating_sub(bytes);
        self.space.start = self.space.start.saturating_sub(bytes);
        self.space.end = self.space.end.saturating_sub(bytes);
        self.spaces = self.spaces.saturating_sub(bytes);
        bytes
    }

    fn text_until<'m, 't>(&mut self, end: usize, text: &'t [u8]) -> Option<Segment<'m, 't>> {
        let start = self.done;
        (start < end).then(|| {
            self.done = end;
            Segment::Text(&text[start..end], start)
        })
    }

    /// The next token that is certain, and the bytes that it covers. Without one, `search` is where the
    /// next may begin.
    fn find(
        &mut self,
        wanted: &Wanted,
        text: &[u8],
        is_last: bool,
    ) -> Option<(usize, Range<usize>)> {
        loop {
            let unfinished = match is_last {
                true => text.len(),
                false => wanted.beginnings.first_unfinished(text, self.search),
            };
            let found = (wanted.finder.find(text, self.search))
                .filter(|(_, found)| is_last || found.start < unfinished);
            let Some((number, found)) = found else {
                self.search = unfinished;
                return None;
            };
            let sought = &wanted.tokens[number];
            if !is_last && !self.is_certain(sought, text, found.end) {
                self.search = found.start;
                return None;
            }
            self.search = found.end;
            if let Some(span) = self.span(sought, text, found) {
                return Some((number, span));
            }
        }
    }

    /// Whether more text changes nothing about a token whose content ends at `end`.
    fn is_certain(&mut self, sought: &Sought, text: &[u8], end: usize) -> bool {
        let token = &sought.token;
        if !sought.is_allowed || !token.rstrip && !token.single_word {
            return true;
        }
        let behind = match token.rstrip {
            true => self.space_end(text, end),
            false => end,
        };
        begins_with_whole_char(&text[behind..])
    }

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
        if token.lstrip {
            // White space that a token has taken already is not scanned again.
            while start > self.done
                && let Some(c) = last_char(&text[self.done..start]).filter(|c| c.is_whitespace())
            {
                start -= c.len_utf8();
            }
            start = start.max(self.done);
        }
        if token.rstrip {
            end = self.space_end(text, end);
        }
        // Two tokens that strip the same white space: the second has none left.
        (start < end).then_some(start..end)
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

    /// The end of the text that no token strips anything of: it ends before white space behind which
    /// the next token may begin.
    fn before_spaces(&mut self, text: &[u8]) -> usize {
        if self.search <= self.done {
            return self.done;
        }
        // White space that was looked at before is not looked at again.
        let looked_at = self.spaces.max(self.done);
        let known = whole_chars(&text[..self.search]).max(looked_at);
        let mut end = known;
        while let Some(c) = last_char(&text[looked_at..end]).filter(|c| c.is_whitespace()) {
            end -= c.len_utf8();
        }
        self.spaces = known;
        match end == looked_at {
            true => self.done,
            false => end,
        }
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

/// The length of `text` without the beginning of a character at its end.
fn whole_chars(text: &[u8]) -> usize {
    (text.len().saturating_sub(3)..text.len())
        .find(|&at| !begins_with_whole_char(&text[at..]))
        .unwrap_or(text.len())
}

/// Whether the first character of `text` is there, or certainly none.
fn begins_with_whole_char(text: &[u8]) -> bool {
    let head = &text[..text.len().min(4)];
    match std::str::from_utf8(head) {
        Ok(head) => !head.is_empty(),
        Err(error) => error.valid_up_to() > 0 || error.error_len().is_some(),
    }
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
    use proptest::prelude::*;

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
        (strip.lstrip, strip.rstrip) = (true, true);
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
        newline.rstrip = true;
        let set = SpecialTokens::new([newline.clone()]).unwrap();
        let set = set.select(None, |_| true);
        let text = "\n".repeat(500_000);
        assert_eq!(set.raw.segments(text.as_bytes()).count(), text.len());
        newline.lstrip = true;
        assert_eq!(cut(&[newline], &text), ["#1@0"]);
    }

    #[test]
    fn a_token_may_begin_in_white_space_that_another_covers() {
        let mut strips = SpecialToken::new("<s>", 1);
        strips.rstrip = true;
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
            token.special = false;
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

    #[test]
    fn texts_too_long_for_an_automaton_are_refused() {
        let bytes = MAX_BYTES + 1;
        let token = SpecialToken::new("a".repeat(bytes), 1);
        let error = SpecialTokensError::TooLong { bytes };
        assert_eq!(SpecialTokens::new([token]), Err(error));
    }

    #[test]
    fn of_tokens_with_one_normalized_text_the_first_is_found() {
        let token = |content: &str, id| {
            let mut token = SpecialToken::new(content, id);
            token.normalized = true;
            token
        };
        let tokens = [token("e\u{301}", 1), token("é", 2), token("éa", 3)];
        let set = SpecialTokens::new(tokens).unwrap();
        let set = set.select(Some(Normalizer::Nfc), |_| true);
        let found = set.normalized.segments("ééa".as_bytes());
        let ids = found.map(|segment| match segment {
            Segment::Special(token, _) => token.id,
            Segment::Text(..) => 0,
        });
        assert_eq!(ids.collect::<Vec<_>>(), [1, 3]);
    }

    /// A token's id, or `None` for text, and the bytes of the text that it covers.
    type Part = (Option<TokenId>, Range<usize>);

    fn part(segment: &Segment<'_, '_>, offset: usize) -> Part {
        match segment {
            Segment::Text(text, start) => (None, offset + start..offset + start + text.len()),
            Segment::Special(token, span) => {
                (Some(token.id), offset + span.start..offset + span.end)
            }
        }
    }

    /// The walk through a text that comes in chunks, text that touches text joined.
    fn walk_in_chunks(matcher: &Matcher, text: &[u8], chunks: &[usize]) -> Vec<Part> {
        let (mut walk, mut held, mut offset) = (Walk::default(), Vec::new(), 0);
        let mut parts: Vec<Part> = Vec::new();
        let (mut rest, mut sizes) = (text, chunks.iter().cycle());
        let mut is_last = false;
        while !is_last {
            let size = rest.len().min(*sizes.next().expect("a cycle"));
            let (chunk, behind) = rest.split_at(size);
            (rest, is_last) = (behind, rest.is_empty());
            held.extend_from_slice(chunk);
            while let Some(segment) = walk.next(matcher, &held, is_last) {
                match (part(&segment, offset), parts.last_mut()) {
                    ((None, more), Some((None, span))) => span.end = more.end,
                    (part, _) => parts.push(part),
                }
            }
            let forgotten = walk.forget(matcher);
            held.drain(..forgotten);
            offset += forgotten;
        }
        parts
    }

    fn any_token() -> impl Strategy<Value = SpecialToken> {
        let content = "[ab<>_ \n\u{3000}éΩ\u{301}]{1,4}";
        (content, any::<[bool; 5]>()).prop_map(|(content, flags)| {
            let mut token = SpecialToken::new(content, 0);
            [
                token.special,
                token.normalized,
                token.lstrip,
                token.rstrip,
                token.single_word,
            ] = flags;
            token
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn chunks_have_the_segments_of_the_whole(
            tokens in prop::collection::vec((any_token(), any::<bool>()), 0..6),
            letters in prop::collection::vec(
                prop::sample::select(vec![
                    &b"a"[..], b"b", b"<", b">", b"_", b" ", b"\n", "\u{3000}".as_bytes(),
                    "é".as_bytes(), "\u{2126}".as_bytes(), "e\u{301}".as_bytes(),
                    b"\xE3", b"\x80", b"\xF0\x9F", b"\xFF",
                ]),
                0..60,
            ),
            chunks in prop::collection::vec(1usize..9, 1..6),
        ) {
            let mut contents = std::collections::HashSet::new();
            let mut tokens = tokens;
            tokens.retain(|(token, _)| contents.insert(token.content.clone()));
            let allowed: Vec<bool> = tokens.iter().map(|&(_, allowed)| allowed).collect();
            let numbered = tokens.into_iter().zip(0..).map(|((token, _), id)| SpecialToken { id, ..token });
            let specials = SpecialTokens::new(numbered).unwrap();
            let set = specials.select(Some(Normalizer::Nfc), |token| allowed[token.id as usize]);
            let text = letters.concat();
            for matcher in [&set.raw, &set.normalized] {
                let whole: Vec<Part> = matcher.segments(&text).map(|s| part(&s, 0)).collect();
                prop_assert_eq!(walk_in_chunks(matcher, &text, &chunks), whole);
            }
        }
    }
}

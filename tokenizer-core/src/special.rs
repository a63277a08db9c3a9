//! Special and added tokens: strings that map to one id and are never split or merged.
//!
//! A **special token** ([`SpecialToken::special`]) is recognised in a text only if the caller allows
//! it. Any other **added token** is part of the vocabulary and always recognised. A [`SpecialSet`] is
//! the compiled set of tokens to recognise; it is built once and used for many texts.
//!
//! Matching is leftmost-longest (Aho-Corasick). A special token that is not allowed is plain text, as in
//! `tiktoken`. But if a model also has added tokens that are always recognised, it *hides* those that overlap
//! it: they are not recognised, as in `tokenizers` with `encode_special_tokens`.
//!
//! The flags of a token are those of `added_tokens` in a `tokenizer.json`. In tiktoken's special tokens, only
//! the flag `special` is set.
//!
//! `Walk` finds the tokens of a whole text, or of a text that arrives in chunks. Between chunks it holds back
//! only text in which later bytes could change the segments:
//!
//! - a proper prefix of a token at the end,
//! - white space at the end, if some token strips white space on its left,
//! - a token that strips white space on its right, until this white space ends,
//! - a single-word token, until the next character is known.
//!
//! Let `p` be the first position from which the rest of the text is a proper prefix of a token. If the content
//! of a token matches before `p`, the match is final: more text can produce neither an earlier match nor a
//! longer one.

mod finder;
mod prefixes;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use finder::Finder;
use prefixes::Prefixes;

use crate::hash::Seeds;
use crate::normalize::Normalizer;
use crate::token::TokenId;

/// A special token or another added token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpecialToken {
    /// The text that the token matches. [`SpecialTokens::new`] refuses an empty one.
    pub content: String,
    /// The id of the token.
    pub id: TokenId,
    /// The bytes that the token decodes to, if they differ from `content`.
    pub decoded: Option<Vec<u8>>,
    /// Recognised only if the caller allows it, and omitted by decoding with `skip_special_tokens`. An added
    /// token without this flag is always recognised and always decoded.
    pub special: bool,
    /// Matched in the normalized text, after all tokens without this flag were matched in the original.
    pub normalized: bool,
    /// The match includes the white space before `content`.
    pub lstrip: bool,
    /// The match includes the white space after `content`.
    pub rstrip: bool,
    /// Recognised only if the characters before and after it do not match `\w`.
    pub single_word: bool,
}

impl SpecialToken {
    /// Creates a special token: the flag `special` is set, all others are not.
    #[must_use]
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

    /// Returns the bytes that the token decodes to.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.decoded {
            Some(bytes) => bytes,
            None => self.content.as_bytes(),
        }
    }
}

/// The maximum total length in bytes of the tokens of a model, before and after normalization: 4 MiB. Building
/// the Aho-Corasick automaton takes about 100 bytes of memory for each byte of the tokens.
const MAX_BYTES: usize = 1 << 22;

/// The special and added tokens of a model.
#[derive(Clone, Debug, Default)]
pub struct SpecialTokens {
    /// By ascending id.
    tokens: Vec<SpecialToken>,
    by_content: HashMap<String, usize, Seeds>,
    by_id: HashMap<TokenId, usize, Seeds>,
}

/// An invalid list of special tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecialTokensError {
    /// A special token is empty.
    #[error("empty special token")]
    Empty,
    /// Two tokens have the same text.
    #[error("duplicate special token {content:?}")]
    RepeatedContent {
        /// The text.
        content: String,
    },
    /// Two tokens have the same id.
    #[error("duplicate id {id} of the special tokens {first:?} and {second:?}")]
    RepeatedId {
        /// The id.
        id: TokenId,
        /// The text of one token.
        first: String,
        /// The text of the other.
        second: String,
    },
    /// The texts together are too long, before or after normalization.
    #[error("special tokens of {bytes} bytes in total, above the limit of {MAX_BYTES}")]
    TooLong {
        /// Total length in bytes of the texts, or of those up to which the limit is exceeded.
        bytes: usize,
    },
}

/// Checks that the normalizer does not make the contents of tokens too long together.
///
/// # Errors
/// [`SpecialTokensError::TooLong`].
pub(crate) fn check_normalized<'s>(
    tokens: impl IntoIterator<Item = &'s SpecialToken>,
    normalizer: Option<&Normalizer>,
) -> Result<(), SpecialTokensError> {
    let mut bytes = 0;
    for token in tokens {
        bytes += token.normalized_content(normalizer).len();
        if bytes > MAX_BYTES {
            return Err(SpecialTokensError::TooLong { bytes });
        }
    }
    Ok(())
}

impl SpecialTokens {
    /// Creates the collection from tokens in any order.
    ///
    /// # Errors
    /// If a token is empty, two tokens have the same text or id, or the texts together are too long.
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
        for (index, token) in specials.tokens.iter().enumerate() {
            if token.content.is_empty() {
                return Err(SpecialTokensError::Empty);
            }
            if let Some(other) = specials.by_id.insert(token.id, index) {
                return Err(SpecialTokensError::RepeatedId {
                    id: token.id,
                    first: specials.tokens[other].content.clone(),
                    second: token.content.clone(),
                });
            }
            let content = token.content.clone();
            if specials.by_content.insert(content, index).is_some() {
                return Err(SpecialTokensError::RepeatedContent {
                    content: token.content.clone(),
                });
            }
        }
        Ok(specials)
    }

    /// Returns the number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Returns whether there are no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Returns the tokens by ascending id.
    pub fn iter(&self) -> std::slice::Iter<'_, SpecialToken> {
        self.tokens.iter()
    }

    /// Returns the token with this text.
    #[must_use]
    pub fn by_content(&self, content: &str) -> Option<&SpecialToken> {
        self.by_content
            .get(content)
            .map(|&index| &self.tokens[index])
    }

    /// Returns the token with this id.
    #[must_use]
    pub fn by_id(&self, id: TokenId) -> Option<&SpecialToken> {
        self.by_id.get(&id).map(|&index| &self.tokens[index])
    }

    /// Builds the set of the special tokens that `allowed` accepts and of all tokens that are not special, in
    /// time linear in the length of their texts.
    pub(crate) fn select(
        &self,
        normalizer: Option<&Normalizer>,
        allowed: impl Fn(&SpecialToken) -> bool,
    ) -> SpecialSet {
        let matcher = |normalized: bool| {
            let tokens = || self.tokens.iter().filter(|t| t.normalized == normalized);
            let has_added = tokens().any(|token| !token.special);
            let entries = tokens().map(|token| Entry {
                token: token.clone(),
                is_allowed: !token.special || allowed(token),
            });
            // A special token that is not allowed may still hide an added token.
            let entries = entries.filter(|entry| entry.is_allowed || has_added);
            Matcher::new(entries.collect(), normalizer.filter(|_| normalized))
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

/// A compiled set of special and added tokens to recognise, created by
/// [`Model::special_set`](crate::Model::special_set) or
/// [`Model::all_specials`](crate::Model::all_specials).
///
/// Build it once and use it for many texts: building is linear in the length of all tokens.
#[derive(Clone, Debug, Default)]
pub struct SpecialSet {
    pub(crate) raw: Matcher,
    pub(crate) normalized: Matcher,
}

impl SpecialSet {
    /// Returns whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty() && self.normalized.is_empty()
    }
}

/// Finds special and added tokens in a text. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    /// `None` if there are no tokens.
    shared: Option<Arc<Shared>>,
}

/// The immutable part of a [`Matcher`].
#[derive(Debug)]
struct Shared {
    entries: Vec<Entry>,
    finder: Finder,
    prefixes: Prefixes,
    /// Whether any token strips on the left.
    lstrip: bool,
}

#[derive(Debug)]
struct Entry {
    token: SpecialToken,
    /// `false` for a special token that only hides overlapping added tokens.
    is_allowed: bool,
}

impl Matcher {
    fn new(mut entries: Vec<Entry>, normalizer: Option<&Normalizer>) -> Self {
        let mut distinct = HashSet::with_hasher(Seeds::new());
        let mut contents = Vec::new();
        // Of tokens with the same normalized content, only the first is recognised.
        entries.retain(|entry| {
            let content = entry.token.normalized_content(normalizer).into_owned();
            let is_first = distinct.insert(content.clone());
            contents.extend(is_first.then_some(content));
            is_first
        });
        if entries.iter().all(|entry| !entry.is_allowed) {
            return Self::default();
        }
        let lstrip = entries.iter().any(|entry| entry.token.lstrip);
        let shared = Shared {
            entries,
            finder: Finder::new(&contents),
            prefixes: Prefixes::new(contents),
            lstrip,
        };
        Matcher {
            shared: Some(Arc::new(shared)),
        }
    }

    /// Splits `text` lazily into special tokens and the text between them.
    pub(crate) fn segments<'m, 't>(&'m self, text: &'t [u8]) -> Segments<'m, 't> {
        Segments {
            matcher: self,
            text,
            walk: Walk::default(),
        }
    }

    /// Returns whether there are no tokens to find.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared.is_none()
    }
}

/// Iterator returned by [`Matcher::segments`].
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

/// A special token or the text between two of them.
pub(crate) enum Segment<'m, 't> {
    /// Text without special tokens, and its offset. Never empty.
    Text(&'t [u8], usize),
    /// A special token and the range that it covers: its content and the white space that its flags
    /// strip. A token that starts within the white space stripped by the previous one overlaps it.
    Special(&'m SpecialToken, Range<usize>),
}

/// Number of bytes that [`Walk::forget`] keeps before the next possible token: whether a single-word token is
/// recognised depends on the character before it, which has up to four bytes.
const CONTEXT: usize = 4;

/// The state of a left-to-right search for the tokens of one [`Matcher`] in one text. All positions are
/// byte offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// The end of the last segment, stripped white space included.
    done: usize,
    /// The next token does not start before this position.
    search: usize,
    /// A token found after text that must be returned first: its index in [`Shared::entries`], and its range.
    found: Option<(usize, Range<usize>)>,
    /// The white space last scanned for a token that strips on the right. It is not scanned again, so time is
    /// linear even if a token starts at each byte of it.
    right_space: Range<usize>,
    /// If greater than `done`, the text from `done` to this position is white space.
    space_end: usize,
}

impl Walk {
    /// Returns the next segment of `text`. Returns `None` at the end of the text or, unless `is_last`, if
    /// more text is needed to determine the segment. The caller may then remove as many bytes from the front
    /// as [`Walk::forget`] returns, append more text and call again.
    ///
    /// Text between two tokens is one segment if `is_last`; otherwise it may be split into several.
    pub(crate) fn next<'m, 't>(
        &mut self,
        matcher: &'m Matcher,
        text: &'t [u8],
        is_last: bool,
    ) -> Option<Segment<'m, 't>> {
        let Some(shared) = matcher.shared.as_deref() else {
            return self.text_until(text.len(), text);
        };
        let found = self.found.take();
        if let Some((number, span)) = found.or_else(|| self.find(shared, text, is_last)) {
            if let Some(segment) = self.text_until(span.start, text) {
                self.found = Some((number, span));
                return Some(segment);
            }
            self.done = span.end;
            return Some(Segment::Special(&shared.entries[number].token, span));
        }
        let end = match is_last || !shared.lstrip {
            true => self.search,
            false => self.before_spaces(text),
        };
        self.text_until(end, text)
    }

    /// Forgets the longest prefix of the text that is not needed to find later segments, and returns
    /// its length. Call it after [`Walk::next`] returned `None`.
    pub(crate) fn forget(&mut self, matcher: &Matcher) -> usize {
        let bytes = match matcher.is_empty() {
            true => self.done,
            false => self.done.min(self.search).saturating_sub(CONTEXT),
        };
        self.done -= bytes;
        self.search = self.search.saturating_sub(bytes);
        self.right_space.start = self.right_space.start.saturating_sub(bytes);
        self.right_space.end = self.right_space.end.saturating_sub(bytes);
        self.space_end = self.space_end.saturating_sub(bytes);
        bytes
    }

    /// Returns the text from `done` to `end`, unless it is empty.
    fn text_until<'m, 't>(&mut self, end: usize, text: &'t [u8]) -> Option<Segment<'m, 't>> {
        let start = self.done;
        (start < end).then(|| {
            self.done = end;
            Segment::Text(&text[start..end], start)
        })
    }

    /// Returns the index of the next token whose match is final, and the range that it covers. If there is
    /// none, sets `search` to the earliest possible start of the next token.
    fn find(
        &mut self,
        shared: &Shared,
        text: &[u8],
        is_last: bool,
    ) -> Option<(usize, Range<usize>)> {
        loop {
            let partial = match is_last {
                true => text.len(),
                false => shared.prefixes.partial_match(text, self.search),
            };
            let found = (shared.finder.find(text, self.search))
                .filter(|(_, found)| is_last || found.start < partial);
            let Some((number, found)) = found else {
                self.search = partial;
                return None;
            };
            let entry = &shared.entries[number];
            if !is_last && !self.is_final(entry, text, found.end) {
                self.search = found.start;
                return None;
            }
            self.search = found.end;
            if let Some(span) = self.span(entry, text, found) {
                return Some((number, span));
            }
        }
    }

    /// Returns whether no appended text can change the range of a token whose content ends at `end`, nor
    /// whether the token is recognised.
    fn is_final(&mut self, entry: &Entry, text: &[u8], end: usize) -> bool {
        let token = &entry.token;
        if !entry.is_allowed || !token.rstrip && !token.single_word {
            return true;
        }
        let next = match token.rstrip {
            true => self.skip_space(text, end),
            false => end,
        };
        begins_with_whole_char(&text[next..])
    }

    /// Returns the range covered by a token whose content was found at `found`. Returns `None` if the token
    /// is not allowed, if it must be a single word and is not, or if the previous token covers all of it.
    fn span(&mut self, entry: &Entry, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let token = &entry.token;
        let (before, after) = (&text[..found.start], &text[found.end..]);
        if !entry.is_allowed
            || token.single_word
                && (last_char(before).is_some_and(is_word)
                    || first_char(after).is_some_and(is_word))
        {
            return None;
        }
        let (mut start, mut end) = (found.start, found.end);
        if token.lstrip {
            // White space before `done` belongs to the previous token.
            while start > self.done
                && let Some(c) = last_char(&text[self.done..start]).filter(|c| c.is_whitespace())
            {
                start -= c.len_utf8();
            }
            start = start.max(self.done);
        }
        if token.rstrip {
            end = self.skip_space(text, end);
        }
        // The range is empty if a token of white space was stripped as a whole by the previous token.
        (start < end).then_some(start..end)
    }

    /// Returns the end of the white space that starts at `from`.
    fn skip_space(&mut self, text: &[u8], from: usize) -> usize {
        if from < self.right_space.start || from > self.right_space.end {
            self.right_space = from..from;
        }
        let end = &mut self.right_space.end;
        while let Some(c) = first_char(&text[*end..]).filter(|c| c.is_whitespace()) {
            *end += c.len_utf8();
        }
        *end
    }

    /// Returns the end of the text before `search` that no later token can strip: the start of the white
    /// space that ends at `search`.
    fn before_spaces(&mut self, text: &[u8]) -> usize {
        if self.search <= self.done {
            return self.done;
        }
        // The text from `done` to here is known to be white space. It is not scanned again.
        let scanned = self.space_end.max(self.done);
        let scan_end = whole_chars(&text[..self.search]).max(scanned);
        let mut end = scan_end;
        while let Some(c) = last_char(&text[scanned..end]).filter(|c| c.is_whitespace()) {
            end -= c.len_utf8();
        }
        self.space_end = scan_end;
        match end == scanned {
            true => self.done,
            false => end,
        }
    }
}

impl SpecialToken {
    /// Returns the content to match: normalized, if the token is matched in the normalized text.
    pub(crate) fn normalized_content(&self, normalizer: Option<&Normalizer>) -> Cow<'_, [u8]> {
        match normalizer.filter(|_| self.normalized) {
            Some(normalizer) => normalizer.apply_to_token(self.content.as_bytes()),
            None => self.content.as_bytes().into(),
        }
    }
}

/// Returns whether `c` matches `\w`, by which `tokenizers` defines single words.
fn is_word(c: char) -> bool {
    static WORD: std::sync::LazyLock<fancy_regex::Regex> =
        std::sync::LazyLock::new(|| fancy_regex::Regex::new(r"\w").expect("a valid class"));
    WORD.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
}

/// Returns the length of `text` without an incomplete character at its end.
fn whole_chars(text: &[u8]) -> usize {
    (text.len().saturating_sub(3)..text.len())
        .find(|&at| !begins_with_whole_char(&text[at..]))
        .unwrap_or(text.len())
}

/// Returns whether `text` starts with a complete character or with bytes that more text cannot complete.
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

    fn segments(tokens: &[SpecialToken], text: &str) -> Vec<String> {
        let specials = SpecialTokens::new(tokens.to_vec()).unwrap();
        let set = specials.select(None, |_| true);
        let mut end = 0;
        let mut joined = |start: usize, length: usize| {
            assert_eq!(start, end);
            end += length;
        };
        let found = set.raw.segments(text.as_bytes());
        let parts = found.map(|segment| match segment {
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
    fn the_longest_match_wins() {
        let tokens = [
            SpecialToken::new("<a", 1),
            SpecialToken::new("<a>", 2),
            SpecialToken::new("<a><b>", 3),
        ];
        assert_eq!(
            segments(&tokens, "x<a><a><b><ay"),
            ["x", "#2@1", "#3@4", "#1@10", "y"]
        );
        assert!(segments(&tokens, "").is_empty());
    }

    #[test]
    fn strip_and_single_word_flags_are_obeyed() {
        let mut strip = SpecialToken::new("[S]", 1);
        (strip.lstrip, strip.rstrip) = (true, true);
        let mut single = SpecialToken::new("dog", 2);
        single.single_word = true;
        let tokens = [strip, single];
        assert_eq!(segments(&tokens, "a \u{3000}[S]\n b"), ["a", "#1@1", "b"]);
        assert_eq!(segments(&tokens, "[S]  [S]"), ["#1@0", "#1@5"]);
        assert_eq!(
            segments(&tokens, "dog dogs _dog .dog"),
            ["#2@0", " dogs _dog .", "#2@15"]
        );
    }

    #[test]
    fn a_run_of_white_space_is_scanned_once() {
        // Scanning it for each token would take minutes.
        let mut newline = SpecialToken::new("\n", 1);
        newline.rstrip = true;
        let set = SpecialTokens::new([newline.clone()]).unwrap();
        let set = set.select(None, |_| true);
        let text = "\n".repeat(500_000);
        assert_eq!(set.raw.segments(text.as_bytes()).count(), text.len());
        newline.lstrip = true;
        assert_eq!(segments(&[newline], &text), ["#1@0"]);
    }

    #[test]
    fn a_token_may_start_in_white_space_that_another_strips() {
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
    fn added_tokens_are_recognised_except_within_special_tokens() {
        let added = |content, id| {
            let mut token = SpecialToken::new(content, id);
            token.special = false;
            token
        };
        let special = SpecialToken::new("<a b>", 1);
        let found = |tokens: &[SpecialToken], allowed: bool, text: &str| {
            let set = SpecialTokens::new(tokens.to_vec()).unwrap();
            let set = set.select(None, |_| allowed);
            let segments = set.raw.segments(text.as_bytes());
            let ids = segments.filter_map(|segment| match segment {
                Segment::Special(token, span) => Some((token.id, span.start)),
                Segment::Text(..) => None,
            });
            ids.collect::<Vec<_>>()
        };
        let tokens = [special.clone(), added("a", 2), added("b>.", 3)];
        assert_eq!(found(&tokens, true, "a<a b>."), [(2, 0), (1, 1)]);
        assert_eq!(found(&tokens, false, "a<a b>."), [(2, 0)]);
        assert_eq!(
            found(&tokens[1..], false, "a<a b>."),
            [(2, 0), (2, 2), (3, 4)]
        );
        assert_eq!(found(&[special], false, "<a b>"), []);
    }

    #[test]
    fn empty_and_duplicate_tokens_are_refused() {
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
    fn tokens_above_the_limit_are_refused() {
        let bytes = MAX_BYTES + 1;
        let token = SpecialToken::new("a".repeat(bytes), 1);
        let error = SpecialTokensError::TooLong { bytes };
        assert_eq!(SpecialTokens::new([token]), Err(error));
    }

    #[test]
    fn tokens_with_equal_normalized_content_match_as_the_first() {
        let token = |content: &str, id| {
            let mut token = SpecialToken::new(content, id);
            token.normalized = true;
            token
        };
        let tokens = [token("e\u{301}", 1), token("é", 2), token("éa", 3)];
        let set = SpecialTokens::new(tokens).unwrap();
        let set = set.select(Some(&Normalizer::Nfc), |_| true);
        let found = set.normalized.segments("ééa".as_bytes());
        let ids = found.map(|segment| match segment {
            Segment::Special(token, _) => token.id,
            Segment::Text(..) => 0,
        });
        assert_eq!(ids.collect::<Vec<_>>(), [1, 3]);
    }

    /// The id of a token, or `None` for text, and the range that it covers.
    type Covered = (Option<TokenId>, Range<usize>);

    fn covered(segment: &Segment<'_, '_>, offset: usize) -> Covered {
        match segment {
            Segment::Text(text, start) => (None, offset + start..offset + start + text.len()),
            Segment::Special(token, span) => {
                (Some(token.id), offset + span.start..offset + span.end)
            }
        }
    }

    /// The segments of a text that arrives in chunks; adjacent segments of text are joined.
    fn walk_in_chunks(matcher: &Matcher, text: &[u8], chunks: &[usize]) -> Vec<Covered> {
        let (mut walk, mut held, mut offset) = (Walk::default(), Vec::new(), 0);
        let mut parts: Vec<Covered> = Vec::new();
        let (mut rest, mut sizes) = (text, chunks.iter().cycle());
        let mut is_last = false;
        while !is_last {
            let size = rest.len().min(*sizes.next().expect("a cycle"));
            let (chunk, after) = rest.split_at(size);
            (rest, is_last) = (after, rest.is_empty());
            held.extend_from_slice(chunk);
            while let Some(segment) = walk.next(matcher, &held, is_last) {
                match (covered(&segment, offset), parts.last_mut()) {
                    ((None, more), Some((None, span))) => span.end = more.end,
                    (part, _) => parts.push(part),
                }
            }
            let discarded = walk.forget(matcher);
            held.drain(..discarded);
            offset += discarded;
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
        fn chunked_text_has_the_segments_of_the_whole(
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
            let set = specials.select(Some(&Normalizer::Nfc), |token| allowed[token.id as usize]);
            let text = letters.concat();
            for matcher in [&set.raw, &set.normalized] {
                let whole: Vec<Covered> = matcher.segments(&text).map(|s| covered(&s, 0)).collect();
                prop_assert_eq!(walk_in_chunks(matcher, &text, &chunks), whole);
            }
        }
    }
}

//! Counting and truncating texts up to a limit of ids.
//!
//! Ids are not stored, and usually little of the text after the limit is read. So counting and truncating both
//! cost about as much as encoding the text up to the limit; the methods state the exceptions.
//!
//! # Truncation
//!
//! A longer prefix may have fewer ids: 1,000 repetitions of `a` may take ten ids, and 1,001 repetitions only
//! one. So the longest prefix that fits is found in two steps.
//!
//! 1. **Cuts.** A cut is a position where the pattern is known to split
//!    ([`Pattern::first_cut`](crate::Pattern::first_cut)). If a prefix contains a cut, its ids are those of
//!    the text before the cut, followed by those of the text after it. So the count grows from cut to cut.
//!    Only the interval between the last cut up to which the text fits and the next cut is searched: a few
//!    words, or a piece of a million letters.
//! 2. **Search.** In the interval, galloping and bisection find a prefix that fits but would exceed
//!    the limit if extended by one character. Then the next longer prefixes are tried, the longest
//!    of them first: as many as have [`RETRY_BYTES`] bytes in total, and at least [`MIN_RETRIES`].
//!
//! There are no cuts if the pattern uses the regex engine, if the normalizer changes the text, or if special
//! or added tokens are recognized. The interval is then the whole text.

use super::encoder::Request;
use super::error::EncodeError;
use crate::normalize::Normalizer;

/// Bytes that may be encoded again to find a longer prefix than bisection did. This takes 0.5 to 2 ms, and
/// suffices to try every prefix of an interval of 360 bytes.
const RETRY_BYTES: usize = 1 << 16;

/// Bytes after a prefix that may compose with its last characters: a few combining marks.
const COMPOSE_MARGIN: usize = 64;

/// Number of longer prefixes to try after bisection, regardless of [`RETRY_BYTES`].
const MIN_RETRIES: usize = 16;

/// A prefix of a text. Created by [`Request::truncate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated<'t> {
    /// The prefix.
    pub text: &'t [u8],
    /// The number of its ids.
    pub tokens: usize,
}

impl Request<'_> {
    /// Returns the number of ids of `text`, or `None` if there are more than `limit`. Uses one thread.
    ///
    /// Takes about as long as encoding text of `limit` ids, however long the text is. But if the model has a
    /// normalizer, or if special or added tokens are recognized, the whole text may be normalized and
    /// searched for tokens first.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Tokenizer};
    ///
    /// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// assert_eq!(tokenizer.request().count_till_limit(b"hello", 5)?, Some(5));
    /// assert_eq!(tokenizer.request().count_till_limit(&b"hello".repeat(1000), 5)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Same as [`Request::encode`], unless the limit is exceeded before the pattern fails.
    pub fn count_till_limit(
        &self,
        text: impl AsRef<[u8]>,
        limit: usize,
    ) -> Result<Option<usize>, EncodeError> {
        let (encoder, text) = (self.encoder, text.as_ref());
        let segments = encoder.segments(text, self.allowed);
        let counted = encoder.count_segments(&mut encoder.session(), segments, self.stop, limit);
        counted.map_err(|error| self.located(text, error))
    }

    /// Returns the longest prefix of `text` with at most `limit` ids when encoded on its own.
    ///
    /// The prefix ends between two characters. A maximal invalid sequence of bytes counts as one character.
    /// Uses one thread.
    ///
    /// The search is bounded, so in the following cases a longer prefix may fit too, though none of the next
    /// 16 longer ones does:
    ///
    /// - The text has more than a few hundred bytes without a position where the pattern is known to split (a
    ///   long word, a run of spaces, Chinese without punctuation).
    /// - The pattern [uses the regex engine](crate::Pattern::uses_regex_engine).
    /// - The normalizer changes the text.
    /// - Special tokens are allowed, or the model has added tokens that are not special.
    /// - The model has [`Symbols`](crate::Symbols).
    ///
    /// Takes about as long as encoding text of `limit` ids, however long the text is; in the cases above, a
    /// few dozen times as long, and all of the text may be normalized and searched for tokens.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Tokenizer};
    ///
    /// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// let truncated = tokenizer.request().truncate(b"one two three", 10)?;
    /// assert_eq!((truncated.text, truncated.tokens), (&b"one two th"[..], 10));
    /// // Each character is three bytes, and each byte an id.
    /// let truncated = tokenizer.request().truncate("没有标点".as_bytes(), 8)?;
    /// assert_eq!((truncated.text, truncated.tokens), ("没有".as_bytes(), 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Same as [`Request::encode`], but the pattern may also fail on a prefix that is tried. A prefix that needs a
    /// token that the model lacks is skipped.
    pub fn truncate<'t>(&self, text: &'t [u8], limit: usize) -> Result<Truncated<'t>, EncodeError> {
        let model = self.encoder.model();
        // If normalization changes nothing, a prefix of more bytes than this has more than `limit` ids.
        let max_bytes = limit.saturating_mul(model.vocab().longest());
        // Characters after such a prefix may compose with its last one.
        let read = text.len().min(max_bytes.saturating_add(1 + COMPOSE_MARGIN));
        let read = &text[..start_of_character(text, read)];
        let has_cuts = !model.pattern().uses_regex_engine()
            && self.allowed.is_empty()
            // An unknown token may cover any number of bytes.
            && model.symbols().is_none()
            && model.rewrites().is_empty()
            && model.normalizer().is_none_or(|normalizer| {
                // Other normalizers may change the end of a prefix of unchanged text.
                *normalizer == Normalizer::Nfc && *normalizer.apply(read) == *read
            });
        let (end, tokens) = match has_cuts {
            true => self.truncate_at_cuts(text, limit)?,
            false => match self.count_till_limit(text, limit)? {
                Some(tokens) => (text.len(), tokens),
                None => self.longest_prefix(text, limit.saturating_mul(4), limit)?,
            },
        };
        let text = &text[..end];
        Ok(Truncated { text, tokens })
    }

    /// [`Request::truncate`] for a pattern without the regex engine, on text that normalization does not
    /// change. Such a pattern drops no bytes, so `n` ids cover at most `n` times the length of the longest
    /// token. Returns the end of the prefix and the number of its ids.
    fn truncate_at_cuts(&self, text: &[u8], limit: usize) -> Result<(usize, usize), EncodeError> {
        let pattern = self.encoder.model().pattern();
        let longest = self.encoder.model().vocab().longest();
        let max_bytes = |ids: usize| ids.saturating_mul(longest).min(text.len());
        // `near` bytes usually have more than `limit` ids. If not, the upper bound is tried.
        let near = limit.saturating_mul(16).saturating_add(256).min(text.len());
        let mut fits = FittingPieces::default();
        for length in [near, max_bytes(limit).saturating_add(1).min(text.len())] {
            let prefix = &text[..length.max(near)];
            fits = self.fitting_pieces(prefix, limit)?;
            if fits.limit_reached {
                break;
            }
            if prefix.len() == text.len() {
                return Ok((text.len(), fits.tokens));
            }
        }
        // The ids of every longer prefix start with those of the text before this cut.
        let mut start = pattern.last_settled_cut(&text[..fits.end], 0).unwrap_or(0);
        let mut tokens = match fits.ends.iter().find(|&&(end, _)| end == start) {
            Some(&(_, tokens)) => tokens,
            None => self.count(&text[..start])?,
        };
        loop {
            let left = limit - tokens;
            let bound = start.saturating_add(max_bytes(left)).min(text.len());
            // Whether a position near `bound` is a cut may depend on bytes after it.
            let visible = &text[..bound.saturating_add(16).min(text.len())];
            let cut = pattern
                .first_cut(visible, start)
                .filter(|&cut| cut <= bound);
            let end = start_of_character(text, cut.unwrap_or(bound));
            match self.count_till_limit(&text[start..end], left)? {
                Some(count) if end > start => {
                    (start, tokens) = (end, tokens + count);
                    if cut.is_none() {
                        return Ok((start, tokens));
                    }
                }
                _ => {
                    let interval = &text[start..end];
                    let guess = fits.end.saturating_sub(start);
                    let (length, count) = self.longest_prefix(interval, guess, left)?;
                    return Ok((start + length, tokens + count));
                }
            }
        }
    }

    /// Searches for a long prefix of `text` with at most `limit` ids, starting at length `guess`. The whole
    /// text is known to have more ids or to be empty. Returns the length of the prefix and the number of its
    /// ids.
    fn longest_prefix(
        &self,
        text: &[u8],
        guess: usize,
        limit: usize,
    ) -> Result<(usize, usize), EncodeError> {
        let count = |end: usize| match self.count_till_limit(&text[..end], limit) {
            // A prefix that cannot be encoded is not a result.
            Err(EncodeError::UnknownSymbol { .. }) => Ok(None),
            counted => counted,
        };
        // `best`: length and number of ids of the longest prefix found so far that fits. `over`: length of a
        // prefix that does not fit. First gallop from the guess.
        let (mut best, mut over) = ((0, 0), text.len());
        let mut step = 1;
        let mut end = start_of_character(text, guess.min(text.len()));
        while best.0 < end && end < over {
            match count(end)? {
                Some(tokens) => {
                    best = (end, tokens);
                    end = start_of_character(text, end.saturating_add(step).min(text.len()));
                    if end == best.0 {
                        end = end_of_character(text, end);
                    }
                }
                None => {
                    over = end;
                    end = start_of_character(text, end.saturating_sub(step));
                }
            }
            step *= 2;
        }
        // Then bisect.
        loop {
            let middle = start_of_character(text, best.0 + (over - best.0) / 2);
            let middle = match middle > best.0 {
                true => middle,
                false => end_of_character(text, best.0),
            };
            if middle >= over {
                break;
            }
            match count(middle)? {
                Some(tokens) => best = (middle, tokens),
                None => over = middle,
            }
        }
        // Then try prefixes longer than `over`: some may fit again.
        let mut ends = Vec::new();
        let mut bytes = 0;
        let mut end = end_of_character(text, over);
        while end < text.len() && (bytes < RETRY_BYTES || ends.len() < MIN_RETRIES) {
            bytes += end;
            ends.push(end);
            end = end_of_character(text, end);
        }
        for &end in ends.iter().rev() {
            if let Some(tokens) = count(end)? {
                return Ok((end, tokens));
            }
        }
        Ok(best)
    }
}

/// Returns the end of the character that starts at `at`, or `at + 1` at the end of the text.
fn end_of_character(text: &[u8], at: usize) -> usize {
    let next = &text[at..text.len().min(at + 4)];
    let length = next.utf8_chunks().next().map_or(1, |chunk| {
        let first = chunk.valid().chars().next();
        first.map_or(chunk.invalid().len(), char::len_utf8)
    });
    at + length
}

/// Returns the last position up to `at` where a character starts or the text ends.
fn start_of_character(text: &[u8], at: usize) -> usize {
    let is_continuation = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // Stray continuation bytes are characters of their own.
    let mut start = (at.saturating_sub(3)..=at)
        .rev()
        .find(|&at| !is_continuation(at))
        .unwrap_or(at);
    while start < at {
        let end = end_of_character(text, start);
        if end > at {
            break;
        }
        start = end;
    }
    start
}

/// The leading pieces of a text that fit within a limit of ids.
#[derive(Default)]
struct FittingPieces {
    /// The end of the last of these pieces.
    end: usize,
    /// The number of their ids.
    tokens: usize,
    /// For each of these pieces in the last run: its end, and the number of ids up to there.
    ends: Vec<(usize, usize)>,
    /// Whether the next piece exceeds the limit.
    limit_reached: bool,
}

impl Request<'_> {
    /// Returns the leading pieces of `text` with at most `limit` ids. The text has no special tokens.
    fn fitting_pieces(&self, text: &[u8], limit: usize) -> Result<FittingPieces, EncodeError> {
        let mut session = self.encoder.session();
        let mut runs = session.runs(self.encoder.tables(), text, 0, self.stop);
        let mut fits = FittingPieces::default();
        let mut ids = Vec::new();
        while !fits.limit_reached && runs.encode(&mut ids)? {
            fits.ends.clear();
            let mut at = runs.spans().start();
            let mut left = ids.iter().enumerate();
            for &end in runs.spans().ends() {
                let tokens_before = fits.tokens;
                while at < end
                    && let Some((index, &id)) = left.next()
                {
                    at += runs.length(index, id);
                    fits.tokens += 1;
                }
                if fits.tokens > limit {
                    fits.tokens = tokens_before;
                    fits.limit_reached = true;
                    break;
                }
                fits.end = end;
                fits.ends.push((end, fits.tokens));
            }
            ids.clear();
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::pattern::{Gaps, Pattern, PatternName};
    use crate::special::SpecialToken;
    use crate::tokenizer::Tokenizer;
    use proptest::prelude::*;

    fn tokenizer_with(
        tokens: &[Vec<u8>],
        pattern: Pattern,
        normalizer: Option<Normalizer>,
    ) -> Tokenizer {
        let bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        let all = bytes.iter().chain(tokens).map(Vec::as_slice);
        let special = [SpecialToken::new("<|end|>", 10_000)];
        let model = Model::from_ranks(pattern, all.zip(0..), special).unwrap();
        Tokenizer::new(model.with_normalizer(normalizer))
    }

    fn default_tokenizer(pattern: Pattern, normalizer: Option<Normalizer>) -> Tokenizer {
        let tokens = [
            "th", "the", " t", "  ", "aa", "aaaa", "aaaaaaaa", "\u{6771}", "1 ",
        ];
        let tokens = tokens.map(|token| token.as_bytes().to_vec());
        tokenizer_with(&tokens, pattern, normalizer)
    }

    /// The ends of characters, starting with 0.
    fn ends(text: &[u8]) -> Vec<usize> {
        let mut ends = vec![0];
        for chunk in text.utf8_chunks() {
            let characters = chunk.valid().chars().map(char::len_utf8);
            let invalid = chunk.invalid().len();
            for length in characters.chain((invalid > 0).then_some(invalid)) {
                ends.push(ends[ends.len() - 1] + length);
            }
        }
        ends
    }

    /// Checks the definition: tries all prefixes, the longest first, until one fits.
    fn check(tokenizer: &Tokenizer, text: &[u8], limit: usize) {
        let want = ends(text).into_iter().rev().find_map(|end| {
            let tokens = tokenizer.count(&text[..end]).unwrap();
            (tokens <= limit).then_some((&text[..end], tokens))
        });
        let truncated = tokenizer.request().truncate(text, limit).unwrap();
        assert_eq!(Some((truncated.text, truncated.tokens)), want, "{limit}");
        check_count(tokenizer, text, limit);
    }

    fn check_count(tokenizer: &Tokenizer, text: &[u8], limit: usize) {
        let all = tokenizer.count(text).unwrap();
        let count = tokenizer.request().count_till_limit(text, limit).unwrap();
        assert_eq!(count, (all <= limit).then_some(all));
    }

    /// Checks that the prefix fits, and that none of the next [`MIN_RETRIES`] longer ones does.
    fn check_near(tokenizer: &Tokenizer, text: &[u8], limit: usize) {
        let truncated = tokenizer.request().truncate(text, limit).unwrap();
        let (end, tokens) = (truncated.text.len(), truncated.tokens);
        assert!(text.starts_with(truncated.text) && tokens <= limit);
        assert_eq!(tokenizer.count(truncated.text).unwrap(), tokens);
        let ends = ends(text);
        let index = ends.binary_search(&end).expect("the end of a character");
        for &end in ends[index + 1..].iter().take(MIN_RETRIES) {
            assert!(tokenizer.count(&text[..end]).unwrap() > limit, "{end}");
        }
    }

    /// Texts so short that every prefix is tried.
    fn short_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            3 => "[ a-z0-9'\r\n.,]{0,20}".prop_map(String::into_bytes),
            2 => "(the |th  |aaaa){0,12}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..12),
            1 => "\\PC{0,8}".prop_map(String::into_bytes),
            1 => Just("\u{6771}\u{4eac}\u{3002}e\u{301} ".as_bytes().repeat(2)),
            1 => "(<\\|end\\|>|'LL|'l|1234|/\n){0,3}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(some, 0..8).prop_map(|some| {
            let mut text = some.concat();
            text.truncate(250);
            text
        })
    }

    fn long_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            short_text(),
            (short_text(), 1..40usize).prop_map(|(text, times)| text.repeat(times)),
            (prop::sample::select(&b"a \n1-\xff"[..]), 1..2000usize)
                .prop_map(|(byte, times)| vec![byte; times]),
        ];
        prop::collection::vec(some, 0..4).prop_map(|some| some.concat())
    }

    fn any_tokens() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let token = prop_oneof![
            prop::collection::vec(prop::sample::select(&b"aeht 01\n'"[..]), 2..9),
            prop::collection::vec(
                prop::sample::select("\u{6771}\u{4eac}e\u{301}".as_bytes()),
                2..7
            ),
        ];
        prop::collection::hash_set(token, 0..60).prop_map(|tokens| tokens.into_iter().collect())
    }

    fn patterns() -> Vec<Pattern> {
        let names = PatternName::ALL.into_iter().map(Pattern::named);
        let regexes = [
            Pattern::regex("[a-z]+", Gaps::Drop).unwrap(),
            Pattern::regex(r"\w+(?= )|\s+|.", Gaps::Keep).unwrap(),
            Pattern::sequence([]),
        ];
        names.chain(regexes).collect()
    }

    proptest! {
        #[test]
        fn the_longest_prefix_is_found(text in short_text(), limit in 0..80usize) {
            for pattern in patterns() {
                check(&default_tokenizer(pattern.clone(), None), &text, limit);
                check(&default_tokenizer(pattern, Some(Normalizer::Nfc)), &text, limit);
            }
        }

        #[test]
        fn the_longest_prefix_is_found_with_any_tokens(tokens in any_tokens(), text in short_text(), limit in 0..30usize) {
            for pattern in patterns() {
                check(&tokenizer_with(&tokens, pattern, None), &text, limit);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn prefixes_of_long_texts_fit(
            tokens in any_tokens(),
            text in long_text(),
            limit in prop_oneof![0..40usize, 0..4000usize],
        ) {
            for pattern in patterns() {
                let tokenizer = tokenizer_with(&tokens, pattern, Some(Normalizer::Nfc));
                check_near(&tokenizer, &text, limit);
                check_count(&tokenizer, &text, limit);
            }
        }
    }

    #[test]
    fn any_limit_works_on_a_text_of_several_runs() {
        let text = "the thaaaa  1 the\n\n".repeat(300);
        let tokenizer = default_tokenizer(Pattern::named(PatternName::Cl100k), None);
        let all = tokenizer.count(text.as_bytes()).unwrap();
        for limit in (0..500).chain(all - 5..all + 5).chain([usize::MAX]) {
            check_near(&tokenizer, text.as_bytes(), limit);
            check_count(&tokenizer, text.as_bytes(), limit);
        }
    }

    #[test]
    fn a_longer_prefix_may_have_fewer_ids() {
        let tokenizer = default_tokenizer(Pattern::named(PatternName::Cl100k), None);
        // Seven letters are three ids, and eight are one.
        for (limit, length) in [(0, 0), (1, 8), (2, 16), (3, 24)] {
            let truncated = tokenizer.request().truncate(&[b'a'; 100], limit).unwrap();
            assert_eq!((truncated.text.len(), truncated.tokens), (length, limit));
        }
    }

    #[test]
    fn characters_after_the_prefix_may_compose() {
        let tokenizer = tokenizer_with(
            &[],
            Pattern::named(PatternName::Cl100k),
            Some(Normalizer::Nfc),
        );
        let text = "\u{1100}\u{1161}".repeat(3);
        for limit in 0..12 {
            let truncated = tokenizer
                .request()
                .truncate(text.as_bytes(), limit)
                .unwrap();
            // Each syllable of 6 bytes composes to one character of 3 bytes, which are 3 ids.
            assert!(truncated.text.len() >= limit / 3 * 6, "{limit}");
            assert!(truncated.tokens <= limit);
        }
    }

    #[test]
    fn character_ends_equal_those_of_the_whole_text() {
        let text = "a\u{e9}\u{6771}\u{1f600}".as_bytes();
        let invalid = [text, b"\x80\x80\x80\x80\x80\xe6\x9d\xf0\x9f\x98a\xff\xc3"].concat();
        for text in [text, &invalid] {
            let ends = ends(text);
            for at in 0..=text.len() {
                let start = ends.iter().rev().find(|&&end| end <= at);
                assert_eq!(Some(&start_of_character(text, at)), start, "{at}");
            }
            for pair in ends.windows(2) {
                assert_eq!(end_of_character(text, pair[0]), pair[1]);
            }
        }
    }

    #[test]
    fn truncating_a_long_piece_is_near_linear() {
        // Trying every prefix would take hours.
        let runs = [
            "\u{6771}",
            "a",
            " ",
            "\n",
            "1",
            "-",
            "\u{301}",
            "a\u{6771}",
            " a",
        ];
        for run in runs {
            let text = run.repeat(1_000_000);
            for name in [PatternName::Cl100k, PatternName::O200k] {
                let tokenizer = default_tokenizer(Pattern::named(name), None);
                for limit in [8, 1000, 50_000] {
                    let truncated = tokenizer
                        .request()
                        .truncate(text.as_bytes(), limit)
                        .unwrap();
                    assert!(!truncated.text.is_empty(), "{run:?}, {limit}");
                    assert_eq!(tokenizer.count(truncated.text).unwrap(), truncated.tokens);
                    assert!(limit - truncated.tokens <= 3, "{run:?}: {truncated:?}");
                }
            }
        }
    }
}

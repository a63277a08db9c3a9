//! Texts that are to have no more than so many ids.
//!
//! No ids are kept, and what lies behind the limit is hardly looked at: the cost is about that of
//! counting the ids up to the limit.
//!
//! # Truncation
//!
//! The number of ids of a beginning does not grow with its length: `a` a thousand times may be ten
//! ids, and with one letter more a single one. So the longest beginning that fits is found in two
//! steps.
//!
//! 1. **Cuts.** At a place where the pattern certainly splits, [`Pattern::first_cut`](crate::Pattern::first_cut), every longer
//!    beginning has the ids of the part before the cut and those of the part behind it. So the
//!    numbers of ids grow from cut to cut, and only the stretch between the last cut that fits and
//!    the next one is searched: a few words, or a piece of a million letters.
//! 2. **Search.** In the stretch, galloping and bisection give a beginning that fits, with which one
//!    more character is too much. Behind it all ends are tried, the last first, as long as
//!    [`BUDGET`] bytes are not encoded again for it, and [`LEAST_TRIED`] in any case.
//!
//! A pattern without a scanner, a text that the normaliser changes, and a model whose added tokens
//! are part of its vocabulary have no cuts: there the whole text is the stretch.

use super::encoder::Request;
use super::error::EncodeError;

/// How many bytes are encoded again, at most, to find a longer beginning than bisection did. Half a
/// millisecond or two; enough for every end in a stretch of 360 bytes.
const BUDGET: usize = 1 << 16;

/// Bytes behind a text that may compose with it: a few marks.
const COMPOSED: usize = 64;

/// How many ends are tried behind that of bisection, however much is encoded again for it.
const LEAST_TRIED: usize = 16;

/// The beginning of a text. Made by [`Request::truncate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated<'t> {
    /// The beginning.
    pub text: &'t [u8],
    /// How many ids it has.
    pub tokens: usize,
}

impl Request<'_> {
    /// How many ids `text` has, if there are no more than `limit`: what [`Request::count`] gives,
    /// or `None`. One thread does it.
    ///
    /// Costs as much as `limit` ids, however long the text. (A model with a normalizer normalizes
    /// the whole text first, and added tokens are searched in all of it.)
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
    /// As [`Request::encode`], if the pattern fails before the limit.
    pub fn count_till_limit(
        &self,
        text: impl AsRef<[u8]>,
        limit: usize,
    ) -> Result<Option<usize>, EncodeError> {
        let encoder = self.encoder;
        let segments = encoder.segments(text.as_ref(), self.allowed);
        encoder.count_segments(&mut encoder.session(), segments, self.stop, limit)
    }

    /// The longest beginning of `text` that ends where a character ends and has, encoded on its own,
    /// no more than `limit` ids: the whole text, if it has no more. Bytes that are not UTF-8 are
    /// characters too, each maximal invalid sequence one. One thread does it.
    ///
    /// It is the longest of all for a named pattern and for most texts. It need not be where
    /// finding it would cost too much: in a stretch without a place where the pattern certainly
    /// splits (one word, a run of spaces, Chinese without punctuation) of which more than some
    /// hundred bytes fit; with a regex of one's own; where the normaliser changes the text; and with
    /// special tokens that are allowed, or added tokens that are not special. There it fits, with one character more it does not, and
    /// none of the next 16 ends does.
    ///
    /// Costs about as much as `limit` ids, however long the text, and some dozen times as much where
    /// it need not be the longest.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Tokenizer};
    ///
    /// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// let truncated = tokenizer.request().truncate(b"one two three", 10)?;
    /// assert_eq!((truncated.text, truncated.tokens), (&b"one two th"[..], 10));
    /// // A character of three bytes, which are three ids here.
    /// let truncated = tokenizer.request().truncate("没有标点".as_bytes(), 8)?;
    /// assert_eq!((truncated.text, truncated.tokens), ("没有".as_bytes(), 6));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Request::encode`], if the pattern fails on a beginning that is tried.
    pub fn truncate<'t>(&self, text: &'t [u8], limit: usize) -> Result<Truncated<'t>, EncodeError> {
        let model = self.encoder.model();
        // Longer beginnings have more ids, so no more is read.
        let most = limit.saturating_mul(model.vocab().longest());
        // A little further, since what follows may compose with its last characters.
        let near = text.len().min(most.saturating_add(1 + COMPOSED));
        let near = &text[..start_of_character(text, near)];
        let has_cuts = !model.pattern().uses_regex_engine()
            && self.allowed.is_empty()
            && (model.normalizer()).is_none_or(|normalizer| *normalizer.apply(near) == *near);
        let (end, tokens) = match has_cuts {
            true => self.truncate_at_cuts(text, limit)?,
            false => match self.count_till_limit(text, limit)? {
                Some(tokens) => (text.len(), tokens),
                None => self.longest_beginning(text, limit.saturating_mul(4), limit)?,
            },
        };
        let text = &text[..end];
        Ok(Truncated { text, tokens })
    }

    /// [`Request::truncate`] where the pattern has a scanner and works on the text as it is. So all
    /// bytes are in pieces, and `n` ids have `n` times as many bytes as the longest token at most.
    fn truncate_at_cuts(&self, text: &[u8], limit: usize) -> Result<(usize, usize), EncodeError> {
        let pattern = self.encoder.model().pattern();
        let longest = self.encoder.model().vocab().longest();
        let most = |ids: usize| ids.saturating_mul(longest).min(text.len());
        // A little more than `limit` ids are mostly in there; a single piece may be all of the text.
        let near = limit.saturating_mul(16).saturating_add(256).min(text.len());
        let mut fits = Fits::default();
        for length in [near, most(limit).saturating_add(1).min(text.len())] {
            let part = &text[..length.max(near)];
            fits = self.fitting_pieces(part, limit)?;
            if fits.is_over {
                break;
            }
            if part.len() == text.len() {
                return Ok((text.len(), fits.tokens));
            }
        }
        // All longer beginnings have the ids before the cut.
        let mut start = pattern.last_settled_cut(&text[..fits.end], 0).unwrap_or(0);
        let mut tokens = match fits.ends.iter().find(|&&(end, _)| end == start) {
            Some(&(_, tokens)) => tokens,
            None => self.count(&text[..start])?,
        };
        loop {
            let left = limit - tokens;
            let bound = start.saturating_add(most(left)).min(text.len());
            // Cuts at the end of what is looked at may need to see more.
            let seen = &text[..bound.saturating_add(16).min(text.len())];
            let cut = pattern.first_cut(seen, start).filter(|&cut| cut <= bound);
            let end = start_of_character(text, cut.unwrap_or(bound));
            match self.count_till_limit(&text[start..end], left)? {
                Some(more) if end > start => {
                    (start, tokens) = (end, tokens + more);
                    if cut.is_none() {
                        return Ok((start, tokens));
                    }
                }
                _ => {
                    let stretch = &text[start..end];
                    let guess = fits.end.saturating_sub(start);
                    let (more, ids) = self.longest_beginning(stretch, guess, left)?;
                    return Ok((start + more, tokens + ids));
                }
            }
        }
    }

    /// A long beginning of `text` with no more than `limit` ids, which all of the text has not: see
    /// the module. Where it ends, and its ids. `guess` is where it may end.
    fn longest_beginning(
        &self,
        text: &[u8],
        guess: usize,
        limit: usize,
    ) -> Result<(usize, usize), EncodeError> {
        let count = |end: usize| self.count_till_limit(&text[..end], limit);
        // The best that fits, and an end that does not.
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
        let mut ends = Vec::new();
        let mut bytes = 0;
        let mut end = end_of_character(text, over);
        while end < text.len() && (bytes < BUDGET || ends.len() < LEAST_TRIED) {
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

/// Where the character ends that begins at `at`, before the end of the text.
fn end_of_character(text: &[u8], at: usize) -> usize {
    let nearest = &text[at..text.len().min(at + 4)];
    let length = nearest.utf8_chunks().next().map_or(1, |chunk| {
        let first = chunk.valid().chars().next();
        first.map_or(chunk.invalid().len(), char::len_utf8)
    });
    at + length
}

/// The last place, up to `at`, where a character begins or the text ends.
fn start_of_character(text: &[u8], at: usize) -> usize {
    let goes_on = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // Bytes that go on with nothing are characters of their own.
    let mut start = (at.saturating_sub(3)..=at)
        .rev()
        .find(|&at| !goes_on(at))
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

/// The pieces of the beginning of a text that have no more than so many ids.
#[derive(Default)]
struct Fits {
    /// Where the last of them ends.
    end: usize,
    /// How many ids they have.
    tokens: usize,
    /// The ends of those of the last run, and how many ids there are up to each.
    ends: Vec<(usize, usize)>,
    /// Whether the next piece has too many.
    is_over: bool,
}

impl Request<'_> {
    /// The pieces of `text` with no more than `limit` ids, which has no special tokens.
    fn fitting_pieces(&self, text: &[u8], limit: usize) -> Result<Fits, EncodeError> {
        let vocab = self.encoder.model().vocab();
        let mut session = self.encoder.session();
        let mut runs = session.runs(self.encoder.tables(), text, 0, self.stop);
        let mut fits = Fits::default();
        let mut ids = Vec::new();
        while !fits.is_over && runs.encode(&mut ids)? {
            fits.ends.clear();
            let mut at = runs.spans().start();
            let mut left = ids.iter();
            for &end in runs.spans().ends() {
                let tokens = fits.tokens;
                while at < end
                    && let Some(&id) = left.next()
                {
                    at += vocab.token(id).map_or(0, <[u8]>::len);
                    fits.tokens += 1;
                }
                if fits.tokens > limit {
                    fits.tokens = tokens;
                    fits.is_over = true;
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
    use crate::normalize::Normalizer;
    use crate::pattern::{Gaps, Pattern, PatternName};
    use crate::special::SpecialToken;
    use crate::tokenizer::Tokenizer;
    use proptest::prelude::*;

    fn with_tokens(
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

    fn encoder(pattern: Pattern, normalizer: Option<Normalizer>) -> Tokenizer {
        let tokens = [
            "th", "the", " t", "  ", "aa", "aaaa", "aaaaaaaa", "\u{6771}", "1 ",
        ];
        let tokens = tokens.map(|token| token.as_bytes().to_vec());
        with_tokens(&tokens, pattern, normalizer)
    }

    /// The ends of characters, from 0 on.
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

    /// The definition: every beginning, the longest first, until one has not too many ids.
    fn check(encoder: &Tokenizer, text: &[u8], limit: usize) {
        let want = ends(text).into_iter().rev().find_map(|end| {
            let tokens = encoder.count(&text[..end]).unwrap();
            (tokens <= limit).then_some((&text[..end], tokens))
        });
        let truncated = encoder.request().truncate(text, limit).unwrap();
        assert_eq!(Some((truncated.text, truncated.tokens)), want, "{limit}");
        check_count(encoder, text, limit);
    }

    fn check_count(encoder: &Tokenizer, text: &[u8], limit: usize) {
        let all = encoder.count(text).unwrap();
        let count = encoder.request().count_till_limit(text, limit).unwrap();
        assert_eq!(count, (all <= limit).then_some(all));
    }

    /// Whether it fits, and none of the next ends does, however long the text.
    fn check_near(encoder: &Tokenizer, text: &[u8], limit: usize) {
        let truncated = encoder.request().truncate(text, limit).unwrap();
        let (end, tokens) = (truncated.text.len(), truncated.tokens);
        assert!(text.starts_with(truncated.text) && tokens <= limit);
        assert_eq!(encoder.count(truncated.text).unwrap(), tokens);
        let ends = ends(text);
        let place = ends.binary_search(&end).expect("it is one of them");
        for &end in ends[place + 1..].iter().take(LEAST_TRIED) {
            assert!(encoder.count(&text[..end]).unwrap() > limit, "{end}");
        }
    }

    /// Short enough that every end is tried.
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
        fn the_longest_beginning_is_found(text in short_text(), limit in 0..80usize) {
            for pattern in patterns() {
                check(&encoder(pattern.clone(), None), &text, limit);
                check(&encoder(pattern, Some(Normalizer::Nfc)), &text, limit);
            }
        }

        #[test]
        fn with_any_tokens_too(tokens in any_tokens(), text in short_text(), limit in 0..30usize) {
            for pattern in patterns() {
                check(&with_tokens(&tokens, pattern, None), &text, limit);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn of_long_texts_what_is_left_fits(
            tokens in any_tokens(),
            text in long_text(),
            limit in prop_oneof![0..40usize, 0..4000usize],
        ) {
            for pattern in patterns() {
                let encoder = with_tokens(&tokens, pattern, Some(Normalizer::Nfc));
                check_near(&encoder, &text, limit);
                check_count(&encoder, &text, limit);
            }
        }
    }

    #[test]
    fn every_limit_of_a_text_of_several_runs() {
        let text = "the thaaaa  1 the\n\n".repeat(300);
        let encoder = encoder(Pattern::named(PatternName::Cl100k), None);
        let all = encoder.count(text.as_bytes()).unwrap();
        for limit in (0..500).chain(all - 5..all + 5).chain([usize::MAX]) {
            check_near(&encoder, text.as_bytes(), limit);
            check_count(&encoder, text.as_bytes(), limit);
        }
    }

    #[test]
    fn a_longer_beginning_may_have_fewer_ids() {
        let encoder = encoder(Pattern::named(PatternName::Cl100k), None);
        // Seven letters are three ids, and eight are one.
        for (limit, length) in [(0, 0), (1, 8), (2, 16), (3, 24)] {
            let truncated = encoder.request().truncate(&[b'a'; 100], limit).unwrap();
            assert_eq!((truncated.text.len(), truncated.tokens), (length, limit));
        }
    }

    #[test]
    fn what_follows_may_compose() {
        let encoder = with_tokens(
            &[],
            Pattern::named(PatternName::Cl100k),
            Some(Normalizer::Nfc),
        );
        let text = "\u{1100}\u{1161}".repeat(3);
        for limit in 0..12 {
            let truncated = encoder.request().truncate(text.as_bytes(), limit).unwrap();
            // Each syllable of 6 bytes is one character of 3 bytes, which are ids here.
            assert!(truncated.text.len() >= limit / 3 * 6, "{limit}");
            assert!(truncated.tokens <= limit);
        }
    }

    #[test]
    fn characters_end_where_they_do_in_the_whole() {
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
    fn a_piece_without_an_end_is_near_linear() {
        // With a look at every end this would take hours.
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
                let encoder = encoder(Pattern::named(name), None);
                for limit in [8, 1000, 50_000] {
                    let truncated = encoder.request().truncate(text.as_bytes(), limit).unwrap();
                    assert!(!truncated.text.is_empty(), "{run:?}, {limit}");
                    assert_eq!(encoder.count(truncated.text).unwrap(), truncated.tokens);
                    assert!(limit - truncated.tokens <= 3, "{run:?}: {truncated:?}");
                }
            }
        }
    }
}

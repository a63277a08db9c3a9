//! Texts that are to have no more than so many ids.
//!
//! No ids are kept, and what lies behind the limit is not looked at: the cost is that of counting
//! the ids up to the limit. (A model with a normaliser normalises the whole text first.)

use std::borrow::Cow;

use super::worker::{CountIds, ROOM, Sink};
use super::{EncodeError, Encoder};
use crate::token::TokenId;

/// The beginning of a text. Made by [`Encoder::truncate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated<'t> {
    /// The text, or that of it which is left; as the normaliser leaves it, if the model has one.
    pub text: Cow<'t, [u8]>,
    /// How many ids it has.
    pub tokens: usize,
}

impl Encoder {
    /// How many ids `text` has, if there are no more than `limit`: what [`Encoder::count`] gives,
    /// or `None`. The text of special tokens is text like any other.
    ///
    /// Costs as much as `limit` ids, however long the text.
    ///
    /// ```
    /// use tokenizer_core::{Encoder, Merges, Model};
    ///
    /// let encoder = Encoder::new(Model::trained("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// assert_eq!(encoder.count_till_limit(b"hello", 5)?, Some(5));
    /// assert_eq!(encoder.count_till_limit(&b"hello".repeat(1000), 5)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Encoder::encode`], if the pattern fails before the limit.
    pub fn count_till_limit(
        &self,
        text: &[u8],
        limit: usize,
    ) -> Result<Option<usize>, EncodeError> {
        let mut sink = UntilLimit::new(limit, false);
        let added = &self.shared.added;
        self.encode_text(&mut self.worker(), text, added, None, &mut sink)?;
        Ok((!sink.is_over).then_some(sink.tokens))
    }

    /// The longest beginning of `text` that ends where a piece ends and has no more than `limit`
    /// ids: the whole text, if it has no more. The text of special tokens is text like any other.
    ///
    /// Its ids are the first of those of the whole text. Encoded on its own it has the same ids,
    /// but for white space at its end, which may be taken together where no word follows it. It is
    /// empty when already the first piece has more ids.
    ///
    /// Costs as much as `limit` ids, however long the text.
    ///
    /// ```
    /// use tokenizer_core::{Encoder, Merges, Model};
    ///
    /// let encoder = Encoder::new(Model::trained("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// let truncated = encoder.truncate(b"one two three", 10)?;
    /// assert_eq!((&*truncated.text, truncated.tokens), (&b"one two"[..], 7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Encoder::encode`], if the pattern fails before the limit.
    pub fn truncate<'t>(&self, text: &'t [u8], limit: usize) -> Result<Truncated<'t>, EncodeError> {
        let mut text = match self.model().normalizer() {
            Some(normalizer) => normalizer.apply(text),
            None => text.into(),
        };
        let mut sink = UntilLimit::new(limit, true);
        self.worker().encode(&self.shared, &text, &mut sink)?;
        if sink.is_over {
            match &mut text {
                Cow::Borrowed(text) => *text = &text[..sink.end],
                Cow::Owned(text) => text.truncate(sink.end),
            }
        }
        Ok(Truncated {
            text,
            tokens: sink.tokens,
        })
    }
}

/// Counts ids until there are too many.
struct UntilLimit {
    count: CountIds,
    limit: usize,
    /// Whether the end is wanted to the piece.
    exactly: bool,
    /// Where the last piece ends with which there are not too many.
    end: usize,
    /// How many ids there are up to there.
    tokens: usize,
    is_over: bool,
}

impl UntilLimit {
    fn new(limit: usize, exactly: bool) -> Self {
        UntilLimit {
            count: CountIds::default(),
            limit,
            exactly,
            end: 0,
            tokens: 0,
            is_over: false,
        }
    }
}

impl Sink for UntilLimit {
    const ENDS: bool = true;

    fn room(&mut self) -> &mut [TokenId; ROOM] {
        self.count.room()
    }

    fn take_room(&mut self, count: usize) {
        self.count.take_room(count);
    }

    fn take(&mut self, ids: &[TokenId]) {
        self.count.take(ids);
    }

    /// Where a group of pieces could have too many ids.
    fn one_by_one(&self) -> bool {
        self.exactly && self.limit - self.tokens < ROOM
    }

    fn piece_ends(&mut self, end: usize) -> bool {
        self.is_over = self.count.count > self.limit;
        if !self.is_over {
            (self.end, self.tokens) = (end, self.count.count);
        }
        !self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::normalize::Normalizer;
    use crate::split::{Gaps, Pattern, PatternName};
    use proptest::prelude::*;

    fn encoder(pattern: Pattern, normalizer: Option<Normalizer>) -> Encoder {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"aa"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let model = Model::from_ranks(pattern, all.zip(0..), []).unwrap();
        Encoder::new(model.with_normalizer(normalizer))
    }

    /// The definition: all pieces, each on its own, until one is too many.
    fn check(encoder: &Encoder, text: &[u8], limit: usize) {
        let normalizer = encoder.model().normalizer();
        let text_then = normalizer.map_or(text.into(), |normalizer| normalizer.apply(text));
        let (mut end, mut tokens) = (text_then.len(), 0);
        let mut last = 0;
        for piece in encoder.model().pattern().split(&text_then) {
            let piece = piece.unwrap();
            let more = encoder.encode_single_piece(&text_then[piece.clone()]);
            if tokens + more.len() > limit {
                end = last;
                break;
            }
            tokens += more.len();
            last = piece.end;
        }
        let truncated = encoder.truncate(text, limit).unwrap();
        assert_eq!(truncated.tokens, tokens);
        assert_eq!(truncated.text, &text_then[..end]);
        let all = encoder.count(text).unwrap();
        let count = encoder.count_till_limit(text, limit).unwrap();
        assert_eq!(count, (all <= limit).then_some(all));
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            3 => "[ a-z0-9'\r\n.,]{0,40}".prop_map(String::into_bytes),
            2 => "(the |th  |aaaa){0,90}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..20),
            1 => Just("\u{6771}\u{4eac}\u{3002}e\u{301} ".as_bytes().repeat(5)),
        ];
        prop::collection::vec(some, 0..12).prop_map(|some| some.concat())
    }

    proptest! {
        #[test]
        fn limits_are_those_of_the_definition(text in any_text(), limit in 0..400usize) {
            for name in [PatternName::Gpt2, PatternName::Cl100k, PatternName::O200k] {
                check(&encoder(Pattern::named(name), None), &text, limit);
            }
            check(&encoder(Pattern::named(PatternName::Cl100k), Some(Normalizer::Nfc)), &text, limit);
            let drops = Pattern::regex("[a-z]+", Gaps::Drop).unwrap();
            check(&encoder(drops, None), &text, limit);
        }
    }

    #[test]
    fn every_limit_of_a_text_of_several_runs() {
        let text = "the thaaaa  1 the\n\n".repeat(300);
        let encoder = encoder(Pattern::named(PatternName::Cl100k), None);
        let all = encoder.count(text.as_bytes()).unwrap();
        for limit in (0..500).chain(all - 5..all + 5).chain([usize::MAX]) {
            check(&encoder, text.as_bytes(), limit);
        }
    }
}

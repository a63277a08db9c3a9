//! Decoding: ids to bytes, to text, and as a stream.

use std::borrow::Borrow;
use std::sync::Arc;

use crate::model::Model;
use crate::simd::{SHORT, advise_huge_pages, append_short_tokens};
use crate::token::TokenId;

/// An id that the model does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no token {id} (at position {position})")]
#[non_exhaustive]
pub struct UnknownToken {
    /// The id.
    pub id: TokenId,
    /// Its place among the ids given, from 0.
    pub position: usize,
}

impl Model {
    /// The bytes of `ids`, one behind the other. They need not be UTF-8: a token may hold a part of
    /// a character.
    ///
    /// # Errors
    /// At the first id that does not exist.
    pub fn decode(&self, ids: &[TokenId]) -> Result<Vec<u8>, UnknownToken> {
        let mut bytes = Vec::new();
        self.decode_into(ids, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`Model::decode`], appending to `bytes`. After an error `bytes` holds the tokens before
    /// it. A vector that is used again spares the system the search for new memory, a quarter of the
    /// time of a large text.
    ///
    /// Linear in the ids and the bytes.
    ///
    /// # Errors
    /// As [`Model::decode`].
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Pattern};
    ///
    /// let model = Model::from_merges("cl100k".parse::<Pattern>()?, Merges::default(), &["<|end|>"])?;
    /// let mut bytes = b"> ".to_vec();
    /// model.decode_into(&[104, 105, 256], &mut bytes)?;
    /// assert_eq!(bytes, b"> hi<|end|>");
    /// let error = model.decode_into(&[33, 300], &mut bytes).unwrap_err();
    /// assert_eq!((error.id, error.position), (300, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_into(&self, ids: &[TokenId], bytes: &mut Vec<u8>) -> Result<(), UnknownToken> {
        let (ends, arena) = (self.vocab().ends(), self.vocab().arena());
        let mut position = 0;
        while let Some(rest) = ids.get(position..).filter(|rest| !rest.is_empty()) {
            if bytes.capacity() - bytes.len() < SHORT {
                bytes.reserve(self.estimate(rest) + SHORT);
                advise_huge_pages(bytes.spare_capacity_mut());
            }
            position += append_short_tokens(bytes, rest, ends, arena);
            // What stopped it: a long token, a special one, the end of the ids or of the room.
            if let Some(&id) = ids.get(position) {
                let token = self.token(id).ok_or(UnknownToken { id, position })?;
                bytes.extend_from_slice(token);
                position += 1;
            }
        }
        Ok(())
    }

    /// As [`Model::decode`], without the ids in `skipped`, which ascend: those of
    /// [`Model::skipped_ids`], for example.
    ///
    /// # Errors
    /// As [`Model::decode`].
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Pattern};
    ///
    /// let model = Model::from_merges("cl100k".parse::<Pattern>()?, Merges::default(), &["<|end|>"])?;
    /// assert_eq!(model.decode_without(&[104, 256, 105], &model.skipped_ids())?, b"hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_without(
        &self,
        ids: &[TokenId],
        skipped: &[TokenId],
    ) -> Result<Vec<u8>, UnknownToken> {
        let mut bytes = Vec::new();
        let mut start = 0;
        for run in ids.split(|id| skipped.binary_search(id).is_ok()) {
            let decoded = self.decode_into(run, &mut bytes);
            decoded.map_err(|error| UnknownToken {
                position: start + error.position,
                ..error
            })?;
            start += run.len() + 1;
        }
        Ok(bytes)
    }

    /// About as many bytes as `ids` have, rather more, by a sample: looking at each id would take
    /// half as long as decoding it.
    fn estimate(&self, ids: &[TokenId]) -> usize {
        const SAMPLE: usize = 1024;
        // A token of a megabyte in the sample is no reason to think that there is another.
        const LONGEST: usize = 64;
        let sample = ids.iter().step_by(ids.len().div_ceil(SAMPLE).max(1));
        let count = sample.len().max(1);
        let lengths = sample.map(|&id| self.token(id).map_or(0, |token| token.len().min(LONGEST)));
        let in_sample: usize = lengths.sum();
        // A sample of so many is wrong by a few parts in a hundred.
        let margin = if count < ids.len() { 1.06 } else { 1.0 };
        (in_sample as f64 / count as f64 * ids.len() as f64 * margin).ceil() as usize
    }

    /// The text of `ids`; each maximal invalid sequence of bytes becomes one U+FFFD, as in Python.
    ///
    /// # Errors
    /// At the first id that does not exist.
    pub fn decode_lossy(&self, ids: &[TokenId]) -> Result<String, UnknownToken> {
        let bytes = self.decode(ids)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A decoder that is given ids one at a time. [`DecodeStream::new`] makes one that owns its
    /// model.
    pub fn decode_stream(&self) -> DecodeStream<&Model> {
        DecodeStream::new(self)
    }
}

/// Turns ids into text as they come and never splits a character: bytes that may be the beginning
/// of one are held back until it is whole or cannot become so.
///
/// All texts together are what [`Model::decode_lossy`] gives for all ids.
///
/// ```
/// use tokenizer_core::{Merges, Model, Pattern};
///
/// let model = Model::from_merges("cl100k".parse::<Pattern>()?, Merges::default(), &[] as &[&str])?;
/// let mut stream = model.decode_stream();
/// let mut text = String::new();
/// for byte in "né".bytes() {
///     stream.push(byte.into(), &mut text)?;
/// }
/// stream.finish(&mut text);
/// assert_eq!(text, "né");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DecodeStream<M = Arc<Model>> {
    model: M,
    /// At most three bytes between calls: the beginning of a character.
    held: Vec<u8>,
    position: usize,
}

impl<M: Borrow<Model>> DecodeStream<M> {
    /// A decoder with the tokens of `model`: a reference, or an `Arc` to keep it as long as it is
    /// needed.
    pub fn new(model: M) -> Self {
        DecodeStream {
            model,
            held: Vec::new(),
            position: 0,
        }
    }

    /// Takes one more id and appends to `text` what it completes.
    ///
    /// # Errors
    /// When there is no such token; nothing is changed then.
    pub fn push(&mut self, id: TokenId, text: &mut String) -> Result<(), UnknownToken> {
        let token = self.model.borrow().token(id).ok_or(UnknownToken {
            id,
            position: self.position,
        })?;
        self.position += 1;
        // The usual case: whole characters, one after the other.
        if self.held.is_empty()
            && let Ok(token) = std::str::from_utf8(token)
        {
            text.push_str(token);
            return Ok(());
        }
        self.held.extend_from_slice(token);
        let mut done = 0;
        for chunk in self.held.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let at_end = done + chunk.invalid().len() == self.held.len();
            if at_end && may_become_char(chunk.invalid()) {
                break;
            }
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                done += chunk.invalid().len();
            }
        }
        self.held.drain(..done);
        Ok(())
    }

    /// Ends the text: the beginning of a character that never came whole is one U+FFFD.
    pub fn finish(self, text: &mut String) {
        if !self.held.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Whether an invalid sequence at the end of the bytes is only cut short.
fn may_become_char(invalid: &[u8]) -> bool {
    !invalid.is_empty()
        && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::{Pattern, PatternName};
    use crate::special::SpecialToken;
    use proptest::prelude::*;

    fn bytes_only() -> Model {
        let pattern = Pattern::named(PatternName::Gpt2);
        Model::from_merges(pattern, Merges::default(), &["<|é|>"]).unwrap()
    }

    #[test]
    fn unknown_ids_are_named() {
        let error = bytes_only().decode(&[65, 256, 257]).unwrap_err();
        assert_eq!((error.id, error.position), (257, 2));
        assert_eq!(
            bytes_only().decode(&[65, 256]).unwrap(),
            "A<|é|>".as_bytes()
        );
    }

    /// Tokens of all lengths up to 40, two that are much longer, a hole, special tokens behind and
    /// between.
    fn long_and_short() -> Model {
        let mut ranks: Vec<(Vec<u8>, TokenId)> = (0..=255u8).map(|b| (vec![b], b.into())).collect();
        let lengths = (2..=40).chain([1000, 70_000]);
        ranks.extend(
            lengths
                .zip(257..)
                .map(|(length, id)| (vec![b'a'; length], id)),
        );
        let (first, last) = (256, 300);
        let specials = [("<|first|>", first), ("<|é|>", last)];
        let ranks = ranks.iter().map(|(token, id)| (&token[..], *id));
        let specials = specials.map(|(content, id)| SpecialToken::new(content, id));
        Model::from_ranks(Pattern::named(PatternName::Gpt2), ranks, specials).unwrap()
    }

    /// Decoding by its definition.
    fn one_by_one(model: &Model, ids: &[TokenId]) -> (Vec<u8>, Result<(), UnknownToken>) {
        let mut bytes = Vec::new();
        for (position, &id) in ids.iter().enumerate() {
            match model.token(id) {
                Some(token) => bytes.extend_from_slice(token),
                None => return (bytes, Err(UnknownToken { id, position })),
            }
        }
        (bytes, Ok(()))
    }

    #[test]
    fn texts_whose_length_was_not_foreseen_are_whole() {
        let model = long_and_short();
        // What the sample does not see: every id but each tenth is longer, or shorter.
        for (seen, other) in [(97, 285), (285, 97), (297, 97), (97, 297), (0, 300)] {
            let ids: Vec<TokenId> = (0..10_240)
                .map(|n| if n % 10 == 0 { seen } else { other })
                .take(if seen == 297 || other == 297 {
                    2048
                } else {
                    10_240
                })
                .collect();
            let mut bytes = b"before".to_vec();
            model.decode_into(&ids, &mut bytes).unwrap();
            let (want, _) = one_by_one(&model, &ids);
            assert!(
                bytes.strip_prefix(b"before") == Some(&want),
                "{seen}, {other}"
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_are_those_of_the_tokens_one_by_one(
            ids in prop::collection::vec(prop_oneof![9 => 0u32..290, 1 => 290u32..302], 0..60),
            unknown in prop::option::weighted(0.3, prop_oneof![Just(299u32), Just(301), any::<u32>()]),
            at in any::<prop::sample::Index>(),
            repeat in prop_oneof![9 => Just(1usize), 1 => 1usize..60],
        ) {
            let model = long_and_short();
            let known = |id: &TokenId| model.token(*id).is_some();
            let mut ids: Vec<TokenId> = ids.into_iter().filter(known).collect();
            ids = ids.repeat(repeat);
            if let Some(unknown) = unknown {
                ids.insert(at.index(ids.len() + 1), unknown);
            }
            let mut bytes = Vec::new();
            let done = model.decode_into(&ids, &mut bytes);
            prop_assert_eq!((bytes, done), one_by_one(&model, &ids));
        }

        #[test]
        fn the_stream_gives_the_text_of_the_whole(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                any::<String>().prop_map(String::into_bytes),
                any::<String>().prop_map(|s| s.bytes().skip(1).collect()),
            ],
        ) {
            let model = bytes_only();
            let ids: Vec<TokenId> = bytes.iter().map(|&b| b.into()).collect();
            let mut stream = model.decode_stream();
            let mut text = String::new();
            for &id in &ids {
                stream.push(id, &mut text).unwrap();
            }
            stream.finish(&mut text);
            prop_assert_eq!(&text, &String::from_utf8_lossy(&bytes));
            prop_assert_eq!(text, model.decode_lossy(&ids).unwrap());
        }
    }
}

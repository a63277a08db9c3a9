//! Decoding: ids to bytes, to a string, or to a stream of text.

use std::borrow::{Borrow, Cow};
use std::sync::Arc;

use crate::byte_level::spell;
use crate::model::Model;
use crate::simd::{SHORT, advise_huge_pages, append_short_tokens};
use crate::text_decoder::{DecodedText, Invalid, TextDecoder};
use crate::token::TokenId;

/// An id that is not in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown token id {id} (at position {position})")]
#[non_exhaustive]
pub struct UnknownToken {
    /// The id.
    pub id: TokenId,
    /// Its index in the ids to decode, from 0.
    pub position: usize,
}

impl Model {
    /// Decodes `ids` to bytes, which may not be UTF-8: a token may contain a part of a character.
    ///
    /// # Errors
    /// If an id is not in the vocabulary. The error names the first one.
    pub fn decode(&self, ids: &[TokenId]) -> Result<Vec<u8>, UnknownToken> {
        let mut bytes = Vec::new();
        self.decode_into(ids, &mut bytes)?;
        Ok(bytes)
    }

    /// Like [`Model::decode`], but appends to `bytes`. After an error, `bytes` contains the tokens before the
    /// unknown id.
    ///
    /// For large texts, reuse the vector: allocating a new one takes a quarter of the time.
    ///
    /// Linear in the number of ids and bytes.
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
        if let Some(decoder) = self.text_decoder() {
            return self.decode_text(decoder, ids, &[], Invalid::Keep, bytes);
        }
        if self.redecodes() {
            for (position, &id) in ids.iter().enumerate() {
                let token = self.token(id).ok_or(UnknownToken { id, position })?;
                bytes.extend_from_slice(token);
            }
            return Ok(());
        }
        let (ends, arena) = (self.vocab().ends(), self.vocab().arena());
        let mut position = 0;
        while let Some(rest) = ids.get(position..).filter(|rest| !rest.is_empty()) {
            if bytes.capacity() - bytes.len() < SHORT {
                bytes.reserve(self.estimate(rest) + SHORT);
                advise_huge_pages(bytes.spare_capacity_mut());
            }
            position += append_short_tokens(bytes, rest, ends, arena);
            // `append_short_tokens` stopped at a token that it does not handle (long, special or unknown), at
            // the end of the ids, or at the capacity of `bytes`.
            if let Some(&id) = ids.get(position) {
                let token = self.token(id).ok_or(UnknownToken { id, position })?;
                bytes.extend_from_slice(token);
                position += 1;
            }
        }
        Ok(())
    }

    /// Like [`Model::decode`], but omits the ids in `skipped`, which must be in ascending order. See
    /// [`Model::skipped_ids`].
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
        if let Some(decoder) = self.text_decoder() {
            self.decode_text(decoder, ids, skipped, Invalid::Keep, &mut bytes)?;
            return Ok(bytes);
        }
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

    /// Appends the text of `ids` without those in `skipped`, which must be in ascending order.
    fn decode_text(
        &self,
        decoder: &TextDecoder,
        ids: &[TokenId],
        skipped: &[TokenId],
        invalid: Invalid,
        bytes: &mut Vec<u8>,
    ) -> Result<(), UnknownToken> {
        let mut text = decoder.start();
        for (position, &id) in ids.iter().enumerate() {
            let Some(token) = self.token_text(decoder, id) else {
                text.finish(decoder, invalid, bytes);
                return Err(UnknownToken { id, position });
            };
            if skipped.binary_search(&id).is_err() {
                let is_surface = self.is_surface(decoder, id);
                text.push(decoder, &token, is_surface, invalid, bytes);
            }
        }
        text.finish(decoder, invalid, bytes);
        Ok(())
    }

    /// Returns a token in the form that the decoder reads.
    fn token_text(&self, decoder: &TextDecoder, id: TokenId) -> Option<Cow<'_, [u8]>> {
        if !decoder.is_spelled() {
            return self.token(id).map(Cow::from);
        }
        match self.specials().by_id(id) {
            Some(special) => Some(special.normalized_content(self.normalizer())),
            None => Some(spell(self.vocab().token(id)?).into_bytes().into()),
        }
    }

    /// Whether the bytes of a token are the text that a special token decodes to, not its content.
    fn is_surface(&self, decoder: &TextDecoder, id: TokenId) -> bool {
        matches!(decoder, TextDecoder::SentencePiece(_))
            && self.vocab().token(id).is_none()
            && (self.specials().by_id(id))
                .is_some_and(|token| token.special && token.decoded.is_some())
    }

    /// Estimates the length in bytes of the decoded `ids` from a sample, rounding up. Summing all lengths
    /// would take half as long as decoding.
    fn estimate(&self, ids: &[TokenId]) -> usize {
        const SAMPLE: usize = 1024;
        // Longer tokens count as this: one very long token in the sample does not make others likely.
        const MAX_SAMPLED_LENGTH: usize = 64;
        let sample = ids.iter().step_by(ids.len().div_ceil(SAMPLE).max(1));
        let count = sample.len().max(1);
        let lengths = sample.map(|&id| {
            self.token(id)
                .map_or(0, |token| token.len().min(MAX_SAMPLED_LENGTH))
        });
        let in_sample: usize = lengths.sum();
        // Covers the standard error of the sample, a few percent.
        let margin = if count < ids.len() { 1.06 } else { 1.0 };
        (in_sample as f64 / count as f64 * ids.len() as f64 * margin).ceil() as usize
    }

    /// Decodes `ids` to a string. Each maximal invalid sequence of bytes becomes one U+FFFD, as in Python. If
    /// the model has a [`TextDecoder`], each byte of adjacent byte-fallback tokens that are not UTF-8 together
    /// becomes one, as in `tokenizers`, before later steps.
    ///
    /// # Errors
    /// As [`Model::decode`].
    pub fn decode_lossy(&self, ids: &[TokenId]) -> Result<String, UnknownToken> {
        self.decode_lossy_without(ids, &[])
    }

    /// Like [`Model::decode_lossy`], but omits the ids in `skipped`, which must be in ascending order. See
    /// [`Model::skipped_ids`].
    ///
    /// # Errors
    /// As [`Model::decode`].
    pub fn decode_lossy_without(
        &self,
        ids: &[TokenId],
        skipped: &[TokenId],
    ) -> Result<String, UnknownToken> {
        let mut bytes = Vec::new();
        match self.text_decoder() {
            None => bytes = self.decode_without(ids, skipped)?,
            Some(decoder) => {
                self.decode_text(decoder, ids, skipped, Invalid::Replace, &mut bytes)?;
            }
        }
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Creates a decoder that takes one id at a time and borrows the model. For a decoder that owns an `Arc`
    /// of the model, use [`DecodeStream::new`].
    #[must_use]
    pub fn decode_stream(&self) -> DecodeStream<&Model> {
        DecodeStream::new(self)
    }
}

/// Decodes one id at a time to text, without splitting characters.
///
/// Bytes that may start a character are held back until the character is complete or invalid, and with a
/// [`TextDecoder`], text that later tokens may change: all of it, if a step that needs the whole text follows
/// `Fuse` or `ByteLevel`. The whole text equals that of [`Model::decode_lossy`] for all ids.
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
    /// The start of an incomplete character: at most three bytes between calls.
    held: Vec<u8>,
    /// Number of ids decoded.
    position: usize,
    /// The state of the model's [`TextDecoder`], if it has one.
    state: DecodedText,
}

impl<M: Borrow<Model>> DecodeStream<M> {
    /// Creates a decoder for `model`, a reference or an `Arc`.
    #[must_use]
    pub fn new(model: M) -> Self {
        let decoder = model.borrow().text_decoder();
        DecodeStream {
            state: decoder.map(TextDecoder::start).unwrap_or_default(),
            model,
            held: Vec::new(),
            position: 0,
        }
    }

    /// Decodes the next id and appends the characters that it completes to `text`.
    ///
    /// # Errors
    /// If the id is not in the vocabulary. The decoder and `text` are then unchanged.
    pub fn push(&mut self, id: TokenId, text: &mut String) -> Result<(), UnknownToken> {
        let model = self.model.borrow();
        let unknown = UnknownToken {
            id,
            position: self.position,
        };
        let mut decoded = Vec::new();
        let token = match model.text_decoder() {
            None => model.token(id).ok_or(unknown)?,
            Some(decoder) => {
                let token = model.token_text(decoder, id).ok_or(unknown)?;
                let is_surface = model.is_surface(decoder, id);
                (self.state).push(decoder, &token, is_surface, Invalid::Replace, &mut decoded);
                &decoded
            }
        };
        self.position += 1;
        // Fast path: a token of whole characters.
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

    /// Ends the text. An incomplete character becomes one U+FFFD.
    pub fn finish(mut self, text: &mut String) {
        if let Some(decoder) = self.model.borrow().text_decoder() {
            (self.state).finish(decoder, Invalid::Replace, &mut self.held);
        }
        text.push_str(&String::from_utf8_lossy(&self.held));
    }
}

/// Returns whether an invalid sequence at the end of the bytes is an incomplete character.
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

    /// Tokens of 1 to 40 bytes, two much longer ones, two unused ids, and two special tokens.
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

    /// The definition of decoding.
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
    fn wrong_length_estimates_do_not_truncate() {
        let model = long_and_short();
        // Of 10,240 ids, the sample contains every tenth; the others are longer or shorter.
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
        fn bytes_equal_the_tokens_one_by_one(
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
        fn a_stream_equals_decode_lossy(
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

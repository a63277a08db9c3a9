//! Decoding: ids to bytes, to text, and as a stream.

use crate::arch::advise_huge_pages;
use crate::model::Model;
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
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        advise_huge_pages(bytes.spare_capacity_mut());
        for (position, &id) in ids.iter().enumerate() {
            let token = self.token(id).ok_or(UnknownToken { id, position })?;
            bytes.extend_from_slice(token);
        }
        Ok(bytes)
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

    /// A decoder that is given ids one at a time.
    pub fn decode_stream(&self) -> DecodeStream<'_> {
        DecodeStream {
            model: self,
            held: Vec::new(),
            position: 0,
        }
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
/// let model = Model::trained("cl100k".parse::<Pattern>()?, Merges::default(), &[] as &[&str])?;
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
pub struct DecodeStream<'m> {
    model: &'m Model,
    /// At most three bytes between calls: the beginning of a character.
    held: Vec<u8>,
    position: usize,
}

impl DecodeStream<'_> {
    /// Takes one more id and appends to `text` what it completes.
    ///
    /// # Errors
    /// When there is no such token; nothing is changed then.
    pub fn push(&mut self, id: TokenId, text: &mut String) -> Result<(), UnknownToken> {
        let token = self.model.token(id).ok_or(UnknownToken {
            id,
            position: self.position,
        })?;
        self.position += 1;
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
    use crate::split::{Pattern, PatternName};
    use proptest::prelude::*;

    fn bytes_only() -> Model {
        let pattern = Pattern::named(PatternName::Gpt2);
        Model::trained(pattern, Merges::default(), &["<|é|>"]).unwrap()
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

    proptest! {
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

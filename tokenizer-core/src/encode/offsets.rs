//! Encoding with offsets: the bytes of the text that each id covers.
//!
//! The concatenated tokens of a piece are its bytes, and the pieces of a run are adjacent. So the offsets
//! follow from the start of the run and the lengths of its tokens. A token for unknown symbols covers these.

use std::ops::Range;

use super::encoder::{Request, with_capacity_for};
use super::error::{EncodeError, check_stop};
use crate::segments::Segment;
use crate::token::TokenId;

/// Ids, each with the byte range of the text that it covers. Created by [`Request::offsets`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdsWithOffsets {
    /// The ids.
    pub ids: Vec<TokenId>,
    /// For each id, its range of bytes in the text.
    pub ranges: Vec<Range<usize>>,
}

impl Request<'_> {
    /// Encodes `text` and returns the byte range of each id. Uses one thread.
    ///
    /// Without a normalizer, each range starts where the previous one ends, unless the pattern drops the text
    /// in between. A range may start or end inside a character, because a token may. The range of a special
    /// token that strips white space includes that white space.
    ///
    /// If the model changes text, by a normalizer or before it is split, ranges refer to the
    /// original text, as in `tokenizers`. A character that replaces others, such as a composed one,
    /// has the range of the first of them, and an inserted one that of the character before it, or
    /// after it at the start of the text. So the ranges of two tokens may be equal or overlap, and
    /// some characters may be in no range. If normalization reorders combining marks, the first
    /// mark after reordering has the range of the first mark before, and so on. Only the prefix that
    /// SentencePiece puts before a text has an empty range.
    /// If any text changes, 16 more bytes of memory are used for each of its bytes.
    ///
    /// Takes the time of [`Request::encode`] plus one length look-up per token, and 16 bytes of memory per
    /// range.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Pair, Tokenizer};
    ///
    /// let merges = Merges::trained(&[Pair::new(97, 98)])?;
    /// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, merges, &["<|end|>"])?);
    /// let allowed = tokenizer.model().all_specials();
    /// let encoded = tokenizer.request().allow(&allowed).offsets("cab<|end|>")?;
    /// assert_eq!(encoded.ids, [99, 256, 257]);
    /// assert_eq!(encoded.ranges, [0..1, 1..3, 3..10]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Same as [`Request::encode`].
    pub fn offsets(&self, text: impl AsRef<[u8]>) -> Result<IdsWithOffsets, EncodeError> {
        let (text, Request { encoder, stop, .. }) = (text.as_ref(), *self);
        let mut session = encoder.session();
        let mut ids = with_capacity_for(text.len());
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(ids.capacity());
        for segment in encoder.segments(text, self.allowed).aligned() {
            match segment {
                Segment::Special(token, span) => {
                    check_stop(stop)?;
                    ids.push(token.id);
                    ranges.push(span);
                }
                Segment::Text(text, origin) => {
                    let mut runs = session.runs(encoder.tables(), &text, origin.start(), stop);
                    while runs.encode(&mut ids)? {
                        let mut start = runs.spans().start();
                        ranges.extend(ids[ranges.len()..].iter().enumerate().map(
                            |(index, &id)| {
                                let end = start + runs.length(index, id);
                                origin.original(std::mem::replace(&mut start, end)..end)
                            },
                        ));
                    }
                }
            }
        }
        Ok(IdsWithOffsets { ids, ranges })
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Model;
    use crate::normalize::Normalizer;
    use crate::pattern::{Pattern, PatternName};
    use crate::tokenizer::Tokenizer;

    #[test]
    fn a_composed_character_has_the_range_of_its_first_component() {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xc3\xa9"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::from_ranks(pattern, all.zip(0..), []).unwrap();
        let tokenizer = Tokenizer::new(model.with_normalizer(Some(Normalizer::Nfc)));
        let text = "the e\u{301} x\u{301} \u{958}";
        let got = tokenizer.request().offsets(text).unwrap();
        let ranges: Vec<_> = got.ids.iter().copied().zip(got.ranges).collect();
        // "e" and "x" are followed by a combining mark of two bytes. "e" composes with it, "x" does not. The
        // last character is a composition exclusion: it normalizes to two characters.
        assert_eq!(ranges[..2], [(257, 0..3), (32, 3..4)]);
        assert_eq!(ranges[2], (260, 4..5));
        let x: Vec<_> = ranges[3..7]
            .iter()
            .map(|(_, range)| range.clone())
            .collect();
        assert_eq!(x, [7..8, 8..9, 9..10, 10..11]);
        assert_eq!(ranges[7].1, 11..12);
        assert!(ranges[8..].iter().all(|(_, range)| *range == (12..15)));
        assert_eq!(ranges.len(), 14);
    }
}

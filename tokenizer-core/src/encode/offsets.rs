//! Ids, and where in the text each stands.
//!
//! The ids of a piece spell it. So where they stand follows from where the piece begins and from
//! the lengths of the tokens; pieces that touch need one beginning together.

use std::ops::Range;

use super::encoder::{Request, room_for};
use super::error::{EncodeError, check_stop};
use crate::segments::Segment;
use crate::token::TokenId;

/// Ids, and where in the text each stands. Made by [`Request::offsets`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdsWithOffsets {
    /// The ids.
    pub ids: Vec<TokenId>,
    /// For each id, from which byte of the text to which.
    pub ranges: Vec<Range<usize>>,
}

impl Request<'_> {
    /// The ids of `text`, and the bytes of the text that each stands for. One thread does it.
    ///
    /// The ranges ascend, and each begins where the one before ends, unless the pattern drops what
    /// lies between its matches. A range may begin or end within a character, as tokens do.
    /// A special token that takes white space along has the range of both.
    ///
    /// With a normaliser, the ranges are of the text as it is given. A token that holds a character
    /// that was composed, or a part of one, has the range of all that it was composed from: so two
    /// tokens that share such a character share its range. Where marks stand in another order than
    /// they were, the first is taken for the first. A token never has an empty range.
    ///
    /// Costs what [`Request::encode`] costs, and a look at each token; 16 bytes for a range.
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
    /// As [`Request::encode`].
    pub fn offsets(&self, text: impl AsRef<[u8]>) -> Result<IdsWithOffsets, EncodeError> {
        let (text, Request { encoder, stop, .. }) = (text.as_ref(), *self);
        let vocab = encoder.model().vocab();
        let mut session = encoder.session();
        let mut ids = room_for(text.len());
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(ids.capacity());
        for segment in encoder.segments(text, self.allowed).aligned() {
            match segment {
                Segment::Special(token, span) => {
                    check_stop(stop)?;
                    ids.push(token.id);
                    ranges.push(span);
                }
                Segment::Text(text, place) => {
                    let mut runs = session.runs(encoder.tables(), &text, place.start(), stop);
                    while runs.encode(&mut ids)? {
                        let mut start = runs.spans().start();
                        ranges.extend(ids[ranges.len()..].iter().map(|&id| {
                            let end = start + vocab.token(id).map_or(0, <[u8]>::len);
                            place.original(std::mem::replace(&mut start, end)..end)
                        }));
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
    fn a_composed_character_has_the_range_of_its_parts() {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xc3\xa9"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::from_ranks(pattern, all.zip(0..), []).unwrap();
        let encoder = Tokenizer::new(model.with_normalizer(Some(Normalizer::Nfc)));
        let text = "the e\u{301} x\u{301} \u{958}";
        let got = encoder.request().offsets(text).unwrap();
        let ranges: Vec<_> = got.ids.iter().copied().zip(got.ranges).collect();
        // The letters at 4 and 9 have a mark of two bytes behind them; that at 13 is of three bytes
        // and becomes two characters of three bytes.
        assert_eq!(ranges[..2], [(257, 0..3), (32, 3..4)]);
        assert_eq!(ranges[2], (260, 4..7));
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

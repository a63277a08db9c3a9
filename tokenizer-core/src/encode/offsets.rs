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
    use crate::pattern::{Gaps, Pattern, PatternName};
    use crate::special::SpecialToken;
    use crate::tokenizer::Tokenizer;
    use proptest::prelude::*;

    fn encoder(pattern: Pattern, normalizer: Option<Normalizer>) -> Tokenizer {
        let tokens = [
            b"th".as_slice(),
            b"the",
            b" t",
            b"  ",
            b"\xc3\xa9",
            b"\xe4\xba\xac",
        ];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let mut strips = SpecialToken::new("<n>", 301);
        (strips.normalized, strips.lstrip) = (true, true);
        let specials = [SpecialToken::new("<|s|>", 300), strips];
        let model = Model::from_ranks(pattern, all.zip(0..), specials).unwrap();
        Tokenizer::new(model.with_normalizer(normalizer))
    }

    fn cl100k() -> Pattern {
        Pattern::named(PatternName::Cl100k)
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            3 => "[ a-z0-9'\r\n.,]{0,40}".prop_map(String::into_bytes),
            2 => "(the |th  |<n>| <n>|<\\|s\\|>){0,90}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..20),
            1 => prop::collection::vec(any::<char>(), 0..20)
                .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
            1 => "[ae\u{301}\u{316}\u{344}\u{958}\u{1100}\u{1161}\u{11a8}\u{2126}]{0,12}"
                .prop_map(String::into_bytes),
        ];
        prop::collection::vec(some, 0..12).prop_map(|some| some.concat())
    }

    proptest! {
        #[test]
        fn ranges_hold_the_bytes_of_their_tokens(text in any_text()) {
            let drops = Pattern::regex("[a-z]+|[0-9]", Gaps::Drop).unwrap();
            for pattern in [cl100k(), drops] {
                let keeps = pattern.has_scanner();
                let encoder = encoder(pattern, None);
                let allowed = encoder.model().all_specials();
                let got = encoder.request().allow(&allowed).offsets(&text).unwrap();
                let mut ids = Vec::new();
                encoder.request().allow(&allowed).encode_into(&text, &mut ids).unwrap();
                prop_assert_eq!(&got.ids, &ids);
                prop_assert_eq!(got.ranges.len(), ids.len());
                let mut end = 0;
                for (id, range) in ids.into_iter().zip(got.ranges) {
                    let bytes = &text[range.clone()];
                    match encoder.model().vocab().token(id) {
                        Some(token) => prop_assert_eq!(token, bytes),
                        None if id == 300 => prop_assert_eq!(bytes, b"<|s|>"),
                        None => {
                            let text = std::str::from_utf8(bytes).unwrap();
                            prop_assert_eq!(text.trim_start(), "<n>");
                        }
                    }
                    prop_assert!(range.start == end || (!keeps && range.start > end));
                    end = range.end;
                }
                prop_assert!(!keeps || end == text.len());
            }
        }

        #[test]
        fn ranges_of_normalised_text_cover_the_text_as_given(text in any_text()) {
            let encoder = encoder(cl100k(), Some(Normalizer::Nfc));
            let allowed = encoder.model().all_specials();
            let got = encoder.request().allow(&allowed).offsets(&text).unwrap();
            let mut ids = Vec::new();
            encoder.request().allow(&allowed).encode_into(&text, &mut ids).unwrap();
            prop_assert_eq!(&got.ids, &ids);
            let mut last = 0..0;
            for range in got.ranges {
                prop_assert!(range.start < range.end);
                prop_assert!(range.start <= last.end && range.start >= last.start);
                prop_assert!(range.end >= last.end);
                last = range;
            }
            prop_assert_eq!(last.end, text.len());
        }
    }

    #[test]
    fn a_composed_character_has_the_range_of_its_parts() {
        let encoder = encoder(cl100k(), Some(Normalizer::Nfc));
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

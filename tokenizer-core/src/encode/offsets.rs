//! Encoding with offsets: the bytes of the text that each id covers.
//!
//! The concatenated tokens of a piece are its bytes, and the pieces of a run are adjacent. So the offsets
//! follow from the start of the run and the lengths of its tokens. A token for unknown symbols covers these.

use std::ops::Range;

use super::encoder::{Request, with_capacity_for};
use super::error::{EncodeError, check_stop};
use crate::model::Model;
use crate::post_processor::Trimming;
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
    /// mark after reordering has the range of the first mark before, and so on. Before it is trimmed, only the
    /// range of the prefix that SentencePiece puts before a text is empty.
    /// If any text changes, 16 more bytes of memory are used for each of its bytes.
    ///
    /// If the model's [`PostProcessor`](crate::PostProcessor) trims offsets, ranges do not include the
    /// spaces at the ends of tokens.
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
        let trimmer = Trimmer {
            text,
            trimming: encoder.model().post_processor().trimming(),
        };
        for segment in encoder.segments(text, self.allowed).aligned() {
            match segment {
                Segment::Special(token, span, matched) => {
                    check_stop(stop)?;
                    let spaces = || spaces_of_text(&matched);
                    ranges.push(trimmer.trim(span, ids.is_empty(), spaces));
                    ids.push(token.id);
                }
                Segment::Text(text, origin) => {
                    let mut runs = session.runs(encoder.tables(), &text, 0, stop);
                    let located =
                        |error: EncodeError| error.moved(|at| origin.original(at..at).start);
                    while runs.encode(&mut ids).map_err(located)? {
                        let mut start = runs.spans().start();
                        for (index, &id) in ids[ranges.len()..].iter().enumerate() {
                            let end = start + runs.length(index, id);
                            let range = origin.original(std::mem::replace(&mut start, end)..end);
                            let spaces = || spaces_of_token(encoder.model(), id);
                            ranges.push(trimmer.trim(range, ranges.is_empty(), spaces));
                        }
                    }
                }
            }
        }
        Ok(IdsWithOffsets { ids, ranges })
    }
}

/// Moves the ends of ranges past the white space at the ends of their tokens, one character of the text for
/// each space of the token, as `tokenizers` does. Spaces are counted in the token, not in the text, which
/// differ if the text was normalized.
struct Trimmer<'t> {
    text: &'t [u8],
    trimming: Option<Trimming>,
}

impl Trimmer<'_> {
    /// Trims the range of a token. `spaces` returns the numbers of white space characters at its ends.
    fn trim(
        &self,
        range: Range<usize>,
        is_first: bool,
        spaces: impl FnOnce() -> (usize, usize),
    ) -> Range<usize> {
        let Some(trimming) = self.trimming else {
            return range;
        };
        let Range { mut start, end } = range;
        let (mut leading, trailing) = spaces();
        let is_first = is_first || start == 0;
        if leading == 1 && is_first && trimming == Trimming::KeepPrefixSpace {
            leading = 0;
        }
        let begins = |at: usize| self.text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
        // A token may end within a character, which is then skipped as a whole.
        let last = (end..self.text.len()).find(|&at| begins(at));
        let last = last.unwrap_or(self.text.len());
        for _ in 0..leading {
            let next = (start + 1..=last).find(|&at| begins(at));
            start = next.unwrap_or(start);
        }
        // If there is less text before the end than the token has spaces, the end stays.
        let mut trimmed = Some(end);
        for _ in 0..trailing {
            trimmed = trimmed.and_then(|at| (0..at).rev().find(|&at| begins(at)));
        }
        start..trimmed.unwrap_or(end).max(start)
    }
}

/// Returns the number of white space characters at the start and at the end of a token.
fn spaces_of_token(model: &Model, id: TokenId) -> (usize, usize) {
    let token = model.vocab().token(id).unwrap_or_default();
    if model.symbols().is_some_and(|symbols| symbols.characters) {
        return spaces_of_text(token);
    }
    let is_space = |byte: &&u8| **byte == b' ';
    let leading = token.iter().take_while(is_space).count();
    (leading, token.iter().rev().take_while(is_space).count())
}

/// Counts white space and the character for a space in GPT-2's byte alphabet, as in `tokenizers`.
fn spaces_of_text(text: &[u8]) -> (usize, usize) {
    let is_space = |character: &char| character.is_whitespace() || *character == '\u{120}';
    let text = String::from_utf8_lossy(text);
    let leading = text.chars().take_while(is_space).count();
    (leading, text.chars().rev().take_while(is_space).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::normalize::Normalizer;
    use crate::pattern::{Pattern, PatternName};
    use crate::post_processor::PostProcessor;
    use crate::rewrite::RewriteStep;
    use crate::special::{SpecialToken, SpecialTokens};
    use crate::token::Pair;
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

    /// Expected ranges are from `tokenizers` 0.23.1, which counts characters.
    #[test]
    fn white_space_is_trimmed() {
        let merges = [(32, 97), (32, 32), (257, 32), (10, 32)];
        let merges = merges.map(|(left, right)| Pair::new(left, right));
        let strips = SpecialToken {
            lstrip: true,
            special: false,
            ..SpecialToken::new("<l>", 260)
        };
        let spaces = [(" x ", 261), ("  ", 262)].map(|(content, id)| SpecialToken {
            special: false,
            ..SpecialToken::new(content, id)
        });
        let merges = Merges::trained(&merges).unwrap();
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern.clone(), merges, &[] as &[&str]).unwrap();
        let specials = SpecialTokens::new([strips].into_iter().chain(spaces)).unwrap();
        let (vocab, merging) = (model.vocab().clone(), model.merging().clone());
        let model = Model::new(pattern, vocab, merging, specials).unwrap();
        let ranges = |trimming, normalizer, text: &str| {
            let processor = PostProcessor::default().with_trimming(Some(trimming));
            let model = model.clone().with_normalizer(normalizer);
            let tokenizer = Tokenizer::new(model.with_post_processor(processor).unwrap());
            let got = tokenizer.request().offsets(text).unwrap().ranges;
            Vec::from_iter(got.iter().map(|range| (range.start, range.end)))
        };
        let cases: [(&str, &[_], &[_]); 9] = [
            (" a", &[(1, 2)], &[(0, 2)]),
            (" a a", &[(1, 2), (3, 4)], &[(0, 2), (3, 4)]),
            (" ", &[(1, 1)], &[(0, 0)]),
            ("   ", &[(2, 2), (3, 3)], &[(2, 2), (3, 3)]),
            ("   a", &[(2, 2), (3, 4)], &[(2, 2), (3, 4)]),
            (
                "b <l> a",
                &[(0, 1), (2, 5), (6, 7)],
                &[(0, 1), (2, 5), (6, 7)],
            ),
            ("a  b", &[(0, 1), (3, 3), (3, 4)], &[(0, 1), (3, 3), (3, 4)]),
            (
                " x b\n a",
                &[(1, 2), (3, 4), (4, 5), (6, 7)],
                &[(0, 2), (3, 4), (4, 5), (6, 7)],
            ),
            (
                "\u{e9} a",
                &[(0, 1), (1, 2), (3, 4)],
                &[(0, 1), (1, 2), (3, 4)],
            ),
        ];
        for (text, all, keeping) in cases {
            assert_eq!(ranges(Trimming::All, None, text), all, "{text:?}");
            let kept = ranges(Trimming::KeepPrefixSpace, None, text);
            assert_eq!(kept, keeping, "{text:?}");
        }
        // U+3000 becomes a space, and U+00A8 a space and a mark.
        let cases: [(&str, &[_]); 4] = [
            ("\u{3000}a", &[(3, 4)]),
            ("x\u{a8}", &[(0, 1), (3, 3), (1, 3), (1, 3)]),
            ("\u{3000}\u{3000}\u{3000} a", &[(9, 9), (10, 11)]),
            ("a\u{3000}", &[(0, 1), (4, 4)]),
        ];
        for (text, want) in cases {
            let nfkc = Some(Normalizer::Nfkc);
            assert_eq!(ranges(Trimming::All, nfkc, text), want, "{text:?}");
        }
    }

    /// Expected ranges are from `tokenizers` 0.23.1, which counts characters.
    #[test]
    fn trimming_skips_whole_characters() {
        // An inserted space and the first byte of U+20AC are one token, which has the range of that byte.
        let merges = Merges::trained(&[Pair::new(32, 0xE2)]).unwrap();
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern, merges, &[] as &[&str]).unwrap();
        for (trimming, first) in [(Trimming::All, 3..3), (Trimming::KeepPrefixSpace, 0..1)] {
            let processor = PostProcessor::default().with_trimming(Some(trimming));
            let model = model.clone().with_rewrites([RewriteStep::PrefixSpace]);
            let tokenizer = Tokenizer::new(model.with_post_processor(processor).unwrap());
            let got = tokenizer.request().offsets("\u{20ac} ").unwrap();
            assert_eq!(got.ids, [256, 0x82, 0xAC, 32]);
            assert_eq!(got.ranges, [first, 1..2, 2..3, 4..4], "{trimming:?}");
        }
    }
}

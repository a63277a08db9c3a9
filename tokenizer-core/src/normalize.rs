//! Normalization of text before it is split, for the models that ask for it.
//!
//! Only a `tokenizer.json` brings a normalizer. Its tables are those of the `tokenizers` package
//! (Unicode 9, through the crate that the package itself uses), because equal ids are the
//! aim; a newer Unicode composes 98 characters differently.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization_alignments::UnicodeNormalization;
use unicode_normalization_alignments::char::decompose_canonical;

use crate::simd::{BLOCK, Kernel, Simd, Tier};
use crate::unicode::{self, UNSETTLED};

/// A change made to text before it is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normalizer {
    /// Canonical composition, as Qwen's tokenizers want it.
    Nfc,
}

impl Normalizer {
    /// The normalized text. Bytes that are not UTF-8 stay as they are and nothing composes across
    /// them. Linear in the length of the text; a text without characters that NFC may change is borrowed.
    pub fn apply(self, text: &[u8]) -> Cow<'_, [u8]> {
        let Normalizer::Nfc = self;
        apply(Tier::best(), text, |out, stretch| {
            let mut utf8 = [0; 4];
            for chunk in text[stretch].utf8_chunks() {
                for (c, _) in chunk.valid().chars().nfc() {
                    out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                }
                out.extend_from_slice(chunk.invalid());
            }
        })
    }

    /// As [`Normalizer::apply`], and where the characters of the normalized text come from.
    pub(crate) fn apply_aligned(self, text: &[u8]) -> (Cow<'_, [u8]>, Alignment) {
        let Normalizer::Nfc = self;
        let mut alignment = Alignment::default();
        let normalized = apply(Tier::best(), text, |out, stretch| {
            let mut read = stretch.start;
            for chunk in text[stretch].utf8_chunks() {
                alignment.add(chunk.valid(), read, out);
                out.extend_from_slice(chunk.invalid());
                read += chunk.valid().len() + chunk.invalid().len();
            }
        });
        (normalized, alignment)
    }

    /// The last place, `from` or behind it, where a text that begins with `text` may be cut so that
    /// both parts, normalized on their own, give the whole, whatever follows; `None` when there is
    /// none. It is one from which nothing composes with what is before.
    ///
    /// Places before `text.len() - 3` are decided for good. Costs the distance from the end of the
    /// text to the place, or to `from`.
    pub(crate) fn last_settled_cut(self, text: &[u8], from: usize) -> Option<usize> {
        let Normalizer::Nfc = self;
        let stands_apart = |at: usize| {
            let rest = &text[at..text.len().min(at + 4)];
            let chunk = rest.utf8_chunks().next()?;
            Some(match chunk.valid().chars().next() {
                Some(c) => stands_apart(c),
                // Bytes that are not UTF-8, if they will never be.
                None => {
                    rest[0] & 0xC0 != 0x80
                        && std::str::from_utf8(rest).is_err_and(|e| e.error_len().is_some())
                }
            })
        };
        let mut places = (from.max(1)..text.len()).rev();
        places.find(|&at| stands_apart(at) == Some(true))
    }
}

/// Whether a character composes with nothing before it, and moves over nothing before it. It may be
/// unsettled: others of the same kind are written in its place (U+F900).
fn stands_apart(c: char) -> bool {
    let is_settled = |c: char| unicode::class(c.into()) & UNSETTLED == 0;
    let mut first = None;
    is_settled(c) || {
        decompose_canonical(c, |part| first = first.or(Some(part)));
        first.is_some_and(is_settled)
    }
}

/// The lowest first byte of a character at U+0300 or above. All below are their own normal form and compose
/// with nothing before them.
const FIRST_MARK: u8 = 0xCC;

/// Copies settled text, and passes each unsettled stretch to `normalize`, which appends its normal form. A
/// stretch is a run of unsettled characters and the settled character before it, with which they may compose.
///
/// **Cost.** A mask of 64 bytes gives the first bytes from U+0300 on; each such character is one look-up.
fn apply(
    tier: Tier,
    text: &[u8],
    mut normalize: impl FnMut(&mut Vec<u8>, Range<usize>),
) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut done = 0;
    while let Some(at) = tier.run(NextUnsettled { text, from: done }) {
        let stretch = before(text, at).max(done)..settled(text, at + 1);
        if done == 0 {
            out.reserve(text.len());
        }
        out.extend_from_slice(&text[done..stretch.start]);
        done = stretch.end;
        normalize(&mut out, stretch);
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(&text[done..]);
    Cow::Owned(out)
}

/// First bytes, and those after the last, of characters that are all settled: Cyrillic, Chinese, Hangul
/// syllables. Chinese with Qwen's file, later passes: 1.2 times as fast as without them.
const SETTLED: [(u8, u8); 3] = [(0xD0, 0xD2), (0xE4, 0xEA), (0xEB, 0xEF)];

/// Finds the first unsettled character at `from` or behind it.
struct NextUnsettled<'t> {
    text: &'t [u8],
    from: usize,
}

impl Kernel for NextUnsettled<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Option<usize> {
        let mut start = self.from;
        while start < self.text.len() {
            let rest = &self.text[start..];
            let mut padded = [0; BLOCK];
            let block = simd.load(rest.first_chunk().unwrap_or_else(|| {
                padded[..rest.len()].copy_from_slice(rest);
                &padded
            }));
            let mut marks = simd.at_least(block, FIRST_MARK);
            if marks != 0 {
                for &(first, after) in &SETTLED {
                    marks &= !simd.at_least(block, first) | simd.at_least(block, after);
                }
            }
            while marks != 0 {
                let at = start + marks.trailing_zeros() as usize;
                if is_unsettled(self.text, at) {
                    return Some(at);
                }
                marks &= marks - 1;
            }
            start += BLOCK;
        }
        None
    }
}

/// Whether the character that begins at `at` is unsettled. Bytes that are not UTF-8 are not.
#[inline(always)]
fn is_unsettled(text: &[u8], at: usize) -> bool {
    unicode::char_at(text, at).is_some_and(|(class, _)| class & UNSETTLED != 0)
}

/// Where the character before `at` begins; `at` itself behind bytes that are not UTF-8.
fn before(text: &[u8], at: usize) -> usize {
    let start = (at.saturating_sub(4)..at)
        .rev()
        .find(|&at| text[at] & 0xC0 != 0x80);
    start.unwrap_or(at)
}

/// Where the next character that is not unsettled begins, at `at` or behind it.
fn settled(text: &[u8], at: usize) -> usize {
    let is_settled = |at: &usize| text[*at] & 0xC0 != 0x80 && !is_unsettled(text, *at);
    (at..text.len()).find(is_settled).unwrap_or(text.len())
}

/// Where the characters of a normalized text come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// Characters that are not those of the text, ascending. All between them are.
    changes: Vec<Change>,
}

/// Characters that came from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Change {
    normalized: Range<usize>,
    original: Range<usize>,
}

impl Alignment {
    /// Appends a normalized stretch of a text to `out`, and where its characters come from. It begins at
    /// `read`.
    fn add(&mut self, stretch: &str, mut read: usize, out: &mut Vec<u8>) {
        let mut utf8 = [0; 4];
        let mut given = stretch.chars();
        let mut last = Change::default();
        for (c, change) in stretch.chars().nfc() {
            // One for each that comes from one; none for a second that comes from the same.
            let taken = usize::try_from(1 - change).unwrap_or(0);
            let same = taken == 1 && given.clone().next() == Some(c);
            let taken_chars = given.by_ref().take(taken);
            let from = taken_chars.map(char::len_utf8).sum::<usize>();
            let at = out.len();
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            if taken == 0 {
                last.normalized.end = out.len();
                let changes = &mut self.changes;
                changes.pop_if(|before| before.normalized.start == last.normalized.start);
            } else {
                last = Change {
                    normalized: at..out.len(),
                    original: read..read + from,
                };
            }
            read += from;
            if !same {
                self.changes.push(last.clone());
            }
        }
    }

    /// The bytes of the text from which those in `range` of the normalized text come: of a character
    /// that was changed all, of others just the same. Costs the logarithm of the number of changes.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let next = self.first(|change| change.normalized.end > range.start);
        let start = match self.changes.get(next) {
            Some(change) if change.normalized.start <= range.start => change.original.start,
            _ => self.behind(next, range.start),
        };
        let next = self.first(|change| change.normalized.end >= range.end);
        let end = match self.changes.get(next) {
            Some(change) if change.normalized.start < range.end => change.original.end,
            _ => self.behind(next, range.end),
        };
        start..end
    }

    /// The first change for which `holds` is true, as it is for all behind it.
    fn first(&self, holds: impl Fn(&Change) -> bool) -> usize {
        self.changes.partition_point(|change| !holds(change))
    }

    /// Where the byte at `at` comes from, which is not changed and stands before the change `next`.
    fn behind(&self, next: usize, at: usize) -> usize {
        match next.checked_sub(1).map(|last| &self.changes[last]) {
            Some(last) => last.original.end + (at - last.normalized.end),
            None => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn characters_that_are_not_looked_at_are_settled() {
        for c in '\u{300}'..=char::MAX {
            let first = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            if SETTLED
                .iter()
                .any(|&(one, after)| (one..after).contains(&first))
            {
                assert_eq!(unicode::class(c.into()) & UNSETTLED, 0, "{c:?}");
            }
        }
    }

    #[test]
    fn letters_and_marks_compose_and_other_bytes_stay() {
        let text = b"e\xcc\x81 \xff e\xcc\x81";
        assert_eq!(&*Normalizer::Nfc.apply(text), b"\xc3\xa9 \xff \xc3\xa9");
    }

    fn nfc(text: &str) -> String {
        String::from_utf8(Normalizer::Nfc.apply(text.as_bytes()).into_owned()).unwrap()
    }

    /// The text normalized as a whole, as `tokenizers` does: the oracle of the quick check.
    fn whole(text: &[u8]) -> (Vec<u8>, Alignment) {
        let (mut out, mut alignment) = (Vec::new(), Alignment::default());
        let mut read = 0;
        for chunk in text.utf8_chunks() {
            alignment.add(chunk.valid(), read, &mut out);
            out.extend_from_slice(chunk.invalid());
            read += chunk.valid().len() + chunk.invalid().len();
        }
        (out, alignment)
    }

    fn assert_as_whole(text: &[u8]) {
        let (want, alignment) = whole(text);
        for tier in Tier::available() {
            let got = apply(tier, text, |out, stretch| {
                out.extend(whole(&text[stretch]).0)
            });
            assert_eq!(got, want, "{tier}: {}", text.escape_ascii());
        }
        assert_eq!(Normalizer::Nfc.apply(text), want, "{}", text.escape_ascii());
        let (got, aligned) = Normalizer::Nfc.apply_aligned(text);
        assert_eq!(
            (&*got, aligned),
            (&*want, alignment),
            "{}",
            text.escape_ascii()
        );
    }

    /// Alone, behind a starter and a mark, and before both, at every place of a block.
    #[test]
    fn every_character_is_normalized_as_by_the_package() {
        let mut text = String::new();
        for c in '\0'..=char::MAX {
            text.clear();
            text.extend(std::iter::repeat_n('x', c as usize % 67));
            text.extend([
                'a', '\u{323}', c, '\u{301}', '\u{1100}', c, '\u{1161}', 'o', c,
            ]);
            assert_as_whole(text.as_bytes());
        }
    }

    #[test]
    fn a_starter_and_a_mark_are_normalized_as_by_the_package() {
        let unsettled = |c: &char| unicode::class((*c).into()) & UNSETTLED != 0;
        let marks: Vec<char> = ('\0'..=char::MAX).filter(unsettled).collect();
        let composed = ('\0'..='\u{FFFF}').filter(|c| nfc(&c.to_string()) != c.to_string());
        let starters: Vec<char> = composed
            .chain("aeEoOAuy가かあ\u{915}\u{1100}".chars())
            .collect();
        for starter in starters {
            let mut text = String::new();
            for &mark in &marks {
                text.extend([starter, mark, ' ']);
            }
            assert_as_whole(text.as_bytes());
        }
    }

    #[test]
    fn no_character_that_stands_apart_composes_with_one_before() {
        // One of each kind that something composes with.
        let before = [
            "a", "A\u{30A}", "\u{915}", "\u{9C7}", "\u{1100}", "가", "か", "\u{1B05}",
        ];
        let mut joined = String::new();
        for c in '\0'..=char::MAX {
            if !stands_apart(c) {
                continue;
            }
            let apart = nfc(c.encode_utf8(&mut [0; 4]));
            for before in before {
                joined.clear();
                joined.push_str(before);
                joined.push(c);
                assert_eq!(nfc(&joined), nfc(before) + &apart, "{before:?} {c:?}");
            }
        }
        let joining = [
            '\u{301}', '\u{1161}', '\u{11A8}', '\u{3099}', '\u{9BE}', '\u{1B35}',
        ];
        assert!(!joining.into_iter().any(stands_apart));
    }

    #[test]
    fn text_is_cut_before_characters_that_are_replaced() {
        for c in ["\u{F900}", "\u{958}", "\u{212B}", "é", "中", "가"] {
            let text = c.repeat(100);
            let cut = Normalizer::Nfc.last_settled_cut(text.as_bytes(), 0);
            assert_eq!(cut, Some(text.len() - c.len()), "{c}");
        }
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let hard = [
            "a", "e", "E", " ", "\n", "\u{301}", "\u{308}", "\u{323}", "\u{345}", "\u{1100}",
            "\u{1161}", "\u{11A8}", "가", "각", "か", "\u{3099}", "\u{958}", "\u{212B}",
            "\u{F900}", "\u{340}", "\u{344}", "é", "中", "😀",
        ];
        let hard = prop::sample::select(hard.to_vec()).prop_map(|c| c.as_bytes().to_vec());
        let bits = prop_oneof![
            8 => hard,
            1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(bits, 0..24).prop_map(|bits| bits.concat())
    }

    proptest! {
        #[test]
        fn stretches_are_normalized_as_the_whole(
            text in any_text(),
            padding in 0..70_usize,
            broken in any::<prop::sample::Index>(),
        ) {
            let mut text = [vec![b'x'; padding], text.clone(), text].concat();
            assert_as_whole(&text);
            let at = broken.index(text.len() + 1);
            text.insert(at, 0xCC);
            assert_as_whole(&text);
            text.remove(at.min(text.len() - 1));
            assert_as_whole(&text);
        }

        #[test]
        fn a_settled_cut_holds_whatever_follows(
            text in any_text(),
            known in any::<prop::sample::Index>(),
            more in 0usize..9,
        ) {
            let nfc = |text| Normalizer::Nfc.apply(text).into_owned();
            let known = known.index(text.len() + 1);
            let cut = Normalizer::Nfc.last_settled_cut(&text[..known], 0);
            if let Some(cut) = cut {
                let (left, right) = text.split_at(cut);
                prop_assert_eq!([nfc(left), nfc(right)].concat(), nfc(&text), "{}", cut);
            }
            let longer = &text[..text.len().min(known + more)];
            let looked_at = known.saturating_sub(3);
            let found = Normalizer::Nfc.last_settled_cut(longer, 0);
            let new = Normalizer::Nfc.last_settled_cut(longer, looked_at);
            prop_assert_eq!(found, new.or(cut));
        }

        #[test]
        fn parts_of_normalized_text_are_normalized(text in any_text(), cut in any::<prop::sample::Index>()) {
            let once = Normalizer::Nfc.apply(&text).into_owned();
            let mut cut = cut.index(once.len() + 1);
            while cut < once.len() && once[cut] & 0xC0 == 0x80 {
                cut += 1;
            }
            for part in [&once[..cut], &once[cut..], &once] {
                prop_assert_eq!(&*Normalizer::Nfc.apply(part), part);
            }
        }
    }
}

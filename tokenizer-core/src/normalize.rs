//! Normalisation of text before it is split, for the models that ask for it.
//!
//! Only a `tokenizer.json` brings a normaliser. Its tables are those of the `tokenizers` package
//! (Unicode 11 or so, through the crate that the package itself uses), because equal ids are the
//! aim; a newer Unicode composes 98 characters differently.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization_alignments::char::{canonical_combining_class, decompose_canonical};
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A change made to text before it is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normalizer {
    /// Canonical composition, as Qwen's tokenizers want it.
    Nfc,
}

impl Normalizer {
    /// The normalised text. Bytes that are not UTF-8 stay as they are and nothing composes across
    /// them. Linear in the length of the text.
    pub fn apply<'t>(self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Normalizer::Nfc = self;
        if text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut utf8 = [0; 4];
        for chunk in text.utf8_chunks() {
            for (c, _) in chunk.valid().chars().nfc() {
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            }
            out.extend_from_slice(chunk.invalid());
        }
        Cow::Owned(out)
    }

    /// The last place, `from` or behind it, where a text that begins with `text` may be cut so that
    /// both parts, normalised on their own, give the whole, whatever follows; `None` when there is
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

/// Whether a character composes with nothing before it, and moves over nothing before it.
fn stands_apart(c: char) -> bool {
    if c.is_ascii() {
        return true;
    }
    let mut first = None;
    decompose_canonical(c, |part| first = first.or(Some(part)));
    first.is_some_and(|first| {
        canonical_combining_class(first) == 0
            && is_nfc_quick(std::iter::once(first)) == IsNormalized::Yes
    })
}

impl Normalizer {
    /// As [`Normalizer::apply`], and where the characters of the normalised text come from.
    pub(crate) fn apply_aligned(self, text: &[u8]) -> (Cow<'_, [u8]>, Alignment) {
        let Normalizer::Nfc = self;
        let mut alignment = Alignment::default();
        if text.is_ascii() {
            return (Cow::Borrowed(text), alignment);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut utf8 = [0; 4];
        let mut read = 0;
        for chunk in text.utf8_chunks() {
            let mut given = chunk.valid().chars();
            let mut last = Change::default();
            for (c, change) in chunk.valid().chars().nfc() {
                // One for each that comes from one; none for a second that comes from the same.
                let taken = usize::try_from(1 - change).unwrap_or(0);
                let same = taken == 1 && given.clone().next() == Some(c);
                let from = given
                    .by_ref()
                    .take(taken)
                    .map(char::len_utf8)
                    .sum::<usize>();
                let at = out.len();
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                if taken == 0 {
                    last.normalized.end = out.len();
                    let changes = &mut alignment.changes;
                    changes.pop_if(|before| before.normalized.start == last.normalized.start);
                } else {
                    last = Change {
                        normalized: at..out.len(),
                        original: read..read + from,
                    };
                }
                read += from;
                if !same {
                    alignment.changes.push(last.clone());
                }
            }
            out.extend_from_slice(chunk.invalid());
            read += chunk.invalid().len();
        }
        (Cow::Owned(out), alignment)
    }
}

/// Where the characters of a normalised text come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alignment {
    /// Characters that are not those of the text, ascending. All between them are.
    changes: Vec<Change>,
}

/// Characters that came from others.
#[derive(Clone, Debug, Default)]
struct Change {
    normalized: Range<usize>,
    original: Range<usize>,
}

impl Alignment {
    /// The bytes of the text from which those in `range` of the normalised text come: of a character
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
    fn letters_and_marks_compose_and_other_bytes_stay() {
        let text = b"e\xcc\x81 \xff e\xcc\x81";
        assert_eq!(&*Normalizer::Nfc.apply(text), b"\xc3\xa9 \xff \xc3\xa9");
    }

    fn nfc(text: &str) -> String {
        String::from_utf8(Normalizer::Nfc.apply(text.as_bytes()).into_owned()).unwrap()
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
        fn parts_of_normalised_text_are_normalised(text in any_text(), cut in any::<prop::sample::Index>()) {
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

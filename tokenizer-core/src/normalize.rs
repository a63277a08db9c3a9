//! Normalisation of text before it is split, for the models that ask for it.
//!
//! Only a `tokenizer.json` brings a normaliser. Its tables are those of the `tokenizers` package
//! (Unicode 11 or so, through the crate that the package itself uses), because equal ids are the
//! aim; a newer Unicode composes 98 characters differently.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization_alignments::UnicodeNormalization;

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

    #[test]
    fn letters_and_marks_compose_and_other_bytes_stay() {
        let text = b"e\xcc\x81 \xff e\xcc\x81";
        assert_eq!(&*Normalizer::Nfc.apply(text), b"\xc3\xa9 \xff \xc3\xa9");
    }
}

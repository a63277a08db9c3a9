//! Text for a regex engine that wants UTF-8, made of bytes that may not be.
//!
//! Each maximal invalid sequence is replaced by U+FFFD, and spans of the replaced text are mapped
//! back. Valid text is borrowed and maps to itself.

use std::borrow::Cow;

/// A text as the regex engine sees it, with the way back to the bytes it was made of.
pub(super) struct LossyText<'t> {
    text: Cow<'t, str>,
    /// For each replaced sequence, where it ends in `text` and in the original. Ascending.
    replaced: Vec<(usize, usize)>,
    /// Replaced sequences that end at or before the offset asked for last.
    passed: usize,
}

impl<'t> LossyText<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        let mut replaced = Vec::new();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
                let mut original = 0;
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    original += chunk.valid().len();
                    if !chunk.invalid().is_empty() {
                        text.push(char::REPLACEMENT_CHARACTER);
                        original += chunk.invalid().len();
                        replaced.push((text.len(), original));
                    }
                }
                Cow::Owned(text)
            }
        };
        LossyText {
            text,
            replaced,
            passed: 0,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The offset in the original bytes of a character boundary of the text. Offsets must be asked
    /// for in ascending order, so that all of them together cost one pass.
    pub(super) fn original_offset(&mut self, offset: usize) -> usize {
        while self
            .replaced
            .get(self.passed)
            .is_some_and(|&(end, _)| end <= offset)
        {
            self.passed += 1;
        }
        match self.passed.checked_sub(1).map(|last| self.replaced[last]) {
            None => offset,
            Some((end, original)) => original + (offset - end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_map_back_over_sequences_of_one_to_three_bytes() {
        let mut lossy = LossyText::new(b"a\xffb\xe2\x82c\xf0\x9f\x98d\xc3");
        assert_eq!(lossy.as_str(), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}");
        let boundaries: Vec<usize> = lossy
            .as_str()
            .char_indices()
            .map(|(at, _)| at)
            .chain([lossy.as_str().len()])
            .collect();
        let original: Vec<usize> = boundaries
            .into_iter()
            .map(|at| lossy.original_offset(at))
            .collect();
        assert_eq!(original, [0, 1, 2, 3, 5, 6, 9, 10, 11]);
    }
}

//! Lossy UTF-8 decoding with a mapping of offsets, for the regex engine, which requires UTF-8.
//!
//! Each maximal invalid sequence becomes U+FFFD, and offsets in the decoded text map back to offsets in
//! the original bytes. If the whole text is valid, it is borrowed and the offsets are equal.

use std::borrow::Cow;

/// A decoded text and the mapping of its offsets.
pub(super) struct LossyText<'t> {
    text: Cow<'t, str>,
    /// For each replaced sequence, its end in `text` and in the original. Ascending.
    replaced: Vec<(usize, usize)>,
    /// Number of replaced sequences that end at or before the last mapped offset.
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

    /// Maps an offset in the decoded text, which must be a character boundary, to an offset in the original
    /// bytes. Offsets must not decrease from call to call. All calls together take linear time.
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
    fn offsets_map_across_invalid_sequences_of_one_to_three_bytes() {
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

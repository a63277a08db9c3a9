//! Normalisation of text before it is split, for the models that ask for it.
//!
//! Only a `tokenizer.json` brings a normaliser. Its tables are those of the `tokenizers` package
//! (Unicode 11 or so, through the crate that the package itself uses), because equal ids are the
//! aim; a newer Unicode composes 98 characters differently.

use std::borrow::Cow;

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

//! Limiting documents, and a corpus, to a number of characters, as nanochat's training script does.
//!
//! Each document is cut to a maximum number of characters. The corpus ends after the document that brings the
//! total *above* a limit; that document is not cut to meet it.
//!
//! A character is a Unicode code point. In invalid UTF-8, each sequence that Python's decoder would
//! replace with one U+FFFD counts as one character (`\xff\xff` is two).
//!
//! **Cost.** Nothing is copied. Characters are counted at a few gigabytes per second. Without a limit for the
//! corpus, they are counted only in documents with more bytes than the limit per document.

/// Limits in characters (by default, none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CropOptions {
    doc_cap: u64,
    max_chars: u64,
}

impl Default for CropOptions {
    fn default() -> Self {
        CropOptions {
            doc_cap: u64::MAX,
            max_chars: u64::MAX,
        }
    }
}

impl CropOptions {
    /// Limits each document to its first `characters` characters.
    pub fn doc_cap(mut self, characters: u64) -> Self {
        self.doc_cap = characters;
        self
    }

    /// Stops after the document that brings the total above `characters` characters.
    pub fn max_chars(mut self, characters: u64) -> Self {
        self.max_chars = characters;
        self
    }
}

/// Crops each document, and ends after the document that brings the total above the limit.
///
/// ```
/// use tokenizer_core::{CropOptions, crop};
///
/// let documents = ["a few words", "été", "one more", "not read"];
/// let options = CropOptions::default().doc_cap(5).max_chars(12);
/// let cropped: Vec<_> = crop(documents, &options).collect();
/// let texts: Vec<&[u8]> = cropped.iter().map(AsRef::as_ref).collect();
/// assert_eq!(texts, ["a few", "été", "one m"].map(str::as_bytes));
/// ```
#[must_use]
pub fn crop<I: IntoIterator<Item: AsRef<[u8]>>>(
    documents: I,
    options: &CropOptions,
) -> Crop<I::IntoIter> {
    Crop {
        documents: documents.into_iter(),
        options: *options,
        characters: 0,
    }
}

/// The iterator of [`crop`].
#[derive(Clone, Debug)]
pub struct Crop<I> {
    documents: I,
    options: CropOptions,
    characters: u64,
}

impl<I: Iterator<Item: AsRef<[u8]>>> Iterator for Crop<I> {
    type Item = Cropped<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let CropOptions { doc_cap, max_chars } = self.options;
        if self.characters > max_chars {
            return None;
        }
        let document = self.documents.next()?;
        let bytes = document.as_ref();
        let mut length = bytes.len();
        // A document has at most as many characters as bytes.
        if max_chars < u64::MAX || length as u64 > doc_cap {
            let characters;
            (length, characters) = first_characters(bytes, doc_cap);
            self.characters = self.characters.saturating_add(characters);
        }
        Some(Cropped { document, length })
    }
}

/// A document cropped to a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Cropped<D> {
    document: D,
    length: usize,
}

impl<D> Cropped<D> {
    /// The whole document.
    #[must_use]
    pub fn document(&self) -> &D {
        &self.document
    }
}

impl<D: AsRef<[u8]>> AsRef<[u8]> for Cropped<D> {
    fn as_ref(&self) -> &[u8] {
        &self.document.as_ref()[..self.length]
    }
}

/// Size of a block in bytes. Each block is read twice: it is validated, then its characters are counted. The
/// second time, it is in the L1 cache.
const BLOCK: usize = 1 << 13;

/// Returns the length in bytes of the first `max` characters of a text, and their number: `max`, or fewer if
/// the text has fewer.
fn first_characters(bytes: &[u8], max: u64) -> (usize, u64) {
    let (mut at, mut characters) = (0, 0);
    while at < bytes.len() && characters < max {
        let block = &bytes[at..bytes.len().min(at + BLOCK)];
        let (valid, invalid) = match std::str::from_utf8(block) {
            Ok(valid) => (valid, 0),
            Err(error) => {
                let (valid, rest) = block.split_at(error.valid_up_to());
                // Never fails: `valid_up_to` ends the valid prefix.
                let valid = std::str::from_utf8(valid).unwrap_or_default();
                let invalid = match error.error_len() {
                    Some(length) => length,
                    // A character cut by the end of the block: the next block starts with it.
                    None if at + block.len() < bytes.len() => 0,
                    None => rest.len(),
                };
                (valid, invalid)
            }
        };
        let count = valid.chars().count() as u64;
        if count > max - characters {
            // Less than `count`, which is at most the length of the block, so it fits in `usize`.
            let rest = (max - characters) as usize;
            let end = valid.char_indices().nth(rest);
            return (at + end.map_or(valid.len(), |(end, _)| end), max);
        }
        at += valid.len();
        characters += count;
        if invalid > 0 && characters < max {
            at += invalid;
            characters += 1;
        }
    }
    (at, characters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, character by character.
    fn by_characters(bytes: &[u8], most: u64) -> (usize, u64) {
        let mut lengths = Vec::new();
        for chunk in bytes.utf8_chunks() {
            lengths.extend(chunk.valid().chars().map(char::len_utf8));
            lengths.extend(Some(chunk.invalid().len()).filter(|&length| length > 0));
        }
        lengths.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        (lengths.iter().sum(), lengths.len() as u64)
    }

    fn cropped(documents: &[&str], options: CropOptions) -> Vec<String> {
        let texts = crop(documents, &options);
        texts
            .map(|text| String::from_utf8(text.as_ref().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn the_corpus_ends_once_the_limit_is_exceeded() {
        let documents = ["ab", "", "cd", "", "e", "f"];
        let all = CropOptions::default();
        assert_eq!(cropped(&documents, all), documents);
        // Four characters do not exceed four, even with an empty document.
        assert_eq!(cropped(&documents, all.max_chars(4)), documents[..5]);
        assert_eq!(cropped(&documents, all.max_chars(3)), documents[..3]);
        assert_eq!(cropped(&documents, all.max_chars(0)), documents[..1]);
        assert_eq!(
            cropped(&["", "", "a", "b"], all.max_chars(0)),
            ["", "", "a"]
        );
        assert_eq!(cropped(&documents, all.max_chars(u64::MAX)), documents);
        assert!(cropped(&[], all.max_chars(0)).is_empty());
    }

    #[test]
    fn the_total_counts_cropped_documents() {
        let options = CropOptions::default().doc_cap(2).max_chars(3);
        assert_eq!(cropped(&["ééé", "日本語", "x"], options), ["éé", "日本"]);
        let nothing = CropOptions::default().doc_cap(0).max_chars(0);
        assert_eq!(cropped(&["a", "b"], nothing), ["", ""]);
    }

    #[test]
    fn no_document_is_read_after_the_last() {
        let mut read = 0;
        let documents = ["a", "b", "c"].into_iter().inspect(|_| read += 1);
        assert_eq!(
            crop(documents, &CropOptions::default().max_chars(1)).count(),
            2
        );
        assert_eq!(read, 2);
    }

    #[test]
    fn invalid_sequences_are_one_character_each() {
        let text = b"a\xffb\xe2\x82c\xf0\x9f\x98d\xc3";
        let ends = [0, 1, 2, 3, 5, 6, 9, 10, 11];
        for (most, end) in ends.into_iter().enumerate() {
            assert_eq!(first_characters(text, most as u64), (end, most as u64));
        }
        assert_eq!(first_characters(text, 100), (11, 8));
    }

    proptest! {
        #[test]
        fn blocks_do_not_change_the_result(
            start in 0usize..8,
            parts in prop::collection::vec(
                prop::sample::select(vec!["a", "é", "日", "🙂"]), 1..4),
            broken in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            most in prop_oneof![0u64..20, 2000u64..12_000, Just(u64::MAX)],
        ) {
            let mut text = "x".repeat(start).into_bytes();
            text.extend(parts.concat().repeat(BLOCK / 4).into_bytes());
            for (at, byte) in broken {
                let at = at.index(text.len());
                text[at] = byte;
            }
            prop_assert_eq!(first_characters(&text, most), by_characters(&text, most));
        }
    }
}

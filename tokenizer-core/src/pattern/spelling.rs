//! A text in GPT-2's spelling of bytes as characters, with a mapping of offsets. Hugging Face's `ByteLevel`
//! replaces a text by its spelling, and the steps after it split the spelling.

use crate::byte_level::spelling_of;

/// The spelling of a text.
pub(super) struct Spelling {
    text: String,
    /// The last offset mapped in each direction, from which the next one is counted.
    to_original: Cursor,
    from_original: Cursor,
}

/// The same place in the bytes and in their spelling.
#[derive(Clone, Copy, Default)]
struct Cursor {
    original: usize,
    spelled: usize,
}

impl Spelling {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Spelling {
            text: bytes.iter().map(|&byte| spelling_of(byte)).collect(),
            to_original: Cursor::default(),
            from_original: Cursor::default(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Maps an offset in the spelling, which must be a character boundary, to an offset in the bytes. Offsets
    /// must not decrease from call to call. All calls together take linear time.
    pub(super) fn original_offset(&mut self, offset: usize) -> usize {
        let cursor = &mut self.to_original;
        cursor.original += self.text[cursor.spelled..offset].chars().count();
        cursor.spelled = offset;
        cursor.original
    }

    /// The inverse of [`original_offset`](Self::original_offset), with the same condition and cost.
    pub(super) fn offset_of(&mut self, original: usize) -> usize {
        let cursor = &mut self.from_original;
        let passed = self.text[cursor.spelled..].chars();
        let passed = passed.take(original - cursor.original);
        cursor.spelled += passed.map(char::len_utf8).sum::<usize>();
        cursor.original = original;
        cursor.spelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_map_in_both_directions() {
        let bytes = "a é\u{BD}\0z".as_bytes();
        let mut spelling = Spelling::new(bytes);
        assert_eq!(spelling.as_str(), "aĠÃ©Â½Āz");
        let boundaries = spelling.as_str().char_indices().map(|(at, _)| at);
        let boundaries: Vec<usize> = boundaries.chain([spelling.as_str().len()]).collect();
        for (original, &spelled) in boundaries.iter().enumerate() {
            assert_eq!(spelling.original_offset(spelled), original);
            assert_eq!(spelling.offset_of(original), spelled);
        }
    }
}

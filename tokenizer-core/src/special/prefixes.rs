//! Proper prefixes of tokens at the end of a text that may continue.

/// The tokens in sorted order, for binary search by prefix.
#[derive(Debug)]
pub(super) struct Prefixes {
    /// Ascending.
    contents: Vec<Vec<u8>>,
    /// Whether some token starts with the byte.
    is_first_byte: [bool; 256],
    /// Length of the longest token in bytes.
    longest: usize,
}

impl Prefixes {
    pub(super) fn new(mut contents: Vec<Vec<u8>>) -> Self {
        contents.sort_unstable();
        let mut is_first_byte = [false; 256];
        for first in contents.iter().filter_map(|content| content.first()) {
            is_first_byte[usize::from(*first)] = true;
        }
        Prefixes {
            longest: contents.iter().map(Vec::len).max().unwrap_or(0),
            contents,
            is_first_byte,
        }
    }

    /// Returns the first position at or after `from` from which the rest of `text` is a proper prefix of
    /// a token, or `text.len()` if there is none.
    pub(super) fn partial_match(&self, text: &[u8], from: usize) -> usize {
        // A proper prefix is shorter than the longest token.
        let earliest = (text.len() + 1).saturating_sub(self.longest);
        (from.max(earliest)..text.len())
            .find(|&at| {
                let rest = &text[at..];
                self.is_first_byte[usize::from(rest[0])] && {
                    let greater = self
                        .contents
                        .partition_point(|content| &content[..] <= rest);
                    let next = self.contents.get(greater);
                    next.is_some_and(|content| content.starts_with(rest))
                }
            })
            .unwrap_or(text.len())
    }
}

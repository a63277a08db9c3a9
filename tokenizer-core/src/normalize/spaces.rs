//! SentencePiece's normalization of spaces.

use super::aligned::Text;

/// The character that stands for a space in the pieces of SentencePiece.
pub(crate) const SPACE_SYMBOL: &str = "\u{2581}";

/// SentencePiece's normalizer `identity`: each space becomes U+2581.
///
/// In the content of an added token, spaces are replaced, but nothing is added or removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spaces {
    /// `add_dummy_prefix`: U+2581 is put before a text that is not empty.
    pub dummy_prefix: bool,
    /// `remove_extra_whitespaces`: of each run of spaces, only one is kept, and none at the ends of the text.
    /// U+2581 at the end is removed too.
    pub remove_extra: bool,
}

impl Spaces {
    /// Returns the normalized text. As in `sentencepiece`, the added symbol has an empty range of the original
    /// text, and that of a run of spaces has the range of the run.
    pub(crate) fn apply(self, text: Text<'_>) -> Text<'_> {
        let bytes = &text.bytes[..];
        let is_space = |byte: &&u8| **byte == b' ';
        let start = match self.remove_extra {
            true => bytes.iter().take_while(is_space).count(),
            false => 0,
        };
        let mut end = bytes.len();
        while self.remove_extra && end > start {
            let rest = &bytes[start..end];
            let before = (rest.strip_suffix(b" ")).or(rest.strip_suffix(SPACE_SYMBOL.as_bytes()));
            match before {
                Some(before) => end = start + before.len(),
                None => break,
            }
        }
        let adds_prefix = self.dummy_prefix && end > start;
        if !adds_prefix && end - start == bytes.len() && memchr::memchr(b' ', bytes).is_none() {
            return text;
        }
        text.rewritten(|bytes, writer| {
            if adds_prefix {
                writer.put(SPACE_SYMBOL.as_bytes(), start..start);
            }
            let mut at = start;
            while let Some(found) = memchr::memchr(b' ', &bytes[at..end]) {
                let space = at + found;
                writer.keep(at..space);
                at = space + 1;
                if self.remove_extra {
                    at = space + bytes[space..end].iter().take_while(is_space).count();
                }
                writer.put(SPACE_SYMBOL.as_bytes(), space..at);
            }
            writer.keep(at..end);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    /// Expected texts and ranges are from `sentencepiece` 0.2.3.
    #[test]
    fn spaces_are_normalized_as_in_sentencepiece() {
        let cases: [(&str, [&str; 4]); 6] = [
            ("", ["", "", "", ""]),
            ("a b", ["a_b", "_a_b", "a_b", "_a_b"]),
            ("  a  b\n ", ["__a__b\n_", "___a__b\n_", "a_b\n", "_a_b\n"]),
            ("   ", ["___", "____", "", ""]),
            ("_", ["_", "__", "", ""]),
            (" _ a _ ", ["___a___", "____a___", "__a", "___a"]),
        ];
        for (text, want) in cases {
            let text = text.replace('_', SPACE_SYMBOL);
            for (want, flags) in want.into_iter().zip(0..) {
                let spaces = Spaces {
                    dummy_prefix: flags & 1 == 1,
                    remove_extra: flags & 2 == 2,
                };
                let normalized = spaces.apply(Text::new(text.as_bytes())).bytes;
                let want = want.replace('_', SPACE_SYMBOL);
                assert_eq!(
                    String::from_utf8_lossy(&normalized),
                    want,
                    "{text:?} {spaces:?}"
                );
            }
        }
    }

    #[test]
    fn a_run_of_spaces_has_its_own_range_and_the_prefix_an_empty_one() {
        let spaces = Spaces {
            dummy_prefix: true,
            remove_extra: true,
        };
        let text = spaces.apply(Text::aligned(b"  a   b "));
        let ranges: Vec<Range<usize>> = [0..3, 0..4, 3..4, 4..7, 7..8]
            .map(|range| text.alignment.original(range))
            .into();
        assert_eq!(ranges, [2..2, 2..3, 2..3, 3..6, 6..7]);
    }
}

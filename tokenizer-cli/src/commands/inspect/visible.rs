//! Encoded text, and the visible form of its tokens.

use std::fmt::Write;

use tokenizer_core::{Model, TokenId};

use crate::progress::plural;
use crate::terminal::is_hidden;

/// A text and its ids.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'m> {
    pub(super) model: &'m Model,
    pub(super) text: &'m [u8],
    pub(super) ids: &'m [TokenId],
}

/// A token of an encoded text.
pub(super) struct Token<'m> {
    pub(super) id: TokenId,
    /// Number of bytes in the tokens before this one.
    pub(super) start: usize,
    pub(super) bytes: &'m [u8],
    /// `special` or `added`, for tokens outside the vocabulary.
    pub(super) label: Option<&'static str>,
}

impl<'m> Encoded<'m> {
    pub(super) fn tokens(self) -> impl Iterator<Item = Token<'m>> {
        let mut end = 0;
        self.ids.iter().map(move |&id| {
            // Every id that encoding returns has a token.
            let bytes = self.model.token(id).unwrap_or_default();
            let start = end;
            end += bytes.len();
            let added = self.model.specials().by_id(id);
            let label = added.map(|token| if token.special { "special" } else { "added" });
            Token {
                id,
                start,
                bytes,
                label,
            }
        })
    }

    /// Bytes, characters, tokens and bytes per token of the text, in one line. Each maximal invalid
    /// sequence counts as one character.
    pub(super) fn summary(self) -> String {
        let chunks = self.text.utf8_chunks();
        let characters = chunks
            .map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty()));
        let bytes = plural(self.text.len() as u64, "byte");
        let characters = plural(characters.sum::<usize>() as u64, "character");
        let tokens = plural(self.ids.len() as u64, "token");
        let per_token = self.text.len() as f64 / self.ids.len().max(1) as f64;
        format!("{bytes}, {characters}, {tokens}, {per_token:.2} bytes per token")
    }
}

/// A character of a token, or a byte that belongs to no character.
pub(super) enum Glyph {
    Printable(char),
    Hidden(char),
    /// A byte of an invalid sequence.
    Byte(u8),
}

pub(super) fn glyphs(token: &[u8]) -> impl Iterator<Item = Glyph> {
    token.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(|c| match is_hidden(c) {
            true => Glyph::Hidden(c),
            false => Glyph::Printable(c),
        });
        valid.chain(chunk.invalid().iter().copied().map(Glyph::Byte))
    })
}

/// Returns a token with its spaces as `·`, and with escapes for hidden characters, invalid bytes, and the
/// two characters that would be ambiguous: the backslash and `·`.
pub(super) fn visible(token: &[u8]) -> String {
    let mut text = String::with_capacity(token.len());
    for glyph in glyphs(token) {
        match glyph {
            Glyph::Printable(' ') => text.push('·'),
            Glyph::Printable('\\') => text.push_str("\\\\"),
            Glyph::Printable('·') => text.extend('·'.escape_unicode()),
            Glyph::Printable(c) => text.push(c),
            Glyph::Hidden(c) => text.extend(c.escape_default()),
            Glyph::Byte(byte) => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_forms_are_printable_and_unambiguous() {
        for (token, text) in [
            ("low\n".as_bytes(), "low\\n"),
            (b" \t\r\\n", "·\\t\\r\\\\n"),
            ("·".as_bytes(), "\\u{b7}"),
            (b"\x1b[2J\xff\xe6\x9d", "\\u{1b}[2J\\xff\\xe6\\x9d"),
            ("東\u{202E}é\u{A0}".as_bytes(), "東\\u{202e}é\\u{a0}"),
        ] {
            assert_eq!(visible(token), text);
        }
    }
}

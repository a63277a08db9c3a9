//! Tokens as something to look at.

use std::fmt::Write;

use tokenizer_core::{Model, TokenId};

/// Tokens of ids, with the bytes before each.
pub(super) fn tokens<'m>(
    model: &'m Model,
    ids: &'m [TokenId],
) -> impl Iterator<Item = (TokenId, usize, &'m [u8])> {
    let mut start = 0;
    ids.iter().map(move |&id| {
        // The model gave the id.
        let token = model.token(id).unwrap_or_default();
        let at = start;
        start += token.len();
        (id, at, token)
    })
}

/// The characters of a token. What is not printed, what would move a cursor or turn the direction of
/// writing, and what is no character is written as an escape; so is the backslash, so that no two
/// tokens look the same.
pub(super) fn visible(token: &[u8]) -> String {
    let mut text = String::with_capacity(token.len());
    for chunk in token.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\\' => text.push_str("\\\\"),
                hidden if is_hidden(hidden) => text.extend(hidden.escape_unicode()),
                shown => text.push(shown),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Control characters, characters of format (Cf), separators of lines, spaces that are not the usual
/// one, and what stands for nothing.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{70F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_and_no_two_are_the_same() {
        for (token, text) in [
            ("low\n".as_bytes(), "low\\n"),
            (b" \t\r\\n", " \\t\\r\\\\n"),
            (b"\x1b[2J\xff\xe6\x9d", "\\u{1b}[2J\\xff\\xe6\\x9d"),
            ("東\u{202E}é\u{A0}".as_bytes(), "東\\u{202e}é\\u{a0}"),
        ] {
            assert_eq!(visible(token), text);
        }
    }
}

//! Text made safe to print on a terminal.

use std::borrow::Cow;

/// Returns text with its hidden characters escaped: `\n`, `\u{1b}`, `\u{202e}`.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_hidden(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped.into()
}

/// Whether a character is invisible or affects the text around it: control and format characters (the
/// bidirectional ones included), line separators, white space other than the space, variation selectors,
/// and characters without a meaning of their own (private use, planes 14 to 16).
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{70F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped() {
        for (text, escaped) in [
            ("C:\\models\\a b.bpe", "C:\\models\\a b.bpe"),
            ("a\n\t\x1b[2J\u{9b}", "a\\n\\t\\u{1b}[2J\\u{9b}"),
            ("東\u{202E}é\u{A0}", "東\\u{202e}é\\u{a0}"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }
}

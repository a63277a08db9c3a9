//! Makes text safe to print on a terminal, and fits it to a width.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Escapes the hidden characters of a text: `\n`, `\u{1b}`, `\u{202e}`.
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

/// Returns the number of columns that a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Shortens a text of more than `limit` columns to its start and its end, with an ellipsis between them. The
/// end gets two thirds of the room, because paths differ mostly at their ends.
pub(crate) fn fit(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return text.into();
    }
    let room = limit.saturating_sub(1);
    let start = prefix(text.chars(), room / 3);
    let end: String = prefix(text.chars().rev(), room - width(&start));
    let end: String = end.chars().rev().collect();
    format!("{start}…{end}").into()
}

/// Returns the first characters that fit in `limit` columns.
fn prefix(text: impl Iterator<Item = char>, limit: usize) -> String {
    let columns = text.scan(0, |columns, c| {
        *columns += c.width().unwrap_or(0);
        Some((c, *columns))
    });
    let fitting = columns.take_while(|&(_, columns)| columns <= limit);
    fitting.map(|(c, _)| c).collect()
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

    #[test]
    fn long_text_keeps_its_start_and_its_end() {
        assert_eq!(fit("corpus.txt", 10), "corpus.txt");
        assert_eq!(fit("a/long/path/corpus.txt", 13), "a/lo…rpus.txt");
        assert_eq!(fit("東京の電車.txt", 9), "東…車.txt");
        assert_eq!(fit("corpus", 1), "…");
        for limit in 1..20 {
            assert!(width(&fit("東京の電車/corpus.txt", limit)) <= limit);
        }
    }
}

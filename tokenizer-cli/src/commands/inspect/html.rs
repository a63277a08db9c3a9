//! Tokens as an HTML page.

use std::fmt::Write;

use super::visible::{Encoded, Glyph, Token, glyphs};
use crate::commands::html;
use crate::progress::{number, plural};

/// Limit on the size of a page in bytes: browsers are slow with more elements.
const LIMIT: usize = 5_000_000;

/// Room in bytes for the notice and the element around the tokens.
const RESERVED: usize = 1000;

/// CSS classes of consecutive tokens.
const CLASSES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Returns the page of a text encoded with the model called `name`, and a notice if tokens at the end were
/// left out.
pub(super) fn page(encoded: Encoded<'_>, name: &str) -> (String, Option<String>) {
    let title = format!("Tokens of {name}");
    let css = include_str!("page.css");
    let front = format!(
        "<h1>Tokens of <code>{}</code></h1>\n<p>{}</p>\n",
        html::escape(name),
        encoded.summary()
    );
    let empty = html::page(&title, css, &front);
    let room = LIMIT.saturating_sub(empty.len() + RESERVED);
    let (spans, shown) = spans(encoded, room);

    let left_out = encoded.ids.len() - shown;
    let notice = (left_out > 0).then(|| {
        let (shown, all) = (
            number(shown as u64),
            plural(encoded.ids.len() as u64, "token"),
        );
        let left_out = number(left_out as u64);
        format!("shows the first {shown} of {all}; {left_out} left out (limit: 5 MB a page)")
    });
    let mut body = front;
    if let Some(notice) = &notice {
        body += &format!("<p><strong>This page {notice}.</strong></p>\n");
    }
    body += &format!("<div class=\"text\">{spans}</div>\n");
    (html::page(&title, css, &body), notice)
}

/// Returns the elements of the first tokens, in at most `room` bytes, and the number of these tokens.
fn spans(encoded: Encoded<'_>, room: usize) -> (String, usize) {
    let mut spans = String::new();
    let mut span = String::new();
    for (index, token) in encoded.tokens().enumerate() {
        span.clear();
        push_span(&token, CLASSES[index % CLASSES.len()], &mut span);
        if spans.len() + span.len() > room {
            return (spans, index);
        }
        spans.push_str(&span);
    }
    (spans, encoded.ids.len())
}

fn push_span(token: &Token<'_>, class: &str, page: &mut String) {
    let Token { id, start, .. } = token;
    // Writing to a string cannot fail.
    let _ = match token.label {
        Some(label) => write!(
            page,
            "<span class=\"s\" title=\"{label} token {id} (byte {start})\">"
        ),
        None => write!(
            page,
            "<span class=\"{class}\" title=\"{id} (byte {start})\">"
        ),
    };
    push_escaped(token.bytes, page);
    page.push_str("</span>");
}

/// Appends the visible form of a token. Escapes and symbols are dimmed; a line feed also ends the line.
fn push_escaped(token: &[u8], page: &mut String) {
    for glyph in glyphs(token) {
        let _ = match glyph {
            Glyph::Printable(' ') => write!(page, "<i>·</i>"),
            Glyph::Hidden('\n') => write!(page, "<i>↵</i><br>"),
            Glyph::Hidden('\r') => write!(page, "<i>␍</i>"),
            Glyph::Hidden('\t') => write!(page, "<i>⇥</i>\t"),
            Glyph::Hidden(c) => write!(page, "<i>{}</i>", c.escape_unicode()),
            Glyph::Byte(byte) => write!(page, "<i>\\x{byte:02x}</i>"),
            Glyph::Printable(c) => {
                html::push(c, page);
                Ok(())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped() {
        let shown = |token: &[u8]| {
            let mut page = String::new();
            push_escaped(token, &mut page);
            page
        };
        assert_eq!(
            shown(b"</span><script>alert('&amp;')"),
            "&lt;/span&gt;&lt;script&gt;alert(&#39;&amp;amp;&#39;)"
        );
        assert_eq!(shown(b"a \"b\"\n"), "a<i>·</i>&quot;b&quot;<i>↵</i><br>");
        assert_eq!(shown("\\n\u{202E}<".as_bytes()), "\\n<i>\\u{202e}</i>&lt;");
        assert_eq!(shown(b"\xff<\t"), "<i>\\xff</i>&lt;<i>⇥</i>\t");
    }
}

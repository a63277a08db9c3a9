//! Tokens as a page for a browser: one file, nothing from elsewhere, for light and for dark.

use std::fmt::Write;

use tokenizer_core::{Model, TokenId};

use super::tokens;
use super::visible::visible;
use crate::commands::escape_html;
use crate::progress::number;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tokens</title>
<style>
:root { color-scheme: light dark; --back: #fff; --fore: #1b1b1b; --dim: #5c5c5c;
  --a: #cfe4ff; --b: #ffe7b3; --c: #cdf2d0; --d: #ffd3d3; --e: #e7d6ff; }
@media (prefers-color-scheme: dark) { :root { --back: #16181b; --fore: #ececec;
  --a: #1d4470; --b: #5f4a10; --c: #1f5527; --d: #6b2b2b; --e: #4b3370; --dim: #c8c8c8; } }
body { background: var(--back); color: var(--fore); margin: 2em auto; max-width: 60em;
  padding: 0 1em; font: 16px/1.7 system-ui, sans-serif; }
.text { font-family: ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.text span { border-radius: 3px; padding: 2px 0; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
.a { background: var(--a); } .b { background: var(--b); } .c { background: var(--c); }
.d { background: var(--d); } .e { background: var(--e); }
i { color: var(--dim); font-style: normal; display: inline-block; }
.text span:hover { outline: 2px solid var(--fore); }
</style>
</head>
<body>
"#;

/// Classes of tokens beside each other.
const CLASSES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The page of a text.
pub(super) fn page(model: &Model, ids: &[TokenId]) -> String {
    let bytes: usize = tokens(model, ids).map(|(.., token)| token.len()).sum();
    let mut page = HEAD.to_owned();
    let per_token = bytes as f64 / ids.len().max(1) as f64;
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<p>{} tokens, {} bytes, {per_token:.2} bytes per token</p>\n<div class=\"text\">",
        number(ids.len() as u64),
        number(bytes as u64),
    );
    for (place, (id, at, token)) in tokens(model, ids).enumerate() {
        let class = CLASSES[place % CLASSES.len()];
        let _ = write!(page, "<span class=\"{class}\" title=\"{id} (byte {at})\">");
        push_escaped(token, &mut page);
        page.push_str("</span>");
    }
    page.push_str("</div>\n</body>\n</html>\n");
    page
}

/// The visible form of a token, in which nothing is markup. Escapes are dim, and a line ends where
/// the text has a line feed.
fn push_escaped(token: &[u8], page: &mut String) {
    let text = visible(token);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('n') => page.push_str("<i>↵</i><br>"),
                Some('r') => page.push_str("<i>␍</i>"),
                Some('t') => page.push_str("<i>⇥</i>\t"),
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    let _ = write!(page, "<i>\\x{digits}</i>");
                }
                Some('u') => {
                    let digits: String = rest.by_ref().take_while(|&c| c != '}').collect();
                    let _ = write!(page, "<i>\\u{digits}}}</i>");
                }
                Some(other) => page.push(other),
                None => {}
            },
            ' ' => page.push_str("<i>·</i>"),
            other => page.push_str(&escape_html(other.encode_utf8(&mut [0; 4]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_token_is_markup() {
        let shown = |token: &str| {
            let mut page = String::new();
            push_escaped(token.as_bytes(), &mut page);
            page
        };
        assert_eq!(
            shown("</span><script>alert('&amp;')"),
            "&lt;/span&gt;&lt;script&gt;alert(&#39;&amp;amp;&#39;)"
        );
        assert_eq!(shown("a \"b\"\n"), "a<i>·</i>&quot;b&quot;<i>↵</i><br>");
        assert_eq!(shown("\\n\u{202E}<"), "\\n<i>\\u{202e}</i>&lt;");
        let mut page = String::new();
        push_escaped(b"\xff<\t", &mut page);
        assert_eq!(page, "<i>\\xff</i>&lt;<i>⇥</i>\t");
    }
}

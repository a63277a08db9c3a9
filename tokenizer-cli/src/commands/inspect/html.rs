//! Tokens as a page for a browser: one file, nothing from elsewhere, for light and for dark.

use std::fmt::Write;

use tokenizer_core::{Model, TokenId};

use super::visible::{tokens, visible};
use crate::commands::html::escape;
use crate::progress::number;

const HEAD: &str = include_str!("head.html");

/// Classes of tokens beside each other.
const CLASSES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The page of a text.
pub(super) fn page(model: &Model, ids: &[TokenId]) -> String {
    let bytes: usize = tokens(model, ids).map(|(.., token)| token.len()).sum();
    let mut page = HEAD.to_owned();
    let per_token = bytes as f64 / ids.len().max(1) as f64;
    let [count, bytes] = [ids.len(), bytes].map(|count| number(count as u64));
    page += &format!("<p>{count} tokens, {bytes} bytes, {per_token:.2} bytes per token</p>\n");
    page += "<div class=\"text\">";
    for (place, (id, at, token)) in tokens(model, ids).enumerate() {
        let class = CLASSES[place % CLASSES.len()];
        page += &format!("<span class=\"{class}\" title=\"{id} (byte {at})\">");
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
            '&' | '<' | '>' | '"' | '\'' => page.push_str(&escape(&character.to_string())),
            other => page.push(other),
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

//! HTML pages: one file each, without scripts and without references to other files.

use crate::terminal;

/// Returns a page with `css` added to the style that all pages share. `body` is HTML.
pub(super) fn page(title: &str, css: &str, body: &str) -> String {
    let (title, shared) = (escape(title), include_str!("page.css"));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{shared}{css}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

/// Escapes text for element content and quoted attributes. Hidden characters are escaped as on a
/// terminal, so that none reorders the page.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in terminal::escape(text).chars() {
        push(c, &mut escaped);
    }
    escaped
}

/// Appends a visible character, escaped if it is markup.
pub(super) fn push(c: char, page: &mut String) {
    match c {
        '&' => page.push_str("&amp;"),
        '<' => page.push_str("&lt;"),
        '>' => page.push_str("&gt;"),
        '"' => page.push_str("&quot;"),
        '\'' => page.push_str("&#39;"),
        c => page.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_hidden_characters_are_escaped() {
        assert_eq!(escape("a.txt"), "a.txt");
        assert_eq!(
            escape("<a href='\"'>&amp;"),
            "&lt;a href=&#39;&quot;&#39;&gt;&amp;amp;"
        );
        assert_eq!(escape("\u{202e}txt\0"), "\\u{202e}txt\\u{0}");
        let page = page("</title>", "", "");
        assert!(page.contains("<title>&lt;/title&gt;</title>"), "{page}");
    }
}

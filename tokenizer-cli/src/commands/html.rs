//! Text in pages for a browser.

/// Text in which nothing is markup, nor ends an attribute.
pub(super) fn escape(text: &str) -> String {
    let markup = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ];
    let escape = |text: String, (from, to)| text.replace(from, to);
    markup.into_iter().fold(text.to_owned(), escape)
}

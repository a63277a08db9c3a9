//! Decoding between two tokens: what decoders of both kinds store and use.

use std::borrow::Cow;

/// The state of a decoder or of one of its steps between two tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Bytes to be decoded with the next token or at the end.
    pub(super) held: Vec<u8>,
    /// Whether there was a token.
    pub(super) is_started: bool,
    /// The number of characters that may still be removed at the start of the text.
    pub(super) strips: u32,
}

/// The result of bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// The bytes.
    Keep,
    /// As in the reference: U+FFFD.
    Replace,
}

/// Returns the byte of a byte-fallback token, spelled in any way that `tokenizers` accepts.
pub(crate) fn fallback_byte(token: &[u8]) -> Option<u8> {
    let digits = token.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

/// Returns `text` with all occurrences of `from` replaced by `to`.
pub(super) fn replaced<'t>(text: &'t [u8], from: &str, to: &str) -> Cow<'t, [u8]> {
    let mut found = memchr::memmem::find_iter(text, from).peekable();
    if found.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut done) = (Vec::with_capacity(text.len()), 0);
    for at in found {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(to.as_bytes());
        done = at + from.len();
    }
    out.extend_from_slice(&text[done..]);
    Cow::Owned(out)
}

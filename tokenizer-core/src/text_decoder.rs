//! Decoding of models whose tokens are text, such as those of SentencePiece.
//!
//! The decoder is that of a `tokenizer.json`: it replaces strings within each token, joins the bytes of
//! byte-fallback tokens, joins all tokens, and removes characters from the start of the result. That of a
//! SentencePiece model differs in details.

use std::borrow::Cow;

/// The decoder of a model whose tokens are text. Its steps are applied in the order of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextDecoder {
    /// Strings to replace within each token, and their replacements, in order.
    pub replaced: Vec<(String, String)>,
    /// Whether the tokens `<0x00>` to `<0xFF>` are bytes.
    pub byte_fallback: bool,
    /// A character to remove from the start of the text, and the maximum number of times.
    pub strip: Option<(char, u32)>,
    /// Whether to follow `sentencepiece` where `tokenizers` differs: of each token at the start of the text, at
    /// most one character is removed, before any replacement; nothing is removed from or replaced in bytes and
    /// special tokens; and of adjacent byte-fallback tokens, only bytes that are not UTF-8 become U+FFFD.
    pub sentencepiece: bool,
}

/// Maximum length in bytes of a replacement that is longer than the string it replaces.
const MAX_GROWN: usize = 64;

impl TextDecoder {
    /// Returns whether decoded tokens are at most 64 times as long as the tokens, which readers of files
    /// require: repeated replacements could grow a token exponentially.
    pub(crate) fn is_bounded(&self) -> bool {
        let replaced = self.replaced.iter();
        let mut growing = replaced.filter(|(from, to)| to.len() > from.len());
        growing.next().is_none_or(|(_, to)| to.len() <= MAX_GROWN) && growing.next().is_none()
    }

    /// Returns the state at the start of a text.
    pub(crate) fn start(&self) -> DecodedText {
        DecodedText {
            run: Vec::new(),
            strips: self.strip.map_or(0, |(_, most)| most),
        }
    }

    /// Returns a token after the replacements.
    fn replace<'t>(&self, token: &'t [u8]) -> Cow<'t, [u8]> {
        let mut token = Cow::Borrowed(token);
        for (from, to) in &self.replaced {
            if let Ok(text) = std::str::from_utf8(&token)
                && text.contains(from)
            {
                token = Cow::Owned(text.replace(from, to).into_bytes());
            }
        }
        token
    }
}

/// The state of decoding between two tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct DecodedText {
    /// The bytes of the last byte-fallback tokens.
    run: Vec<u8>,
    /// The number of characters that may still be removed.
    strips: u32,
}

/// The result of byte-fallback tokens that are not UTF-8 together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Their bytes.
    Keep,
    /// One U+FFFD for each byte, as in `tokenizers`.
    Replace,
}

impl Invalid {
    fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Invalid::Keep => out.extend_from_slice(bytes),
            Invalid::Replace => out.extend("\u{FFFD}".repeat(bytes.len()).bytes()),
        }
    }
}

impl DecodedText {
    /// Appends the text of the next token to `out`. Bytes of byte-fallback tokens are held back until another
    /// token or the end. `is_surface` states whether the token is the text that a special token of SentencePiece
    /// decodes to.
    pub(crate) fn push(
        &mut self,
        decoder: &TextDecoder,
        token: &[u8],
        is_surface: bool,
        invalid: Invalid,
        out: &mut Vec<u8>,
    ) {
        if decoder.sentencepiece {
            return self.push_piece(decoder, token, is_surface, invalid, out);
        }
        let token = decoder.replace(token);
        match fallback_byte(&token).filter(|_| decoder.byte_fallback) {
            Some(byte) => self.run.push(byte),
            None => {
                self.end_run(decoder, invalid, out);
                self.append(decoder, &token, out);
            }
        }
    }

    /// Appends the text of the next piece as `sentencepiece` does.
    fn push_piece(
        &mut self,
        decoder: &TextDecoder,
        piece: &[u8],
        is_surface: bool,
        invalid: Invalid,
        out: &mut Vec<u8>,
    ) {
        let byte = fallback_byte(piece).filter(|_| decoder.byte_fallback && !is_surface);
        if let Some(byte) = byte {
            self.run.push(byte);
            return;
        }
        self.end_run(decoder, invalid, out);
        let mut rest = piece;
        if let Some((character, _)) = decoder.strip.filter(|_| self.strips > 0 && !is_surface)
            && let Some(stripped) =
                piece.strip_prefix(character.encode_utf8(&mut [0; 4]).as_bytes())
        {
            (rest, self.strips) = (stripped, self.strips - 1);
        }
        let text = match is_surface {
            true => rest.into(),
            false => decoder.replace(rest),
        };
        if !text.is_empty() {
            self.strips = 0;
        }
        out.extend_from_slice(&text);
    }

    /// Appends the bytes held back to `out`. To be called at the end of the text.
    pub(crate) fn end_run(&mut self, decoder: &TextDecoder, invalid: Invalid, out: &mut Vec<u8>) {
        let run = std::mem::take(&mut self.run);
        if decoder.sentencepiece {
            if !run.is_empty() {
                self.strips = 0;
            }
            for chunk in run.utf8_chunks() {
                out.extend_from_slice(chunk.valid().as_bytes());
                invalid.write(chunk.invalid(), out);
            }
            return;
        }
        if std::str::from_utf8(&run).is_ok() {
            self.append(decoder, &run, out);
            return;
        }
        self.strips = 0;
        invalid.write(&run, out);
    }

    /// Appends joined text.
    fn append(&mut self, decoder: &TextDecoder, mut text: &[u8], out: &mut Vec<u8>) {
        if let Some((character, _)) = decoder.strip {
            let mut buffer = [0; 4];
            let stripped = character.encode_utf8(&mut buffer).as_bytes();
            while self.strips > 0 && !text.is_empty() {
                match text.strip_prefix(stripped) {
                    Some(rest) => (text, self.strips) = (rest, self.strips - 1),
                    None => self.strips = 0,
                }
            }
        }
        out.extend_from_slice(text);
    }
}

/// Returns the byte of a byte-fallback token, spelled in any way that `tokenizers` accepts.
pub(crate) fn fallback_byte(token: &[u8]) -> Option<u8> {
    let digits = token.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are from `tokenizers` 0.23.1.
    #[test]
    fn tokens_decode_as_in_tokenizers() {
        let decoder = TextDecoder {
            replaced: vec![("\u{2581}".into(), " ".into())],
            byte_fallback: true,
            strip: Some((' ', 1)),
            sentencepiece: false,
        };
        let cases: [(&[&str], &str); 7] = [
            (&["\u{2581}\u{2581}a", "b\u{2581}"], " ab "),
            (&["<0xE4>", "<0xB8>", "<0xAD>", "a"], "\u{4e2d}a"),
            (&["<0xE4>", "<0xB8>", "a"], "\u{fffd}\u{fffd}a"),
            (
                &["<0xE4>", "<0xB8>", "<0xAD>", "<0xFF>"],
                "\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
            (&["<0x20>", "\u{2581}a"], " a"),
            (&["<0xe9>", "<0x+f>", "<0x0g>"], "\u{fffd}\u{fffd}<0x0g>"),
            (&["a", "\u{2581}"], "a "),
        ];
        for (tokens, want) in cases {
            let mut out = Vec::new();
            let mut text = decoder.start();
            for token in tokens {
                text.push(
                    &decoder,
                    token.as_bytes(),
                    false,
                    Invalid::Replace,
                    &mut out,
                );
            }
            text.end_run(&decoder, Invalid::Replace, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{tokens:?}");
        }
    }
}

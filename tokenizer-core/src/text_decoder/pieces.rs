//! Decoding as in `sentencepiece`, which differs from `tokenizers` with the same steps.

use super::state::{Invalid, State, fallback_byte, replaced};
use crate::normalize::SPACE_SYMBOL;

/// The decoder of a SentencePiece model: replaces U+2581 by a space, except at the start of the text.
///
/// Nothing is removed from or replaced in bytes and special tokens. Of adjacent byte-fallback tokens, only bytes
/// that are not UTF-8 become U+FFFD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceDecoder {
    /// Whether the tokens `<0x00>` to `<0xFF>` are bytes.
    pub byte_fallback: bool,
    /// The number of tokens at the start of the text of which one U+2581 at the start is removed.
    pub strips: u32,
}

impl PieceDecoder {
    pub(super) fn push(
        self,
        state: &mut State,
        piece: &[u8],
        is_surface: bool,
        invalid: Invalid,
        out: &mut Vec<u8>,
    ) {
        let byte = fallback_byte(piece).filter(|_| self.byte_fallback && !is_surface);
        if let Some(byte) = byte {
            state.held.push(byte);
            return;
        }
        self.end_run(state, invalid, out);
        let mut rest = piece;
        if state.strips > 0
            && !is_surface
            && let Some(stripped) = piece.strip_prefix(SPACE_SYMBOL.as_bytes())
        {
            (rest, state.strips) = (stripped, state.strips - 1);
        }
        let text = match is_surface {
            true => rest.into(),
            false => replaced(rest, SPACE_SYMBOL, " "),
        };
        if !text.is_empty() {
            state.strips = 0;
        }
        out.extend_from_slice(&text);
    }

    /// Appends the bytes of the last byte-fallback tokens.
    pub(super) fn end_run(self, state: &mut State, invalid: Invalid, out: &mut Vec<u8>) {
        if state.held.is_empty() {
            return;
        }
        state.strips = 0;
        for chunk in std::mem::take(&mut state.held).utf8_chunks() {
            out.extend_from_slice(chunk.valid().as_bytes());
            match invalid {
                Invalid::Keep => out.extend_from_slice(chunk.invalid()),
                Invalid::Replace => {
                    out.extend("\u{FFFD}".repeat(chunk.invalid().len()).bytes());
                }
            }
        }
    }
}

//! GPT-2's mapping of bytes to printable characters, used for the tokens in a `tokenizer.json`.
//!
//! A byte that is a visible character in Latin-1 maps to this character. The other 68 bytes, among them the
//! space, map in order to U+0100 to U+0143: a space to `Ġ`, a newline to `Ċ`. Hugging Face's trainer numbers
//! the single bytes in the order of these characters.

/// Returns the character for a byte.
pub(crate) fn spelling_of(byte: u8) -> char {
    // The `n`-th byte (from 0) that is not visible maps to 256 + `n`.
    let code = match byte {
        0x00..=0x20 => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x121 + u32::from(byte) - 0x7F,
        0xAD => 0x143,
        visible => u32::from(visible),
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns all bytes in the order of their characters.
pub(crate) fn bytes_in_order() -> [u8; 256] {
    let mut bytes: [u8; 256] = std::array::from_fn(|byte| byte as u8);
    bytes.sort_unstable_by_key(|&byte| spelling_of(byte));
    bytes
}

/// Returns the byte for a character, or `None` if no byte maps to the character.
pub(crate) fn byte_of(spelling: char) -> Option<u8> {
    let byte = match u32::from(spelling) {
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => code,
        code @ 0x100..=0x120 => code - 0x100,
        code @ 0x121..=0x142 => code - 0x121 + 0x7F,
        0x143 => 0xAD,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// Maps bytes to characters.
pub(crate) fn spell(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| spelling_of(byte)).collect()
}

/// Maps characters back to bytes. Returns `None` if no byte maps to one of them.
pub(crate) fn bytes_of(spelling: &str) -> Option<Vec<u8>> {
    spelling.chars().map(byte_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        // The construction in GPT-2's source.
        let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let mut next = 0x100;
        for byte in 0..=255u8 {
            let code = if printable(byte) {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            assert_eq!(u32::from(spelling_of(byte)), code);
            assert_eq!(byte_of(spelling_of(byte)), Some(byte));
        }
        assert_eq!(
            (0..0x300)
                .filter_map(char::from_u32)
                .filter_map(byte_of)
                .count(),
            256
        );
    }

    #[test]
    fn bytes_are_ordered_by_character() {
        let order = bytes_in_order();
        assert_eq!(order[..3], *b"!\"#");
        assert_eq!(order[94..96], [0xA1, 0xA2]);
        assert_eq!(order[188..], {
            let low = (0..=0x20).chain(0x7F..=0xA0).chain([0xAD]);
            low.collect::<Vec<u8>>()
        });
    }

    #[cfg(feature = "huggingface")]
    #[test]
    fn spellings_round_trip() {
        assert_eq!(spell(b" the\n\xff"), "ĠtheĊÿ");
        assert_eq!(bytes_of("ĠtheĊÿ").as_deref(), Some(&b" the\n\xff"[..]));
        assert_eq!(bytes_of("a b"), None);
        assert_eq!(bytes_of("<｜end｜>"), None);
    }
}

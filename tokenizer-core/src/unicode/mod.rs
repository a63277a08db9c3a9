//! Unicode character classes and UTF-8 decoding.
//!
//! A class is a byte of flags in a two-level table: the upper bits of the character select a leaf of 64
//! classes (one cache line), and the lower six bits, which are those of its last UTF-8 byte, select a class
//! in the leaf. The characters of one script share a few leaves, so a text reads few cache lines.

mod tables;

pub use tables::UNICODE_VERSION;
use tables::{LEAVES, ROOTS};

use crate::simd::AsciiTable;

/// `\p{L}`
pub(crate) const LETTER: u8 = 1 << 0;
/// `\p{N}`
pub(crate) const NUMBER: u8 = 1 << 1;
/// `\s`, including line ends
pub(crate) const SPACE: u8 = 1 << 2;
/// `[\p{Lu}\p{Lt}]`
pub(crate) const UPPER: u8 = 1 << 3;
/// `\p{Ll}`
pub(crate) const LOWER: u8 = 1 << 4;
/// `\p{M}`
pub(crate) const MARK: u8 = 1 << 5;
/// `[\r\n]`
pub(crate) const NEWLINE: u8 = 1 << 6;
/// Not a stable code point under NFC, in the Unicode version of `normalize.rs`: NFC may replace it, reorder
/// it, or compose it with a preceding character. Before every other character is a normalization boundary.
pub(crate) const NFC_UNSTABLE: u8 = 1 << 7;

/// The classes of ASCII.
pub(crate) static ASCII: AsciiTable = AsciiTable::new(ascii());

const fn ascii() -> [u8; 128] {
    let mut classes = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'A'..=b'Z' => LETTER | UPPER,
            b'a'..=b'z' => LETTER | LOWER,
            b'0'..=b'9' => NUMBER,
            b'\r' | b'\n' => SPACE | NEWLINE,
            b'\t' | 0x0B | 0x0C | b' ' => SPACE,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

/// Returns the class of a character. Numbers above U+10FFFF have class 0, like unassigned characters.
#[inline(always)]
pub(crate) fn class(character: u32) -> u8 {
    match ROOTS.get((character >> 6) as usize) {
        Some(&root) => LEAVES[root as usize][(character & 63) as usize],
        None => 0,
    }
}

/// Returns the class and the length in bytes of the character that starts at `at`, or `None` from the end of
/// the text on. An invalid sequence has class 0.
#[inline]
pub(crate) fn char_at(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let (character, length) = decode(text, at)?;
    Some((character.map_or(0, class), length))
}

/// Returns the character that starts at `at` and its length in bytes, or `None` from the end of the text on.
///
/// For an invalid sequence, the character is `None`, and the length is that of the longest proper prefix of a
/// valid character, or 1.
#[inline]
pub(crate) fn decode(text: &[u8], at: usize) -> Option<(Option<u32>, usize)> {
    let first = *text.get(at)?;
    if first < 0x80 {
        return Some((Some(first.into()), 1));
    }
    // The valid second bytes (Unicode 16.0, table 3-7). Later bytes are 80 to BF.
    let (length, second) = match first {
        0xC2..=0xDF => (2, 0x80..=0xBF),
        0xE0 => (3, 0xA0..=0xBF),
        0xED => (3, 0x80..=0x9F),
        0xE1..=0xEF => (3, 0x80..=0xBF),
        0xF0 => (4, 0x90..=0xBF),
        0xF4 => (4, 0x80..=0x8F),
        0xF1..=0xF3 => (4, 0x80..=0xBF),
        _ => return Some((None, 1)),
    };
    let mut character = u32::from(first) & (0x7F >> length);
    for n in 1..length {
        match text.get(at + n) {
            Some(&byte) if (n == 1 && second.contains(&byte)) || (n > 1 && byte & 0xC0 == 0x80) => {
                character = character << 6 | u32::from(byte) & 0x3F;
            }
            _ => return Some((None, n)),
        }
    }
    Some((Some(character), length))
}

/// Returns the start of the character or invalid sequence that ends at `end`, which must be a character
/// boundary and not 0.
#[inline]
pub(crate) fn start_before(text: &[u8], end: usize) -> usize {
    let nearest = end.saturating_sub(4)..end;
    let start = nearest.rev().find(|&at| text[at] & 0xC0 != 0x80);
    let ends_there = |&start: &usize| {
        decode(&text[..end], start).is_some_and(|(_, length)| start + length == end)
    };
    // Otherwise the last byte is a continuation byte without a lead byte: an invalid sequence of its own.
    start.filter(ends_there).unwrap_or(end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fancy_regex::Regex;

    #[test]
    fn classes_agree_with_the_regex_engine() {
        let every: String = ('\0'..=char::MAX).collect();
        for (pattern, flag) in [
            (r"\p{L}", LETTER),
            (r"\p{N}", NUMBER),
            (r"\s", SPACE),
            (r"[\p{Lu}\p{Lt}]", UPPER),
            (r"\p{Ll}", LOWER),
            (r"\p{M}", MARK),
            (r"[\r\n]", NEWLINE),
        ] {
            let regex = Regex::new(&format!("{pattern}+")).unwrap();
            let matched: String = regex
                .find_iter(&every)
                .map(|m| m.unwrap().as_str())
                .collect();
            let classed = every.chars().filter(|&c| class(c.into()) & flag != 0);
            assert!(matched.chars().eq(classed), "{pattern}");
        }
        assert!((0..128).all(|c| ASCII.get(c as u8) == Some(&class(c))));
        assert_eq!(class(u32::MAX), 0);
    }

    #[test]
    fn the_tables_have_the_stated_version() {
        assert_eq!(UNICODE_VERSION, (16, 0, 0));
        // Unicode 16 added the Garay letters, Unicode 17 the ideograph U+2B73A.
        assert_eq!(class(0x10D4A), LETTER);
        assert_eq!(class(0x2B73A), 0);
    }

    #[test]
    fn decoding_agrees_with_the_standard_library() {
        // All sequences of four bytes from the edges of the ranges in table 3-7.
        let bytes = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF,
        ];
        let n = bytes.len();
        for number in 0..n * n * n * n {
            let text = [0, 1, 2, 3].map(|digit| bytes[number / n.pow(digit) % n]);
            let mut at = 0;
            for chunk in text.utf8_chunks() {
                for c in chunk.valid().chars() {
                    assert_eq!(char_at(&text, at), Some((class(c.into()), c.len_utf8())));
                    at += c.len_utf8();
                }
                if !chunk.invalid().is_empty() {
                    assert_eq!(
                        char_at(&text, at),
                        Some((0, chunk.invalid().len())),
                        "{text:x?}"
                    );
                    at += chunk.invalid().len();
                }
            }
            assert_eq!(char_at(&text, at), None);
        }
    }
}

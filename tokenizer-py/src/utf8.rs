//! Characters of one, two or four bytes each, as Python keeps them, to UTF-8.
//!
//! CPython turns a `str` into UTF-8 a character at a time, into memory that it then copies, and keeps
//! the copy with the `str` for good: of a long text that takes half as long as to encode it, and half
//! as much memory as the text. Here sixteen characters are looked at together. Where the processor can
//! move bytes together (`arch`), the bytes of all sixteen are made at once. Where it cannot, most blocks
//! are all ASCII or have three bytes for each; others are written one by one, without a branch.
//!
//! **Cost**, for 24 MB of English with some curly quotes, 18 MB of many scripts, 17 MB of source code:
//! 10, 21 and 6 ms without those instructions, 7, 5 and 5 ms with them, of which most is memory's; CPython
//! takes 40, 30 and 27 ms.

use crate::{arch, memory};

/// The number of a character, as wide as it is kept.
pub(crate) trait Character: Copy + Into<u32> {
    /// The most bytes that one has in UTF-8.
    const MOST: usize;

    fn lowest_byte(self) -> u8;
}

impl Character for u8 {
    const MOST: usize = 2;

    fn lowest_byte(self) -> u8 {
        self
    }
}

impl Character for u16 {
    const MOST: usize = 3;

    fn lowest_byte(self) -> u8 {
        self as u8
    }
}

impl Character for u32 {
    const MOST: usize = 4;

    fn lowest_byte(self) -> u8 {
        self as u8
    }
}

/// Characters that are looked at together.
pub(crate) const BLOCK: usize = 16;

/// Room for a block whose characters are each written as four bytes.
pub(crate) const ROOM: usize = 4 * BLOCK + 4;

/// The text in UTF-8; `None` when it holds a lone surrogate, which has none, or there is no memory.
pub(crate) fn utf8<C: Character>(characters: &[C]) -> Option<Vec<u8>> {
    let mut text = memory::zeros(room::<C>(characters.len())?)?;
    let end = put_all(characters, &mut text)?;
    text.truncate(end);
    Some(text)
}

/// Bytes of memory in which so many characters can be written.
pub(crate) fn room<C: Character>(characters: usize) -> Option<usize> {
    characters.checked_mul(C::MOST)?.checked_add(ROOM)
}

/// Writes characters to the beginning of `text`, which has [`room`] for them, and gives the bytes
/// written; `None` when one is a lone surrogate.
pub(crate) fn put_all<C: Character>(characters: &[C], text: &mut [u8]) -> Option<usize> {
    let (blocks, rest) = characters.as_chunks::<BLOCK>();
    let mut end = arch::put_blocks(blocks, text)?;
    let mut surrogates = false;
    for &character in rest {
        let character = character.into();
        end += put::<4>(&[character], text[end..].first_chunk_mut()?);
        surrogates |= is_surrogate(character);
    }
    (!surrogates).then_some(end)
}

/// As [`put_all`], of whole blocks, with the instructions that every processor has.
pub(crate) fn put_blocks<C: Character>(blocks: &[[C; BLOCK]], text: &mut [u8]) -> Option<usize> {
    let mut end = 0;
    let mut surrogates = false;
    for block in blocks {
        let to: &mut [u8; ROOM] = text[end..].first_chunk_mut()?;
        let together = block
            .iter()
            .fold(0, |all, &character| all | character.into());
        if together < 0x80 {
            to[..BLOCK].copy_from_slice(&block.map(C::lowest_byte));
            end += BLOCK;
            continue;
        }
        let block = block.map(C::into);
        end += match together {
            ..0x800 => put::<2>(&block, to),
            _ if block.iter().all(|character| is_three(*character)) => put_threes(block, to),
            _ if block.iter().all(|&character| character < 0x1_0000) => put::<3>(&block, to),
            _ => put::<4>(&block, to),
        };
        surrogates |= together >= 0x800 && block.iter().any(|&one| is_surrogate(one));
    }
    (!surrogates).then_some(end)
}

/// Writes characters of three bytes each; gives the bytes written.
#[inline(always)]
fn put_threes(block: [u32; BLOCK], to: &mut [u8; ROOM]) -> usize {
    for (to, character) in to.as_chunks_mut::<3>().0.iter_mut().zip(block) {
        let bytes = three(character).to_le_bytes();
        *to = [bytes[0], bytes[1], bytes[2]];
    }
    3 * BLOCK
}

/// Of up to `MOST` bytes.
#[inline(always)]
fn put<const MOST: usize>(characters: &[u32], to: &mut [u8; ROOM]) -> usize {
    let mut at = 0;
    for &character in characters {
        let (mut bytes, mut length) = (character, 1);
        if character >= 0x80 {
            (bytes, length) = (two(character), 2);
        }
        if MOST > 2 && character >= 0x800 {
            (bytes, length) = (three(character), 3);
        }
        if MOST > 3 && character >= 0x1_0000 {
            (bytes, length) = (four(character), 4);
        }
        to[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
        at += length;
    }
    at
}

#[inline(always)]
fn is_three(character: u32) -> bool {
    (0x800..0x1_0000).contains(&character)
}

#[inline(always)]
fn is_surrogate(character: u32) -> bool {
    (0xD800..0xE000).contains(&character)
}

/// The bytes of a character, the first in the lowest.
#[inline(always)]
fn two(character: u32) -> u32 {
    0x80C0 | character >> 6 | (character & 0x3F) << 8
}

#[inline(always)]
fn three(character: u32) -> u32 {
    0x80_80E0 | character >> 12 | (character >> 6 & 0x3F) << 8 | (character & 0x3F) << 16
}

#[inline(always)]
fn four(character: u32) -> u32 {
    0x8080_80F0
        | character >> 18
        | (character >> 12 & 0x3F) << 8
        | (character >> 6 & 0x3F) << 16
        | (character & 0x3F) << 24
}

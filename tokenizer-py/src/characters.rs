//! UTF-8 to characters of one, two or four bytes each, as Python keeps them.
//!
//! CPython begins with one byte for each character, and when it meets one that needs more, it makes the
//! text anew with wider ones: source code of 17 MB with a single emoji is written twice, as 17 and as
//! 69 MB, page by page. Here the widest character is found first, which takes half a millisecond: it has
//! the highest byte. Then sixteen bytes are looked at together; mostly they are all ASCII, or they begin
//! with four characters of three bytes each, or of two.
//!
//! **Cost**, for 24 MB of English with some curly quotes, 18 MB of many scripts, 17 MB of source code: 8,
//! 24 and 4 ms, beside what the kernel does for the pages; CPython takes 30, 54 and 24 ms in all.
//!
//! **What did not pay.** To find where the characters of 16, 32 or 64 bytes begin, and then to read each
//! without a branch: twice as slow on many scripts and on English. Only one character at a time where
//! no four are alike: a sixth slower on English.

use std::mem::MaybeUninit;

/// A character as wide as it is kept.
pub(crate) trait Character: Copy + Send {
    /// That of this number, which fits.
    fn of(number: u32) -> Self;
}

impl Character for u8 {
    fn of(number: u32) -> Self {
        number as u8
    }
}

impl Character for u16 {
    fn of(number: u32) -> Self {
        number as u16
    }
}

impl Character for u32 {
    fn of(number: u32) -> Self {
        number
    }
}

/// How many characters a text has if it is UTF-8, and the highest of its bytes.
pub(crate) fn measure(text: &[u8]) -> (usize, u8) {
    let (mut characters, mut highest) = (0, 0);
    // So few that a byte can count them.
    for part in text.chunks(128) {
        let (mut begin, mut highest_here) = (0_u8, 0_u8);
        for &byte in part {
            begin += u8::from(byte & 0xC0 != 0x80);
            highest_here = highest_here.max(byte);
        }
        characters += usize::from(begin);
        highest = highest.max(highest_here);
    }
    (characters, highest)
}

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Writes the characters of `text` to the beginning of `to`, and gives their number. `None` when the
/// text is not UTF-8 or there is not so much room.
pub(crate) fn write<C: Character>(text: &[u8], to: &mut [MaybeUninit<C>]) -> Option<usize> {
    let (mut at, mut written) = (0, 0);
    // Numbers that have a shorter form, or are no characters.
    let mut wrong = false;
    while let (Some(block), Some(room)) = (
        text.get(at..)?.first_chunk::<BLOCK>(),
        to.get_mut(written..)?.first_chunk_mut::<BLOCK>(),
    ) {
        let (bytes, characters) = write_some(block, room, &mut wrong)?;
        at += bytes;
        written += characters;
    }
    let rest = std::str::from_utf8(&text[at..]).ok()?;
    for character in rest.chars() {
        to.get_mut(written)?.write(C::of(character.into()));
        written += 1;
    }
    (!wrong).then_some(written)
}

/// Writes the first characters of a block; gives how many bytes they have, and how many they are.
#[inline(always)]
fn write_some<C: Character>(
    block: &[u8; BLOCK],
    room: &mut [MaybeUninit<C>; BLOCK],
    wrong: &mut bool,
) -> Option<(usize, usize)> {
    let block_bits = u128::from_le_bytes(*block);
    let (low, high) = (block_bits as u64, (block_bits >> 64) as u64);
    if (low | high) & 0x8080_8080_8080_8080 == 0 {
        for (to, &byte) in room.iter_mut().zip(block) {
            to.write(C::of(byte.into()));
        }
        return Some((BLOCK, BLOCK));
    }
    let middle = (block_bits >> 48) as u64;
    if is_two_of_three(low) && is_two_of_three(middle) {
        let bytes = [low, low >> 24, middle, middle >> 24];
        for (to, bytes) in room.iter_mut().zip(bytes) {
            to.write(C::of(three(bytes as u32, wrong)));
        }
        return Some((12, 4));
    }
    if low & 0xC0E0_C0E0_C0E0_C0E0 == 0x80C0_80C0_80C0_80C0 {
        for (number, to) in room[..4].iter_mut().enumerate() {
            to.write(C::of(two((low >> (16 * number)) as u32, wrong)));
        }
        return Some((8, 4));
    }
    // One by one, as long as the next is whole in the first eight bytes.
    let (mut bytes, mut characters) = (0, 0);
    while bytes <= 4 {
        let rest = (low >> (8 * bytes)) as u32;
        let (number, length) = match rest {
            _ if rest & 0x80 == 0 => (rest & 0x7F, 1),
            _ if rest & 0xC0E0 == 0x80C0 => (two(rest, wrong), 2),
            _ if rest & 0xC0_C0F0 == 0x80_80E0 => (three(rest, wrong), 3),
            _ if rest & 0xC0C0_C0F8 == 0x8080_80F0 => (four(rest, wrong), 4),
            _ => return None,
        };
        room[characters].write(C::of(number));
        characters += 1;
        bytes += length;
    }
    Some((bytes, characters))
}

/// Whether these begin with two characters of three bytes each.
#[inline(always)]
fn is_two_of_three(bytes: u64) -> bool {
    bytes & 0xC0C0_F0C0_C0F0 == 0x8080_E080_80E0
}

/// The number of a character of two bytes, the first in the lowest; others above them do not count.
#[inline(always)]
fn two(bytes: u32, wrong: &mut bool) -> u32 {
    let number = (bytes & 0x1F) << 6 | (bytes >> 8 & 0x3F);
    *wrong |= number < 0x80;
    number
}

/// Of three bytes.
#[inline(always)]
fn three(bytes: u32, wrong: &mut bool) -> u32 {
    let number = (bytes & 0xF) << 12 | (bytes >> 8 & 0x3F) << 6 | (bytes >> 16 & 0x3F);
    *wrong |= number < 0x800 || number >> 11 == 0xD800 >> 11;
    number
}

/// Of four bytes.
#[inline(always)]
fn four(bytes: u32, wrong: &mut bool) -> u32 {
    let number = (bytes & 7) << 18
        | (bytes >> 8 & 0x3F) << 12
        | (bytes >> 16 & 0x3F) << 6
        | (bytes >> 24 & 0x3F);
    *wrong |= !(0x1_0000..0x11_0000).contains(&number);
    number
}

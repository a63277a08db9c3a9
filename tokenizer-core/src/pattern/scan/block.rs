//! A block: up to 64 bytes of text as masks, one bit for each byte.
//!
//! A block begins at a character and ends before one, so no character lies in two blocks; in text
//! that is not ASCII it is 61 to 64 bytes long. Every byte of a character has the character's
//! class, so "the character before" of a character's first byte is "the byte before", one shift
//! away, whatever the script.
//!
//! ASCII is classified all at once. Which other bytes make up characters follows from masks too
//! (`utf8.rs`); each character is decoded, looked up in the class table and written over the bytes
//! it stands in, and then all bytes are turned into masks together. Bytes that are no UTF-8 cost
//! less than those that are: nothing is looked up.

use super::utf8::Utf8;
use crate::simd::{BLOCK, Simd};
use crate::unicode::{self, LETTER, LOWER, MARK, NEWLINE, NUMBER, SPACE, UPPER};

/// Some text as masks. Bits at `len` and above are clear in all of them.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// Bytes, 1 to 64.
    pub(super) len: usize,
    /// The lowest `len` bits.
    pub(super) all: u64,
    /// Where characters begin.
    pub(super) lead: u64,
    /// Whether every character is one byte.
    pub(super) ascii: bool,
    /// `\p{L}`
    pub(super) letters: u64,
    /// `\p{N}`
    pub(super) numbers: u64,
    /// `\s`
    pub(super) spaces: u64,
    /// `[\r\n]`
    pub(super) newlines: u64,
    /// `[\p{Lu}\p{Lt}]`
    pub(super) upper: u64,
    /// `\p{Ll}`
    pub(super) lower: u64,
    /// `\p{M}`
    pub(super) marks: u64,
    /// U+0020
    pub(super) blanks: u64,
    /// U+0027
    pub(super) apostrophes: u64,
    /// U+002F
    pub(super) slashes: u64,
}

impl Block {
    /// The block that begins at `at`, which is a character's first byte and inside the text.
    #[inline(always)]
    pub(super) fn read<S: Simd>(simd: S, text: &[u8], at: usize) -> Self {
        let rest = &text[at..];
        let mut padded = [0; BLOCK];
        let (bytes, available) = match rest.first_chunk::<BLOCK>() {
            Some(bytes) => (bytes, BLOCK),
            None => {
                padded[..rest.len()].copy_from_slice(rest);
                (&padded, rest.len())
            }
        };
        let loaded = simd.load(bytes);
        let non_ascii = simd.non_ascii(loaded);
        let mut classes = simd.ascii_classes(loaded);
        let mut utf8 = Utf8::ascii(available);
        let mut known = u64::MAX;
        if non_ascii != 0 {
            utf8 = Utf8::find(simd, loaded, non_ascii, available);
            let mut other = simd.store_classes(classes);
            classify(&utf8, bytes, &mut other);
            classes = simd.load_classes(&other);
            known = !non_ascii | utf8.complete();
        }
        let all = utf8.all();
        let known = known & all;
        Block {
            len: utf8.len,
            all,
            lead: utf8.lead & all,
            ascii: non_ascii == 0,
            letters: simd.flag(classes, LETTER) & known,
            numbers: simd.flag(classes, NUMBER) & known,
            spaces: simd.flag(classes, SPACE) & known,
            newlines: simd.flag(classes, NEWLINE) & known,
            upper: simd.flag(classes, UPPER) & known,
            lower: simd.flag(classes, LOWER) & known,
            marks: simd.flag(classes, MARK) & known,
            blanks: simd.equal(loaded, b' ') & all,
            apostrophes: simd.equal(loaded, b'\'') & all,
            slashes: simd.equal(loaded, b'/') & all,
        }
    }

    /// Where characters go on behind their first byte.
    #[inline(always)]
    pub(super) fn continuing(&self) -> u64 {
        self.all & !self.lead
    }

    /// For characters given by their first bytes, the first bytes of the characters behind them.
    /// For the last character of the block there is none.
    #[inline(always)]
    pub(super) fn next_leads(&self, leads: u64) -> u64 {
        if self.ascii {
            return leads << 1;
        }
        // The addition carries a bit over the bytes that continue the character.
        let continuing = self.continuing();
        (leads << 1).wrapping_add(continuing) & !continuing
    }

    /// For characters given by their last bytes, their first bytes.
    #[inline(always)]
    pub(super) fn leads_of_last_bytes(&self, mut last: u64) -> u64 {
        if !self.ascii {
            let continuing = self.continuing();
            for _ in 0..3 {
                let inside = last & continuing;
                last = (last & !continuing) | inside >> 1;
            }
        }
        last
    }

    /// The bit of a mask for the last byte, as 0 or 1: what the next block shifts in.
    #[inline(always)]
    pub(super) fn last_bit(&self, mask: u64) -> u64 {
        mask >> (self.len - 1) & 1
    }
}

/// Writes the class of every character that is not ASCII over its bytes.
#[inline(always)]
fn classify(utf8: &Utf8, bytes: &[u8; BLOCK], classes: &mut [u8; BLOCK]) {
    let byte = |at: usize| u32::from(bytes[at % BLOCK]);
    let rest = |at: usize| byte(at) & 0x3F;
    let mut write = |at: usize, length: usize, character: u32| {
        let class = unicode::class(character);
        for place in 0..length {
            classes[(at + place) % BLOCK] = class;
        }
    };
    for at in bits(utf8.of_two) {
        write(at, 2, (byte(at) & 0x1F) << 6 | rest(at + 1));
    }
    for at in bits(utf8.of_three) {
        let character = (byte(at) & 0x0F) << 12 | rest(at + 1) << 6 | rest(at + 2);
        write(at, 3, character);
    }
    for at in bits(utf8.of_four) {
        let upper = (byte(at) & 0x07) << 18 | rest(at + 1) << 12;
        write(at, 4, upper | rest(at + 2) << 6 | rest(at + 3));
    }
}

/// The numbers of the set bits, ascending.
#[inline(always)]
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        bit
    })
}

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

use crate::pattern::utf8::{Utf8, first_block};
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
        let mut padded = [0; BLOCK];
        let (bytes, available) = first_block(&text[at..], &mut padded);
        let loaded = simd.load(bytes);
        let non_ascii = simd.non_ascii(loaded);
        let mut classes = simd.look_up(loaded, &unicode::ASCII);
        let mut utf8 = Utf8::ascii(available);
        let mut known = u64::MAX;
        if non_ascii != 0 {
            utf8 = Utf8::find(simd, loaded, non_ascii, available);
            let mut other = simd.store_classes(classes);
            utf8.for_each(bytes, |at, length, character| {
                let class = unicode::class(character);
                for place in 0..length {
                    other[(at + place) % BLOCK] = class;
                }
            });
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

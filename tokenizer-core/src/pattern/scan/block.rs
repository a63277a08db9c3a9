//! A block: up to 64 bytes of text as masks with one bit per byte.
//!
//! A block starts and ends at character boundaries, so it has 61 to 64 bytes; the last block of a text may be
//! shorter. Every byte of a character has the character's class. So when a mask is shifted by one bit, the
//! first byte of a character gets the bit of the character before, whatever its length.
//!
//! ASCII is classified by a vector table look-up. Other characters are located by masks (`utf8.rs`),
//! decoded one by one and looked up in the class table; the class of a character is written to all of its
//! bytes. Then the flags of all bytes become masks. Invalid sequences have no flags and need no look-up.

use crate::pattern::utf8::{Utf8, first_block};
use crate::simd::{BLOCK, Simd};
use crate::unicode::{self, LETTER, LOWER, MARK, NEWLINE, NUMBER, SPACE, UPPER};

/// The classes of up to 64 bytes as masks. Bits from `len` on are clear in all of them.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// In bytes, 1 to 64.
    pub(super) len: usize,
    /// The lowest `len` bits.
    pub(super) all: u64,
    /// First bytes of characters.
    pub(super) lead: u64,
    /// Whether all bytes are ASCII.
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
    /// Reads the block that starts at `at`, a character boundary before the end of the text.
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
                for n in 0..length {
                    other[(at + n) % BLOCK] = class;
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

    /// Returns all bytes of characters but the first.
    #[inline(always)]
    pub(super) fn continuing(&self) -> u64 {
        self.all & !self.lead
    }

    /// Maps the first bytes of characters to the first bytes of the next characters in the block.
    #[inline(always)]
    pub(super) fn next_leads(&self, leads: u64) -> u64 {
        if self.ascii {
            return leads << 1;
        }
        // The addition carries each bit over the continuation bytes.
        let continuing = self.continuing();
        (leads << 1).wrapping_add(continuing) & !continuing
    }

    /// Maps the last bytes of characters to their first bytes.
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

    /// Returns the bit of the last byte, 0 or 1. When the masks of the next block are shifted by one bit, it
    /// becomes their bit 0.
    #[inline(always)]
    pub(super) fn last_bit(&self, mask: u64) -> u64 {
        mask >> (self.len - 1) & 1
    }
}

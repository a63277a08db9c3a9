//! Bit-parallel UTF-8 decoding: finds the characters of a 64-byte block as masks.
//!
//! A lead byte determines the length of its sequence and the range of the second byte (Unicode 16.0, table
//! 3-7); later bytes are 80 to BF. A sequence of full length is a valid character. A shorter one, or a byte
//! that neither starts nor continues a sequence, is a maximal invalid sequence and counts as one character.

use crate::simd::{BLOCK, Simd};

/// The characters of a block. Bit `n` of a mask is about byte `n`.
pub(super) struct Utf8 {
    /// Length of the block in bytes: the available bytes, less a last character that may continue after a
    /// full block of 64 bytes.
    pub(super) len: usize,
    /// First bytes of all characters, including ASCII and invalid sequences. Bits from `len` on are
    /// unspecified.
    pub(super) lead: u64,
    /// First bytes of valid characters of two, three and four bytes.
    pub(super) of_two: u64,
    pub(super) of_three: u64,
    pub(super) of_four: u64,
}

impl Utf8 {
    /// Returns the characters of a block of `available` bytes that are all ASCII.
    #[inline(always)]
    pub(super) fn ascii(available: usize) -> Self {
        Utf8 {
            len: available,
            lead: u64::MAX,
            of_two: 0,
            of_three: 0,
            of_four: 0,
        }
    }

    /// Returns the characters of `block`, whose first `available` bytes are text and whose other bytes
    /// are ASCII padding.
    #[inline(always)]
    pub(super) fn find<S: Simd>(
        simd: S,
        block: S::Block,
        non_ascii: u64,
        available: usize,
    ) -> Self {
        let at_least = |byte| simd.at_least(block, byte);
        let equal = |byte| simd.equal(block, byte);
        let from_c0 = at_least(0xC0);
        let from_e0 = at_least(0xE0);
        let from_f0 = at_least(0xF0);
        let continuing = non_ascii & !from_c0;
        // C0, C1 and F5 to FF start no character.
        let leads = at_least(0xC2) & !at_least(0xF5);
        let leads_of_three = from_e0 & !from_f0;
        let leads_of_four = leads & from_f0;

        let mut len = available;
        if available == BLOCK {
            let cut = (leads & 1 << 63) | (leads & from_e0 & 3 << 62) | (leads_of_four & 7 << 61);
            if cut != 0 {
                len = cut.trailing_zeros() as usize;
            }
        }

        let (from_a0, from_90) = (at_least(0xA0), at_least(0x90));
        let forbidden = (equal(0xE0) << 1 & !from_a0)
            | (equal(0xED) << 1 & from_a0)
            | (equal(0xF0) << 1 & !from_90)
            | (equal(0xF4) << 1 & from_90);
        let second = leads << 1 & continuing & !forbidden;
        let third = (second & (leads & from_e0) << 1) << 1 & continuing;
        let fourth = (third & leads_of_four << 2) << 1 & continuing;
        let all = u64::MAX >> (BLOCK - len);
        Utf8 {
            len,
            lead: !(second | third | fourth),
            of_two: leads & !from_e0 & second >> 1 & all,
            of_three: leads_of_three & third >> 2 & all,
            of_four: leads_of_four & fourth >> 3 & all,
        }
    }

    /// Calls `each` with the position, the length in bytes and the code point of every valid character of
    /// more than one byte.
    #[inline(always)]
    pub(super) fn for_each(&self, bytes: &[u8; BLOCK], mut each: impl FnMut(usize, usize, u32)) {
        let byte = |at: usize| u32::from(bytes[at % BLOCK]);
        let rest = |at: usize| byte(at) & 0x3F;
        for at in bits(self.of_two) {
            each(at, 2, (byte(at) & 0x1F) << 6 | rest(at + 1));
        }
        for at in bits(self.of_three) {
            let character = (byte(at) & 0x0F) << 12 | rest(at + 1) << 6 | rest(at + 2);
            each(at, 3, character);
        }
        for at in bits(self.of_four) {
            let upper = (byte(at) & 0x07) << 18 | rest(at + 1) << 12;
            each(at, 4, upper | rest(at + 2) << 6 | rest(at + 3));
        }
    }

    /// Returns a mask of the lowest `len` bits.
    #[inline(always)]
    pub(super) fn all(&self) -> u64 {
        u64::MAX >> (BLOCK - self.len)
    }

    /// Returns a mask of all bytes of valid characters of more than one byte.
    #[inline(always)]
    pub(super) fn complete(&self) -> u64 {
        let from_three = self.of_three | self.of_four;
        let from_two = from_three | self.of_two;
        from_two | from_two << 1 | from_three << 2 | self.of_four << 3
    }
}

/// Returns the indices of the set bits, ascending.
#[inline(always)]
pub(super) fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        bit
    })
}

/// Returns the first block of a text and the number of its bytes that are text. A text shorter than a block
/// is copied to `padded`, which must be zero.
#[inline(always)]
pub(super) fn first_block<'b>(
    text: &'b [u8],
    padded: &'b mut [u8; BLOCK],
) -> (&'b [u8; BLOCK], usize) {
    match text.first_chunk() {
        Some(bytes) => (bytes, BLOCK),
        None => {
            padded[..text.len()].copy_from_slice(text);
            (padded, text.len())
        }
    }
}

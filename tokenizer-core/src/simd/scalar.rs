//! The operations without vector instructions: the oracle of the other tiers.

use super::kernel::{self, AsciiTable, BLOCK, FLATTEN, Simd};

/// No vector instructions. Available on every processor.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

/// Returns the mask of the bytes that satisfy `predicate`.
#[inline(always)]
fn mask_of(bytes: &[u8; BLOCK], predicate: impl Fn(u8) -> bool) -> u64 {
    let mut mask = 0;
    for (n, &byte) in bytes.iter().enumerate() {
        mask |= u64::from(predicate(byte)) << n;
    }
    mask
}

impl Simd for Scalar {
    type Block = [u8; BLOCK];
    type Classes = [u8; BLOCK];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        *bytes
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        mask_of(&block, |b| b == byte)
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        mask_of(&block, |b| b >= 0x80)
    }

    #[inline(always)]
    fn at_least(self, block: Self::Block, byte: u8) -> u64 {
        mask_of(&block, |b| b >= byte)
    }

    #[inline(always)]
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes {
        block.map(|byte| table.get(byte).copied().unwrap_or(0))
    }

    #[inline(always)]
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8) {
        for pair in bytes.as_chunks_mut::<2>().0 {
            let number = u16::from(pair[0]) * u16::from(first_factor) + u16::from(pair[1]);
            *pair = number.wrapping_mul(pair_factor.into()).to_le_bytes();
        }
    }

    #[inline(always)]
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK] {
        classes
    }

    #[inline(always)]
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes {
        *bytes
    }

    #[inline(always)]
    fn flag(self, classes: Self::Classes, flag: u8) -> u64 {
        mask_of(&classes, |class| class & flag != 0)
    }

    #[inline(always)]
    fn flatten(self, mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
        kernel::flatten_bit_by_bit(mask, base, out)
    }

    #[inline(always)]
    fn which(self, words: &[u128; 2], word: &u128) -> u32 {
        kernel::which_word_by_word(words, word)
    }

    #[inline(always)]
    fn smallest(self, numbers: &[u32; BLOCK], count: usize) -> u32 {
        kernel::smallest_one_by_one(numbers, count)
    }
}

//! Every operation in its plainest form.

use super::kernel::{self, BLOCK, FLATTEN, Simd};
use crate::unicode::ASCII;

/// No vector instructions. Every machine has it.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

/// Bit `n` is set where `is` holds for item `n`.
#[inline(always)]
fn mask_of(items: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let mut mask = 0;
    for (n, &item) in items.iter().enumerate() {
        mask |= u64::from(is(item)) << n;
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
    fn ascii_classes(self, block: Self::Block) -> Self::Classes {
        block.map(|byte| ASCII[usize::from(byte & 0x7F)])
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

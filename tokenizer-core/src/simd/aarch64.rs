//! NEON.
//!
//! Rust's 64-bit ARM targets enable NEON for all code, so no run-time detection is needed; `new` checks
//! nevertheless.

use std::arch::aarch64::*;

use super::kernel::{self, AsciiTable, BLOCK, FLATTEN, Kernel, Simd};

/// Proof that the processor supports NEON.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    #[inline]
    pub(super) fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }

    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    /// Collects the highest bit of each byte into a mask. NEON has no instruction for this: if the highest
    /// bit of byte `n` is set, the byte is replaced with bit `n % 8`, otherwise with 0, and adjacent bytes
    /// are added three times.
    #[inline(always)]
    fn gather(self, block: [uint8x16_t; 4]) -> u64 {
        static BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: NEON is supported; `BITS` has 16 bytes.
        unsafe {
            let bits = vld1q_u8(BITS.as_ptr());
            let [a, b, c, d] = block.map(|bytes| {
                let all = vreinterpretq_u8_s8(vshrq_n_s8::<7>(vreinterpretq_s8_u8(bytes)));
                vandq_u8(all, bits)
            });
            let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
            vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
        }
    }
}

impl Simd for Neon {
    type Block = [uint8x16_t; 4];
    type Classes = [uint8x16_t; 4];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        // SAFETY: NEON is supported; the four loads are within `bytes`.
        [0, 16, 32, 48].map(|at| unsafe { vld1q_u8(bytes.as_ptr().add(at)) })
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: NEON is supported.
        self.gather(block.map(|bytes| unsafe { vceqq_u8(bytes, vdupq_n_u8(byte)) }))
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        self.gather(block)
    }

    #[inline(always)]
    fn at_least(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: NEON is supported.
        self.gather(block.map(|bytes| unsafe { vcgeq_u8(bytes, vdupq_n_u8(byte)) }))
    }

    /// Two look-ups in 64 entries each, whose results are ORed: an index out of range yields 0.
    #[inline(always)]
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes {
        let table = &table.entries;
        // SAFETY: NEON is supported; the table has 128 bytes.
        unsafe {
            let (low, high) = (
                vld1q_u8_x4(table.as_ptr()),
                vld1q_u8_x4(table.as_ptr().add(64)),
            );
            block.map(|bytes| {
                let upper = veorq_u8(bytes, vdupq_n_u8(0x40));
                vorrq_u8(vqtbl4q_u8(low, bytes), vqtbl4q_u8(high, upper))
            })
        }
    }

    #[inline(always)]
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8) {
        // SAFETY: NEON is supported; the loads and stores of 32 bytes are within `bytes`.
        unsafe {
            for half in 0..2 {
                let at = bytes.as_mut_ptr().add(32 * half);
                let uint8x16x2_t(first, second) = vld2q_u8(at);
                let factors = vdup_n_u8(first_factor);
                let low = vmull_u8(vget_low_u8(first), factors);
                let high = vmull_u8(vget_high_u8(first), factors);
                let low = vmulq_n_u16(vaddw_u8(low, vget_low_u8(second)), pair_factor.into());
                let high = vmulq_n_u16(vaddw_u8(high, vget_high_u8(second)), pair_factor.into());
                vst1q_u8(at, vreinterpretq_u8_u16(low));
                vst1q_u8(at.add(16), vreinterpretq_u8_u16(high));
            }
        }
    }

    #[inline(always)]
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        for (n, quarter) in classes.into_iter().enumerate() {
            // SAFETY: NEON is supported; the four stores are within `bytes`.
            unsafe { vst1q_u8(bytes.as_mut_ptr().add(16 * n), quarter) }
        }
        bytes
    }

    #[inline(always)]
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes {
        self.load(bytes)
    }

    #[inline(always)]
    fn flag(self, classes: Self::Classes, flag: u8) -> u64 {
        // SAFETY: NEON is supported.
        self.gather(classes.map(|bytes| unsafe { vtstq_u8(bytes, vdupq_n_u8(flag)) }))
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

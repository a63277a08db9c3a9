//! AVX2 and AVX-512.
//!
//! Every `unsafe` block here relies on this: a value of a type is created only if the processor supports the
//! instructions listed at the type, and its methods use no others. The methods and the kernels are
//! inlined into `run`, which is compiled for the instruction set.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use super::kernel::{self, AsciiTable, BLOCK, FLATTEN, Kernel, Simd};

// Avoid `block.map(...)` and large closures. A closure that is not inlined is a separate function, compiled
// without the instructions: this made AVX2 slower than the scalar tier (0.15 instead of 2.5 GB/s).

/// Proof that the processor supports AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(super) fn new() -> Option<Self> {
        static IS_SUPPORTED: LazyLock<bool> = LazyLock::new(|| {
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt")
        });
        IS_SUPPORTED.then_some(Avx2(()))
    }

    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn with_instructions<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `new` checked that the processor supports the instructions.
        unsafe { with_instructions(self, kernel) }
    }
}

impl Avx2 {
    /// Joins the masks of both halves.
    ///
    /// The empty `asm!` hides the origin of the mask from the compiler. Otherwise, LLVM turns shifts of the
    /// mask into shifts of the vector, bit by bit, which made non-ASCII blocks take twice as long.
    #[inline(always)]
    fn join(low: i32, high: i32) -> u64 {
        let mut mask = u64::from(low as u32) | u64::from(high as u32) << 32;
        // SAFETY: the assembly is a comment.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) mask, options(pure, nomem, nostack, preserves_flags));
        }
        mask
    }
}

impl Simd for Avx2 {
    type Block = [__m256i; 2];
    type Classes = [__m256i; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        // SAFETY: AVX2 is supported; both halves are within `bytes`, and the loads are unaligned.
        unsafe {
            let at = bytes.as_ptr().cast::<__m256i>();
            [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))]
        }
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: AVX2 is supported.
        let half = |half| unsafe {
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8)))
        };
        Self::join(half(block[0]), half(block[1]))
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        // SAFETY: AVX2 is supported.
        let half = |half| unsafe { _mm256_movemask_epi8(half) };
        Self::join(half(block[0]), half(block[1]))
    }

    #[inline(always)]
    fn at_least(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: AVX2 is supported.
        let half = |half| unsafe {
            let limit = _mm256_set1_epi8(byte as i8);
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(half, limit), half))
        };
        Self::join(half(block[0]), half(block[1]))
    }

    /// Eight shuffles of 16 entries each, XORed. A byte in row `r` has a non-negative index in the rows 0 to
    /// `r`, whose differences XOR to its entry. Its index in later rows is negative, and the shuffle yields
    /// 0 for it.
    #[inline(always)]
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes {
        let mut index = block;
        // SAFETY: AVX2 is supported; the rows are within the table.
        unsafe {
            let mut found = [_mm256_setzero_si256(); 2];
            for row in 0..8 {
                let entries = _mm_loadu_si128(table.differences.as_ptr().add(16 * row).cast());
                let entries = _mm256_broadcastsi128_si256(entries);
                for half in 0..2 {
                    let entries = _mm256_shuffle_epi8(entries, index[half]);
                    found[half] = _mm256_xor_si256(found[half], entries);
                    index[half] = _mm256_sub_epi8(index[half], _mm256_set1_epi8(16));
                }
            }
            for half in 0..2 {
                let other = _mm256_cmpgt_epi8(_mm256_setzero_si256(), block[half]);
                found[half] = _mm256_andnot_si256(other, found[half]);
            }
            found
        }
    }

    #[inline(always)]
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8) {
        let at = bytes.as_mut_ptr().cast::<__m256i>();
        // SAFETY: AVX2 is supported; both halves are within `bytes`.
        unsafe {
            let first_factors = _mm256_set1_epi16(0x0100 | i16::from(first_factor));
            let pair_factors = _mm256_set1_epi16(pair_factor.into());
            for half in 0..2 {
                let numbers = _mm256_maddubs_epi16(_mm256_loadu_si256(at.add(half)), first_factors);
                _mm256_storeu_si256(at.add(half), _mm256_mullo_epi16(numbers, pair_factors));
            }
        }
    }

    #[inline(always)]
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        let at = bytes.as_mut_ptr().cast::<__m256i>();
        // SAFETY: AVX2 is supported; both halves are within `bytes`.
        unsafe {
            _mm256_storeu_si256(at, classes[0]);
            _mm256_storeu_si256(at.add(1), classes[1]);
        }
        bytes
    }

    #[inline(always)]
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes {
        self.load(bytes)
    }

    #[inline(always)]
    fn flag(self, classes: Self::Classes, flag: u8) -> u64 {
        // Shifts the flag to the highest bit of its byte, which `movemask` collects. The shift is by at most
        // 7 bits of 16, so the bits that enter from the byte below do not reach the highest.
        let up = shift_count(flag.leading_zeros());
        // SAFETY: AVX2 is supported.
        let half = |half| unsafe { _mm256_movemask_epi8(_mm256_sll_epi16(half, up)) };
        Self::join(half(classes[0]), half(classes[1]))
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
        let rows = numbers.as_chunks::<16>().0.iter().take(count.div_ceil(16));
        // SAFETY: AVX2 is supported; a row has 64 bytes.
        unsafe {
            let mut eight = _mm256_set1_epi32(-1);
            for row in rows {
                let at = row.as_ptr().cast::<__m256i>();
                let two = _mm256_min_epu32(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)));
                eight = _mm256_min_epu32(eight, two);
            }
            let high = _mm256_extracti128_si256::<1>(eight);
            let four = _mm_min_epu32(_mm256_castsi256_si128(eight), high);
            let two = _mm_min_epu32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
            let one = _mm_min_epu32(two, _mm_shuffle_epi32::<0b00_00_00_01>(two));
            _mm_cvtsi128_si32(one) as u32
        }
    }
}

/// Returns a shift count for a vector shift.
#[inline(always)]
fn shift_count(count: u32) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_cvtsi32_si128(count as i32) }
}

/// Proof that the processor supports AVX-512 F, BW and VL, and the instructions of [`Avx2`].
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    #[inline]
    pub(super) fn new() -> Option<Self> {
        static IS_SUPPORTED: LazyLock<bool> = LazyLock::new(|| {
            Avx2::new().is_some()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
        });
        IS_SUPPORTED.then_some(Avx512(()))
    }

    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl")]
        fn with_instructions<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `new` checked that the processor supports the instructions.
        unsafe { with_instructions(self, kernel) }
    }
}

impl Simd for Avx512 {
    type Block = __m512i;
    type Classes = __m512i;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        // SAFETY: AVX-512 is supported; the load has 64 bytes and is unaligned.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: AVX-512 BW is supported.
        unsafe { _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        // SAFETY: AVX-512 BW is supported.
        unsafe { _mm512_movepi8_mask(block) }
    }

    #[inline(always)]
    fn at_least(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: AVX-512 BW is supported.
        unsafe { _mm512_cmpge_epu8_mask(block, _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes {
        // SAFETY: AVX-512 F and BW are supported; the rows are within the table.
        unsafe {
            let mut found = _mm512_setzero_si512();
            let mut index = block;
            for row in 0..8 {
                let entries = _mm_loadu_si128(table.differences.as_ptr().add(16 * row).cast());
                let entries = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), index);
                found = _mm512_xor_si512(found, entries);
                index = _mm512_sub_epi8(index, _mm512_set1_epi8(16));
            }
            _mm512_maskz_mov_epi8(!_mm512_movepi8_mask(block), found)
        }
    }

    #[inline(always)]
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8) {
        let at = bytes.as_mut_ptr().cast::<__m512i>();
        // SAFETY: AVX-512 F and BW are supported; load and store have 64 bytes.
        unsafe {
            let first_factors = _mm512_set1_epi16(0x0100 | i16::from(first_factor));
            let pair_factors = _mm512_set1_epi16(pair_factor.into());
            let numbers = _mm512_maddubs_epi16(_mm512_loadu_si512(at), first_factors);
            _mm512_storeu_si512(at, _mm512_mullo_epi16(numbers, pair_factors));
        }
    }

    #[inline(always)]
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        // SAFETY: AVX-512 is supported; the store has 64 bytes.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), classes) }
        bytes
    }

    #[inline(always)]
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes {
        self.load(bytes)
    }

    #[inline(always)]
    fn flag(self, classes: Self::Classes, flag: u8) -> u64 {
        // SAFETY: AVX-512 BW is supported.
        unsafe { _mm512_test_epi8_mask(classes, _mm512_set1_epi8(flag as i8)) }
    }

    #[inline(always)]
    fn flatten(self, mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
        kernel::flatten_bit_by_bit(mask, base, out)
    }

    #[inline(always)]
    fn which(self, words: &[u128; 2], word: &u128) -> u32 {
        // SAFETY: AVX-512 F and VL are supported; the loads have 32 and 16 bytes.
        let halves = unsafe {
            let words = _mm256_loadu_si256(words.as_ptr().cast());
            let word = _mm_loadu_si128(std::ptr::from_ref(word).cast());
            _mm256_cmpeq_epi64_mask(words, _mm256_broadcastsi128_si256(word))
        };
        // A word is equal if both its halves are. `WORDS` has two result bits for each of the 16 values of
        // `halves`.
        const WORDS: u32 = 0b11_10_10_10_01_00_00_00_01_00_00_00_01_00_00_00;
        WORDS >> (2 * (halves & 15)) & 3
    }

    #[inline(always)]
    fn smallest(self, numbers: &[u32; BLOCK], count: usize) -> u32 {
        let rows = numbers.as_chunks::<16>().0.iter().take(count.div_ceil(16));
        // SAFETY: AVX-512 F is supported; a row has 64 bytes.
        unsafe {
            let sixteen = rows.fold(_mm512_set1_epi32(-1), |sixteen, row| {
                _mm512_min_epu32(sixteen, _mm512_loadu_si512(row.as_ptr().cast()))
            });
            _mm512_reduce_min_epu32(sixteen)
        }
    }
}

/// Proof that the processor supports AVX-512 VBMI and VBMI2, and the instructions of [`Avx512`].
#[derive(Clone, Copy)]
pub(super) struct Avx512Vbmi2(Avx512);

impl Avx512Vbmi2 {
    #[inline]
    pub(super) fn new() -> Option<Self> {
        static IS_SUPPORTED: LazyLock<bool> = LazyLock::new(|| {
            Avx512::new().is_some()
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
        });
        IS_SUPPORTED.then_some(Avx512Vbmi2(Avx512(())))
    }

    #[inline]
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(
            enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2"
        )]
        fn with_instructions<K: Kernel>(simd: Avx512Vbmi2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        // SAFETY: `new` checked that the processor supports the instructions.
        unsafe { with_instructions(self, kernel) }
    }
}

/// 0 to 63.
static NUMBERS: [u8; BLOCK] = {
    let mut numbers = [0; BLOCK];
    let mut n = 0;
    while n < BLOCK {
        numbers[n] = n as u8;
        n += 1;
    }
    numbers
};

impl Simd for Avx512Vbmi2 {
    type Block = __m512i;
    type Classes = __m512i;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        self.0.load(bytes)
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        self.0.equal(block, byte)
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        self.0.non_ascii(block)
    }

    #[inline(always)]
    fn at_least(self, block: Self::Block, byte: u8) -> u64 {
        self.0.at_least(block, byte)
    }

    /// One permutation of 128 entries.
    #[inline(always)]
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes {
        // SAFETY: AVX-512 F, BW and VBMI are supported; both halves of the table have 64 bytes.
        unsafe {
            let low = _mm512_loadu_si512(table.entries.as_ptr().cast());
            let high = _mm512_loadu_si512(table.entries.as_ptr().add(64).cast());
            let ascii = !_mm512_movepi8_mask(block);
            _mm512_maskz_permutex2var_epi8(ascii, low, block, high)
        }
    }

    #[inline(always)]
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8) {
        self.0.number_pairs(bytes, first_factor, pair_factor);
    }

    #[inline(always)]
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK] {
        self.0.store_classes(classes)
    }

    #[inline(always)]
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes {
        self.0.load_classes(bytes)
    }

    #[inline(always)]
    fn flag(self, classes: Self::Classes, flag: u8) -> u64 {
        self.0.flag(classes, flag)
    }

    /// Compresses the indices of the set bits to the front, then widens them eight at a time.
    #[inline(always)]
    fn flatten(self, mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
        let count = mask.count_ones() as usize;
        // SAFETY: AVX-512 VBMI2 is supported. Each iteration writes two groups of eight offsets until `count`
        // are written, so at most 64 of the 72 in `out`, and reads the same groups from the 64 bytes of
        // `numbers`.
        unsafe {
            let all = _mm512_loadu_si512(NUMBERS.as_ptr().cast());
            let mut numbers = [0u8; BLOCK];
            _mm512_storeu_si512(
                numbers.as_mut_ptr().cast(),
                _mm512_maskz_compress_epi8(mask, all),
            );
            let base = _mm512_set1_epi64(base as i64);
            let mut written = 0;
            // Sixteen offsets per iteration: a block of prose typically has about thirteen.
            loop {
                for group in [written, written + 8] {
                    let eight = _mm_loadl_epi64(numbers.as_ptr().add(group % BLOCK).cast());
                    let wide = _mm512_add_epi64(_mm512_cvtepu8_epi64(eight), base);
                    _mm512_storeu_si512(out.as_mut_ptr().add(group).cast(), wide);
                }
                written += 16;
                if written >= count {
                    break;
                }
            }
        }
        count
    }

    #[inline(always)]
    fn which(self, words: &[u128; 2], word: &u128) -> u32 {
        self.0.which(words, word)
    }

    #[inline(always)]
    fn smallest(self, numbers: &[u32; BLOCK], count: usize) -> u32 {
        self.0.smallest(numbers, count)
    }
}

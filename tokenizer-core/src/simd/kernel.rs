//! The traits of vectorized algorithms and of instruction sets.

/// Length of a block in bytes. A mask of a block has one bit per byte.
pub(crate) const BLOCK: usize = 64;

/// A look-up table from ASCII to bytes.
pub(crate) struct AsciiTable {
    pub(super) entries: [u8; 128],
    /// Each row of 16 entries XORed with the previous row.
    #[cfg(target_arch = "x86_64")]
    pub(super) differences: [u8; 128],
}

impl AsciiTable {
    pub(crate) const fn new(entries: [u8; 128]) -> Self {
        AsciiTable {
            entries,
            #[cfg(target_arch = "x86_64")]
            differences: differences(entries),
        }
    }

    /// Returns the entry of `byte`, or `None` if it is not ASCII.
    #[inline(always)]
    pub(crate) fn get(&self, byte: u8) -> Option<&u8> {
        self.entries.get(usize::from(byte))
    }
}

#[cfg(target_arch = "x86_64")]
const fn differences(entries: [u8; 128]) -> [u8; 128] {
    let mut differences = entries;
    let mut at = 16;
    while at < 128 {
        differences[at] ^= entries[at - 16];
        at += 1;
    }
    differences
}

/// An algorithm that is compiled once per instruction set.
pub(crate) trait Kernel {
    type Output;

    /// Runs the algorithm. This function and every function to which it passes `simd` must be
    /// `#[inline(always)]`: code that is not inlined is compiled without the instructions of the set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Length of the output of [`Simd::flatten`]: one offset per bit, and scratch space.
pub(crate) const FLATTEN: usize = BLOCK + 8;

/// The operations of an instruction set. A value of an implementing type proves that the processor supports
/// the instruction set.
///
/// In a mask, bit `n` is about byte `n`.
pub(crate) trait Simd: Copy {
    /// 64 bytes of text.
    type Block: Copy;
    /// 64 class bytes.
    type Classes: Copy;

    /// Loads 64 bytes.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;

    /// Returns the mask of the bytes equal to `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> u64;

    /// Returns the mask of the bytes from 0x80 on.
    fn non_ascii(self, block: Self::Block) -> u64;

    /// Returns the mask of the bytes from `byte` on, which must be at least 0x80.
    fn at_least(self, block: Self::Block, byte: u8) -> u64;

    /// Looks up each byte in `table`. The result for a byte from 0x80 on is 0.
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes;

    /// Replaces each pair of bytes with `(first * first_factor + second) * pair_factor` as a little-endian
    /// `u16`. `first_factor` must be at most 32 and `pair_factor` at most 64. The result is unspecified for a
    /// pair with a byte that is not less than `first_factor`.
    fn number_pairs(self, bytes: &mut [u8; BLOCK], first_factor: u8, pair_factor: u8);

    /// Stores classes to memory.
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK];

    /// Loads classes from memory.
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes;

    /// Returns the mask of the classes that contain `flag`, a single bit.
    fn flag(self, classes: Self::Classes, flag: u8) -> u64;

    /// Compares `word` with each of `words`: bit 0 of the result is set if the first is equal, bit 1 if the
    /// second is.
    fn which(self, words: &[u128; 2], word: &u128) -> u32;

    /// Returns the minimum of the first `count` numbers, with `count` rounded up to a multiple of 16, or
    /// `u32::MAX` if `count` is 0.
    fn smallest(self, numbers: &[u32; BLOCK], count: usize) -> u32;

    /// Writes `base + n` for each set bit `n` of `mask` to the front of `out`, ascending. Returns the number
    /// of set bits. The rest of `out` is unspecified.
    fn flatten(self, mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize;
}

/// [`Simd::smallest`] without vector instructions.
#[inline(always)]
pub(super) fn smallest_one_by_one(numbers: &[u32; BLOCK], count: usize) -> u32 {
    let rows = numbers.as_chunks::<16>().0.iter().take(count.div_ceil(16));
    rows.flatten()
        .fold(u32::MAX, |minimum, &number| minimum.min(number))
}

/// [`Simd::which`] without vector instructions.
#[inline(always)]
pub(super) fn which_word_by_word(words: &[u128; 2], word: &u128) -> u32 {
    u32::from(words[0] == *word) | u32::from(words[1] == *word) << 1
}

/// [`Simd::flatten`] without vector instructions.
#[inline(always)]
pub(super) fn flatten_bit_by_bit(mut mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
    let count = mask.count_ones() as usize;
    // Writes groups of eight, because a branch per group is predictable and a branch per bit is not.
    // The rest of the last group is filled with `base + 64`.
    let mut written = 0;
    while written < count {
        for slot in &mut out[written..written + 8] {
            *slot = base.wrapping_add(mask.trailing_zeros() as usize);
            mask &= mask.wrapping_sub(1);
        }
        written += 8;
    }
    count
}

//! An algorithm over any instruction set, and the operations that it may use.

/// Bytes in a block: one bit each in a mask.
pub(crate) const BLOCK: usize = 64;

/// A byte for each byte of ASCII.
pub(crate) struct AsciiTable {
    pub(super) entries: [u8; 128],
    /// Each row of 16 entries xor the row before it.
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

    /// The entry of a byte, if it is ASCII.
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

/// A function that is compiled once for each instruction set.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;

    /// The function. Marked `#[inline(always)]`, as everything it calls with `simd` must be: code
    /// that is not inlined is compiled without the instructions.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// How many offsets [`Simd::flatten`] may write, with what it writes too much.
pub(crate) const FLATTEN: usize = BLOCK + 8;

/// The operations that depend on the instruction set. A value of the type is the proof that the
/// machine has it.
pub(crate) trait Simd: Copy {
    /// A loaded block.
    type Block: Copy;
    /// A byte for each of a block.
    type Classes: Copy;

    /// Loads 64 bytes.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;

    /// Bit `n` is set where byte `n` is `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> u64;

    /// Bit `n` is set where byte `n` is 0x80 or above.
    fn non_ascii(self, block: Self::Block) -> u64;

    /// Bit `n` is set where byte `n` is `byte` or above. `byte` is 0x80 or above.
    fn at_least(self, block: Self::Block, byte: u8) -> u64;

    /// The entry of a table for each byte; 0 for a byte of 0x80 or above.
    fn look_up(self, block: Self::Block, table: &AsciiTable) -> Self::Classes;

    /// Replaces each two bytes by `(first * firsts + second) * pairs`, 16 bits with the lower half
    /// first. `firsts` is at most 32 and `pairs` at most 64; any number comes of bytes that are not below
    /// `firsts`.
    fn number_pairs(self, bytes: &mut [u8; BLOCK], firsts: u8, pairs: u8);

    /// The classes as bytes.
    fn store_classes(self, classes: Self::Classes) -> [u8; BLOCK];

    /// Classes from bytes.
    fn load_classes(self, bytes: &[u8; BLOCK]) -> Self::Classes;

    /// Bit `n` is set where class `n` has the flag `flag`, one bit.
    fn flag(self, classes: Self::Classes, flag: u8) -> u64;

    /// Which of two words is `word`: bit 0 for the first, bit 1 for the second.
    fn which(self, words: &[u128; 2], word: &u128) -> u32;

    /// The smallest of the first `count` numbers, rounded up to a multiple of 16.
    fn smallest(self, numbers: &[u32; BLOCK], count: usize) -> u32;

    /// Writes `base` plus the number of each set bit, ascending, to the front of `out`, and gives
    /// how many there are. What stands behind them is overwritten with anything.
    fn flatten(self, mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize;
}

/// [`Simd::smallest`] with the instructions that every processor has.
#[inline(always)]
pub(super) fn smallest_one_by_one(numbers: &[u32; BLOCK], count: usize) -> u32 {
    let rows = numbers.as_chunks::<16>().0.iter().take(count.div_ceil(16));
    rows.flatten()
        .fold(u32::MAX, |one, &number| one.min(number))
}

/// [`Simd::which`] with the instructions that every processor has.
#[inline(always)]
pub(super) fn which_word_by_word(words: &[u128; 2], word: &u128) -> u32 {
    u32::from(words[0] == *word) | u32::from(words[1] == *word) << 1
}

/// [`Simd::flatten`] with the instructions that every processor has for single bits.
#[inline(always)]
pub(super) fn flatten_bit_by_bit(mut mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
    let count = mask.count_ones() as usize;
    // Written in groups whether there are so many or not: the loop ends the same way for most
    // blocks of a text, which a branch for each bit would not. Past the last bit it writes
    // `base + 64`.
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

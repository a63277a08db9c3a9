//! The instruction sets: everything that is written for one kind of processor, behind one safe
//! interface.
//!
//! An algorithm that wants to run on whatever the machine has is a `Kernel`: a function over any
//! `Simd`. `Tier::run` compiles it once for each instruction set and enters the copy for the
//! tier that is asked for. The methods of `Simd` are few and plain; `scalar.rs` has each of them
//! in the plainest form, and a test compares every tier with it.
//!
//! With the feature `internals`, the environment variable `TOKENIZER_SIMD` (`scalar`, `avx2`, `avx512`,
//! `avx512vbmi2`, `neon`) forces a tier, if the machine has it: for tests and benches.
//!
//! What is written for one kind of system stands here too (`huge_pages.rs`), and what is written for no
//! kind but takes memory by address (`short_tokens.rs`).

mod huge_pages;
mod scalar;
mod short_tokens;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod x86_64;

use std::fmt;
use std::sync::OnceLock;

pub use huge_pages::advise_huge_pages;
pub(crate) use short_tokens::{SHORT, append_short_tokens};

/// Bytes in a block: one bit each in a mask.
pub(crate) const BLOCK: usize = 64;

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// No vector instructions: the oracle of the others.
    Scalar,
    /// NEON of 64-bit ARM.
    Neon,
    /// AVX2 of x86-64 with BMI2.
    Avx2,
    /// AVX-512 with byte and word instructions (F, BW, VL).
    Avx512,
    /// AVX-512 with VBMI and VBMI2: byte permutation and compression.
    Avx512Vbmi2,
}

impl Tier {
    /// Every tier, slowest first.
    pub const ALL: [Tier; 5] = [
        Tier::Scalar,
        Tier::Neon,
        Tier::Avx2,
        Tier::Avx512,
        Tier::Avx512Vbmi2,
    ];

    /// The name, as the environment variable has it.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Scalar => "scalar",
            Tier::Neon => "neon",
            Tier::Avx2 => "avx2",
            Tier::Avx512 => "avx512",
            Tier::Avx512Vbmi2 => "avx512vbmi2",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Tier::Scalar => true,
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Tier::Neon => aarch64::Neon::new().is_some(),
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx2 => x86_64::Avx2::new().is_some(),
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512 => x86_64::Avx512::new().is_some(),
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512Vbmi2 => x86_64::Avx512Vbmi2::new().is_some(),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The tiers that this machine has, slowest first.
    pub fn available() -> impl Iterator<Item = Tier> {
        Self::ALL.into_iter().filter(|tier| tier.is_available())
    }

    /// The fastest tier that this machine has, or the one that `TOKENIZER_SIMD` names.
    pub fn best() -> Tier {
        static BEST: OnceLock<Tier> = OnceLock::new();
        *BEST.get_or_init(|| {
            let fastest = Self::available().last().unwrap_or(Tier::Scalar);
            #[cfg(any(test, feature = "internals"))]
            if let Ok(wanted) = std::env::var("TOKENIZER_SIMD") {
                let mut available = Self::available();
                return available
                    .find(|tier| tier.name() == wanted)
                    .unwrap_or(fastest);
            }
            fastest
        })
    }

    /// Runs `kernel` with the instructions of this tier, or with none where the machine lacks them.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Tier::Neon => match aarch64::Neon::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(scalar::Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx2 => match x86_64::Avx2::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(scalar::Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512 => match x86_64::Avx512::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(scalar::Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512Vbmi2 => match x86_64::Avx512Vbmi2::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(scalar::Scalar),
            },
            _ => kernel.run(scalar::Scalar),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
    /// The classes of a block of ASCII, ready to be asked.
    type Classes: Copy;

    /// Loads 64 bytes.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;

    /// Bit `n` is set where byte `n` is `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> u64;

    /// Bit `n` is set where byte `n` is 0x80 or above.
    fn non_ascii(self, block: Self::Block) -> u64;

    /// Bit `n` is set where byte `n` is `byte` or above. `byte` is 0x80 or above.
    fn at_least(self, block: Self::Block, byte: u8) -> u64;

    /// The classes of a block by [`crate::unicode::ASCII`]; any class for a byte of 0x80 or above.
    fn ascii_classes(self, block: Self::Block) -> Self::Classes;

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

/// Asks for the cache line of an item that is about to be read. Nothing happens when there is no
/// such item, or on a processor without the instruction.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let item = items.as_ptr().wrapping_add(index);
        // SAFETY: every x86-64 processor has the instruction, which reads nothing that a program
        // can see and never fails, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
    let _ = (items, index);
}

/// The 16 bytes from `start` on, the first in the lowest bits; zeros behind the end of the text.
#[inline(always)]
pub(crate) fn sixteen_bytes(text: &[u8], start: usize) -> u128 {
    // One comparison: what does not depend on `start` is known before a loop.
    if start < text.len().saturating_sub(15) {
        // SAFETY: 16 bytes of `text` begin at `start`. The load needs no alignment.
        let bytes = unsafe { text.as_ptr().add(start).cast::<u128>().read_unaligned() };
        u128::from_le(bytes)
    } else {
        last_bytes(text, start)
    }
}

/// Appends ids four at a time: all four are written with one store, whatever the number that counts.
pub(crate) struct Appender<'v> {
    ids: &'v mut Vec<u32>,
    /// Ids so far: a register, where the length of the vector is memory.
    filled: usize,
    /// There is room for four more ids up to here.
    last: usize,
}

impl<'v> Appender<'v> {
    /// Makes room for `pushes` pushes.
    #[inline(always)]
    pub(crate) fn new(ids: &'v mut Vec<u32>, pushes: usize) -> Self {
        if ids.capacity() - ids.len() < 4 * pushes {
            ids.reserve((4 * pushes).max(ids.len() / 4));
        }
        Appender {
            filled: ids.len(),
            last: ids.len() + 4 * (pushes - 1),
            ids,
        }
    }

    /// Appends the first `count` of four ids, the first in the lowest bits. Does nothing after more
    /// pushes than there is room for.
    #[inline(always)]
    pub(crate) fn push(&mut self, four: u128, count: usize) {
        if self.filled > self.last {
            return;
        }
        // SAFETY: `new` made room for four words at `last`, which is not before `filled`; they need no
        // alignment.
        unsafe {
            let end = self.ids.as_mut_ptr().add(self.filled);
            end.cast::<u128>().write_unaligned(four.to_le());
        }
        self.filled += count.min(4);
    }
}

impl Drop for Appender<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: all words before `filled` are written: each push wrote four and counted at most four.
        unsafe { self.ids.set_len(self.filled) }
    }
}

/// [`sixteen_bytes`] in the plainest form.
#[cold]
fn last_bytes(text: &[u8], start: usize) -> u128 {
    let rest = text.get(start..).unwrap_or_default();
    let mut bytes = [0; 16];
    let some = rest.len().min(16);
    bytes[..some].copy_from_slice(&rest[..some]);
    u128::from_le_bytes(bytes)
}

/// [`Simd::smallest`] with the instructions that every processor has.
#[inline(always)]
fn smallest_one_by_one(numbers: &[u32; BLOCK], count: usize) -> u32 {
    let rows = numbers.as_chunks::<16>().0.iter().take(count.div_ceil(16));
    rows.flatten()
        .fold(u32::MAX, |one, &number| one.min(number))
}

/// [`Simd::which`] with the instructions that every processor has.
#[inline(always)]
fn which_word_by_word(words: &[u128; 2], word: &u128) -> u32 {
    u32::from(words[0] == *word) | u32::from(words[1] == *word) << 1
}

/// [`Simd::flatten`] with the instructions that every processor has for single bits.
#[inline(always)]
fn flatten_bit_by_bit(mut mask: u64, base: usize, out: &mut [usize; FLATTEN]) -> usize {
    let count = mask.count_ones() as usize;
    // Written in groups whether there are so many or not: the loop ends the same way for most
    // blocks of a text, which a branch for each bit would not. Past the last bit it writes
    // `base + 64`.
    let mut written = 0;
    while written < count {
        for slot in &mut out[written..written + 8] {
            *slot = base + mask.trailing_zeros() as usize;
            mask &= mask.wrapping_sub(1);
        }
        written += 8;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unicode::ASCII;
    use proptest::prelude::*;

    /// Everything that a tier says about a block.
    struct Everything<'b>(&'b [u8; BLOCK], &'b [u8; BLOCK], u64);

    impl Kernel for Everything<'_> {
        type Output = (Vec<u64>, Vec<usize>, Vec<u8>);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let Everything(bytes, classes, mask) = self;
            let block = simd.load(bytes);
            let ascii = simd.ascii_classes(block);
            let mut masks = vec![simd.non_ascii(block)];
            for byte in [b' ', b'\'', b'/', 0x00, 0xE2] {
                masks.push(simd.equal(block, byte));
            }
            for byte in [0x90, 0xA0, 0xC0, 0xC2, 0xE0, 0xF0, 0xF5] {
                masks.push(simd.at_least(block, byte));
            }
            let non_ascii = simd.non_ascii(block);
            for bit in 0..8 {
                masks.push(simd.flag(ascii, 1 << bit) & !non_ascii);
                masks.push(simd.flag(simd.load_classes(classes), 1 << bit));
            }
            let mut stored = simd.store_classes(ascii);
            for (at, class) in stored.iter_mut().enumerate() {
                if bytes[at] >= 0x80 {
                    *class = 0;
                }
            }
            let numbers: Vec<u32> = (bytes.iter().zip(classes))
                .map(|(&byte, &class)| u32::from_le_bytes([class, byte, byte, byte]))
                .collect();
            let numbers = numbers.try_into().expect("a block of them");
            masks.extend((0..=BLOCK).map(|count| u64::from(simd.smallest(&numbers, count))));
            let word = |low: u8, high: u8| u128::from(low) << 3 | u128::from(high) << 70;
            let words = [
                word(bytes[0] & 3, bytes[1] & 1),
                word(bytes[2] & 3, bytes[3] & 1),
            ];
            for low in 0..4 {
                for high in 0..2 {
                    masks.push(simd.which(&words, &word(low, high)).into());
                }
            }
            let mut out = [0; FLATTEN];
            let count = simd.flatten(mask, 1000, &mut out);
            (masks, out[..count].to_vec(), stored.to_vec())
        }
    }

    proptest! {
        #[test]
        fn every_tier_says_what_the_scalar_one_says(
            bytes in prop::array::uniform32(any::<(u8, u8)>()),
            classes in prop::array::uniform32(any::<(u8, u8)>()),
            mask in prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), (0u32..64).prop_map(|n| 1 << n)],
            ascii in any::<bool>(),
        ) {
            let flat = |pairs: [(u8, u8); 32]| -> [u8; BLOCK] {
                std::array::from_fn(|n| if n % 2 == 0 { pairs[n / 2].0 } else { pairs[n / 2].1 })
            };
            let bytes = flat(bytes).map(|b| if ascii { b & 0x7F } else { b });
            let classes = flat(classes);
            let everything = || Everything(&bytes, &classes, mask);
            let want = Tier::Scalar.run(everything());
            for tier in Tier::available() {
                prop_assert_eq!(&tier.run(everything()), &want, "{}", tier);
            }
        }
    }

    #[test]
    fn sixteen_bytes_end_with_the_text() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            for start in 0..=length + 1 {
                let text = text[..length].to_vec();
                assert_eq!(sixteen_bytes(&text, start), last_bytes(&text, start));
            }
        }
        assert_eq!(last_bytes(&[1, 2, 3], 1), 0x0302);
    }

    #[test]
    fn every_ascii_byte_has_its_class_in_every_tier() {
        for tier in Tier::available() {
            for half in [0, 64] {
                let bytes: [u8; BLOCK] = std::array::from_fn(|n| (half + n) as u8);
                let (_, _, classes) = tier.run(Everything(&bytes, &bytes, 0));
                assert_eq!(classes, ASCII[half..half + 64], "{tier}");
            }
        }
    }

    #[test]
    fn tiers_that_the_machine_lacks_run_without_instructions() {
        let bytes = [b'a'; BLOCK];
        for tier in Tier::ALL {
            let (masks, offsets, _) = tier.run(Everything(&bytes, &bytes, 5));
            assert_eq!((masks[0], offsets), (0, vec![1000, 1002]), "{tier}");
        }
        assert!(Tier::best().is_available());
    }
}

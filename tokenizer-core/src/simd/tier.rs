//! Run-time selection of an instruction set.

use std::fmt;
use std::sync::OnceLock;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use super::aarch64;
use super::kernel::Kernel;
use super::scalar::Scalar;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use super::x86_64;

/// An instruction set. Tiers are ordered from slowest to fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// No vector instructions: the oracle of the other tiers.
    Scalar,
    /// NEON of 64-bit ARM.
    Neon,
    /// AVX2 of x86-64, with BMI1, BMI2, LZCNT and POPCNT.
    Avx2,
    /// AVX-512 with byte and word instructions (F, BW, VL).
    Avx512,
    /// AVX-512 with VBMI and VBMI2: byte permutation and compression.
    Avx512Vbmi2,
}

impl Tier {
    /// All tiers, slowest first.
    pub const ALL: [Tier; 5] = [
        Tier::Scalar,
        Tier::Neon,
        Tier::Avx2,
        Tier::Avx512,
        Tier::Avx512Vbmi2,
    ];

    /// Returns the name that the environment variable `TOKENIZER_SIMD` uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Scalar => "scalar",
            Tier::Neon => "neon",
            Tier::Avx2 => "avx2",
            Tier::Avx512 => "avx512",
            Tier::Avx512Vbmi2 => "avx512vbmi2",
        }
    }

    /// Returns whether this processor supports the tier.
    #[must_use]
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

    /// Returns the tiers that this processor supports, slowest first.
    pub fn available() -> impl Iterator<Item = Tier> {
        Self::ALL.into_iter().filter(|tier| tier.is_available())
    }

    /// Returns the fastest supported tier. With the feature `internals`, the environment variable
    /// `TOKENIZER_SIMD` selects another supported one.
    #[must_use]
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

    /// Runs `kernel` with the instructions of this tier, or on the scalar tier if this tier is not supported.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Tier::Neon => match aarch64::Neon::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx2 => match x86_64::Avx2::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512 => match x86_64::Avx512::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(Scalar),
            },
            #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
            Tier::Avx512Vbmi2 => match x86_64::Avx512Vbmi2::new() {
                Some(simd) => simd.run(kernel),
                None => kernel.run(Scalar),
            },
            _ => kernel.run(Scalar),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{BLOCK, FLATTEN, Simd};
    use crate::unicode::ASCII;
    use proptest::prelude::*;

    /// Runs all operations on a block of text bytes, a block of classes, and a mask for `flatten`.
    struct Everything<'b>(&'b [u8; BLOCK], &'b [u8; BLOCK], u64);

    impl Kernel for Everything<'_> {
        type Output = (Vec<u64>, Vec<usize>, Vec<u8>);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let Everything(bytes, classes, mask) = self;
            let block = simd.load(bytes);
            let ascii = simd.look_up(block, &ASCII);
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
            let mut stored = simd.store_classes(ascii).to_vec();
            let mut numbers = bytes.map(|byte| byte % 29);
            simd.number_pairs(&mut numbers, 29, 61);
            stored.extend(numbers);
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
            (masks, out[..count].to_vec(), stored)
        }
    }

    proptest! {
        #[test]
        fn every_tier_agrees_with_the_scalar_tier(
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
    fn every_tier_looks_up_every_ascii_byte() {
        for tier in Tier::available() {
            for half in [0, 64] {
                let bytes: [u8; BLOCK] = std::array::from_fn(|n| (half + n) as u8);
                let (_, _, classes) = tier.run(Everything(&bytes, &bytes, 0));
                let want = bytes.map(|byte| *ASCII.get(byte).expect("ASCII"));
                assert_eq!(classes[..BLOCK], want, "{tier}");
            }
        }
    }

    #[test]
    fn unsupported_tiers_fall_back_to_scalar() {
        let bytes = [b'a'; BLOCK];
        for tier in Tier::ALL {
            let (masks, offsets, _) = tier.run(Everything(&bytes, &bytes, 5));
            assert_eq!((masks[0], offsets), (0, vec![1000, 1002]), "{tier}");
        }
        assert!(Tier::best().is_available());
    }
}

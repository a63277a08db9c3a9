//! 128-bit keys of pieces, and the hash functions of all tables.
//!
//! The key of a piece of up to 15 bytes is the bytes themselves, with the length in the top byte: one
//! 16-byte load, one integer comparison. The key of a longer piece is a 64-bit hash and the length, so the
//! bytes of two long pieces with equal keys must still be compared.
//!
//! The hash is a folded multiplication with random seeds (the two halves of a 128-bit product, XORed, as in
//! wyhash), so that a text cannot be crafted to make its pieces collide.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::simd::sixteen_bytes;

/// The key of a piece; see the module documentation. Never zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u128);

/// Maximum length in bytes of a piece whose key contains its bytes.
pub(crate) const INLINE: usize = 15;

/// 2^64 divided by the golden ratio: the multiplier of Fibonacci hashing (Knuth), for keys that an attacker
/// cannot choose.
pub(crate) const FIBONACCI: u64 = 0x9E37_79B9_7F4A_7C15;

/// Lowest bit of the length in the key of a short piece. From this bit on, the key of a long piece is zero.
const LENGTH: u32 = 120;

/// Lowest bit of the length in the key of a long piece, above its hash.
const LONG_LENGTH: u32 = 64;

/// Random seeds of the hash. Tables that are merged with each other share them.
#[derive(Clone, Copy)]
pub(crate) struct Seeds {
    low: u64,
    high: u64,
}

impl Seeds {
    pub(crate) fn new() -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Seeds {
            low: random(),
            high: random(),
        }
    }

    /// Returns the key of the piece `text[start..end]`, which must not be empty.
    #[inline(always)]
    pub(crate) fn key(self, text: &[u8], start: usize, end: usize) -> Key {
        let length = end - start;
        match Key::short(text, start, length) {
            Some(key) => key,
            None => self.long_key(&text[start..end]),
        }
    }

    /// Returns the key of a piece of more than 15 bytes.
    #[inline(never)]
    pub(crate) fn long_key(self, piece: &[u8]) -> Key {
        let mut hash = u128::from(self.hash(Key(piece.len() as u128)));
        // The last block may overlap the one before it.
        for start in (0..piece.len() - 16).step_by(16).chain([piece.len() - 16]) {
            hash = u128::from(self.hash(Key(sixteen_bytes(piece, start) ^ hash)));
        }
        // No piece has 2^56 bytes.
        Key((piece.len() as u128) << LONG_LENGTH | hash)
    }

    #[inline(always)]
    pub(crate) fn hash(self, key: Key) -> u64 {
        let low = key.0 as u64 ^ self.low;
        let high = (key.0 >> 64) as u64 ^ self.high;
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Seeds::new()
    }
}

/// Makes `Seeds` usable with the maps of `hashbrown` and of the standard library.
impl BuildHasher for Seeds {
    type Hasher = BlockHasher;

    fn build_hasher(&self) -> BlockHasher {
        let (seeds, hash) = (*self, 0);
        BlockHasher { seeds, hash }
    }
}

/// Chains [`Seeds::hash`] over blocks of 16 bytes.
pub(crate) struct BlockHasher {
    seeds: Seeds,
    hash: u64,
}

impl BlockHasher {
    #[inline]
    fn add(&mut self, block: u128) {
        self.hash = self.seeds.hash(Key(block ^ u128::from(self.hash)));
    }
}

impl Hasher for BlockHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u128);
        let (blocks, rest) = bytes.as_chunks();
        for &block in blocks {
            self.add(u128::from_le_bytes(block));
        }
        if !rest.is_empty() {
            self.add(partial_block(rest));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u128);
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Packs up to 16 bytes into an integer: the first and the last eight bytes, which may overlap; of fewer than
/// eight bytes, the first and the last four; of fewer than four, all. Injective for a given length.
#[inline]
fn partial_block(bytes: &[u8]) -> u128 {
    if let (Some(&first), Some(&last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u128::from(u64::from_le_bytes(first)) | u128::from(u64::from_le_bytes(last)) << 64
    } else if let (Some(&first), Some(&last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u128::from(u32::from_le_bytes(first)) | u128::from(u32::from_le_bytes(last)) << 64
    } else {
        bytes
            .iter()
            .fold(0, |all, &byte| all << 8 | u128::from(byte))
    }
}

/// `PREFIX_MASKS[n]` selects the first `n` bytes of a 16-byte load.
static PREFIX_MASKS: [u128; INLINE + 1] = {
    let mut masks = [0; INLINE + 1];
    let mut length = 1;
    while length <= INLINE {
        masks[length] = masks[length - 1] << 8 | 0xFF;
        length += 1;
    }
    masks
};

impl Key {
    /// Returns the key of the piece of `length` bytes at `start`, or `None` if it has more than 15.
    #[inline(always)]
    pub(crate) fn short(text: &[u8], start: usize, length: usize) -> Option<Key> {
        let mask = PREFIX_MASKS.get(length)?;
        Some(Key(
            sixteen_bytes(text, start) & mask | (length as u128) << LENGTH
        ))
    }

    /// Returns whether this is the key of a piece of more than 15 bytes.
    #[inline(always)]
    pub(crate) fn is_long(self) -> bool {
        self.0 >> LENGTH == 0
    }

    /// Returns the length of the piece in bytes.
    pub(crate) fn length(self) -> usize {
        match self.is_long() {
            true => (self.0 >> LONG_LENGTH) as usize,
            false => (self.0 >> LENGTH) as usize,
        }
    }
}

/// A polynomial hash modulo 2^64 with a random odd base, as in Rabin-Karp. The hash of a concatenation is
/// computed from the two hashes and the length of the second string: in constant time up to 255 bytes, in
/// logarithmic time above. A byte counts as its value plus 1, so that leading zero bytes change the hash.
#[derive(Clone)]
pub(crate) struct JoinHash {
    /// `powers[n]` is the base to the power `n`.
    powers: [u64; 256],
    /// The first 16 powers in descending order, then 16 zeros. `factors[16 - n..]` are the factors for the
    /// bytes of a 16-byte load if only the first `n` are hashed.
    factors: [u64; 32],
}

impl JoinHash {
    pub(crate) fn new() -> Self {
        let base = RandomState::new().build_hasher().finish() | 1;
        let mut powers = [1; 256];
        for n in 1..powers.len() {
            powers[n] = base.wrapping_mul(powers[n - 1]);
        }
        let mut factors = [0; 32];
        for (factor, power) in factors[..16].iter_mut().rev().zip(powers) {
            *factor = power;
        }
        JoinHash { powers, factors }
    }

    /// Returns the hash of `text[at..at + length]`. For up to 16 bytes, the loops have a fixed number of
    /// steps, so that the compiler vectorizes them.
    #[inline(always)]
    pub(crate) fn of_range(&self, text: &[u8], at: usize, length: usize) -> u64 {
        match self.factors.get(16_usize.wrapping_sub(length)..) {
            Some(factors) if length <= 16 => {
                let bytes = sixteen_bytes(text, at).to_le_bytes();
                let sum = |half: std::ops::Range<usize>| {
                    let products = bytes[half.clone()].iter().zip(&factors[half]);
                    let products =
                        products.map(|(&byte, &factor)| factor.wrapping_mul(1 + u64::from(byte)));
                    products.fold(0, u64::wrapping_add)
                };
                let first = sum(0..8);
                match length {
                    0..=8 => first,
                    _ => first.wrapping_add(sum(8..16)),
                }
            }
            _ => self.of(&text[at..at + length]),
        }
    }

    /// Returns the hash of `bytes`. The products are summed independently of each other: Horner's rule would
    /// be a chain of dependent multiplications.
    #[inline]
    pub(crate) fn of(&self, bytes: &[u8]) -> u64 {
        bytes.chunks(self.powers.len()).fold(0, |hash, chunk| {
            let powers = self.powers[..chunk.len()].iter().rev();
            let products = chunk.iter().zip(powers);
            let products = products.map(|(&byte, power)| power.wrapping_mul(1 + u64::from(byte)));
            let chunk_hash = products.fold(0, u64::wrapping_add);
            self.join(hash, chunk_hash, chunk.len())
        })
    }

    /// Returns the hash of the concatenation of two strings with these hashes. `length` is the length of the
    /// second string in bytes.
    #[inline(always)]
    pub(crate) fn join(&self, left: u64, right: u64, length: usize) -> u64 {
        let power = match self.powers.get(length) {
            Some(&power) => power,
            None => self.power(length),
        };
        left.wrapping_mul(power).wrapping_add(right)
    }

    /// Returns the base to a power beyond `powers`, by repeated squaring of the highest power there.
    #[cold]
    fn power(&self, exponent: usize) -> u64 {
        let highest = self.powers.len() - 1;
        let mut power = self.powers[exponent % highest];
        let mut square = self.powers[highest];
        let mut bits = exponent / highest;
        while bits > 0 {
            if bits & 1 == 1 {
                power = power.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            bits >>= 1;
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_contain_the_length() {
        let seeds = Seeds::new();
        let text: Vec<u8> = (0..=255).cycle().take(600).collect();
        for start in [0, 7, 580] {
            for end in start + 1..text.len() {
                let key = seeds.key(&text, start, end);
                assert_eq!(key.length(), end - start);
                assert_eq!(key.is_long(), end - start > INLINE);
                assert!(key.0 != 0);
                let alone = text[start..end].to_vec();
                assert!(seeds.key(&alone, 0, alone.len()) == key);
                assert_eq!(
                    seeds.hash(key),
                    seeds.hash(seeds.key(&alone, 0, alone.len()))
                );
            }
        }
    }

    #[test]
    fn trailing_zeros_change_the_key() {
        let seeds = Seeds::new();
        let text = [b'a', 0, 0, 0];
        let keys: Vec<_> = (1..=4).map(|end| seeds.key(&text, 0, end).0).collect();
        assert!(keys.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn every_byte_of_a_long_piece_changes_the_key() {
        let seeds = Seeds::new();
        let text: Vec<u8> = (0..100).collect();
        for length in 16..100 {
            let key = seeds.key(&text, 0, length);
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(seeds.key(&other, 0, length) != key, "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn every_byte_and_the_length_change_the_hash() {
        let seeds = Seeds::new();
        let text: Vec<u8> = (0..40).collect();
        let mut hashes = std::collections::HashSet::new();
        for length in 0..=text.len() {
            assert!(hashes.insert(seeds.hash_one(&text[..length])));
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(hashes.insert(seeds.hash_one(&other[..length])));
            }
        }
        assert!(
            [b"a\0".as_slice(), b"a"].map(|bytes| hashes.insert(seeds.hash_one(bytes)))
                == [true; 2]
        );
        assert_ne!(seeds.hash_one(("ab", "c")), seeds.hash_one(("a", "bc")));
        assert_ne!(
            seeds.hash_one((1_u32, 2_u32)),
            seeds.hash_one((2_u32, 1_u32))
        );
    }

    #[test]
    fn the_hash_of_a_concatenation_equals_the_joined_hash() {
        let hash = JoinHash::new();
        let text: Vec<u8> = (0..2000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for (left, right) in [(0, 1), (1, 2), (3, 255), (10, 256), (500, 1500), (7, 1021)] {
            let (left, right) = (&text[..left], &text[left..left + right]);
            let joined = hash.join(hash.of(left), hash.of(right), right.len());
            assert_eq!(joined, hash.of(&[left, right].concat()));
        }
        assert_ne!(hash.of(b"\0a"), hash.of(b"a"));
        for (at, length) in [
            (0, 0),
            (5, 1),
            (9, 15),
            (1, 16),
            (3, 17),
            (1999, 1),
            (1990, 10),
        ] {
            assert_eq!(
                hash.of_range(&text, at, length),
                hash.of(&text[at..at + length])
            );
        }
    }
}

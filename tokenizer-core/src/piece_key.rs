//! Keys of pieces: what a table of pieces hashes and compares.
//!
//! A piece of up to 15 bytes *is* its key (its bytes, and its length above them), so it is hashed
//! from one load and compared in two words, and nothing else is read. A longer piece has its hash
//! and its length for a key, and who finds an equal key compares the bytes too.

use ahash::RandomState;

/// See the module. Zero is the key of no piece: a piece has a length.
///
/// Only the lowest 124 bits are used; a table may keep something in the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u128);

/// Bytes of a piece that is its own key.
pub(crate) const INLINE: usize = 15;

/// Where the length of a short piece stands; that of a long piece, which is at least 16, stands
/// below, and this is zero.
const LENGTH: u32 = 120;

/// Where the length of a long piece stands, above its hash.
const LONG_LENGTH: u32 = 64;

/// What hashes depend on: the same for all tables that are to be merged, and not to be guessed by
/// who writes the text.
#[derive(Clone)]
pub(crate) struct Seeds {
    low: u64,
    high: u64,
    long: RandomState,
}

impl Seeds {
    pub(crate) fn new() -> Self {
        let long = RandomState::new();
        Seeds {
            low: long.hash_one(1u64),
            high: long.hash_one(2u64),
            long,
        }
    }

    /// The key of the piece that is `text[start..end]`, which is not empty.
    #[inline(always)]
    pub(crate) fn key(&self, text: &[u8], start: usize, end: usize) -> Key {
        let length = end - start;
        if length > INLINE {
            return self.long_key(&text[start..end]);
        }
        Key(head(text, start) & HEADS[length] | (length as u128) << LENGTH)
    }

    /// As [`Seeds::key`] of a piece of up to 15 bytes. Of a longer one the first 15, marked as such:
    /// the key of no piece.
    #[inline(always)]
    pub(crate) fn head_key(&self, text: &[u8], start: usize, end: usize) -> Key {
        let length = (end - start).min(INLINE + 1);
        Key(head(text, start) & HEADS[length] | (length as u128) << LENGTH)
    }

    #[inline(never)]
    fn long_key(&self, piece: &[u8]) -> Key {
        let hash = u128::from(self.long.hash_one(piece));
        // A length of 2^56 does not come up.
        Key((piece.len() as u128) << LONG_LENGTH | hash)
    }

    /// A folded multiplication of the two halves.
    #[inline(always)]
    pub(crate) fn hash(&self, key: Key) -> u64 {
        let low = key.0 as u64 ^ self.low;
        let high = (key.0 >> 64) as u64 ^ self.high;
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The 16 bytes from `start` on; zeros where the text is at its end.
#[inline(always)]
fn head(text: &[u8], start: usize) -> u128 {
    let rest = &text[start..];
    match rest.first_chunk::<16>() {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => last_bytes(rest),
    }
}

#[cold]
fn last_bytes(rest: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(bytes)
}

/// The bits of so many bytes, but for the last entry, which is that of 15 too.
static HEADS: [u128; INLINE + 2] = {
    let mut heads = [0; INLINE + 2];
    let mut length = 1;
    while length <= INLINE {
        heads[length] = heads[length - 1] << 8 | 0xFF;
        length += 1;
    }
    heads[INLINE + 1] = heads[INLINE];
    heads
};

impl Key {
    /// Whether the bytes of the piece stand elsewhere.
    #[inline(always)]
    pub(crate) fn is_long(self) -> bool {
        self.0 >> LENGTH == 0
    }

    /// Whether this is but the head of a longer piece: see [`Seeds::head_key`].
    #[inline(always)]
    pub(crate) fn is_head(self) -> bool {
        self.0 >> LENGTH > INLINE as u128
    }

    /// Bytes of the piece.
    pub(crate) fn length(self) -> usize {
        match self.is_long() {
            true => (self.0 >> LONG_LENGTH) as usize,
            false => (self.0 >> LENGTH) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_its_length() {
        let seeds = Seeds::new();
        let text: Vec<u8> = (0..=255).cycle().take(600).collect();
        for start in [0, 7, 580] {
            for end in start + 1..text.len() {
                let key = seeds.key(&text, start, end);
                assert_eq!(key.length(), end - start);
                assert_eq!(key.is_long(), end - start > INLINE);
                assert!(key.0 != 0 && key.0 >> 124 == 0);
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
    fn zeros_at_the_end_are_part_of_a_piece() {
        let seeds = Seeds::new();
        let text = [b'a', 0, 0, 0];
        let keys: Vec<_> = (1..=4).map(|end| seeds.key(&text, 0, end).0).collect();
        assert!(keys.windows(2).all(|two| two[0] != two[1]));
    }
}

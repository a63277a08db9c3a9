//! Keys of pieces: what a table of pieces hashes and compares.
//!
//! A piece of up to 15 bytes *is* its key (its bytes, and its length above them), so it is hashed
//! from one load and compared in two words, and nothing else is read. A longer piece has its hash
//! and its length for a key, and who finds an equal key compares the bytes too.

use ahash::RandomState;

use crate::arch::sixteen_bytes;

/// See the module. Zero is the key of no piece: a piece has a length.
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
    short: ShortSeeds,
    long: RandomState,
}

/// What the hashes of keys depend on.
#[derive(Clone, Copy)]
pub(crate) struct ShortSeeds {
    low: u64,
    high: u64,
}

impl Seeds {
    pub(crate) fn new() -> Self {
        let long = RandomState::new();
        let short = ShortSeeds {
            low: long.hash_one(1u64),
            high: long.hash_one(2u64),
        };
        Seeds { short, long }
    }

    /// The key of the piece that is `text[start..end]`, which is not empty.
    #[inline(always)]
    pub(crate) fn key(&self, text: &[u8], start: usize, end: usize) -> Key {
        let length = end - start;
        if length > INLINE {
            return self.long_key(&text[start..end]);
        }
        Key(sixteen_bytes(text, start) & HEADS[length] | (length as u128) << LENGTH)
    }

    #[inline(never)]
    fn long_key(&self, piece: &[u8]) -> Key {
        let hash = u128::from(self.long.hash_one(piece));
        // A length of 2^56 does not come up.
        Key((piece.len() as u128) << LONG_LENGTH | hash)
    }

    #[inline(always)]
    pub(crate) fn hash(&self, key: Key) -> u64 {
        self.short.hash(key)
    }

    #[inline(always)]
    pub(crate) fn short(&self) -> ShortSeeds {
        self.short
    }
}

impl ShortSeeds {
    /// A folded multiplication of the two halves.
    #[inline(always)]
    pub(crate) fn hash(self, key: Key) -> u64 {
        let low = key.0 as u64 ^ self.low;
        let high = (key.0 >> 64) as u64 ^ self.high;
        let product = u128::from(low) * u128::from(high);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The longest of which the key of a head tells the length.
const LONGEST_HEAD: usize = 127;

/// The bits of so many bytes, but of no more than 15.
static HEADS: [u128; LONGEST_HEAD + 1] = {
    let mut heads = [0; LONGEST_HEAD + 1];
    let mut length = 1;
    while length < heads.len() {
        heads[length] = match length <= INLINE {
            true => heads[length - 1] << 8 | 0xFF,
            false => heads[INLINE],
        };
        length += 1;
    }
    heads
};

impl Key {
    /// The key of the piece that is `text[start..end]`, as [`Seeds::key`] has it, if it has up to 15
    /// bytes. Of a longer one the first 15, with its length up to 127: the key of no piece.
    #[inline(always)]
    pub(crate) fn of_head(text: &[u8], start: usize, end: usize) -> Key {
        let length = (end - start).min(LONGEST_HEAD);
        Key(sixteen_bytes(text, start) & HEADS[length] | (length as u128) << LENGTH)
    }

    /// Whether the bytes of the piece stand elsewhere.
    #[inline(always)]
    pub(crate) fn is_long(self) -> bool {
        self.0 >> LENGTH == 0
    }

    /// Whether this is but the head of a longer piece: see [`Key::of_head`].
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
                assert!(key.0 != 0 && !key.is_head());
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
    fn heads_of_one_byte_many_times_differ_by_their_lengths() {
        let text = [b'-'; 200];
        let key = |length| Key::of_head(&text, 10, 10 + length);
        for length in 1..LONGEST_HEAD {
            assert!(key(length) != key(length + 1), "{length}");
            assert_eq!(key(length).is_head(), length > INLINE);
        }
        assert!(key(LONGEST_HEAD) == key(LONGEST_HEAD + 1));
    }

    #[test]
    fn zeros_at_the_end_are_part_of_a_piece() {
        let seeds = Seeds::new();
        let text = [b'a', 0, 0, 0];
        let keys: Vec<_> = (1..=4).map(|end| seeds.key(&text, 0, end).0).collect();
        assert!(keys.windows(2).all(|two| two[0] != two[1]));
    }
}

//! Whether some bytes may be a token.
//!
//! Three of four questions whether some bytes are a token are answered with no (of one word of random
//! letters; half of them in text of many scripts), and to say so takes a look into the vocabulary's
//! index, which is larger than the caches that are near. Here each token has a bit, at a hash of its
//! first four bytes, its last four, and its length. Whose bit is not set is no token; of those whose
//! bit is set, one in ten is none.
//!
//! **Cost.** Sixteen to 32 bits a token (256 KiB for 100,000), and a look at each token to set them:
//! half a millisecond. So it is made when a thread has asked some thousand times.
//!
//! **What was before it:** the length of the longest token that begins with certain four bytes. Four of
//! ten questions passed that, three of ten pass this. With this and fewer places for pairs
//! (`pair_ranks.rs`) one word of random letters is encoded 1.2 times as fast, and many scripts 1.03 to
//! 1.05. Eight bits a token were slower by a twentieth, 64 no faster.

use crate::vocab::Vocab;

/// See the module.
pub(super) struct TokenFilter {
    bits: Vec<u64>,
    /// How far a hash is shifted down to be the number of a bit.
    shift: u32,
}

/// What is shorter is not asked for here: it may be a token.
const SHORTEST: usize = 3;

impl TokenFilter {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let places = (16 * vocab.len()).next_power_of_two().max(64);
        let mut filter = TokenFilter {
            bits: vec![0; places / 64],
            shift: 64 - places.trailing_zeros(),
        };
        for (_, token) in vocab.iter().filter(|(_, token)| token.len() >= SHORTEST) {
            let place = filter.place(token);
            filter.bits[place / 64] |= 1 << (place % 64);
        }
        filter
    }

    /// Where the bit of these bytes is: three at least.
    #[inline(always)]
    fn place(&self, bytes: &[u8]) -> usize {
        let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(&first), Some(&last)) => (u32::from_le_bytes(first), u32::from_le_bytes(last)),
            _ => {
                let three = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                (three, three)
            }
        };
        let all = (u64::from(first) << 32 | u64::from(last)) ^ (bytes.len() as u64) << 27;
        // Multiplied by the fraction of the golden ratio, as Knuth has it.
        (all.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// Whether these bytes may be a token: no means no.
    #[inline(always)]
    pub(super) fn may_be_token(&self, bytes: &[u8]) -> bool {
        if bytes.len() < SHORTEST {
            return true;
        }
        let place = self.place(bytes);
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Repeats;

    #[test]
    fn every_token_may_be_one_and_little_else() {
        let letters = |number: u32, length: usize| -> Vec<u8> {
            let mix = |place| u64::from(number + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> place;
            (0..length)
                .map(|at| b'a' + (mix(4 * at) % 16) as u8)
                .collect()
        };
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let long = [vec![b'x'; 300], vec![b'x'; 301]];
        let mut tokens: Vec<Vec<u8>> = bytes.chain(long).collect();
        tokens.extend((0..4000).map(|number| letters(number, 2 + number as usize % 11)));
        tokens.sort();
        tokens.dedup();
        let ids = (0..).zip(tokens.iter().map(Vec::as_slice));
        let vocab = Vocab::new(ids, Repeats::Refuse).unwrap();
        let filter = TokenFilter::new(&vocab);
        assert!(vocab.iter().all(|(_, token)| filter.may_be_token(token)));
        assert!(filter.may_be_token(b"qq"));
        let others = (10_000..20_000).map(|number| letters(number, 5 + number as usize % 9));
        let passed = others.filter(|other| filter.may_be_token(other)).count();
        assert!(passed < 1500, "{passed} of 10000");
        assert!(!filter.may_be_token(&[b'x'; 299]));
    }
}

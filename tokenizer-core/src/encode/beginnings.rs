//! How long a token may be that begins with given bytes.
//!
//! Most questions whether some bytes are a token are answered with no, and to say so takes a look
//! into the vocabulary's index, which is larger than the caches that are near. Here stands, by a hash
//! of four bytes, the length of the longest token that begins with them: what is longer is none. Of
//! three bytes a bit tells whether there may be a token of just these.
//!
//! **Cost.** 160 KiB, and a look at each token to fill them: half a millisecond for 100,000. So it is
//! made when a thread has asked some thousand times.

use crate::vocab::Vocab;

/// See the module.
pub(super) struct Beginnings {
    /// Up to 255, which means any length.
    longest: Vec<u8>,
    threes: Vec<u64>,
}

/// A power of two: most tokens of a large vocabulary have a place of their own.
const PLACES: usize = 1 << 17;

/// Bits.
const THREES: usize = 1 << 18;

impl Beginnings {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut longest = vec![0; PLACES];
        let mut threes = vec![0; THREES / 64];
        for (_, token) in vocab.iter() {
            if let &[first, second, third] = token {
                let place = hash([first, second, third, 0], THREES);
                threes[place / 64] |= 1 << (place % 64);
            }
            if let Some(&first) = token.first_chunk() {
                let longest = &mut longest[hash(first, PLACES)];
                *longest = (*longest).max(u8::try_from(token.len()).unwrap_or(u8::MAX));
            }
        }
        Beginnings { longest, threes }
    }

    /// Whether these bytes may be a token. Of fewer than three nothing is known.
    #[inline(always)]
    pub(super) fn may_be_token(&self, bytes: &[u8]) -> bool {
        match (bytes, bytes.first_chunk()) {
            (_, Some(&first)) => {
                let longest = self.longest[hash(first, PLACES)];
                bytes.len() <= usize::from(longest) || longest == u8::MAX
            }
            (&[first, second, third], _) => {
                let place = hash([first, second, third, 0], THREES);
                self.threes[place / 64] >> (place % 64) & 1 == 1
            }
            _ => true,
        }
    }
}

/// Multiplied by the fraction of the golden ratio, as Knuth has it. `places` is a power of two.
#[inline(always)]
fn hash(bytes: [u8; 4], places: usize) -> usize {
    let hash = u32::from_le_bytes(bytes).wrapping_mul(0x9E37_79B1);
    (hash >> (u32::BITS - places.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Repeats;

    #[test]
    fn every_token_may_be_one() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let long = [b'x'; 300];
        let tokens: [&[u8]; 4] = [b"abcd", b"abcdefgh", b"xyz", &long];
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let vocab = Vocab::new((0..).zip(all), Repeats::Refuse).unwrap();
        let beginnings = Beginnings::new(&vocab);
        assert!(
            vocab
                .iter()
                .all(|(_, token)| beginnings.may_be_token(token))
        );
        assert!(beginnings.may_be_token(b"abcde"));
        assert!(beginnings.may_be_token(b"ab"));
        assert!(!beginnings.may_be_token(b"abc"));
        assert!(beginnings.may_be_token(&[b'x'; 999]));
        assert!(!beginnings.may_be_token(b"abcdefghi"));
        assert!(!beginnings.may_be_token(b"xyza"));
    }
}

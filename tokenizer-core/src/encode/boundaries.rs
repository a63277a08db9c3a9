//! Safe boundaries: places between two characters that no token crosses.
//!
//! A merge that crosses a boundary makes a token that has the boundary inside. So if no token of the
//! vocabulary has the few bytes around a boundary inside it, merging never crosses that boundary, and the
//! bytes before and behind it can be merged apart. Of the boundaries between two Chinese characters, 91 %
//! are safe for cl100k and 79 % for o200k; between two Greek letters 80 % and hardly any.
//!
//! Two bit sets decide. One, exact, has the two bytes around each boundary one byte from the start or the
//! end of a token. The other, a Bloom filter with one hash, has the two bytes before and the two or three
//! bytes behind all other boundaries of tokens. A false positive passes over a safe boundary, no more.
//! Only boundaries with a non-ASCII character on one side count: some token crosses almost all others.
//!
//! Building the sets reads every token once, a millisecond for cl100k; they take 136 KiB.

use std::sync::{Arc, OnceLock};

use crate::hash::FIBONACCI;
use crate::model::Model;
use crate::vocab::Vocab;

/// The safe boundaries of a model, built when the first text needs them.
pub(super) struct Boundaries {
    model: Arc<Model>,
    sets: OnceLock<BoundarySets>,
}

impl Boundaries {
    pub(super) fn new(model: Arc<Model>) -> Self {
        Boundaries {
            model,
            sets: OnceLock::new(),
        }
    }

    /// Two threads may build them at once: a child that is forked while a thread builds them does not wait
    /// for it.
    #[inline]
    pub(super) fn sets(&self) -> &BoundarySets {
        match self.sets.get() {
            Some(sets) => sets,
            None => {
                let sets = BoundarySets::new(self.model.vocab());
                self.sets.get_or_init(|| sets)
            }
        }
    }
}

/// See the module.
pub(super) struct BoundarySets {
    /// By the two bytes around.
    near_an_end: Box<[u64; (1 << 16) / 64]>,
    inside: Box<[u64; (1 << INSIDE_BITS) / 64]>,
}

/// 16 bits for each of 60,000 contexts: 6 % false positives.
const INSIDE_BITS: u32 = 20;

impl BoundarySets {
    fn new(vocab: &Vocab) -> Self {
        let mut boundaries = BoundarySets {
            near_an_end: bits(),
            inside: bits(),
        };
        let non_ascii = vocab.iter().filter(|(_, token)| !token.is_ascii());
        for (_, token) in non_ascii {
            for at in 1..token.len() {
                if !may_count(token[at - 1], token[at]) {
                    continue;
                }
                if at == 1 || at == token.len() - 1 {
                    let pair = pair(token[at - 1], token[at]);
                    set(&mut boundaries.near_an_end[..], pair);
                } else {
                    let around = &token[at - 2..];
                    let context = context(around, around.len().min(5));
                    set(&mut boundaries.inside[..], hash(context));
                }
            }
        }
        boundaries
    }

    /// Whether no token crosses the boundary between the second and the third of eight bytes, the first
    /// in the lowest bits. The boundary is one that [`may_count`] admits. Bytes that are not part of the
    /// piece may hide a safe boundary; they never make one.
    #[inline(always)]
    pub(super) fn is_safe(&self, around: u64) -> bool {
        let four = hash(around & FOUR);
        let five = hash(around & FIVE);
        !(is_set(&self.near_an_end, (around >> 8) as u16 as usize)
            | is_set(&self.inside, four)
            | is_set(&self.inside, five))
    }
}

const FOUR: u64 = u32::MAX as u64;
const FIVE: u64 = (1 << 40) - 1;

/// Whether a character begins at `behind`, and it or the one before is non-ASCII.
fn may_count(before: u8, behind: u8) -> bool {
    let continues = behind & 0xC0 == 0x80;
    !continues && (before | behind) & 0x80 != 0
}

fn pair(before: u8, behind: u8) -> usize {
    usize::from(u16::from_le_bytes([before, behind]))
}

/// The first bytes as a number, the first in the lowest bits.
fn context(bytes: &[u8], count: usize) -> u64 {
    let mut number = [0; 8];
    number[..count].copy_from_slice(&bytes[..count]);
    u64::from_le_bytes(number)
}

#[inline(always)]
fn hash(context: u64) -> usize {
    (context.wrapping_mul(FIBONACCI) >> (64 - INSIDE_BITS)) as usize
}

fn bits<const N: usize>() -> Box<[u64; N]> {
    let bits = vec![0; N].into_boxed_slice();
    bits.try_into().expect("of this length")
}

fn set(bits: &mut [u64], number: usize) {
    bits[number / 64] |= 1 << (number % 64);
}

#[inline(always)]
fn is_set<const N: usize>(bits: &[u64; N], number: usize) -> bool {
    bits[number / 64 % N] >> (number % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_safe(boundaries: &BoundarySets, text: &[u8], at: usize) -> bool {
        let mut around = [0; 8];
        let before = at.min(2);
        let rest = &text[at - before..];
        let length = rest.len().min(6 + before);
        around[2 - before..][..length].copy_from_slice(&rest[..length]);
        may_count(text[at - 1], text[at]) && boundaries.is_safe(u64::from_le_bytes(around))
    }

    use crate::vocab::Repeats;
    use proptest::prelude::*;

    /// Bytes of characters of one to four, so that most tokens hold boundaries or end within a character.
    fn any_bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"\xE4\xB8\xA9\xC3\xA9\xF0\x9F a"[..]);
        prop::collection::vec(byte, length)
    }

    proptest! {
        #[test]
        fn no_token_reaches_across_a_certain_boundary(
            tokens in prop::collection::hash_set(any_bytes(2..9), 0..30),
            before in any_bytes(0..4),
            behind in any_bytes(0..4),
        ) {
            let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
            let all = bytes.iter().map(|byte| &byte[..]);
            let all = all.chain(tokens.iter().map(Vec::as_slice));
            let boundaries = BoundarySets::new(&Vocab::new((0..).zip(all), Repeats::Refuse).unwrap());
            for token in &tokens {
                let text = [&before[..], token, &behind].concat();
                for at in before.len() + 1..before.len() + token.len() {
                    prop_assert!(!is_safe(&boundaries, &text, at), "{text:?} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_boundary_that_no_token_has_is_certain() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let tokens = ["né", "中文", "文"].map(str::as_bytes);
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let boundaries = BoundarySets::new(&Vocab::new((0..).zip(all), Repeats::Refuse).unwrap());
        let text = "né中文 中".as_bytes();
        let certain: Vec<usize> = (1..text.len())
            .filter(|&at| is_safe(&boundaries, text, at))
            .collect();
        assert_eq!(certain, [3, 9, 10]);
    }
}

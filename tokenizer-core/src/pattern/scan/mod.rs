//! Bit-parallel scanners for the published patterns.
//!
//! Text is classified 64 bytes at a time into masks with one bit per byte (`block.rs`). Shifts, ands and
//! additions on these masks yield the starts of pieces (one file per family of patterns, with its regex
//! at the top), and the set bits are flattened into offsets.
//!
//! **Invariant.** The state between blocks is a few bits: the class of the last character, and whether a
//! run is open. Look-ahead is mostly one character; where it is longer, every byte is read ahead at most
//! once. So every text takes linear time.
//!
//! **Cost.** A few dozen operations per block of ASCII, nearly whatever its content; for each other
//! character, decoding and a two-level table look-up. Figures: `docs/benchmarks.md`.

mod block;
mod cl100k;
pub(super) mod contraction;
mod gpt2;
mod numbers;
mod o200k;
mod rules;
mod spaces;

use self::block::Block;
use self::cl100k::Cl100k;
use self::gpt2::Gpt2;
use self::o200k::O200k;
use self::rules::Rules;
pub(super) use self::rules::{Family, Trailing};
use super::spans::Spans;
use crate::simd::{FLATTEN, Kernel, PREFETCH_DISTANCE, Simd, Tier, prefetch};

/// Splits a text by the rules of a family.
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    /// Start of the next block.
    at: usize,
    /// End of the last piece returned.
    end: usize,
    state: State,
    tier: Tier,
}

#[derive(Clone)]
enum State {
    Gpt2(Gpt2),
    Cl100k(Cl100k),
    O200k(O200k),
}

impl<'t> Scanner<'t> {
    pub(super) fn new(family: Family, text: &'t [u8], tier: Tier) -> Self {
        let state = match family {
            Family::Gpt2 => State::Gpt2(Gpt2::default()),
            Family::Cl100k { digits, trailing } => State::Cl100k(Cl100k::new(digits, trailing)),
            Family::O200k {
                digits,
                contractions,
            } => State::O200k(O200k::new(digits, contractions)),
        };
        Scanner {
            text,
            at: 0,
            end: 0,
            state,
            tier,
        }
    }

    /// Replaces the contents of `spans` with the next pieces, or with none at the end of the text.
    pub(super) fn fill(&mut self, spans: &mut Spans) {
        spans.clear(self.end);
        if self.end == self.text.len() {
            return;
        }
        let (text, at) = (self.text, &mut self.at);
        match &mut self.state {
            State::Gpt2(rules) => self.tier.run(Fill {
                rules,
                text,
                at,
                spans,
            }),
            State::Cl100k(rules) => self.tier.run(Fill {
                rules,
                text,
                at,
                spans,
            }),
            State::O200k(rules) => self.tier.run(Fill {
                rules,
                text,
                at,
                spans,
            }),
        }
        self.end = spans.end();
    }
}

/// Scans blocks until `spans` has no room for another block, or to the end of the text.
struct Fill<'f, 't, R> {
    rules: &'f mut R,
    text: &'t [u8],
    at: &'f mut usize,
    spans: &'f mut Spans,
}

impl<R: Rules> Kernel for Fill<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Fill {
            rules,
            text,
            at,
            spans,
        } = self;
        // The start of a piece is the end of the previous one. At byte 0 of the text, there is none.
        let mut has_previous = u64::from(*at != 0) | !1;
        while *at < text.len() {
            // The additional slot is for the end of the text.
            if !spans.has_room(FLATTEN + 1) {
                return;
            }
            prefetch(text, *at + PREFETCH_DISTANCE);
            let block = Block::read(simd, text, *at);
            let ends = rules.starts(&block, text, *at) & has_previous;
            has_previous = u64::MAX;
            spans.push_bits(simd, ends, *at);
            *at += block.len;
        }
        spans.push(text.len());
    }
}

//! Splitting by the published patterns without a regex engine.
//!
//! Text is classified 64 bytes at a time into masks, one bit for each byte (`block.rs`). Where
//! pieces begin follows from those masks by shifts, ands and additions on 64-bit words, one file
//! for each family of patterns with its regex at the top. The bits are then turned into offsets.
//!
//! **Invariant.** What a family needs to know of all blocks before is a handful of bits: what the
//! last byte was, and whether it was in the middle of something. What it needs to know of later
//! text it reads there: mostly the class of one character, sometimes where a run ends, and each
//! run is read ahead at most once. So a text costs one pass, whatever it holds.
//!
//! **Cost.** The same few dozen operations for every block of ASCII, whatever it holds, and a decoding
//! and a look-up in two tables for each character outside ASCII. Figures: `docs/benchmarks.md`.

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

/// Walks a text by the rules of a family.
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    /// Where the next block begins.
    at: usize,
    /// Where the last piece handed out ends.
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
            Family::O200k { digits, endings } => State::O200k(O200k::new(digits, endings)),
        };
        Scanner {
            text,
            at: 0,
            end: 0,
            state,
            tier,
        }
    }

    /// Fills `spans` with the next pieces; with none at the end.
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

/// Scans blocks until there are enough pieces.
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
        // The first piece of the text begins it; a start is also the end of the piece before.
        let mut first = u64::from(*at != 0) | !1;
        while *at < text.len() {
            // One more for the last piece of the text.
            if !spans.has_room(FLATTEN + 1) {
                return;
            }
            prefetch(text, *at + PREFETCH_DISTANCE);
            let block = Block::read(simd, text, *at);
            let ends = rules.starts(&block, text, *at) & first;
            first = u64::MAX;
            spans.push_bits(simd, ends, *at);
            *at += block.len;
        }
        spans.push(text.len());
    }
}

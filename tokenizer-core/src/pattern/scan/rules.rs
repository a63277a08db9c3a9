//! The families of patterns that have a scanner, and the interface of their rules.

use super::block::Block;

/// What white space at the end of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pattern) enum Trailing {
    /// One piece, line ends and all: the pattern has `\s++$`.
    Whole,
    /// Cut behind its last line end, as white space is elsewhere.
    FromLastNewline,
}

/// A pattern that has a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pattern) enum Family {
    /// See `gpt2.rs`.
    Gpt2,
    /// See `cl100k.rs`.
    Cl100k {
        /// Numbers in a group at most.
        digits: u32,
        /// At the end of the text.
        trailing: Trailing,
    },
    /// See `o200k.rs`.
    O200k {
        /// Numbers in a group at most.
        digits: u32,
        /// Whether words take the endings behind an apostrophe along.
        endings: bool,
    },
}

/// The rules of a family.
pub(super) trait Rules {
    /// The first bytes of the pieces that begin in a block. Blocks come in order; `at` is where
    /// this one begins in the text.
    fn starts(&mut self, block: &Block, text: &[u8], at: usize) -> u64;
}

/// The characters of `class` that are reached from `from` (some of them) by steps of one byte
/// upwards through `class`, with those of `from`.
///
/// This is `MatchStar` of Parabix (Cameron et al., "Bitwise data parallelism in regular expression
/// matching", PACT 2014).
#[inline(always)]
pub(super) fn reachable(from: u64, class: u64) -> u64 {
    let from = from & class;
    ((from.wrapping_add(class) ^ class) | from) & class
}

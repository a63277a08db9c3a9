//! The families of patterns with a scanner, and the trait that each family's scanner implements.

use super::block::Block;

/// Where to split white space at the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pattern) enum Trailing {
    /// Nowhere: the pattern contains `\s++$`.
    Whole,
    /// After its last line end, like other white space.
    FromLastNewline,
}

/// A family of patterns with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pattern) enum Family {
    /// See `gpt2.rs`.
    Gpt2,
    /// See `cl100k.rs`.
    Cl100k {
        /// Maximum length of a group of numbers.
        digits: u32,
        trailing: Trailing,
    },
    /// See `o200k.rs`.
    O200k {
        /// Maximum length of a group of numbers.
        digits: u32,
        /// Whether a contraction belongs to the word before it.
        contractions: bool,
    },
}

/// The rules of a family, with their state between blocks.
pub(super) trait Rules {
    /// Returns a mask of the first bytes of the pieces that start in `block`, which starts at `at` in `text`.
    /// Must be called for all blocks of a text in order.
    fn starts(&mut self, block: &Block, text: &[u8], at: usize) -> u64;
}

/// Returns the bits of `class` that are in `from`, or that follow such a bit without a gap in `class`.
///
/// One addition carries all bits through their runs at once: the operation `MatchStar` of Parabix
/// (Cameron et al., "Bitwise data parallelism in regular expression matching", PACT 2014).
#[inline(always)]
pub(super) fn reachable(from: u64, class: u64) -> u64 {
    let from = from & class;
    ((from.wrapping_add(class) ^ class) | from) & class
}

//! White space in the patterns with a rule for line ends, `cl100k` and `o200k`:
//! `\s++$|\s*[\r\n]|\s+(?!\S)|\s` or `\s*[\r\n]+|\s+(?!\S)|\s+`, which differ only at the end of a text
//! ([`Trailing`]).
//!
//! In a run of white space, up to three pieces start:
//!
//! 1. at its start;
//! 2. after its last line end, if more white space follows;
//! 3. at its last character, unless that is a line end or the text ends there.
//!
//! The second start needs look-ahead. A stretch of white space without line ends, directly after a line end,
//! is a *margin*; a piece starts at a margin unless a line end follows it. One addition carries a bit from
//! the start of every margin to the character after it. The margins of a block are examined one by one only
//! if one of these characters is a line end or lies in the next block.

use super::block::Block;
use super::rules::Trailing;
use crate::unicode::{self, NEWLINE, SPACE};

/// The state between blocks. Line ends that belong to the symbols before them do not count.
#[derive(Clone)]
pub(super) struct Spaces {
    trailing: Trailing,
    /// 1 if the last character of the previous block is white space.
    after_space: u64,
    /// 1 if the last character of the previous block is a line end.
    after_newline: u64,
}

impl Spaces {
    pub(super) fn new(trailing: Trailing) -> Self {
        Spaces {
            trailing,
            after_space: 0,
            after_newline: 0,
        }
    }

    /// Returns the starts of the pieces that start with white space. `taken` holds the line ends and slashes
    /// that belong to the symbols before them, `after_taken` the bytes directly after one of those.
    #[inline(always)]
    pub(super) fn starts(
        &mut self,
        block: &Block,
        text: &[u8],
        at: usize,
        taken: u64,
        after_taken: u64,
    ) -> u64 {
        let spaces = block.spaces & !taken;
        let newlines = block.newlines & !taken;
        let plain = block.spaces & !block.newlines;
        let after_space = spaces << 1 | self.after_space;
        let after_newline = newlines << 1 | self.after_newline;
        self.after_space = block.last_bit(spaces);
        self.after_newline = block.last_bit(newlines);
        if spaces == 0 {
            return 0;
        }

        let first = spaces & block.lead & (!after_space | after_taken);

        let next_is_space = match block.spaces >> (block.len - 1) & 1 {
            1 => unicode::char_at(text, at + block.len).is_none_or(|(class, _)| class & SPACE != 0),
            // Matters only if the last character of the block is white space.
            _ => false,
        };
        let before_space = block.spaces >> 1 | u64::from(next_is_space) << (block.len - 1);
        let last = block.leads_of_last_bytes(plain & !before_space);

        let mut margins = plain & block.lead & after_newline;
        if margins != 0 {
            let after = margins.wrapping_add(plain) & !plain;
            if after & newlines != 0 || block.last_bit(plain) == 1 {
                margins = self.margins_that_start(block, text, at, margins, plain);
            }
        }
        first | last | margins
    }

    /// Returns those of `margins` at which a piece starts, examined one at a time.
    #[cold]
    fn margins_that_start(
        &self,
        block: &Block,
        text: &[u8],
        at: usize,
        margins: u64,
        plain: u64,
    ) -> u64 {
        let mut kept = 0;
        let mut todo = margins;
        while todo != 0 {
            let start = todo.trailing_zeros();
            todo &= todo - 1;
            let end = (start + (plain >> start).trailing_ones()) as usize;
            let is_start = match end < block.len {
                true => block.newlines >> end & 1 == 0,
                false => self.long_margin_starts_piece(text, at + block.len),
            };
            if is_start {
                kept |= 1 << start;
            }
        }
        kept
    }

    /// Returns whether a piece starts at a margin that extends to `at` or further: whether the character
    /// after the margin is not a line end. At the end of the text, `trailing` decides. Only the block in
    /// which a margin starts reads ahead, so every byte is read ahead at most once.
    fn long_margin_starts_piece(&self, text: &[u8], mut at: usize) -> bool {
        while let Some((class, length)) = unicode::char_at(text, at) {
            if class & SPACE == 0 {
                return true;
            }
            if class & NEWLINE != 0 {
                return false;
            }
            at += length;
        }
        self.trailing == Trailing::FromLastNewline
    }
}

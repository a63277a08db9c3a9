//! The `gpt2` pattern:
//!
//! ```text
//! '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
//! ```
//!
//! A symbol is a character that is neither letter, number nor white space. The pieces are:
//!
//! - a run of letters, numbers or symbols, with the blank (U+0020) directly before it, if any;
//! - a contraction with its apostrophe (`contraction.rs`), if no symbol or blank directly precedes the
//!   apostrophe; the next piece starts directly after the contraction, even at a letter;
//! - a run of white space. If other text follows the run, a separate piece starts at its last character.

use super::block::Block;
use super::contraction;
use super::rules::Rules;
use crate::unicode::{self, SPACE};

/// The state between blocks. Each `after_*` field is 1 if the last character of the previous block is of that
/// kind, and 0 otherwise.
#[derive(Clone, Default)]
pub(super) struct Gpt2 {
    after_letter: u64,
    after_number: u64,
    after_symbol: u64,
    after_space: u64,
    after_blank: u64,
    /// Starts of pieces in the next block, directly after contractions that started in this block.
    forced: u64,
    /// The first byte of the next block, if it continues a contraction: no piece starts there.
    suppressed: u64,
}

impl Rules for Gpt2 {
    #[inline(always)]
    fn starts(&mut self, block: &Block, text: &[u8], at: usize) -> u64 {
        let (letters, numbers, spaces) = (block.letters, block.numbers, block.spaces);
        let symbols = block.all & !(letters | numbers | spaces);
        let after_letter = letters << 1 | self.after_letter;
        let after_number = numbers << 1 | self.after_number;
        let after_symbol = symbols << 1 | self.after_symbol;
        let after_space = spaces << 1 | self.after_space;
        let after_blank = block.blanks << 1 | self.after_blank;

        let continues =
            (letters & after_letter) | (numbers & after_number) | (symbols & after_symbol);
        let non_space_starts = block.lead & !spaces & !continues & !after_blank;

        let next_is_space = block.last_bit(spaces) == 1
            && unicode::char_at(text, at + block.len).is_none_or(|(class, _)| class & SPACE != 0);
        let before_space = spaces >> 1 | u64::from(next_is_space) << (block.len - 1);
        let first_space = spaces & block.lead & !after_space;
        let last_space = block.leads_of_last_bytes(spaces & !before_space);

        let mut starts = non_space_starts | first_space | last_space;
        starts = (starts | self.forced) & !self.suppressed;
        (self.forced, self.suppressed) = (0, 0);

        let mut apostrophes = block.apostrophes & !after_symbol & !after_blank;
        while apostrophes != 0 {
            let apostrophe = apostrophes.trailing_zeros() as usize;
            apostrophes &= apostrophes - 1;
            let length = contraction::length(text, at + apostrophe, false);
            if length == 0 {
                continue;
            }
            // No piece starts at the first letter of the contraction, and one starts after the last.
            let bit = |n: usize| 1u128 << (apostrophe + n);
            let suppress = bit(1);
            let force = if at + apostrophe + length < text.len() {
                bit(length)
            } else {
                0
            };
            starts = (starts & !(suppress as u64) | force as u64) & block.all;
            self.suppressed |= (suppress >> block.len) as u64;
            self.forced |= (force >> block.len) as u64;
        }

        self.after_letter = block.last_bit(letters);
        self.after_number = block.last_bit(numbers);
        self.after_symbol = block.last_bit(symbols);
        self.after_space = block.last_bit(spaces);
        self.after_blank = block.last_bit(block.blanks);
        starts
    }
}

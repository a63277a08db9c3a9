//! The pattern of GPT-2:
//!
//! ```text
//! '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
//! ```
//!
//! In words: runs of letters, of numbers and of symbols (all else that is not white space), each
//! with one blank before it if there is one; the endings behind an apostrophe that no symbol or
//! blank precedes; and white space, whose last character stands alone if something follows.

use super::block::Block;
use super::contraction;
use super::rules::Rules;
use crate::unicode::{self, SPACE};

/// What the next block needs to know.
#[derive(Clone, Default)]
pub(super) struct Gpt2 {
    after_letter: u64,
    after_number: u64,
    after_symbol: u64,
    after_space: u64,
    after_blank: u64,
    /// Starts in the next block that an ending brings, and starts there that it takes away.
    forced: u64,
    taken_away: u64,
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

        let goes_on =
            (letters & after_letter) | (numbers & after_number) | (symbols & after_symbol);
        let other = block.lead & !spaces & !goes_on & !after_blank;

        let next_is_space = block.last_bit(spaces) == 1
            && unicode::char_at(text, at + block.len).is_none_or(|(class, _)| class & SPACE != 0);
        let before_space = spaces >> 1 | u64::from(next_is_space) << (block.len - 1);
        let first_space = spaces & block.lead & !after_space;
        let last_space = block.leads_of_last_bytes(spaces & !before_space);

        let mut starts = other | first_space | last_space;
        starts = (starts | self.forced) & !self.taken_away;
        (self.forced, self.taken_away) = (0, 0);

        let mut endings = block.apostrophes & !after_symbol & !after_blank;
        while endings != 0 {
            let apostrophe = endings.trailing_zeros() as usize;
            endings &= endings - 1;
            let length = contraction::length(text, at + apostrophe, false);
            if length == 0 {
                continue;
            }
            // The letters of the ending belong to the apostrophe, and what follows begins anew.
            let wide = |place: usize| 1u128 << (apostrophe + place);
            let take = wide(1);
            let force = if at + apostrophe + length < text.len() {
                wide(length)
            } else {
                0
            };
            starts = (starts & !(take as u64) | force as u64) & block.all;
            self.taken_away |= (take >> block.len) as u64;
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

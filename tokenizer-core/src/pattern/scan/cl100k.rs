//! The `cl100k` family of patterns:
//!
//! ```text
//! '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
//! ```
//!
//! A symbol is a character that is neither letter, number nor white space. The pieces are:
//!
//! - a run of letters, with at most one character before it: white space other than a line end, or a lone
//!   symbol (one without a symbol or blank directly before it);
//! - a group of numbers (`numbers.rs`);
//! - a run of symbols, with the blank (U+0020) directly before it, if any, and all line ends directly after
//!   it;
//! - a contraction with its apostrophe (`contraction.rs`), if no symbol or blank directly precedes the
//!   apostrophe; the next piece starts directly after the contraction, even at a letter;
//! - other white space, split by the rules in `spaces.rs`.

use super::block::Block;
use super::contraction;
use super::numbers::Numbers;
use super::rules::{Rules, Trailing, reachable};
use super::spaces::Spaces;

/// The state between blocks. Each `after_*` field is 1 if the last character of the previous block is of that
/// kind, and 0 otherwise.
#[derive(Clone)]
pub(super) struct Cl100k {
    numbers: Numbers,
    spaces: Spaces,
    after_letter: u64,
    after_symbol: u64,
    after_lone_symbol: u64,
    after_plain_space: u64,
    after_blank: u64,
    /// A line end that belongs to the symbols before it.
    after_taken: u64,
    /// Starts of pieces in the next block, directly after contractions that started in this block.
    forced: u64,
}

impl Cl100k {
    pub(super) fn new(digits: u32, trailing: Trailing) -> Self {
        Cl100k {
            numbers: Numbers::new(digits),
            spaces: Spaces::new(trailing),
            after_letter: 0,
            after_symbol: 0,
            after_lone_symbol: 0,
            after_plain_space: 0,
            after_blank: 0,
            after_taken: 0,
            forced: 0,
        }
    }
}

impl Rules for Cl100k {
    #[inline(always)]
    fn starts(&mut self, block: &Block, text: &[u8], at: usize) -> u64 {
        let (letters, numbers, spaces) = (block.letters, block.numbers, block.spaces);
        let symbols = block.all & !(letters | numbers | spaces);
        let plain_spaces = spaces & !block.newlines;
        let after_letter = letters << 1 | self.after_letter;
        let after_symbol = symbols << 1 | self.after_symbol;
        let after_plain_space = plain_spaces << 1 | self.after_plain_space;
        let after_blank = block.blanks << 1 | self.after_blank;

        // First symbols of runs without a blank before them. If the next character is a letter, such a symbol
        // belongs to that word.
        let lone = symbols & block.lead & !after_symbol & !after_blank;
        let after_lone = block.next_leads(lone) | self.after_lone_symbol;
        let first_letters = letters & block.lead & !after_letter & !after_plain_space & !after_lone;

        let line_ends = block.newlines & (after_symbol | self.after_taken);
        let taken = reachable(line_ends, block.newlines);
        let after_taken = taken << 1 | self.after_taken;

        let mut starts = first_letters
            | lone
            | self.numbers.starts(block)
            | self.spaces.starts(block, text, at, taken, after_taken)
            | self.forced;
        self.forced = 0;

        let mut apostrophes = block.apostrophes & lone;
        while apostrophes != 0 {
            let apostrophe = apostrophes.trailing_zeros() as usize;
            apostrophes &= apostrophes - 1;
            let length = contraction::length(text, at + apostrophe, true);
            if length != 0 && at + apostrophe + length < text.len() {
                let force = 1u128 << (apostrophe + length);
                starts |= force as u64 & block.all;
                self.forced |= (force >> block.len) as u64;
            }
        }

        self.after_letter = block.last_bit(letters);
        self.after_symbol = block.last_bit(symbols);
        let last_lead = 63 - block.lead.leading_zeros();
        self.after_lone_symbol = lone >> last_lead & 1;
        self.after_plain_space = block.last_bit(plain_spaces);
        self.after_blank = block.last_bit(block.blanks);
        self.after_taken = block.last_bit(taken);
        starts
    }
}

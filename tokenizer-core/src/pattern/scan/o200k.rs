//! The patterns of the family of `o200k`:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```
//!
//! Beyond what `cl100k.rs` says:
//!
//! **Marks** are letters of a word, and symbols too. A mark goes on with what it stands in: in a
//! run of symbols (two or more, or one with a blank before it) it is a symbol, everywhere else it
//! belongs to a word. So the runs are found first, by carrying a bit from each second symbol over
//! all symbols and marks behind it.
//!
//! **Case.** A word is upper letters, then lower ones; letters without case, and marks, are both
//! ("either"). So a word is cut before an upper letter
//! - that comes behind a lower one, with only eithers between, or
//! - that comes behind an either that no lower letter precedes, if the upper letters from there on
//!   end the word: then neither alternative can hold both, and the first one gives back what
//!   follows its last either. (If a lower letter ends those upper letters, the word goes on, and
//!   if an either does, that one is the last.) This is the one place where what comes later
//!   decides; it needs an upper letter right behind an either, and is looked at alone.
//!
//! **Endings** belong to the word before them, and what follows an ending begins anew.
//!
//! **Slashes** are taken along with the line ends behind symbols. A slash that is taken is no symbol
//! any more, which may change what follows; so what is taken is found again until nothing changes,
//! from left to right in at most as many rounds as there are such places.

use super::block::Block;
use super::contraction;
use super::numbers::Numbers;
use super::rules::{Rules, Trailing, reachable};
use super::spaces::Spaces;
use crate::unicode::{self, LETTER, LOWER, MARK, UPPER};

/// What the next block needs to know.
#[derive(Clone)]
pub(super) struct O200k {
    numbers: Numbers,
    spaces: Spaces,
    endings: bool,
    after_symbol: u64,
    after_lone_symbol: u64,
    /// Behind a character of a run of symbols.
    after_run: u64,
    after_word: u64,
    after_lower: u64,
    after_either: u64,
    /// Behind an either that a lower letter precedes.
    after_late_either: u64,
    after_plain_space: u64,
    after_blank: u64,
    after_taken: u64,
    /// Bytes of the next block that belong to an ending.
    ending: u64,
    after_ending: u64,
}

impl O200k {
    pub(super) fn new(digits: u32, endings: bool) -> Self {
        O200k {
            numbers: Numbers::new(digits),
            spaces: Spaces::new(Trailing::FromLastNewline),
            endings,
            after_symbol: 0,
            after_lone_symbol: 0,
            after_run: 0,
            after_word: 0,
            after_lower: 0,
            after_either: 0,
            after_late_either: 0,
            after_plain_space: 0,
            after_blank: 0,
            after_taken: 0,
            ending: 0,
            after_ending: 0,
        }
    }

    /// Runs of symbols, and what the line ends behind symbols take along.
    #[inline(always)]
    fn symbol_runs(&self, block: &Block, symbols: u64, after_blank: u64, taken: u64) -> (u64, u64) {
        let symbols = symbols & !taken;
        let after_symbol = symbols << 1 | self.after_symbol;
        let symbols_and_marks = symbols | block.marks;
        let second = symbols & block.lead & (after_symbol | after_blank);
        let run = reachable(
            (second | self.after_run) & symbols_and_marks,
            symbols_and_marks,
        );
        let ended = after_symbol | (run & block.marks) << 1 | (self.after_run & !self.after_symbol);
        let breaks = block.newlines | block.slashes;
        let taken = reachable(
            (block.newlines & ended) | (self.after_taken & breaks),
            breaks,
        );
        (run, taken)
    }

    /// The endings in a block, with the rest of one that began in the block before. `words` are
    /// the characters of words.
    #[inline(always)]
    fn find_endings(&mut self, block: &Block, text: &[u8], at: usize, words: u64) -> u64 {
        let mut found = self.ending & block.all;
        self.ending = 0;
        if !self.endings {
            return 0;
        }
        let mut candidates = block.apostrophes & (words << 1 | self.after_word) & !found;
        while candidates != 0 {
            let apostrophe = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            // What is part of an ending is no word that another could belong to.
            let after_found = found << 1 | self.after_ending;
            if after_found >> apostrophe & 1 == 1 {
                continue;
            }
            let length = contraction::length(text, at + apostrophe, true);
            let bytes = ((1u128 << length) - 1) << apostrophe;
            found |= bytes as u64 & block.all;
            self.ending |= (bytes >> block.len) as u64;
        }
        found
    }

    /// Of `upper` letters that each come behind an either, those that begin a piece.
    #[cold]
    fn upper_behind_either(&self, block: &Block, text: &[u8], at: usize, mut upper: u64) -> u64 {
        let mut starts = 0;
        while upper != 0 {
            let start = upper.trailing_zeros() as usize;
            upper &= upper - 1;
            let mut end = start + (block.upper >> start).trailing_ones() as usize;
            let behind = loop {
                match unicode::char_at(text, at + end) {
                    Some((class, length)) if class & UPPER != 0 => end += length,
                    other => break other.map_or(0, |(class, _)| class),
                }
            };
            if behind & (LETTER | LOWER | MARK) == 0 {
                starts |= 1 << start;
            }
        }
        starts
    }
}

impl Rules for O200k {
    #[inline(always)]
    fn starts(&mut self, block: &Block, text: &[u8], at: usize) -> u64 {
        let not_symbols = block.letters | block.numbers | block.spaces | block.marks;
        let symbols = block.all & !not_symbols & !self.ending;
        let plain_spaces = block.spaces & !block.newlines;
        let after_plain_space = plain_spaces << 1 | self.after_plain_space;
        let after_blank = block.blanks << 1 | self.after_blank;

        let (mut run, mut taken) = self.symbol_runs(block, symbols, after_blank, 0);
        if taken & block.slashes != 0 {
            loop {
                let before = taken;
                (run, taken) = self.symbol_runs(block, symbols, after_blank, before);
                if taken == before {
                    break;
                }
            }
        }
        let after_taken = taken << 1 | self.after_taken;

        let words = (block.letters | block.marks) & !run & !self.ending;
        let endings = self.find_endings(block, text, at, words);
        let words = words & !endings;
        let symbols = symbols & !taken & !endings;
        let lower = block.lower & words;
        let upper = block.upper & words;
        let either = words & !lower & !upper;
        let after_word = words << 1 | self.after_word;

        let lone = symbols & block.lead & !run;
        let after_lone = block.next_leads(lone) | self.after_lone_symbol;
        let first_of_words = words & block.lead & !after_word & !after_plain_space & !after_lone;

        let after_lower = lower << 1 | self.after_lower;
        let late = reachable(either & (after_lower | self.after_late_either), either);
        let after_either = either << 1 | self.after_either;
        let after_late = late << 1 | self.after_late_either;
        let inside = upper & block.lead;
        let mut cuts = inside & (after_lower | after_late);
        let open = inside & after_either & !after_late;
        if open != 0 {
            cuts |= self.upper_behind_either(block, text, at, open);
        }

        let starts = first_of_words
            | cuts
            | lone
            | self.numbers.starts(block)
            | self.spaces.starts(block, text, at, taken, after_taken);

        self.after_symbol = block.last_bit(symbols);
        let last_lead = 63 - block.lead.leading_zeros();
        self.after_lone_symbol = lone >> last_lead & 1;
        self.after_run = block.last_bit(run);
        self.after_word = block.last_bit(words);
        self.after_lower = block.last_bit(lower);
        self.after_either = block.last_bit(either);
        self.after_late_either = block.last_bit(late);
        self.after_plain_space = block.last_bit(plain_spaces);
        self.after_blank = block.last_bit(block.blanks);
        self.after_taken = block.last_bit(taken);
        self.after_ending = block.last_bit(endings);
        starts
    }
}

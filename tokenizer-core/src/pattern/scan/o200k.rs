//! The `o200k` family of patterns:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```
//!
//! The rules of `cl100k.rs`, with these differences:
//!
//! **Marks** match both as letters and as symbols. In a run of symbols (at least two, or one after a blank)
//! a mark is a symbol; anywhere else it belongs to a word. So the runs are found first: a bit is carried from
//! each symbol that directly follows a symbol or a blank through the symbols and marks after it.
//!
//! **Case.** A word is a run of upper-case letters, then a run of lower-case letters; either run may be
//! empty. Caseless letters and marks match as both, and are called *eithers*. So a piece starts within a word
//! at an upper-case letter
//!
//! - that follows a lower-case letter, with only eithers between them, or
//! - that directly follows an either, if the piece has no lower-case letter so far and the word ends after
//!   the run of upper-case letters that starts here. The reason is that a match of the first alternative of
//!   the pattern must end in a lower-case letter or an either, so it backtracks to the last either. If a
//!   lower-case letter or an either follows the run, the first alternative matches through the run, and no
//!   piece starts here.
//!
//! The second case needs look-ahead to the end of the run of upper-case letters. It is rare, so its
//! candidates are examined one by one.
//!
//! **Contractions** belong to the word before them, and a piece starts after them.
//!
//! **Slashes** in a row of line ends and slashes that follows symbols and starts with a line end belong to
//! the piece of these symbols, like the line ends. Such a slash does not count as a symbol, so the runs after
//! it may change. Therefore runs and slashes are computed again until nothing changes: each round settles at
//! least one more run, from left to right.

use super::block::Block;
use super::contraction;
use super::numbers::Numbers;
use super::rules::{Rules, Trailing, reachable};
use super::spaces::Spaces;
use crate::unicode::{self, LETTER, LOWER, MARK, UPPER};

/// The state between blocks. Each `after_*` field is 1 if the last character of the previous block is of that
/// kind, and 0 otherwise.
#[derive(Clone)]
pub(super) struct O200k {
    numbers: Numbers,
    spaces: Spaces,
    /// Whether a contraction belongs to the word before it.
    attaches_contractions: bool,
    after_symbol: u64,
    after_lone_symbol: u64,
    /// A symbol or mark in a run of symbols.
    after_run: u64,
    after_word: u64,
    after_lower: u64,
    after_either: u64,
    /// An either after a lower-case letter of the same word.
    after_late_either: u64,
    after_plain_space: u64,
    after_blank: u64,
    /// A line end or slash that belongs to the symbols before it.
    after_taken: u64,
    /// Bytes of the next block that belong to a contraction that started in this block.
    contraction_rest: u64,
    after_contraction: u64,
}

impl O200k {
    pub(super) fn new(digits: u32, contractions: bool) -> Self {
        O200k {
            numbers: Numbers::new(digits),
            spaces: Spaces::new(Trailing::FromLastNewline),
            attaches_contractions: contractions,
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
            contraction_rest: 0,
            after_contraction: 0,
        }
    }

    /// Returns the runs of symbols, and the line ends and slashes that belong to symbols. `taken` holds the
    /// line ends and slashes that the previous round found.
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

    /// Returns the bytes of all contractions that belong to a word, including the rest of one that started in
    /// the previous block. `words` holds the characters of words.
    #[inline(always)]
    fn find_contractions(&mut self, block: &Block, text: &[u8], at: usize, words: u64) -> u64 {
        let mut found = self.contraction_rest & block.all;
        self.contraction_rest = 0;
        if !self.attaches_contractions {
            return 0;
        }
        let mut candidates = block.apostrophes & (words << 1 | self.after_word) & !found;
        while candidates != 0 {
            let apostrophe = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            // `words` still includes the letters of contractions found here, but a contraction does not belong
            // to another one.
            let after_found = found << 1 | self.after_contraction;
            if after_found >> apostrophe & 1 == 1 {
                continue;
            }
            let length = contraction::length(text, at + apostrophe, true);
            let bytes = ((1u128 << length) - 1) << apostrophe;
            found |= bytes as u64 & block.all;
            self.contraction_rest |= (bytes >> block.len) as u64;
        }
        found
    }

    /// `upper` holds upper-case letters that directly follow an either. Returns those at which a piece
    /// starts.
    #[cold]
    fn starts_after_either(&self, block: &Block, text: &[u8], at: usize, mut upper: u64) -> u64 {
        let mut starts = 0;
        while upper != 0 {
            let start = upper.trailing_zeros() as usize;
            upper &= upper - 1;
            let mut end = start + (block.upper >> start).trailing_ones() as usize;
            let after = loop {
                match unicode::char_at(text, at + end) {
                    Some((class, length)) if class & UPPER != 0 => end += length,
                    other => break other.map_or(0, |(class, _)| class),
                }
            };
            if after & (LETTER | LOWER | MARK) == 0 {
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
        let symbols = block.all & !not_symbols & !self.contraction_rest;
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

        let words = (block.letters | block.marks) & !run & !self.contraction_rest;
        let contractions = self.find_contractions(block, text, at, words);
        let words = words & !contractions;
        let symbols = symbols & !taken & !contractions;
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
            cuts |= self.starts_after_either(block, text, at, open);
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
        self.after_contraction = block.last_bit(contractions);
        starts
    }
}

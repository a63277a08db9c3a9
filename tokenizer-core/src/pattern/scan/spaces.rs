//! White space, as the patterns with a rule for line ends split it:
//! `\s++$|\s*[\r\n]|\s+(?!\S)|\s` and its older spelling `\s*[\r\n]+|\s+(?!\S)|\s+`.
//!
//! A run of white space is cut at up to three places: at its start; behind its last line end, if
//! more of it follows; and before its last character, if something that is not white space follows
//! and that character is no line end.
//!
//! The second place is the hard one, since whether a line end is the last is decided by what comes
//! later. White space without line ends that begins right behind a line end is a *margin*. A margin
//! is a piece's start unless a line end comes behind it. An addition carries a bit from the start
//! of every margin over it to what comes behind, all at once; only where that is a line end, or
//! lies in the next block, is there more to do, and then the margin is looked at alone.

use super::block::Block;
use super::rules::Trailing;
use crate::unicode::{self, NEWLINE, SPACE};

/// What white space needs to know of the block before.
#[derive(Clone)]
pub(super) struct Spaces {
    trailing: Trailing,
    /// The last byte was white space that no piece before it had taken, or a line end.
    after_space: u64,
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

    /// The first characters of pieces that begin with white space. `taken` are the line ends (and
    /// slashes) that belong to the piece of symbols before them, `after_taken` what comes right
    /// behind one of those.
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
            // Asked only where the last character is white space.
            _ => false,
        };
        let before_space = block.spaces >> 1 | u64::from(next_is_space) << (block.len - 1);
        let last = block.leads_of_last_bytes(plain & !before_space);

        let mut margins = plain & block.lead & after_newline;
        if margins != 0 {
            let behind = margins.wrapping_add(plain) & !plain;
            if behind & newlines != 0 || block.last_bit(plain) == 1 {
                margins = self.margins_that_start(block, text, at, margins, plain);
            }
        }
        first | last | margins
    }

    /// Looks at each margin alone.
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
            let ended = match end < block.len {
                true => block.newlines >> end & 1 == 0,
                false => self.margin_ends(text, at + block.len),
            };
            if ended {
                kept |= 1 << start;
            }
        }
        kept
    }

    /// Whether a margin that reaches to `at`, perhaps further, is followed by no line end. A
    /// margin is looked at from one block only, so all of them together are read once.
    fn margin_ends(&self, text: &[u8], mut at: usize) -> bool {
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

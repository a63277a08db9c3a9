//! Runs of numbers, cut into groups of at most `n` characters: `\p{N}{1,n}`.
//!
//! If all numbers of a block are ASCII, a mask of all run starts is shifted by one group at a time, keeping
//! only the bits that stay within their run, until no bit is left. The number of steps is the number of
//! groups in the longest run.

use super::block::Block;

/// The state between blocks.
#[derive(Clone)]
pub(super) struct Numbers {
    /// Maximum length of a group in characters, at least 1.
    group_size: u32,
    /// Length in characters of the group at the end of the previous block; 0 if that block does not end in a
    /// number. Not maintained for groups of one.
    open: u32,
}

impl Numbers {
    pub(super) fn new(group_size: u32) -> Self {
        Numbers {
            group_size,
            open: 0,
        }
    }

    /// Returns the starts of all groups in a block.
    #[inline(always)]
    pub(super) fn starts(&mut self, block: &Block) -> u64 {
        let numbers = block.numbers;
        if numbers == 0 {
            self.open = 0;
            return 0;
        }
        if self.group_size == 1 {
            return numbers & block.lead;
        }
        if numbers & !block.lead != 0 {
            return self.starts_one_by_one(block);
        }
        let continues = u64::from(self.open > 0);
        let mut starts = numbers & !(numbers << 1 | continues);
        if self.open > 0 {
            // If the run is longer than the rest of the open group, a group starts after that rest.
            let rest = self.group_size - self.open;
            let needed = u64::MAX >> (63 - rest);
            if numbers & needed == needed {
                starts |= 1 << rest;
            }
        }
        // The numbers that end `group_size` adjacent numbers: a start that is shifted by one group is still
        // in its run only if it is one of these.
        let mut inside = numbers;
        for shift in 1..self.group_size {
            inside &= numbers << shift;
        }
        let mut step = starts;
        loop {
            step = step << self.group_size & inside;
            if step == 0 {
                break;
            }
            starts |= step;
        }
        let tail = (numbers << (64 - block.len)).leading_ones();
        self.open = match tail {
            0 => 0,
            tail if tail as usize == block.len => (self.open + tail - 1) % self.group_size + 1,
            tail => (tail - 1) % self.group_size + 1,
        };
        starts
    }

    /// [`Numbers::starts`] for a block that contains numbers of more than one byte.
    fn starts_one_by_one(&mut self, block: &Block) -> u64 {
        let before = block.numbers << 1 | u64::from(self.open > 0);
        let mut starts = 0;
        let mut todo = block.numbers & block.lead;
        while todo != 0 {
            let bit = todo & todo.wrapping_neg();
            todo ^= bit;
            if before & bit == 0 || self.open == self.group_size {
                self.open = 0;
            }
            if self.open == 0 {
                starts |= bit;
            }
            self.open += 1;
        }
        if block.last_bit(block.numbers) == 0 {
            self.open = 0;
        }
        starts
    }
}

//! Runs of numbers, cut into groups of at most so many characters: `\p{N}{1,3}`.
//!
//! In ASCII the first characters of all runs of a block step forward together, a group at a time,
//! as long as only numbers lie between; there are as many steps as the longest run has groups.

use super::block::Block;

/// Where groups of numbers begin.
#[derive(Clone)]
pub(super) struct Numbers {
    /// Characters in a group at most; at least one.
    group: u32,
    /// Characters in the group at the end of the block before; 0 when it did not end in a number.
    open: u32,
}

impl Numbers {
    pub(super) fn new(group: u32) -> Self {
        Numbers { group, open: 0 }
    }

    /// The first characters of the groups in a block.
    #[inline(always)]
    pub(super) fn starts(&mut self, block: &Block) -> u64 {
        let numbers = block.numbers;
        if numbers == 0 {
            self.open = 0;
            return 0;
        }
        if self.group == 1 {
            return numbers & block.lead;
        }
        if numbers & !block.lead != 0 {
            return self.starts_one_by_one(block);
        }
        let goes_on = u64::from(self.open > 0);
        let mut starts = numbers & !(numbers << 1 | goes_on);
        if self.open > 0 {
            let rest = self.group - self.open;
            let needed = u64::MAX >> (63 - rest);
            if numbers & needed == needed {
                starts |= 1 << rest;
            }
        }
        let mut between = numbers;
        for place in 1..self.group {
            between &= numbers << place;
        }
        let mut step = starts;
        loop {
            step = step << self.group & between;
            if step == 0 {
                break;
            }
            starts |= step;
        }
        let tail = (numbers << (64 - block.len)).leading_ones();
        self.open = match tail {
            0 => 0,
            tail if tail as usize == block.len => (self.open + tail - 1) % self.group + 1,
            tail => (tail - 1) % self.group + 1,
        };
        starts
    }

    /// The same for characters of several bytes.
    fn starts_one_by_one(&mut self, block: &Block) -> u64 {
        let before = block.numbers << 1 | u64::from(self.open > 0);
        let mut starts = 0;
        let mut todo = block.numbers & block.lead;
        while todo != 0 {
            let bit = todo & todo.wrapping_neg();
            todo ^= bit;
            if before & bit == 0 || self.open == self.group {
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

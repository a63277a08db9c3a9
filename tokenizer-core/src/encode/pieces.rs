//! The table of known pieces: what a thread has encoded lately, private to it.
//!
//! A slot is 32 bytes, two to a cache line: a key of 16 bytes (`piece_key.rs`), and up to four ids.
//! About 90 % of the pieces of a text are one token and 98 % at most two, so one line is all that
//! most pieces ask of memory. A piece has one line, and one of its two slots; there is no looking
//! further.
//!
//! What is not there is asked of the vocabulary, or merged, and then put there. So a table is ready
//! at once, holds just what a text uses, and is never more than a copy of what the rules say.
//!
//! **Long pieces.** The key of more than 15 bytes is their hash and length. The ids themselves tell
//! whether it is the same piece: they must spell it.
//!
//! **Bound.** The table grows with what is put into it up to its bound. Then what comes takes the
//! place of a piece of its line that was not met since the last time one had to go.

use crate::piece_key::{Key, Seeds};
use crate::token::TokenId;
use crate::vocab::Vocab;

/// See the module.
pub(super) struct PieceTable {
    /// Their number is a power of two.
    lines: Vec<Line>,
    /// How far a hash is shifted down to be the number of a line.
    shift: u32,
    used: usize,
    most_lines: usize,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([Slot; 2]);

/// A piece and its ids.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// The key; above it how many ids there are, and whether the piece was met again.
    marked: u128,
    ids: [TokenId; INLINE_IDS],
}

/// Ids that a slot holds.
pub(super) const INLINE_IDS: usize = 4;

const FREE: Slot = Slot {
    marked: 0,
    ids: [0; INLINE_IDS],
};

/// The bits of a key.
const KEY: u128 = (1 << 124) - 1;

/// Where the number of ids stands.
const COUNT: u32 = 124;

/// Set when the piece was met again.
const MET: u128 = 1 << 127;

/// 16 KiB.
const FIRST_LINES: usize = 1 << 8;

impl Slot {
    #[inline(always)]
    fn is(&self, key: Key) -> bool {
        (self.marked ^ key.0) & KEY == 0
    }

    /// How many ids there are.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        (self.marked >> COUNT) as usize & 7
    }

    /// The ids, and anything behind them.
    #[inline(always)]
    pub(super) fn ids(&self) -> [TokenId; INLINE_IDS] {
        self.ids
    }
}

impl PieceTable {
    /// A table that takes up to so many bytes, but at least 16 KiB.
    pub(super) fn new(most_bytes: usize) -> Self {
        let most_lines = (most_bytes / size_of::<Line>()).max(FIRST_LINES);
        PieceTable {
            lines: vec![Line([FREE; 2]); FIRST_LINES],
            shift: 64 - FIRST_LINES.trailing_zeros(),
            used: 0,
            most_lines: 1 << most_lines.ilog2(),
        }
    }

    /// Asks for the line of a hash from memory.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        crate::arch::prefetch(&self.lines, (hash >> self.shift) as usize);
    }

    /// The slot of a piece of up to 15 bytes, if it is known.
    #[inline(always)]
    pub(super) fn find_short(&mut self, key: Key, hash: u64) -> Option<&Slot> {
        let slots = &mut self.lines[(hash >> self.shift) as usize].0;
        let second = usize::from(!slots[0].is(key));
        let slot = &mut slots[second];
        if !slot.is(key) {
            return None;
        }
        if slot.marked & MET == 0 {
            slot.marked |= MET;
        }
        Some(slot)
    }

    /// The slot of a longer piece, if it is known.
    #[inline]
    pub(super) fn find_long(
        &mut self,
        key: Key,
        hash: u64,
        piece: &[u8],
        vocab: &Vocab,
    ) -> Option<&Slot> {
        let slot = self.find_short(key, hash)?;
        spells(vocab, &slot.ids[..slot.count()], piece).then_some(slot)
    }

    /// Keeps the ids of a piece that is not known, if there are few enough.
    #[inline]
    pub(super) fn insert(&mut self, seeds: &Seeds, key: Key, hash: u64, ids: &[TokenId]) {
        if !(1..=INLINE_IDS).contains(&ids.len()) {
            return;
        }
        if self.used > self.lines.len() && self.lines.len() < self.most_lines {
            self.grow(seeds);
        }
        let mut slot = FREE;
        slot.marked = key.0 | (ids.len() as u128) << COUNT;
        slot.ids[..ids.len()].copy_from_slice(ids);
        self.put(hash, slot);
    }

    #[inline]
    fn put(&mut self, hash: u64, slot: Slot) {
        let slots = &mut self.lines[(hash >> self.shift) as usize].0;
        if let Some(free) = slots.iter_mut().find(|slot| slot.marked == 0) {
            self.used += 1;
            *free = slot;
        } else if let Some(unmet) = slots.iter_mut().find(|slot| slot.marked & MET == 0) {
            *unmet = slot;
        } else {
            slots[0].marked &= !MET;
            slots[1] = slot;
        }
    }

    /// Makes the table four times as large. Pieces find their new lines by their hashes.
    #[cold]
    fn grow(&mut self, seeds: &Seeds) {
        let lines = (self.lines.len() * 4).min(self.most_lines);
        let old = std::mem::replace(&mut self.lines, vec![Line([FREE; 2]); lines]);
        self.shift = 64 - lines.trailing_zeros();
        self.used = 0;
        for slot in old.iter().flat_map(|line| line.0) {
            if slot.marked != 0 {
                self.put(seeds.hash(Key(slot.marked & KEY)), slot);
            }
        }
    }
}

/// Whether the bytes of `ids`, one behind the other, are `piece`.
fn spells(vocab: &Vocab, ids: &[TokenId], piece: &[u8]) -> bool {
    let mut rest = piece;
    ids.iter().all(|&id| {
        let token = vocab.token(id).and_then(|token| rest.strip_prefix(token));
        rest = token.unwrap_or_default();
        token.is_some()
    }) && rest.is_empty()
}

//! The table of known pieces: what a thread has encoded lately, private to it.
//!
//! A line is one of the processor's, 64 bytes, and holds two pieces: for each a key of 16 bytes
//! (`piece_key.rs`) and up to four ids. About 90 % of the pieces of a text are one token and 98 % at
//! most two, so one line is all that most pieces ask of memory. A piece has a line of its own choice
//! and another one where it stands if the first was full; there is no looking further. What is
//! frequent comes early, so it is rare that the second line is looked at. (With one line only, a
//! table that is half full has no place for one piece in eleven.)
//!
//! What is not there is asked of the vocabulary, or merged, and then put there. So a table is ready
//! at once, holds just what a text uses, and is never more than a copy of what the rules say.
//!
//! **Long pieces.** Those of more than 15 bytes have the key of their head. The ids themselves tell
//! whether it is the same piece: they must spell it.
//!
//! **Bound.** The table grows with what is put into it up to its bound. Then what comes takes the
//! place of a piece of its line that was not met since the last time one had to go.

use crate::arch::advise_huge_pages;
use crate::piece_key::{Key, Seeds};
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::vocab::Vocab;

/// See the module.
pub(super) struct PieceTable {
    /// Their number is a power of two.
    lines: Vec<Line>,
    /// One less than their number.
    last: usize,
    used: usize,
    most_lines: usize,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    keys: [u128; 2],
    ids: [Ids; 2],
}

/// Up to four ids. Above the first stands how many there are, and whether the piece was met again.
#[derive(Clone, Copy)]
pub(super) struct Ids([TokenId; INLINE_IDS]);

/// Ids of a piece in the table.
pub(super) const INLINE_IDS: usize = 4;

const FREE: Line = Line {
    keys: [0; 2],
    ids: [Ids([0; INLINE_IDS]); 2],
};

/// Where the number of ids stands in the first: above any id.
const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

/// Set when the piece was met again.
const MET: u32 = 1 << 31;

const _: () = assert!(MAX_TOKEN_ID.leading_zeros() + COUNT == 32 && INLINE_IDS < 1 << (31 - COUNT));

/// 16 KiB.
const FIRST_LINES: usize = 1 << 8;

impl Ids {
    /// How many there are.
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        (self.0[0] >> COUNT) as usize % (2 * INLINE_IDS)
    }

    /// The ids, and anything behind them.
    #[inline(always)]
    pub(super) fn ids(self) -> [TokenId; INLINE_IDS] {
        self.0.map(|id| id & MAX_TOKEN_ID)
    }

    fn is_met(self) -> bool {
        self.0[0] & MET != 0
    }
}

impl PieceTable {
    /// A table that takes up to so many bytes, but at least 16 KiB.
    pub(super) fn new(most_bytes: usize) -> Self {
        let most_lines = (most_bytes / size_of::<Line>()).max(FIRST_LINES);
        PieceTable {
            lines: free_lines(FIRST_LINES),
            last: FIRST_LINES - 1,
            used: 0,
            most_lines: 1 << most_lines.ilog2(),
        }
    }

    /// Asks for the line of a hash from memory.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        crate::arch::prefetch(&self.lines, hash as usize & self.last);
    }

    /// The ids of a piece, if it stands in its first line; of a long piece those of one with the same
    /// head.
    #[inline(always)]
    pub(super) fn find(&mut self, key: Key, hash: u64) -> Option<Ids> {
        self.find_in(hash as usize & self.last, key)
    }

    /// As [`PieceTable::find`], in its second line.
    #[inline]
    pub(super) fn find_second(&mut self, key: Key, hash: u64) -> Option<Ids> {
        self.find_in(self.second_line(hash), key)
    }

    #[inline(always)]
    fn second_line(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.last
    }

    #[inline(always)]
    fn find_in(&mut self, line: usize, key: Key) -> Option<Ids> {
        let Line { keys, ids } = &mut self.lines[line];
        let second = usize::from(keys[0] != key.0);
        if keys[second] != key.0 {
            return None;
        }
        let ids = &mut ids[second];
        if !ids.is_met() {
            ids.0[0] |= MET;
        }
        Some(*ids)
    }

    /// Whether these are the ids of `piece`, found by its head: they spell it.
    #[inline]
    pub(super) fn spell(ids: Ids, piece: &[u8], vocab: &Vocab) -> bool {
        let mut rest = piece;
        ids.ids()[..ids.count()].iter().all(|&id| {
            let token = vocab.token(id).and_then(|token| rest.strip_prefix(token));
            rest = token.unwrap_or_default();
            token.is_some()
        }) && rest.is_empty()
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
        let mut kept = Ids([0; INLINE_IDS]);
        kept.0[..ids.len()].copy_from_slice(ids);
        kept.0[0] |= (ids.len() as u32) << COUNT;
        self.put(key.0, hash, kept);
    }

    #[inline]
    fn put(&mut self, key: u128, hash: u64, ids: Ids) {
        let lines = [hash as usize & self.last, self.second_line(hash)];
        let places = lines
            .map(|line| [(line, 0), (line, 1)])
            .into_iter()
            .flatten();
        let mut choices = places.map(|(line, place)| {
            let there = &self.lines[line];
            let choice = match there.keys[place] {
                // Another long piece with the same head.
                same if same == key => Choice::Same,
                0 => Choice::Free,
                _ if !there.ids[place].is_met() => Choice::Unmet,
                _ => Choice::Met,
            };
            (choice, line, place)
        });
        let first = choices.next().expect("there are four places");
        let (choice, line, place) = choices.fold(first, |best, next| match next.0 < best.0 {
            true => next,
            false => best,
        });
        match choice {
            Choice::Same | Choice::Unmet => {}
            Choice::Free => self.used += 1,
            // Whoever is not met again until the next one comes goes then.
            Choice::Met => {
                for line in lines {
                    for ids in &mut self.lines[line].ids {
                        ids.0[0] &= !MET;
                    }
                }
            }
        }
        self.lines[line].keys[place] = key;
        self.lines[line].ids[place] = ids;
    }

    /// Makes the table four times as large. Pieces find their new lines by their hashes.
    #[cold]
    fn grow(&mut self, seeds: &Seeds) {
        let lines = (self.lines.len() * 4).min(self.most_lines);
        let old = std::mem::replace(&mut self.lines, free_lines(lines));
        self.last = lines - 1;
        self.used = 0;
        for line in &old {
            for (&key, &ids) in line.keys.iter().zip(&line.ids) {
                if key != 0 {
                    self.put(key, seeds.hash(Key(key)), ids);
                }
            }
        }
    }
}

/// What stands at a place, the best to be taken first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
    Same,
    Free,
    Unmet,
    Met,
}

fn free_lines(count: usize) -> Vec<Line> {
    let mut lines = Vec::with_capacity(count);
    advise_huge_pages(lines.spare_capacity_mut());
    lines.resize(count, FREE);
    lines
}

//! The table of known pieces: what a thread has encoded lately, private to it.
//!
//! A line is one of the processor's, 64 bytes, and holds two pieces: for each a key of 16 bytes
//! (`piece_key.rs`) and up to four ids. About 90 % of the pieces of a text are one token and 98 % at
//! most two, so one line is all that most pieces ask of memory. A piece has a line of its own, and
//! stands in the next one if that was full; there is no looking further. What is frequent comes early,
//! so it is rare that the second line is looked at. (With one line only, a table that is half full
//! has no place for one piece in eleven. A second line anywhere else holds more, but costs a wait for
//! memory each time it is looked at: a fifth of all time on text with many new pieces.)
//!
//! What is not there is asked of the vocabulary, or merged, and then put there. So a table is ready
//! at once, holds just what a text uses, and is never more than a copy of what the rules say.
//!
//! **Long pieces.** Those of more than 15 bytes have the key of their head. Up to 27 bytes, if they
//! are one token, their last twelve stand where the other ids would; for all others the ids themselves
//! tell whether it is the same piece: they must spell it.
//!
//! **More than four ids** stand one behind the other in an array, and in the slot where. When the
//! array is full, it and all pieces in it are forgotten.
//!
//! **Bound.** The lines take up to two thirds of the bytes allowed, the array the rest. When they are full, what comes takes the place of a piece of its
//! lines that was not met since the last time one had to go.

use std::ops::Range;

use crate::arch::{Kernel, Simd, Tier, advise_huge_pages, prefetch, sixteen_bytes};
use crate::piece_key::{INLINE, Key, Seeds, ShortSeeds};
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
    /// The ids of pieces that have more than a slot holds.
    many: Vec<TokenId>,
    most_many: usize,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    keys: [u128; 2],
    ids: [Ids; 2],
}

/// Up to four ids of 32 bits, the first in the lowest. Above it stands how many there are, and whether
/// the piece was met again.
#[derive(Clone, Copy)]
struct Ids(u128);

/// Ids of a piece in the table.
pub(super) const INLINE_IDS: usize = 4;

const FREE: Line = Line {
    keys: [0; 2],
    ids: [Ids(0); 2],
};

/// Where the number of ids stands in the first: above any id.
const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

/// Set when the piece was met again.
const MET: u128 = 1 << 31;

const _: () = assert!(MAX_TOKEN_ID.leading_zeros() + COUNT == 32 && INLINE_IDS < 1 << (31 - COUNT));

/// Where the end of a long piece stands: behind its id.
const TAIL: u32 = 32;

/// 16 KiB.
const FIRST_LINES: usize = 1 << 8;

impl Ids {
    /// Those of a piece, if there are few enough.
    fn new(ids: &[TokenId]) -> Option<Self> {
        if ids.len() > INLINE_IDS {
            return None;
        }
        let words = ids
            .iter()
            .rev()
            .fold(0, |all, &id| all << 32 | u128::from(id));
        Some(Ids(words | (ids.len() as u128) << COUNT))
    }

    /// Where ids stand.
    fn placed(place: Range<usize>) -> Self {
        Ids((place.start as u128) << 32 | (place.end as u128) << 64)
    }

    /// See [`Ids::placed`].
    fn elsewhere(self) -> Range<usize> {
        (self.0 >> 32) as u32 as usize..(self.0 >> 64) as u32 as usize
    }

    /// The one id of a piece that ends with `tail`.
    fn with_tail(id: TokenId, tail: u128) -> Self {
        Ids(u128::from(id) | 1 << COUNT | tail << TAIL)
    }

    #[inline(always)]
    fn has_tail(self, tail: u128) -> bool {
        self.0 >> TAIL == tail
    }

    /// How many there are.
    #[inline(always)]
    fn count(self) -> usize {
        (self.0 >> COUNT) as usize % (2 * INLINE_IDS)
    }

    /// The ids, and anything behind them.
    #[inline(always)]
    fn all(self) -> [TokenId; INLINE_IDS] {
        const FIRST: u128 = !0 << 32 | MAX_TOKEN_ID as u128;
        let [low, high] = [self.0 & FIRST, self.0 >> 64];
        [
            low as u32,
            (low >> 32) as u32,
            high as u32,
            (high >> 32) as u32,
        ]
    }

    #[inline(always)]
    fn is_met(self) -> bool {
        self.0 & MET != 0
    }
}

/// The key of the head of a piece.
pub(super) fn head_key(text: &[u8], piece: Range<usize>) -> Key {
    Key::of_head(text, piece.start, piece.end, LONGEST)
}

impl PieceTable {
    /// A table that takes up to so many bytes, but at least 16 KiB.
    pub(super) fn new(most_bytes: usize) -> Self {
        let most_lines = (most_bytes / 3 * 2 / size_of::<Line>()).max(FIRST_LINES);
        PieceTable {
            lines: free_lines(FIRST_LINES),
            last: FIRST_LINES - 1,
            used: 0,
            most_lines: 1 << most_lines.ilog2(),
            many: Vec::new(),
            most_many: most_bytes / 3 / size_of::<TokenId>(),
        }
    }

    /// Makes the keys of a group of pieces that touch, and asks for their first lines from memory.
    #[inline]
    pub(super) fn prepare(
        &self,
        tier: Tier,
        seeds: &Seeds,
        text: &[u8],
        start: usize,
        ends: &[usize],
        group: &mut [Prepared; GROUP],
    ) {
        tier.run(Prepare {
            lines: &self.lines,
            last: self.last,
            seeds: seeds.short(),
            text,
            start,
            ends,
            group,
        });
    }

    /// Looks up pieces that were prepared, until one is not found in its first line. Writes the ids
    /// of those found to the front of `ids` and gives how many pieces and how many ids these are.
    #[inline]
    pub(super) fn look_up(
        &mut self,
        tier: Tier,
        text: &[u8],
        ends: &[usize],
        group: &[Prepared],
        ids: &mut [TokenId; ROOM],
    ) -> (usize, usize) {
        tier.run(LookUp {
            lines: &mut self.lines,
            text,
            ends,
            group,
            ids,
        })
    }

    /// Asks for the second line of a hash from memory.
    #[inline]
    pub(super) fn prefetch_second(&self, hash: u64) {
        prefetch(&self.lines, self.lines_of(hash)[1]);
    }

    /// Appends the ids of a piece to `to`, wherever it stands, and says whether it is known. `key` is
    /// that of its head.
    #[inline]
    pub(super) fn find(
        &mut self,
        vocab: &Vocab,
        key: Key,
        hash: u64,
        piece: &[u8],
        to: &mut Vec<TokenId>,
    ) -> bool {
        let tail = tail_of_head(key, piece);
        for line in self.lines_of(hash) {
            let Line { keys, ids } = &mut self.lines[line];
            for (&there, ids) in keys.iter().zip(ids) {
                if there & !(SPELLED | ELSEWHERE) != key.0 {
                    continue;
                }
                let inline = ids.all();
                let found = match there & ELSEWHERE {
                    0 => &inline[..ids.count()],
                    _ => &self.many[ids.elsewhere()],
                };
                let same = match there & SPELLED {
                    0 => tail.is_none_or(|tail| ids.has_tail(tail)),
                    _ => spell(found, piece, vocab),
                };
                if same {
                    to.extend_from_slice(found);
                    ids.0 |= MET;
                    return true;
                }
            }
        }
        false
    }

    /// Where a piece may stand, the better place first.
    #[inline(always)]
    fn lines_of(&self, hash: u64) -> [usize; 2] {
        let line = hash as usize & self.last;
        [line, line ^ 1]
    }

    /// Keeps the ids of a piece that was not found, unless there are very many.
    #[inline]
    pub(super) fn insert(&mut self, seeds: &Seeds, key: Key, piece: &[u8], ids: &[TokenId]) {
        if self.used > self.lines.len() && self.lines.len() < self.most_lines {
            self.grow(seeds);
        }
        let hash = seeds.hash(key);
        let (mark, ids) = match (tail_of_head(key, piece), ids) {
            (Some(tail), &[id]) => (0, Ids::with_tail(id, tail)),
            _ => {
                let spelled = if key.is_head() { SPELLED } else { 0 };
                match Ids::new(ids) {
                    Some(ids) => (spelled, ids),
                    None if ids.len() > MANY => return,
                    None => {
                        if self.many.len() + ids.len() > self.most_many {
                            self.forget_many();
                        }
                        let start = self.many.len();
                        self.many.extend_from_slice(ids);
                        let place = Ids::placed(start..self.many.len());
                        (spelled | ELSEWHERE, place)
                    }
                }
            }
        };
        self.put(key.0 | mark, hash, ids);
    }

    #[cold]
    fn forget_many(&mut self) {
        self.many.clear();
        for key in self.lines.iter_mut().flat_map(|line| &mut line.keys) {
            if *key & ELSEWHERE != 0 {
                *key = 0;
                self.used -= 1;
            }
        }
    }

    #[inline]
    fn put(&mut self, key: u128, hash: u64, ids: Ids) {
        let mut best = (Choice::Met, self.lines_of(hash)[0], 1);
        'all: for line in self.lines_of(hash) {
            for place in [0, 1] {
                let there = &self.lines[line];
                let choice = match there.keys[place] {
                    0 => Choice::Free,
                    _ if there.ids[place].is_met() => Choice::Met,
                    _ => Choice::Unmet,
                };
                if choice < best.0 {
                    best = (choice, line, place);
                }
                if choice == Choice::Free {
                    break 'all;
                }
            }
        }
        let (choice, line, place) = best;
        match choice {
            Choice::Free => self.used += 1,
            Choice::Unmet => {}
            // Whoever is not met again until the next one comes goes then.
            Choice::Met => {
                for line in self.lines_of(hash) {
                    for ids in &mut self.lines[line].ids {
                        ids.0 &= !MET;
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
                    let plain = Key(key & !(SPELLED | ELSEWHERE));
                    self.put(key, seeds.hash(plain), ids);
                }
            }
        }
    }
}

/// Whether `ids` spell `piece`.
fn spell(ids: &[TokenId], piece: &[u8], vocab: &Vocab) -> bool {
    let mut rest = piece;
    ids.iter().all(|&id| {
        let token = vocab.token(id).and_then(|token| rest.strip_prefix(token));
        rest = token.unwrap_or_default();
        token.is_some()
    }) && rest.is_empty()
}

/// The last twelve bytes of a long piece, if they are, with its head, the whole piece.
fn tail_of_head(key: Key, piece: &[u8]) -> Option<u128> {
    (key.is_head() && piece.len() < LONGEST).then(|| tail(piece, piece.len()))
}

/// The twelve bytes before `end`, of at least 16.
#[inline(always)]
fn tail(text: &[u8], end: usize) -> u128 {
    sixteen_bytes(text, end.wrapping_sub(16)) >> TAIL
}

#[inline(always)]
fn find_in<S: Simd>(simd: S, line: &mut Line, key: &Key) -> Option<Ids> {
    let which = simd.which(&line.keys, &key.0);
    if which == 0 {
        return None;
    }
    let place = &mut line.ids[(which >> 1) as usize & 1];
    let ids = *place;
    if !ids.is_met() {
        place.0 |= MET;
    }
    Some(ids)
}

/// The length in the key of a piece whose head and tail are not all of it: 28 bytes and more.
const LONGEST: usize = INLINE + 4 * (INLINE_IDS - 1) + 1;

/// Set in the key of a long piece that its ids must spell.
const SPELLED: u128 = 1 << 127;

/// Set in the key of a piece whose ids stand elsewhere.
const ELSEWHERE: u128 = 1 << 126;

/// A piece with more ids is not kept: it hardly comes again.
const MANY: usize = 64;

/// Pieces that are looked up together.
pub(super) const GROUP: usize = 32;

/// Ids of a group of known pieces, and room for those that no one asked for.
pub(super) const ROOM: usize = (GROUP + 1) * INLINE_IDS;

/// A piece whose line was asked for.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    pub(super) key: Key,
    line: usize,
}

impl Prepared {
    pub(super) const NONE: Self = Prepared {
        key: Key(0),
        line: 0,
    };
}

/// See [`PieceTable::prepare`].
struct Prepare<'p> {
    lines: &'p [Line],
    last: usize,
    seeds: ShortSeeds,
    text: &'p [u8],
    start: usize,
    ends: &'p [usize],
    group: &'p mut [Prepared; GROUP],
}

impl Kernel for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let mut start = self.start;
        for (prepared, &end) in self.group.iter_mut().zip(self.ends) {
            let key = Key::of_head(self.text, start, end, LONGEST);
            let line = self.seeds.hash(key) as usize & self.last;
            prefetch(self.lines, line);
            *prepared = Prepared { key, line };
            start = end;
        }
    }
}

/// See [`PieceTable::look_up`].
struct LookUp<'l> {
    lines: &'l mut [Line],
    text: &'l [u8],
    ends: &'l [usize],
    group: &'l [Prepared],
    ids: &'l mut [TokenId; ROOM],
}

impl Kernel for LookUp<'_> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (usize, usize) {
        let mut filled = 0;
        let pieces = self.group.iter().zip(self.ends);
        for (number, (Prepared { key, line }, &end)) in pieces.enumerate() {
            let line = self.lines.get_mut(*line);
            let Some(known) = line.and_then(|line| find_in(simd, line, key)) else {
                return (number, filled);
            };
            if key.is_head() && !known.has_tail(tail(self.text, end)) {
                return (number, filled);
            }
            // Four are written, whatever their number.
            let Some(room) = self.ids.get_mut(filled..).and_then(<[_]>::first_chunk_mut) else {
                return (number, filled);
            };
            *room = known.all();
            filled += known.count();
        }
        (self.group.len(), filled)
    }
}

/// What stands at a place, the best to be taken first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
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

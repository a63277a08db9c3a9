//! The table of known pieces: what a thread has encoded lately, private to it.
//!
//! A line is one of the processor's, 64 bytes, and holds two pieces: for each a key of 16 bytes
//! (`piece_key.rs`) and up to four ids. About 90 % of the pieces of a text are one token and 98 % at
//! most two, so one line is all that most pieces ask of memory. A piece has two lines. It stands in
//! the first if that had a free place, and else in the second; then the first is marked, so that the
//! second is looked at only where something may stand there. What is frequent comes early, and mostly
//! found its first line free.
//!
//! What is not there is asked of the vocabulary, or merged, and then put there, unless it is as quick
//! to put it together again (`characters.rs`) or has very many ids. So a table is ready at once,
//! holds just what a text uses, and is never more than a copy of what the rules say.
//!
//! **Long pieces.** Those of more than 15 bytes have the key of their head and of their length, up to
//! 127: without it all lines of dashes and all deep indentations want the same two lines of the table,
//! and later passes over source code take 6 % longer, over web pages 9 %. Up to 27 bytes their last
//! twelve are kept too: if they are one token, where the other ids would stand. Of those that are
//! longer still the ids tell whether it is the same piece: they must spell it.
//!
//! **More than four ids**, or more than one and a tail, stand one behind the other in an array, and
//! in the slot where. In text of scripts that a vocabulary hardly knows, that is every second piece.
//! When the array is full, the half of it that was written first is forgotten.
//!
//! **Bound.** The lines take up to eleven sixteenths of the bytes allowed, the array the rest. When
//! they are full, what comes takes the place of a piece of its lines that was not met since the last
//! time one had to go. 24 MB of English prose fill 3 MB with 92,000 pieces; 18 MB in forty scripts,
//! cut by cl100k, want 20 MB for their 300,000. There later passes with a bound of 16 MiB take half as
//! long again, and 64 MiB gain nothing over 24.
//!
//! **What did not pay.** The neighbour of a line for its second one, which may come from memory with
//! it: a tenth of the pieces had no place in a table filled to 60 %, against hardly one. Asking for
//! the second line from memory each time: 2 to 5 % slower on English. Fuller tables: source code 10 %
//! slower. Keeping long pieces only when they are met a second time within 4096: 10 MB less, a quarter
//! slower. Groups of 32 pieces: 4 to 10 % slower than 64; of 128: the same. Preparing a group before the
//! one ahead of it is looked up: the same. Keeping long tokens too, with a look at the vocabulary for what
//! is between head and tail: the same, though deep indentations then need no second look.

mod look_up;

use std::ops::Range;

pub(super) use self::look_up::{GROUP, Prepared, ROOM};

use crate::arch::{HugeTable, advise_huge_pages, sixteen_bytes};
use crate::piece_key::{INLINE, Key, Seeds};
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::vocab::Vocab;

/// See the module.
pub(super) struct PieceTable {
    lines: HugeTable<Line>,
    used: usize,
    most_lines: usize,
    /// The tails and ids of pieces that have more than a slot holds, and something behind them, so
    /// that more may be read than is meant. One half is filled after the other, in turn.
    many: Vec<TokenId>,
    /// Where the next will stand.
    filled: usize,
    most_many: usize,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    keys: [u128; 2],
    ids: [Ids; 2],
}

/// Up to four ids. Above the first stands how many there are, and whether the piece was met again.
#[derive(Clone, Copy)]
struct Ids([TokenId; INLINE_IDS]);

/// Ids of a piece in its slot.
pub(super) const INLINE_IDS: usize = 4;

/// In place of the number of ids: they stand in the array.
const ELSEWHERE: usize = INLINE_IDS + 1;

/// Words of a tail, in front of the ids in the array.
const TAIL_WORDS: usize = INLINE_IDS - 1;

/// Ids that are copied at once out of the array.
const COPIED: usize = 16;

const FREE: Line = Line {
    keys: [0; 2],
    ids: [Ids([0; INLINE_IDS]); 2],
};

/// Where the number of ids stands in the first: above any id.
const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

/// Set when the piece was met again.
const MET: u32 = 1 << 31;

/// Set in a line, at its first piece, when one that would stand there stands in its second line.
const OVERFULL: u32 = 1 << 30;

const _: () = assert!(MAX_TOKEN_ID.leading_zeros() + COUNT == 32 && INLINE_IDS < 1 << (30 - COUNT));

/// The last twelve bytes of a long piece.
type Tail = [u32; INLINE_IDS - 1];

/// 16 KiB.
const FIRST_LINES: usize = 1 << 8;

impl Ids {
    /// Those of a piece, if there are few enough.
    fn new(ids: &[TokenId]) -> Option<Self> {
        if ids.len() > INLINE_IDS {
            return None;
        }
        let mut words = [0; INLINE_IDS];
        words[..ids.len()].copy_from_slice(ids);
        words[0] |= (ids.len() as u32) << COUNT;
        Some(Ids(words))
    }

    /// So many that stand elsewhere.
    fn elsewhere(start: usize, count: usize) -> Self {
        Ids([
            count as u32 | (ELSEWHERE as u32) << COUNT,
            start as u32,
            0,
            0,
        ])
    }

    /// See [`Ids::elsewhere`].
    #[inline(always)]
    fn place(self) -> (usize, usize) {
        let [count, start, ..] = self.0;
        (start as usize, (count & MAX_TOKEN_ID) as usize)
    }

    /// The one id of a piece that ends with `tail`.
    fn with_tail(id: TokenId, [first, second, third]: Tail) -> Self {
        Ids([id | 1 << COUNT, first, second, third])
    }

    #[inline(always)]
    fn has_tail(self, tail: Tail) -> bool {
        self.0[1..] == tail
    }

    /// How many there are, or [`ELSEWHERE`].
    #[inline(always)]
    fn count(self) -> usize {
        (self.0[0] >> COUNT) as usize % (2 * INLINE_IDS)
    }

    /// Writes the ids, and anything behind them.
    #[inline(always)]
    fn write(&self, to: &mut [TokenId]) {
        // All at once, and the first again.
        to.copy_from_slice(&self.0);
        to[0] = self.0[0] & MAX_TOKEN_ID;
    }

    /// Writes the ids if they are elsewhere, and gives their number; nothing if they are too many,
    /// or if the piece has another tail.
    #[inline(always)]
    fn write_long(self, tail: Option<Tail>, many: &[TokenId], to: &mut [TokenId]) -> Option<usize> {
        let count = self.count();
        if count != ELSEWHERE {
            return tail.is_none_or(|tail| self.has_tail(tail)).then_some(count);
        }
        let (start, count) = self.place();
        let tail_words = if tail.is_some() { TAIL_WORDS } else { 0 };
        let (tail_there, ids) = many.get(start..)?.split_at_checked(tail_words)?;
        let other_tail = tail.is_some_and(|tail| tail_there != tail);
        let ids = ids.first_chunk::<COPIED>()?;
        if other_tail || count > COPIED {
            return None;
        }
        to.copy_from_slice(ids);
        Some(count)
    }

    #[inline(always)]
    fn is_met(self) -> bool {
        self.0[0] & MET != 0
    }
}

impl Line {
    /// Whether a piece that would stand here first stands in its second line.
    #[inline(always)]
    fn is_overfull(&self) -> bool {
        self.ids[0].0[0] & OVERFULL != 0
    }
}

/// The key of the head of a piece.
pub(super) fn head_key(text: &[u8], piece: Range<usize>) -> Key {
    Key::of_head(text, piece.start, piece.end)
}

impl PieceTable {
    /// A table that takes up to so many bytes, but at least 16 KiB.
    pub(super) fn new(most_bytes: usize) -> Self {
        let line_bytes = most_bytes / 16 * 11;
        PieceTable {
            lines: HugeTable::filled(FIRST_LINES, FREE),
            used: 0,
            most_lines: (line_bytes / size_of::<Line>()).max(FIRST_LINES),
            many: Vec::new(),
            filled: 0,
            // A place in it is a word.
            most_many: ((most_bytes - line_bytes) / size_of::<TokenId>())
                .clamp(FEWEST_MANY, u32::MAX as usize),
        }
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
            let line = &mut self.lines[line];
            let overfull = line.is_overfull();
            let Line { keys, ids } = line;
            for (&there, ids) in keys.iter().zip(ids) {
                if there & !SPELLED != key.0 {
                    continue;
                }
                let spelled = there & SPELLED != 0;
                let mut inline = [0; INLINE_IDS];
                ids.write(&mut inline);
                let (tail_there, found) = match ids.count() {
                    ELSEWHERE => {
                        let (start, count) = ids.place();
                        let tail_words = if tail.is_some() { TAIL_WORDS } else { 0 };
                        let (tail, ids) = self.many[start..].split_at(tail_words);
                        (Some(tail), &ids[..count])
                    }
                    count => (None, &inline[..count]),
                };
                let same = match (tail, tail_there) {
                    _ if spelled => spell(found, piece, vocab),
                    (None, _) => true,
                    (Some(tail), None) => ids.has_tail(tail),
                    (Some(tail), Some(there)) => tail == there,
                };
                if same {
                    to.extend_from_slice(found);
                    ids.0[0] |= MET;
                    return true;
                }
            }
            if !overfull {
                return false;
            }
        }
        false
    }

    /// Where a piece may stand, the better place first.
    #[inline(always)]
    fn lines_of(&self, hash: u64) -> [usize; 2] {
        let lines = self.lines.len();
        [line_of(hash, lines), second_line_of(hash, lines)]
    }

    /// Keeps the ids of a piece that was not found, unless there are very many.
    #[inline]
    pub(super) fn insert(&mut self, seeds: &Seeds, key: Key, piece: &[u8], ids: &[TokenId]) {
        if self.used > self.lines.len() && self.lines.len() < self.most_lines {
            self.grow(seeds);
        }
        let hash = seeds.hash(key);
        let spelled = if piece.len() < LONGEST { 0 } else { SPELLED };
        let tail = tail_of_head(key, piece);
        let ids = match (tail, ids, Ids::new(ids)) {
            (Some(tail), &[id], _) => Ids::with_tail(id, tail),
            (None, _, Some(ids)) => ids,
            _ if ids.len() > MANY => return,
            _ => self.keep_elsewhere(tail, ids),
        };
        self.put(key.0 | spelled, hash, ids);
    }

    fn keep_elsewhere(&mut self, tail: Option<Tail>, ids: &[TokenId]) -> Ids {
        let words = TAIL_WORDS + ids.len();
        let half = self.most_many / 2;
        if self.filled % half + words + BEHIND > half {
            self.filled = (self.filled / half + 1) % 2 * half;
            self.forget_many(self.filled..self.filled + half);
        }
        let start = self.filled;
        if self.many.len() < start + words + BEHIND {
            let end = self.many.len() * 2;
            let end = end.clamp(start + words + BEHIND, self.most_many);
            // What is made longer in place keeps the small pages that it has.
            let mut more = Vec::with_capacity(end);
            advise_huge_pages(more.spare_capacity_mut());
            more.extend_from_slice(&self.many);
            more.resize(end, 0);
            self.many = more;
        }
        let words = tail.iter().flatten().chain(ids);
        for (there, &word) in self.many[start..].iter_mut().zip(words) {
            *there = word;
            self.filled += 1;
        }
        Ids::elsewhere(start, ids.len())
    }

    /// Forgets the pieces whose ids stand in this part of the array.
    #[cold]
    fn forget_many(&mut self, part: Range<usize>) {
        for line in &mut *self.lines {
            for (key, ids) in line.keys.iter_mut().zip(&line.ids) {
                if *key != 0 && ids.count() == ELSEWHERE && part.contains(&ids.place().0) {
                    *key = 0;
                    self.used -= 1;
                }
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
                        ids.0[0] &= !MET;
                    }
                }
            }
        }
        let there = &mut self.lines[line];
        there.keys[place] = key;
        let overfull = there.ids[place].0[0] & OVERFULL;
        there.ids[place] = ids;
        there.ids[place].0[0] |= overfull;
        let first = self.lines_of(hash)[0];
        if line != first {
            self.lines[first].ids[0].0[0] |= OVERFULL;
        }
    }

    /// Makes the table four times as large. Pieces find their new lines by their hashes.
    #[cold]
    fn grow(&mut self, seeds: &Seeds) {
        let lines = (self.lines.len() * 4).min(self.most_lines);
        let old = std::mem::replace(&mut self.lines, HugeTable::filled(lines, FREE));
        self.used = 0;
        for line in &*old {
            for (&key, &(mut ids)) in line.keys.iter().zip(&line.ids) {
                if key != 0 {
                    ids.0[0] &= !OVERFULL;
                    let plain = Key(key & !SPELLED);
                    self.put(key, seeds.hash(plain), ids);
                }
            }
        }
    }
}

/// Where a piece stands first: the hash as a fraction of all lines.
#[inline(always)]
fn line_of(hash: u64, lines: usize) -> usize {
    ((u128::from(hash) * lines as u128) >> 64) as usize
}

#[inline(always)]
fn second_line_of(hash: u64, lines: usize) -> usize {
    line_of(hash.rotate_left(32), lines)
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
fn tail_of_head(key: Key, piece: &[u8]) -> Option<Tail> {
    (key.is_head() && piece.len() < LONGEST).then(|| tail(piece, piece.len()))
}

/// The twelve bytes before `end`, of at least 16.
#[inline(always)]
fn tail(text: &[u8], end: usize) -> Tail {
    let bytes = sixteen_bytes(text, end.wrapping_sub(16));
    [bytes >> 32, bytes >> 64, bytes >> 96].map(|word| word as u32)
}

/// The length in the key of a piece whose head and tail are not all of it: 28 bytes and more.
pub(super) const LONGEST: usize = INLINE + 4 * (INLINE_IDS - 1) + 1;

/// Set in the key of a long piece that its ids must spell.
const SPELLED: u128 = 1 << 127;

/// Words of the array of the smallest table: in half of it all that may be kept has room.
const FEWEST_MANY: usize = 1 << 8;

const _: () = assert!(TAIL_WORDS + MANY + BEHIND <= FEWEST_MANY / 2);

/// Words behind the ids in the array.
const BEHIND: usize = TAIL_WORDS + COPIED;

/// A piece with more ids is not kept: it hardly comes again.
const MANY: usize = 64;

/// What stands at a place, the best to be taken first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Choice {
    Free,
    Unmet,
    Met,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Tier;
    use crate::vocab::{Repeats, Vocab};
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Single bytes and a few tokens: ids spell whatever they are made to spell.
    fn vocab() -> Vocab {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let long = [b'a'; 20];
        let tokens: [&[u8]; 4] = [b"ab", b"abab", b"aaaaaaaa", &long];
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        Vocab::new((0..).zip(all), Repeats::Refuse).unwrap()
    }

    /// Some way to spell a piece.
    fn spelled(vocab: &Vocab, mut piece: &[u8]) -> Vec<TokenId> {
        let mut ids = Vec::new();
        while !piece.is_empty() {
            let longest = (1..=piece.len().min(20)).rev();
            let found = longest.map(|length| vocab.id(&piece[..length]));
            let id = found.flatten().next().unwrap();
            piece = &piece[vocab.token(id).unwrap().len()..];
            ids.push(id);
        }
        ids
    }

    proptest! {
        /// In a table so small that most has no place, and in one that has room for all.
        #[test]
        fn what_is_found_is_what_was_put_there(
            pieces in prop::collection::vec(prop_oneof![
                2 => "[a-d]{1,5}", 3 => "[a-z]{12,30}", 1 => "[ab]{1,40}", 1 => "a{15,70}",
            ], 1..80),
            asked in prop::collection::vec(any::<prop::sample::Index>(), 200),
            few in any::<bool>(),
        ) {
            let vocab = vocab();
            let seeds = vocab.seeds();
            let mut table = PieceTable::new(if few { 0 } else { 1 << 20 });
            let mut known: HashMap<&[u8], Vec<TokenId>> = HashMap::new();
            let mut kept = 0;
            for asked in &asked {
                let piece = asked.get(&pieces).as_bytes();
                let ids = known.entry(piece).or_insert_with(|| spelled(&vocab, piece));
                let key = head_key(piece, 0..piece.len());

                let mut group = [Prepared::NONE; GROUP];
                let mut room = [0; ROOM];
                let tier = Tier::best();
                let ends = [piece.len()];
                table.prepare(tier, seeds, piece, 0, &ends, &mut group);
                let found = table.look_up(tier, seeds, piece, &ends, &group[..1], &mut room);
                prop_assert!(!found.full);
                if found.pieces == 1 {
                    prop_assert_eq!(&room[..found.ids], &ids[..]);
                    kept += 1;
                    continue;
                }
                let mut there = Vec::new();
                let is_there = table.find(&vocab, key, seeds.hash(key), piece, &mut there);
                prop_assert!(!(found.absent && is_there && piece.len() < LONGEST));
                if is_there {
                    prop_assert_eq!(&there, ids);
                    kept += 1;
                } else {
                    table.insert(seeds, key, piece, ids);
                }
            }
            // Long ones with one head push each other out, short ones rarely.
            prop_assert!(few || 2 * kept >= asked.len() - known.len());
        }
    }
}

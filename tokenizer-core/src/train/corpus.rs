//! The symbols of all words, and the one operation on them: merge a pair within a word.
//!
//! A word is a run of 32-bit numbers in one arena: how many symbols it had, how many it has, its
//! count in two halves, and its symbols. A visit to a word of up to a dozen symbols is a visit to
//! one cache line, or two. A word keeps its place and only gets shorter; the place is its name.

use crate::arch::prefetch;
use crate::token::{Count, Pair, TokenId};
use crate::words::Words;

/// The distinct pieces as tokens.
pub(super) struct Corpus {
    arena: Vec<u32>,
}

/// Where a word begins in the arena.
pub(super) type Place = u32;

/// Numbers in front of the symbols of a word: capacity, length, count (lower half, upper half).
pub(super) const HEADER: usize = 4;

/// One place where a pair was merged.
pub(super) struct Merged {
    /// The symbol before, if there is one; the merged token itself when two merges touch.
    pub(super) before: Option<TokenId>,
    /// The symbol behind, if there is one, as it was.
    pub(super) behind: Option<TokenId>,
}

/// Why pieces cannot be trained on.
pub(super) enum Unfit {
    /// The pairs together occur more than 2^64 - 1 times.
    Counts,
    /// The arena would have more places than a place can number.
    Size,
}

impl Corpus {
    /// Every piece of two bytes or more, each byte as its symbol. Shorter ones hold no pair.
    pub(super) fn new(words: &Words, symbols: &[TokenId; 256]) -> Result<Self, Unfit> {
        let symbol = |&byte: &u8| symbols[usize::from(byte)];
        let pieces = words
            .iter()
            .map(|(piece, count)| (piece.iter().map(symbol), count));
        Self::build(words.distinct_bytes() + HEADER * words.len(), pieces)
    }

    /// Words that are tokens already, together not more than `symbols`.
    pub(super) fn from_symbols<S: ExactSizeIterator<Item = TokenId>>(
        symbols: usize,
        words: impl ExactSizeIterator<Item = (S, Count)>,
    ) -> Result<Self, Unfit> {
        Self::build(symbols + HEADER * words.len(), words)
    }

    fn build<S: ExactSizeIterator<Item = TokenId>>(
        capacity: usize,
        words: impl Iterator<Item = (S, Count)>,
    ) -> Result<Self, Unfit> {
        let mut arena = Vec::with_capacity(capacity);
        let mut pairs: Count = 0;
        for (symbols, count) in words.filter(|(symbols, _)| symbols.len() > 1) {
            let occurrences = (symbols.len() as Count - 1).checked_mul(count);
            let sum = occurrences.and_then(|more| pairs.checked_add(more));
            pairs = sum.ok_or(Unfit::Counts)?;
            Place::try_from(arena.len() + HEADER + symbols.len()).map_err(|_| Unfit::Size)?;
            let length = symbols.len() as u32;
            arena.extend([length, length, count as u32, (count >> 32) as u32]);
            arena.extend(symbols);
        }
        Ok(Corpus { arena })
    }

    /// Every word: its place, its symbols, its count.
    pub(super) fn words(&self) -> impl Iterator<Item = (Place, &[TokenId], Count)> {
        let mut rest = self.arena.as_slice();
        std::iter::from_fn(move || {
            let (header, behind) = rest.split_first_chunk::<HEADER>()?;
            let place = self.arena.len() - rest.len();
            let (symbols, next) = behind.split_at(header[0] as usize);
            rest = next;
            Some((
                place as Place,
                &symbols[..header[1] as usize],
                count(header),
            ))
        })
    }

    /// Asks for a word that is about to be merged in.
    #[inline(always)]
    pub(super) fn prefetch(&self, place: Place) {
        prefetch(&self.arena, place as usize);
        prefetch(&self.arena, place as usize + 12);
    }

    /// Replaces `pair` by `token` in one word, from the left, and calls `each` at every place with
    /// the count of the word.
    #[inline(always)]
    pub(super) fn merge(
        &mut self,
        place: Place,
        pair: Pair,
        token: TokenId,
        mut each: impl FnMut(Merged, Count),
    ) {
        let Some((header, behind)) = self.arena[place as usize..].split_first_chunk_mut::<HEADER>()
        else {
            return;
        };
        let count = count(header);
        let symbols = &mut behind[..header[1] as usize];
        let (left, right) = (pair.left(), pair.right());
        // Nothing moves before the first place.
        let is_pair = |pair: &[TokenId]| pair == [left, right];
        let Some(first) = symbols.windows(2).position(is_pair) else {
            return;
        };
        let (mut read, mut write) = (first, first);
        while read < symbols.len() {
            let here = symbols[read];
            if here != left || symbols.get(read + 1) != Some(&right) {
                symbols[write] = here;
                (read, write) = (read + 1, write + 1);
                continue;
            }
            let merged = Merged {
                before: (write > 0).then(|| symbols[write - 1]),
                behind: symbols.get(read + 2).copied(),
            };
            each(merged, count);
            symbols[write] = token;
            (read, write) = (read + 2, write + 1);
        }
        header[1] = write as u32;
    }
}

fn count(header: &[u32; HEADER]) -> Count {
    Count::from(header[2]) | Count::from(header[3]) << 32
}

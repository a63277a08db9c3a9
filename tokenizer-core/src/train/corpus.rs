//! The symbols of all words, one cell each, and the one operation on them: merge a pair at the
//! places where it stands.
//!
//! **Layout.** A word is its count, its symbols, and an end mark, in one arena of 32-bit cells. A
//! place is the number of the cell in which a symbol begins. A merge moves nothing: the new symbol
//! takes the cells of the two it is made of, and its id is written into its first cell and into its
//! last. So the symbol behind one is found by its width in cells, the symbol before one by reading
//! the cell before it, and a merge costs the same in a word of two symbols as in one of a hundred
//! million. The first cell of a right half is blanked, unless it is the last one of the new symbol
//! as well: so a place that was noted for a pair still holds it exactly when the two ids are there.
//! (An id is never made again, and a blanked place never begins a symbol again.)
//!
//! The upper bits of a cell say how far it is from the beginning of its word, where the count is.
//! Pieces that are too long for that, or whose counts pass 32 bits, stand in a list beside.
//!
//! **Compaction.** When all places are found anew anyway (see `pairs.rs`), the symbols are moved
//! together and are one cell wide again, and words of a single symbol go.
//!
//! **Cost.** A merge at a place reads four cells that stand near each other and the count, and
//! writes up to three. Four bytes a symbol, eight a word.
//!
//! Not worth it: words that are searched for the pair and shortened in place. It took 60 ns a word
//! on mixed scripts, half of it in the search, against some 20 ns a place here; and a word of 1 MB cost
//! a megabyte for every merge.

use std::iter::Peekable;
use std::slice;

use crate::parallel;
use crate::piece_counts::PieceCounts;
use crate::simd::prefetch;
use crate::stop::Stop;
use crate::token::{Count, Pair, TokenId};

use super::cell::{BLANK, END, Place, cell, distance, id, relabelled};
use super::neighbours::Neighbours;
use super::thresholds::Thresholds;

/// Cells of a word besides its symbols: the count and the end.
pub(super) const EDGES: usize = 2;

/// After how many places it is looked whether to stop.
const LOOK_EVERY: usize = 1 << 12;

/// How many places ahead cells are asked for from memory; half of that, and the count is.
const PREFETCH: usize = 24;

/// The distinct pieces as tokens.
pub(crate) struct Corpus {
    cells: Vec<u32>,
    /// Ascending.
    exceptions: Vec<Exception>,
    /// Where words begin (the cell of the count), about `part_cells` apart; ascending.
    parts: Vec<usize>,
    /// The pairs of all words together, each with its count.
    pairs: Count,
    thresholds: Thresholds,
}

/// A word whose length or count does not fit into its cells.
#[derive(Clone, Copy)]
struct Exception {
    /// Its first symbol.
    first: Place,
    count: Count,
}

/// Why pieces cannot be trained on.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The pairs together occur more than 2^64 - 1 times.
    Counts,
    /// There would be more cells than a place can number.
    Size,
}

/// A pair that is to be merged, and what it becomes.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) left: TokenId,
    pub(super) right: TokenId,
    pub(super) token: TokenId,
    /// The widths of the two, in cells.
    pub(super) left_width: u32,
    pub(super) right_width: u32,
}

impl Corpus {
    /// Every piece of two bytes or more, each byte as its symbol. Shorter ones hold no pair.
    pub(super) fn new(
        words: &PieceCounts,
        symbols: &[TokenId; 256],
        thresholds: Thresholds,
    ) -> Result<Self, Unfit> {
        let symbol = |&byte: &u8| symbols[usize::from(byte)];
        let pieces = words.iter();
        let pieces = pieces.map(|(piece, count)| (piece.iter().map(symbol), count));
        let cells = words.distinct_bytes() + EDGES * words.len();
        Self::build(cells, pieces, thresholds)
    }

    /// Pieces that are tokens already, together not more than `symbols`.
    pub(crate) fn from_symbols<S: ExactSizeIterator<Item = TokenId>>(
        symbols: usize,
        words: impl ExactSizeIterator<Item = (S, Count)>,
        thresholds: Thresholds,
    ) -> Result<Self, Unfit> {
        Self::build(symbols + EDGES * words.len(), words, thresholds)
    }

    fn build<S: ExactSizeIterator<Item = TokenId>>(
        cells: usize,
        words: impl Iterator<Item = (S, Count)>,
        thresholds: Thresholds,
    ) -> Result<Self, Unfit> {
        let mut corpus = Corpus {
            cells: Vec::with_capacity(cells),
            exceptions: Vec::new(),
            parts: Vec::new(),
            pairs: 0,
            thresholds,
        };
        for (symbols, count) in words {
            corpus.push(symbols, count)?;
        }
        Ok(corpus)
    }

    /// Adds a word that occurs `count` times, unless it holds no pair.
    fn push(
        &mut self,
        symbols: impl ExactSizeIterator<Item = TokenId>,
        count: Count,
    ) -> Result<(), Unfit> {
        let length = symbols.len();
        if length < 2 || count == 0 {
            return Ok(());
        }
        let occurrences = (length as Count - 1).checked_mul(count);
        let sum = occurrences.and_then(|more| self.pairs.checked_add(more));
        self.pairs = sum.ok_or(Unfit::Counts)?;
        let begin = self.cells.len();
        Place::try_from(begin + length + EDGES).map_err(|_| Unfit::Size)?;
        let thresholds = self.thresholds;
        begin_part(&mut self.parts, begin, thresholds);
        let large = Count::from(thresholds.large_count);
        self.cells.push(large.min(count) as u32);
        let cell = |(distance, id)| cell(id, distance, thresholds.far);
        self.cells.extend((0..).zip(symbols).map(cell));
        self.cells.push(END);
        if is_exception(length, self.cells[begin], thresholds) {
            let first = begin as Place + 1;
            self.exceptions.push(Exception { first, count });
        }
        Ok(())
    }

    /// How often all pairs occur together.
    pub(super) fn pairs(&self) -> Count {
        self.pairs
    }

    pub(super) fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The pair that stands at a place. Every symbol must be one cell wide.
    #[inline(always)]
    pub(super) fn pair_at(&self, place: Place) -> Pair {
        let at = place as usize;
        Pair::new(id(self.cells[at]), id(self.cells[at + 1]))
    }

    /// The count of the word in which a symbol begins at a place.
    pub(super) fn count_at(&self, place: Place) -> Count {
        let at = place as usize;
        count_at(&self.cells, &self.exceptions, 0, at, self.thresholds)
    }

    /// Where to cut the words into at most `count` runs of about equal size.
    pub(super) fn cuts(&self, count: usize) -> Vec<usize> {
        let parts = self.parts.len();
        let mut cuts: Vec<usize> = (1..count).map(|run| parts * run / count).collect();
        cuts.dedup();
        cuts.retain(|&part| part > 0);
        cuts.iter().map(|&part| self.parts[part]).collect()
    }

    /// The runs of words between `cuts`.
    pub(super) fn runs(&mut self, cuts: &[usize]) -> Vec<Run<'_>> {
        let ends = cuts.iter().copied().chain([self.cells.len()]);
        let (mut cells, mut exceptions) = (&mut self.cells[..], &self.exceptions[..]);
        let mut first = 0;
        let mut runs = Vec::with_capacity(cuts.len() + 1);
        for end in ends {
            let here = exceptions.partition_point(|e| (e.first as usize) < end);
            let (cells_here, exceptions_here);
            (cells_here, cells) = cells.split_at_mut(end - first);
            (exceptions_here, exceptions) = exceptions.split_at(here);
            runs.push(Run {
                cells: cells_here,
                first: first as Place,
                exceptions: exceptions_here,
                thresholds: self.thresholds,
            });
            first = end;
        }
        runs
    }

    /// Takes note that runs have been compacted: what they are now, in their order. Gives the cuts
    /// between them.
    pub(super) fn join(&mut self, runs: Vec<Compacted>) -> Vec<usize> {
        self.parts.clear();
        self.exceptions.clear();
        let mut cuts = Vec::with_capacity(runs.len());
        let mut end = 0;
        for run in runs {
            cuts.push(end);
            let first = run.first as usize;
            self.cells.copy_within(first..first + run.length, end);
            self.parts.extend(run.parts.iter().map(|part| end + part));
            let moved = run.exceptions.iter().map(|e| Exception {
                first: e.first + end as Place,
                ..*e
            });
            self.exceptions.extend(moved);
            end += run.length;
        }
        self.cells.truncate(end);
        cuts.split_off(1.min(cuts.len()))
    }

    /// Merges a pair at those of `places` (ascending) where it still stands, from the left, and
    /// notes what stood beside it: on as many threads as there are `neighbours`, if it is worth it.
    pub(super) fn merge(
        &mut self,
        rule: Rule,
        places: &[Place],
        neighbours: &mut [Neighbours],
        stop: &Stop,
    ) {
        let worth_it = places.len() / self.thresholds.places_for_a_thread;
        let runs = neighbours.len().min(worth_it);
        if runs < 2 {
            let mut run = Run {
                cells: &mut self.cells,
                first: 0,
                exceptions: &self.exceptions,
                thresholds: self.thresholds,
            };
            return run.merge(rule, places, &mut neighbours[0], stop);
        }
        // Pieces are cut where the places are about evenly shared.
        let share = |run: usize| places[places.len() * run / runs] as usize;
        let part_of = |place: usize| self.parts.partition_point(|&part| part <= place) - 1;
        let mut cuts: Vec<usize> = (1..runs)
            .map(|run| self.parts[part_of(share(run))])
            .collect();
        cuts.dedup();
        let mut rest = places;
        let mut work = Vec::with_capacity(runs);
        for (run, neighbours) in self.runs(&cuts).into_iter().zip(neighbours) {
            let end = run.first as usize + run.cells.len();
            let places;
            (places, rest) = rest.split_at(rest.partition_point(|&place| (place as usize) < end));
            work.push((run, places, neighbours));
        }
        parallel::map(work.into_iter(), |(mut run, places, neighbours)| {
            run.merge(rule, places, neighbours, stop);
        });
    }
}

/// Some of the words that follow each other, for one thread.
pub(super) struct Run<'c> {
    cells: &'c mut [u32],
    /// The place of the first cell.
    first: Place,
    exceptions: &'c [Exception],
    thresholds: Thresholds,
}

/// What has become of a run. Places count from its beginning.
pub(super) struct Compacted {
    /// The place of the run before.
    first: Place,
    /// Cells it has now.
    length: usize,
    parts: Vec<usize>,
    exceptions: Vec<Exception>,
}

impl Run<'_> {
    /// Moves symbols together, so that each is one cell wide, and drops words that hold no pair.
    /// `width` gives the width of an id until then. Calls `each_pair` with every pair and the count
    /// of its word.
    pub(super) fn compact(
        &mut self,
        width: impl Fn(TokenId) -> u32,
        stop: &Stop,
        mut each_pair: impl FnMut(TokenId, TokenId, Count),
    ) -> Compacted {
        let thresholds = self.thresholds;
        let mut compacted = Compacted {
            first: self.first,
            length: 0,
            parts: Vec::new(),
            exceptions: Vec::new(),
        };
        let mut exceptions = self.exceptions.iter().peekable();
        let (mut read, mut write) = (0, 0);
        while let Some(&small_count) = self.cells.get(read)
            && !stop.is_set()
        {
            let count = self.count_of_next(&mut exceptions, read, small_count);
            let begin = write;
            let mut before = id(self.cells[read + 1]);
            read += 1 + width(before) as usize;
            self.cells[begin] = small_count;
            self.cells[begin + 1] = cell(before, 0, thresholds.far);
            let mut length = 1;
            loop {
                let here = id(self.cells[read]);
                if here == END {
                    break;
                }
                read += width(here) as usize;
                self.cells[begin + 1 + length] = cell(here, length as u32, thresholds.far);
                length += 1;
                each_pair(before, here, count);
                before = here;
            }
            read += 1;
            if length == 1 {
                continue;
            }
            self.cells[begin + 1 + length] = END;
            write = begin + length + EDGES;
            begin_part(&mut compacted.parts, begin, thresholds);
            if is_exception(length, small_count, thresholds) {
                let first = begin as Place + 1;
                compacted.exceptions.push(Exception { first, count });
            }
        }
        compacted.length = write;
        compacted
    }

    /// Calls `each` with every pair, the place of its left half and the count of its word. Every
    /// symbol must be one cell wide.
    pub(super) fn for_each_pair(
        &self,
        stop: &Stop,
        mut each: impl FnMut(TokenId, TokenId, Place, Count),
    ) {
        let mut exceptions = self.exceptions.iter().peekable();
        let mut at = 0;
        while let Some(&small_count) = self.cells.get(at)
            && !stop.is_set()
        {
            let count = self.count_of_next(&mut exceptions, at, small_count);
            at += 1;
            let mut left = id(self.cells[at]);
            loop {
                let right = id(self.cells[at + 1]);
                if right == END {
                    break;
                }
                each(left, right, self.first + at as Place, count);
                left = right;
                at += 1;
            }
            at += 2;
        }
    }

    /// Asks for the cell of a place.
    #[inline(always)]
    fn prefetch(&self, place: Place) {
        prefetch(self.cells, (place - self.first) as usize);
    }

    /// Asks for what stands around a place whose cell has been asked for, and for the count.
    #[inline(always)]
    fn prefetch_word(&self, place: Place) {
        let at = (place - self.first) as usize;
        prefetch(self.cells, at - distance(self.cells[at]) as usize - 1);
        prefetch(self.cells, at + 4);
    }

    /// The count of the word that begins in cell `at` with `small_count`; words come in order.
    #[inline(always)]
    fn count_of_next(
        &self,
        exceptions: &mut Peekable<slice::Iter<'_, Exception>>,
        at: usize,
        small_count: u32,
    ) -> Count {
        let first = self.first + at as Place + 1;
        let exception = exceptions.next_if(|e| e.first == first);
        exception.map_or(small_count.into(), |e| e.count)
    }

    fn merge(&mut self, rule: Rule, places: &[Place], neighbours: &mut Neighbours, stop: &Stop) {
        neighbours.make_room(rule.token as usize + 1);
        let thresholds = self.thresholds;
        let left_width = rule.left_width as usize;
        let width = left_width + rule.right_width as usize;
        let soon = &places[..places.len().min(PREFETCH)];
        soon.iter().for_each(|&place| self.prefetch(place));
        for &place in &soon[..soon.len().min(PREFETCH / 2)] {
            self.prefetch_word(place);
        }
        for (number, &place) in places.iter().enumerate() {
            if number.is_multiple_of(LOOK_EVERY) && stop.is_set() {
                return;
            }
            if let Some(&later) = places.get(number + PREFETCH) {
                self.prefetch(later);
            }
            if let Some(&later) = places.get(number + PREFETCH / 2) {
                self.prefetch_word(later);
            }
            let at = (place - self.first) as usize;
            // The cell before (the count, at the beginning of a word), both symbols, the cell behind.
            let near = self.cells.get_mut(at - 1..=at + width);
            let halves = near.and_then(|near| near.split_at_mut_checked(1 + left_width));
            let Some(([before, here, ..], [right, rest @ ..])) = halves else {
                continue;
            };
            if id(*here) != rule.left || id(*right) != rule.right {
                continue;
            }
            let first = *here;
            *here = relabelled(first, rule.token);
            let before = if distance(first) == 0 {
                END
            } else {
                id(*before)
            };
            let behind;
            match rest {
                [behind_cell] => {
                    behind = id(*behind_cell);
                    *right = rule.token;
                }
                [.., last, behind_cell] => {
                    behind = id(*behind_cell);
                    *right = BLANK;
                    *last = rule.token;
                }
                [] => continue,
            }
            let count = count_at(self.cells, self.exceptions, self.first, at, thresholds);
            neighbours.add(place, before, behind, count);
        }
    }
}

/// The count of the word in which a symbol begins in cell `at` of cells whose first one is `first`.
#[inline(always)]
fn count_at(
    cells: &[u32],
    exceptions: &[Exception],
    first: Place,
    at: usize,
    thresholds: Thresholds,
) -> Count {
    let distance = distance(cells[at]);
    if distance < thresholds.far {
        let count = cells[at - distance as usize - 1];
        if count != thresholds.large_count {
            return count.into();
        }
    }
    count_of_exception(exceptions, first + at as Place)
}

#[cold]
fn count_of_exception(exceptions: &[Exception], place: Place) -> Count {
    let behind = exceptions.partition_point(|e| e.first <= place);
    exceptions[behind - 1].count
}

/// Begins a part with a word if the last one is large enough.
fn begin_part(parts: &mut Vec<usize>, word: usize, thresholds: Thresholds) {
    let is_full = |&part: &usize| word - part >= thresholds.part_cells;
    if parts.last().is_none_or(is_full) {
        parts.push(word);
    }
}

fn is_exception(length: usize, small_count: u32, thresholds: Thresholds) -> bool {
    length > thresholds.far as usize || small_count == thresholds.large_count
}

//! Merging a piece of any length, window by window.
//!
//! **The idea.** Whether two tokens that stand side by side stay apart depends on these two alone.
//! So the tokens of a long piece can be found a stretch at a time: merge a window as if it were
//! all there is, keep its first tokens, and begin the next window where they end.
//!
//! **Why that is exact.** Look at merging as a run of steps, each at the pair with the lowest rank,
//! the leftmost of several. Take two adjacent tokens of the result, `x` and `y`. No step ever
//! crossed the outer ends of `x` and `y`, so the steps inside them are just those that merging the
//! bytes of `x y` alone takes, in the same order: what stands elsewhere can only come in between.
//! Hence:
//!
//! 1. If `x y` stand side by side in the tokens of any text, then merging the bytes of `x y` alone
//!    never crosses the border between them.
//! 2. Let `u` be a text whose last token is `x`, and `v` one whose first token is `y`. If merging
//!    the bytes of `x y` alone never crosses the border, merging `u v` does not either: the first
//!    step that did would do so in `x y` alone too. So the tokens of `u v` are those of `u` and
//!    then those of `v`.
//! 3. The tokens of a text up to one of their ends are the tokens of the text up to there.
//!
//! Nothing is asked of the ranks: tables that were not trained in order are no exception.
//!
//! **The steps.** Of a window's tokens those are kept that begin in its first part, but for the
//! last of these, call it `y`, where the next window begins. If `y` is the first token of the next
//! window too, then 1 (of the window before) and 2 let the two be put together. If it is not, the
//! last tokens kept are given back, and the next window begins with the first of these; it must come
//! out first then.
//! An eighth of the window is given back at once; where that brings nothing a few times, or where a
//! window has no second token to begin with, a larger window is taken, and more is given back.
//!
//! **Cost.** Windows of 64 bytes, of which 56 are kept, merged in a line (`line.rs`). A direct-mapped
//! cache has the tokens of 256 windows. Where a token of 56 bytes or more is expected, a window has at
//! least eight times its bytes; after one with a single token, the next is four times as wide. Where
//! windows do not meet, 4096 bytes are merged, and four times as many where that does not do. Windows
//! of more than 64 bytes, mostly one character many times over, are merged as runs (`runs.rs`), and
//! others on a heap (`heap.rs`).

use std::sync::atomic::{AtomicBool, Ordering};

use super::heap::Heap;
use super::line::{Job, LINE, Lines};
use super::rules::Rules;
use super::runs::Runs;
use crate::hash::Seeds;
use crate::simd::Tier;
use crate::token::TokenId;
use crate::vocab::Vocab;

/// Merges pieces; its memory is used again from piece to piece.
pub(super) struct Merger {
    seeds: Seeds,
    stretch: Stretch,
    /// A direct-mapped cache of windows; empty before the first long piece.
    windows: Vec<Window>,
    /// The last window that is wider than those in the cache.
    wide_window: Window,
    /// Bytes of all windows that were merged.
    #[cfg(test)]
    merged: usize,
}

/// Merges a stretch as a whole.
struct Stretch {
    lines: Lines,
    runs: Runs,
    heap: Heap,
}

impl Stretch {
    /// Appends the tokens of `bytes`, with the places of their first bytes.
    fn merge(&mut self, rules: &Rules, bytes: &[u8], tokens: &mut Vec<(usize, TokenId)>) {
        if bytes.len() > LINE {
            if self.runs.merge(rules, bytes) {
                tokens.extend(self.runs.tokens(rules.vocab()));
                return;
            }
        } else if let Some(merged) = self.lines.merge_one(rules, bytes) {
            tokens.extend(merged);
            return;
        }
        self.heap.merge(rules, bytes);
        tokens.extend(self.heap.tokens());
    }
}

/// The tokens of a stretch of text, with the places of their first bytes in it.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    tokens: Vec<(usize, TokenId)>,
}

/// Bytes of the smallest window on the heap.
const WIDE: usize = 4096;

/// Bytes of a token that a window in a line is too small for: it keeps those that begin before.
const SHORT: usize = kept_part(LINE);

/// Windows whose tokens are kept. With the last one alone, text with runs of 128 letters took 8 times
/// as long as prose.
const WINDOWS: usize = 256;

/// Bytes of the widest of them: together they take up to 5 MiB, and hardly ever a tenth of it.
const WIDEST_HASHED: usize = 1 << 10;

/// A wider window is not compared with the next one: its runs are merged as quickly.
const WIDEST_KEPT: usize = 1 << 16;

/// Tokens are kept that begin in the first seven eighths of a window. Three quarters were 8 to 10 %
/// slower: it is rare that a token further on comes out otherwise.
const fn kept_part(window: usize) -> usize {
    window - window / 8
}

impl Merger {
    pub(super) fn new(tier: Tier) -> Self {
        Merger {
            seeds: Seeds::new(),
            stretch: Stretch {
                lines: Lines::new(tier),
                runs: Runs::default(),
                heap: Heap::default(),
            },
            windows: Vec::new(),
            wide_window: Window::default(),
            #[cfg(test)]
            merged: 0,
        }
    }

    /// Gives back the memory that a large piece took.
    pub(super) fn free_large_buffers(&mut self) {
        self.stretch.runs = Runs::default();
        self.stretch.heap = Heap::default();
        self.wide_window = Window::default();
    }

    /// Appends the ids that merging makes of `piece`, which is not empty. Says whether these are all of
    /// them, and not `stop` was set before.
    #[inline]
    pub(super) fn merge(
        &mut self,
        rules: &Rules,
        piece: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let mut job = [Job::new(0, piece.len())];
        self.merge_jobs(rules, piece, &mut job, ids, stop)
    }

    /// Appends the ids of all jobs that are not done to `ids`, in any order; `false` if `stop` was set
    /// before the end.
    pub(super) fn merge_jobs(
        &mut self,
        rules: &Rules,
        text: &[u8],
        jobs: &mut [Job],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        self.stretch.lines.merge(rules, text, jobs, ids);
        for job in jobs.iter_mut().filter(|job| job.ids.is_none()) {
            let (bytes, first) = (&text[job.start..job.end], ids.len());
            if bytes.len() > LINE {
                if !self.merge_long(rules, bytes, ids, stop) {
                    return false;
                }
            } else {
                self.stretch.heap.merge(rules, bytes);
                ids.extend(self.stretch.heap.tokens().map(|(_, id)| id));
            }
            job.ids = Some(first..ids.len());
        }
        true
    }

    /// The tokens of a window.
    fn merge_window(&mut self, rules: &Rules, bytes: &[u8]) -> &[(usize, TokenId)] {
        let made = if bytes.len() > WIDEST_HASHED {
            &mut self.wide_window
        } else {
            self.windows.resize_with(WINDOWS, Window::default);
            let hash = self.seeds.hash(self.seeds.key(bytes, 0, bytes.len()));
            &mut self.windows[hash as usize % WINDOWS]
        };
        if made.bytes == bytes {
            return &made.tokens;
        }
        #[cfg(test)]
        {
            self.merged += bytes.len();
        }
        made.bytes.clear();
        if bytes.len() <= WIDEST_KEPT {
            made.bytes.extend_from_slice(bytes);
        }
        made.tokens.clear();
        self.stretch.merge(rules, bytes, &mut made.tokens);
        &made.tokens
    }

    #[cold]
    fn merge_long(
        &mut self,
        rules: &Rules,
        piece: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let first = ids.len();
        // The tokens of `piece[..at]` are in `ids` from `first` on, and `expected` stands
        // behind them in the window that the last of them is from.
        let mut at: usize = 0;
        let mut expected: Option<TokenId> = None;
        // How far windows have come, and how many in a row brought nothing.
        let mut furthest = at;
        let mut failures = 0;
        let mut least = LINE;
        loop {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return false;
            }
            let size = window_size(failures).max(least);
            let end = piece.len().min(at.saturating_add(size));
            let tokens = self.merge_window(rules, &piece[at..end]);
            if expected.is_some_and(|expected| expected != tokens[0].1) {
                // As the windows grow, so does what is given back: where no two windows ever meet,
                // it is all given back after a few. It is the smaller part of a window, so that the
                // windows come further.
                let to = at.saturating_sub(size / 8);
                while ids.len() > first && at > to {
                    expected = ids.pop();
                    let given = expected.and_then(|token| rules.vocab().token(token));
                    at -= given.map_or(0, <[u8]>::len);
                }
                if ids.len() == first {
                    expected = None;
                }
                least = expected.map_or(LINE, |token| least_window(rules.vocab(), token));
                failures += 1;
                continue;
            }
            if end == piece.len() {
                ids.extend(tokens.iter().map(|&(_, id)| id));
                return true;
            }
            // The first token begins at 0, so there is one at least.
            let kept = tokens.partition_point(|&(place, _)| place < kept_part(size)) - 1;
            let (place, next) = tokens[kept];
            if kept > 0 {
                ids.extend(tokens[..kept].iter().map(|&(_, id)| id));
                at += place;
                expected = Some(next);
                least = least_window(rules.vocab(), next);
            } else {
                // The same window would have the same tokens.
                least = 4 * size;
            }
            if at > furthest {
                (furthest, failures) = (at, 0);
            } else {
                failures += 1;
            }
        }
    }
}

/// After a few windows that brought nothing, each next one is wider: places where windows do not
/// meet cost as much as a few times their length.
fn window_size(failures: u32) -> usize {
    match failures {
        0..4 => LINE,
        _ => WIDE.saturating_mul(1 << (2 * (failures - 4)).min(40)),
    }
}

/// The smallest window that is worth merging where `first` is expected to begin: one that is no longer
/// than the token cannot have a second one.
fn least_window(vocab: &Vocab, first: TokenId) -> usize {
    match vocab.token(first).map_or(0, <[u8]>::len) {
        0..SHORT => LINE,
        length => length.saturating_mul(8).next_power_of_two(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::model::Model;
    use crate::pattern::{Pattern, PatternName};

    #[test]
    fn tokens_of_more_bytes_than_a_window_cost_no_more() {
        // Tokens of 2 to 128 letters, as large vocabularies have them for spaces: windows in a line
        // never meet here, and what is given back must not cost more than what is gained.
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let runs = (1..=7).map(|power| vec![b'x'; 1 << power]);
        let tokens: Vec<Vec<u8>> = bytes.chain(runs).collect();
        let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = Rules::new(Arc::new(model));
        // No two windows have the same bytes.
        let mut text = Vec::new();
        for number in 0..2000_usize {
            text.resize(text.len() + 128 * (1 + number % 7), b'x');
            text.extend(number.to_le_bytes().map(|byte| byte | 0x80));
        }
        let mut merger = Merger::new(Tier::best());
        let mut ids = Vec::new();
        assert!(merger.merge(&rules, &text, &mut ids, None));
        let long = (0..2000).map(|number| 1 + number % 7).sum::<usize>();
        assert_eq!(ids.len(), 2000 * size_of::<usize>() + long);
        let cost = merger.merged as f64 / text.len() as f64;
        assert!(cost < 2.0, "{cost} bytes merged for each byte");
    }
}

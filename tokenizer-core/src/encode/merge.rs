//! Merging a piece of any length, window by window.
//!
//! **Idea.** Whether two tokens can be adjacent in a result depends only on those two. So a long piece is
//! merged in windows: merge a window as if it were the whole piece, keep its first tokens, and start the next
//! window where they end.
//!
//! **Proof.** Merging is a sequence of steps, each at the pair with the lowest rank, leftmost first. Take
//! two adjacent tokens `x y` of a result. No step crossed the outer ends of `x y`, so the steps between
//! these ends are those of merging the bytes of `x y` alone, in the same order; steps elsewhere only
//! interleave. Hence:
//!
//! 1. If `x y` are adjacent in the tokens of any text, merging the bytes of `x y` alone never crosses the
//!    boundary between them.
//! 2. Let `x` be the last token of a text `u`, and `y` the first token of a text `v`. If merging the bytes of
//!    `x y` alone never crosses their boundary, neither does merging `u v`: the first step that did would
//!    also occur in `x y` alone. So the tokens of `u v` are the tokens of `u` followed by those of `v`.
//! 3. If a prefix of a text ends where a token ends, the tokens of the prefix are the tokens of the text up
//!    to there.
//!
//! The proof assumes nothing about ranks: it holds for vocabularies that no training would produce.
//!
//! **Algorithm.** Of the tokens that start in the first seven eighths of a window, all but the last are
//! kept. The next window starts at that last token, `y`. If `y` is also the first token of the next window,
//! the two windows join: by 1, applied to the previous window, and 2. If not, the last kept tokens are taken
//! back, about an eighth of a window. The next window starts at the first of these, and must begin with it
//! again. Windows grow after a few failures, or when nothing can be kept.
//!
//! **Cost.** Normally, windows have 64 bytes and are merged by a lane (`lockstep.rs`). A direct-mapped cache
//! holds the tokens of 256 windows. If a window must start with a token of 56 bytes or more, it has at least
//! eight times as many bytes. After a window of which nothing was kept, the next has four times as many.
//! After four failures in a row, a window has 4,096 bytes, and four times as many after each further one.
//! Windows over 64 bytes, mostly one repeated character, are merged as runs (`runs.rs`) or with a heap
//! (`heap.rs`).

use std::sync::atomic::{AtomicBool, Ordering};

use super::heap::HeapMerger;
use super::hidden::HiddenSymbols;
use super::lockstep::{LANE_BYTES, LockstepMerger, MergeJob};
use super::merge_rules::MergeRules;
use super::runs::RunMerger;
use crate::hash::Seeds;
use crate::simd::Tier;
use crate::token::TokenId;

/// Merges pieces of any length. Its buffers are reused.
pub(super) struct Merger {
    seeds: Seeds,
    window_merger: WindowMerger,
    /// Direct-mapped cache of windows; empty until the first long piece.
    windows: Vec<Window>,
    /// The last window too wide for the cache.
    wide_window: Window,
    /// Total bytes of the windows merged, not counting cache hits.
    #[cfg(test)]
    merged_bytes: usize,
}

/// Merges a window with the method that suits its length.
struct WindowMerger {
    lockstep: LockstepMerger,
    runs: RunMerger,
    heap: HeapMerger,
}

impl WindowMerger {
    /// Appends the tokens of `bytes`, with the offsets of their first bytes.
    fn merge(&mut self, rules: &MergeRules, bytes: &[u8], tokens: &mut Vec<(usize, TokenId)>) {
        if bytes.len() > LANE_BYTES {
            if self.runs.merge(rules, bytes) {
                tokens.extend(self.runs.tokens(rules));
                return;
            }
        } else if let Some(merged) = self.lockstep.merge_one(rules, bytes) {
            tokens.extend(merged);
            return;
        }
        self.heap.merge(rules, bytes);
        tokens.extend(self.heap.tokens());
    }
}

/// A merged window: its tokens, with the offsets of their first bytes.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    tokens: Vec<(usize, TokenId)>,
}

/// Width in bytes of the first window that is widened because of repeated failures.
const WIDE_WINDOW: usize = 4096;

/// Length in bytes from which a window that must start with a token is wider than the smallest one.
const LONG_TOKEN: usize = kept_bytes(LANE_BYTES);

/// Number of cached windows. If there were only one, text with runs of one letter, 128 times, would take
/// eight times as long as prose.
const CACHED_WINDOWS: usize = 256;

/// Width in bytes of the widest cached window. The cache takes up to 5 MiB, usually under 500 KiB.
const MAX_CACHED_BYTES: usize = 1 << 10;

/// Width in bytes up to which `wide_window` can serve as a cache of one window. Wider windows mostly consist
/// of runs, which are merged as fast as they are compared.
const MAX_COMPARED_BYTES: usize = 1 << 16;

/// Returns the length of the prefix of a window whose tokens are kept: seven eighths. Tokens near the end of
/// a window may differ from those of the piece, but rarely do: to keep only three quarters is 8 to 10 %
/// slower.
const fn kept_bytes(window: usize) -> usize {
    window - window / 8
}

impl Merger {
    pub(super) fn new(tier: Tier) -> Self {
        Merger {
            seeds: Seeds::new(),
            window_merger: WindowMerger {
                lockstep: LockstepMerger::new(tier),
                runs: RunMerger::default(),
                heap: HeapMerger::default(),
            },
            windows: Vec::new(),
            wide_window: Window::default(),
            #[cfg(test)]
            merged_bytes: 0,
        }
    }

    /// Frees the buffers that grow with the length of a piece.
    pub(super) fn free_large_buffers(&mut self) {
        self.window_merger.runs = RunMerger::default();
        self.window_merger.heap = HeapMerger::default();
        self.wide_window = Window::default();
    }

    /// Merges `piece`, which must not be empty, and appends its ids to `ids`. Returns `false` if `stop` was
    /// set before the end.
    #[inline]
    pub(super) fn merge(
        &mut self,
        rules: &MergeRules,
        piece: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let mut job = [MergeJob::new(0, piece.len())];
        self.merge_jobs(rules, piece, &mut job, ids, stop)
    }

    /// Merges the jobs whose ids are not known and appends their ids to `ids`, in any order. Returns
    /// `false` if `stop` was set before the end.
    pub(super) fn merge_jobs(
        &mut self,
        rules: &MergeRules,
        text: &[u8],
        jobs: &mut [MergeJob],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        if let Some(hidden) = rules.hidden().filter(|hidden| hidden.has_affixes()) {
            return self.merge_whole(rules, hidden, text, jobs, ids, stop);
        }
        self.window_merger.lockstep.merge(rules, text, jobs, ids);
        for job in jobs.iter_mut().filter(|job| job.ids.is_none()) {
            let (bytes, first) = (&text[job.start..job.end], ids.len());
            if bytes.len() > LANE_BYTES {
                if !self.merge_long(rules, bytes, ids, stop) {
                    return false;
                }
            } else {
                self.window_merger.heap.merge(rules, bytes);
                ids.extend(self.window_merger.heap.tokens().map(|(_, id)| id));
            }
            job.ids = Some(first..ids.len());
        }
        true
    }

    /// Like [`Merger::merge_jobs`], for a model whose symbols depend on their position in the piece: windows
    /// and lanes, which start from bytes, cannot be used. Each job is a whole piece.
    #[cold]
    fn merge_whole(
        &mut self,
        rules: &MergeRules,
        hidden: &HiddenSymbols,
        text: &[u8],
        jobs: &mut [MergeJob],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let heap = &mut self.window_merger.heap;
        for job in jobs.iter_mut().filter(|job| job.ids.is_none()) {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return false;
            }
            let (piece, first) = (&text[job.start..job.end], ids.len());
            heap.merge_symbols(rules, hidden.symbols(rules.vocab(), piece));
            ids.extend(heap.tokens().map(|(_, id)| id));
            job.ids = Some(first..ids.len());
        }
        true
    }

    /// Returns the tokens of a window, from the cache if possible.
    fn merge_window(&mut self, rules: &MergeRules, bytes: &[u8]) -> &[(usize, TokenId)] {
        let window = if bytes.len() > MAX_CACHED_BYTES {
            &mut self.wide_window
        } else {
            self.windows.resize_with(CACHED_WINDOWS, Window::default);
            let hash = self.seeds.hash(self.seeds.key(bytes, 0, bytes.len()));
            &mut self.windows[hash as usize % CACHED_WINDOWS]
        };
        if window.bytes == bytes {
            return &window.tokens;
        }
        #[cfg(test)]
        {
            self.merged_bytes += bytes.len();
        }
        window.bytes.clear();
        if bytes.len() <= MAX_COMPARED_BYTES {
            window.bytes.extend_from_slice(bytes);
        }
        window.tokens.clear();
        self.window_merger.merge(rules, bytes, &mut window.tokens);
        &window.tokens
    }

    /// Merges a piece of more than 64 bytes, window by window.
    #[cold]
    fn merge_long(
        &mut self,
        rules: &MergeRules,
        piece: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let first = ids.len();
        // Invariant: `ids[first..]` are the tokens of `piece[..at]`. If there are any, the window that
        // yielded the last of them has `expected` as its next token.
        let mut at: usize = 0;
        let mut expected: Option<TokenId> = None;
        // The highest value of `at` so far, and the number of windows since it last rose.
        let mut furthest = at;
        let mut failures = 0;
        let mut min_size = LANE_BYTES;
        loop {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return false;
            }
            let size = window_size(failures).max(min_size);
            let end = piece.len().min(at.saturating_add(size));
            let tokens = self.merge_window(rules, &piece[at..end]);
            if expected.is_some_and(|expected| expected != tokens[0].1) {
                // Take back about an eighth of the window, much less than a window usually adds. If windows
                // never agree, they grow, so that a few failures take back everything.
                let to = at.saturating_sub(size / 8);
                while ids.len() > first && at > to {
                    expected = ids.pop();
                    at -= expected.map_or(0, |token| rules.length(token));
                }
                if ids.len() == first {
                    expected = None;
                }
                min_size = expected.map_or(LANE_BYTES, |token| min_window(rules, token));
                failures += 1;
                continue;
            }
            if end == piece.len() {
                ids.extend(tokens.iter().map(|&(_, id)| id));
                return true;
            }
            // At least the first token starts in the prefix.
            let kept = tokens.partition_point(|&(offset, _)| offset < kept_bytes(size)) - 1;
            let (offset, next) = tokens[kept];
            if kept > 0 {
                ids.extend(tokens[..kept].iter().map(|&(_, id)| id));
                at += offset;
                expected = Some(next);
                min_size = min_window(rules, next);
            } else {
                // No second token starts in the prefix: only a wider window can have one.
                min_size = 4 * size;
            }
            if at > furthest {
                (furthest, failures) = (at, 0);
            } else {
                failures += 1;
            }
        }
    }
}

/// Returns the width of the next window after this number of failures in a row. Windows grow from the fourth
/// failure on, so that merging text on which they do not agree costs a few times its length.
fn window_size(failures: u32) -> usize {
    match failures {
        0..4 => LANE_BYTES,
        _ => WIDE_WINDOW.saturating_mul(1 << (2 * (failures - 4)).min(40)),
    }
}

/// Returns the smallest useful width of a window that must start with the token `first`: the window must
/// contain a second token.
fn min_window(rules: &MergeRules, first: TokenId) -> usize {
    match rules.length(first) {
        0..LONG_TOKEN => LANE_BYTES,
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
    fn tokens_longer_than_a_window_cost_no_more() {
        // Tokens of 2 to 128 letters, as large vocabularies have for spaces: windows of 64 bytes never
        // agree here, and taking tokens back must not cost more than windows gain.
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let runs = (1..=7).map(|power| vec![b'x'; 1 << power]);
        let tokens: Vec<Vec<u8>> = bytes.chain(runs).collect();
        let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = MergeRules::new(Arc::new(model));
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
        let cost = merger.merged_bytes as f64 / text.len() as f64;
        assert!(cost < 2.0, "{cost} bytes merged per byte of text");
    }
}

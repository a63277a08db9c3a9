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
//! **Cost.** Windows of 64 bytes, of which 56 are kept, merged in a line (`line.rs`). Those that are
//! too small for their tokens, mostly one character many times over, are merged as 4096 bytes on a
//! heap (`heap.rs`), and as four times as many where that does not do. A window with the bytes of the
//! one before has its tokens.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::borders::Borders;
use super::characters::Characters;
use super::heap::Heap;
use super::line::{LINE, Line};
use super::rules::Rules;
use crate::arch::Tier;
use crate::model::Model;
use crate::token::TokenId;

/// What merging works with; used again from piece to piece.
pub(super) struct Merger {
    line: Line,
    heap: Heap,
    characters: Characters,
    /// The last window in a line, and the last one on the heap.
    windows: [Window; 2],
    /// Bytes of all windows that were merged.
    #[cfg(test)]
    merged: usize,
}

/// The tokens of a stretch of text, with the places of their first bytes in it.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    tokens: Vec<(usize, TokenId)>,
}

/// Bytes of the smallest window on the heap.
const WIDE: usize = 4096;

/// Tokens are kept that begin in the first seven eighths of a window. Three quarters were 8 to 10 %
/// slower: it is rare that a token further on comes out otherwise.
fn kept_part(window: usize) -> usize {
    window - window / 8
}

impl Merger {
    pub(super) fn new(tier: Tier) -> Self {
        Merger {
            line: Line::new(tier),
            heap: Heap::default(),
            characters: Characters::default(),
            windows: Default::default(),
            #[cfg(test)]
            merged: 0,
        }
    }

    /// Gives back the memory that a large piece took.
    pub(super) fn forget_memory(&mut self) {
        self.heap = Heap::default();
        self.windows = Default::default();
    }

    /// Appends the ids that merging makes of the piece `text[piece]`, which is not empty. Says whether
    /// these are all of them, and not `stop` was set before.
    #[inline]
    pub(super) fn merge(
        &mut self,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        piece: Range<usize>,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        if piece.len() > LINE {
            return self.merge_long(rules, model, text, piece, ids, stop);
        }
        let begins = self.line.merge(rules, model, text, piece);
        self.line.append(begins, ids);
        true
    }

    /// As [`Merger::merge`], if the piece falls into short chunks (`characters.rs`). Says whether.
    #[inline]
    pub(super) fn merge_characters(
        &mut self,
        borders: &Borders,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        piece: Range<usize>,
        ids: &mut Vec<TokenId>,
    ) -> bool {
        let line = &mut self.line;
        self.characters
            .merge(borders, line, rules, model, text, piece, ids)
    }

    /// The tokens of a window.
    fn merge_window(
        &mut self,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        window: Range<usize>,
    ) -> &[(usize, TokenId)] {
        let wide = window.len() > LINE;
        if self.windows[usize::from(wide)].bytes != text[window.clone()] {
            let mut made = std::mem::take(&mut self.windows[usize::from(wide)]);
            made.bytes.clear();
            made.bytes.extend_from_slice(&text[window.clone()]);
            made.tokens.clear();
            #[cfg(test)]
            {
                self.merged += made.bytes.len();
            }
            if wide {
                self.heap
                    .merge(rules, model, &mut self.line.pairs, text, window);
                made.tokens.extend(self.heap.tokens());
            } else {
                let mut begins = self.line.merge(rules, model, text, window);
                while begins != 0 {
                    let at = begins.trailing_zeros();
                    made.tokens.push((at as usize, self.line.id(at)));
                    begins &= begins - 1;
                }
            }
            self.windows[usize::from(wide)] = made;
        }
        &self.windows[usize::from(wide)].tokens
    }

    #[cold]
    fn merge_long(
        &mut self,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        piece: Range<usize>,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let first = ids.len();
        // The tokens of `text[piece.start..at]` are in `ids` from `first` on, and `expected` stands
        // behind them in the window that the last of them is from.
        let mut at = piece.start;
        let mut expected: Option<TokenId> = None;
        // How far windows have come, and how many in a row brought nothing.
        let mut furthest = at;
        let mut failures = 0;
        loop {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return false;
            }
            let size = window_size(failures);
            let end = piece.end.min(at.saturating_add(size));
            let tokens = self.merge_window(rules, model, text, at..end);
            if expected.is_some_and(|expected| expected != tokens[0].1) {
                // As the windows grow, so does what is given back: where no two windows ever meet,
                // it is all given back after a few. It stays well below the window, so that this
                // comes further than the one before.
                let to = at.saturating_sub(size / 8);
                while let Some(token) = (ids.len() > first).then(|| ids.pop()).flatten() {
                    expected = Some(token);
                    at -= model.vocab().token(token).map_or(0, <[u8]>::len);
                    if at <= to {
                        break;
                    }
                }
                if ids.len() == first {
                    expected = None;
                }
                failures += 1;
                continue;
            }
            if end == piece.end {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{Pattern, PatternName};

    #[test]
    fn tokens_of_more_bytes_than_a_window_cost_no_more() {
        // Tokens of 2 to 128 letters, as large vocabularies have them for spaces: windows in a line
        // never meet here, and what is given back must not cost more than what is gained.
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let runs = (1..=7).map(|power| vec![b'x'; 1 << power]);
        let tokens: Vec<Vec<u8>> = bytes.chain(runs).collect();
        let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = Rules::new(&model);
        // No two windows have the same bytes.
        let mut text = Vec::new();
        for number in 0..2000_usize {
            text.resize(text.len() + 128 * (1 + number % 7), b'x');
            text.extend(number.to_le_bytes().map(|byte| byte | 0x80));
        }
        let mut merger = Merger::new(Tier::best());
        let mut ids = Vec::new();
        assert!(merger.merge(&rules, &model, &text, 0..text.len(), &mut ids, None));
        let long = (0..2000).map(|number| 1 + number % 7).sum::<usize>();
        assert_eq!(ids.len(), 2000 * size_of::<usize>() + long);
        let cost = merger.merged as f64 / text.len() as f64;
        assert!(cost < 2.0, "{cost} bytes merged for each byte");
    }
}

//! Runs the DFA over a text.
//!
//! The text is processed in windows of up to one kilobyte, in three passes. All three use one buffer:
//!
//! 1. Bytes become classes, 64 at a time.
//! 2. Pairs of classes become table indices, and indices become transitions, two bytes per step. Each step
//!    needs the state after the previous one. To overlap these waits, the window is divided into four lanes,
//!    whose steps are interleaved. Every lane but the first starts after a synchronizing pair: two classes
//!    that lead from every state to the same state. Nearly any text has such a pair every few bytes; without
//!    them, the window is a single lane.
//! 3. The flags of the transitions become the ends of pieces, 64 bytes at a time.
//!
//! **Cost.** Nine instructions per byte of English. Each end that is decided late ([`MORE`]) costs twenty
//! more; with cl100k, an indented line has two such ends.

use super::pending::{Decided, Distance, MAX_DISTANCE, REMEMBER_DISTANCE};
use super::{Automaton, CONTINUATION, END, Entry, HERE, MORE, state_of};
use crate::pattern::spans::Spans;
use crate::pattern::utf8::{Utf8, bits, first_block};
use crate::simd::{BLOCK, FLATTEN, Kernel, PREFETCH_DISTANCE, Simd, Tier, prefetch};
use crate::unicode;

/// Maximum length of a window in bytes.
const WINDOW: usize = 1024;

/// A window, followed by scratch space.
type Window = [u8; WINDOW + BLOCK];

/// Number of interleaved lanes.
const LANES: usize = 4;

/// Bytes per lane between two checks for the end of a lane.
const ROW: usize = 16;

/// Minimum length in bytes of a window that is divided into lanes.
const MIN_LANES_WINDOW: usize = 32 * LANES;

/// Splits a text with a DFA.
pub(in crate::pattern) struct Walker<'a> {
    automaton: &'a Automaton,
    text: &'a [u8],
    tier: Tier,
    /// End of the last piece returned.
    end: usize,
    /// Start of the next block or window.
    at: usize,
    /// The state at `at`.
    state: u8,
    /// Ends of pieces in the 64 bytes before `at`, as bits: bit `n` is the position `at - 64 + n`. They are
    /// held back because later characters may decide more ends among them.
    recent: u64,
    /// Start of the last character that decided [`Decided::REMEMBER`].
    remember: usize,
}

impl<'a> Walker<'a> {
    pub(in crate::pattern) fn new(automaton: &'a Automaton, text: &'a [u8], tier: Tier) -> Self {
        Walker {
            automaton,
            text,
            tier,
            end: 0,
            at: 0,
            state: 0,
            recent: 0,
            remember: 0,
        }
    }

    /// Replaces the contents of `spans` with the next pieces, or with none at the end of the text.
    pub(in crate::pattern) fn fill(&mut self, spans: &mut Spans) {
        spans.clear(self.end);
        if self.end < self.text.len() {
            let tier = self.tier;
            tier.run(Fill {
                walker: self,
                spans,
            });
            self.end = spans.end();
        }
    }

    /// Returns the ends that the character at `self.at + offset` decides, as bits: bit `BLOCK + n` is the
    /// position `self.at + n`. `state` is the state before the character. Appends a remembered end that is
    /// too far back for a bit to `spans`.
    #[inline(always)]
    fn decide(&mut self, state: u8, offset: usize, spans: &mut Spans) -> u128 {
        let at = self.at + offset;
        let class = self
            .automaton
            .classes
            .at(self.text, at)
            .map_or(END, |(class, _)| class);
        let decided = self.automaton.decided[usize::from(class)][usize::from(state)];
        let before = self.text[..at].last_chunk::<{ MAX_DISTANCE as usize }>();
        let mut ends = match before.is_some_and(|before| before.is_ascii()) {
            true => u128::from(decided.ends()) << (BLOCK + offset + 1 - usize::from(MAX_DISTANCE)),
            false => self.non_ascii_ends(decided, offset),
        };
        if decided.has(Decided::REMEMBER) {
            self.remember = at;
        }
        if decided.has(Decided::REMEMBERED) {
            let end = self.back(self.remember, REMEMBER_DISTANCE);
            match at - end <= BLOCK + offset {
                true => ends |= 1 << (BLOCK + offset - (at - end)),
                // Ends are decided in ascending order, so `spans` holds all earlier ends and no later one.
                false => spans.push(end),
            }
        }
        ends
    }

    /// Returns the decided ends at distances 1 to [`MAX_DISTANCE`], as bits like those of [`Walker::decide`].
    /// Used if the [`MAX_DISTANCE`] bytes before the character are not all ASCII, or if there are fewer.
    #[cold]
    fn non_ascii_ends(&self, decided: Decided, offset: usize) -> u128 {
        let at = self.at + offset;
        let distances =
            (1..=MAX_DISTANCE).filter(|n| decided.ends() >> (MAX_DISTANCE - n) & 1 == 1);
        let ends = distances.map(|distance| self.back(at, distance));
        ends.fold(0, |bits, end| bits | 1 << (BLOCK + offset - (at - end)))
    }

    /// Returns the position at `distance` from the end of the character that starts at `at`.
    fn back(&self, at: usize, distance: Distance) -> usize {
        (1..distance).fold(at, |at, _| unicode::start_before(self.text, at))
    }

    /// Pass 3: appends all ends to `spans` except those in the last 64 bytes of the window, which become
    /// `recent`. Moves `at` to the end of the window.
    #[inline(always)]
    fn push_ends<S: Simd>(&mut self, simd: S, window: &Window, len: usize, spans: &mut Spans) {
        for start in (0..len).step_by(BLOCK) {
            let block: &[u8; BLOCK] = window[start..].first_chunk().expect("a whole block");
            let count = (len - start).min(BLOCK);
            let inside = u64::MAX >> (BLOCK - count);
            let entries = simd.load_classes(block);
            let low = simd.flag(entries, HERE) & inside;
            let high = simd.flag(entries, MORE) & inside;
            let mut ends = u128::from(low & !high) << BLOCK | u128::from(self.recent);
            if high != 0 {
                let mut remembering = low & high;
                for offset in bits(high & !low) {
                    let before = remembering & ((1 << offset) - 1);
                    if before != 0 {
                        self.remember = self.at + before.ilog2() as usize;
                    }
                    let before = offset.checked_sub(1).map(|before| state_of(block[before]));
                    ends |= self.decide(before.unwrap_or(self.state), offset, spans);
                    remembering &= u64::MAX << offset;
                }
                if remembering != 0 {
                    self.remember = self.at + remembering.ilog2() as usize;
                }
            }
            spans.push_bits(simd, ends as u64 & inside, self.at.wrapping_sub(BLOCK));
            self.recent = (ends >> count) as u64;
            self.at += count;
            self.state = state_of(block[count - 1]);
        }
    }

    /// Appends the last pieces of the text.
    #[inline(always)]
    fn finish<S: Simd>(&mut self, simd: S, entry_at_end: Entry, spans: &mut Spans) {
        let mut ends = u128::from(self.recent);
        if entry_at_end & 3 == MORE {
            ends |= self.decide(self.state, 0, spans);
        }
        spans.push_bits(simd, ends as u64, self.at.wrapping_sub(BLOCK));
        spans.push(self.text.len());
    }
}

struct Fill<'f, 'a> {
    walker: &'f mut Walker<'a>,
    spans: &'f mut Spans,
}

impl Kernel for Fill<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Fill { walker, spans } = self;
        let mut window = [0; WINDOW + BLOCK];
        // A piece may end at every byte of a window and of the 64 bytes before it, whose ends are held back.
        while spans.has_room(WINDOW + BLOCK + FLATTEN) {
            let automaton = walker.automaton;
            let len = automaton.classify(simd, &walker.text[walker.at..], &mut window);
            // Twice, because bytes are processed in pairs.
            window[len..][..2].fill(END);
            automaton.follow(simd, walker.state, &mut window, len + 1);
            let at_end = window[len];
            walker.push_ends(simd, &window, len, spans);
            if walker.at == walker.text.len() {
                return walker.finish(simd, at_end, spans);
            }
        }
    }
}

impl Automaton {
    /// Pass 1: writes the classes of the first bytes of `text` to the window, whole characters only. Returns
    /// the number of these bytes, which is less than [`WINDOW`].
    #[inline(always)]
    fn classify<S: Simd>(&self, simd: S, text: &[u8], window: &mut Window) -> usize {
        let mut at = 0;
        while at < text.len() && at < WINDOW - BLOCK {
            prefetch(text, at + PREFETCH_DISTANCE);
            let mut padded = [0; BLOCK];
            let (bytes, mut len) = first_block(&text[at..], &mut padded);
            let block = simd.load(bytes);
            let non_ascii = simd.non_ascii(block);
            let classes: &mut [u8; BLOCK] = window[at..].first_chunk_mut().expect("a whole block");
            // Bytes that are not ASCII get the class `CONTINUATION` at first; those that start a character or
            // an invalid sequence are overwritten below.
            *classes = simd.store_classes(simd.look_up(block, &self.classes.ascii));
            if non_ascii != 0 {
                let utf8 = Utf8::find(simd, block, non_ascii, len);
                utf8.for_each(bytes, |at, _, character| {
                    classes[at % BLOCK] = self.classes.of(character);
                });
                for at in bits(non_ascii & utf8.lead & !utf8.complete()) {
                    classes[at] = self.classes.invalid;
                }
                len = utf8.len;
            }
            at += len;
        }
        at
    }

    /// Pass 2: replaces the first `len` classes of a window with transitions. `state` is the state before
    /// them. An odd `len` is rounded up.
    #[inline(always)]
    fn follow<S: Simd>(&self, simd: S, state: u8, window: &mut Window, len: usize) {
        let len = len.next_multiple_of(2);
        let mut starts = [0; LANES + 1];
        starts[LANES] = len;
        let mut states = [usize::from(state); LANES];
        let mut lane_count = 1;
        if len >= MIN_LANES_WINDOW {
            while lane_count < LANES
                && let Some((start, state)) =
                    self.find_synchronized(&window[..len], len * lane_count / LANES)
                && start > starts[lane_count - 1]
            {
                (starts[lane_count], states[lane_count]) = (start, usize::from(state));
                lane_count += 1;
            }
        }
        let blocks = window.as_chunks_mut::<BLOCK>().0.iter_mut();
        for block in blocks.take(len.div_ceil(BLOCK)) {
            simd.number_pairs(block, self.class_count, self.state_count);
        }
        if lane_count < LANES {
            return self.follow_lane(usize::from(state), &mut window[..len]);
        }
        let mut rest = &mut window[..len];
        let mut lanes: [&mut [u8]; LANES] = std::array::from_fn(|lane| {
            let lane = rest.split_off_mut(..starts[lane + 1] - starts[lane]);
            lane.unwrap_or_default()
        });
        let row_count = lanes.iter().map(|lane| lane.len() / ROW).min().unwrap_or(0);
        for row in 0..row_count {
            let mut pairs = lanes.each_mut().map(|lane| {
                let row = lane[row * ROW..].first_chunk_mut::<ROW>();
                row.expect("a row").as_chunks_mut::<2>().0
            });
            for at in 0..ROW / 2 {
                for (state, pairs) in states.iter_mut().zip(&mut pairs) {
                    self.step(state, &mut pairs[at]);
                }
            }
        }
        for (state, lane) in states.into_iter().zip(lanes) {
            self.follow_lane(state, &mut lane[row_count * ROW..]);
        }
    }

    #[inline(always)]
    fn follow_lane(&self, mut state: usize, window: &mut [u8]) {
        for pair in window.as_chunks_mut::<2>().0 {
            self.step(&mut state, pair);
        }
    }

    /// Replaces the index of a pair of bytes with the transitions of both, and updates the state.
    #[inline(always)]
    fn step(&self, state: &mut usize, pair: &mut [u8; 2]) {
        let index = usize::from(u16::from_le_bytes(*pair)) + usize::from(*state as u8);
        *pair = self.next_two[index];
        *state = usize::from(state_of(pair[1]));
    }

    /// Returns the first even position after `from` that is known to have the same state whatever text
    /// precedes `from`, and that state. Searches [`BLOCK`] bytes.
    #[inline(always)]
    fn find_synchronized(&self, window: &[u8], from: usize) -> Option<(usize, u8)> {
        let mut before = CONTINUATION;
        for (at, &class) in window[from..].iter().enumerate().take(BLOCK) {
            if class == CONTINUATION {
                continue;
            }
            if let Some(state) = self.synchronized[usize::from(before)][usize::from(class)] {
                let at = from + at + 1;
                if at.is_multiple_of(2) {
                    return Some((at, state));
                }
                let class = usize::from(*window.get(at)?);
                return Some((at + 1, state_of(self.next[class][usize::from(state)])));
            }
            before = class;
        }
        None
    }
}

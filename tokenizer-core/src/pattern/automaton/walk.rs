//! Walks a text with an automaton.
//!
//! A window of a kilobyte is turned into classes, 64 bytes at a time; the classes, two by two, into
//! places in the table of steps; and these in turn into the entries of all states. Each step waits
//! for the one before it, so four lanes are followed at once: a lane starts after a synchronizing
//! pair, two classes that lead every state to the same state, which nearly any text has every few
//! bytes. Where there is none, the window is followed in one lane. Then the bits of all entries become
//! the ends of pieces.
//!
//! **Cost.** Nine instructions for each byte of English, as many as a scanner that is written for its
//! pattern takes. Ends that are decided late cost twenty more each, two for an indented line.

use super::pending::{Decided, Distance, FARTHEST, REMEMBER_DISTANCE};
use super::{Automaton, CONTINUATION, END, Entry, HERE, MORE, state_of};
use crate::pattern::spans::Spans;
use crate::pattern::utf8::{Utf8, bits, first_block};
use crate::simd::{BLOCK, FLATTEN, Kernel, PREFETCH_DISTANCE, Simd, Tier, prefetch};
use crate::unicode;

/// Bytes in a window, at most.
const WINDOW: usize = 1024;

/// A window, and what is written behind it without meaning.
type Window = [u8; WINDOW + BLOCK];

/// States that are followed at once.
const LANES: usize = 4;

/// Bytes of all lanes that are followed without a look at their ends.
const ROW: usize = 16;

/// Bytes in a window that is worth several lanes.
const SHORTEST_IN_LANES: usize = 32 * LANES;

/// Walks one text.
pub(in crate::pattern) struct Walker<'a> {
    automaton: &'a Automaton,
    text: &'a [u8],
    tier: Tier,
    /// Where the last piece handed out ends.
    end: usize,
    /// Where the next window begins, and the state there.
    at: usize,
    state: u8,
    /// Ends of pieces in the 64 bytes before `at`, as bits: kept back until no character can
    /// decide another among them.
    recent: u64,
    /// Where the character begins that decided last to remember a place.
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

    /// Fills `spans` with the next pieces; with none at the end.
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

    /// Ends that the character at `at + place` decides beside one before it, as bits of which bit 64
    /// is `at`. `state` is that before the character.
    #[inline(always)]
    fn decide(&mut self, state: u8, place: usize, spans: &mut Spans) -> u128 {
        let at = self.at + place;
        let class = self
            .automaton
            .classes
            .at(self.text, at)
            .map_or(END, |(class, _)| class);
        let decided = self.automaton.decided[usize::from(class)][usize::from(state)];
        let before = self.text[..at].last_chunk::<{ FARTHEST as usize }>();
        let mut ends = match before.is_some_and(|before| before.is_ascii()) {
            true => u128::from(decided.ends()) << (BLOCK + place + 1 - usize::from(FARTHEST)),
            false => self.ends_between_characters(decided, place),
        };
        if decided.has(Decided::REMEMBER) {
            self.remember = at;
        }
        if decided.has(Decided::REMEMBERED) {
            let end = self.back(self.remember, REMEMBER_DISTANCE);
            match at - end <= BLOCK + place {
                true => ends |= 1 << (BLOCK + place - (at - end)),
                // No piece ends between that place and the character but those decided here.
                false => spans.push(end),
            }
        }
        ends
    }

    /// The ends that are decided where characters have several bytes, as bits like those of `decide`.
    #[cold]
    fn ends_between_characters(&self, decided: Decided, place: usize) -> u128 {
        let at = self.at + place;
        let distances = (1..=FARTHEST).filter(|n| decided.ends() >> (FARTHEST - n) & 1 == 1);
        let ends = distances.map(|distance| self.back(at, distance));
        ends.fold(0, |bits, end| bits | 1 << (BLOCK + place - (at - end)))
    }

    /// Where the character begins that is so far back from that at `at`, which is 1 back.
    fn back(&self, at: usize, distance: Distance) -> usize {
        (1..distance).fold(at, |at, _| unicode::start_before(self.text, at))
    }

    /// Hands out all ends that are 64 bytes before the end of a window, or earlier, and moves behind the
    /// window.
    #[inline(always)]
    fn hand_out<S: Simd>(&mut self, simd: S, window: &Window, len: usize, spans: &mut Spans) {
        for start in (0..len).step_by(BLOCK) {
            let block: &[u8; BLOCK] = window[start..].first_chunk().expect("it is longer");
            let count = (len - start).min(BLOCK);
            let inside = u64::MAX >> (BLOCK - count);
            let entries = simd.load_classes(block);
            let low = simd.flag(entries, HERE) & inside;
            let high = simd.flag(entries, MORE) & inside;
            let mut ends = u128::from(low & !high) << BLOCK | u128::from(self.recent);
            if high != 0 {
                let mut remember = low & high;
                for place in bits(high & !low) {
                    let before = remember & ((1 << place) - 1);
                    if before != 0 {
                        self.remember = self.at + before.ilog2() as usize;
                    }
                    let before = place.checked_sub(1).map(|before| state_of(block[before]));
                    ends |= self.decide(before.unwrap_or(self.state), place, spans);
                    remember &= u64::MAX << place;
                }
                if remember != 0 {
                    self.remember = self.at + remember.ilog2() as usize;
                }
            }
            spans.push_bits(simd, ends as u64 & inside, self.at.wrapping_sub(BLOCK));
            self.recent = (ends >> count) as u64;
            self.at += count;
            self.state = state_of(block[count - 1]);
        }
    }

    /// Hands out the last pieces.
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
        // All bytes of a window, and all before it that are kept back, may be pieces.
        while spans.has_room(WINDOW + BLOCK + FLATTEN) {
            let automaton = walker.automaton;
            let len = automaton.classify(simd, &walker.text[walker.at..], &mut window);
            // A second, since characters are followed in pairs.
            window[len..][..2].fill(END);
            automaton.follow(simd, walker.state, &mut window, len + 1);
            let at_end = window[len];
            walker.hand_out(simd, &window, len, spans);
            if walker.at == walker.text.len() {
                return walker.finish(simd, at_end, spans);
            }
        }
    }
}

impl Automaton {
    /// Writes the classes of the bytes at the beginning of `text`, whole characters, and gives their
    /// number, less than [`WINDOW`].
    #[inline(always)]
    fn classify<S: Simd>(&self, simd: S, text: &[u8], window: &mut Window) -> usize {
        let mut at = 0;
        while at < text.len() && at < WINDOW - BLOCK {
            prefetch(text, at + PREFETCH_DISTANCE);
            let mut padded = [0; BLOCK];
            let (bytes, mut len) = first_block(&text[at..], &mut padded);
            let block = simd.load(bytes);
            let non_ascii = simd.non_ascii(block);
            let classes: &mut [u8; BLOCK] = window[at..].first_chunk_mut().expect("it is longer");
            // All bytes above ASCII are `CONTINUATION` at first.
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

    /// Replaces the classes of a window by the entries that they lead to.
    #[inline(always)]
    fn follow<S: Simd>(&self, simd: S, state: u8, window: &mut Window, len: usize) {
        let len = len.next_multiple_of(2);
        let mut starts = [0; LANES + 1];
        starts[LANES] = len;
        let mut states = [usize::from(state); LANES];
        let mut lanes = 1;
        if len >= SHORTEST_IN_LANES {
            while lanes < LANES
                && let Some((start, state)) =
                    self.find_synchronized(&window[..len], len * lanes / LANES)
                && start > starts[lanes - 1]
            {
                (starts[lanes], states[lanes]) = (start, usize::from(state));
                lanes += 1;
            }
        }
        let blocks = window.as_chunks_mut::<BLOCK>().0.iter_mut();
        for block in blocks.take(len.div_ceil(BLOCK)) {
            simd.number_pairs(block, self.class_count, self.state_count);
        }
        if lanes < LANES {
            return self.follow_lane(usize::from(state), &mut window[..len]);
        }
        let mut rest = &mut window[..len];
        let mut lanes: [&mut [u8]; LANES] = std::array::from_fn(|lane| {
            let lane = rest.split_off_mut(..starts[lane + 1] - starts[lane]);
            lane.unwrap_or_default()
        });
        let rows = lanes.iter().map(|lane| lane.len() / ROW).min().unwrap_or(0);
        for row in 0..rows {
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
            self.follow_lane(state, &mut lane[rows * ROW..]);
        }
    }

    #[inline(always)]
    fn follow_lane(&self, mut state: usize, window: &mut [u8]) {
        for pair in window.as_chunks_mut::<2>().0 {
            self.step(&mut state, pair);
        }
    }

    /// Replaces the number of a pair by the entries of both characters.
    #[inline(always)]
    fn step(&self, state: &mut usize, pair: &mut [u8; 2]) {
        let number = usize::from(u16::from_le_bytes(*pair)) + usize::from(*state as u8);
        *pair = self.next_two[number];
        *state = usize::from(state_of(pair[1]));
    }

    /// The first even place, some bytes behind `from`, where the state is known whatever came before, and the
    /// state.
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

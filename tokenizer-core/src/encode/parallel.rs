//! Texts on several threads, and their ids in order.
//!
//! Each thread takes the next part (`parts.rs`) and hands its ids to an ordered collector. The thread with
//! the part that is next in order writes straight to the result; ids of later parts are stored until all
//! parts before them are there. So ids are copied at most once, and the number of stored parts is bounded:
//! a thread that is too far ahead blocks.
//!
//! Parts are taken in order, so all parts before one that fails have been taken. They are finished, no more
//! are taken, and the first failure in the text is reported. When a thread panics, the others stop after
//! their part, and the panic propagates to the caller.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::BatchError;
use super::parts::{BYTES_FOR_A_THREAD, MOST_BYTES, Part, Parts, Step};
use super::session::Session;
use super::{EncodeOptions, Encoder};
use crate::segments;
use crate::threads;
use crate::token::TokenId;

/// The ids of texts, or how many there are.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) ids: Vec<TokenId>,
    /// Ids that were counted and dropped.
    counted: usize,
    only_counts: bool,
    /// After how many ids each text ends.
    pub(super) ends: Vec<usize>,
}

impl Gathered {
    pub(super) fn of_ids(ids: Vec<TokenId>) -> Self {
        Gathered {
            ids,
            ..Self::default()
        }
    }

    pub(super) fn of_counts() -> Self {
        Gathered {
            only_counts: true,
            ..Self::default()
        }
    }

    /// How many ids there are.
    pub(super) fn taken(&self) -> usize {
        self.counted + self.ids.len()
    }

    pub(super) fn end_text(&mut self) {
        self.ends.push(self.taken());
    }

    /// Drops the ids, if only their number is wanted.
    fn count(&mut self) {
        if self.only_counts {
            self.counted += self.ids.len();
            self.ids.clear();
        }
    }

    fn append(&mut self, part: Self) {
        let before = self.taken();
        self.ends.extend(part.ends.iter().map(|end| before + end));
        self.ids.extend_from_slice(&part.ids);
        self.counted += part.counted;
    }
}

impl Encoder {
    /// How many threads, this one included, `bytes` of text are worth, if so many are wanted.
    pub(super) fn useful_threads(&self, bytes: usize, wanted: usize) -> usize {
        match cfg!(feature = "parallel") {
            true => wanted.min(bytes / BYTES_FOR_A_THREAD).min(threads::MOST),
            false => 1,
        }
    }

    /// Appends the ids of all texts to `whole`.
    pub(super) fn gather<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        options: EncodeOptions<'_>,
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let allowed = options.allowed.unwrap_or(&self.shared.added);
        let threads = self.useful_threads(bytes, options.threads);
        if threads > 1 {
            let options = options.allow(allowed).threads(threads);
            let parts = Parts::new(self.model(), allowed, texts, bytes, options);
            return self.gather_parts(parts, options, whole);
        }
        let mut session = self.session();
        for (number, text) in texts.iter().enumerate() {
            let (text, stop) = (text.as_ref(), options.stop);
            let done = match whole.only_counts {
                true => {
                    let count = self.count_text(&mut session, text, allowed, stop, usize::MAX);
                    count.map(|count| whole.counted += count.unwrap_or_default())
                }
                false => {
                    let segments = self.segments(text, allowed);
                    self.encode_segments(&mut session, segments, stop, &mut whole.ids)
                }
            };
            done.map_err(|error| BatchError::new(number, error))?;
            whole.end_text();
        }
        Ok(())
    }

    fn gather_parts<T: AsRef<[u8]> + Sync>(
        &self,
        parts: Parts<'_, T>,
        options: EncodeOptions<'_>,
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let parts = Mutex::new(parts);
        let threads = options.threads;
        let collector = OrderedCollector::new(std::mem::take(whole), 2 * threads + 2);
        threads::map(0..threads, |_| {
            let mut stop = StopOnPanic {
                collector: &collector,
                armed: true,
            };
            let mut session = self.session();
            let mut part = Part::new();
            while collector.may_take() && lock(&parts).next(&mut part) {
                let mut place = collector.place_for(part.number);
                let done = self.encode_part(&mut session, &part, options, &mut place.gathered);
                collector.hand_in(part.number, place, done);
            }
            stop.armed = false;
        });
        let state = collector.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        *whole = state.whole.unwrap_or_default();
        state.failure.map_or(Ok(()), Err)
    }

    fn encode_part(
        &self,
        session: &mut Session,
        part: &Part<'_>,
        options: EncodeOptions<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), BatchError> {
        let ended = gathered.ends.len();
        for step in &part.steps {
            let EncodeOptions { allowed, stop, .. } = options;
            let ids = &mut gathered.ids;
            let done = match step {
                Step::Split(stretch) => {
                    let (text, offset) = (stretch.bytes(), stretch.offset());
                    (session.runs(&self.shared, text, offset, stop)).encode_all(ids)
                }
                Step::Prepare(text, offset) => {
                    let allowed = allowed.unwrap_or(&self.shared.added);
                    let normalizer = self.model().normalizer();
                    let segments = segments::between(text, *offset, allowed, normalizer);
                    self.encode_segments(session, segments, stop, ids)
                }
                Step::Special(id) => {
                    ids.push(*id);
                    Ok(())
                }
                Step::TextEnds => {
                    gathered.end_text();
                    Ok(())
                }
            };
            gathered.count();
            let text = part.text + (gathered.ends.len() - ended);
            done.map_err(|error| BatchError::new(text, error))?;
        }
        Ok(())
    }
}

/// Appends the ids of parts in order, whichever thread finishes first.
struct OrderedCollector {
    state: Mutex<State>,
    /// Told when parts were appended, and when it is over.
    moved: Condvar,
    /// How many parts may be taken and not yet appended.
    most_ahead: usize,
}

struct State {
    /// The result so far. Gone while someone writes to it.
    whole: Option<Gathered>,
    /// How many parts were, or may be, taken.
    taken: usize,
    /// How many parts were appended, or are being.
    appended: usize,
    /// Parts behind those that were appended, as far as they are done.
    done: VecDeque<Option<Result<Gathered, BatchError>>>,
    failure: Option<BatchError>,
    only_counts: bool,
    /// No more parts are to be taken.
    stopped: bool,
    /// How many threads wait. To tell nobody costs a call of the system too.
    waiting: usize,
}

/// Where the ids of a part are written to.
struct Place {
    gathered: Gathered,
    is_whole: bool,
}

/// Nobody leaves anything half done under a lock but by a panic, and then the result is dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OrderedCollector {
    fn new(whole: Gathered, most_ahead: usize) -> Self {
        let only_counts = whole.only_counts;
        OrderedCollector {
            state: Mutex::new(State {
                whole: Some(whole),
                taken: 0,
                appended: 0,
                done: VecDeque::new(),
                failure: None,
                only_counts,
                stopped: false,
                waiting: 0,
            }),
            moved: Condvar::new(),
            most_ahead,
        }
    }

    /// Whether to take one more part. Waits until it is not too far ahead.
    ///
    /// The part that is to be appended next is in the hands of someone who does not wait here, so
    /// there is no waiting in a circle.
    fn may_take(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.stopped && state.taken - state.appended >= self.most_ahead {
            state.waiting += 1;
            let waited = self.moved.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.taken += 1;
        !state.stopped
    }

    /// Where the ids of a part are to be written: to the result, if it is the next.
    fn place_for(&self, number: usize) -> Place {
        let mut state = lock(&self.state);
        // Nothing is written behind a failure.
        if number == state.appended
            && state.failure.is_none()
            && let Some(whole) = state.whole.take()
        {
            return Place {
                gathered: whole,
                is_whole: true,
            };
        }
        let only_counts = state.only_counts;
        drop(state);
        let gathered = match only_counts {
            true => Gathered::of_counts(),
            false => Gathered::of_ids(Vec::with_capacity(MOST_BYTES / 3)),
        };
        Place {
            gathered,
            is_whole: false,
        }
    }

    /// Hands in what became of a part, and appends what is next.
    fn hand_in(&self, number: usize, place: Place, result: Result<(), BatchError>) {
        let mut state = lock(&self.state);
        // Those behind a failure are not wanted; those before it have been taken.
        state.stopped |= result.is_err();
        let mut whole = if place.is_whole {
            state.appended += 1;
            state.done.pop_front();
            state.failure = result.err();
            place.gathered
        } else {
            let waits = number - state.appended;
            if state.done.len() <= waits {
                state.done.resize_with(waits + 1, || None);
            }
            state.done[waits] = Some(result.map(|()| place.gathered));
            match state.whole.take() {
                Some(whole) => whole,
                // Who has it looks again for what is next.
                None => return,
            }
        };
        while state.failure.is_none() && matches!(state.done.front(), Some(Some(_))) {
            let next = state.done.pop_front().flatten();
            state.appended += 1;
            match next.expect("it was looked at") {
                Ok(part) => {
                    drop(state);
                    whole.append(part);
                    state = lock(&self.state);
                }
                Err(failure) => state.failure = Some(failure),
            }
        }
        state.whole = Some(whole);
        if state.waiting > 0 {
            self.moved.notify_all();
        }
    }
}

/// Stops all threads when one panics: they would wait for its part for ever.
struct StopOnPanic<'h> {
    collector: &'h OrderedCollector,
    armed: bool,
}

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if self.armed {
            lock(&self.collector.state).stopped = true;
            self.collector.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EncodeError;
    use super::*;
    use crate::model::Model;
    use crate::normalize::Normalizer;
    use crate::special::{SpecialSet, SpecialToken};
    use crate::split::{Gaps, Pattern, PatternName, SplitError};
    use proptest::prelude::*;

    fn model(pattern: Pattern, specials: Vec<SpecialToken>) -> Model {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xe6\x9d", b"aa"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        Model::from_ranks(pattern, all.zip(0..), specials).unwrap()
    }

    fn encoder(pattern: Pattern, specials: Vec<SpecialToken>) -> Encoder {
        Encoder::new(model(pattern, specials))
    }

    fn cl100k() -> Pattern {
        Pattern::named(PatternName::Cl100k)
    }

    /// Two special tokens, of which one is looked for behind the normaliser and takes white space.
    fn specials() -> Vec<SpecialToken> {
        let mut normalized = SpecialToken::new("<n>", 301);
        (normalized.normalized, normalized.left_strip) = (true, true);
        vec![SpecialToken::new("<|s|>", 300), normalized]
    }

    /// Every answer about `texts` on several threads is that of one text after the other.
    fn check(encoder: &Encoder, texts: &[Vec<u8>], allowed: &SpecialSet) {
        let one_by_one: Vec<Vec<TokenId>> = (texts.iter())
            .map(|text| {
                let mut ids = Vec::new();
                let done = encoder.encode_with_specials(text, allowed, &mut ids);
                done.map(|()| ids).unwrap()
            })
            .collect();
        let counts: Vec<usize> = one_by_one.iter().map(Vec::len).collect();
        for threads in [0, 1, 2, 3, 8] {
            let options = EncodeOptions::new().allow(allowed).threads(threads);
            let batch = encoder.encode_batch_with(texts, options).unwrap();
            assert!(batch.iter().eq(&one_by_one), "{threads} threads");
            assert_eq!(encoder.count_batch_with(texts, options).unwrap(), counts);
            for (text, ids) in texts.iter().zip(&one_by_one) {
                assert_eq!(&encoder.encode_with(text, options).unwrap(), ids);
                assert_eq!(encoder.count_with(text, options).unwrap(), ids.len());
            }
        }
    }

    fn hard_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            4 => "[ a-zA-Z0-9'\r\n\t.,]{0,40}".prop_map(String::into_bytes),
            1 => "(the |th  |aaaa){0,40}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<char>(), 0..30)
                .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
            1 => Just("\u{6771}\u{4eac}\u{3002}e\u{301} ".as_bytes().repeat(5)),
            1 => Just(b"<|s|>".to_vec()),
            1 => Just(b"  <n>".to_vec()),
            1 => (0..300usize).prop_map(|length| vec![b'a'; length]),
        ];
        prop::collection::vec(some, 0..30).prop_map(|some| some.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn ids_do_not_depend_on_threads(texts in prop::collection::vec(hard_text(), 0..6)) {
            for name in [PatternName::Gpt2, PatternName::Cl100k, PatternName::O200k] {
                let encoder = encoder(Pattern::named(name), vec![]);
                check(&encoder, &texts, &encoder.shared.added);
            }
        }

        #[test]
        fn nor_do_those_of_special_tokens_and_normalised_text(
            texts in prop::collection::vec(hard_text(), 0..4),
        ) {
            for normalizer in [None, Some(Normalizer::Nfc)] {
                let model = model(cl100k(), specials()).with_normalizer(normalizer);
                let encoder = Encoder::new(model);
                let model = encoder.model();
                for allowed in [model.all_specials(), model.special_set(&["<|s|>"])] {
                    check(&encoder, &texts, &allowed);
                }
            }
        }
    }

    #[test]
    fn the_smallest_texts_and_more_threads_than_there_is_work_for() {
        let encoder = encoder(cl100k(), vec![]);
        for text in [&b""[..], b"x", b"\xff", b"\xe6\x9d", b" "] {
            let want = encoder.encode(text).unwrap();
            assert_eq!(encoder.encode_with_threads(text, 1000).unwrap(), want);
        }
        let text = "the 1,000 threads. ".repeat(4000);
        let want = encoder.encode(text.as_bytes()).unwrap();
        for threads in [1000, usize::MAX] {
            let ids = encoder.encode_with_threads(text.as_bytes(), threads);
            assert_eq!(ids.unwrap(), want);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_stand_wherever_parts_end() {
        let encoder = encoder(cl100k(), vec![]);
        for bad in [&b"\x80"[..], b"\xe2\x82", b"\xf0\x9f\x99", b"\xff"] {
            for gap in 1..40 {
                let some = [&b"a".repeat(gap), bad, b" "].concat();
                let text = some.repeat(600 / some.len());
                let want = encoder.encode(&text).unwrap();
                assert_eq!(encoder.encode_with_threads(&text, 3).unwrap(), want);
            }
        }
    }

    #[test]
    fn the_first_failure_wins_and_names_its_byte() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let encoder = encoder(bomb, vec![SpecialToken::new("<|s|>", 300)]);
        let allowed = encoder.model().all_specials();
        // The parts before the first bomb take longer than those behind it.
        let text = format!(
            "{}<|s|>{}{}",
            "x".repeat(3000),
            "yy<|s|>".repeat(300),
            format!("z{}<|s|>", "a".repeat(64)).repeat(20)
        );
        for threads in [1, 2, 8] {
            let options = EncodeOptions::new().allow(&allowed).threads(threads);
            let error = encoder.encode_with(text.as_bytes(), options).unwrap_err();
            let EncodeError::Split(SplitError { offset, .. }) = error else {
                panic!("{error}");
            };
            assert_eq!(offset, 3000 + 5 + 7 * 300 + 1);
        }
    }

    /// A text that panics when it is looked at for the second time.
    #[cfg(feature = "parallel")]
    struct Panics(std::sync::atomic::AtomicUsize, bool);

    #[cfg(feature = "parallel")]
    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(!self.1 || before < 1, "this text panics");
            b"some words that fill half of a part"
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn a_panic_comes_out_and_no_one_waits_for_ever() {
        let encoder = encoder(cl100k(), vec![]);
        for which in [0, 1, 50, 199] {
            let texts: Vec<Panics> = (0..200).map(|n| Panics(0.into(), n == which)).collect();
            let mut whole = Gathered::of_counts();
            let run = std::panic::AssertUnwindSafe(|| {
                encoder.gather(&texts, EncodeOptions::new().threads(3), &mut whole)
            });
            let panic = std::panic::catch_unwind(run).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"this text panics"));
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn who_waits_for_a_part_is_woken_by_a_panic() {
        let collector = OrderedCollector::new(Gathered::of_counts(), 2);
        std::thread::scope(|scope| {
            assert!(collector.may_take() && collector.may_take());
            let waits = scope.spawn(|| collector.may_take());
            let panics = scope.spawn(|| {
                let _stop = StopOnPanic {
                    collector: &collector,
                    armed: true,
                };
                panic!("on purpose");
            });
            assert!(panics.join().is_err());
            assert!(!waits.join().unwrap());
        });
    }

    #[test]
    fn what_comes_behind_a_failure_does_not_hide_it() {
        let collector = OrderedCollector::new(Gathered::default(), 9);
        let failure = || BatchError::new(7, EncodeError::Stopped);
        let first = collector.place_for(0);
        assert!(first.is_whole);
        collector.hand_in(0, first, Err(failure()));
        let second = collector.place_for(1);
        assert!(!second.is_whole);
        collector.hand_in(1, second, Ok(()));
        let third = collector.place_for(2);
        collector.hand_in(2, third, Err(BatchError::new(8, EncodeError::Stopped)));
        let state = collector.state.into_inner().unwrap();
        assert_eq!(state.failure, Some(failure()));
    }

    #[test]
    fn parts_are_appended_in_order_whenever_they_come() {
        let collector = OrderedCollector::new(Gathered::default(), 9);
        let hand_in = |number: TokenId, mut place: Place| {
            place.gathered.ids.push(number);
            place.gathered.end_text();
            place.gathered.ids.push(number);
            collector.hand_in(number as usize, place, Ok(()));
        };
        for numbers in [&[2, 1, 0][..], &[4, 3]] {
            let places: Vec<_> = (numbers.iter())
                .map(|&number| collector.place_for(number as usize))
                .collect();
            for (&number, place) in numbers.iter().zip(places) {
                assert_eq!(place.is_whole, [0, 3].contains(&number));
                hand_in(number, place);
            }
        }
        let whole = collector.state.into_inner().unwrap().whole.unwrap();
        assert_eq!(whole.ids, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(whole.ends, [1, 3, 5, 7, 9]);
    }
}

//! Encoding that another thread may break off.

use std::sync::atomic::{AtomicBool, Ordering};

use super::EncodeError;
use super::worker::{ROOM, Sink};
use crate::token::TokenId;

/// A sink that wants no more ids once the flag is set. It is looked at after a few pieces each time, and
/// within a long one after each window.
pub(super) struct Stoppable<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) stop: &'s AtomicBool,
}

/// Fails when the flag is set.
pub(super) fn check_stop(stop: Option<&AtomicBool>) -> Result<(), EncodeError> {
    match stop {
        Some(stop) if stop.load(Ordering::Relaxed) => Err(EncodeError::Stopped),
        _ => Ok(()),
    }
}

impl<S: Sink> Sink for Stoppable<'_, S> {
    const ENDS: bool = true;

    #[inline(always)]
    fn room(&mut self) -> &mut [TokenId; ROOM] {
        self.sink.room()
    }

    #[inline(always)]
    fn take_room(&mut self, count: usize) {
        self.sink.take_room(count);
    }

    #[inline(always)]
    fn take(&mut self, ids: &[TokenId]) {
        self.sink.take(ids);
    }

    #[inline(always)]
    fn run_starts(&mut self, start: usize) {
        self.sink.run_starts(start);
    }

    fn stop(&self) -> Option<&AtomicBool> {
        Some(self.stop)
    }

    #[inline(always)]
    fn one_by_one(&self) -> bool {
        S::ENDS && self.sink.one_by_one()
    }

    #[inline(always)]
    fn piece_ends(&mut self, end: usize) -> bool {
        (!S::ENDS || self.sink.piece_ends(end)) && !self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{EncodeOptions, Encoder};
    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::split::{Gaps, Pattern, PatternName};
    use crate::token::Pair;

    #[test]
    fn a_flag_that_is_not_set_changes_nothing_and_one_that_is_ends_it_soon() {
        let specials: [&str; 0] = [];
        for pattern in [
            Pattern::named(PatternName::Cl100k),
            Pattern::regex(r"\w+(?=\b)|.", Gaps::Keep).unwrap(),
        ] {
            let model = Model::trained(pattern, Merges::default(), &specials).unwrap();
            let encoder = Encoder::new(model);
            let text = b"some words of a text, ".repeat(20_000);
            let texts = [&text[..], b"short", &text];
            for threads in [1, 3] {
                let flag = AtomicBool::new(false);
                let options = EncodeOptions::new().threads(threads).stop(&flag);
                assert_eq!(encoder.encode_with(&text, options).unwrap(), {
                    let ids = text.iter().map(|&byte| u32::from(byte));
                    ids.collect::<Vec<_>>()
                });
                assert_eq!(encoder.count_with(&text, options), Ok(text.len()));
                let offsets = encoder.encode_with_offsets(&text, options).unwrap();
                assert_eq!(offsets.ranges.len(), text.len());
                assert!(encoder.encode_batch_with(&texts, options).is_ok());
                flag.store(true, Ordering::Relaxed);
                let began = Instant::now();
                let stopped = Err(EncodeError::Stopped);
                assert_eq!(encoder.encode_with(&text, options).map(drop), stopped);
                assert_eq!(encoder.count_with(&text, options).map(drop), stopped);
                let offsets = encoder.encode_with_offsets(&text, options);
                assert_eq!(offsets.map(drop), stopped);
                let batch = encoder.encode_batch_with(&texts, options);
                assert_eq!(batch.unwrap_err().error, EncodeError::Stopped);
                assert!(began.elapsed() < Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn a_piece_without_an_end_is_broken_off_and_not_kept() {
        let specials: [&str; 0] = [];
        let pattern = Pattern::named(PatternName::Cl100k);
        let merges = [(97, 98), (256, 99), (98, 97)].map(|(left, right)| Pair::new(left, right));
        let merges = Merges::trained(&merges).unwrap();
        let encoder = Encoder::new(Model::trained(pattern, merges, &specials).unwrap());
        // No window has the bytes of the one before.
        let letter = |place: u32| b'a' + (place.wrapping_mul(0x9E37_79B9) >> 29) as u8 % 3;
        let text: Vec<u8> = (0..8 << 20).map(letter).collect();
        let want = Encoder::new(encoder.model().clone()).encode(&text).unwrap();
        for threads in [1, 2] {
            for wait in [0, 1, 5, 20] {
                let flag = AtomicBool::new(wait == 0);
                let options = EncodeOptions::new().threads(threads).stop(&flag);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(wait));
                        flag.store(true, Ordering::Relaxed);
                    });
                    let began = Instant::now();
                    let got = encoder.encode_with(&text, options);
                    assert!(began.elapsed() < Duration::from_secs(1));
                    // It may be done before.
                    assert!(got.is_err_and(|error| error == EncodeError::Stopped) || wait > 0);
                });
            }
            // What was found by then is not taken for the ids of the piece.
            assert!(encoder.encode(&text).unwrap() == want);
        }
    }

    #[test]
    fn a_text_of_special_tokens_only_is_stopped_too() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::trained(pattern, Merges::default(), &["<s>"]).unwrap();
        let encoder = Encoder::new(model);
        let all = encoder.model().all_specials();
        let flag = AtomicBool::new(false);
        let options = EncodeOptions::new().allow(&all).stop(&flag);
        let text = b"<s>".repeat(1000);
        assert_eq!(encoder.encode_with(&text, options).unwrap(), [256; 1000]);
        flag.store(true, Ordering::Relaxed);
        let stopped = encoder.encode_with(&text, options);
        assert_eq!(stopped, Err(EncodeError::Stopped));
        let stopped = encoder.encode_with_offsets(&text, options);
        assert_eq!(stopped.map(drop), Err(EncodeError::Stopped));
    }
}

//! Texts and batches of texts to ids, on one thread or several.
//!
//! On several threads: an ordered map over parts of the texts (`parts.rs`). The ids of a part are stored until
//! it is the next in order, and then copied to the result, once.

use std::sync::atomic::Ordering;

use super::encoder::{Request, room_for};
use super::error::{BatchError, EncodeError, check_stop};
use super::parts::{Part, Parts, Step};
use crate::parallel::{self, MAX_THREADS};
use crate::segments;
use crate::token::TokenId;

impl Request<'_> {
    /// The ids of `text`. The text between two special tokens is split on its own.
    ///
    /// # Errors
    /// When the pattern fails on the text, which named patterns and most others never do, or the stop flag
    /// is set.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = room_for(text.as_ref().len());
        self.encode_into(text, &mut ids)?;
        Ok(ids)
    }

    /// As [`Request::encode`], appending to `ids`. After an error what was in `ids` is still there, and
    /// behind it the ids of some text before the error.
    ///
    /// A vector that is used again for the next text is filled faster than a new one: the pages of
    /// a large one are fresh, and each costs as much as the encoding of a kilobyte.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn encode_into(
        &self,
        text: impl AsRef<[u8]>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        if self.progress.is_some() || self.useful_threads(text.len()) > 1 {
            let mut whole = Gathered::of_ids(std::mem::take(ids));
            let done = self.gather_parts(&[text], &mut whole);
            *ids = whole.ids;
            return done.map_err(|failure| failure.error);
        }
        let segments = self.encoder.segments(text, self.allowed);
        let session = &mut self.encoder.session();
        (self.encoder).encode_segments(session, segments, self.stop, ids)
    }

    /// The number of ids of `text`. No ids are kept.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        let mut whole = Gathered::of_counts();
        self.gather(&[text.as_ref()], &mut whole)
            .map_err(|failure| failure.error)?;
        Ok(whole.taken())
    }
    /// The ids of every text, as [`Request::encode`] gives them.
    ///
    /// The work is spread evenly however uneven the texts: long ones are cut. Each thread holds little more
    /// than the ids of some parts of 64 KiB, besides what all of them fill together.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Tokenizer};
    ///
    /// let model = Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?;
    /// let tokenizer = Tokenizer::new(model);
    /// let allowed = tokenizer.model().all_specials();
    /// let batch = tokenizer.request().allow(&allowed).threads(2).encode_batch(&["a", "b<|end|>"])?;
    /// assert_eq!(batch.ids, [97, 98, 256]);
    /// assert_eq!(batch.offsets, [0, 1, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At the first text that fails.
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(&self, texts: &[T]) -> Result<Batch, BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let mut whole = Gathered::of_ids(room_for(bytes));
        whole.end_text();
        self.gather(texts, &mut whole)?;
        Ok(Batch {
            ids: whole.ids,
            offsets: whole.ends,
        })
    }

    /// The number of ids of every text. No ids are kept.
    ///
    /// # Errors
    /// At the first text that fails.
    pub fn count_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
    ) -> Result<Vec<usize>, BatchError> {
        let mut whole = Gathered::of_counts();
        self.gather(texts, &mut whole)?;
        let mut before = 0;
        let counts = whole.ends.into_iter().map(|end| {
            let count = end - before;
            before = end;
            count
        });
        Ok(counts.collect())
    }
    /// The number of threads, the caller's included, that `bytes` of text are worth.
    fn useful_threads(&self, bytes: usize) -> usize {
        match cfg!(feature = "parallel") {
            true => {
                let worth = bytes / self.encoder.part_sizes().for_a_thread;
                self.threads.min(worth).min(MAX_THREADS)
            }
            false => 1,
        }
    }

    /// Appends the ids of all texts to `whole`.
    fn gather<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        if self.progress.is_some() || self.useful_threads(bytes) > 1 {
            return self.gather_parts(texts, whole);
        }
        let Request { encoder, stop, .. } = *self;
        let mut session = encoder.session();
        for (number, text) in texts.iter().enumerate() {
            let segments = encoder.segments(text.as_ref(), self.allowed);
            let done = match whole.only_counts {
                true => {
                    let count = encoder.count_segments(&mut session, segments, stop, usize::MAX);
                    count.map(|count| whole.counted += count.unwrap_or_default())
                }
                false => encoder.encode_segments(&mut session, segments, stop, &mut whole.ids),
            };
            done.map_err(|error| BatchError::new(number, error))?;
            whole.end_text();
        }
        Ok(())
    }

    /// As [`Request::gather`], on several threads.
    fn gather_parts<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let parts = self.parts(texts);
        let (threads, only_counts) = (parts.threads(), whole.only_counts);
        let encode = |part: Part<'_>| Ok((part.bytes, self.encode_part(&part, only_counts)?));
        parallel::ordered_map(parts, threads, encode, |(bytes, part)| {
            whole.append(&part);
            if let Some(progress) = self.progress {
                progress.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Ok(())
        })
    }

    /// The parts of `texts` for as many threads as they are worth.
    fn parts<'p, T: AsRef<[u8]>>(&'p self, texts: &'p [T]) -> Parts<'p, T> {
        let Request {
            encoder,
            allowed,
            stop,
            ..
        } = *self;
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        Parts::new(
            encoder.model(),
            allowed,
            texts,
            bytes,
            self.useful_threads(bytes),
            encoder.part_sizes(),
            stop,
        )
    }

    /// The number of parts that threads share; 1 where one thread does it all.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn part_count<T: AsRef<[u8]>>(&self, texts: &[T]) -> usize {
        let parts = self.parts(texts);
        match parts.threads() {
            0 | 1 => 1,
            _ => parts.count(),
        }
    }

    fn encode_part(&self, part: &Part<'_>, only_counts: bool) -> Result<Gathered, BatchError> {
        let Request { encoder, stop, .. } = *self;
        // The text of special tokens only is stopped too.
        let stopped = |error| BatchError::new(part.text, error);
        check_stop(stop).map_err(stopped)?;
        let session = &mut *encoder.session();
        let mut gathered = match only_counts {
            true => Gathered::of_counts(),
            false => Gathered::of_ids(Vec::with_capacity(part.bytes / 3)),
        };
        for step in &part.steps {
            let done = match step {
                Step::Split(stretch) => {
                    let (text, offset) = (stretch.bytes(), stretch.offset());
                    let mut runs = session.runs(encoder.tables(), text, offset, stop);
                    loop {
                        match runs.encode(&mut gathered.ids) {
                            Ok(true) => gathered.count(),
                            Ok(false) => break Ok(()),
                            Err(error) => break Err(error),
                        }
                    }
                }
                Step::Prepare(text, offset) => {
                    let normalizer = encoder.model().normalizer();
                    let segments = segments::between(text, *offset, self.allowed, normalizer);
                    encoder.encode_segments(session, segments, stop, &mut gathered.ids)
                }
                Step::Special(id) => {
                    gathered.ids.push(*id);
                    Ok(())
                }
                Step::TextEnds => {
                    gathered.end_text();
                    Ok(())
                }
            };
            gathered.count();
            let text = part.text + gathered.ends.len();
            done.map_err(|error| BatchError::new(text, error))?;
        }
        Ok(gathered)
    }
}

/// The ids of several texts in one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All ids, text after text.
    pub ids: Vec<TokenId>,
    /// Where each text's ids begin, and at the end where the last one's end: one more than texts.
    pub offsets: Vec<usize>,
}

impl Batch {
    /// The ids of each text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[TokenId]> {
        self.offsets
            .windows(2)
            .map(|span| &self.ids[span[0]..span[1]])
    }
}

/// The ids of texts, or how many there are.
#[derive(Default)]
struct Gathered {
    ids: Vec<TokenId>,
    /// Ids that were counted and dropped.
    counted: usize,
    only_counts: bool,
    /// After how many ids each text ends.
    ends: Vec<usize>,
}

impl Gathered {
    fn of_ids(ids: Vec<TokenId>) -> Self {
        Gathered {
            ids,
            ..Self::default()
        }
    }

    fn of_counts() -> Self {
        Gathered {
            only_counts: true,
            ..Self::default()
        }
    }

    /// How many ids there are.
    fn taken(&self) -> usize {
        self.counted + self.ids.len()
    }

    fn end_text(&mut self) {
        self.ends.push(self.taken());
    }

    /// Drops the ids, if only their number is wanted.
    fn count(&mut self) {
        if self.only_counts {
            self.counted += self.ids.len();
            self.ids.clear();
        }
    }

    fn append(&mut self, part: &Self) {
        let before = self.taken();
        self.ends.extend(part.ends.iter().map(|end| before + end));
        self.ids.extend_from_slice(&part.ids);
        self.counted += part.counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::pattern::{Gaps, Pattern, PatternName, SplitError};
    use crate::special::SpecialToken;
    use crate::tokenizer::Tokenizer;

    /// Small parts, so that short texts reach threads and are cut at many places.
    fn encoder(pattern: Pattern, specials: Vec<SpecialToken>) -> Tokenizer {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xe6\x9d", b"aa"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let model = Model::from_ranks(pattern, all.zip(0..), specials).unwrap();
        Tokenizer::builder().small_parts().build(model)
    }

    fn cl100k() -> Pattern {
        Pattern::named(PatternName::Cl100k)
    }

    #[test]
    fn the_smallest_texts_and_more_threads_than_there_is_work_for() {
        let encoder = encoder(cl100k(), vec![]);
        for text in [&b""[..], b"x", b"\xff", b"\xe6\x9d", b" "] {
            let want = encoder.encode(text).unwrap();
            assert_eq!(encoder.request().threads(1000).encode(text).unwrap(), want);
        }
        let text = "the 1,000 threads. ".repeat(4000);
        let want = encoder.encode(text.as_bytes()).unwrap();
        for threads in [1000, usize::MAX] {
            let ids = encoder.request().threads(threads).encode(text.as_bytes());
            assert_eq!(ids.unwrap(), want);
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
            let options = encoder.request().allow(&allowed).threads(threads);
            let error = options.encode(text.as_bytes()).unwrap_err();
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
    fn a_panic_propagates_and_no_thread_waits_for_ever() {
        let encoder = encoder(cl100k(), vec![]);
        for which in [0, 1, 50, 199] {
            let texts: Vec<Panics> = (0..200).map(|n| Panics(0.into(), n == which)).collect();
            let mut whole = Gathered::of_counts();
            let run = std::panic::AssertUnwindSafe(|| {
                encoder.request().threads(3).gather(&texts, &mut whole)
            });
            let panic = std::panic::catch_unwind(run).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"this text panics"));
        }
    }

    #[test]
    fn progress_adds_up_to_all_bytes_and_changes_no_id() {
        let encoder = encoder(cl100k(), vec![]);
        let text = "the cat\n".repeat(500);
        let plain = encoder.request().encode(&text).unwrap();
        for threads in [0, 1, 3] {
            let counter = std::sync::atomic::AtomicU64::new(0);
            let request = encoder.request().threads(threads).progress(&counter);
            assert_eq!(request.encode(&text).unwrap(), plain);
            // A part may count its text's end as a byte.
            let counted = counter.swap(0, Ordering::Relaxed);
            assert!((4000..4010).contains(&counted), "{counted}");
            assert_eq!(request.count(&text).unwrap(), plain.len());
            assert_eq!(counter.into_inner(), counted);
        }
    }

    #[test]
    fn no_texts_are_an_empty_batch() {
        let encoder = encoder(cl100k(), vec![]);
        let none = encoder.request().threads(2).encode_batch(&[] as &[&str]);
        let none = none.unwrap();
        assert_eq!((none.ids.len(), none.offsets), (0, vec![0]));
    }

    #[test]
    fn the_first_text_that_fails_is_named() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let model = Model::from_merges(bomb, Merges::default(), &[] as &[&str]).unwrap();
        // So that these texts reach threads.
        let encoder = Tokenizer::builder().small_parts().build(model);
        let mut texts = vec!["fine".repeat(200); 40];
        texts[7] = "a".repeat(64);
        texts[30] = "a".repeat(64);
        for threads in [1, 4] {
            assert_eq!(
                encoder
                    .request()
                    .threads(threads)
                    .encode_batch(&texts)
                    .unwrap_err()
                    .text,
                7
            );
            let options = encoder.request().threads(threads);
            let error = options.count_batch(&texts).unwrap_err();
            assert_eq!(error.text, 7);
        }
    }
}

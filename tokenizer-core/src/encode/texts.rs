//! Encoding and counting texts and batches, on one or more threads.
//!
//! With several threads, this is an ordered parallel map over tasks (`tasks.rs`). The ids of a task are
//! buffered until its predecessors are done, and then copied to the output once.

use std::sync::atomic::Ordering;

use super::encoder::{Request, with_capacity_for};
use super::error::{BatchError, EncodeError, check_stop};
use super::tasks::{Step, Task, Tasks};
use crate::parallel::{self, MAX_THREADS};
use crate::segments;
use crate::token::TokenId;

impl Request<'_> {
    /// Encodes `text`. Each part between two special tokens is split on its own.
    ///
    /// # Errors
    /// If the pattern fails on the text (named patterns and most others never do), or the stop flag is set.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = with_capacity_for(text.as_ref().len());
        self.encode_into(text, &mut ids)?;
        Ok(ids)
    }

    /// Like [`Request::encode`], but appends to `ids`. After an error, the ids of a part of the text may have
    /// been appended.
    ///
    /// Reuse the vector for the next text: the first write to each page of a new large vector costs as much
    /// as encoding a kilobyte of text.
    ///
    /// # Errors
    /// Same as [`Request::encode`].
    pub fn encode_into(
        &self,
        text: impl AsRef<[u8]>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        if self.progress.is_some() || self.useful_threads(text.len()) > 1 {
            let mut output = Output::for_ids(std::mem::take(ids));
            let done = self.process_tasks(&[text], &mut output);
            *ids = output.ids;
            return done.map_err(|failure| self.located(text, failure.error));
        }
        let segments = self.encoder.segments(text, self.allowed);
        let session = &mut self.encoder.session();
        let done = (self.encoder).encode_segments(session, segments, self.stop, ids);
        done.map_err(|error| self.located(text, error))
    }

    /// Returns the number of ids of `text`. Ids are not stored.
    ///
    /// # Errors
    /// Same as [`Request::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        let mut output = Output::for_counts();
        self.process(&[text.as_ref()], &mut output)
            .map_err(|failure| failure.error)?;
        Ok(output.len())
    }

    /// Encodes each text, as [`Request::encode`] does.
    ///
    /// Long texts are cut, so the work is spread evenly over threads even if texts differ in length. Besides
    /// the output, each thread buffers the ids of a few tasks of up to 64 KiB of text.
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
    /// Returns the error of the first text that fails.
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(&self, texts: &[T]) -> Result<Batch, BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let mut output = Output::for_ids(with_capacity_for(bytes));
        // The first offset: 0.
        output.end_text();
        self.process(texts, &mut output)?;
        Ok(Batch {
            ids: output.ids,
            offsets: output.ends,
        })
    }

    /// Returns the number of ids of each text. Ids are not stored.
    ///
    /// # Errors
    /// Returns the error of the first text that fails.
    pub fn count_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
    ) -> Result<Vec<usize>, BatchError> {
        let mut output = Output::for_counts();
        self.process(texts, &mut output)?;
        let mut start = 0;
        let counts = output.ends.into_iter().map(|end| {
            let count = end - start;
            start = end;
            count
        });
        Ok(counts.collect())
    }

    /// Returns the number of threads to use for `bytes` of text, including the caller's.
    fn useful_threads(&self, bytes: usize) -> usize {
        match cfg!(feature = "parallel") {
            true => {
                let useful = bytes / self.encoder.task_sizes().per_thread;
                self.threads.min(useful).min(MAX_THREADS)
            }
            false => 1,
        }
    }

    /// Appends the ids or counts of all texts to `output`.
    fn process<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        output: &mut Output,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        if self.progress.is_some() || self.useful_threads(bytes) > 1 {
            let done = self.process_tasks(texts, output);
            return done.map_err(|failure| BatchError {
                error: self.located(texts[failure.text].as_ref(), failure.error),
                ..failure
            });
        }
        let Request { encoder, stop, .. } = *self;
        let mut session = encoder.session();
        for (index, text) in texts.iter().enumerate() {
            let segments = encoder.segments(text.as_ref(), self.allowed);
            let done = match output.count_only {
                true => {
                    let count = encoder.count_segments(&mut session, segments, stop, usize::MAX);
                    count.map(|count| output.dropped += count.unwrap_or_default())
                }
                false => encoder.encode_segments(&mut session, segments, stop, &mut output.ids),
            };
            done.map_err(|error| BatchError::new(index, self.located(text.as_ref(), error)))?;
            output.end_text();
        }
        Ok(())
    }

    /// Like [`Request::process`], but divides the texts into tasks, which several threads may process.
    fn process_tasks<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        output: &mut Output,
    ) -> Result<(), BatchError> {
        let tasks = self.tasks(texts);
        let (threads, count_only) = (tasks.threads(), output.count_only);
        let encode = |task: Task<'_>| Ok((task.bytes, self.process_task(&task, count_only)?));
        parallel::ordered_map(tasks, threads, encode, |(bytes, result)| {
            output.append(&result);
            if let Some(progress) = self.progress {
                progress.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Ok(())
        })
    }

    /// Divides `texts` into tasks for the useful number of threads.
    fn tasks<'p, T: AsRef<[u8]>>(&'p self, texts: &'p [T]) -> Tasks<'p, T> {
        let Request {
            encoder,
            allowed,
            stop,
            ..
        } = *self;
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        Tasks::new(
            encoder.model(),
            allowed,
            texts,
            bytes,
            self.useful_threads(bytes),
            encoder.task_sizes(),
            stop,
        )
    }

    /// The number of tasks that threads share, or 1 on a single thread.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    #[must_use]
    pub fn task_count<T: AsRef<[u8]>>(&self, texts: &[T]) -> usize {
        let tasks = self.tasks(texts);
        match tasks.threads() {
            0 | 1 => 1,
            _ => tasks.count(),
        }
    }

    fn process_task(&self, task: &Task<'_>, count_only: bool) -> Result<Output, BatchError> {
        let Request { encoder, stop, .. } = *self;
        // In a task of special tokens only, there are no runs that check the flag.
        let stopped = |error| BatchError::new(task.text, error);
        check_stop(stop).map_err(stopped)?;
        let session = &mut *encoder.session();
        let mut output = match count_only {
            true => Output::for_counts(),
            false => Output::for_ids(Vec::with_capacity(task.bytes / 3)),
        };
        for step in &task.steps {
            let done = match step {
                Step::Split(slice) => {
                    let (text, offset) = (slice.bytes(), slice.offset());
                    let mut runs = session.runs(encoder.tables(), text, offset, stop);
                    loop {
                        match runs.encode(&mut output.ids) {
                            Ok(true) => output.drop_counted(),
                            Ok(false) => break Ok(()),
                            Err(error) => break Err(error),
                        }
                    }
                }
                Step::Prepare(text, offset) => {
                    let changes = encoder.model().changes();
                    let segments = segments::between(text, *offset, self.allowed, changes);
                    encoder.encode_segments(session, segments, stop, &mut output.ids)
                }
                Step::Special(id) => {
                    output.ids.push(*id);
                    Ok(())
                }
                Step::EndText => {
                    output.end_text();
                    Ok(())
                }
            };
            output.drop_counted();
            let text = task.text + output.ends.len();
            done.map_err(|error| BatchError::new(text, error))?;
        }
        Ok(output)
    }
}

/// The ids of several texts in one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All ids, text after text.
    pub ids: Vec<TokenId>,
    /// The index in `ids` at which each text's ids start, followed by the length of `ids`. So there is one
    /// offset more than there are texts.
    pub offsets: Vec<usize>,
}

impl Batch {
    /// Returns an iterator over the ids of each text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[TokenId]> {
        self.offsets
            .windows(2)
            .map(|span| &self.ids[span[0]..span[1]])
    }
}

/// The ids of texts, or only their number.
#[derive(Default)]
struct Output {
    ids: Vec<TokenId>,
    /// Number of ids that were counted and dropped.
    dropped: usize,
    count_only: bool,
    /// [`Output::len`] at the end of each text.
    ends: Vec<usize>,
}

impl Output {
    fn for_ids(ids: Vec<TokenId>) -> Self {
        Output {
            ids,
            ..Self::default()
        }
    }

    fn for_counts() -> Self {
        Output {
            count_only: true,
            ..Self::default()
        }
    }

    /// The number of ids, including dropped ones.
    fn len(&self) -> usize {
        self.dropped + self.ids.len()
    }

    fn end_text(&mut self) {
        self.ends.push(self.len());
    }

    /// In `count_only` mode, counts the ids and drops them.
    fn drop_counted(&mut self) {
        if self.count_only {
            self.dropped += self.ids.len();
            self.ids.clear();
        }
    }

    fn append(&mut self, task: &Self) {
        let before = self.len();
        self.ends.extend(task.ends.iter().map(|end| before + end));
        self.ids.extend_from_slice(&task.ids);
        self.dropped += task.dropped;
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

    /// Small tasks, so that short texts are cut often and are spread over threads.
    fn small_task_tokenizer(pattern: Pattern, specials: Vec<SpecialToken>) -> Tokenizer {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xe6\x9d", b"aa"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        let model = Model::from_ranks(pattern, all.zip(0..), specials).unwrap();
        Tokenizer::builder().small_tasks().build(model)
    }

    fn cl100k() -> Pattern {
        Pattern::named(PatternName::Cl100k)
    }

    #[test]
    fn ids_do_not_depend_on_surplus_threads() {
        let tokenizer = small_task_tokenizer(cl100k(), vec![]);
        for text in [&b""[..], b"x", b"\xff", b"\xe6\x9d", b" "] {
            let want = tokenizer.encode(text).unwrap();
            assert_eq!(
                tokenizer.request().threads(1000).encode(text).unwrap(),
                want
            );
        }
        let text = "the 1,000 threads. ".repeat(4000);
        let want = tokenizer.encode(text.as_bytes()).unwrap();
        for threads in [1000, usize::MAX] {
            let ids = tokenizer.request().threads(threads).encode(text.as_bytes());
            assert_eq!(ids.unwrap(), want);
        }
    }

    #[test]
    fn the_error_has_the_offset_of_the_first_failure() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let tokenizer = small_task_tokenizer(bomb, vec![SpecialToken::new("<|s|>", 300)]);
        let allowed = tokenizer.model().all_specials();
        // Tasks before the first failure take longer than those after it.
        let text = format!(
            "{}<|s|>{}{}",
            "x".repeat(3000),
            "yy<|s|>".repeat(300),
            format!("z{}<|s|>", "a".repeat(64)).repeat(20)
        );
        for threads in [1, 2, 8] {
            let request = tokenizer.request().allow(&allowed).threads(threads);
            let error = request.encode(text.as_bytes()).unwrap_err();
            let EncodeError::Split(SplitError { offset, .. }) = error else {
                panic!("{error}");
            };
            assert_eq!(offset, 3000 + 5 + 7 * 300 + 1);
        }
    }

    /// A text that panics at its second `as_ref`, if the flag is set.
    #[cfg(feature = "parallel")]
    struct Panics(std::sync::atomic::AtomicUsize, bool);

    #[cfg(feature = "parallel")]
    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(!self.1 || before < 1, "this text panics");
            b"some words that fill half of a task"
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn a_panic_propagates_without_a_deadlock() {
        let tokenizer = small_task_tokenizer(cl100k(), vec![]);
        for which in [0, 1, 50, 199] {
            let texts: Vec<Panics> = (0..200).map(|n| Panics(0.into(), n == which)).collect();
            let mut output = Output::for_counts();
            let run = std::panic::AssertUnwindSafe(|| {
                tokenizer.request().threads(3).process(&texts, &mut output)
            });
            let panic = std::panic::catch_unwind(run).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"this text panics"));
        }
    }

    #[test]
    fn progress_adds_up_to_all_bytes_and_changes_no_id() {
        let tokenizer = small_task_tokenizer(cl100k(), vec![]);
        let text = "the cat\n".repeat(500);
        let plain = tokenizer.request().encode(&text).unwrap();
        for threads in [0, 1, 3] {
            let counter = std::sync::atomic::AtomicU64::new(0);
            let request = tokenizer.request().threads(threads).progress(&counter);
            assert_eq!(request.encode(&text).unwrap(), plain);
            // The end of the text counts as a byte.
            let counted = counter.swap(0, Ordering::Relaxed);
            assert!((4000..4010).contains(&counted), "{counted}");
            assert_eq!(request.count(&text).unwrap(), plain.len());
            assert_eq!(counter.into_inner(), counted);
        }
    }

    #[test]
    fn an_empty_list_of_texts_is_an_empty_batch() {
        let tokenizer = small_task_tokenizer(cl100k(), vec![]);
        let none = tokenizer.request().threads(2).encode_batch(&[] as &[&str]);
        let none = none.unwrap();
        assert_eq!((none.ids.len(), none.offsets), (0, vec![0]));
    }

    #[test]
    fn the_error_names_the_first_failing_text() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let model = Model::from_merges(bomb, Merges::default(), &[] as &[&str]).unwrap();
        // Small tasks, so that these texts are spread over threads.
        let tokenizer = Tokenizer::builder().small_tasks().build(model);
        let mut texts = vec!["fine".repeat(200); 40];
        texts[7] = "a".repeat(64);
        texts[30] = "a".repeat(64);
        for threads in [1, 4] {
            assert_eq!(
                tokenizer
                    .request()
                    .threads(threads)
                    .encode_batch(&texts)
                    .unwrap_err()
                    .text,
                7
            );
            let request = tokenizer.request().threads(threads);
            let error = request.count_batch(&texts).unwrap_err();
            assert_eq!(error.text, 7);
        }
    }
}

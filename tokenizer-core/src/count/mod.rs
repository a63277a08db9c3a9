//! Counting: documents in, [`Words`] out, on several threads.
//!
//! The caller's thread reads documents and hands them over in batches of about a megabyte, a large
//! document in several parts (see [`Pattern::parts`]); each worker splits and counts into a table
//! of its own for the whole corpus (`table.rs`). At the end the tables are put together
//! (`merge.rs`). The channel holds a few batches, so memory follows the distinct pieces and not the
//! corpus. Which worker counts a part changes nothing.

mod merge;
mod spill;
mod table;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use spill::{PieceCounter, SortedPieces, TemporaryStore};

use self::merge::merge;
use self::table::{PieceTable, Seeds};
use crate::split::{Pattern, Spans, SplitError};
use crate::stop::Stop;
use crate::words::{Words, WordsError};

/// How to count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CountOptions {
    /// Threads that split and count, at least one, and no more than 1024 are used. Without the
    /// feature `parallel`, one is used.
    pub threads: usize,
    /// When another thread sets this, counting ends with [`CountError::Stopped`], mostly within a
    /// hundredth of a second: not while a piece without an end is split, nor while a document is
    /// waited for.
    pub stop: Option<Arc<AtomicBool>>,
}

impl CountOptions {
    /// With so many threads; 0 means 1.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Breaks off when another thread sets `flag`.
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }
}

impl Default for CountOptions {
    /// One thread for each processor.
    fn default() -> Self {
        CountOptions {
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            stop: None,
        }
    }
}

/// A corpus could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// The pattern failed on a document.
    #[error("document {document}: {error}")]
    Split {
        /// Which document, from 0.
        document: usize,
        /// Where in it, and why.
        error: SplitError,
    },
    /// The counts do not fit.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// What does not fit in memory cannot be put elsewhere.
    #[error("counts that do not fit in memory: {0}")]
    Store(String),
    /// The distinct pieces alone take more memory than was allowed.
    #[error(
        "the distinct pieces alone take more than the {max_memory} bytes of memory that there are for them"
    )]
    MemoryExceeded {
        /// What was allowed, in bytes.
        max_memory: usize,
    },
    /// [`CountOptions::stop`] was set.
    #[error("counting was stopped")]
    Stopped,
}

/// Splits every document by `pattern` and counts the pieces.
///
/// Documents are counted each on its own: no piece crosses from one to the next. The result is the
/// same for any number of threads and any order of documents.
///
/// # Errors
/// The first failure in the order of documents, and then nothing is counted.
///
/// ```
/// use tokenizer_core::{CountOptions, Pattern, count_pieces};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let words = count_pieces(["to be or", " not to be"], &pattern, &CountOptions::default())?;
/// assert_eq!(words.len(), 5); // "to", " be", " or", " not", " to"
/// assert_eq!(words.total(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn count_pieces<D: AsRef<[u8]> + Send + Sync>(
    documents: impl IntoIterator<Item = D>,
    pattern: &Pattern,
    options: &CountOptions,
) -> Result<Words, CountError> {
    let tables = tables(documents, pattern, options, &|_, _| Ok(()))?;
    Ok(merge(&tables, options.threads)?)
}

/// Counts the pieces of documents in a table for each thread. Before a run of pieces is counted in
/// a table, `make_room` is called with both.
fn tables<D: AsRef<[u8]> + Send + Sync>(
    documents: impl IntoIterator<Item = D>,
    pattern: &Pattern,
    options: &CountOptions,
    make_room: &impl MakeRoom,
) -> Result<Vec<PieceTable>, CountError> {
    let stop = Stop::new(options.stop.clone());
    let mut documents = documents.into_iter();
    #[cfg(feature = "parallel")]
    if options.threads > 1 {
        let texts = std::iter::from_fn(|| documents.next().filter(|_| !stop.is_set()));
        let tables = parallel::tables(texts, pattern, options.threads, make_room, &stop);
        // Documents that were not read may make it look as if all were done.
        return match stop.is_set() {
            true => Err(CountError::Stopped),
            false => tables,
        };
    }
    let table = table_of_this_thread(&mut documents, pattern, make_room, &stop)?;
    Ok(vec![table])
}

/// See [`tables`].
trait MakeRoom: Fn(&mut PieceTable, &Spans) -> Result<(), CountError> + Sync {}

impl<F: Fn(&mut PieceTable, &Spans) -> Result<(), CountError> + Sync> MakeRoom for F {}

fn table_of_this_thread<D: AsRef<[u8]>>(
    documents: impl Iterator<Item = D>,
    pattern: &Pattern,
    make_room: &impl MakeRoom,
    stop: &Stop,
) -> Result<PieceTable, CountError> {
    let mut table = PieceTable::new(Seeds::new());
    for (number, document) in documents.enumerate() {
        count_text(
            document.as_ref(),
            (number, 0),
            pattern,
            &mut table,
            make_room,
            stop,
        )?;
    }
    Ok(table)
}

/// Counts one text, which begins at the byte `place.1` of the document `place.0`.
fn count_text(
    text: &[u8],
    place: (usize, usize),
    pattern: &Pattern,
    table: &mut PieceTable,
    make_room: &impl MakeRoom,
    stop: &Stop,
) -> Result<(), CountError> {
    let mut splitter = pattern.split(text);
    let mut spans = Spans::new();
    loop {
        match splitter.fill(&mut spans) {
            Ok(true) if stop.is_set() => return Err(CountError::Stopped),
            Ok(true) => {
                make_room(table, &spans)?;
                table.add_run(text, &spans);
            }
            Ok(false) => return Ok(()),
            Err(error) => {
                let offset = place.1 + error.offset;
                return Err(CountError::Split {
                    document: place.0,
                    error: SplitError { offset, ..error },
                });
            }
        }
    }
}

#[cfg(feature = "parallel")]
mod parallel {
    use std::ops::Range;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::thread::{Builder, ScopedJoinHandle};

    use super::{CountError, MakeRoom, Pattern, PieceTable, Seeds, Stop, count_text};
    use crate::threads;

    /// Work travels in batches of about this many bytes: a hand-over costs about a microsecond,
    /// counting a batch a millisecond or more.
    const BATCH_BYTES: usize = 1 << 20;

    /// A document, or a part of one.
    struct Part<D> {
        /// Parts are numbered in the order of the corpus.
        number: usize,
        document_number: usize,
        document: Arc<D>,
        span: Range<usize>,
    }

    type Batch<D> = Vec<Part<D>>;

    pub(super) fn tables<D: AsRef<[u8]> + Send + Sync>(
        documents: impl Iterator<Item = D>,
        pattern: &Pattern,
        threads: usize,
        make_room: &impl MakeRoom,
        stop: &Stop,
    ) -> Result<Vec<PieceTable>, CountError> {
        let threads = threads.min(threads::MOST);
        let (sender, receiver) = sync_channel::<Batch<D>>(2 * threads);
        let progress = Progress {
            first_failed: AtomicUsize::new(usize::MAX),
        };
        let seeds = Seeds::new();
        std::thread::scope(|scope| {
            // The workers alone own the receiver: when the last of them is gone, sending fails.
            let receiver = Arc::new(Mutex::new(receiver));
            let mut workers = Vec::new();
            for _ in 0..threads {
                let (receiver, seeds) = (Arc::clone(&receiver), seeds);
                let progress = &progress;
                let work = move || progress.work(&receiver, pattern, seeds, make_room, stop);
                match Builder::new().spawn_scoped(scope, work) {
                    Ok(worker) => workers.push(worker),
                    // With fewer threads than wanted it takes longer, no more.
                    Err(_) => break,
                }
            }
            if workers.is_empty() {
                return Ok(vec![super::table_of_this_thread(
                    documents, pattern, make_room, stop,
                )?]);
            }
            drop(receiver);
            progress.hand_out(documents, pattern, sender);
            let mut tables: Vec<PieceTable> = Vec::new();
            let mut failures = Vec::new();
            for worker in workers {
                let (table, failure) = joined(worker);
                tables.push(table);
                failures.extend(failure);
            }
            match failures.into_iter().min_by_key(|&(number, _)| number) {
                Some((_, error)) => Err(error),
                None => Ok(tables),
            }
        })
    }

    /// What a thread gave; its panic goes on here.
    fn joined<R>(worker: ScopedJoinHandle<'_, R>) -> R {
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    struct Progress {
        /// The lowest part known to fail. What comes behind it need not be counted; what comes
        /// before it has been handed out already, since batches are in order, and is still
        /// counted, so that the failure reported is the same for any number of threads.
        first_failed: AtomicUsize,
    }

    impl Progress {
        fn has_failed(&self) -> bool {
            self.first_failed.load(Ordering::Relaxed) != usize::MAX
        }

        fn hand_out<D: AsRef<[u8]>>(
            &self,
            documents: impl Iterator<Item = D>,
            pattern: &Pattern,
            sender: SyncSender<Batch<D>>,
        ) {
            let mut batch = Batch::new();
            let (mut bytes, mut number) = (0, 0);
            for (document_number, document) in documents.enumerate() {
                let document = Arc::new(document);
                for span in pattern.parts((*document).as_ref(), BATCH_BYTES) {
                    if self.has_failed() {
                        return;
                    }
                    // A very short document is mostly what it is wrapped in.
                    bytes += span.len() + size_of::<Part<D>>() + size_of::<D>();
                    batch.push(Part {
                        number,
                        document_number,
                        document: Arc::clone(&document),
                        span,
                    });
                    number += 1;
                    if bytes >= BATCH_BYTES {
                        bytes = 0;
                        if sender.send(std::mem::take(&mut batch)).is_err() {
                            // Every worker has panicked, which comes out when they are joined.
                            return;
                        }
                    }
                }
            }
            let _ = sender.send(batch);
        }

        fn work<D: AsRef<[u8]>>(
            &self,
            batches: &Mutex<Receiver<Batch<D>>>,
            pattern: &Pattern,
            seeds: Seeds,
            make_room: &impl MakeRoom,
            stop: &Stop,
        ) -> (PieceTable, Option<(usize, CountError)>) {
            let mut table = PieceTable::new(seeds);
            let mut failure = None;
            let next_batch = || batches.lock().ok()?.recv().ok();
            while let Some(batch) = next_batch() {
                for part in batch {
                    if part.number >= self.first_failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let place = (part.document_number, part.span.start);
                    let text = &(*part.document).as_ref()[part.span];
                    let counted = count_text(text, place, pattern, &mut table, make_room, stop);
                    if let Err(error) = counted {
                        self.first_failed.fetch_min(part.number, Ordering::Relaxed);
                        failure = Some((part.number, error));
                        break;
                    }
                }
            }
            (table, failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{Gaps, PatternName};

    fn counted(documents: &[String], threads: usize) -> Result<Vec<(Vec<u8>, u64)>, CountError> {
        let pattern = Pattern::named(PatternName::Cl100k);
        let words = count_pieces(
            documents,
            &pattern,
            &CountOptions::default().threads(threads),
        )?;
        let mut all: Vec<_> = words.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        all.sort();
        Ok(all)
    }

    #[test]
    fn threads_and_order_change_nothing() {
        let mut documents: Vec<String> = (0..4000)
            .map(|n| {
                format!(
                    "document {n} says {} times {}\n",
                    n % 7,
                    "word ".repeat(n % 90)
                )
            })
            .collect();
        let one = counted(&documents, 1).unwrap();
        for threads in [2, 3, 8] {
            assert_eq!(
                counted(&documents, threads).unwrap(),
                one,
                "{threads} threads"
            );
        }
        documents.push("one long document, ".repeat(200_000));
        let one = counted(&documents, 1).unwrap();
        documents.reverse();
        assert_eq!(
            counted(&documents, 3).unwrap(),
            one,
            "in parts, and backwards"
        );
    }

    #[test]
    fn more_threads_than_there_can_be_are_no_panic() {
        let documents = ["to be or not".to_owned()];
        let one = counted(&documents, 1);
        assert_eq!(counted(&documents, usize::MAX), one);
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn a_panic_in_a_document_comes_out_and_nothing_waits_for_ever() {
        struct Broken;
        impl AsRef<[u8]> for Broken {
            fn as_ref(&self) -> &[u8] {
                let name = std::thread::current().name().map(str::to_owned);
                assert!(name.is_some(), "on a thread that counts");
                &[b'a'; 1 << 16]
            }
        }
        let pattern = Pattern::named(PatternName::Cl100k);
        let documents = (0..10_000).map(|_| Broken);
        let options = CountOptions::default().threads(2);
        let count = || count_pieces(documents, &pattern, &options);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(count)).is_err());
    }

    #[test]
    fn the_first_failing_document_is_named_for_any_number_of_threads() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let mut documents = vec!["fine".repeat(100_000); 12];
        documents[5] = format!("x{}", "a".repeat(64));
        documents[9] = "a".repeat(64);
        for threads in [1, 2, 8] {
            let error = count_pieces(&documents, &bomb, &CountOptions::default().threads(threads))
                .unwrap_err();
            let CountError::Split { document, error } = error else {
                panic!("{error}")
            };
            assert_eq!((document, error.offset), (5, 1), "{threads} threads");
        }
    }

    #[test]
    fn a_stopped_count_is_an_error_soon() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let document = "one document of some words, ".repeat(1000);
        for threads in [1, 3] {
            let stop = Arc::new(AtomicBool::new(false));
            let options = CountOptions::default()
                .threads(threads)
                .stop(Arc::clone(&stop));
            let mut read = 0_u64;
            // There is no last one.
            let documents = std::iter::repeat_with(|| {
                read += 1;
                stop.store(read > 50, std::sync::atomic::Ordering::Relaxed);
                document.as_str()
            });
            let counted = count_pieces(documents, &pattern, &options);
            assert_eq!(counted.unwrap_err(), CountError::Stopped);
            assert!(read < 60, "{read}");
            // One long document.
            let long = count_pieces([document.repeat(100)], &pattern, &options);
            assert_eq!(long.unwrap_err(), CountError::Stopped);
        }
    }
}

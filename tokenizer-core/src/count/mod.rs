//! Counting: documents in, [`PieceCounts`] out, on several threads.
//!
//! Threads take documents in batches of about a megabyte, a large document in several parts (see
//! [`Pattern::parts`]), and each splits and counts into a table of its own for the whole corpus
//! (`table.rs`). At the end the tables are merged (`merge.rs`). The number of batches in memory is
//! bounded, so memory follows the distinct pieces and not the corpus. Which thread counts a part
//! changes nothing.

mod merge;
mod spill;
mod table;

use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

pub use spill::{PieceCounter, SortedPieces, TemporaryStore};

use self::merge::merge;
use self::table::{PieceTable, Seeds};
use crate::parallel;
use crate::pattern::{Pattern, Spans, SplitError};
use crate::piece_counts::{PieceCounts, PieceCountsError};
use crate::stop::Stop;

/// How to count.
#[derive(Clone, Debug)]
#[must_use]
pub struct CountOptions {
    threads: usize,
    stop: Option<Arc<AtomicBool>>,
}

impl CountOptions {
    /// Threads that split and count, the caller's included: at least one, at most 1024; by default one
    /// for each processor. Without the feature `parallel`, one is used.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// When another thread sets `flag`, counting ends with [`CountError::Stopped`], mostly within a
    /// hundredth of a second: not while a piece without an end is split, nor while a document is
    /// waited for.
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
    PieceCounts(#[from] PieceCountsError),
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
/// same for any number of threads and any order of documents. The threads take turns in reading
/// `documents`.
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
    documents: impl IntoIterator<Item = D, IntoIter: Send>,
    pattern: &Pattern,
    options: &CountOptions,
) -> Result<PieceCounts, CountError> {
    let tables = tables(documents, pattern, options, &|_, _| Ok(()))?;
    Ok(merge(&tables, options.threads)?)
}

/// Counts the pieces of documents in a table for each thread. Before a run of pieces is counted in
/// a table, `make_room` is called with both.
fn tables<D: AsRef<[u8]> + Send + Sync>(
    documents: impl IntoIterator<Item = D, IntoIter: Send>,
    pattern: &Pattern,
    options: &CountOptions,
    make_room: &(impl Fn(&mut PieceTable, &Spans) -> Result<(), CountError> + Sync),
) -> Result<Vec<PieceTable>, CountError> {
    let stop = Stop::new(options.stop.clone());
    let documents = documents.into_iter().take_while(|_| !stop.is_set());
    let mut parts = (documents.enumerate()).flat_map(|(number, document)| {
        parts_of(number, document, pattern) //
    });
    let batches = std::iter::from_fn(|| next_batch(&mut parts));
    let seeds = Seeds::new();
    let tables: Mutex<Vec<(ThreadId, PieceTable)>> = Mutex::default();
    let lock = || tables.lock().unwrap_or_else(PoisonError::into_inner);
    let count = |batch: Vec<Part<D>>| {
        // The table that this thread has in its caches.
        let thread = thread::current().id();
        let own = |tables: &mut Vec<(ThreadId, PieceTable)>| {
            let place = tables.iter().position(|table| table.0 == thread)?;
            Some(tables.swap_remove(place).1)
        };
        let own = own(&mut lock());
        let mut table = own.unwrap_or_else(|| PieceTable::new(seeds));
        for part in batch {
            let text = &(*part.document).as_ref()[part.span.clone()];
            let place = (part.document_number, part.span.start);
            count_text(text, place, pattern, &mut table, make_room, &stop)?;
        }
        lock().push((thread, table));
        Ok(())
    };
    let counted: Result<(), CountError> =
        parallel::ordered_map(batches, options.threads, count, Ok);
    // Documents that were not read may make it look as if all were done.
    if stop.is_set() {
        return Err(CountError::Stopped);
    }
    counted?;
    let tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

/// A document, or a part of one.
struct Part<D> {
    document_number: usize,
    document: Arc<D>,
    span: Range<usize>,
}

/// Threads take work in batches of about this many bytes: to take one costs about a microsecond, to count
/// it a millisecond or more.
const BATCH_BYTES: usize = 1 << 20;

/// A large document is cut; see [`Pattern::parts`].
fn parts_of<D: AsRef<[u8]>>(
    document_number: usize,
    document: D,
    pattern: &Pattern,
) -> impl Iterator<Item = Part<D>> {
    let document = Arc::new(document);
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &(*document).as_ref()[start..];
        let end = start + pattern.parts(rest, BATCH_BYTES).next()?.end;
        let span = start..end;
        start = end;
        Some(Part {
            document_number,
            document: Arc::clone(&document),
            span,
        })
    })
}

fn next_batch<D>(parts: &mut impl Iterator<Item = Part<D>>) -> Option<Vec<Part<D>>> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH_BYTES
        && let Some(part) = parts.next()
    {
        // A very short document is mostly what it is wrapped in.
        bytes += part.span.len() + size_of::<Part<D>>() + size_of::<D>();
        batch.push(part);
    }
    (!batch.is_empty()).then_some(batch)
}

/// Counts one text, which begins at the byte `place.1` of the document `place.0`.
fn count_text(
    text: &[u8],
    place: (usize, usize),
    pattern: &Pattern,
    table: &mut PieceTable,
    make_room: &impl Fn(&mut PieceTable, &Spans) -> Result<(), CountError>,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::pattern::{Gaps, PatternName};

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

    #[test]
    fn a_panic_in_a_document_propagates_and_nothing_waits_for_ever() {
        /// Panics when it is looked at for the third time, or sooner, if it is the one.
        struct Broken(AtomicUsize, usize);
        impl AsRef<[u8]> for Broken {
            fn as_ref(&self) -> &[u8] {
                let looks = self.0.fetch_add(1, Ordering::Relaxed) + 1;
                assert_ne!(looks, self.1, "a broken document");
                &[b'a'; 1 << 16]
            }
        }
        let pattern = Pattern::named(PatternName::Cl100k);
        // By then it is being cut, cut to its end, and counted.
        for look in 1..=3 {
            for threads in [1, 2, 8] {
                let broken = |number| if number == 700 { look } else { 0 };
                let documents = (0..1000).map(|number| Broken(0.into(), broken(number)));
                let options = CountOptions::default().threads(threads);
                let count = || count_pieces(documents, &pattern, &options);
                let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(count));
                assert!(panic.unwrap_err().downcast_ref::<String>().is_some());
            }
        }
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

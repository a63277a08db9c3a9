//! Counting: documents to [`PieceCounts`], in parallel.
//!
//! Threads take documents in batches of about 1 MiB; a large document is cut into sections (see
//! [`Pattern::parts`]). Each thread splits its batches and counts the pieces in its own table
//! (`table.rs`). The tables are merged at the end (`merge.rs`), so the result does not depend on the
//! scheduling. The number of batches in memory is bounded: memory grows with the distinct pieces, not with
//! the corpus.

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

/// Options for counting: threads and a stop flag.
#[derive(Clone, Debug)]
#[must_use]
pub struct CountOptions {
    threads: usize,
    stop: Option<Arc<AtomicBool>>,
}

impl CountOptions {
    /// Sets the number of threads, including the caller's; by default one per processor. 0 means 1, and at
    /// most 1024 are used.
    ///
    /// Without the feature `parallel`, counting runs on the caller's thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Makes counting return [`CountError::Stopped`] after another thread sets `flag`.
    ///
    /// The flag is checked after every run of at most 2,048 pieces, usually within 10 ms. It is not
    /// checked while the splitter is inside a single long piece, while the iterator of documents
    /// blocks, or while the counts of the threads are merged at the end.
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }
}

impl Default for CountOptions {
    /// One thread per processor, and no stop flag.
    fn default() -> Self {
        CountOptions {
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            stop: None,
        }
    }
}

/// An error while counting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// The pattern failed on a document.
    #[error("document {document}: {error}")]
    Split {
        /// The index of the document, from 0.
        document: usize,
        /// The cause, with its byte offset in the document.
        error: SplitError,
    },
    /// A count or the number of distinct pieces overflowed.
    #[error(transparent)]
    PieceCounts(#[from] PieceCountsError),
    /// A temporary file could not be created, written or read.
    #[error("cannot keep piece counts in temporary files: {0}")]
    Store(String),
    /// The distinct pieces need more memory than allowed.
    #[error("distinct pieces need more than the {max_memory} bytes of memory allowed")]
    MemoryExceeded {
        /// The limit in bytes.
        max_memory: usize,
    },
    /// The flag of [`CountOptions::stop`] was set.
    #[error("counting was stopped")]
    Stopped,
}

/// Splits each document with `pattern` and counts the pieces.
///
/// A piece never spans two documents. The result does not depend on the number of threads or the order of
/// the documents. Threads take turns advancing the iterator `documents`.
///
/// # Errors
/// Returns the error of the first document that fails.
///
/// ```
/// use tokenizer_core::{CountOptions, Pattern, count_pieces};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let counts = count_pieces(["to be or", " not to be"], &pattern, &CountOptions::default())?;
/// assert_eq!(counts.len(), 5); // "to", " be", " or", " not", " to"
/// assert_eq!(counts.total(), 6);
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

/// Counts the pieces of `documents` and returns one table per thread. Before each run of pieces is
/// counted, calls `make_room` with the table and that run.
fn tables<D: AsRef<[u8]> + Send + Sync>(
    documents: impl IntoIterator<Item = D, IntoIter: Send>,
    pattern: &Pattern,
    options: &CountOptions,
    make_room: &(impl Fn(&mut PieceTable, &Spans) -> Result<(), CountError> + Sync),
) -> Result<Vec<PieceTable>, CountError> {
    let stop = Stop::new(options.stop.clone());
    let documents = documents.into_iter().take_while(|_| !stop.is_set());
    let mut sections = (documents.enumerate())
        .flat_map(|(number, document)| cut_document(number, document, pattern));
    let batches = std::iter::from_fn(|| next_batch(&mut sections));
    let seeds = Seeds::new();
    let tables: Mutex<Vec<(ThreadId, PieceTable)>> = Mutex::default();
    let lock = || tables.lock().unwrap_or_else(PoisonError::into_inner);
    let count = |batch: Vec<Section<D>>| {
        // Each thread takes back its own table, which is warm in its caches.
        let thread = thread::current().id();
        let take_own = |tables: &mut Vec<(ThreadId, PieceTable)>| {
            let index = tables.iter().position(|table| table.0 == thread)?;
            Some(tables.swap_remove(index).1)
        };
        let own = take_own(&mut lock());
        let mut table = own.unwrap_or_else(|| PieceTable::new(seeds));
        for section in batch {
            count_section(&section, pattern, &mut table, make_room, &stop)?;
        }
        lock().push((thread, table));
        Ok(())
    };
    let counted: Result<(), CountError> =
        parallel::ordered_map(batches, options.threads, count, Ok);
    // Once the flag is set, no more documents are read, so `counted` may be `Ok`.
    if stop.is_set() {
        return Err(CountError::Stopped);
    }
    counted?;
    let tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

/// A document, or one of the sections that a large document is cut into.
struct Section<D> {
    document_number: usize,
    document: Arc<D>,
    span: Range<usize>,
}

/// Approximate size of a batch. Taking one costs about a microsecond; counting it, a millisecond or more.
const BATCH_BYTES: usize = 1 << 20;

/// Cuts a document into sections of about [`BATCH_BYTES`] (see [`Pattern::parts`]).
fn cut_document<D: AsRef<[u8]>>(
    document_number: usize,
    document: D,
    pattern: &Pattern,
) -> impl Iterator<Item = Section<D>> {
    let document = Arc::new(document);
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &(*document).as_ref()[start..];
        let end = start + pattern.parts(rest, BATCH_BYTES).next()?.end;
        let span = start..end;
        start = end;
        Some(Section {
            document_number,
            document: Arc::clone(&document),
            span,
        })
    })
}

fn next_batch<D>(sections: &mut impl Iterator<Item = Section<D>>) -> Option<Vec<Section<D>>> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH_BYTES
        && let Some(section) = sections.next()
    {
        // Includes the fixed overhead, which dominates for very short documents.
        bytes += section.span.len() + size_of::<Section<D>>() + size_of::<D>();
        batch.push(section);
    }
    (!batch.is_empty()).then_some(batch)
}

/// Splits a section and counts its pieces in `table`.
fn count_section<D: AsRef<[u8]>>(
    section: &Section<D>,
    pattern: &Pattern,
    table: &mut PieceTable,
    make_room: &impl Fn(&mut PieceTable, &Spans) -> Result<(), CountError>,
    stop: &Stop,
) -> Result<(), CountError> {
    let text = &(*section.document).as_ref()[section.span.clone()];
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
                let offset = section.span.start + error.offset;
                return Err(CountError::Split {
                    document: section.document_number,
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
        let counts = count_pieces(
            documents,
            &pattern,
            &CountOptions::default().threads(threads),
        )?;
        let mut all: Vec<_> = counts.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        all.sort();
        Ok(all)
    }

    #[test]
    fn counts_do_not_depend_on_threads_or_order() {
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
            "a large document in sections, in reverse order"
        );
    }

    #[test]
    fn any_number_of_threads_is_accepted() {
        let documents = ["to be or not".to_owned()];
        let one = counted(&documents, 1);
        assert_eq!(counted(&documents, usize::MAX), one);
    }

    #[test]
    fn a_panic_in_a_document_propagates_without_a_deadlock() {
        /// The first field counts the calls of `as_ref`. The second is the number of the call that panics, or 0
        /// for none.
        struct Broken(AtomicUsize, usize);
        impl AsRef<[u8]> for Broken {
            fn as_ref(&self) -> &[u8] {
                let calls = self.0.fetch_add(1, Ordering::Relaxed) + 1;
                assert_ne!(calls, self.1, "a broken document");
                &[b'a'; 1 << 16]
            }
        }
        let pattern = Pattern::named(PatternName::Cl100k);
        // The first call finds the document's only section, the second finds that none is left, and the third
        // counts the section.
        for call in 1..=3 {
            for threads in [1, 2, 8] {
                let broken = |number| if number == 700 { call } else { 0 };
                let documents = (0..1000).map(|number| Broken(0.into(), broken(number)));
                let options = CountOptions::default().threads(threads);
                let count = || count_pieces(documents, &pattern, &options);
                let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(count));
                assert!(panic.unwrap_err().downcast_ref::<String>().is_some());
            }
        }
    }

    #[test]
    fn the_error_names_the_first_failing_document() {
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
    fn a_set_stop_flag_ends_counting_soon() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let document = "one document of some words, ".repeat(1000);
        for threads in [1, 3] {
            let stop = Arc::new(AtomicBool::new(false));
            let options = CountOptions::default()
                .threads(threads)
                .stop(Arc::clone(&stop));
            let mut read = 0_u64;
            // An endless iterator.
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

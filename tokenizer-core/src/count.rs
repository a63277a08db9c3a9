//! Counting: documents in, [`Words`] out, on several threads.
//!
//! The caller's thread reads documents and hands them over in batches of about a megabyte, a large
//! document in several parts (see [`Pattern::parts`]); each worker splits and counts into a table
//! of its own, and the tables are merged at the end. The channel holds a few batches, so memory
//! follows the distinct pieces and not the corpus, and what the workers count never depends on
//! which of them counts it.

use crate::split::{Pattern, SplitError};
use crate::words::{Words, WordsError};

/// How to count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CountOptions {
    /// Threads that split and count, at least one. Without the feature `parallel`, one is used.
    pub threads: usize,
}

impl Default for CountOptions {
    /// One thread for each processor.
    fn default() -> Self {
        CountOptions {
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
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
    let documents = documents.into_iter();
    #[cfg(feature = "parallel")]
    if options.threads > 1 {
        return parallel::count(documents, pattern, options.threads);
    }
    let _ = options;
    let mut words = Words::new();
    for (number, document) in documents.enumerate() {
        count_text(document.as_ref(), (number, 0), pattern, &mut words)?;
    }
    Ok(words)
}

/// Counts one text, which begins at the byte `place.1` of the document `place.0`.
fn count_text(
    text: &[u8],
    place: (usize, usize),
    pattern: &Pattern,
    words: &mut Words,
) -> Result<(), CountError> {
    enum Failure {
        Split(SplitError),
        Words(WordsError),
    }
    impl From<SplitError> for Failure {
        fn from(error: SplitError) -> Self {
            Failure::Split(error)
        }
    }
    pattern
        .for_each_piece(text, |piece| words.add(piece, 1).map_err(Failure::Words))
        .map_err(|failure| match failure {
            Failure::Words(error) => error.into(),
            Failure::Split(error) => CountError::Split {
                document: place.0,
                error: SplitError {
                    offset: place.1 + error.offset,
                    ..error
                },
            },
        })
}

#[cfg(feature = "parallel")]
mod parallel {
    use std::ops::Range;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::sync::{Arc, Mutex};

    use super::{CountError, Pattern, Words, count_text};

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

    pub(super) fn count<D: AsRef<[u8]> + Send + Sync>(
        documents: impl Iterator<Item = D>,
        pattern: &Pattern,
        threads: usize,
    ) -> Result<Words, CountError> {
        let (sender, receiver) = sync_channel::<Batch<D>>(2 * threads);
        let shared = Shared {
            batches: Mutex::new(receiver),
            first_failed: AtomicUsize::new(usize::MAX),
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| shared.work(pattern)))
                .collect();
            shared.hand_out(documents, pattern, sender);
            let mut total: Option<Words> = None;
            let mut failures = Vec::new();
            for worker in workers {
                let (words, failure) = worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                failures.extend(failure);
                match &mut total {
                    None => total = Some(words),
                    Some(total) => total.merge(&words)?,
                }
            }
            match failures.into_iter().min_by_key(|&(number, _)| number) {
                Some((_, error)) => Err(error),
                None => Ok(total.unwrap_or_default()),
            }
        })
    }

    struct Shared<D> {
        batches: Mutex<Receiver<Batch<D>>>,
        /// The lowest part known to fail. What comes behind it need not be counted; what comes
        /// before it has been handed out already, since batches are in order, and is still
        /// counted, so that the failure reported is the same for any number of threads.
        first_failed: AtomicUsize,
    }

    impl<D: AsRef<[u8]>> Shared<D> {
        fn hand_out(
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
                    if self.first_failed.load(Ordering::Relaxed) != usize::MAX {
                        break;
                    }
                    bytes += span.len();
                    batch.push(Part {
                        number,
                        document_number,
                        document: Arc::clone(&document),
                        span,
                    });
                    number += 1;
                    if bytes >= BATCH_BYTES {
                        bytes = 0;
                        // The receiver lives as long as the workers do: sending cannot fail.
                        let _ = sender.send(std::mem::take(&mut batch));
                    }
                }
                if self.first_failed.load(Ordering::Relaxed) != usize::MAX {
                    break;
                }
            }
            let _ = sender.send(batch);
        }

        fn work(&self, pattern: &Pattern) -> (Words, Option<(usize, CountError)>) {
            let mut words = Words::new();
            let mut failure = None;
            while let Some(batch) = self.next_batch() {
                for part in batch {
                    if part.number >= self.first_failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let place = (part.document_number, part.span.start);
                    let text = &(*part.document).as_ref()[part.span];
                    if let Err(error) = count_text(text, place, pattern, &mut words) {
                        self.first_failed.fetch_min(part.number, Ordering::Relaxed);
                        failure = Some((part.number, error));
                        break;
                    }
                }
            }
            (words, failure)
        }

        fn next_batch(&self) -> Option<Batch<D>> {
            self.batches.lock().ok()?.recv().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{Gaps, PatternName};

    fn counted(documents: &[String], threads: usize) -> Result<Vec<(Vec<u8>, u64)>, CountError> {
        let pattern = Pattern::named(PatternName::Cl100k);
        let words = count_pieces(documents, &pattern, &CountOptions { threads })?;
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
    fn the_first_failing_document_is_named_for_any_number_of_threads() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let mut documents = vec!["fine".repeat(100_000); 12];
        documents[5] = format!("x{}", "a".repeat(64));
        documents[9] = "a".repeat(64);
        for threads in [1, 2, 8] {
            let error = count_pieces(&documents, &bomb, &CountOptions { threads }).unwrap_err();
            let CountError::Split { document, error } = error else {
                panic!("{error}")
            };
            assert_eq!((document, error.offset), (5, 1), "{threads} threads");
        }
    }
}

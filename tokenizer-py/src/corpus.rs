//! What is counted: files, a Python iterator or columns of Arrow; and the counting.
//!
//! Counting is done on threads of its own, while the calling thread pulls documents, tells how far
//! it is, and looks for Ctrl-C.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::ArrowError;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::corpus::{
    Content, DocumentError, DocumentOptions, Documents, FileError, Place, Unit,
};
use tokenizer_core::count::CountError;
use tokenizer_core::{CountOptions, Pattern, Words, count_pieces};

use crate::arrow::{Arrays, Bytes, Texts};
use crate::documents::{Batch, Kinds, Pulled, Puller};
use crate::errors::{file_error, value_error};
use crate::interruptible::{Caller, interruptible};
use crate::progress::Progress;
use crate::text::refuse_single_text;

/// What is counted.
pub(crate) enum Source {
    /// With the field or the column that holds the text.
    Files(Vec<PathBuf>, Option<String>),
    Iterator(Puller),
    Arrow(Texts),
}

impl Source {
    /// Documents of Python: an iterable of `str` and `bytes`, or what hands out Arrow. `argument` is
    /// what the caller calls it.
    ///
    /// # Errors
    /// `TypeError` when it is something else, `ValueError` when it is not clear which column is
    /// meant.
    pub(crate) fn of_documents(
        documents: &Bound<'_, PyAny>,
        column: Option<&str>,
        argument: &str,
    ) -> PyResult<Self> {
        refuse_single_text(documents, argument)?;
        if let Some(arrays) = Arrays::of(documents)? {
            return Ok(Source::Arrow(arrays.texts(column)?));
        }
        if column.is_some() {
            return Err(PyTypeError::new_err(format!(
                "{argument} is no table, and has no column"
            )));
        }
        let iterator = documents.try_iter()?;
        Ok(Source::Iterator(Puller::new(
            iterator,
            8192,
            Kinds::StrOrBytes,
        )))
    }
}

/// Splits every document and counts the pieces. `progress` is told bytes.
///
/// # Errors
/// `ValueError` when the regex gives up, `OSError`, and what an iterator or a signal handler raises.
pub(crate) fn count(
    py: Python<'_>,
    source: Source,
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    match source {
        Source::Files(paths, column) => {
            count_files(py, &paths, column.as_deref(), pattern, options, progress)
        }
        Source::Iterator(puller) => count_pulled(py, puller, pattern, options, progress),
        Source::Arrow(texts) => count_arrow(py, texts, pattern, options, progress),
    }
}

fn count_pulled(
    py: Python<'_>,
    mut puller: Puller,
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    let (sender, batches) = channel();
    let mut raised = None;
    let mut bytes = 0;
    let work = |caller: &Caller<()>| {
        let options = options.stop(caller.stop());
        count_pieces(Pulled::new(caller, batches), pattern, &options)
    };
    let counted = interruptible(py, work, |py, ()| {
        let batch = match puller.pull(py) {
            Ok(batch) => batch,
            Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => return Err(error),
            Err(error) => {
                raised = Some(error);
                Batch::end()
            }
        };
        bytes += batch.bytes as u64;
        // Who does not want it any more is done.
        let _ = sender.send(batch);
        progress.tell(py, "counting", bytes, None)
    })?;
    // A document that failed came before the one at which the iterator raised.
    match (counted, raised) {
        (Err(error), _) => Err(value_error(error)),
        (Ok(_), Some(error)) => Err(error),
        (Ok(words), None) => Ok(words),
    }
}

fn count_files(
    py: Python<'_>,
    paths: &[PathBuf],
    column: Option<&str>,
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    let total = py
        .detach(|| total_of_plain_text(paths))
        .map_err(|error| file_error(py, &error))?;
    let mut read_options = DocumentOptions::default();
    if let Some(column) = column {
        read_options.field = column.to_owned();
        read_options.column = column.to_owned();
    }
    read_options.cut = Some(pattern.clone());
    // Read in blocks and not mapped, so that it is known how far it is.
    read_options.map = false;
    let places = Mutex::new(Places::default());
    let failure = Mutex::new(None);
    let work = |caller: &Caller<u64>| {
        let options = options.stop(caller.stop());
        let fail = |file: usize, error: DocumentError| {
            *lock(&failure) = Some((file, error));
        };
        let (mut done, mut told) = (0, 0);
        let stretches = paths.iter().enumerate().map_while(|(file, path)| {
            let documents = Documents::of_file(path, &read_options);
            let documents = documents.map_err(|error| fail(file, error)).ok()?;
            Some(documents.map(move |stretch| (file, stretch)))
        });
        let stretches = stretches.flatten().map_while(|(file, stretch)| {
            let stretch = stretch.map_err(|error| fail(file, error)).ok()?;
            lock(&places).add(file, stretch.place);
            done += stretch.as_ref().len() as u64;
            if done - told >= STEP {
                told = done;
                caller.tell(done);
            }
            Some(stretch)
        });
        let counted = count_pieces(stretches, pattern, &options);
        caller.tell(done);
        counted
    };
    let counted = interruptible(py, work, |py, done| {
        progress.tell(py, "counting", done, total)
    })?;
    let failure = lock(&failure).take();
    let places = lock(&places);
    match (counted, failure) {
        // What was counted came before what could not be read.
        (Err(CountError::Split { document, error }), _) => Err(match places.get(document) {
            Some((file, place)) => {
                let mut error = error;
                let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
                error.offset = offset.saturating_add(error.offset);
                let path = paths[file].display();
                match place.unit {
                    Unit::Whole => value_error(format_args!("{path}: {error}")),
                    unit => value_error(format_args!("{path}: {unit}: {error}")),
                }
            }
            None => value_error(error),
        }),
        (Err(error), _) => Err(value_error(error)),
        (Ok(_), Some((file, DocumentError::Read(error)))) => {
            Err(file_error(py, &FileError::new(&paths[file], error)))
        }
        (Ok(_), Some((file, error))) => {
            let path = paths[file].display();
            Err(value_error(format_args!("{path}: {error}")))
        }
        (Ok(words), None) => Ok(words),
    }
}

/// So many bytes are counted before it is told again how far it is.
const STEP: u64 = 4 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes the files have together, if all are plain text.
fn total_of_plain_text(paths: &[PathBuf]) -> Result<Option<u64>, FileError> {
    let mut total = Some(0);
    for path in paths {
        let look = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            let mut head = Vec::new();
            if metadata.is_file() {
                file.take(Content::HEAD as u64).read_to_end(&mut head)?;
            }
            let is_plain = metadata.is_file() && Content::of(&head, Some(path)) == Content::Text;
            Ok(is_plain.then_some(metadata.len()))
        };
        let bytes = look().map_err(|error| FileError::new(path, error))?;
        total = total.zip(bytes).map(|(total, bytes)| total + bytes);
    }
    Ok(total)
}

/// Where stretches are that were handed out lately: in which file, and at which place of it.
#[derive(Default)]
struct Places {
    /// How many are not kept any more.
    before: usize,
    lately: VecDeque<(usize, Place)>,
}

impl Places {
    /// More than are on their way at any time.
    const MOST: usize = 1 << 18;

    fn add(&mut self, file: usize, place: Place) {
        if self.lately.len() == Places::MOST {
            self.lately.pop_front();
            self.before += 1;
        }
        self.lately.push_back((file, place));
    }

    fn get(&self, number: usize) -> Option<(usize, Place)> {
        let number = number.checked_sub(self.before)?;
        self.lately.get(number).copied()
    }
}

fn count_arrow(
    py: Python<'_>,
    texts: Texts,
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    let failure = Mutex::new(None);
    let bytes = AtomicU64::new(0);
    let work = |caller: &Caller<u64>| {
        let options = options.stop(caller.stop());
        let keep = |error: ArrowError| {
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        };
        let columns = texts.map_while(|texts| texts.map_err(keep).ok());
        let documents = columns.flat_map(|texts| {
            let done = bytes.load(Ordering::Relaxed);
            caller.tell(done);
            let texts = Arc::new(texts);
            (0..texts.len()).map(move |row| Row {
                texts: Arc::clone(&texts),
                row,
            })
        });
        let documents = documents.inspect(|row| {
            bytes.fetch_add(row.as_ref().len() as u64, Ordering::Relaxed);
        });
        count_pieces(documents, pattern, &options)
    };
    let counted = interruptible(py, work, |py, done| {
        progress.tell(py, "counting", done, None)
    })?;
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failure {
        Some(failure) => Err(PyValueError::new_err(failure)),
        None => counted.map_err(value_error),
    }
}

/// A row of a column; where it is null, nothing.
struct Row {
    texts: Arc<Bytes>,
    row: usize,
}

impl AsRef<[u8]> for Row {
    fn as_ref(&self) -> &[u8] {
        self.texts.get(self.row).unwrap_or_default()
    }
}

/// So many threads, or as many as there are processors.
///
/// # Errors
/// `ValueError` for 0.
pub(crate) fn count_options(threads: Option<usize>) -> PyResult<CountOptions> {
    match threads {
        None => Ok(CountOptions::default()),
        Some(0) => Err(PyValueError::new_err("threads must be at least 1, not 0")),
        Some(threads) => Ok(CountOptions::default().threads(threads)),
    }
}

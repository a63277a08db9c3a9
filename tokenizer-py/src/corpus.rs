//! What is counted: files, a Python iterator or columns of Arrow; and the counting.
//!
//! Counting is done on threads of its own, while the calling thread pulls documents, tells how far
//! it is, and looks for Ctrl-C.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::ArrowError;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::corpus::{Content, FileBytes, FileError, read_file};
use tokenizer_core::count::CountError;
use tokenizer_core::{CountOptions, Pattern, Words, count_pieces};

use crate::arrow::{Arrays, Bytes, Texts};
use crate::documents::{Batch, Documents, Kinds, Puller};
use crate::errors::{file_error, value_error};
use crate::interruptible::{Caller, interruptible};
use crate::progress::Progress;
use crate::text::refuse_single_text;

/// A file is handed out in parts of this many bytes, so that it is known how far it is counted.
const PART: usize = 4 << 20;

/// What is counted.
pub(crate) enum Source {
    Files(Vec<PathBuf>),
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
        Source::Files(paths) => count_files(py, &paths, pattern, options, progress),
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
        count_pieces(Documents::new(caller, batches), pattern, &options)
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
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    let read = || -> Result<Vec<Arc<FileBytes>>, FileError> {
        let files = paths.iter().map(|path| read_file(path).map(Arc::new));
        files.collect()
    };
    let files = py.detach(read).map_err(|error| file_error(py, &error))?;
    for (path, file) in paths.iter().zip(&files) {
        require_text(path, (**file).as_ref())?;
    }
    let total: usize = files.iter().map(|file| (**file).as_ref().len()).sum();
    // Where each part is that was handed out: in which file, at which byte.
    let places = Mutex::new(Vec::new());
    let work = |caller: &Caller<u64>| {
        let options = options.stop(caller.stop());
        let mut done = 0;
        let parts = files.iter().enumerate().flat_map(|(number, file)| {
            let parts: Vec<Range<usize>> = pattern.parts((**file).as_ref(), PART).collect();
            parts.into_iter().map(move |part| (number, file, part))
        });
        let documents = parts.map(|(number, file, place)| {
            let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
            places.push((number, place.start));
            done += place.len() as u64;
            caller.tell(done);
            Part {
                file: Arc::clone(file),
                place,
            }
        });
        count_pieces(documents, pattern, &options)
    };
    let counted = interruptible(py, work, |py, done| {
        progress.tell(py, "counting", done, Some(total as u64))
    })?;
    counted.map_err(|error| {
        let places = places.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            CountError::Split {
                document,
                mut error,
            } if document < places.len() => {
                let (file, start) = places[document];
                error.offset += start;
                value_error(format_args!("{}: {error}", paths[file].display()))
            }
            error => value_error(error),
        }
    })
}

/// A part of a file.
struct Part {
    file: Arc<FileBytes>,
    place: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &(*self.file).as_ref()[self.place.clone()]
    }
}

/// Compressed bytes and tables must not be taken for text in silence.
fn require_text(path: &Path, bytes: &[u8]) -> PyResult<()> {
    let what = match Content::of(bytes, Some(path)) {
        Content::Text => return Ok(()),
        Content::JsonLines => "JSON lines",
        Content::Gzip => "gzip",
        Content::Zstd => "Zstandard",
        Content::Parquet => "Parquet",
        _ => "no text",
    };
    Err(PyValueError::new_err(format!(
        "{}: this is {what}, and only plain text is read; give its documents as an iterator",
        path.display()
    )))
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

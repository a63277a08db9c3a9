//! Sources of documents (files, a Python iterator, Arrow columns), and counting.
//!
//! Worker threads count. The calling thread reads documents from Python, reports progress and checks for
//! signals.

use std::borrow::Cow;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyUserWarning};
use pyo3::prelude::*;
use tokenizer_core::CountError;
use tokenizer_core::corpus::{
    DocumentError, DocumentOptions, Documents, FileError, Globs, Place, ReadAs, Refused, Unit,
};
use tokenizer_core::format::counts::CountedPieces;
use tokenizer_core::{
    CountOptions, Normalizer, Pattern, PieceCounts as CorePieceCounts, count_pieces,
};

use crate::arrow::{Arrays, Stream, bytes_at};
use crate::documents::{Puller, pulled};
use crate::errors::{file_error, value_error};
use crate::interruptible::{Caller, interruptible, take_turns};
use crate::progress::Progress;
use crate::text::{refuse_single_text, strings};

/// A source of documents.
pub(crate) enum Source {
    Files(Box<Files>),
    Iterator(Puller),
    Arrow(Stream),
}

/// Files and folders with the options for reading them.
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    options: DocumentOptions,
    recursive: bool,
    globs: Globs,
}

/// The arguments that apply only to files.
pub(crate) struct FileArguments<'a, 'py> {
    pub(crate) text: bool,
    pub(crate) json_lines: bool,
    pub(crate) recursive: bool,
    pub(crate) include: Option<&'a Bound<'py, PyAny>>,
    pub(crate) exclude: Option<&'a Bound<'py, PyAny>>,
}

impl FileArguments<'_, '_> {
    /// Converts the argument `files` and these arguments; `column` is the column or field with the text.
    ///
    /// # Errors
    /// `TypeError` or `ValueError` for invalid or contradictory arguments.
    fn files(&self, files: &Bound<'_, PyAny>, column: Option<&str>) -> PyResult<Files> {
        refuse_single_text(files, "files")?;
        let paths = files.try_iter()?.map(|path| path?.extract());
        let read_as = match (self.text, self.json_lines) {
            (true, true) => {
                return Err(value_error("text and json_lines must not both be true"));
            }
            (true, false) => ReadAs::Text,
            (false, true) => ReadAs::JsonLines,
            (false, false) => ReadAs::Detect,
        };
        let column = column.unwrap_or("text");
        let options = DocumentOptions::default().read_as(read_as);
        if !self.recursive && (self.include.is_some() || self.exclude.is_some()) {
            return Err(value_error("include and exclude require recursive=True"));
        }
        let include = strings(self.include, "include")?;
        let exclude = strings(self.exclude, "exclude")?;
        Ok(Files {
            paths: paths.collect::<PyResult<_>>()?,
            options: options.field(column).column(column),
            recursive: self.recursive,
            globs: Globs::new(include, exclude).map_err(value_error)?,
        })
    }

    /// Checks that none of these arguments is given. Called if `files` is not given.
    ///
    /// # Errors
    /// `TypeError` if one is given.
    fn check_absent(&self) -> PyResult<()> {
        let flags = self.text || self.json_lines || self.recursive;
        match flags || self.include.is_some() || self.exclude.is_some() {
            true => Err(PyTypeError::new_err(
                "text, json_lines, recursive, include and exclude are for files",
            )),
            false => Ok(()),
        }
    }
}

impl Source {
    /// Converts the arguments `documents` and `files`; `argument` is the name of `documents` in error
    /// messages. Returns `None` if neither is given.
    ///
    /// # Errors
    /// `TypeError` for wrong types or if both are given, `ValueError` if the column does not exist.
    pub(crate) fn new(
        documents: Option<&Bound<'_, PyAny>>,
        argument: &str,
        files: Option<&Bound<'_, PyAny>>,
        column: Option<&str>,
        arguments: &FileArguments<'_, '_>,
    ) -> PyResult<Option<Self>> {
        if let Some(files) = files {
            if documents.is_some() {
                let message = format!("{argument} and files must not both be given");
                return Err(PyTypeError::new_err(message));
            }
            return Ok(Some(Source::Files(arguments.files(files, column)?.into())));
        }
        arguments.check_absent()?;
        let Some(documents) = documents else {
            return Ok(None);
        };
        refuse_single_text(documents, argument)?;
        if let Some(arrays) = Arrays::of(documents)? {
            return Ok(Some(Source::Arrow(arrays.texts(column)?)));
        }
        if column.is_some() {
            let message = format!("{argument} is not a table and has no columns");
            return Err(PyTypeError::new_err(message));
        }
        let puller = Puller::new(documents.try_iter()?, 8192, true);
        Ok(Some(Source::Iterator(puller)))
    }

    /// Splits every document and counts the pieces, by default with one thread per processor. Progress
    /// is reported in bytes.
    ///
    /// # Errors
    /// `ValueError` if `threads` is 0 or the regex fails; `OSError`; an exception of the iterator or of a
    /// signal handler.
    pub(crate) fn count(
        self,
        py: Python<'_>,
        pattern: Pattern,
        normalizer: Option<&Normalizer>,
        threads: Option<usize>,
        progress: &Progress,
    ) -> PyResult<Arc<CountedPieces>> {
        let mut options = CountOptions::default();
        if let Some(threads) = checked_threads(threads)? {
            options = options.threads(threads);
        }
        let splitting = Splitting {
            pattern: &pattern,
            normalizer,
        };
        let words = match self {
            Source::Files(files) => count_files(py, *files, splitting, options, progress),
            Source::Iterator(puller) => count_pulled(py, puller, splitting, options, progress),
            Source::Arrow(texts) => count_arrow(py, texts, splitting, options, progress),
        };
        Ok(Arc::new(CountedPieces::new(pattern, words?)))
    }
}

/// How documents become pieces.
#[derive(Clone, Copy)]
struct Splitting<'a> {
    pattern: &'a Pattern,
    normalizer: Option<&'a Normalizer>,
}

/// A document, or its normalized form.
enum Normalized<T> {
    Same(T),
    Changed(Vec<u8>),
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Normalized<T> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Normalized::Same(text) => text.as_ref(),
            Normalized::Changed(text) => text,
        }
    }
}

impl Splitting<'_> {
    fn normalize<T: AsRef<[u8]>>(self, text: T) -> Normalized<T> {
        match self
            .normalizer
            .map(|normalizer| normalizer.apply(text.as_ref()))
        {
            Some(Cow::Owned(changed)) => Normalized::Changed(changed),
            _ => Normalized::Same(text),
        }
    }
}

fn count_pulled(
    py: Python<'_>,
    mut puller: Puller,
    splitting: Splitting<'_>,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<CorePieceCounts> {
    let (sender, batches) = channel();
    let mut raised = None;
    let mut bytes = 0;
    let work = |caller: &Caller<()>| {
        let options = options.stop(caller.shared_stop_flag());
        let documents = pulled(caller, batches).map(|text| splitting.normalize(text));
        count_pieces(documents, splitting.pattern, &options)
    };
    let counted = interruptible(py, work, |py, ()| {
        let batch = match puller.pull(py) {
            Err(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => {
                // An empty batch ends the documents; the earlier batches are still counted.
                raised = Some(error);
                Vec::new()
            }
            pulled => pulled?,
        };
        bytes += batch.iter().map(|text| text.len() as u64).sum::<u64>();
        // Sending fails only if the worker has finished.
        let _ = sender.send(batch);
        progress.tell(py, "counting", bytes, None)
    })?;
    // If counting failed and the iterator raised too, the document on which counting failed comes first, so
    // the counting error is reported.
    let words = counted.map_err(value_error)?;
    raised.map_or(Ok(words), Err)
}

fn count_files(
    py: Python<'_>,
    files: Files,
    splitting: Splitting<'_>,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<CorePieceCounts> {
    let (paths, total) = files.look(py)?;
    // A document that is normalized must be read whole.
    let read_options = match splitting.normalizer {
        None => files.options.cut(splitting.pattern.clone()),
        Some(_) => files.options,
    };
    let late_doubts = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let work = |caller: &Caller<u64>| {
        let options = options.stop(caller.shared_stop_flag());
        let fail = |path: &PathBuf, error| *lock(&failure) = Some((path.clone(), error));
        let (mut done, mut reported) = (0, 0);
        let stretches = paths.iter().map_while(|path| {
            let documents = Documents::of_file(path, &read_options);
            let documents = documents.map_err(|error| fail(path, error)).ok()?;
            // For regular files, `look` has already emitted this warning.
            if let Some(doubt) = documents.doubt()
                && !path.is_file()
            {
                lock(&late_doubts).push(format!("{}: {doubt}", path.display()));
            }
            Some(documents.map(move |stretch| (path, stretch)))
        });
        let stretches = stretches.flatten().map_while(|(path, stretch)| {
            let stretch = stretch.map_err(|error| fail(path, error)).ok()?;
            done += stretch.as_ref().len() as u64;
            if done - reported >= STEP {
                reported = done;
                caller.tell(done);
            }
            Some(splitting.normalize(stretch))
        });
        let counted = count_pieces(stretches, splitting.pattern, &options);
        caller.tell(done);
        counted
    };
    let counted = interruptible(py, work, |py, done| {
        progress.tell(py, "counting", done, total)
    })?;
    // If counting and reading both failed, the document on which counting failed comes before the place that
    // could not be read, so the counting error is reported.
    let words = counted.map_err(|error| split_error(py, &paths, &read_options, error))?;
    if let Some((path, error)) = lock(&failure).take() {
        return Err(read_error(py, &path, error));
    }
    let late_doubts = std::mem::take(&mut *lock(&late_doubts));
    late_doubts
        .into_iter()
        .try_for_each(|doubt| warn(py, doubt))?;
    Ok(words)
}

/// Converts a counting error to an exception. Its index counts stretches: documents, or the parts that large
/// ones are cut into. To find the path and position of the stretch that failed, reads the files again up to
/// that index, unless one of them is a pipe, which cannot be read again.
fn split_error(
    py: Python<'_>,
    paths: &[PathBuf],
    options: &DocumentOptions,
    error: CountError,
) -> PyErr {
    let CountError::Split {
        document,
        mut error,
    } = error
    else {
        return value_error(error);
    };
    let found: Option<(&PathBuf, Place)> = py.detach(|| {
        if !paths.iter().all(|path| path.is_file()) {
            return None;
        }
        let mut stretches = paths.iter().flat_map(|path| {
            let documents = Documents::of_file(path, options).into_iter().flatten();
            documents.map(move |stretch| (path, stretch))
        });
        let (path, stretch) = stretches.nth(document)?;
        Some((path, stretch.ok()?.place))
    });
    let Some((path, place)) = found else {
        return value_error(error);
    };
    let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
    error.offset = offset.saturating_add(error.offset);
    match place.unit {
        Unit::Whole => value_error(format_args!("{}: {error}", path.display())),
        unit => value_error(format_args!("{}: {unit}: {error}", path.display())),
    }
}

/// Emits a `UserWarning`.
///
/// # Errors
/// The warning itself, if Python's warning filter turns it into an error.
fn warn(py: Python<'_>, message: String) -> PyResult<()> {
    // A path contains no NUL.
    let message = CString::new(message).unwrap_or_default();
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)
}

/// Bytes counted between two calls of `progress`.
const STEP: u64 = 4 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_error(py: Python<'_>, path: &Path, error: DocumentError) -> PyErr {
    match error {
        DocumentError::Read(error) => file_error(py, &FileError::new(path, error)),
        DocumentError::Refused(refused) => value_error(refusal(path, &refused)),
        error => value_error(format_args!("{}: {error}", path.display())),
    }
}

fn refusal(path: &Path, refused: &Refused) -> String {
    let remedy = match refused {
        Refused::UnnamedJsonLines | Refused::OtherJson => " (pass json_lines=True or text=True)",
        Refused::JsonArray => " (write one element per line, or pass text=True)",
        _ => "",
    };
    format!("{}: {refused}{remedy}", path.display())
}

impl Files {
    /// Inspects the start of every file. Returns the paths of all files, including those in folders if
    /// `recursive` is set, and their total size if all are plain text. Emits a warning for each file that
    /// may not be text.
    ///
    /// # Errors
    /// `ValueError`, which lists all files that are refused; `OSError` for the first file that cannot be
    /// read.
    fn look(&self, py: Python<'_>) -> PyResult<(Vec<PathBuf>, Option<u64>)> {
        let mut paths = Vec::new();
        for path in &self.paths {
            if !(self.recursive && path.is_dir()) {
                paths.push(path.clone());
                continue;
            }
            let files = py.detach(|| self.globs.files_below(path));
            let files = files.map_err(|error| file_error(py, &error))?;
            if files.is_empty() && !self.globs.is_empty() {
                let path = path.display();
                return Err(value_error(format_args!(
                    "{path}: no file matches include and exclude"
                )));
            }
            paths.extend(files);
        }
        let (mut total, mut doubts, mut refused) = (Some(0), Vec::new(), Vec::new());
        for path in &paths {
            take_turns(py)?;
            let bytes = match py.detach(|| Documents::look(path, &self.options)) {
                Ok(look) => {
                    let doubt = look.and_then(|look| look.doubt);
                    let doubt = doubt.map(|doubt| format!("{}: {doubt}", path.display()));
                    // A path may be given several times.
                    doubts.extend(doubt.filter(|doubt| !doubts.contains(doubt)));
                    let metadata = look.filter(|look| look.is_plain_text);
                    metadata.and_then(|_| Some(path.metadata().ok()?.len()))
                }
                Err(DocumentError::Refused(why)) => {
                    refused.push(refusal(path, &why));
                    None
                }
                Err(error) => return Err(read_error(py, path, error)),
            };
            total = total.zip(bytes).map(|(total, bytes)| total + bytes);
        }
        match refused.len() {
            0 => {}
            1 => return Err(value_error(refused.concat())),
            count => {
                let all = refused.join("; ");
                return Err(value_error(format_args!(
                    "{count} files are refused: {all}"
                )));
            }
        }
        doubts.into_iter().try_for_each(|doubt| warn(py, doubt))?;
        Ok((paths, total))
    }
}

fn count_arrow(
    py: Python<'_>,
    texts: Stream,
    splitting: Splitting<'_>,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<CorePieceCounts> {
    let failure = Mutex::new(None);
    let work = |caller: &Caller<u64>| {
        let options = options.stop(caller.shared_stop_flag());
        let keep = |error: ArrowError| *lock(&failure) = Some(error);
        let columns = texts.map_while(|texts| texts.map_err(keep).ok());
        let bytes = AtomicU64::new(0);
        let documents = columns.flat_map(|texts| {
            caller.tell(bytes.load(Ordering::Relaxed));
            (0..texts.len()).map(move |row| Row(texts.clone(), row))
        });
        let documents = documents.inspect(|row| {
            bytes.fetch_add(row.as_ref().len() as u64, Ordering::Relaxed);
        });
        let documents = documents.map(|row| splitting.normalize(row));
        count_pieces(documents, splitting.pattern, &options)
    };
    let counted = interruptible(py, work, |py, done| {
        progress.tell(py, "counting", done, None)
    })?;
    // If both failed, the row on which counting failed comes first.
    let words = counted.map_err(value_error)?;
    let failure = lock(&failure).take().map(value_error);
    failure.map_or(Ok(words), Err)
}

/// A row of a column as a document; empty if null.
struct Row(ArrayRef, usize);

impl AsRef<[u8]> for Row {
    fn as_ref(&self) -> &[u8] {
        bytes_at(&self.0, self.1).unwrap_or_default()
    }
}

/// Checks the argument `threads`.
///
/// # Errors
/// `ValueError` if it is 0.
pub(crate) fn checked_threads(threads: Option<usize>) -> PyResult<Option<usize>> {
    match threads {
        Some(0) => Err(value_error("threads must be at least 1, not 0")),
        threads => Ok(threads),
    }
}

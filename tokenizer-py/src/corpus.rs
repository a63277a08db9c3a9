//! What is counted: files, a Python iterator or columns of Arrow; and the counting.
//!
//! Counting is done on threads of its own, while the calling thread pulls documents, tells how far
//! it is, and looks for Ctrl-C.

use std::collections::VecDeque;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::ArrowError;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::corpus::{
    DocumentError, DocumentOptions, Documents, FileError, Globs, Place, ReadAs, Refused, Unit,
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
    Files(Box<Files>),
    Iterator(Puller),
    Arrow(Texts),
}

/// Files and folders, and how they are read.
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    options: DocumentOptions,
    recursive: bool,
    globs: Globs,
}

/// The arguments that say how files are read.
pub(crate) struct FileArguments<'a, 'py> {
    pub(crate) text: bool,
    pub(crate) json_lines: bool,
    pub(crate) recursive: bool,
    pub(crate) include: Option<&'a Bound<'py, PyAny>>,
    pub(crate) exclude: Option<&'a Bound<'py, PyAny>>,
}

impl FileArguments<'_, '_> {
    /// Files, of which `column` is the column or the field that holds the text.
    ///
    /// # Errors
    /// `TypeError` and `ValueError` when the arguments contradict each other or are something else.
    pub(crate) fn files(self, paths: Vec<PathBuf>, column: Option<&str>) -> PyResult<Files> {
        let mut options = DocumentOptions::default();
        options.read_as = match (self.text, self.json_lines) {
            (true, true) => {
                return Err(PyValueError::new_err(
                    "text and json_lines must not both be true",
                ));
            }
            (true, false) => ReadAs::Text,
            (false, true) => ReadAs::JsonLines,
            (false, false) => ReadAs::Detect,
        };
        if let Some(column) = column {
            options.field = column.to_owned();
            options.column = column.to_owned();
        }
        if !self.recursive && (self.include.is_some() || self.exclude.is_some()) {
            return Err(PyValueError::new_err(
                "include and exclude choose files in a folder, and need recursive=True",
            ));
        }
        let globs = |globs: Option<&Bound<'_, PyAny>>, argument| -> PyResult<Vec<String>> {
            let Some(globs) = globs else {
                return Ok(Vec::new());
            };
            refuse_single_text(globs, argument)?;
            globs.try_iter()?.map(|glob| glob?.extract()).collect()
        };
        let include = globs(self.include, "include")?;
        let exclude = globs(self.exclude, "exclude")?;
        Ok(Files {
            paths,
            options,
            recursive: self.recursive,
            globs: Globs::new(include, exclude).map_err(value_error)?,
        })
    }

    /// Refuses them where there are no files.
    ///
    /// # Errors
    /// `TypeError` when one is given.
    pub(crate) fn refuse(self) -> PyResult<()> {
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
        Source::Files(files) => count_files(py, *files, pattern, options, progress),
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
    files: Files,
    pattern: &Pattern,
    options: CountOptions,
    progress: &Progress,
) -> PyResult<Words> {
    let looked = py.detach(|| files.look());
    let Looked {
        paths,
        total,
        doubts,
    } = looked.map_err(|error| error.raised(py))?;
    warn(py, doubts)?;
    let mut read_options = files.options;
    read_options.cut = Some(pattern.clone());
    let late_doubts = Mutex::new(Vec::new());
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
            // A regular file was looked at before.
            if let Some(doubt) = documents.doubt()
                && !path.is_file()
            {
                lock(&late_doubts).push(format!("{}: {doubt}", path.display()));
            }
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
        (Ok(_), Some((file, error))) => Err(NotRead::new(&paths[file], error).raised(py)),
        (Ok(words), None) => {
            warn(
                py,
                late_doubts
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner),
            )?;
            Ok(words)
        }
    }
}

/// `UserWarning` for each message.
///
/// # Errors
/// What the filter of warnings raises.
fn warn(py: Python<'_>, messages: Vec<String>) -> PyResult<()> {
    for message in messages {
        // A path holds no NUL.
        let message = CString::new(message).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)?;
    }
    Ok(())
}

/// So many bytes are counted before it is told again how far it is.
const STEP: u64 = 4 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was seen of files without reading them whole.
struct Looked {
    /// Files, also those in folders.
    paths: Vec<PathBuf>,
    /// How many bytes they have together, if all are plain text.
    total: Option<u64>,
    /// Which may not be text.
    doubts: Vec<String>,
}

/// Why files are not read.
enum NotRead {
    File(FileError),
    Document(PathBuf, DocumentError),
    Refused(Vec<(PathBuf, Refused)>),
    NothingChosen(PathBuf),
}

impl NotRead {
    fn new(path: &Path, error: DocumentError) -> Self {
        match error {
            DocumentError::Read(error) => NotRead::File(FileError::new(path, error)),
            DocumentError::Refused(refused) => NotRead::Refused(vec![(path.to_owned(), refused)]),
            error => NotRead::Document(path.to_owned(), error),
        }
    }

    fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            NotRead::File(error) => file_error(py, &error),
            NotRead::Document(path, error) => {
                value_error(format_args!("{}: {error}", path.display()))
            }
            NotRead::Refused(files) => {
                let each = |(path, refused): &(PathBuf, Refused)| match refused {
                    Refused::UnnamedJsonLines | Refused::OtherJson => {
                        let path = path.display();
                        format!("{path}: {refused} (json_lines=True or text=True decides)")
                    }
                    Refused::JsonArray => {
                        let path = path.display();
                        format!("{path}: {refused} (write its elements one a line, or text=True)")
                    }
                    _ => format!("{}: {refused}", path.display()),
                };
                let all: Vec<String> = files.iter().map(each).collect();
                match all.len() {
                    1 => value_error(all.concat()),
                    count => value_error(format_args!(
                        "{count} files are refused: {}",
                        all.join("; ")
                    )),
                }
            }
            NotRead::NothingChosen(path) => value_error(format_args!(
                "{}: no file matches include and exclude",
                path.display()
            )),
        }
    }
}

impl Files {
    /// Looks at every file. All whose content is refused are listed in one error.
    fn look(&self) -> Result<Looked, NotRead> {
        let mut paths = Vec::new();
        for path in &self.paths {
            if self.recursive && path.is_dir() {
                let files = self.globs.files_below(path).map_err(NotRead::File)?;
                if files.is_empty() && !self.globs.is_empty() {
                    return Err(NotRead::NothingChosen(path.clone()));
                }
                paths.extend(files);
            } else {
                paths.push(path.clone());
            }
        }
        let (mut total, mut doubts, mut refused) = (Some(0), Vec::new(), Vec::new());
        for path in &paths {
            let bytes = match Documents::look(path, &self.options) {
                Ok(look) => {
                    let doubt = look.and_then(|look| look.doubt);
                    let doubt = doubt.map(|doubt| format!("{}: {doubt}", path.display()));
                    // A file may be given several times.
                    doubts.extend(doubt.filter(|doubt| !doubts.contains(doubt)));
                    let metadata = path.metadata().ok();
                    let is_plain_text = look.is_some_and(|look| look.is_plain_text);
                    metadata
                        .filter(|_| is_plain_text)
                        .map(|metadata| metadata.len())
                }
                Err(DocumentError::Refused(why)) => {
                    refused.push((path.clone(), why));
                    None
                }
                Err(error) => return Err(NotRead::new(path, error)),
            };
            total = total.zip(bytes).map(|(total, bytes)| total + bytes);
        }
        match refused.is_empty() {
            true => Ok(Looked {
                paths,
                total,
                doubts,
            }),
            false => Err(NotRead::Refused(refused)),
        }
    }
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

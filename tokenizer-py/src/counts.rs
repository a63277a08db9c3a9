//! `tokenizer_py.PieceCounts` and `tokenizer_py.count_pieces`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, RecordBatchIterator, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyList, PyTuple};
use tokenizer_core::corpus::{CountsFiles, LoadCountsError, SaveCountsError, save_counts};
use tokenizer_core::format::counts::{
    CountedPieces, CountsError, agreed_pattern, pattern_text, split_alike,
};
use tokenizer_core::{Count, Pattern, PieceCounts as CorePieceCounts};

use crate::arrow::{self, Arrays};
use crate::batches::portions;
use crate::corpus::{FileArguments, Source};
use crate::errors::{file_error, guard, value_error};
use crate::ids::long_list;
use crate::interruptible::{Caller, interruptible, take_turns};
use crate::progress::Progress;

/// Maximum number of rows of an exported table, and number of rows between two checks of the stop flag.
const ROWS: usize = 1 << 16;

/// An exported table ends once it reaches this size in bytes. A row counts as the size of its piece plus
/// `BYTES / ROWS`, so that a table has at most [`ROWS`] rows. The last row may exceed the size.
const BYTES: usize = 64 << 20;

/// The distinct pieces of a corpus with their counts, and the pattern that split the corpus: the input
/// for training.
///
/// Created by `count_pieces`, `PieceCounts.from_arrow` and `PieceCounts.load`; `+` adds counts.
/// Exports Arrow: `pyarrow.table(counts)`, `polars.DataFrame(counts)`.
///
///     >>> counts = tokenizer_py.count_pieces(["to be or", " not to be"], pattern="cl100k")
///     >>> counts.items()
///     [(b' be', 2), (b' not', 1), (b' or', 1), (b' to', 1), (b'to', 1)]
///     >>> Tokenizer.train(counts=counts, vocab_size=257).merges
///     [(b' ', b'b')]
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct PieceCounts {
    pub(crate) counted: Arc<CountedPieces>,
}

impl PieceCounts {
    fn new(pattern: Pattern, words: CorePieceCounts) -> Self {
        PieceCounts {
            counted: Arc::new(CountedPieces::new(pattern, words)),
        }
    }

    /// Converts an argument: `PieceCounts` or an Arrow table.
    pub(crate) fn of_argument(
        counts: &Bound<'_, PyAny>,
        pattern: Option<&Pattern>,
    ) -> PyResult<Arc<CountedPieces>> {
        if let Ok(counts) = counts.cast::<PieceCounts>() {
            let counted = Arc::clone(&counts.get().counted);
            agreed_pattern(Some(counted.pattern.clone()), pattern).map_err(value_error)?;
            return Ok(counted);
        }
        Ok(from_arrow(counts, pattern)?.counted)
    }

    /// Returns the rows in lexicographic order of the pieces.
    fn in_order(&self) -> Vec<(&[u8], Count)> {
        let mut rows: Vec<(&[u8], Count)> = self.counted.words.iter().collect();
        rows.sort_unstable_by_key(|&(piece, _)| piece);
        rows
    }
}

/// Parses a pattern: a name, a regex, or the text in the metadata of a table (see [`pattern_text`]).
pub(crate) fn pattern_of(pattern: Option<&str>) -> PyResult<Option<Pattern>> {
    pattern
        .map(pattern_text::read)
        .transpose()
        .map_err(value_error)
}

/// Splits documents into pieces and counts them.
///
/// Args:
///     documents (Iterable[str | bytes] | Arrow): the documents; no piece spans two of them. Arrow
///         data (a table or column of pyarrow, Polars, pandas, DuckDB) must be of text or binary type
///         and is read without copying; null rows are skipped.
///     files (Iterable[str | os.PathLike]): alternatively, files: plain text (one document per file),
///         JSON lines (.jsonl, .ndjson, .json, .jsonlines, .jl), both optionally compressed with gzip
///         or Zstandard, or Parquet. Other content, such as archives, images and models, is refused;
///         so are JSON lines under another extension, unless text or json_lines is true. Text with NUL
///         bytes or much invalid UTF-8 is read, with a UserWarning.
///     pattern (str): a name (gpt2, cl100k, o200k, nanochat), or a regex. Text that the regex does not
///         match becomes pieces too.
///     column (str | None): the column of a table, or the field of JSON lines; by default "text", or
///         the only column of an Arrow table.
///     text (bool): read JSON as plain text, regardless of the extension.
///     json_lines (bool): read text as JSON lines, regardless of the extension.
///     recursive (bool): read all files below a folder, except hidden ones.
///     include (Iterable[str] | None): globs; read only matching files of a folder. A glob with a
///         slash is matched against the path relative to the folder, any other glob against the name.
///     exclude (Iterable[str] | None): globs; skip matching files of a folder.
///     threads (int | None): the number of threads; by default, one per processor.
///     progress (bool | Callable): True shows a bar; a callable receives the stage ("counting"), the
///         bytes done, and their total (None if it is unknown).
///
/// Raises:
///     TypeError: wrong type, or not exactly one of documents and files is given.
///     UnicodeEncodeError: a document contains a lone surrogate.
///     ValueError: the pattern is invalid or fails on a document; a file is corrupt, is not text, or
///         has no such column or field; text and json_lines are both true.
///     OSError: a file cannot be read.
///     Exception: any exception of the iterator or of `progress`.
///
///     >>> tokenizer_py.count_pieces(["to be", "to do"]).items()
///     [(b' be', 1), (b' do', 1), (b'to', 2)]
#[pyfunction]
#[pyo3(signature = (documents = None, *, files = None, pattern = "cl100k", column = None, text = false, json_lines = false, recursive = false, include = None, exclude = None, threads = None, progress = None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn count_pieces(
    py: Python<'_>,
    documents: Option<&Bound<'_, PyAny>>,
    files: Option<&Bound<'_, PyAny>>,
    pattern: &str,
    column: Option<&str>,
    text: bool,
    json_lines: bool,
    recursive: bool,
    include: Option<&Bound<'_, PyAny>>,
    exclude: Option<&Bound<'_, PyAny>>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<PieceCounts> {
    guard(|| {
        let pattern: Pattern = pattern.parse().map_err(value_error)?;
        let arguments = FileArguments {
            text,
            json_lines,
            recursive,
            include,
            exclude,
        };
        let Some(source) = Source::new(documents, "documents", files, column, &arguments)? else {
            let message = "either documents or files must be given";
            return Err(PyTypeError::new_err(message));
        };
        let counted = source.count(py, pattern, None, threads, &Progress::new(py, progress)?)?;
        Ok(PieceCounts { counted })
    })
}

fn from_arrow(table: &Bound<'_, PyAny>, pattern: Option<&Pattern>) -> PyResult<PieceCounts> {
    let py = table.py();
    let Some(arrays) = Arrays::of(table)? else {
        let kind = table.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "expected PieceCounts or an Arrow table, not {kind}"
        )));
    };
    let (piece, count) = arrow::piece_and_count(&arrays)?;
    let found = arrays.field.metadata().get("pattern");
    let found = pattern_of(found.map(String::as_str))?;
    let pattern = agreed_pattern(found, pattern).map_err(|error| match error {
        CountsError::PatternMissing => PyValueError::new_err(
            "no pattern in the metadata of the table; pass the argument pattern",
        ),
        error => value_error(error),
    })?;
    let mut words = CorePieceCounts::new();
    let mut row = 0_usize;
    let mut tables = arrays.arrays;
    // Signals are checked between record batches.
    while let Some(table) = py.detach(|| tables.next()) {
        let table = table.map_err(value_error)?;
        take_turns(py)?;
        py.detach(|| add_rows(&mut words, &table, piece, count, &mut row))
            .map_err(PyValueError::new_err)?;
    }
    Ok(PieceCounts::new(pattern, words))
}

/// Returns the sum of the counts in all files. Once the stop flag is set, rows are no longer added; the
/// incomplete result is never used.
fn sums(files: &CountsFiles, caller: &Caller<()>) -> Result<CorePieceCounts, LoadCountsError> {
    let mut words = CorePieceCounts::new();
    let (mut row, mut stopped) = (0_usize, false);
    files.for_each_row(|piece, count| {
        row += 1;
        stopped |= row.is_multiple_of(ROWS) && caller.stop_flag().load(Ordering::Relaxed);
        if !stopped {
            words.add(piece, count)?;
        }
        Ok(())
    })?;
    Ok(words)
}

/// Adds the rows of a table to `words`. `row` is the number of rows of all tables added so far.
fn add_rows(
    words: &mut CorePieceCounts,
    table: &ArrayRef,
    piece: usize,
    count: usize,
    row: &mut usize,
) -> Result<(), String> {
    let table = table.as_struct();
    for here in 0..table.len() {
        let piece = arrow::bytes_at(table.column(piece), here);
        let count = arrow::integer_at(table.column(count), here);
        let added = match (piece, count) {
            (None, _) => Err("the piece is null".to_owned()),
            (_, None) => Err("the count is null or negative".to_owned()),
            (Some(piece), Some(count)) => words.add(piece, count).map_err(|e| e.to_string()),
        };
        added.map_err(|error| format!("row {row}: {error}"))?;
        *row += 1;
    }
    Ok(())
}

#[pymethods]
impl PieceCounts {
    #[new]
    fn new_in_python() -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "use count_pieces, PieceCounts.from_arrow or PieceCounts.load to create PieceCounts",
        ))
    }

    /// Reads counts from an Arrow table, such as counts made on other machines.
    ///
    /// Args:
    ///     table (Arrow): an object that exports Arrow (pyarrow, Polars, pandas, DuckDB), with the
    ///         columns "piece" (binary) and "count" (integer). Counts of equal pieces are added.
    ///     pattern (str | None): the pattern that split the pieces; required unless the metadata of
    ///         the table contains it.
    ///
    /// Raises:
    ///     TypeError: not Arrow, or a column has a different type.
    ///     ValueError: a column or the pattern is missing, a value is null, a count is negative, the
    ///         counts of a piece add up to more than 2^64 - 1, or the metadata has a different pattern.
    ///
    ///     >>> counts = tokenizer_py.count_pieces(["to be", "to do"])
    ///     >>> tokenizer_py.PieceCounts.from_arrow(counts) == counts
    ///     True
    #[staticmethod]
    #[pyo3(signature = (table, pattern = None))]
    fn from_arrow(table: &Bound<'_, PyAny>, pattern: Option<&str>) -> PyResult<Self> {
        guard(|| from_arrow(table, pattern_of(pattern)?.as_ref()))
    }

    /// Reads files written by `save` or by the command `tokenizer count-pieces`, and adds their counts.
    ///
    /// Args:
    ///     paths (str | os.PathLike): one or more files, `.tsv` or `.parquet`.
    ///     pattern (str | None): the pattern that split the pieces; required for files that do not
    ///         contain it.
    ///
    /// Raises:
    ///     OSError: a file cannot be read.
    ///     ValueError: invalid line or row, missing pattern, different patterns, or unknown extension.
    ///     TypeError: no file is given.
    ///
    ///     >>> tokenizer_py.count_pieces(["to be"]).save("counts.tsv")
    ///     >>> tokenizer_py.PieceCounts.load("counts.tsv").items()
    ///     [(b' be', 1), (b'to', 1)]
    #[staticmethod]
    #[pyo3(signature = (*paths, pattern = None))]
    fn load(py: Python<'_>, paths: &Bound<'_, PyTuple>, pattern: Option<&str>) -> PyResult<Self> {
        guard(|| {
            let paths: Vec<PathBuf> = paths.extract()?;
            let pattern = pattern_of(pattern)?;
            let read = |caller: &Caller<()>| match CountsFiles::open(&paths, pattern.as_ref())? {
                Some(files) => Ok(Some((sums(&files, caller)?, files.pattern().clone()))),
                None => Ok(None),
            };
            match interruptible(py, read, |_, ()| Ok(()))? {
                Ok(Some((words, pattern))) => Ok(PieceCounts::new(pattern, words)),
                Ok(None) => Err(PyTypeError::new_err("at least one file must be given")),
                Err(LoadCountsError::File(error)) => Err(file_error(py, &error)),
                Err(error) => Err(value_error(error)),
            }
        })
    }

    /// Writes the counts to a file atomically, in lexicographic order of the pieces.
    ///
    /// Args:
    ///     path (str | os.PathLike): the file, `.tsv` or `.parquet`.
    ///
    /// Raises:
    ///     OSError: the file cannot be written.
    ///     ValueError: unknown extension.
    ///
    ///     >>> tokenizer_py.count_pieces(["to be"]).save("counts.tsv")
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guard(|| match py.detach(|| save_counts(&self.counted, &path)) {
            Ok(()) => Ok(()),
            Err(SaveCountsError::File(error)) => Err(file_error(py, &error)),
            Err(error) => Err(value_error(error)),
        })
    }

    /// The pattern that split the pieces: a name, or a regex after "keep:" or "drop:", which tells
    /// whether text that the regex does not match becomes pieces or is dropped. Several regexes that
    /// split in sequence are separated by tabs; "whole" is a pattern that does not split.
    #[getter]
    fn pattern(&self) -> String {
        pattern_text::write(&self.counted.pattern)
    }

    /// The sum of all counts.
    #[getter]
    fn total(&self) -> u128 {
        self.counted.words.total()
    }

    /// Returns the pieces with their counts, in lexicographic order of the pieces.
    ///
    ///     >>> tokenizer_py.count_pieces(["to be"]).items()
    ///     [(b' be', 1), (b'to', 1)]
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let rows = py.detach(|| self.in_order()).into_iter();
            long_list(
                py,
                rows.map(|(piece, count)| (PyBytes::new(py, piece), count)),
            )
        })
    }

    fn __len__(&self) -> usize {
        self.counted.words.len()
    }

    fn __add__(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        guard(|| {
            let (one, other) = (&self.counted, &other.counted);
            if !split_alike(&one.pattern, &other.pattern) {
                return Err(PyValueError::new_err(format!(
                    "different patterns: {} and {}",
                    pattern_text::write(&one.pattern),
                    pattern_text::write(&other.pattern)
                )));
            }
            let sum = |caller: &Caller<()>| {
                let mut words = CorePieceCounts::new();
                let rows = one.words.iter().chain(other.words.iter());
                for (row, (piece, count)) in rows.enumerate() {
                    if row.is_multiple_of(ROWS) && caller.stop_flag().load(Ordering::Relaxed) {
                        break;
                    }
                    words.add(piece, count)?;
                }
                Ok(words)
            };
            let sum: Result<_, tokenizer_core::PieceCountsError> =
                interruptible(py, sum, |_, ()| Ok(()))?;
            Ok(PieceCounts::new(
                one.pattern.clone(),
                sum.map_err(value_error)?,
            ))
        })
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> bool {
        let (one, two) = (&self.counted, &other.counted);
        one.words.len() == two.words.len()
            && split_alike(&one.pattern, &two.pattern)
            && py.detach(|| self.in_order() == other.in_order())
    }

    fn __repr__(&self) -> String {
        format!(
            "<tokenizer_py.PieceCounts {} pieces, {} distinct, pattern={:?}>",
            self.counted.words.total(),
            self.counted.words.len(),
            self.pattern(),
        )
    }

    /// Exports an Arrow stream with the columns "piece" (binary) and "count" (uint64), in
    /// lexicographic order of the pieces, and the pattern in the metadata.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        guard(|| {
            // The protocol allows the producer to ignore this request.
            let _ = requested_schema;
            let tables = py.detach(|| tables(&self.in_order(), &self.schema()));
            let tables = tables.map_err(value_error)?;
            let stream = RecordBatchIterator::new(tables.into_iter().map(Ok), self.schema());
            arrow::stream_capsule(py, stream)
        })
    }

    /// Exports the schema of `__arrow_c_stream__`.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        guard(|| arrow::schema_capsule(py, &self.schema()))
    }
}

impl PieceCounts {
    fn schema(&self) -> SchemaRef {
        let columns = vec![
            Field::new("piece", DataType::Binary, false),
            Field::new("count", DataType::UInt64, false),
        ];
        let metadata = HashMap::from([("pattern".to_owned(), self.pattern())]);
        Arc::new(Schema::new(columns).with_metadata(metadata))
    }
}

/// Splits the rows into tables: see [`BYTES`].
fn tables(rows: &[(&[u8], Count)], schema: &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> {
    let tables = portions(rows, |(piece, _)| piece.len() + BYTES / ROWS, BYTES);
    let table = |rows: &[(&[u8], Count)]| {
        if rows.iter().any(|(piece, _)| piece.len() > 1 << 30) {
            return Err(ArrowError::InvalidArgumentError(
                "piece longer than 1 GiB".to_owned(),
            ));
        }
        let pieces = BinaryArray::from_iter_values(rows.iter().map(|(piece, _)| piece));
        let counts = UInt64Array::from_iter_values(rows.iter().map(|&(_, count)| count));
        let columns: Vec<ArrayRef> = vec![Arc::new(pieces), Arc::new(counts)];
        RecordBatch::try_new(Arc::clone(schema), columns)
    };
    tables.into_iter().map(table).collect()
}

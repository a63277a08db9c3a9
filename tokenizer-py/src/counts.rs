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

/// Rows of a table that is handed out together.
const ROWS: usize = 1 << 16;

/// A table that is handed out has no more bytes of pieces than this, if it has more than one.
const BYTES: usize = 64 << 20;

/// Distinct pieces of text with how often they occur, and the pattern that split them: what a model
/// is trained on.
///
/// Made by `count_pieces`, `PieceCounts.from_arrow` and `PieceCounts.load`; counts of several texts
/// are added with `+`. It hands out Arrow: `pyarrow.table(counts)`, `polars.DataFrame(counts)`.
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

    /// Counts that are given as an argument: one of these, or a table of Arrow.
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

    /// By the bytes of the pieces.
    fn in_order(&self) -> Vec<(&[u8], Count)> {
        let mut rows: Vec<(&[u8], Count)> = self.counted.words.iter().collect();
        rows.sort_unstable_by_key(|&(piece, _)| piece);
        rows
    }
}

/// A pattern as an argument: a name, or a regex whose gaps are kept.
pub(crate) fn pattern_of(pattern: Option<&str>) -> PyResult<Option<Pattern>> {
    pattern
        .map(pattern_text::read)
        .transpose()
        .map_err(value_error)
}

/// Splits documents into pieces and counts them.
///
/// Args:
///     documents (Iterable[str | bytes] | Arrow): the documents; pieces do not cross from one to the
///         next. What hands out Arrow (a table or column of pyarrow, Polars, pandas, DuckDB) is read
///         in place: text or binary, and rows that are null are passed over.
///     files (Iterable[str | os.PathLike]): instead, files: plain text, each one document; JSON lines
///         (.jsonl, .ndjson, .json, .jsonlines, .jl); Parquet; the first two also compressed with gzip
///         or Zstandard. Other files, such as archives, images and models, are refused, and so are
///         JSON objects, one a line, under another name, unless text or json_lines is given. A text
///         with NUL bytes, or of which much is not UTF-8, gives a UserWarning.
///     pattern (str): a name (gpt2, cl100k, o200k, nanochat) or a regex, whose gaps are kept.
///     column (str | None): the column to read of a table with several, or the field of JSON lines; by
///         default "text".
///     text (bool): JSON is read as text, whatever the file's name.
///     json_lines (bool): text is read as JSON lines, whatever the file's name.
///     recursive (bool): a folder among the files stands for the files in it and in the folders below,
///         without hidden ones.
///     include (Iterable[str] | None): globs; only files in a folder that match one are read. A glob
///         with a slash matches the path relative to the folder, one without it the name.
///     exclude (Iterable[str] | None): globs of files in a folder that are not read.
///     threads (int | None): how many threads work on it; by default, one for each processor.
///     progress (bool | Callable): True shows a bar; what is called gets the stage ("counting"), the
///         bytes done, and the bytes of all, or None.
///
/// Returns:
///     PieceCounts: the distinct pieces.
///
/// Raises:
///     TypeError: documents are something else; also, both or neither of them and files are given.
///     UnicodeEncodeError: a document holds a lone surrogate.
///     ValueError: the pattern is none, or gives up on a document; a file is damaged, is not text, or
///         has no such column or field; text and json_lines are both true.
///     OSError: a file cannot be read.
///     Exception: whatever the iterator or `progress` raises.
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
        let counted = source.count(py, pattern, threads, &Progress::new(py, progress)?)?;
        Ok(PieceCounts { counted })
    })
}

fn from_arrow(table: &Bound<'_, PyAny>, pattern: Option<&Pattern>) -> PyResult<PieceCounts> {
    let py = table.py();
    let Some(arrays) = Arrays::of(table)? else {
        let kind = table.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "expected PieceCounts or a table of Arrow, not {kind}"
        )));
    };
    let (piece, count) = arrow::piece_and_count(&arrays)?;
    let found = arrays.field.metadata().get("pattern");
    let found = pattern_of(found.map(String::as_str))?;
    let pattern = agreed_pattern(found, pattern).map_err(|error| match error {
        CountsError::PatternMissing => PyValueError::new_err(
            "the table does not say what pattern the pieces were split by; give the pattern",
        ),
        error => value_error(error),
    })?;
    let mut words = CorePieceCounts::new();
    let mut row = 0_usize;
    let mut tables = arrays.arrays;
    // A few at a time: between them Ctrl-C is looked for.
    while let Some(table) = py.detach(|| tables.next()) {
        let table = table.map_err(value_error)?;
        take_turns(py)?;
        py.detach(|| add_rows(&mut words, &table, piece, count, &mut row))
            .map_err(PyValueError::new_err)?;
    }
    Ok(PieceCounts::new(pattern, words))
}

/// The sums of all files. What it gives when the caller wants to stop is never looked at.
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

/// Adds the rows of a table. `row` counts those before.
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
            "PieceCounts are made by count_pieces, PieceCounts.from_arrow or PieceCounts.load",
        ))
    }

    /// The counts in a table of Arrow: what has them counted elsewhere hands out.
    ///
    /// Args:
    ///     table (Arrow): anything that hands out Arrow (a table of pyarrow, Polars, pandas, DuckDB),
    ///         with the columns "piece" (binary) and "count" (an integer). Counts of the same piece
    ///         are added.
    ///     pattern (str | None): what the pieces were split by; wanted when the table does not say
    ///         it in its metadata.
    ///
    /// Raises:
    ///     TypeError: it hands out no Arrow, or a column is of another type.
    ///     ValueError: a column is missing, a value is null, a count is negative, a sum passes
    ///         2^64 - 1, or the table says another pattern.
    ///
    ///     >>> counts = tokenizer_py.count_pieces(["to be", "to do"])
    ///     >>> tokenizer_py.PieceCounts.from_arrow(counts) == counts
    ///     True
    #[staticmethod]
    #[pyo3(signature = (table, pattern = None))]
    fn from_arrow(table: &Bound<'_, PyAny>, pattern: Option<&str>) -> PyResult<Self> {
        guard(|| from_arrow(table, pattern_of(pattern)?.as_ref()))
    }

    /// The counts in files, added up: what `save` and the command `tokenizer count-pieces` write.
    ///
    /// Args:
    ///     paths (str | os.PathLike): the files, `.tsv` or `.parquet`, one or several.
    ///     pattern (str | None): what the pieces of files were split by that do not say it.
    ///
    /// Raises:
    ///     OSError: a file cannot be read.
    ///     ValueError: a line or a row is wrong, no pattern is known, the files say different
    ///         patterns, or a name ends in neither.
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

    /// Writes the counts to a file, whole or not at all, by the bytes of the pieces.
    ///
    /// Args:
    ///     path (str | os.PathLike): the file, `.tsv` or `.parquet`.
    ///
    /// Raises:
    ///     OSError: the file cannot be written.
    ///     ValueError: its name ends in neither.
    ///
    ///     >>> tokenizer_py.count_pieces(["to be"]).save("counts.tsv")
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guard(|| match py.detach(|| save_counts(&self.counted, &path)) {
            Ok(()) => Ok(()),
            Err(SaveCountsError::File(error)) => Err(file_error(py, &error)),
            Err(error) => Err(value_error(error)),
        })
    }

    /// What the pieces were split by: a name, a regex, or "keep:" or "drop:" with a regex.
    #[getter]
    fn pattern(&self) -> String {
        pattern_text::write(&self.counted.pattern)
    }

    /// How many pieces there are, every one counted as often as it occurs.
    #[getter]
    fn total(&self) -> u128 {
        self.counted.words.total()
    }

    /// The pieces with their counts, by their bytes.
    ///
    /// Returns:
    ///     list[tuple[bytes, int]]: a new list.
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
                    "the pieces were split by different patterns: {} and {}",
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

    /// The counts as a stream of Arrow tables: the columns "piece" (binary) and "count" (uint64), by
    /// the bytes of the pieces, with the pattern in the metadata.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        guard(|| {
            // A wish that need not be granted.
            let _ = requested_schema;
            let tables = py.detach(|| tables(&self.in_order(), &self.schema()));
            let tables = tables.map_err(value_error)?;
            let stream = RecordBatchIterator::new(tables.into_iter().map(Ok), self.schema());
            arrow::stream_capsule(py, stream)
        })
    }

    /// The schema of what `__arrow_c_stream__` gives.
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

/// The rows as tables of some megabytes.
fn tables(rows: &[(&[u8], Count)], schema: &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> {
    let tables = portions(rows, |(piece, _)| piece.len() + BYTES / ROWS, BYTES);
    let table = |rows: &[(&[u8], Count)]| {
        if rows.iter().any(|(piece, _)| piece.len() > 1 << 30) {
            return Err(ArrowError::InvalidArgumentError(
                "a piece of more than 1 GiB".to_owned(),
            ));
        }
        let pieces = BinaryArray::from_iter_values(rows.iter().map(|(piece, _)| piece));
        let counts = UInt64Array::from_iter_values(rows.iter().map(|&(_, count)| count));
        let columns: Vec<ArrayRef> = vec![Arc::new(pieces), Arc::new(counts)];
        RecordBatch::try_new(Arc::clone(schema), columns)
    };
    tables.into_iter().map(table).collect()
}

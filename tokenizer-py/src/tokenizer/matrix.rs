//! Many texts as one matrix: rows of equal length, padded or truncated.

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::{Batch, TokenId};

use super::{Affix, Tokenizer};
use crate::errors::{guard, value_error};
use crate::ids;
use crate::interruptible::stoppable;
use crate::request::bytes_of;
use crate::text::texts;

/// The matrix and the number of ids of each row without padding.
type Matrix<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray1<i64>>);

/// The layout of a row.
struct Shape {
    width: usize,
    before: Option<TokenId>,
    after: Option<TokenId>,
    pad: TokenId,
    pad_left: bool,
    truncate_left: bool,
}

fn is_left(side: &str) -> PyResult<bool> {
    match side {
        "left" | "right" => Ok(side == "left"),
        other => Err(PyValueError::new_err(format!(
            "expected \"left\" or \"right\", not {other:?}"
        ))),
    }
}

#[pymethods]
impl Tokenizer {
    /// Returns the ids of many texts as a matrix with one row per text.
    ///
    /// Rows are padded with `pad` or truncated. Truncation removes ids of the text, never prepended or
    /// appended ids.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     pad (int | str): the id or special token for padding. An id outside the vocabulary is
    ///         allowed.
    ///     length (int | None): the number of columns; by default, the length of the longest row.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, prepend, append: as in `encode`, for every text.
    ///     pad_side ("right" | "left"): the side to pad.
    ///     truncate_side ("right" | "left"): the side to truncate.
    ///
    /// Returns:
    ///     tuple[numpy.ndarray, numpy.ndarray]: the matrix (uint32, of shape (texts, length)), and the
    ///     number of ids of each row without padding (int64, of shape (texts,)).
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     ValueError: as `encode`, or `length` has no room for the prepended and appended ids.
    ///     MemoryError: the matrix does not fit into memory.
    ///     TypeError, UnicodeEncodeError, KeyError: as `encode`; the message contains the index of
    ///         the text.
    ///
    ///     >>> matrix, lengths = tokenizer.encode_padded(["hello world", "hello"], pad=0)
    ///     >>> matrix
    ///     array([[15339,  1917],
    ///            [15339,     0]], dtype=uint32)
    ///     >>> lengths
    ///     array([2, 1])
    #[pyo3(
        signature = (
            texts, pad, length = None, threads = 1, *, allowed_special = None, prepend = None,
            append = None, pad_side = "right", truncate_side = "right"
        ),
        text_signature = "($self, texts, pad, length=None, threads=1, *, allowed_special=(), prepend=None, append=None, pad_side='right', truncate_side='right')"
    )]
    #[allow(clippy::too_many_arguments)]
    fn encode_padded<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        pad: Affix,
        length: Option<usize>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
        pad_side: &str,
        truncate_side: &str,
    ) -> PyResult<Matrix<'py>> {
        guard(|| {
            let pad = match pad {
                Affix::Id(id) => id,
                special => self.affix(Some(special))?.unwrap_or(0),
            };
            let mut request = self.request(threads, allowed_special, prepend, append)?;
            // Taken out of the request, because these ids are added after truncation.
            let (before, after) = (request.before.take(), request.after.take());
            let around = before.iter().chain(&after).count();
            let mut shape = Shape {
                width: length.unwrap_or(around),
                before,
                after,
                pad,
                pad_left: is_left(pad_side)?,
                truncate_left: is_left(truncate_side)?,
            };
            let texts = self::texts(texts)?;
            if shape.width < around {
                return Err(PyValueError::new_err(format!(
                    "length must be at least {around} for the prepended and appended ids"
                )));
            }
            let batch = stoppable(py, bytes_of(&texts), |stop| {
                request.encode_batch(&texts, threads, stop)
            })?;
            let batch = batch.map_err(value_error)?;
            if length.is_none() {
                let longest = batch.iter().map(|ids| ids.len() + around).max();
                shape.width = longest.unwrap_or(0);
            }
            let filled = py.detach(|| fill(&batch, around, &shape));
            let Some((matrix, lengths)) = filled else {
                let (rows, width) = (texts.len(), shape.width);
                let message = format!("cannot allocate {rows} rows of {width} ids");
                return Err(PyMemoryError::new_err(message));
            };
            let matrix = ids::array(py, matrix)?.reshape([texts.len(), shape.width])?;
            Ok((matrix, ids::array(py, lengths)?))
        })
    }
}

/// Returns the rows, concatenated, and the length of each without padding. `around` is the number of ids
/// prepended and appended to each row. Returns `None` if the matrix cannot be allocated.
fn fill(batch: &Batch, around: usize, shape: &Shape) -> Option<(Vec<TokenId>, Vec<i64>)> {
    let rows = batch.iter();
    let mut lengths = Vec::with_capacity(rows.len());
    let mut matrix = Vec::new();
    let size = rows.len().checked_mul(shape.width)?;
    matrix.try_reserve_exact(size).ok()?;
    for ids in rows {
        let kept = ids.len().min(shape.width - around);
        let start = if shape.truncate_left {
            ids.len() - kept
        } else {
            0
        };
        let end = matrix.len() + shape.width;
        if shape.pad_left {
            matrix.resize(end - around - kept, shape.pad);
        }
        matrix.extend(shape.before);
        matrix.extend_from_slice(&ids[start..start + kept]);
        matrix.extend(shape.after);
        matrix.resize(end, shape.pad);
        lengths.push((kept + around) as i64);
    }
    Some((matrix, lengths))
}

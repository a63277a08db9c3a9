//! Many texts as one matrix: rows of one length, filled up or cut.

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::{Batch, TokenId};

use super::{Affix, Tokenizer, refuse_no_threads};
use crate::errors::guard;
use crate::ids;
use crate::text::texts;

/// The matrix, and how many ids of each row are not filled up.
type Matrix<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray1<i64>>);

/// An end of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl FromPyObject<'_, '_> for Side {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.extract::<&str>()? {
            "left" => Ok(Side::Left),
            "right" => Ok(Side::Right),
            other => Err(PyValueError::new_err(format!(
                "a side is \"left\" or \"right\", not {other:?}"
            ))),
        }
    }
}

/// How rows are made.
struct Shape {
    width: usize,
    pad: TokenId,
    pad_side: Side,
    truncate_side: Side,
}

#[pymethods]
impl Tokenizer {
    /// The ids of many texts as a matrix with a row for each.
    ///
    /// Shorter rows are filled up with `pad`. Of longer ones, as many ids of the text are cut off as
    /// must be; what is prepended and appended stays.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     pad (int | str): the id, or the special token, to fill up with. An id need not be one of
    ///         the model.
    ///     length (int | None): how long the rows are; by default, as long as the longest.
    ///     threads (int): how many threads work on them, at least 1.
    ///     allowed_special, prepend, append: as in `encode`, for every text.
    ///     pad_side ("right" | "left"): where to fill up.
    ///     truncate_side ("right" | "left"): where to cut off.
    ///
    /// Returns:
    ///     tuple[numpy.ndarray, numpy.ndarray]: the matrix (uint32, of shape (texts, length)), and
    ///     how many ids of each row are not filled up (int64, of shape (texts,)).
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     ValueError: also, when `length` has no room for what is prepended and appended.
    ///     MemoryError: there is not so much memory.
    ///     TypeError, UnicodeEncodeError, KeyError: as `encode`; the message numbers the text.
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
            append = None, pad_side = Side::Right, truncate_side = Side::Right
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
        pad_side: Side,
        truncate_side: Side,
    ) -> PyResult<Matrix<'py>> {
        guard(|| {
            refuse_no_threads(threads)?;
            let pad = match pad {
                Affix::Id(id) => id,
                special => self.affix(Some(special))?.unwrap_or(0),
            };
            let mut rules = self.rules(allowed_special, prepend, append)?;
            // They are put around what is left of the text.
            let (before, after) = (rules.before.take(), rules.after.take());
            let around = usize::from(before.is_some()) + usize::from(after.is_some());
            let texts = self::texts(texts)?;
            if length.is_some_and(|length| length < around) {
                return Err(PyValueError::new_err(format!(
                    "length must be at least {around}, for what is prepended and appended"
                )));
            }
            let batch = rules.encode_batch(py, &texts, threads)?;
            let longest = batch.iter().map(|ids| ids.len() + around).max();
            let shape = Shape {
                width: length.or(longest).unwrap_or(0),
                pad,
                pad_side,
                truncate_side,
            };
            let filled = py.detach(|| fill(&batch, before, after, &shape));
            let Some((matrix, lengths)) = filled else {
                return Err(PyMemoryError::new_err(format!(
                    "no memory for {} rows of {} ids",
                    texts.len(),
                    shape.width
                )));
            };
            let matrix = ids::array(py, matrix)?.reshape([texts.len(), shape.width])?;
            Ok((matrix, ids::array_of(py, lengths)?))
        })
    }
}

/// The rows, one behind the other, and how much of each is not filled up. `None` when there is not
/// so much memory.
fn fill(
    batch: &Batch,
    before: Option<TokenId>,
    after: Option<TokenId>,
    shape: &Shape,
) -> Option<(Vec<TokenId>, Vec<i64>)> {
    let rows = batch.iter();
    let mut matrix = Vec::new();
    matrix
        .try_reserve_exact(rows.len().checked_mul(shape.width)?)
        .ok()?;
    let mut lengths = Vec::with_capacity(rows.len());
    let around = usize::from(before.is_some()) + usize::from(after.is_some());
    for ids in rows {
        let kept = ids.len().min(shape.width - around);
        let ids = match shape.truncate_side {
            Side::Right => &ids[..kept],
            Side::Left => &ids[ids.len() - kept..],
        };
        let padding = shape.width - around - kept;
        let end = matrix.len() + shape.width;
        if shape.pad_side == Side::Left {
            matrix.resize(matrix.len() + padding, shape.pad);
        }
        matrix.extend(before);
        matrix.extend_from_slice(ids);
        matrix.extend(after);
        matrix.resize(end, shape.pad);
        lengths.push((kept + around) as i64);
    }
    Some((matrix, lengths))
}

//! Ids on their way to Python.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tokenizer_core::{Batch, TokenId};

/// Ids, and where each text's begin and end among them.
pub(crate) type IdsAndOffsets<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

/// Ids as an array of `uint32` that takes over the vector: nothing is copied.
///
/// Numpy is imported here and not with the package.
pub(crate) fn array(py: Python<'_>, ids: Vec<TokenId>) -> PyResult<Bound<'_, PyArray1<u32>>> {
    py.import("numpy")?;
    Ok(PyArray1::from_vec(py, ids))
}

/// A batch as one array of ids and one of `int64` offsets: text `n` has the ids from `offsets[n]`
/// to `offsets[n + 1]`.
pub(crate) fn arrays(py: Python<'_>, batch: Batch) -> PyResult<IdsAndOffsets<'_>> {
    let ids = array(py, batch.ids)?;
    let offsets = batch.offsets.into_iter().map(|offset| offset as i64);
    Ok((ids, PyArray1::from_vec(py, offsets.collect())))
}

/// A batch as a list of lists.
pub(crate) fn lists<'py>(py: Python<'py>, batch: &Batch) -> PyResult<Bound<'py, PyList>> {
    let lists: Vec<_> = batch
        .iter()
        .map(|ids| PyList::new(py, ids))
        .collect::<PyResult<_>>()?;
    PyList::new(py, lists)
}

//! Ids as arrays, and ids that come from Python in any form.

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple};
use tokenizer_core::{Batch, TokenId};

use crate::errors::guard;
use crate::lists;

/// Ids, and where each text's begin and end among them.
pub(crate) type IdsAndOffsets<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

/// Ids as an array of `uint32` that takes over the vector: nothing is copied.
pub(crate) fn array(py: Python<'_>, ids: Vec<TokenId>) -> PyResult<Bound<'_, PyArray1<u32>>> {
    array_of(py, ids)
}

/// An array that takes over the vector. Room is given back when it is much: arrays may be kept for
/// long.
pub(crate) fn array_of<T: Element>(
    py: Python<'_>,
    mut values: Vec<T>,
) -> PyResult<Bound<'_, PyArray1<T>>> {
    import_numpy(py)?;
    if has_much_room(&values) {
        values.shrink_to_fit();
    }
    Ok(PyArray1::from_vec(py, values))
}

/// Whether less than a quarter of the vector is used. Prose uses half of the room that it is given.
pub(crate) fn has_much_room<T>(values: &Vec<T>) -> bool {
    values.capacity() / 4 > values.len()
}

/// Imports numpy: now, and not with the package.
pub(crate) fn import_numpy(py: Python<'_>) -> PyResult<()> {
    static IMPORTED: PyOnceLock<()> = PyOnceLock::new();
    IMPORTED.get_or_try_init(py, || py.import("numpy").map(drop))?;
    Ok(())
}

/// A batch as one array of ids and one of `int64` offsets: text `n` has the ids from `offsets[n]`
/// to `offsets[n + 1]`.
pub(crate) fn arrays(py: Python<'_>, batch: Batch) -> PyResult<IdsAndOffsets<'_>> {
    let ids = array(py, batch.ids)?;
    let offsets = batch.offsets.into_iter().map(|offset| offset as i64);
    Ok((ids, PyArray1::from_vec(py, offsets.collect())))
}

/// Ids as an argument: a list, a tuple, an array of numpy or any other sequence of integers.
pub(crate) struct Ids(Vec<TokenId>);

impl std::ops::Deref for Ids {
    type Target = [TokenId];

    fn deref(&self) -> &[TokenId] {
        &self.0
    }
}

impl FromPyObject<'_, '_> for Ids {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        // Exactly these types: one derived from them may iterate over something else.
        if let Ok(list) = object.cast_exact::<PyList>() {
            return lists::of_list(list).map(Ids);
        }
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return lists::of_tuple(tuple).map(Ids);
        }
        match guard(|| of_array(&object))? {
            Some(ids) => Ok(Ids(ids)),
            None => object.extract().map(Ids),
        }
    }
}

/// The ids in an array of integers that has one dimension and lies in one piece. `None` for anything
/// else, and when an element is no id.
fn of_array(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<TokenId>>> {
    // Numpy is asked only about what is an array by name: without it there are none.
    let kind = object.get_type();
    if kind.name()? != "ndarray" || kind.module()? != "numpy" {
        return Ok(None);
    }
    Ok(elements::<u32>(object)
        .or_else(|| elements::<i64>(object))
        .or_else(|| elements::<u16>(object))
        .or_else(|| elements::<i32>(object))
        .or_else(|| elements::<u64>(object))
        .or_else(|| elements::<i16>(object))
        .or_else(|| elements::<u8>(object)))
}

/// The ids in an array of this type.
fn elements<T: Element + Copy + TryInto<TokenId>>(
    object: &Bound<'_, PyAny>,
) -> Option<Vec<TokenId>> {
    let array = object.cast::<PyArray1<T>>().ok()?.try_readonly().ok()?;
    let elements = array.as_slice().ok()?;
    let id = |element: T| element.try_into().ok();
    // In two passes, each of which the compiler can vectorise.
    let all_are = elements.iter().all(|&element| id(element).is_some());
    all_are.then(|| {
        let ids = elements.iter().map(|&element| id(element).unwrap_or(0));
        ids.collect()
    })
}

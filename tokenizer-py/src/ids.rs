//! Ids as lists and arrays, and ids as arguments.

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;
use tokenizer_core::TokenId;

use crate::cpython::ids_of_list;
use crate::errors::guard;
use crate::interruptible::take_turns;

/// Builds a list and checks for signals.
///
/// # Errors
/// `MemoryError`; an exception of a signal handler.
pub(crate) fn long_list<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    values: impl Iterator<Item = T>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for value in values {
        list.append(value)?;
        if list.len().is_multiple_of(1 << 16) {
            take_turns(py)?;
        }
    }
    Ok(list)
}

/// Moves a vector into an array without copying, unless less than a quarter of its capacity is used:
/// the vector is then shrunk first, because arrays may live long.
pub(crate) fn array<T: Element>(
    py: Python<'_>,
    mut values: Vec<T>,
) -> PyResult<Bound<'_, PyArray1<T>>> {
    // Importing this package does not import numpy, so a missing numpy raises `ImportError` only here.
    static IMPORTED: PyOnceLock<()> = PyOnceLock::new();
    IMPORTED.get_or_try_init(py, || py.import("numpy").map(drop))?;
    if values.capacity() / 4 > values.len() {
        values.shrink_to_fit();
    }
    Ok(PyArray1::from_vec(py, values))
}

/// Ids as an argument: a list, a numpy array or any other sequence of integers.
pub(crate) struct Ids(pub(crate) Vec<TokenId>);

impl std::ops::Deref for Ids {
    type Target = [TokenId];

    fn deref(&self) -> &[TokenId] {
        &self.0
    }
}

impl FromPyObject<'_, '_> for Ids {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        // Exact type: a subclass may override iteration.
        if let Ok(list) = object.cast_exact::<PyList>() {
            return ids_of_list(&list).map(Ids);
        }
        match guard(|| of_array(&object))? {
            Some(ids) => Ok(Ids(ids)),
            None => object.extract().map(Ids),
        }
    }
}

/// Returns the ids in a contiguous one-dimensional array of integers. `None` for any other object, for
/// uncommon element types, and if an element is not an id.
fn of_array(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<TokenId>>> {
    // Checks the type name first, because numpy may not be installed.
    let kind = object.get_type();
    if kind.name()? != "ndarray" || kind.module()? != "numpy" {
        return Ok(None);
    }
    Ok(elements::<u32>(object)
        .or_else(|| elements::<i64>(object))
        .or_else(|| elements::<u16>(object))
        .or_else(|| elements::<i32>(object))
        .or_else(|| elements::<u64>(object)))
}

/// Returns the ids in an array whose element type is `T`; `None` for any other array, or if an element
/// is not an id.
fn elements<T: Element + Copy + TryInto<TokenId>>(
    object: &Bound<'_, PyAny>,
) -> Option<Vec<TokenId>> {
    let array = object.cast::<PyArray1<T>>().ok()?.try_readonly().ok()?;
    let elements = array.as_slice().ok()?;
    let id = |element: T| element.try_into().ok();
    // Two passes, so that the compiler vectorises both.
    let are_all_ids = elements.iter().all(|&element| id(element).is_some());
    are_all_ids.then(|| {
        let ids = elements.iter().map(|&element| id(element).unwrap_or(0));
        ids.collect()
    })
}

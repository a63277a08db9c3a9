//! The lines of a `.tiktoken` file as a dict.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use tokenizer_core::format::tiktoken::read_ranks;

use crate::errors::guard;

/// Parses a `.tiktoken` file into `{bytes: int}`. Returns `None` if a line has an unusual form. The caller
/// then parses the file in Python, which accepts more forms and raises tiktoken's errors.
#[pyfunction]
pub(crate) fn _parse_ranks<'py>(
    py: Python<'py>,
    contents: &[u8],
) -> PyResult<Option<Bound<'py, PyDict>>> {
    guard(|| {
        let Ok(tokens) = py.detach(|| read_ranks(contents)) else {
            return Ok(None);
        };
        let ranks = PyDict::new(py);
        for (token, rank) in tokens {
            ranks.set_item(PyBytes::new(py, &token), rank)?;
        }
        Ok(Some(ranks))
    })
}

//! The lines of a `.tiktoken` file as a dict.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use tokenizer_core::format::tiktoken::read_ranks;

use crate::errors::guard;

/// Tokens with their ranks: `{bytes: int}`, as `tokenizer_py.tiktoken.load` reads them. `None` when a
/// line is not as programs write it; then Python reads them, more slowly and with its own errors.
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

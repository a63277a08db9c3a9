//! Text from Python, borrowed and not copied.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyString};
use tokenizer_core::CountOptions;

/// Work on less than this many bytes takes a few microseconds. To release the interpreter for it
/// costs more than it gives: another thread that takes it keeps it for milliseconds.
const SHORT: usize = 512;

/// Runs `work` on `bytes` bytes of text, with the interpreter released if that is worth it.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce() -> T + Send,
) -> T {
    if bytes < SHORT {
        work()
    } else {
        py.detach(work)
    }
}

/// As many threads as were asked for, but no more than processors: more gain nothing, and a
/// thousand cannot be had everywhere.
pub(crate) fn useful_threads(wanted: usize) -> usize {
    wanted.min(CountOptions::default().threads)
}

/// A `str` or a `bytes`.
pub(crate) enum Text {
    Str(PyBackedStr),
    Bytes(PyBackedBytes),
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Text::Str(text.to_owned().try_into()?));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Text::Bytes(bytes.to_owned().into()));
        }
        let kind = object.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "expected str or bytes, not {kind}"
        )))
    }
}

/// The texts of any iterable. A single `str` or `bytes` is refused: its characters are rarely meant.
pub(crate) fn texts(iterable: &Bound<'_, PyAny>) -> PyResult<Vec<Text>> {
    refuse_single_text(iterable, "texts")?;
    iterable.try_iter()?.map(|text| text?.extract()).collect()
}

/// Refuses a `str`, `bytes` or `bytearray` where an iterable of texts is wanted.
pub(crate) fn refuse_single_text(object: &Bound<'_, PyAny>, argument: &str) -> PyResult<()> {
    if object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
    {
        let kind = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "argument '{argument}': expected an iterable of texts, not a single {kind}"
        )));
    }
    Ok(())
}

//! Conversion of text from and to Python.

use std::ops::Deref;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::cpython::{long_utf8, new_string};

/// The bytes of a `str` or `bytes`, usable on any thread. Borrows the object's memory, except for a
/// long non-ASCII `str`, which is copied.
pub(crate) enum Text {
    Str(PyBackedStr),
    Bytes(PyBackedBytes),
    Copy(Vec<u8>),
}

impl Text {
    /// # Errors
    /// `UnicodeEncodeError` if the `str` contains a lone surrogate.
    pub(crate) fn of_str(text: &Bound<'_, PyString>) -> PyResult<Self> {
        match long_utf8(text)? {
            Some(utf8) => Ok(Text::Copy(utf8)),
            None => Ok(Text::Str(text.clone().try_into()?)),
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
            Text::Copy(utf8) => utf8,
        }
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Text::of_str(&text);
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

/// Collects the texts of an iterable. A single `str` or `bytes` is refused: it is most likely a mistake.
pub(crate) fn texts(iterable: &Bound<'_, PyAny>) -> PyResult<Vec<Text>> {
    refuse_single_text(iterable, "texts")?;
    iterable.try_iter()?.map(|text| text?.extract()).collect()
}

/// Collects the strings of an optional iterable; `argument` is its name in error messages.
pub(crate) fn strings(
    iterable: Option<&Bound<'_, PyAny>>,
    argument: &str,
) -> PyResult<Vec<String>> {
    let Some(iterable) = iterable else {
        return Ok(Vec::new());
    };
    refuse_single_text(iterable, argument)?;
    iterable.try_iter()?.map(|one| one?.extract()).collect()
}

/// Refuses a `str`, `bytes` or `bytearray` in place of an iterable of texts.
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

/// Decodes UTF-8 to a `str`; `errors` is as in `bytes.decode`.
pub(crate) fn string<'py>(
    py: Python<'py>,
    bytes: &[u8],
    errors: &str,
) -> PyResult<Bound<'py, PyString>> {
    match new_string(py, bytes)? {
        Some(made) => Ok(made),
        None => PyBytes::new(py, bytes)
            .call_method1(intern!(py, "decode"), (intern!(py, "utf-8"), errors))?
            .cast_into()
            .map_err(PyErr::from),
    }
}

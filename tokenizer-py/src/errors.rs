//! Errors and panics as Python exceptions.
//!
//! Invalid arguments raise `ValueError`, `TypeError`, `KeyError` or `OverflowError`; a file that cannot
//! be read raises the `OSError` that `open` would raise. A panic raises `RuntimeError`, because pyo3's
//! `PanicException` is not an `Exception` and would end the program.

use std::any::Any;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::corpus::FileError;

/// Message and location of the last panic.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Stores panic messages for the exception instead of printing them.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
    }));
}

/// Runs the body of a method and converts a panic to `RuntimeError`. Only simple methods run without it.
pub(crate) fn guard<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // Unwind safe: the classes are frozen, and values behind their locks are only replaced as a whole.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(internal(&*panic)))
}

fn internal(panic: &(dyn Any + Send)) -> PyErr {
    let kept = LAST_PANIC
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let message = kept
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .unwrap_or_default();
    PyRuntimeError::new_err(format!("bug in tokenizer_py, please report it: {message}"))
}

/// Panics. Exists in debug builds only, for the test of panic handling.
#[cfg(debug_assertions)]
#[pyfunction]
pub(crate) fn _panic() -> PyResult<()> {
    guard(|| panic!("on purpose"))
}

/// Converts an error to `ValueError`.
pub(crate) fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Converts a file error to the `OSError` that Python would raise, with `errno` and `filename`.
pub(crate) fn file_error(py: Python<'_>, error: &FileError) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let errno: i32 = match error.error.raw_os_error() {
            Some(errno) => errno,
            None => match errno_name(error.error.kind()) {
                Some(name) => py.import("errno")?.getattr(name)?.extract()?,
                // A path that contains NUL: Python raises `ValueError` too.
                None if error.error.kind() == io::ErrorKind::InvalidInput => {
                    return Ok(value_error(error));
                }
                None => return Ok(PyOSError::new_err(error.to_string())),
            },
        };
        let message = py.import("os")?.call_method1("strerror", (errno,))?;
        // The constructor of OSError returns the subclass for `errno`, such as FileNotFoundError.
        let exception =
            py.get_type::<PyOSError>()
                .call1((errno, message, error.path.as_os_str()))?;
        Ok(PyErr::from_value(exception))
    };
    made().unwrap_or_else(|failure| failure)
}

/// Returns the name of the errno for a kind of error, used if the error has no number.
fn errno_name(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        _ => return None,
    })
}

//! Failures as Python's exceptions.
//!
//! What lies in the caller's arguments is `ValueError`, `TypeError`, `KeyError` or `OverflowError`,
//! as the method says; what lies in a file is the `OSError` that `open` would raise. A panic is a
//! fault of this package and becomes `RuntimeError`: it must not end a program as
//! `PanicException` does, which `except Exception` lets through.

use std::any::Any;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::corpus::FileError;

/// Where and why the last panic was.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says for the exception, instead of printing it.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
    }));
}

/// Runs what a method does. Every method that does more than read a field runs in here.
pub(crate) fn guard<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // What a panic could leave half done is dropped with the call: the classes are frozen, and the
    // one lock holds a value that is only ever replaced whole.
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
    PyRuntimeError::new_err(format!(
        "a fault in tokenizer_py, please report it: {message}"
    ))
}

/// Panics. Only in debug builds, for the test that no panic comes through.
#[cfg(debug_assertions)]
#[pyfunction]
pub(crate) fn _panic() -> PyResult<()> {
    guard(|| panic!("on purpose"))
}

/// `ValueError` with what the error says.
pub(crate) fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The `OSError` that Python itself would raise, with `errno` and `filename`.
pub(crate) fn file_error(py: Python<'_>, error: &FileError) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let errno: i32 = match error.error.raw_os_error() {
            Some(errno) => errno,
            None => match errno_name(error.error.kind()) {
                Some(name) => py.import("errno")?.getattr(name)?.extract()?,
                // A path with a NUL in it, which Python refuses so too.
                None if error.error.kind() == io::ErrorKind::InvalidInput => {
                    return Ok(value_error(error));
                }
                None => return Ok(PyOSError::new_err(error.to_string())),
            },
        };
        let message = py.import("os")?.call_method1("strerror", (errno,))?;
        // Called, and not only named: the constructor picks FileNotFoundError and its siblings.
        let exception =
            py.get_type::<PyOSError>()
                .call1((errno, message, error.path.as_os_str()))?;
        Ok(PyErr::from_value(exception))
    };
    made().unwrap_or_else(|failure| failure)
}

/// What the system calls a kind of error, for errors that lost their number on the way.
fn errno_name(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        _ => return None,
    })
}

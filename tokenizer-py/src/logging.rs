//! Python's `logging`.

use pyo3::prelude::*;

/// A logger.
pub(crate) struct Log(Py<PyAny>);

impl Log {
    /// The logger of this name.
    pub(crate) fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        let logging = py.import("logging")?;
        Ok(Log(logging.call_method1("getLogger", (name,))?.unbind()))
    }

    pub(crate) fn info(&self, py: Python<'_>, message: String) -> PyResult<()> {
        self.0.call_method1(py, "info", (message,)).map(drop)
    }

    pub(crate) fn warning(&self, py: Python<'_>, message: String) -> PyResult<()> {
        self.0.call_method1(py, "warning", (message,)).map(drop)
    }
}

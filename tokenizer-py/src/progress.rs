//! The argument `progress`.

use pyo3::prelude::*;

/// A Python callback that receives the stage, the units done and the total.
pub(crate) struct Progress(Py<PyAny>);

impl Progress {
    /// Converts the argument: `None` and `False` disable progress, `True` shows a bar, and a callable
    /// receives the progress.
    ///
    /// # Errors
    /// `TypeError` if the argument is neither a bool, `None` nor callable.
    pub(crate) fn new(py: Python<'_>, argument: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let module = py.import("tokenizer_py._progress")?;
        let call = module.call_method1("from_argument", (argument,))?;
        Ok(Progress(call.unbind()))
    }

    /// Reports that `done` of `total` units are done; `None` if the total is unknown.
    pub(crate) fn tell(
        &self,
        py: Python<'_>,
        stage: &str,
        done: u64,
        total: Option<u64>,
    ) -> PyResult<()> {
        self.0.call1(py, (stage, done, total)).map(drop)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Closes the bar, if the callback is one. Errors are ignored.
        let close = |py: Python<'_>| {
            let module = py.import("tokenizer_py._progress")?;
            module.call_method1("close", (&self.0,)).map(drop)
        };
        let _ = Python::try_attach(close);
    }
}

//! The argument `progress`: how far long work is.

use pyo3::prelude::*;

/// Is called with the stage, what is done, and of how much.
pub(crate) struct Progress(Py<PyAny>);

impl Progress {
    /// `None` and `False` mean nothing, `True` a bar.
    ///
    /// # Errors
    /// `TypeError` for what cannot be called.
    pub(crate) fn new(py: Python<'_>, argument: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let module = py.import("tokenizer_py._progress")?;
        let call = module.call_method1("of_argument", (argument,))?;
        Ok(Progress(call.unbind()))
    }

    /// Tells that `done` of `total` are done; of how much is not always known.
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
        // A bar is closed. What it may fail with is nothing to the caller.
        let close = |py: Python<'_>| {
            let module = py.import("tokenizer_py._progress")?;
            module.call_method1("close", (&self.0,)).map(drop)
        };
        let _ = Python::try_attach(close);
    }
}

//! The argument `progress`: how far long work is.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;

/// What is told: something to be called with the stage, what is done, and of how much.
#[derive(Default)]
pub(crate) struct Progress {
    call: Option<Py<PyAny>>,
    /// It is a bar of ours, to be closed.
    is_bar: bool,
}

impl Progress {
    /// `None` and `False` mean nothing, `True` a bar.
    pub(crate) fn new(argument: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(argument) = argument else {
            return Ok(Progress::default());
        };
        if let Ok(wanted) = argument.cast::<PyBool>() {
            if !wanted.is_true() {
                return Ok(Progress::default());
            }
            let module = argument.py().import("tokenizer_py._progress")?;
            return Ok(Progress {
                call: Some(module.getattr("Bar")?.call0()?.unbind()),
                is_bar: true,
            });
        }
        if !argument.is_callable() {
            return Err(PyTypeError::new_err(
                "progress must be True, False, None or something to call",
            ));
        }
        Ok(Progress {
            call: Some(argument.clone().unbind()),
            is_bar: false,
        })
    }

    /// Tells that `done` of `total` are done; of how much is not always known.
    pub(crate) fn tell(
        &self,
        py: Python<'_>,
        stage: &str,
        done: u64,
        total: Option<u64>,
    ) -> PyResult<()> {
        match &self.call {
            Some(call) => call.call1(py, (stage, done, total)).map(drop),
            None => Ok(()),
        }
    }

    /// To be called at the end, whatever came of it.
    pub(crate) fn close(&self, py: Python<'_>) {
        if let (Some(bar), true) = (&self.call, self.is_bar) {
            // What a bar may fail with is nothing to the caller.
            let _ = bar.call_method0(py, "close");
        }
    }
}

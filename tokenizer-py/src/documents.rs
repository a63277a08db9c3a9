//! A Python iterator of `str` as the documents of a corpus.

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString};

/// A batch ends early at this many bytes, so that long documents do not fill the memory, and other
/// threads begin to count while this one still reads.
const BATCH_BYTES: usize = 4 << 20;

/// Pulls documents in batches. To be iterated with the interpreter released: it is taken for each
/// batch and no lock of ours is held then, so the Python iterator may do anything.
///
/// An exception ends the iteration and is kept in `error`.
pub(crate) struct Documents<'e> {
    iterator: Py<PyIterator>,
    buffer_size: usize,
    batch: std::vec::IntoIter<String>,
    ended: bool,
    error: &'e mut Option<PyErr>,
}

impl<'e> Documents<'e> {
    /// The documents of `iterator`, at most `buffer_size` at a time.
    pub(crate) fn new(
        iterator: Bound<'_, PyIterator>,
        buffer_size: usize,
        error: &'e mut Option<PyErr>,
    ) -> Self {
        Documents {
            iterator: iterator.unbind(),
            buffer_size,
            batch: Vec::new().into_iter(),
            ended: false,
            error,
        }
    }

    /// The next batch; empty when the iterator has ended.
    fn pull(&mut self, py: Python<'_>) -> PyResult<Vec<String>> {
        // An iterator that runs no Python code would never let Ctrl-C through.
        py.check_signals()?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut iterator = self.iterator.bind(py).clone();
        while batch.len() < self.buffer_size && bytes < BATCH_BYTES {
            let Some(document) = iterator.next() else {
                self.ended = true;
                break;
            };
            let document = document?.cast_into::<PyString>()?;
            let document = document.to_str()?;
            bytes += document.len();
            batch.push(document.to_owned());
        }
        Ok(batch)
    }
}

impl Iterator for Documents<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(document) = self.batch.next() {
            return Some(document);
        }
        if self.ended {
            return None;
        }
        match Python::attach(|py| self.pull(py)) {
            Ok(batch) => self.batch = batch.into_iter(),
            Err(error) => {
                self.ended = true;
                *self.error = Some(error);
            }
        }
        self.batch.next()
    }
}

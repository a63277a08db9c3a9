//! A Python iterator of texts as the documents of a corpus.
//!
//! The calling thread reads batches of documents, one batch ahead of the counting threads. So the iterator
//! runs on the thread that created it, signals are checked regularly, and only a few batches are in memory.
//!
//! Non-ASCII text is encoded to a separate `bytes`. Otherwise CPython would cache the UTF-8 in the `str`,
//! and a list of documents that the caller keeps would grow by half or double during training.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString};

use crate::interruptible::{Caller, WAKE};
use crate::text::Text;

/// A batch ends once it reaches this size in bytes, even if it has fewer than `buffer_size` documents.
const BATCH_BYTES: usize = 1 << 20;

/// Reads batches of documents from an iterator.
pub(crate) struct Puller {
    iterator: Py<PyIterator>,
    buffer_size: usize,
    /// Whether to accept `bytes` documents.
    takes_bytes: bool,
    ended: bool,
}

impl Puller {
    /// Reads at most `buffer_size` documents per batch.
    pub(crate) fn new(
        iterator: Bound<'_, PyIterator>,
        buffer_size: usize,
        takes_bytes: bool,
    ) -> Self {
        Puller {
            iterator: iterator.unbind(),
            buffer_size,
            takes_bytes,
            ended: false,
        }
    }

    /// Returns the next batch, empty at the end. No lock is held meanwhile, because the iterator runs
    /// arbitrary code.
    ///
    /// # Errors
    /// An exception of the iterator; `TypeError`; `UnicodeEncodeError`.
    pub(crate) fn pull(&mut self, py: Python<'_>) -> PyResult<Vec<Text>> {
        let mut documents = Vec::new();
        let mut size = 0;
        let mut iterator = self.iterator.bind(py).clone();
        while !self.ended && documents.len() < self.buffer_size && size < BATCH_BYTES {
            let Some(document) = iterator.next() else {
                self.ended = true;
                break;
            };
            let text = document_text(document?, self.takes_bytes)?;
            // For a very short document, `Text` itself takes more memory than the text.
            size += text.len() + size_of::<Text>();
            documents.push(text);
        }
        Ok(documents)
    }
}

/// Converts a document without caching its UTF-8 in the `str`.
fn document_text(document: Bound<'_, PyAny>, takes_bytes: bool) -> PyResult<Text> {
    let py = document.py();
    let text = match document.cast_into::<PyString>() {
        Ok(text) => text,
        Err(other) if takes_bytes => return other.into_inner().extract(),
        Err(other) => return Err(other.into()),
    };
    match text.call_method0(intern!(py, "isascii"))?.is_truthy()? {
        true => Text::of_str(&text),
        false => Ok(Text::Bytes(text.encode_utf8()?.into())),
    }
}

/// Iterates over the documents in order, on the worker that counts them. Each message to `caller` requests
/// a batch, which arrives through `batches`. The next batch is requested before the current one is counted.
pub(crate) fn pulled(
    caller: &Caller<()>,
    batches: Receiver<Vec<Text>>,
) -> impl Iterator<Item = Text> {
    caller.tell(());
    let next = move || loop {
        match batches.recv_timeout(WAKE) {
            Ok(batch) if batch.is_empty() => return None,
            Ok(batch) => {
                caller.tell(());
                return Some(batch);
            }
            Err(RecvTimeoutError::Timeout) if !caller.stop_flag().load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    };
    std::iter::from_fn(next).fuse().flatten()
}

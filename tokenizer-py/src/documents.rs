//! A Python iterator of texts as the documents of a corpus.
//!
//! The calling thread pulls documents in batches, always one ahead of those that count; so it looks
//! for Ctrl-C all the time, and the iterator runs where it was made. Of the text no more is held than the
//! batches on their way.
//!
//! Text that is not ASCII is encoded into a `bytes` of its own and not into the `str`, which would keep
//! it: a list of documents would grow by half, or double, in training.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString};

use crate::interruptible::{Caller, WAKE};
use crate::text::Text;

/// A batch ends early at this many bytes, so that long documents do not fill the memory.
const BATCH_BYTES: usize = 1 << 20;

/// Pulls documents, on the thread that has the iterator.
pub(crate) struct Puller {
    iterator: Py<PyIterator>,
    buffer_size: usize,
    /// Whether documents may be `bytes` too.
    takes_bytes: bool,
    ended: bool,
}

impl Puller {
    /// Of `iterator`, at most `buffer_size` documents at a time.
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

    /// The next batch, which is empty at the end. No lock of ours is held meanwhile, so the iterator
    /// may do anything.
    ///
    /// # Errors
    /// What the iterator raises, `TypeError` and `UnicodeEncodeError`.
    pub(crate) fn pull(&mut self, py: Python<'_>) -> PyResult<Vec<Text>> {
        let mut documents = Vec::new();
        let mut room = 0;
        let mut iterator = self.iterator.bind(py).clone();
        while !self.ended && documents.len() < self.buffer_size && room < BATCH_BYTES {
            let Some(document) = iterator.next() else {
                self.ended = true;
                break;
            };
            let text = document_text(document?, self.takes_bytes)?;
            // Of a very short document, its place counts more than its text.
            room += text.len() + size_of::<Text>();
            documents.push(text);
        }
        Ok(documents)
    }
}

/// A document, without leaving its UTF-8 in a `str`.
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

/// Documents in the order of the iterator, on the thread that counts: each message to `caller` asks for
/// a batch, which comes through `batches`, and one is asked for before the last is counted.
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

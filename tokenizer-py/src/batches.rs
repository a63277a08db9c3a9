//! Many texts to many lists.
//!
//! To make the lists takes about as long as to encode, and only a thread that holds the interpreter
//! can do it: so with several threads, the calling thread makes lists while the others encode the
//! next texts. Between portions of texts other Python threads get their turn, and Ctrl-C is looked for.

use pyo3::prelude::*;
use pyo3::types::PyList;
use tokenizer_core::{Batch, BatchError};

use crate::errors::value_error;
use crate::ids::Ints;
use crate::interruptible::{Caller, interruptible, stoppable, take_turns};
use crate::request::{Request, bytes_of, useful_threads};
use crate::text::Text;

/// Bytes of text in a portion, for each thread: with fewer, the threads wait for each other too often.
const PORTION: usize = 1 << 19;

/// The lists of the ids of `texts`, encoded on up to `threads` threads.
///
/// # Errors
/// `ValueError` for the first text that cannot be encoded, `MemoryError`, and what a signal handler raises.
pub(crate) fn lists<'py>(
    py: Python<'py>,
    texts: &[Text],
    threads: usize,
    ints: &Ints,
    request: &Request<'_>,
) -> PyResult<Bound<'py, PyList>> {
    let threads = useful_threads(threads, bytes_of(texts));
    let portions = portions(texts, |text| text.len(), PORTION * threads.max(1));
    let mut lists: Vec<Py<PyList>> = Vec::with_capacity(texts.len());
    let mut add = |py: Python<'_>, batch: Batch| {
        for ids in batch.iter() {
            lists.push(ints.list(py, ids)?.unbind());
        }
        Ok::<_, PyErr>(())
    };
    let mut start = 0;
    let failed = |start: usize, mut error: BatchError| {
        error.text += start;
        value_error(error)
    };
    if threads <= 1 {
        for portion in portions {
            take_turns(py)?;
            let encode = |stop: Option<&_>| request.encode_batch(portion, 1, stop);
            let batch = stoppable(py, bytes_of(portion), encode)?;
            add(py, batch.map_err(|error| failed(start, error))?)?;
            start += portion.len();
        }
    } else {
        let encode = |caller: &Caller<Batch>| {
            for portion in portions {
                let batch = request.encode_batch(portion, threads, Some(caller.stop_flag()));
                caller.tell(batch.map_err(|error| failed(start, error))?);
                start += portion.len();
            }
            Ok::<_, PyErr>(())
        };
        interruptible(py, encode, add)??;
    }
    PyList::new(py, lists)
}

/// The items in portions, each of which is complete when its weight is `enough`.
pub(crate) fn portions<T>(items: &[T], weight: impl Fn(&T) -> usize, enough: usize) -> Vec<&[T]> {
    let mut weighed = 0;
    let continues = |item: &T, _: &T| {
        weighed += weight(item);
        let continues = weighed < enough;
        weighed *= usize::from(continues);
        continues
    };
    items.chunk_by(continues).collect()
}

//! Many texts to many lists.
//!
//! Building the lists takes about as long as encoding and needs the interpreter. So the calling thread
//! builds lists while worker threads encode the next portion of texts. Between portions, other Python
//! threads can run and signals are checked.

use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use pyo3::types::PyList;
use tokenizer_core::{Batch, parallel};

use crate::cpython::{CollectorPause, Ints};
use crate::errors::value_error;
use crate::interruptible::{Caller, interruptible, stoppable, take_turns};
use crate::request::{Request, bytes_of, useful_threads};
use crate::text::Text;

/// Bytes of text in a portion: so few that its ids stay in the L2 cache until they are in lists.
const PORTION: usize = 1 << 17;

/// Returns the ids of `texts` as lists, encoded on up to `threads` threads.
///
/// # Errors
/// `ValueError` for the first text that cannot be encoded; `MemoryError`; an exception of a signal
/// handler.
pub(crate) fn lists<'py>(
    py: Python<'py>,
    texts: &[Text],
    threads: usize,
    ints: &Ints,
    request: &Request<'_>,
) -> PyResult<Bound<'py, PyList>> {
    let portions = portions(texts, |text| text.len(), PORTION);
    let mut lists = Vec::with_capacity(texts.len());
    let mut add = |py: Python<'_>, batch: Batch| {
        let _pause = CollectorPause::new(py);
        for ids in batch.iter() {
            lists.push(ints.list(py, ids)?.unbind());
        }
        Ok::<_, PyErr>(())
    };
    let encode = |number: usize, stop: Option<&AtomicBool>| {
        let encoded = request.encode_batch(portions[number], 1, stop);
        encoded.map_err(|mut error| {
            let before = portions[..number].iter().map(|portion| portion.len());
            error.text += before.sum::<usize>();
            error
        })
    };
    let threads = useful_threads(threads, bytes_of(texts));
    if threads > 1 {
        let work = |caller: &Caller<Batch>| {
            let encode = |number| encode(number, Some(caller.stop_flag()));
            parallel::ordered_map(0..portions.len(), threads, encode, |batch| {
                caller.tell(batch);
                Ok(())
            })
        };
        interruptible(py, work, add)?.map_err(value_error)?;
    } else {
        for (number, portion) in portions.iter().enumerate() {
            let encoded = stoppable(py, bytes_of(portion), |stop| encode(number, stop))?;
            add(py, encoded.map_err(value_error)?)?;
            take_turns(py)?;
        }
    }
    let _pause = CollectorPause::new(py);
    PyList::new(py, lists)
}

/// Splits items into portions. A portion ends once its weight reaches `limit`; its last item may exceed it.
pub(crate) fn portions<T>(items: &[T], weight: impl Fn(&T) -> usize, limit: usize) -> Vec<&[T]> {
    let mut weighed = 0;
    let continues = |item: &T, _: &T| {
        weighed += weight(item);
        let continues = weighed < limit;
        weighed *= usize::from(continues);
        continues
    };
    items.chunk_by(continues).collect()
}

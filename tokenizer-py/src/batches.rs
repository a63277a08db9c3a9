//! Many texts to many lists.
//!
//! To make the lists takes about as long as to encode, and only a thread that holds the interpreter
//! can do it: so with several threads, the calling thread makes lists while the others encode the
//! next texts. Between portions of texts other Python threads get their turn, and Ctrl-C is looked for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use pyo3::prelude::*;
use pyo3::types::PyList;
use tokenizer_core::{Batch, BatchError};

use crate::errors::value_error;
use crate::ids::Ints;
use crate::interruptible::{Caller, interruptible, stoppable, take_turns};
use crate::request::{Request, bytes_of, useful_threads};
use crate::text::Text;

/// Bytes of text in a portion: its ids stay in the second-level cache until they are in lists.
const PORTION: usize = 1 << 17;

/// The lists of the ids of `texts`, encoded on up to `threads` threads.
///
/// # Errors
/// `ValueError` for the first text that cannot be encoded, `MemoryError`, and what a signal handler
/// raises.
pub(crate) fn lists<'py>(
    py: Python<'py>,
    texts: &[Text],
    threads: usize,
    ints: &Ints,
    request: &Request<'_>,
) -> PyResult<Bound<'py, PyList>> {
    let portions = portions(texts, |text| text.len(), PORTION);
    let mut lists: Vec<Vec<Py<PyList>>> = portions.iter().map(|_| Vec::new()).collect();
    let mut add = |py: Python<'_>, (number, batch): (usize, Batch)| {
        for ids in batch.iter() {
            lists[number].push(ints.list(py, ids)?.unbind());
        }
        Ok::<_, PyErr>(())
    };
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<(usize, BatchError)>> = Mutex::default();
    let lock = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    let encode_next = |stop: Option<&AtomicBool>| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        match request.encode_batch(portions.get(number)?, 1, stop) {
            Ok(batch) => Some((number, batch)),
            Err(error) => {
                // Those before were taken, those that follow are not needed.
                next.store(portions.len(), Ordering::Relaxed);
                let mut first = lock();
                if first.as_ref().is_none_or(|first| number < first.0) {
                    *first = Some((number, error));
                }
                None
            }
        }
    };
    let threads = useful_threads(threads, bytes_of(texts));
    if threads > 1 {
        let work = |caller: &Caller<(usize, Batch)>| {
            let work = || {
                while let Some(encoded) = encode_next(Some(caller.stop_flag())) {
                    caller.tell(encoded);
                }
            };
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    // With fewer threads it takes longer, no more.
                    let _ = Builder::new().spawn_scoped(scope, work);
                }
                work();
            });
        };
        interruptible(py, work, add)?;
    } else {
        let bytes = |portion: &&[Text]| bytes_of(portion);
        while let Some(encoded) = {
            let bytes = portions.get(next.load(Ordering::Relaxed)).map_or(0, bytes);
            stoppable(py, bytes, encode_next)?
        } {
            add(py, encoded)?;
            take_turns(py)?;
        }
    }
    if let Some((number, mut error)) = lock().take() {
        error.text += portions[..number]
            .iter()
            .map(|some| some.len())
            .sum::<usize>();
        return Err(value_error(error));
    }
    let lists: Vec<_> = lists.into_iter().flatten().collect();
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

//! Streaming encoder and decoder.
//!
//! A call locks the stream. A concurrent call from another thread fails instead of blocking: the thread
//! with the lock may need the interpreter, so blocking could deadlock.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};
use tokenizer_core::UnknownToken;
use tokenizer_core::{DecodeStream as Decoder, EncodeStream as Encoder, TokenId};

use crate::errors::{guard, value_error};
use crate::ids::Ids;
use crate::interruptible::{detached, stoppable, take_turns};
use crate::text::Text;

/// Bytes encoded between two checks of the stop flag, or ids decoded between two checks for signals.
const PORTION: usize = 1 << 20;

/// A stream behind a lock; `None` once it is finished.
pub(crate) struct Held<S>(Mutex<Option<S>>);

impl<S> Held<S> {
    pub(crate) fn new(stream: S) -> Self {
        Held(Mutex::new(Some(stream)))
    }

    /// Takes the stream out. To keep it usable, the caller puts it back through the returned guard;
    /// otherwise the stream is finished.
    fn take(&self) -> PyResult<(S, MutexGuard<'_, Option<S>>)> {
        let in_use = |_| PyRuntimeError::new_err("the stream is in use by another call");
        let mut place = self.0.try_lock().map_err(in_use)?;
        match place.take() {
            Some(stream) => Ok((stream, place)),
            None => Err(PyValueError::new_err("the stream is finished")),
        }
    }
}

/// Encodes a text in chunks. Created by `Tokenizer.encode_stream`.
///
/// Holds back the text whose ids a later chunk could change: roughly the last word and trailing
/// white space.
///
///     >>> stream = tokenizer.encode_stream()
///     >>> stream.push("hello wor")
///     [15339]
///     >>> stream.push("ld")
///     []
///     >>> stream.finish()
///     [1917]
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct EncodeStream(pub(crate) Held<Encoder>);

#[pymethods]
impl EncodeStream {
    /// Takes a chunk and returns the ids that later chunks cannot change.
    ///
    /// Args:
    ///     chunk (str | bytes): the chunk; bytes may start and end within a character.
    ///
    /// Raises:
    ///     TypeError: not `str` or `bytes`.
    ///     UnicodeEncodeError: the `str` contains a lone surrogate.
    ///     ValueError: the stream is finished, or the regex fails on the text.
    ///     RuntimeError: another call is using the stream.
    ///     KeyboardInterrupt: the stream is then finished, and ids not yet returned are lost.
    ///
    ///     >>> tokenizer.encode_stream().push("hello world and")
    ///     [15339, 1917]
    fn push<'py>(&self, py: Python<'py>, chunk: Text) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let (mut stream, mut place) = self.0.take()?;
            let (pushed, ids, stream) = stoppable(py, chunk.len(), move |stop| {
                let mut ids = Vec::new();
                let is_stopped = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
                let mut parts = chunk.chunks(PORTION).take_while(|_| !is_stopped());
                let pushed = parts.try_for_each(|part| stream.push(part, &mut ids));
                (pushed, ids, stream)
            })?;
            *place = Some(stream);
            pushed.map_err(value_error)?;
            PyList::new(py, ids)
        })
    }

    /// Ends the text and returns the remaining ids.
    ///
    /// Raises:
    ///     ValueError: the stream is finished, or the regex fails on the text.
    ///     RuntimeError: another call is using the stream.
    ///
    ///     >>> tokenizer.encode_stream().finish()
    ///     []
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let (stream, _place) = self.0.take()?;
            let mut ids = Vec::new();
            py.detach(|| stream.finish(&mut ids)).map_err(value_error)?;
            PyList::new(py, ids)
        })
    }
}

/// Decodes ids as they arrive and returns complete characters. Created by `Tokenizer.decode_stream`.
///
///     >>> stream = tokenizer.decode_stream()
///     >>> [stream.push(id) for id in tokenizer.encode("hé 🦊")]
///     ['h', 'é', ' ', '', '🦊']
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct DecodeStream {
    pub(crate) stream: Held<Decoder>,
    /// Ids whose text is omitted, in ascending order.
    pub(crate) skipped: Vec<TokenId>,
}

#[pymethods]
impl DecodeStream {
    /// Takes one or more ids and returns the characters that they complete.
    ///
    /// Args:
    ///     ids (int | Sequence[int] | numpy.ndarray): the id or ids.
    ///
    /// Raises:
    ///     KeyError: unknown id. The stream has taken the ids before it, but their text is lost.
    ///     OverflowError: an id is negative or exceeds 32 bits.
    ///     TypeError: an id is not an integer.
    ///     ValueError: the stream is finished.
    ///     RuntimeError: another call is using the stream.
    ///     KeyboardInterrupt: the stream is then finished, and text not yet returned is lost.
    ///
    ///     >>> tokenizer.decode_stream().push([15339, 1917])
    ///     'hello world'
    fn push(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<String> {
        guard(|| {
            let ids: Vec<TokenId> = match ids.is_instance_of::<PyInt>() {
                true => vec![ids.extract()?],
                false => ids.extract::<Ids>()?.0,
            };
            let (mut stream, mut place) = self.stream.take()?;
            let mut text = String::new();
            let mut pushed = Ok(());
            for (number, some) in ids.chunks(PORTION).enumerate() {
                if number > 0 {
                    take_turns(py)?;
                }
                pushed = detached(py, some.len(), || {
                    let is_kept = |id: &&TokenId| self.skipped.binary_search(id).is_err();
                    let mut kept = some.iter().filter(is_kept);
                    kept.try_for_each(|&id| stream.push(id, &mut text))
                });
                if pushed.is_err() {
                    break;
                }
            }
            *place = Some(stream);
            pushed.map_err(|error: UnknownToken| PyKeyError::new_err(error.to_string()))?;
            Ok(text)
        })
    }

    /// Ends the text and returns the remainder: U+FFFD after an incomplete character, otherwise "".
    ///
    /// Raises:
    ///     ValueError: the stream is finished.
    ///     RuntimeError: another call is using the stream.
    ///
    ///     >>> tokenizer.decode_stream().finish()
    ///     ''
    fn finish(&self) -> PyResult<String> {
        guard(|| {
            let (stream, _place) = self.stream.take()?;
            let mut text = String::new();
            stream.finish(&mut text);
            Ok(text)
        })
    }
}

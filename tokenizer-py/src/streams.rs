//! Text that comes in chunks, and ids that come one by one.
//!
//! A stream is locked for the time of a call. A second thread that comes meanwhile does not wait: the
//! first may need the interpreter.

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

/// Bytes that are encoded, and ids that are decoded, between two looks for Ctrl-C.
const PORTION: usize = 1 << 20;

/// What a stream holds until it is finished.
pub(crate) struct Held<S>(Mutex<Option<S>>);

impl<S> Held<S> {
    pub(crate) fn new(stream: S) -> Self {
        Held(Mutex::new(Some(stream)))
    }

    /// Takes the stream: it is finished unless it is put back.
    fn take(&self) -> PyResult<(S, MutexGuard<'_, Option<S>>)> {
        let in_use = |_| PyRuntimeError::new_err("the stream is in use by another thread");
        let mut place = self.0.try_lock().map_err(in_use)?;
        match place.take() {
            Some(stream) => Ok((stream, place)),
            None => Err(PyValueError::new_err("the stream is finished")),
        }
    }
}

/// Encodes a text that comes in chunks. Made by `Tokenizer.encode_stream`.
///
/// What is held back is what a later chunk could change: little more than the last word, and the
/// white space at the end.
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
    /// Takes the next chunk.
    ///
    /// Args:
    ///     chunk (str | bytes): the chunk; bytes may begin and end within a character.
    ///
    /// Returns:
    ///     list[int]: the ids that are certain by now.
    ///
    /// Raises:
    ///     TypeError: not a `str` or `bytes`.
    ///     UnicodeEncodeError: the `str` holds a lone surrogate.
    ///     ValueError: the stream is finished, or the regex gives up on the text.
    ///     RuntimeError: another thread is using the stream.
    ///     KeyboardInterrupt: the stream is finished, and its ids are lost.
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

    /// Ends the text.
    ///
    /// Returns:
    ///     list[int]: the ids that are left.
    ///
    /// Raises:
    ///     ValueError: the stream is finished, or the regex gives up on the text.
    ///     RuntimeError: another thread is using the stream.
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

/// Decodes ids that come one by one, and never gives half a character. Made by
/// `Tokenizer.decode_stream`.
///
///     >>> stream = tokenizer.decode_stream()
///     >>> [stream.push(id) for id in tokenizer.encode("hé 🦊")]
///     ['h', 'é', ' ', '', '🦊']
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct DecodeStream {
    pub(crate) stream: Held<Decoder>,
    /// Ids that are left out. They ascend.
    pub(crate) skipped: Vec<TokenId>,
}

#[pymethods]
impl DecodeStream {
    /// Takes the next id, or several.
    ///
    /// Args:
    ///     ids (int | Sequence[int]): the id or the ids.
    ///
    /// Returns:
    ///     str: the text that they complete.
    ///
    /// Raises:
    ///     KeyError: there is no such id; those before it are taken.
    ///     OverflowError: an id is negative or beyond 32 bits.
    ///     TypeError: an id is no integer.
    ///     ValueError: the stream is finished.
    ///     RuntimeError: another thread is using the stream.
    ///     KeyboardInterrupt: the stream is finished, and its text is lost.
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
                    let wanted = |id: &&TokenId| self.skipped.binary_search(id).is_err();
                    let mut wanted = some.iter().filter(wanted);
                    wanted.try_for_each(|&id| stream.push(id, &mut text))
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

    /// Ends the text.
    ///
    /// Returns:
    ///     str: U+FFFD when the ids end within a character, and otherwise nothing.
    ///
    /// Raises:
    ///     ValueError: the stream is finished.
    ///     RuntimeError: another thread is using the stream.
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

//! Text that comes in chunks, and ids that come one by one.
//!
//! What a stream holds is taken out of it for the time of a call. So no lock is held while the
//! interpreter is released; a second thread that comes meanwhile is told so.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};
use tokenizer_core::decode::UnknownToken;
use tokenizer_core::{DecodeStream as Decoder, EncodeStream as Encoder, TokenId};

use crate::errors::{guard, value_error};
use crate::ids::Ids;
use crate::interruptible::take_turns;
use crate::text::{Argument, detached, stoppable};

/// Bytes that are encoded, and ids that are decoded, between two looks for Ctrl-C.
const PORTION: usize = 1 << 20;

/// What a stream holds between calls.
enum State<S> {
    Open(S),
    /// A call is at work.
    Taken,
    Finished,
}

struct Held<S>(Mutex<State<S>>);

impl<S> Held<S> {
    fn new(stream: S) -> Self {
        Held(Mutex::new(State::Open(stream)))
    }

    fn replace(&self, state: State<S>) -> State<S> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, state)
    }

    fn take(&self) -> PyResult<S> {
        match self.replace(State::Taken) {
            State::Open(stream) => Ok(stream),
            State::Taken => Err(PyRuntimeError::new_err(
                "the stream is in use by another thread",
            )),
            State::Finished => {
                self.replace(State::Finished);
                Err(PyValueError::new_err("the stream is finished"))
            }
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
pub(crate) struct EncodeStream(Held<Encoder>);

impl EncodeStream {
    pub(crate) fn new(stream: Encoder) -> Self {
        EncodeStream(Held::new(stream))
    }
}

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
    fn push<'py>(&self, py: Python<'py>, chunk: Argument<'_>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let chunk = &*chunk;
            let mut stream = self.0.take()?;
            let pushed = stoppable(py, chunk.len(), move |stop| {
                let mut ids = Vec::new();
                let mut pushed = Ok(());
                for some in chunk.chunks(PORTION) {
                    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                        break;
                    }
                    pushed = stream.push(some, &mut ids);
                    if pushed.is_err() {
                        break;
                    }
                }
                (pushed, ids, stream)
            });
            let (pushed, ids, stream) = match pushed {
                Ok(pushed) => pushed,
                Err(raised) => {
                    self.0.replace(State::Finished);
                    return Err(raised);
                }
            };
            self.0.replace(State::Open(stream));
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
            let stream = self.0.take()?;
            let mut ids = Vec::new();
            let finished = py.detach(|| stream.finish(&mut ids));
            self.0.replace(State::Finished);
            finished.map_err(value_error)?;
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
    stream: Held<Decoder>,
    /// Ids that are passed over.
    skipped: Box<[TokenId]>,
}

impl DecodeStream {
    /// `skipped` ascends.
    pub(crate) fn new(stream: Decoder, skipped: Vec<TokenId>) -> Self {
        DecodeStream {
            stream: Held::new(stream),
            skipped: skipped.into(),
        }
    }
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
            let one;
            let several;
            let ids: &[TokenId] = match ids.is_instance_of::<PyInt>() {
                true => {
                    one = [ids.extract()?];
                    &one
                }
                false => {
                    several = ids.extract::<Ids>()?;
                    &several
                }
            };
            let mut stream = self.stream.take()?;
            let mut text = String::new();
            let mut pushed = Ok(());
            for some in ids.chunks(PORTION) {
                pushed = detached(py, some.len(), || {
                    let wanted = |id: &&TokenId| self.skipped.binary_search(id).is_err();
                    let mut wanted = some.iter().filter(wanted);
                    wanted.try_for_each(|&id| stream.push(id, &mut text))
                });
                if pushed.is_err() || ids.len() <= PORTION {
                    break;
                }
                if let Err(raised) = take_turns(py) {
                    self.stream.replace(State::Finished);
                    return Err(raised);
                }
            }
            self.stream.replace(State::Open(stream));
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
            let stream = self.stream.take()?;
            let mut text = String::new();
            stream.finish(&mut text);
            self.stream.replace(State::Finished);
            Ok(text)
        })
    }
}

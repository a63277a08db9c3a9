//! `tokenizer_py.Tokenizer`: the native class.

use std::path::PathBuf;

use numpy::PyArray1;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyType};
use tokenizer_core::corpus::{load_model, save_model};
use tokenizer_core::decode::UnknownToken;
use tokenizer_core::format::native;
use tokenizer_core::{Encoder, Model, Pattern, TokenId};

use crate::errors::{guard, load_error, save_error, value_error};
use crate::ids::{self, Ids, IdsAndOffsets};
use crate::lists::Ints;
use crate::specials::{Choice, Specials};
use crate::text::{Argument, detached, encoded, string, texts, useful_threads};

/// The ids of a text of this many bytes go into the array that they are written to; those of a
/// shorter one are copied, which takes less time than to make room.
const LONG: usize = 1 << 16;

/// A model that encodes and decodes text.
///
/// Made by `Tokenizer.from_file` or `Tokenizer.from_bytes`. It never changes, so any number of
/// threads may use one object, and it can be pickled.
///
/// Text is `str` or `bytes`. Bytes that are not UTF-8 are kept as they are; a `str` with lone
/// surrogates is a `UnicodeEncodeError`.
///
///     >>> from tokenizer_py import Tokenizer
///     >>> tokenizer = Tokenizer.from_file("cl100k_base.tiktoken", pattern="cl100k")
///     >>> tokenizer.encode("hello world")
///     [15339, 1917]
///     >>> tokenizer.decode([15339, 1917])
///     'hello world'
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct Tokenizer {
    encoder: Encoder,
    ints: Ints,
    specials: Specials,
}

impl Tokenizer {
    fn of(model: Model) -> Self {
        Tokenizer {
            ints: Ints::new(model.vocab().id_limit()),
            specials: Specials::of(&model),
            encoder: Encoder::new(model),
        }
    }

    fn model(&self) -> &Model {
        self.encoder.model()
    }

    /// The special tokens that an argument `allowed_special` asks for.
    fn allowed(&self, allowed: Option<&Bound<'_, PyAny>>) -> PyResult<Choice<'_>> {
        let Some(allowed) = allowed else {
            return Ok(Choice::Nothing);
        };
        if let Ok(word) = allowed.cast::<PyString>() {
            return match word.to_str()? {
                "all" => Ok(self.specials.all()),
                word => Err(PyValueError::new_err(format!(
                    "allowed_special must be \"all\" or a collection of special tokens, not {word:?}"
                ))),
            };
        }
        let mut ids = Vec::new();
        for name in allowed.try_iter()? {
            let name: PyBackedStr = name?.extract()?;
            match self.model().specials().by_content(&name) {
                Some(special) => ids.push(special.id),
                None => {
                    let message = format!("the model has no special token {:?}", &*name);
                    return Err(PyValueError::new_err(message));
                }
            }
        }
        Ok(self.specials.choose(self.model(), ids))
    }

    fn decoded(&self, py: Python<'_>, ids: &[TokenId]) -> PyResult<Vec<u8>> {
        detached(py, ids.len(), || self.model().decode(ids)).map_err(unknown)
    }
}

fn unknown(error: UnknownToken) -> PyErr {
    PyKeyError::new_err(error.to_string())
}

fn refuse_no_threads(threads: usize) -> PyResult<()> {
    if threads == 0 {
        return Err(PyValueError::new_err("threads must be at least 1, not 0"));
    }
    Ok(())
}

#[pymethods]
impl Tokenizer {
    #[new]
    fn new() -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "a Tokenizer is made by Tokenizer.from_file or Tokenizer.from_bytes",
        ))
    }

    /// Reads a model from a file, whose ending tells its format: `.bpe`, `.json` (Hugging Face's
    /// tokenizer.json, or GPT-2's vocab.json beside its merges.txt) or `.tiktoken`.
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///     pattern (str | None): how text is split; wanted for `.tiktoken`, refused for the others,
    ///         which hold their own. A name (gpt2, cl100k, o200k, nanochat) or a regex, whose gaps
    ///         are kept.
    ///
    /// Returns:
    ///     Tokenizer: the model.
    ///
    /// Raises:
    ///     OSError: the file cannot be read (FileNotFoundError, IsADirectoryError, ...).
    ///     ValueError: it holds no right model, or the pattern is none.
    ///
    ///     >>> Tokenizer.from_file("model.bpe")
    ///     <tokenizer_py.Tokenizer vocab_size=32768>
    #[staticmethod]
    #[pyo3(signature = (path, pattern = None))]
    fn from_file(py: Python<'_>, path: PathBuf, pattern: Option<&str>) -> PyResult<Self> {
        guard(|| {
            let pattern = pattern
                .map(str::parse::<Pattern>)
                .transpose()
                .map_err(value_error)?;
            py.detach(|| load_model(&path, pattern).map(Self::of))
                .map_err(|error| load_error(py, error))
        })
    }

    /// The model that `to_bytes` wrote: the content of a `.bpe` file.
    ///
    /// Args:
    ///     data (bytes): the model.
    ///
    /// Raises:
    ///     ValueError: the bytes are no model, were changed or cut short.
    ///
    ///     >>> Tokenizer.from_bytes(tokenizer.to_bytes()).vocab_size == tokenizer.vocab_size
    ///     True
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        guard(|| {
            py.detach(|| native::read(data).map(Self::of))
                .map_err(value_error)
        })
    }

    /// Writes the model to a file, whole or not at all. The ending tells the format: `.bpe`
    /// (everything), `.json` (tokenizer.json) or `.tiktoken` (bytes and ranks only).
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///
    /// Raises:
    ///     OSError: the file cannot be written.
    ///     ValueError: the format cannot hold this model, or the ending tells no format.
    ///
    ///     >>> tokenizer.save("model.bpe")
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guard(|| {
            py.detach(|| save_model(self.model(), &path))
                .map_err(|error| save_error(py, error))
        })
    }

    /// The model as bytes: the content of a `.bpe` file.
    ///
    /// Returns:
    ///     bytes: the same for the same model.
    ///
    ///     >>> pathlib.Path("model.bpe").write_bytes(tokenizer.to_bytes())
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &py.detach(|| native::write(self.model())))))
    }

    /// The ids of a text.
    ///
    /// The text of a special token is text like any other, unless it is allowed.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     allowed_special ("all" | Collection[str]): the special tokens to recognise. Where two
    ///         begin at the same place, the longer counts.
    ///
    /// Returns:
    ///     list[int]: the ids.
    ///
    /// Raises:
    ///     TypeError: not a `str` or `bytes`.
    ///     UnicodeEncodeError: the `str` holds a lone surrogate.
    ///     ValueError: the model has no such special token, or its regex gives up on the text; the
    ///         message names the byte.
    ///
    ///     >>> tokenizer.encode("hello<|bos|>", allowed_special={"<|bos|>"})
    ///     [15339, 100257]
    #[pyo3(
        signature = (text, *, allowed_special = None),
        text_signature = "($self, text, *, allowed_special=())"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: Argument<'_>,
        allowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let Argument(text) = text;
            let allowed = self.allowed(allowed_special)?;
            let allowed = allowed.set();
            encoded(
                py,
                text.len(),
                |ids| match allowed {
                    Some(allowed) => self.encoder.encode_with_specials(text, allowed, ids),
                    None => self.encoder.encode_into(text, ids),
                },
                value_error,
                |ids| self.ints.list(py, ids),
            )
        })
    }

    /// The ids of a text, as an array.
    ///
    /// Special tokens are not recognised. Nothing is copied on the way into the array.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     threads (int): how many threads may work on it, at least 1. The ids do not depend on it,
    ///         and none is started for less than 128 KiB of text.
    ///
    /// Returns:
    ///     numpy.ndarray: uint32, of shape (ids,).
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.encode_numpy("hello world")
    ///     array([15339,  1917], dtype=uint32)
    #[pyo3(signature = (text, threads = 1))]
    fn encode_numpy<'py>(
        &self,
        py: Python<'py>,
        text: Argument<'_>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| {
            refuse_no_threads(threads)?;
            let Argument(text) = text;
            if text.len() < LONG {
                return encoded(
                    py,
                    text.len(),
                    |ids| self.encoder.encode_into(text, ids),
                    value_error,
                    |ids| ids::array(py, ids.to_vec()),
                );
            }
            let threads = useful_threads(threads, &[text]);
            let encoded = detached(py, text.len(), || {
                self.encoder.encode_with_threads(text, threads)
            });
            ids::array(py, encoded.map_err(value_error)?)
        })
    }

    /// The ids of many texts in one array.
    ///
    /// Special tokens are not recognised. The result does not depend on the number of threads.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): how many threads work on them, at least 1.
    ///
    /// Returns:
    ///     tuple[numpy.ndarray, numpy.ndarray]: the ids (uint32) of all texts, and offsets (int64,
    ///     of shape (texts + 1,)): text n has the ids from offsets[n] to offsets[n + 1].
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`; the message numbers the text.
    ///
    ///     >>> ids, offsets = tokenizer.encode_batch_numpy(["hello world", "hello"])
    ///     >>> offsets
    ///     array([0, 2, 3])
    #[pyo3(signature = (texts, threads = 1))]
    fn encode_batch_numpy<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: usize,
    ) -> PyResult<IdsAndOffsets<'py>> {
        guard(|| {
            refuse_no_threads(threads)?;
            let texts = self::texts(texts)?;
            let threads = useful_threads(threads, &texts);
            let batch = py.detach(|| self.encoder.encode_batch(&texts, threads));
            ids::arrays(py, batch.map_err(value_error)?)
        })
    }

    /// The text of ids.
    ///
    /// Args:
    ///     ids (Sequence[int]): the ids.
    ///     errors (str): what to do with bytes that are not UTF-8, as in `bytes.decode`.
    ///
    /// Returns:
    ///     str: the text.
    ///
    /// Raises:
    ///     KeyError: there is no such id.
    ///     OverflowError: an id is negative or beyond 32 bits.
    ///     TypeError: an id is no integer.
    ///     UnicodeDecodeError: under errors="strict".
    ///
    ///     >>> tokenizer.decode([15339, 1917])
    ///     'hello world'
    #[pyo3(signature = (ids, errors = "replace"))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        ids: Ids,
        errors: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        guard(|| string(py, &self.decoded(py, &ids)?, errors))
    }

    /// The bytes of ids, which need not be UTF-8: a token may hold a part of a character.
    ///
    /// Args:
    ///     ids (Sequence[int]): the ids.
    ///
    /// Returns:
    ///     bytes: their bytes, one behind the other.
    ///
    /// Raises:
    ///     KeyError, OverflowError, TypeError: as `decode`.
    ///
    ///     >>> tokenizer.decode_bytes([15339, 1917])
    ///     b'hello world'
    fn decode_bytes<'py>(&self, py: Python<'py>, ids: Ids) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &self.decoded(py, &ids)?)))
    }

    /// The id of a token, ordinary or special.
    ///
    /// Args:
    ///     token (str | bytes): the token, whole.
    ///
    /// Raises:
    ///     KeyError: there is no such token.
    ///
    ///     >>> tokenizer.token_to_id("hello")
    ///     15339
    fn token_to_id(&self, token: Argument<'_>) -> PyResult<TokenId> {
        self.model().id(token.0).ok_or_else(|| {
            let token = String::from_utf8_lossy(token.0).into_owned();
            PyKeyError::new_err(token)
        })
    }

    /// The bytes of one id, ordinary or special.
    ///
    /// Args:
    ///     id (int): the id.
    ///
    /// Raises:
    ///     KeyError: there is no such id.
    ///     OverflowError: it is negative or beyond 32 bits.
    ///
    ///     >>> tokenizer.id_to_token(15339)
    ///     b'hello'
    fn id_to_token<'py>(&self, py: Python<'py>, id: TokenId) -> PyResult<Bound<'py, PyBytes>> {
        match self.model().token(id) {
            Some(token) => Ok(PyBytes::new(py, token)),
            None => Err(PyKeyError::new_err(id)),
        }
    }

    /// One more than the highest id, special tokens included: what an embedding table must have
    /// rows for.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.model().id_limit()
    }

    /// The regex by which text is split.
    #[getter]
    fn pattern(&self) -> &str {
        self.model().pattern().source()
    }

    /// The special tokens with their ids, by ascending id: a new dict each time.
    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tokens = PyDict::new(py);
        for special in self.model().specials().iter() {
            tokens.set_item(&special.content, special.id)?;
        }
        Ok(tokens)
    }

    fn __repr__(&self) -> String {
        format!("<tokenizer_py.Tokenizer vocab_size={}>", self.vocab_size())
    }

    fn __reduce__<'py>(
        this: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let class: Bound<'py, PyType> = this.get_type();
        let data = this.get().to_bytes(this.py())?;
        Ok((class.getattr("from_bytes")?, (data,)))
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }
}

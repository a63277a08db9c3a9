//! Text to ids.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyList, PyString};
use tokenizer_core::Batch;

use super::{Affix, Tokenizer, encoded};
use crate::batches;
use crate::errors::{guard, value_error};
use crate::ids;
use crate::interruptible::{detached, stoppable};
use crate::request::{bytes_of, room_for};
use crate::streams::{EncodeStream, Held};
use crate::text::{Text, string, texts};

/// The ids of a text of this many bytes go into the array that they are written to; those of a
/// shorter one are copied, which takes less time than to make room.
const LONG: usize = 1 << 16;

/// Ids of several texts in one array, and where those of each begin and end.
type IdsAndEnds<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

#[pymethods]
impl Tokenizer {
    /// The ids of a text.
    ///
    /// The text of a special token is text like any other, unless it is allowed.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     allowed_special ("all" | Collection[str]): the special tokens to recognise. Where two
    ///         begin at the same place, the longer counts.
    ///     prepend (int | str | None): an id, or a special token, to put before the ids.
    ///     append (int | str | None): one to put behind them.
    ///
    /// Returns:
    ///     list[int]: the ids.
    ///
    /// Raises:
    ///     TypeError: not a `str` or `bytes`.
    ///     UnicodeEncodeError: the `str` holds a lone surrogate.
    ///     ValueError: the model has no such special token, or its regex gives up on the text; the
    ///         message names the byte.
    ///     KeyError: there is no such id to prepend or append.
    ///
    ///     >>> tokenizer.encode("hello<|bos|>", allowed_special={"<|bos|>"})
    ///     [15339, 100257]
    ///     >>> tokenizer.encode("hello", prepend="<|bos|>")
    ///     [100257, 15339]
    #[pyo3(
        signature = (text, *, allowed_special = None, prepend = None, append = None),
        text_signature = "($self, text, *, allowed_special=(), prepend=None, append=None)"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: Text,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let request = self.request(1, allowed_special, prepend, append)?;
            encoded(py, &request, &text, |ids| self.ints.list(py, ids))
        })
    }

    /// The ids of many texts, as lists.
    ///
    /// With several threads, the calling thread makes the lists while the others encode: so more than
    /// two or three gain little. The result does not depend on their number.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): how many threads work on them, at least 1.
    ///     allowed_special, prepend, append: as in `encode`, for every text.
    ///
    /// Returns:
    ///     list[list[int]]: the ids of each text.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message numbers the
    ///         text.
    ///
    ///     >>> tokenizer.encode_batch(["hello world", "hello"], append="<|bos|>")
    ///     [[15339, 1917, 100257], [15339, 100257]]
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None, prepend = None, append = None),
        text_signature = "($self, texts, threads=1, *, allowed_special=(), prepend=None, append=None)"
    )]
    fn encode_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let request = self.request(threads, allowed_special, prepend, append)?;
            batches::lists(py, &self::texts(texts)?, threads, &self.ints, &request)
        })
    }

    /// The ids of a text, as an array.
    ///
    /// Nothing is copied on the way into the array.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     threads (int): how many threads may work on it, at least 1.
    ///     allowed_special, prepend, append: as in `encode`.
    ///
    /// Returns:
    ///     numpy.ndarray: uint32, of shape (ids,).
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`.
    ///
    ///     >>> tokenizer.encode_numpy("hello world")
    ///     array([15339,  1917], dtype=uint32)
    #[pyo3(
        signature = (text, threads = 1, *, allowed_special = None, prepend = None, append = None),
        text_signature = "($self, text, threads=1, *, allowed_special=(), prepend=None, append=None)"
    )]
    fn encode_numpy<'py>(
        &self,
        py: Python<'py>,
        text: Text,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| {
            let request = self.request(threads, allowed_special, prepend, append)?;
            if text.len() < LONG {
                return encoded(py, &request, &text, |ids| ids::array(py, ids.to_vec()));
            }
            let mut ids = Vec::with_capacity(room_for(text.len()));
            let encode = |stop: Option<&_>| request.encode_into(&text, threads, stop, &mut ids);
            stoppable(py, text.len(), encode)?.map_err(value_error)?;
            ids::array(py, ids)
        })
    }

    /// The ids of many texts in one array.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): how many threads work on them, at least 1.
    ///     allowed_special, prepend, append: as in `encode`, for every text.
    ///
    /// Returns:
    ///     tuple[numpy.ndarray, numpy.ndarray]: the ids (uint32) of all texts, and offsets (int64,
    ///     of shape (texts + 1,)): text n has the ids from offsets[n] to offsets[n + 1].
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message numbers the
    ///         text.
    ///
    ///     >>> ids, offsets = tokenizer.encode_batch_numpy(["hello world", "hello"])
    ///     >>> offsets
    ///     array([0, 2, 3])
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None, prepend = None, append = None),
        text_signature = "($self, texts, threads=1, *, allowed_special=(), prepend=None, append=None)"
    )]
    fn encode_batch_numpy<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<IdsAndEnds<'py>> {
        guard(|| {
            let request = self.request(threads, allowed_special, prepend, append)?;
            let texts = self::texts(texts)?;
            let batch = stoppable(py, bytes_of(&texts), |stop| {
                request.encode_batch(&texts, threads, stop)
            })?;
            let Batch { ids, offsets } = batch.map_err(value_error)?;
            let offsets = offsets.into_iter().map(|offset| offset as i64).collect();
            Ok((ids::array(py, ids)?, ids::array(py, offsets)?))
        })
    }

    /// How many ids a text has. None are kept, so it takes less time than to encode.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     threads (int): how many threads may work on it, at least 1.
    ///     allowed_special: as in `encode`.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.count("hello world")
    ///     2
    #[pyo3(
        signature = (text, threads = 1, *, allowed_special = None),
        text_signature = "($self, text, threads=1, *, allowed_special=())"
    )]
    fn count(
        &self,
        py: Python<'_>,
        text: Text,
        threads: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        guard(|| {
            let request = self.request(threads, allowed_special, None, None)?;
            let count = |stop: Option<&_>| request.count(&text, threads, stop);
            stoppable(py, text.len(), count)?.map_err(value_error)
        })
    }

    /// How many ids each of many texts has.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): how many threads work on them, at least 1.
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     list[int]: the numbers.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`; the message numbers the text.
    ///
    ///     >>> tokenizer.count_batch(["hello world", "hello"])
    ///     [2, 1]
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None),
        text_signature = "($self, texts, threads=1, *, allowed_special=())"
    )]
    fn count_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<usize>> {
        guard(|| {
            let request = self.request(threads, allowed_special, None, None)?;
            let texts = self::texts(texts)?;
            let count = |stop: Option<&_>| request.count_batch(&texts, threads, stop);
            stoppable(py, bytes_of(&texts), count)?.map_err(value_error)
        })
    }

    /// How many ids a text has, if there are no more than `limit`, and None if there are more.
    ///
    /// What lies behind the limit is not looked at: the cost is that of `limit` ids. The text of
    /// special tokens is text like any other.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     limit (int): the limit.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.count_till_limit("hello world", 8)
    ///     2
    ///     >>> tokenizer.count_till_limit("hello world" * 1000, 8) is None
    ///     True
    fn count_till_limit(
        &self,
        py: Python<'_>,
        text: Text,
        limit: usize,
    ) -> PyResult<Option<usize>> {
        guard(|| {
            let count = || self.core.request().count_till_limit(&text, limit);
            detached(py, text.len(), count).map_err(value_error)
        })
    }

    /// The longest beginning of a text that ends where a character ends and has, encoded on its own,
    /// no more than `limit` ids.
    ///
    /// In `bytes` that are not UTF-8, each maximal invalid sequence is a character. Where finding the
    /// longest would cost too much, the beginning fits, and with one more character, or with any
    /// number up to 17, it does not: in a stretch of more than some hundred bytes without a place to
    /// split (a word, a run of spaces, Chinese without punctuation), with a regex of one's own, in
    /// text that a normaliser changes, and with added tokens that are not special. The text of
    /// special tokens is text like any other.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     limit (int): how many ids it may have.
    ///
    /// Returns:
    ///     tuple[str | bytes, int]: the beginning, of the type of the text, and how many ids it has.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.truncate("hello world, hello all", 3)
    ///     ('hello world,', 3)
    ///     >>> tokenizer.truncate("这是一个没有标点的很长的中文句子", 8)
    ///     ('这是一个没有标点的', 7)
    fn truncate<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        limit: usize,
    ) -> PyResult<(Bound<'py, PyAny>, usize)> {
        guard(|| {
            let py = text.py();
            let argument: Text = text.extract()?;
            let bytes = &*argument;
            let truncated = detached(py, bytes.len(), || {
                self.core.request().truncate(bytes, limit)
            })
            .map_err(value_error)?;
            let beginning = truncated.text;
            let left = if beginning == bytes {
                text.clone()
            } else if text.is_instance_of::<PyString>() {
                // A beginning ends where a character ends.
                string(py, beginning, "replace")?.into_any()
            } else {
                PyBytes::new(py, beginning).into_any()
            };
            Ok((left, truncated.tokens))
        })
    }

    /// An encoder for a text that comes in chunks, cut anywhere: in a word, in a special token.
    ///
    /// Args:
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     EncodeStream: its `push` takes a chunk and gives the ids that are certain by then, its
    ///     `finish` the rest. All together they are those of the whole text.
    ///
    /// Raises:
    ///     ValueError: the model has no such special token.
    ///
    ///     >>> stream = tokenizer.encode_stream()
    ///     >>> stream.push("hello wor") + stream.push("ld") + stream.finish()
    ///     [15339, 1917]
    #[pyo3(
        signature = (*, allowed_special = None),
        text_signature = "($self, *, allowed_special=())"
    )]
    fn encode_stream(&self, allowed_special: Option<&Bound<'_, PyAny>>) -> PyResult<EncodeStream> {
        guard(|| {
            let request = self.request(1, allowed_special, None, None)?;
            Ok(EncodeStream(Held::new(request.stream())))
        })
    }
}

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

/// From this many bytes of text on, ids are written directly into the result. For shorter texts, it is
/// cheaper to copy them from the thread's recycled buffer, see [`encoded`].
const LONG: usize = 1 << 16;

/// The ids of several texts in one array, and the offsets in it at which the ids of each text start.
type IdsAndOffsets<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

#[pymethods]
impl Tokenizer {
    /// Returns the ids of a text.
    ///
    /// Special tokens in the text are encoded as ordinary text unless they are allowed.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     allowed_special ("all" | Collection[str]): the special tokens to recognise; of two that
    ///         start at the same position, the longer wins.
    ///     prepend (int | str | None): an id or special token to insert before the ids.
    ///     append (int | str | None): an id or special token to add after the ids.
    ///     add_special_tokens (bool): apply the post-processor of the model's `tokenizer.json`, inside
    ///         `prepend` and `append`.
    ///
    /// Raises:
    ///     TypeError: not `str` or `bytes`.
    ///     UnicodeEncodeError: the `str` contains a lone surrogate.
    ///     ValueError: a special token is unknown; or the regex fails on the text (the message
    ///         contains the byte offset).
    ///     KeyError: unknown id to prepend or append.
    ///
    ///     >>> tokenizer.encode("hello<|bos|>", allowed_special={"<|bos|>"})
    ///     [15339, 100257]
    ///     >>> tokenizer.encode("hello", prepend="<|bos|>")
    ///     [100257, 15339]
    #[pyo3(
        signature = (text, *, allowed_special = None, prepend = None, append = None,
            add_special_tokens = false),
        text_signature = "($self, text, *, allowed_special=(), prepend=None, append=None, add_special_tokens=False)"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: Text,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
        add_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let request = self
                .request(1, allowed_special, prepend, append)?
                .add_special_tokens(add_special_tokens);
            encoded(py, &request, &text, |ids| self.ints.list(py, ids))
        })
    }

    /// Returns the ids of a pair of texts and their type ids, as the post-processor of the model's
    /// `tokenizer.json` arranges them. Without a post-processor, the ids of the texts follow each other and
    /// have the type ids 0 and 1.
    ///
    /// Args:
    ///     first, second (str | bytes): the texts.
    ///     add_special_tokens (bool): add the special tokens of the post-processor.
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     tuple[list[int], list[int]]: the ids, and the type id of each.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError: as `encode`.
    ///     ValueError: as `encode`, or the file of the model has no template for pairs.
    ///
    ///     >>> tokenizer.encode_pair("hello world", "hello")
    ///     ([15339, 1917, 15339], [0, 0, 1])
    #[pyo3(
        signature = (first, second, *, add_special_tokens = true, allowed_special = None),
        text_signature = "($self, first, second, *, add_special_tokens=True, allowed_special=())"
    )]
    fn encode_pair<'py>(
        &self,
        py: Python<'py>,
        first: Text,
        second: Text,
        add_special_tokens: bool,
        allowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyList>, Vec<u32>)> {
        guard(|| {
            let request = self.request(1, allowed_special, None, None)?;
            let encoded = |text: &Text| encoded(py, &request, text, |ids| Ok(ids.to_vec()));
            let (first, second) = (encoded(&first)?, encoded(&second)?);
            let processor = self.model().post_processor();
            let pair = processor.process_pair(&first, &second, add_special_tokens);
            let (ids, type_ids) = pair.ok_or_else(|| {
                value_error("the model's file has ids to add, but no template for pairs of texts")
            })?;
            Ok((self.ints.list(py, &ids)?, type_ids))
        })
    }

    /// Returns the ids of many texts as lists.
    ///
    /// Other threads encode while the calling thread builds the lists, so more than two or three
    /// threads gain little. The result is the same for any number of threads.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, prepend, append, add_special_tokens: as in `encode`, for every text.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message contains the
    ///         index of the text.
    ///
    ///     >>> tokenizer.encode_batch(["hello world", "hello"], append="<|bos|>")
    ///     [[15339, 1917, 100257], [15339, 100257]]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None, prepend = None, append = None,
            add_special_tokens = false),
        text_signature = "($self, texts, threads=1, *, allowed_special=(), prepend=None, append=None, add_special_tokens=False)"
    )]
    fn encode_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
        add_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let request = self
                .request(threads, allowed_special, prepend, append)?
                .add_special_tokens(add_special_tokens);
            batches::lists(py, &self::texts(texts)?, threads, &self.ints, &request)
        })
    }

    /// Returns the ids of a text as an array.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, prepend, append, add_special_tokens: as in `encode`.
    ///
    /// Returns:
    ///     numpy.ndarray: one-dimensional, uint32.
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`.
    ///
    ///     >>> tokenizer.encode_numpy("hello world")
    ///     array([15339,  1917], dtype=uint32)
    #[allow(clippy::too_many_arguments)]
    #[pyo3(
        signature = (text, threads = 1, *, allowed_special = None, prepend = None, append = None,
            add_special_tokens = false),
        text_signature = "($self, text, threads=1, *, allowed_special=(), prepend=None, append=None, add_special_tokens=False)"
    )]
    fn encode_numpy<'py>(
        &self,
        py: Python<'py>,
        text: Text,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
        add_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| {
            let request = self
                .request(threads, allowed_special, prepend, append)?
                .add_special_tokens(add_special_tokens);
            if text.len() < LONG {
                return encoded(py, &request, &text, |ids| ids::array(py, ids.to_vec()));
            }
            let mut ids = Vec::with_capacity(room_for(text.len()));
            let encode = |stop: Option<&_>| request.encode_into(&text, threads, stop, &mut ids);
            stoppable(py, text.len(), encode)?.map_err(value_error)?;
            ids::array(py, ids)
        })
    }

    /// Returns the ids of many texts in one array.
    ///
    /// The result is the same for any number of threads.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, prepend, append, add_special_tokens: as in `encode`, for every text.
    ///
    /// Returns:
    ///     tuple[numpy.ndarray, numpy.ndarray]: the ids of all texts (uint32), and offsets (int64, one
    ///     more than there are texts). The ids of text n are ids[offsets[n]:offsets[n + 1]].
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message contains the
    ///         index of the text.
    ///
    ///     >>> ids, offsets = tokenizer.encode_batch_numpy(["hello world", "hello"])
    ///     >>> offsets
    ///     array([0, 2, 3])
    #[allow(clippy::too_many_arguments)]
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None, prepend = None, append = None,
            add_special_tokens = false),
        text_signature = "($self, texts, threads=1, *, allowed_special=(), prepend=None, append=None, add_special_tokens=False)"
    )]
    fn encode_batch_numpy<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
        add_special_tokens: bool,
    ) -> PyResult<IdsAndOffsets<'py>> {
        guard(|| {
            let request = self
                .request(threads, allowed_special, prepend, append)?
                .add_special_tokens(add_special_tokens);
            let texts = self::texts(texts)?;
            let batch = stoppable(py, bytes_of(&texts), |stop| {
                request.encode_batch(&texts, threads, stop)
            })?;
            let Batch { ids, offsets } = batch.map_err(value_error)?;
            let offsets = offsets.into_iter().map(|offset| offset as i64).collect();
            Ok((ids::array(py, ids)?, ids::array(py, offsets)?))
        })
    }

    /// Returns the number of ids of a text. Faster than `encode`, because it stores no ids.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, add_special_tokens: as in `encode`.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.count("hello world")
    ///     2
    #[pyo3(
        signature = (text, threads = 1, *, allowed_special = None, add_special_tokens = false),
        text_signature = "($self, text, threads=1, *, allowed_special=(), add_special_tokens=False)"
    )]
    fn count(
        &self,
        py: Python<'_>,
        text: Text,
        threads: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
        add_special_tokens: bool,
    ) -> PyResult<usize> {
        guard(|| {
            let request = self
                .request(threads, allowed_special, None, None)?
                .add_special_tokens(add_special_tokens);
            let count = |stop: Option<&_>| request.count(&text, threads, stop);
            stoppable(py, text.len(), count)?.map_err(value_error)
        })
    }

    /// Returns the number of ids of each of many texts.
    ///
    /// Args:
    ///     texts (Iterable[str | bytes]): the texts.
    ///     threads (int): the maximum number of threads, at least 1.
    ///     allowed_special, add_special_tokens: as in `encode`.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`; the message contains the index of
    ///         the text.
    ///
    ///     >>> tokenizer.count_batch(["hello world", "hello"])
    ///     [2, 1]
    #[pyo3(
        signature = (texts, threads = 1, *, allowed_special = None, add_special_tokens = false),
        text_signature = "($self, texts, threads=1, *, allowed_special=(), add_special_tokens=False)"
    )]
    fn count_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        threads: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
        add_special_tokens: bool,
    ) -> PyResult<Vec<usize>> {
        guard(|| {
            let request = self
                .request(threads, allowed_special, None, None)?
                .add_special_tokens(add_special_tokens);
            let texts = self::texts(texts)?;
            let count = |stop: Option<&_>| request.count_batch(&texts, threads, stop);
            stoppable(py, bytes_of(&texts), count)?.map_err(value_error)
        })
    }

    /// Returns the number of ids of a text, or None if there are more than `limit`.
    ///
    /// Stops at the limit, so even for a long text the cost is that of encoding `limit` ids. However, a
    /// normalizer, or added tokens that are not special, are applied to the whole text first. Special
    /// tokens are encoded as ordinary text.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     limit (int): the maximum number of ids.
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

    /// Returns the longest prefix of a text with at most `limit` ids.
    ///
    /// The prefix ends at a character boundary and is encoded on its own. In invalid UTF-8, each
    /// maximal invalid sequence counts as one character. Special tokens are encoded as ordinary text.
    ///
    /// Some cases are not searched exhaustively, because that would take quadratic time: a stretch of
    /// several hundred bytes without a piece boundary (a word, a run of spaces, Chinese without
    /// punctuation), a custom regex, text that a normalizer changes, and added tokens that are not
    /// special. The returned prefix then fits, and none of the next 17 longer prefixes does, but a still
    /// longer one may.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     limit (int): the maximum number of ids.
    ///
    /// Returns:
    ///     tuple[str | bytes, int]: the prefix, of the type of the text, and its number of ids.
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
            let prefix = truncated.text;
            let prefix = if prefix == bytes {
                text.clone()
            } else if text.is_instance_of::<PyString>() {
                // The prefix ends at a character boundary, so nothing is replaced.
                string(py, prefix, "replace")?.into_any()
            } else {
                PyBytes::new(py, prefix).into_any()
            };
            Ok((prefix, truncated.tokens))
        })
    }

    /// Returns an encoder that takes a text in chunks. A chunk may end anywhere, even within a special
    /// token.
    ///
    /// Args:
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     EncodeStream: `push` takes a chunk and returns the ids that later chunks cannot change;
    ///     `finish` returns the rest. Together, these are the ids of the whole text.
    ///
    /// Raises:
    ///     ValueError: unknown special token.
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

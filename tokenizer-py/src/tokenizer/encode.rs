//! Text to ids.

use std::sync::atomic::AtomicBool;

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBytes, PyList, PyString};
use tokenizer_core::{Batch, EncodeError, EncodeOptions, TokenId};

use super::{Affix, Tokenizer, refuse_no_threads};
use crate::batches::{self, Failure};
use crate::errors::{guard, value_error};
use crate::ids::{self, IdsAndOffsets};
use crate::specials::Choice;
use crate::streams::EncodeStream;
use crate::text::{
    Argument, InPlace, Text, Unread, detached, encode_into, encoded, room_for, stoppable, string,
    texts, useful_threads,
};

/// The ids of a text of this many bytes go into the array that they are written to; those of a
/// shorter one are copied, which takes less time than to make room.
const LONG: usize = 1 << 16;

/// What is to be done with every text of a call.
pub(super) struct Rules<'t> {
    tokenizer: &'t Tokenizer,
    pub(super) allowed: Choice<'t>,
    pub(super) before: Option<TokenId>,
    pub(super) after: Option<TokenId>,
}

impl Tokenizer {
    pub(super) fn rules(
        &self,
        allowed: Option<&Bound<'_, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Rules<'_>> {
        Ok(Rules {
            tokenizer: self,
            allowed: self.allowed(allowed)?,
            before: self.affix(prepend)?,
            after: self.affix(append)?,
        })
    }
}

impl Rules<'_> {
    /// Appends the ids of a text, with what stands around them.
    fn encode_into(
        &self,
        text: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> Result<(), EncodeError> {
        ids.extend(self.before);
        encode_into(&self.tokenizer.encoder, text, self.allowed.set(), ids, stop)?;
        ids.extend(self.after);
        Ok(())
    }

    fn options<'s>(&'s self, threads: usize, stop: Option<&'s AtomicBool>) -> EncodeOptions<'s> {
        let mut options = EncodeOptions::new().threads(threads);
        options.allowed = self.allowed.set();
        options.stop = stop;
        options
    }

    /// The ids of a long text that is read in place; any other in UTF-8.
    fn encode_in_place<'a>(&self, text: &Unread<'a, '_>) -> PyResult<InPlace<'a>> {
        let Tokenizer {
            encoder, memory, ..
        } = self.tokenizer;
        let room = |ids| memory.room(ids);
        Ok(
            match text.encode_in_place(encoder, self.allowed.set(), &room)? {
                InPlace::Ids(ids) => InPlace::Ids(self.around(ids)),
                text => text,
            },
        )
    }

    /// The ids with what stands around them.
    fn around(&self, mut ids: Vec<TokenId>) -> Vec<TokenId> {
        if let Some(before) = self.before {
            ids.insert(0, before);
        }
        ids.extend(self.after);
        ids
    }

    fn has_affixes(&self) -> bool {
        self.before.is_some() || self.after.is_some()
    }

    /// The ids of a text, on threads.
    fn encode(
        &self,
        text: &[u8],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<Vec<TokenId>, EncodeError> {
        let options = self.options(threads, stop);
        let Tokenizer {
            encoder, memory, ..
        } = self.tokenizer;
        let mut ids = memory.room(room_for(text.len()));
        ids.extend(self.before);
        encoder.encode_with_into(text, options, &mut ids)?;
        ids.extend(self.after);
        Ok(ids)
    }

    /// The ids of many texts, on threads.
    pub(super) fn encode_batch(
        &self,
        py: Python<'_>,
        texts: &[Text],
        threads: usize,
    ) -> PyResult<Batch> {
        let threads = useful_threads(threads, texts);
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let batch = stoppable(py, bytes, |stop| {
            let encoder = &self.tokenizer.encoder;
            let batch = encoder.encode_batch_with(texts, self.options(threads, stop));
            batch.map(|batch| self.with_affixes(batch))
        })?;
        batch.map_err(value_error)
    }

    fn with_affixes(&self, batch: Batch) -> Batch {
        if !self.has_affixes() {
            return batch;
        }
        let mut around = Batch {
            ids: Vec::with_capacity(batch.ids.len() + 2 * batch.offsets.len()),
            offsets: Vec::with_capacity(batch.offsets.len()),
        };
        around.offsets.push(0);
        for ids in batch.iter() {
            around.ids.extend(self.before);
            around.ids.extend_from_slice(ids);
            around.ids.extend(self.after);
            around.offsets.push(around.ids.len());
        }
        around
    }
}

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
        text: Unread<'_, 'py>,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let rules = self.rules(allowed_special, prepend, append)?;
            let text = match rules.encode_in_place(&text)? {
                InPlace::Ids(ids) => {
                    let list = self.ints.list(py, &ids);
                    self.memory.give(ids);
                    return list;
                }
                InPlace::Text(text) => text,
            };
            encoded(
                py,
                text.len(),
                |ids, stop| rules.encode_into(&text, ids, stop),
                value_error,
                |ids| self.ints.list(py, ids),
            )
        })
    }

    /// The ids of many texts, as lists.
    ///
    /// The lists are made by the calling thread while others encode: so more than two or three
    /// threads gain little. The result does not depend on their number.
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
            refuse_no_threads(threads)?;
            let rules = self.rules(allowed_special, prepend, append)?;
            batches::encode(
                py,
                &self::texts(texts)?,
                threads,
                &self.ints,
                |text, ids, stop| rules.encode_into(text.as_ref(), ids, stop),
                |Failure { text, error }| value_error(format_args!("text {text}: {error}")),
            )
        })
    }

    /// The ids of a text, as an array.
    ///
    /// Nothing is copied on the way into the array. When a large array goes, the tokenizer keeps its
    /// memory for the next, up to 64 MiB.
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
        text: Unread<'_, 'py>,
        threads: usize,
        allowed_special: Option<&Bound<'py, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| {
            refuse_no_threads(threads)?;
            let rules = self.rules(allowed_special, prepend, append)?;
            let text = match threads {
                1 => rules.encode_in_place(&text)?,
                _ => InPlace::Text(text.read()?),
            };
            let text = match text {
                InPlace::Ids(ids) => return self.memory.array(py, ids),
                InPlace::Text(text) => text,
            };
            let text = &*text;
            if text.len() < LONG {
                return encoded(
                    py,
                    text.len(),
                    |ids, stop| rules.encode_into(text, ids, stop),
                    value_error,
                    |ids| ids::array(py, ids.to_vec()),
                );
            }
            let threads = useful_threads(threads, &[text]);
            let encoded = stoppable(py, text.len(), |stop| rules.encode(text, threads, stop))?;
            self.memory.array(py, encoded.map_err(value_error)?)
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
    ) -> PyResult<IdsAndOffsets<'py>> {
        guard(|| {
            refuse_no_threads(threads)?;
            let rules = self.rules(allowed_special, prepend, append)?;
            let texts = self::texts(texts)?;
            ids::arrays(py, rules.encode_batch(py, &texts, threads)?)
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
        text: Argument<'_>,
        threads: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        guard(|| {
            refuse_no_threads(threads)?;
            let text = &*text;
            let rules = self.rules(allowed_special, None, None)?;
            let threads = useful_threads(threads, &[text]);
            stoppable(py, text.len(), |stop| {
                self.encoder.count_with(text, rules.options(threads, stop))
            })?
            .map_err(value_error)
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
            refuse_no_threads(threads)?;
            let rules = self.rules(allowed_special, None, None)?;
            let texts = self::texts(texts)?;
            let threads = useful_threads(threads, &texts);
            let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
            stoppable(py, bytes, |stop| {
                self.encoder
                    .count_batch_with(&texts, rules.options(threads, stop))
            })?
            .map_err(value_error)
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
        text: Argument<'_>,
        limit: usize,
    ) -> PyResult<Option<usize>> {
        guard(|| {
            let text = &*text;
            detached(py, text.len(), || {
                self.encoder.count_till_limit(text, limit)
            })
            .map_err(value_error)
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
            let argument: Argument<'_> = text.extract()?;
            let bytes = &*argument;
            let truncated = detached(py, bytes.len(), || self.encoder.truncate(bytes, limit))
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
            let allowed = self.allowed(allowed_special)?;
            Ok(EncodeStream::new(match allowed.set() {
                Some(allowed) => self.encoder.stream_with_specials(allowed),
                None => self.encoder.stream(),
            }))
        })
    }
}

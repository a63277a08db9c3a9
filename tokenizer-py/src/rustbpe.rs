//! `tokenizer_py.rustbpe.Tokenizer`: the class of the package `rustbpe`.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple, PyType};
use tokenizer_core::format::native;
use tokenizer_core::train::train_with_progress;
use tokenizer_core::{
    CountOptions, Encoder, Gaps, MAX_TOKEN_ID, Merges, Model, Pattern, PatternError, PatternName,
    TokenId, TrainOptions,
};

use crate::batches::{self, Failure};
use crate::corpus::{self, Source};
use crate::documents::{Kinds, Puller};
use crate::errors::{guard, value_error};
use crate::ids::Ids;
use crate::interruptible::{Caller, interruptible};
use crate::lists::Ints;
use crate::logging::Log;
use crate::memory;
use crate::progress::Progress;
use crate::text::{InPlace, detached, encode_in_place, encode_into, encoded, refuse_single_text};

/// GPT-4's pattern as rustbpe spells it.
const DEFAULT_PATTERN: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";

/// A byte-level BPE tokenizer that is trained in place; it stands in for `rustbpe.Tokenizer`.
///
/// Any number of threads may use one object, also while one of them trains it: they see the old
/// vocabulary until the new one is done. It can be pickled.
///
///     >>> from tokenizer_py import rustbpe
///     >>> tokenizer = rustbpe.Tokenizer()
///     >>> tokenizer.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
///     >>> tokenizer.encode("slow")
///     [115, 257]
#[pyclass(frozen, name = "Tokenizer", module = "tokenizer_py.rustbpe")]
pub(crate) struct Tokenizer {
    /// Replaced whole at the end of training. The lock is held for moments in which the interpreter
    /// is not released and no Python code runs: no thread waits for another that waits for it, an
    /// iterator may use the tokenizer that it trains, and no fork finds the lock taken.
    tables: RwLock<Arc<Tables>>,
}

/// What was learned.
struct Tables {
    encoder: Encoder,
    ints: Ints,
}

impl Tables {
    fn new(encoder: Encoder) -> Arc<Self> {
        Arc::new(Tables {
            ints: Ints::new(encoder.model().vocab().id_limit()),
            encoder,
        })
    }

    fn model(&self) -> &Model {
        self.encoder.model()
    }
}

/// What a pickle holds.
type Reduced<'py> = (Bound<'py, PyType>, Bound<'py, PyTuple>, Bound<'py, PyBytes>);

/// No merges, and the pattern that matches nothing: it encodes every text as no ids.
fn untrained() -> PyResult<Encoder> {
    trained(
        Pattern::regex("", Gaps::Drop).map_err(value_error)?,
        Merges::default(),
    )
}

fn trained(pattern: Pattern, merges: Merges) -> PyResult<Encoder> {
    let specials: [&str; 0] = [];
    let model = Model::trained(pattern, merges, &specials).map_err(value_error)?;
    Ok(Encoder::new(model))
}

/// A pattern with the gap rule of rustbpe and tiktoken.
pub(crate) fn dropping_pattern(source: &str) -> Result<Pattern, PatternError> {
    match PatternName::of_regex(source) {
        Some(name) => Ok(Pattern::named(name)),
        None => Pattern::regex(source, Gaps::Drop),
    }
}

impl Tokenizer {
    fn tables(&self) -> Arc<Tables> {
        let tables = self.tables.read();
        Arc::clone(&tables.unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, encoder: Encoder) {
        let mut tables = Tables::new(encoder);
        {
            let mut place = self.tables.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *place, &mut tables);
        }
        // Those before are dropped behind the lock.
    }
}

#[pymethods]
impl Tokenizer {
    /// A tokenizer that is not trained yet.
    #[new]
    fn new() -> PyResult<Self> {
        guard(|| {
            Ok(Tokenizer {
                tables: RwLock::new(Tables::new(untrained()?)),
            })
        })
    }

    /// Learns a vocabulary, in place of the one before.
    ///
    /// The documents are read in batches and counted on all processors while the next batch is
    /// read; of the text itself only a few batches are held. Progress goes to the logger "rustbpe".
    /// When an exception is raised, the tokenizer is as it was before. Ctrl-C breaks training off.
    ///
    /// Args:
    ///     iterator (Iterable[str]): the documents; pieces do not cross from one to the next.
    ///     vocab_size (int): the number of ids, at least 256. When the text has fewer pairs to
    ///         merge, a warning is logged and the vocabulary is smaller.
    ///     buffer_size (int): how many documents are read at once, at most.
    ///     pattern (str | None): the regex whose matches are the pieces; text between two matches
    ///         is left out. By default that of GPT-4.
    ///
    /// Raises:
    ///     TypeError: the iterator is none, or a single str; a document is no str; a size is no int.
    ///     OverflowError: a size is negative or too large.
    ///     ValueError: vocab_size is below 256, buffer_size is 0, the regex does not compile or
    ///         gives up on a document.
    ///     UnicodeEncodeError: a document holds a lone surrogate.
    ///     Exception: whatever the iterator raises.
    ///
    ///     >>> with open("corpus.txt") as lines:
    ///     ...     tokenizer.train_from_iterator(lines, vocab_size=32768)
    #[pyo3(signature = (iterator, vocab_size, buffer_size = 8192, pattern = None))]
    fn train_from_iterator(
        &self,
        py: Python<'_>,
        iterator: &Bound<'_, PyAny>,
        vocab_size: u32,
        buffer_size: usize,
        pattern: Option<&str>,
    ) -> PyResult<()> {
        guard(|| {
            refuse_single_text(iterator, "iterator")?;
            if !(256..=MAX_TOKEN_ID + 1).contains(&vocab_size) {
                return Err(PyValueError::new_err(format!(
                    "vocab_size must be from 256 to {}, not {vocab_size}",
                    MAX_TOKEN_ID + 1
                )));
            }
            if buffer_size == 0 {
                return Err(PyValueError::new_err(
                    "buffer_size must be at least 1, not 0",
                ));
            }
            let pattern = dropping_pattern(pattern.unwrap_or(DEFAULT_PATTERN))
                .map_err(|error| value_error(format_args!("Invalid regex pattern: {error}")))?;
            let iterator = iterator.try_iter()?;
            let log = Log::new(py, "rustbpe")?;

            let puller = Puller::new(iterator, buffer_size, Kinds::Str);
            log.info(py, format!("counting pieces (buffer_size: {buffer_size})"))?;
            let source = Source::Iterator(puller);
            let options = CountOptions::default();
            let words = corpus::count(py, source, &pattern, options, &Progress::default())?;

            let wanted = vocab_size as usize - 256;
            log.info(
                py,
                format!(
                    "training {wanted} merges on {} distinct pieces",
                    words.len()
                ),
            )?;
            let learn = |caller: &Caller<usize>| {
                let options = TrainOptions::new(wanted).stop(caller.stop());
                train_with_progress(&words, &options, |learned| {
                    let done = learned.merges;
                    // Once for every hundredth part, as rustbpe does.
                    let percent = |merges: usize| merges * 100 / wanted;
                    if percent(done) > percent(done - 1) {
                        caller.tell(done);
                    }
                    ControlFlow::Continue(())
                })
            };
            let trained_merges = interruptible(py, learn, |py, done| {
                let percent = done * 100 / wanted;
                log.info(py, format!("{percent}% ({done}/{wanted} merges)"))
            })?;
            let merges = trained_merges.map_err(value_error)?.merges;
            let learned = merges.len();
            self.replace(py.detach(|| trained(pattern, merges))?);
            if learned < wanted {
                log.warning(
                    py,
                    format!(
                        "only {learned} of {wanted} merges could be learned: no pair is left; \
                         vocab_size is {}, not {vocab_size}",
                        learned + 256
                    ),
                )?;
            }
            log.info(py, format!("finished training: {learned} merges"))
        })
    }

    /// 256 and the number of merges.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.tables().model().vocab().id_limit()
    }

    /// The regex that splits text; "" before training.
    ///
    /// Returns:
    ///     str: the regex.
    fn get_pattern(&self) -> String {
        self.tables().model().pattern().source().to_owned()
    }

    /// The tokens with their ids.
    ///
    /// Returns:
    ///     list[tuple[bytes, int]]: by ascending id; first the 256 single bytes.
    ///
    ///     >>> dict(tokenizer.get_mergeable_ranks())[b"low"]
    ///     257
    fn get_mergeable_ranks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let tables = self.tables();
            let vocab = tables.model().vocab();
            let ranks: Vec<(Bound<'py, PyBytes>, TokenId)> = vocab
                .iter()
                .map(|(id, token)| (PyBytes::new(py, token), id))
                .collect();
            PyList::new(py, ranks)
        })
    }

    /// The ids of a text. Before training there are none.
    ///
    /// Args:
    ///     text (str): the text.
    ///
    /// Returns:
    ///     list[int]: the ids.
    ///
    /// Raises:
    ///     TypeError: not a str.
    ///     UnicodeEncodeError: the text holds a lone surrogate.
    ///     ValueError: the regex gives up on the text; the message names the byte.
    ///
    ///     >>> tokenizer.encode("low")
    ///     [257]
    fn encode<'py>(&self, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let py = text.py();
            let tables = self.tables();
            let text =
                match encode_in_place(text.as_borrowed(), &tables.encoder, None, &memory::room)? {
                    InPlace::Ids(ids) => return tables.ints.list(py, &ids),
                    InPlace::Text(text) => text,
                };
            encoded(
                py,
                text.len(),
                |ids, stop| encode_into(&tables.encoder, &text, None, ids, stop),
                value_error,
                |ids| tables.ints.list(py, ids),
            )
        })
    }

    /// The ids of many texts, encoded on all processors.
    ///
    /// Args:
    ///     texts (Sequence[str]): the texts, as a list or tuple.
    ///
    /// Returns:
    ///     list[list[int]]: the ids of each.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`; the message numbers the text.
    ///
    ///     >>> tokenizer.batch_encode(["low", "slow"])
    ///     [[257], [115, 257]]
    fn batch_encode<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedStr>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let tables = self.tables();
            batches::encode(
                py,
                &texts,
                usize::MAX,
                &tables.ints,
                |text, ids, stop| encode_into(&tables.encoder, text.as_bytes(), None, ids, stop),
                |Failure { text, error }| value_error(format_args!("text {text}: {error}")),
            )
        })
    }

    /// The text of ids.
    ///
    /// Args:
    ///     ids (Sequence[int]): the ids.
    ///
    /// Returns:
    ///     str: the text.
    ///
    /// Raises:
    ///     ValueError: there is no such id.
    ///     UnicodeDecodeError: the bytes of the ids are not UTF-8 (it is a ValueError too).
    ///     OverflowError: an id is negative or beyond 32 bits.
    ///     TypeError: an id is no integer.
    ///
    ///     >>> tokenizer.decode([115, 257])
    ///     'slow'
    fn decode<'py>(&self, py: Python<'py>, ids: Ids) -> PyResult<Bound<'py, PyString>> {
        guard(|| {
            let tables = self.tables();
            let bytes =
                detached(py, ids.len(), || tables.model().decode(&ids)).map_err(|unknown| {
                    PyValueError::new_err(format!("Unknown token id: {}", unknown.id))
                })?;
            PyString::from_bytes(py, &bytes)
        })
    }

    /// A new object, and for `__setstate__` the model as bytes.
    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        guard(|| {
            let model = native::write(this.get().tables().model());
            let py = this.py();
            Ok((
                this.get_type(),
                PyTuple::empty(py),
                PyBytes::new(py, &model),
            ))
        })
    }

    fn __setstate__(&self, py: Python<'_>, state: &[u8]) -> PyResult<()> {
        guard(|| {
            let encoder = py.detach(|| native::read(state).map(Encoder::new));
            self.replace(encoder.map_err(value_error)?);
            Ok(())
        })
    }

    fn __repr__(&self) -> String {
        format!(
            "<tokenizer_py.rustbpe.Tokenizer vocab_size={}>",
            self.vocab_size()
        )
    }
}

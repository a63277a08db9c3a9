//! `tokenizer_py.Tokenizer`: the native class.
//!
//! | file | methods |
//! | --- | --- |
//! | `files` | reading and writing models |
//! | `training` | `train`, `extend` |
//! | `encode` | text to ids: lists, arrays, batches, counts |
//! | `matrix` | many texts as one matrix |
//! | `offsets` | ids with their offsets in the text |
//! | `decode` | ids to text |
//! | `vocabulary` | tokens, merges, token lengths |
//! | `stand_in` | private methods for the modules `rustbpe` and `tiktoken` |

mod decode;
mod encode;
mod files;
mod matrix;
mod offsets;
mod stand_in;
mod training;
mod vocabulary;

use std::cell::Cell;

use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyString, PyType};
use tokenizer_core::{Merging, Model, TokenId, Tokenizer as Core};

use crate::corpus::checked_threads;
use crate::cpython::Ints;
use crate::errors::value_error;
use crate::interruptible::stoppable;
use crate::request::{Request, room_for};
use crate::specials::{Choice, Specials};

/// A model that encodes and decodes text.
///
/// Created by `Tokenizer.train`, `Tokenizer.from_file`, `Tokenizer.from_pretrained`,
/// `Tokenizer.from_tiktoken` or `Tokenizer.from_bytes`. Immutable: threads may share it, and it can be
/// pickled.
///
/// Text is `str` or `bytes`. Invalid UTF-8 in `bytes` is preserved; a lone surrogate in a `str` raises
/// `UnicodeEncodeError`.
///
///     >>> from tokenizer_py import Tokenizer
///     >>> tokenizer = Tokenizer.from_file("cl100k_base.tiktoken", pattern="cl100k")
///     >>> tokenizer.encode("hello world")
///     [15339, 1917]
///     >>> tokenizer.decode([15339, 1917])
///     'hello world'
#[pyclass(frozen, module = "tokenizer_py")]
pub(crate) struct Tokenizer {
    core: Core,
    ints: Ints,
    specials: Specials,
}

impl Tokenizer {
    pub(crate) fn of(model: Model) -> Self {
        Tokenizer {
            ints: Ints::new(model.vocab().id_limit()),
            specials: Specials::of(&model),
            core: Core::new(model),
        }
    }

    fn model(&self) -> &Model {
        self.core.model()
    }

    /// Converts an argument `allowed_special`.
    fn allowed(&self, allowed: Option<&Bound<'_, PyAny>>) -> PyResult<Choice> {
        let Some(allowed) = allowed else {
            return Ok(None);
        };
        if let Ok(word) = allowed.cast::<PyString>() {
            return match word.to_str()? {
                "all" => Ok(self.specials.all()),
                word => Err(PyValueError::new_err(format!(
                    "allowed_special must be \"all\" or a collection of special tokens, not {word:?}"
                ))),
            };
        }
        let ids = allowed.try_iter()?.map(|name| {
            let name: PyBackedStr = name?.extract()?;
            self.special(&name)
        });
        let ids = ids.collect::<PyResult<_>>()?;
        Ok(self.specials.choose(self.model(), ids))
    }

    fn special(&self, name: &str) -> PyResult<TokenId> {
        match self.model().specials().by_content(name) {
            Some(special) => Ok(special.id),
            None => Err(PyValueError::new_err(format!(
                "unknown special token {name:?}"
            ))),
        }
    }

    /// Converts the arguments of an encoding method.
    fn request(
        &self,
        threads: usize,
        allowed: Option<&Bound<'_, PyAny>>,
        prepend: Option<Affix>,
        append: Option<Affix>,
    ) -> PyResult<Request<'_>> {
        checked_threads(Some(threads))?;
        let mut request = Request::new(&self.core, self.allowed(allowed)?);
        request.before = self.affix(prepend)?;
        request.after = self.affix(append)?;
        Ok(request)
    }

    /// Converts an argument `prepend` or `append`.
    fn affix(&self, affix: Option<Affix>) -> PyResult<Option<TokenId>> {
        match affix {
            None => Ok(None),
            Some(Affix::Id(id)) if self.model().token(id).is_some() => Ok(Some(id)),
            Some(Affix::Id(id)) => Err(PyKeyError::new_err(id)),
            Some(Affix::Special(name)) => self.special(&name).map(Some),
        }
    }
}

/// Maximum capacity, in ids, of the buffer that a thread keeps for its next call: 1 MB.
const MAX_KEPT: usize = 1 << 18;

/// Encodes a text into a recycled thread-local buffer and converts the ids with `make`.
///
/// # Errors
/// `ValueError` if the regex fails; errors of `make`; an exception of a signal handler.
fn encoded<T>(
    py: Python<'_>,
    request: &Request<'_>,
    text: &[u8],
    make: impl FnOnce(&[TokenId]) -> PyResult<T>,
) -> PyResult<T> {
    thread_local! {
        static IDS: Cell<Vec<TokenId>> = const { Cell::new(Vec::new()) };
    }
    // Taken, not borrowed: a nested call on this thread uses a new buffer.
    let mut ids = IDS.take();
    ids.clear();
    ids.reserve(room_for(text.len()));
    let encode = |stop: Option<&_>| request.encode_into(text, 1, stop, &mut ids);
    let encoded = stoppable(py, text.len(), encode)?;
    let made = encoded.map_err(value_error).and_then(|()| make(&ids));
    if ids.capacity() <= MAX_KEPT {
        IDS.set(ids);
    }
    made
}

/// An argument `prepend` or `append`.
enum Affix {
    Special(PyBackedStr),
    Id(TokenId),
}

impl FromPyObject<'_, '_> for Affix {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.is_instance_of::<PyString>() {
            true => object.extract().map(Affix::Special),
            false => object.extract().map(Affix::Id),
        }
    }
}

#[pymethods]
impl Tokenizer {
    #[new]
    fn new() -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "use Tokenizer.train, Tokenizer.from_file, Tokenizer.from_pretrained, \
             Tokenizer.from_tiktoken or Tokenizer.from_bytes to create a Tokenizer",
        ))
    }

    fn __repr__(&self) -> String {
        let model = self.model();
        let merging = match model.merging() {
            Merging::Ranks => "ranks".to_owned(),
            Merging::Merges { merges, .. } => format!("{} merges", merges.len()),
        };
        let source = || format!("{:?}", model.pattern().source());
        let pattern = model
            .pattern()
            .name()
            .map_or_else(source, |name| name.to_string());
        let specials = model.specials().iter();
        let specials = specials.filter(|token| token.special).count();
        let size = self.vocab_size();
        format!(
            "<tokenizer_py.Tokenizer vocab_size={size} pattern={pattern}, {merging}, {specials} special \
             tokens>"
        )
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

//! `tokenizer_py.Tokenizer`: the native class.
//!
//! | file | methods |
//! | --- | --- |
//! | `files` | reading and writing models |
//! | `training` | `train` |
//! | `encode` | text to ids: lists, arrays, batches, how many |
//! | `matrix` | many texts as one matrix |
//! | `offsets` | ids, and where each stands in the text |
//! | `decode` | ids to text |
//! | `vocabulary` | what the model holds |
//! | `added_token` | `AddedToken` |

mod added_token;
mod decode;
mod encode;
mod files;
mod matrix;
mod offsets;
mod training;
mod vocabulary;

use std::sync::Arc;

use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyString, PyType};
use tokenizer_core::{Encoder, Merging, Model, TokenId};

pub(crate) use self::added_token::AddedToken;
use crate::array_memory::ArrayMemory;
use crate::lists::Ints;
use crate::specials::{Choice, Specials};

/// A model that encodes and decodes text.
///
/// Made by `Tokenizer.train`, `Tokenizer.from_file`, `Tokenizer.from_pretrained`,
/// `Tokenizer.from_tiktoken` or `Tokenizer.from_bytes`. It never changes, so any number of threads
/// may use one object, and it can be pickled.
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
    memory: Arc<ArrayMemory>,
    ints: Ints,
    specials: Specials,
}

impl Tokenizer {
    pub(crate) fn of(model: Model) -> Self {
        Tokenizer {
            ints: Ints::new(model.vocab().id_limit()),
            specials: Specials::of(&model),
            encoder: Encoder::new(model),
            memory: ArrayMemory::new(),
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
                None => return Err(no_special(&name)),
            }
        }
        Ok(self.specials.choose(self.model(), ids))
    }

    /// The id that is put before or behind every text: given as an id or as a special token.
    fn affix(&self, affix: Option<Affix>) -> PyResult<Option<TokenId>> {
        let model = self.model();
        match affix {
            None => Ok(None),
            Some(Affix::Id(id)) if model.token(id).is_some() => Ok(Some(id)),
            Some(Affix::Id(id)) => Err(PyKeyError::new_err(id)),
            Some(Affix::Special(name)) => match model.specials().by_content(&name) {
                Some(special) => Ok(Some(special.id)),
                None => Err(no_special(&name)),
            },
        }
    }
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

fn no_special(name: &str) -> PyErr {
    PyValueError::new_err(format!("the model has no special token {name:?}"))
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
            "a Tokenizer is made by Tokenizer.train, Tokenizer.from_file, Tokenizer.from_pretrained, \
             Tokenizer.from_tiktoken or Tokenizer.from_bytes",
        ))
    }

    fn __repr__(&self) -> String {
        let model = self.model();
        let merging = match model.merging() {
            Merging::Ranks => "ranks".to_owned(),
            Merging::Merges { merges, .. } => format!("{} merges", merges.len()),
        };
        let pattern = match model.pattern().name() {
            Some(name) => name.to_string(),
            None => format!("{:?}", model.pattern().source()),
        };
        format!(
            "<tokenizer_py.Tokenizer vocab_size={} pattern={pattern}, {merging}, {} special tokens>",
            self.vocab_size(),
            model
                .specials()
                .iter()
                .filter(|token| token.control)
                .count(),
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

//! What tiktoken's `allowed_special` and `disallowed_special` mean.
//!
//! Nearly every call names special tokens only, or nothing, and has a text without surrogates: then
//! Python is not needed. For the rest there are functions in `tokenizer_py.tiktoken.core`.

use std::borrow::Cow;

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFrozenSet, PySet, PyString, PyTuple};
use tokenizer_core::{EncodeError, Model, SpecialSet};

use crate::errors::value_error;
use crate::specials::{Choice, Specials};

/// An argument `allowed_special` or `disallowed_special`.
pub(crate) enum Asked<'py> {
    Default,
    All,
    For(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Asked<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyString>() {
            Ok(word) if word.to_str().is_ok_and(|word| word == "all") => Ok(Asked::All),
            _ => Ok(Asked::For(object.to_owned())),
        }
    }
}

/// What a call does about special tokens.
pub(crate) struct Rules<'s, 'py> {
    pub(crate) allowed: Choice<'s>,
    pub(crate) disallowed: Disallowed<'s, 'py>,
    /// What is wrong with the names of the allowed ones: tiktoken finds that only after it has found
    /// nothing disallowed.
    pub(crate) problem: Option<PyErr>,
}

/// What must not stand in a text.
pub(crate) enum Disallowed<'s, 'py> {
    Specials(Choice<'s>),
    /// Some of these are no special tokens, or no texts.
    Texts(Bound<'py, PyFrozenSet>),
}

impl<'s, 'py> Rules<'s, 'py> {
    /// Special tokens are text like any other.
    pub(crate) fn none() -> Self {
        Rules {
            allowed: Choice::Nothing,
            disallowed: Disallowed::Specials(Choice::Nothing),
            problem: None,
        }
    }

    /// What the arguments ask for, of the special tokens of `model`.
    pub(crate) fn new(
        py: Python<'py>,
        model: &Model,
        specials: &'s Specials,
        allowed: Asked<'py>,
        disallowed: Asked<'py>,
    ) -> PyResult<Self> {
        let mut problem = None;
        let allowed = match allowed {
            Asked::Default => Choice::Nothing,
            Asked::All => specials.all(),
            // The default that the signature shows: there is no literal for an empty set.
            Asked::For(names) if names.cast::<PyTuple>().is_ok_and(|names| names.is_empty()) => {
                Choice::Nothing
            }
            Asked::For(names) => {
                if !names.is_instance_of::<PySet>() && !names.is_instance_of::<PyFrozenSet>() {
                    let kind = names.get_type().name()?;
                    return Err(PyTypeError::new_err(format!(
                        "'{kind}' object is not an instance of 'set'"
                    )));
                }
                let mut ids = Vec::new();
                for name in names.try_iter()? {
                    match name?.extract::<PyBackedStr>() {
                        // Other texts are passed over.
                        Ok(name) => {
                            ids.extend(model.specials().by_content(&name).map(|token| token.id));
                        }
                        Err(error) => problem = Some(error),
                    }
                }
                specials.choose(model, ids)
            }
        };
        let disallowed = match disallowed {
            Asked::Default | Asked::All => Disallowed::Specials(specials.others(model, &allowed)),
            Asked::For(texts) if texts.is_truthy()? => {
                Disallowed::new(py, model, specials, &texts)?
            }
            Asked::For(_) => Disallowed::Specials(Choice::Nothing),
        };
        Ok(Rules {
            allowed,
            disallowed,
            problem,
        })
    }
}

impl<'s, 'py> Disallowed<'s, 'py> {
    fn new(
        py: Python<'py>,
        model: &Model,
        specials: &'s Specials,
        texts: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let texts = match texts.cast_exact::<PyFrozenSet>() {
            Ok(texts) => texts.clone(),
            Err(_) => py.get_type::<PyFrozenSet>().call1((texts,))?.cast_into()?,
        };
        let mut ids = Vec::with_capacity(texts.len());
        for text in &texts {
            let special = text.cast::<PyString>().ok().and_then(|text| {
                let text = text.to_str().ok()?;
                model.specials().by_content(text)
            });
            match special {
                Some(special) => ids.push(special.id),
                None => return Ok(Disallowed::Texts(texts)),
            }
        }
        let choice = specials.choose(model, ids);
        Ok(Disallowed::Specials(choice))
    }

    /// What is to be looked for without Python.
    pub(crate) fn set(&self) -> Option<&SpecialSet> {
        match self {
            Disallowed::Specials(choice) => choice.set(),
            Disallowed::Texts(_) => None,
        }
    }

    /// Searches `text` for what Python has to search for: texts that are no special tokens, or any
    /// in a text that is not UTF-8.
    pub(crate) fn refuse_in_python(
        &self,
        model: &Model,
        text: &Bound<'_, PyString>,
        is_utf8: bool,
    ) -> PyResult<()> {
        match self {
            Disallowed::Texts(texts) => refuse_texts(text, texts),
            Disallowed::Specials(choice) if !is_utf8 && choice.set().is_some() => {
                let texts = PyFrozenSet::new(text.py(), choice.contents(model))?;
                refuse_texts(text, &texts)
            }
            Disallowed::Specials(_) => Ok(()),
        }
    }
}

/// A function of `tokenizer_py.tiktoken.core`, for what is rare.
fn in_python<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || {
        let module = py.import("tokenizer_py.tiktoken.core")?;
        Ok::<_, PyErr>(module.unbind())
    })?;
    module.bind(py).getattr(name)
}

/// Raises `ValueError` when one of `texts` stands in `text`, which may hold lone surrogates.
fn refuse_texts(text: &Bound<'_, PyString>, texts: &Bound<'_, PyFrozenSet>) -> PyResult<()> {
    in_python(text.py(), "_refuse")?
        .call1((text, texts))
        .map(drop)
}

/// The text without lone surrogates, when it has any.
pub(crate) fn repaired<'py>(text: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyString>>> {
    match text.to_str() {
        Ok(_) => Ok(None),
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
            let repaired = in_python(text.py(), "_repaired")?.call1((text,))?;
            Ok(Some(repaired.cast_into()?))
        }
        Err(error) => Err(error),
    }
}

/// The text in UTF-8, with U+FFFD for its lone surrogates if that was refused for them, and whether it
/// had none.
pub(crate) fn or_repaired<'a>(
    utf8: PyResult<Cow<'a, [u8]>>,
    text: &Bound<'_, PyString>,
) -> PyResult<(Cow<'a, [u8]>, bool)> {
    match utf8 {
        Ok(utf8) => Ok((utf8, true)),
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
            match repaired(text)? {
                Some(text) => Ok((Cow::Owned(text.to_str()?.as_bytes().to_vec()), false)),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// What Python gets when a text could not be encoded.
pub(crate) fn refusal(py: Python<'_>, error: EncodeError) -> PyErr {
    match error {
        EncodeError::SpecialNotAllowed { content, .. } => {
            let made = in_python(py, "_disallowed").and_then(|make| make.call1((content,)));
            made.map_or_else(|error| error, PyErr::from_value)
        }
        error => value_error(error),
    }
}

//! `tokenizer_py.AddedToken`: a token of `Tokenizer.added_tokens`.

use pyo3::prelude::*;
use pyo3::types::PyString;
use tokenizer_core::{SpecialToken, TokenId};

/// A special token, or another token that was added to a vocabulary, with the flags of a
/// `tokenizer.json`.
///
/// Attributes:
///     content (str): the text that it is recognised by.
///     id (int): its id.
///     special (bool): recognised only where allowed, and left out by `skip_special_tokens`. An
///         added token without it is part of the vocabulary and always found.
///     normalized (bool): looked for in the normalized text.
///     lstrip, rstrip (bool): covers the white space before or behind it.
///     single_word (bool): found only between characters that are not letters, digits or
///         underscores.
#[pyclass(frozen, eq, hash, get_all, module = "tokenizer_py")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct AddedToken {
    content: String,
    id: TokenId,
    special: bool,
    normalized: bool,
    lstrip: bool,
    rstrip: bool,
    single_word: bool,
}

impl AddedToken {
    pub(super) fn of(token: &SpecialToken) -> Self {
        AddedToken {
            content: token.content.clone(),
            id: token.id,
            special: token.control,
            normalized: token.normalized,
            lstrip: token.left_strip,
            rstrip: token.right_strip,
            single_word: token.single_word,
        }
    }
}

#[pymethods]
impl AddedToken {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let flag = |value| if value { "True" } else { "False" };
        Ok(format!(
            "AddedToken(content={}, id={}, special={}, normalized={}, lstrip={}, rstrip={}, \
             single_word={})",
            PyString::new(py, &self.content).repr()?,
            self.id,
            flag(self.special),
            flag(self.normalized),
            flag(self.lstrip),
            flag(self.rstrip),
            flag(self.single_word),
        ))
    }
}

//! Tokens, merges and token lengths.

use numpy::PyArray1;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use tokenizer_core::{Merging, SpecialToken, TokenId, rank_merges};

use super::Tokenizer;
use crate::errors::{guard, value_error};
use crate::ids;
use crate::text::{Text, refuse_single_text};

#[pymethods]
impl Tokenizer {
    /// Returns the id of a token, ordinary or special.
    ///
    /// Args:
    ///     token (str | bytes): the complete token.
    ///
    /// Raises:
    ///     KeyError: not a token.
    ///
    ///     >>> tokenizer.token_to_id("hello")
    ///     15339
    fn token_to_id(&self, token: Text) -> PyResult<TokenId> {
        self.model().id(&token).ok_or_else(|| {
            let token = String::from_utf8_lossy(&token).into_owned();
            PyKeyError::new_err(token)
        })
    }

    /// Returns the bytes of an id, ordinary or special.
    ///
    /// Args:
    ///     id (int): the id.
    ///
    /// Raises:
    ///     KeyError: unknown id.
    ///     OverflowError: the id is negative or exceeds 32 bits.
    ///
    ///     >>> tokenizer.id_to_token(15339)
    ///     b'hello'
    fn id_to_token<'py>(&self, py: Python<'py>, id: TokenId) -> PyResult<Bound<'py, PyBytes>> {
        match self.model().token(id) {
            Some(token) => Ok(PyBytes::new(py, token)),
            None => Err(PyKeyError::new_err(id)),
        }
    }

    /// The highest id plus one, including special tokens: the number of rows of an embedding table.
    #[getter]
    pub(super) fn vocab_size(&self) -> usize {
        self.model().id_limit()
    }

    /// The regex that splits text into pieces.
    #[getter]
    fn pattern(&self) -> &str {
        self.model().pattern().source()
    }

    /// The special tokens with their ids, in ascending order of id, as a new dict. Added tokens that
    /// are not special are in `added_tokens` only.
    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tokens = PyDict::new(py);
        for token in self.model().specials().iter().filter(|t| t.special) {
            tokens.set_item(&token.content, token.id)?;
        }
        Ok(tokens)
    }

    /// All added tokens, including special ones, in ascending order of id, as a new list.
    ///
    ///     >>> tokenizer.added_tokens[0]
    ///     AddedToken(content='<|bos|>', id=100257, special=True, normalized=False, lstrip=False, rstrip=False, single_word=False)
    #[getter]
    fn added_tokens<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = py
            .import("tokenizer_py._added_token")?
            .getattr("AddedToken")?;
        let added = |token: &SpecialToken| {
            class.call1((
                &token.content,
                token.id,
                token.special,
                token.normalized,
                token.lstrip,
                token.rstrip,
                token.single_word,
            ))
        };
        self.model().specials().iter().map(added).collect()
    }

    /// Returns a new tokenizer with more special or added tokens. This one does not change, because
    /// tokenizers are immutable. No id changes: new tokens take the ids after the highest one.
    ///
    /// Ids equal those of `add_tokens` of `tokenizers`. A token that exists keeps its id: an added token
    /// takes the new flags, and an ordinary token, in byte-level spelling, becomes an added token.
    ///
    /// Args:
    ///     tokens (Iterable[str | AddedToken]): the tokens: texts, or objects with the attributes of an
    ///         `AddedToken`, of this package or of `tokenizers`. Their ids are ignored.
    ///     special (bool): all tokens are special. A text has the flag `normalized` if it is not special,
    ///         and no other flag.
    ///
    /// Raises:
    ///     TypeError: `tokens` is a single text, or an element has another type.
    ///     ValueError: the tokens together are too long.
    ///
    ///     >>> larger = tokenizer.add_tokens(["<|call|>"], special=True)
    ///     >>> larger.token_to_id("<|call|>") == tokenizer.vocab_size
    ///     True
    #[pyo3(signature = (tokens, *, special = false))]
    fn add_tokens(
        &self,
        py: Python<'_>,
        tokens: &Bound<'_, PyAny>,
        special: bool,
    ) -> PyResult<Self> {
        guard(|| {
            refuse_single_text(tokens, "tokens")?;
            let tokens = tokens.try_iter()?;
            let tokens = tokens.map(|token| added_token(&token?, special));
            let tokens = tokens.collect::<PyResult<Vec<_>>>()?;
            let model = py.detach(|| self.model().add_tokens(tokens));
            model.map(Self::of).map_err(value_error)
        })
    }

    /// The ordinary tokens with their ids, in ascending order of id, as a new dict. If several tokens
    /// have the same bytes, the dict contains the highest of their ids.
    ///
    ///     >>> tokenizer.vocab[b"hello"]
    ///     15339
    #[getter]
    fn vocab<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guard(|| {
            let tokens = PyDict::new(py);
            for (id, token) in self.model().vocab().iter() {
                tokens.set_item(PyBytes::new(py, token), id)?;
            }
            Ok(tokens)
        })
    }

    /// The merges in order, as a new list of pairs of tokens.
    ///
    /// A model with ranks instead of merges, as in tiktoken, has one pair per token of at least two
    /// bytes: the pair whose merge creates it. Tokens that no merge creates are omitted.
    ///
    ///     >>> tokenizer.merges[:3]
    ///     [(b' ', b' '), (b'  ', b'  '), (b'i', b'n')]
    #[getter]
    fn merges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let vocab = self.model().vocab();
            let rules: Vec<_> = match self.model().merging() {
                Merging::Merges { merges, .. } => merges.iter().copied().collect(),
                Merging::Ranks => py.detach(|| rank_merges(vocab).rules),
            };
            let bytes = |id| PyBytes::new(py, vocab.token(id).unwrap_or_default());
            let pairs = rules
                .into_iter()
                .map(|rule| (bytes(rule.left), bytes(rule.right)));
            PyList::new(py, pairs)
        })
    }

    /// Returns the length of each token in bytes, to convert a loss per token to a loss per byte.
    /// nanochat stores these numbers in `token_bytes.pt`.
    ///
    /// Args:
    ///     as_text (bool): measure the UTF-8 of the decoded token, as nanochat did before July 2026.
    ///         An incomplete character in a token then counts as U+FFFD, three bytes.
    ///
    /// Returns:
    ///     numpy.ndarray: int32 of shape (vocab_size,); 0 for special tokens and unused ids.
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///
    ///     >>> lengths = tokenizer.token_bytes()
    ///     >>> lengths[tokenizer.encode("hello world")]
    ///     array([5, 6], dtype=int32)
    #[pyo3(signature = (*, as_text = false))]
    fn token_bytes<'py>(
        &self,
        py: Python<'py>,
        as_text: bool,
    ) -> PyResult<Bound<'py, PyArray1<i32>>> {
        guard(|| {
            let model = self.model();
            let length = |id| match (model.specials().by_id(id), model.token(id)) {
                (Some(special), _) if special.special => 0,
                (_, Some(token)) if as_text => String::from_utf8_lossy(token).len(),
                (_, token) => token.unwrap_or_default().len(),
            };
            let ids = 0..model.id_limit() as TokenId;
            let lengths: Vec<i32> = ids
                .map(|id| i32::try_from(length(id)).unwrap_or(i32::MAX))
                .collect();
            ids::array(py, lengths)
        })
    }
}

/// Converts an element of the argument of `add_tokens`.
fn added_token(token: &Bound<'_, PyAny>, special: bool) -> PyResult<SpecialToken> {
    if let Ok(text) = token.cast::<PyString>() {
        return Ok(SpecialToken {
            special,
            normalized: !special,
            ..SpecialToken::new(text.to_str()?, 0)
        });
    }
    let flag = |name: &str| token.getattr(name)?.extract::<bool>();
    let content: String = token.getattr("content")?.extract()?;
    Ok(SpecialToken {
        special: flag("special")? || special,
        normalized: flag("normalized")?,
        lstrip: flag("lstrip")?,
        rstrip: flag("rstrip")?,
        single_word: flag("single_word")?,
        ..SpecialToken::new(content, 0)
    })
}

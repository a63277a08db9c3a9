//! What `tokenizer_py.tiktoken.Encoding` stands on. Names and rules are tiktoken's; repairing lone
//! surrogates and refusing special tokens is done in Python.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use numpy::PyArray1;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyList};
use tokenizer_core::{EncodeError, Encoder, Model, SpecialSet, SpecialToken, TokenId};

use crate::errors::{guard, value_error};
use crate::ids;
use crate::rustbpe::dropping_pattern;
use crate::text::{detached, useful_threads};

/// Encodes with a rank table, by tiktoken's rules.
#[pyclass(frozen, name = "CoreBPE", module = "tokenizer_py._native")]
pub(crate) struct CoreBpe {
    encoder: Encoder,
    /// The set of special tokens asked for last: callers rarely change it, and to make one costs
    /// more than to encode a short text.
    last: Mutex<(HashSet<PyBackedStr>, Arc<SpecialSet>)>,
}

impl CoreBpe {
    /// The special tokens that `names` names; other names are passed over.
    ///
    /// The lock is held for moments in which the interpreter is not released and no Python code
    /// runs: no thread waits for another that waits for it, and no fork finds it taken.
    fn specials(&self, names: HashSet<PyBackedStr>) -> Arc<SpecialSet> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let last = lock();
            if last.0 == names {
                return last.1.clone();
            }
        }
        let list: Vec<&PyBackedStr> = names.iter().collect();
        let set = Arc::new(self.encoder.model().special_set(&list));
        // What was there is dropped behind the lock.
        let _before = std::mem::replace(&mut *lock(), (names, set.clone()));
        set
    }

    fn encode_allowing(
        &self,
        py: Python<'_>,
        text: &str,
        allowed: HashSet<PyBackedStr>,
    ) -> PyResult<Vec<TokenId>> {
        let allowed = self.specials(allowed);
        detached(py, text.len(), || {
            let mut ids = Vec::new();
            self.encoder
                .encode_with_specials(text.as_bytes(), &allowed, &mut ids)?;
            Ok::<_, EncodeError>(ids)
        })
        .map_err(value_error)
    }
}

#[pymethods]
impl CoreBpe {
    #[new]
    fn new(
        py: Python<'_>,
        mergeable_ranks: &Bound<'_, PyDict>,
        special_tokens: &Bound<'_, PyDict>,
        pat_str: &str,
    ) -> PyResult<Self> {
        guard(|| {
            let tokens: Vec<(Bound<'_, PyBytes>, TokenId)> = mergeable_ranks
                .iter()
                .map(|(token, rank)| Ok((token.cast_into::<PyBytes>()?, rank.extract()?)))
                .collect::<PyResult<_>>()?;
            let ranks: Vec<(&[u8], TokenId)> = tokens
                .iter()
                .map(|(token, rank)| (token.as_bytes(), *rank))
                .collect();
            let specials: Vec<SpecialToken> = special_tokens
                .iter()
                .map(|(text, id)| Ok(SpecialToken::new(text.extract::<&str>()?, id.extract()?)))
                .collect::<PyResult<_>>()?;
            let pattern = dropping_pattern(pat_str).map_err(value_error)?;
            let encoder =
                py.detach(|| Model::from_ranks(pattern, ranks, specials).map(Encoder::new));
            Ok(CoreBpe {
                encoder: encoder.map_err(value_error)?,
                last: Mutex::default(),
            })
        })
    }

    fn encode_ordinary(&self, py: Python<'_>, text: &str) -> PyResult<Vec<TokenId>> {
        guard(|| {
            detached(py, text.len(), || self.encoder.encode(text.as_bytes())).map_err(value_error)
        })
    }

    fn encode(
        &self,
        py: Python<'_>,
        text: &str,
        allowed_special: HashSet<PyBackedStr>,
    ) -> PyResult<Vec<TokenId>> {
        guard(|| self.encode_allowing(py, text, allowed_special))
    }

    fn encode_to_numpy<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        allowed_special: HashSet<PyBackedStr>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| ids::array(py, self.encode_allowing(py, text, allowed_special)?))
    }

    fn encode_ordinary_batch<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedStr>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let threads = useful_threads(threads);
            let batch = py.detach(|| self.encoder.encode_batch(&texts, threads));
            ids::lists(py, &batch.map_err(value_error)?)
        })
    }

    /// The first of the special tokens `names` that stands in the text.
    fn find_special(
        &self,
        py: Python<'_>,
        text: &str,
        names: HashSet<PyBackedStr>,
    ) -> PyResult<Option<String>> {
        guard(|| {
            let names = self.specials(names);
            let found = detached(py, text.len(), || {
                self.encoder.refuse_specials(text.as_bytes(), &names)
            });
            match found {
                Ok(()) => Ok(None),
                Err(EncodeError::SpecialNotAllowed { content, .. }) => Ok(Some(content)),
                Err(error) => Err(value_error(error)),
            }
        })
    }

    fn encode_single_token(&self, token: &Bound<'_, PyBytes>) -> PyResult<TokenId> {
        self.encoder
            .model()
            .id(token.as_bytes())
            .ok_or_else(|| PyKeyError::new_err(token.clone().unbind()))
    }

    fn encode_single_piece(&self, py: Python<'_>, piece: &[u8]) -> PyResult<Vec<TokenId>> {
        guard(|| {
            Ok(detached(py, piece.len(), || {
                self.encoder.encode_single_piece(piece)
            }))
        })
    }

    fn decode_bytes<'py>(
        &self,
        py: Python<'py>,
        tokens: Vec<TokenId>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| {
            let bytes = detached(py, tokens.len(), || self.encoder.model().decode(&tokens));
            let bytes = bytes.map_err(|unknown| {
                PyKeyError::new_err(format!("Invalid token for decoding: {}", unknown.id))
            })?;
            Ok(PyBytes::new(py, &bytes))
        })
    }

    fn decode_single_token_bytes<'py>(
        &self,
        py: Python<'py>,
        token: TokenId,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self.encoder.model().token(token) {
            Some(bytes) => Ok(PyBytes::new(py, bytes)),
            None => Err(PyKeyError::new_err(token.to_string())),
        }
    }
}

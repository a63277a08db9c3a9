//! Ids to text.

use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use tokenizer_core::UnknownToken;
use tokenizer_core::{DecodeStream as Decoder, TokenId};

use super::Tokenizer;
use crate::errors::guard;
use crate::ids::Ids;
use crate::interruptible::{detached, take_turns};
use crate::streams::{DecodeStream, Held};
use crate::text::string;

/// Number of ids decoded between two checks for signals.
const PORTION: usize = 1 << 23;

impl Tokenizer {
    fn skipped(&self, skip_special_tokens: bool) -> Vec<TokenId> {
        match skip_special_tokens {
            true => self.model().skipped_ids(),
            false => Vec::new(),
        }
    }

    pub(super) fn decoded(
        &self,
        py: Python<'_>,
        ids: &[TokenId],
        skip_special_tokens: bool,
    ) -> PyResult<Vec<u8>> {
        let skipped = self.skipped(skip_special_tokens);
        let mut bytes = Vec::new();
        // A text decoder acts on the start of the whole text and on adjacent tokens.
        let portion = match self.model().text_decoder() {
            None => PORTION,
            Some(_) => ids.len().max(1),
        };
        for (number, some) in ids.chunks(portion).enumerate() {
            if number > 0 {
                take_turns(py)?;
            }
            let done = detached(py, some.len(), || match skipped[..] {
                [] => self.model().decode_into(some, &mut bytes),
                _ => {
                    let decoded = self.model().decode_without(some, &skipped)?;
                    bytes.extend_from_slice(&decoded);
                    Ok(())
                }
            });
            done.map_err(|mut error: UnknownToken| {
                error.position += number * portion;
                PyKeyError::new_err(error.to_string())
            })?;
        }
        Ok(bytes)
    }

    fn text<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
        skip_special_tokens: bool,
        errors: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        if errors != "replace" || self.model().text_decoder().is_none() {
            return string(py, &self.decoded(py, ids, skip_special_tokens)?, errors);
        }
        // Invalid bytes of byte-fallback tokens are replaced as in `tokenizers`, not as in Python.
        let skipped = self.skipped(skip_special_tokens);
        let decode = || self.model().decode_lossy_without(ids, &skipped);
        let text = detached(py, ids.len(), decode);
        let text = text.map_err(|error| PyKeyError::new_err(error.to_string()))?;
        Ok(PyString::new(py, &text))
    }
}

#[pymethods]
impl Tokenizer {
    /// Returns the text of ids.
    ///
    /// Args:
    ///     ids (Sequence[int] | numpy.ndarray): the ids.
    ///     errors (str): how to handle invalid UTF-8, as in `bytes.decode`.
    ///     skip_special_tokens (bool): omit special tokens, but keep other added tokens.
    ///
    /// Raises:
    ///     KeyError: unknown id.
    ///     OverflowError: an id is negative or exceeds 32 bits.
    ///     TypeError: an id is not an integer.
    ///     UnicodeDecodeError: invalid UTF-8 with errors="strict".
    ///
    ///     >>> tokenizer.decode([100257, 15339, 1917])
    ///     '<|bos|>hello world'
    ///     >>> tokenizer.decode([100257, 15339, 1917], skip_special_tokens=True)
    ///     'hello world'
    #[pyo3(signature = (ids, errors = "replace", *, skip_special_tokens = false))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        ids: Ids,
        errors: &str,
        skip_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyString>> {
        guard(|| self.text(py, &ids, skip_special_tokens, errors))
    }

    /// Returns the bytes of ids, which may be invalid UTF-8: a token can be part of a character.
    ///
    /// Args:
    ///     ids (Sequence[int] | numpy.ndarray): the ids.
    ///     skip_special_tokens (bool): omit special tokens, but keep other added tokens.
    ///
    /// Raises:
    ///     KeyError, OverflowError, TypeError: as `decode`.
    ///
    ///     >>> tokenizer.decode_bytes([15339, 1917])
    ///     b'hello world'
    #[pyo3(signature = (ids, *, skip_special_tokens = false))]
    fn decode_bytes<'py>(
        &self,
        py: Python<'py>,
        ids: Ids,
        skip_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| {
            let bytes = self.decoded(py, &ids, skip_special_tokens)?;
            Ok(PyBytes::new(py, &bytes))
        })
    }

    /// Returns the texts of many lists of ids.
    ///
    /// Args:
    ///     batch (Iterable[Sequence[int] | numpy.ndarray]): the lists.
    ///     errors, skip_special_tokens: as in `decode`.
    ///
    /// Raises:
    ///     KeyError, OverflowError, TypeError, UnicodeDecodeError: as `decode`.
    ///
    ///     >>> tokenizer.decode_batch([[15339, 1917], [15339]])
    ///     ['hello world', 'hello']
    #[pyo3(signature = (batch, errors = "replace", *, skip_special_tokens = false))]
    fn decode_batch<'py>(
        &self,
        py: Python<'py>,
        batch: &Bound<'py, PyAny>,
        errors: &str,
        skip_special_tokens: bool,
    ) -> PyResult<Vec<Bound<'py, PyString>>> {
        guard(|| {
            let texts = batch.try_iter()?.map(|ids| {
                take_turns(py)?;
                let ids: Ids = ids?.extract()?;
                self.text(py, &ids, skip_special_tokens, errors)
            });
            texts.collect()
        })
    }

    /// Returns a decoder for ids that arrive one at a time.
    ///
    /// Args:
    ///     skip_special_tokens (bool): omit special tokens, but keep other added tokens.
    ///
    /// Returns:
    ///     DecodeStream: `push` takes one or more ids and returns the complete characters;
    ///     `finish` returns the rest.
    ///
    ///     >>> stream = tokenizer.decode_stream()
    ///     >>> "".join(stream.push(id) for id in [15339, 1917]) + stream.finish()
    ///     'hello world'
    #[pyo3(signature = (*, skip_special_tokens = false))]
    fn decode_stream(&self, skip_special_tokens: bool) -> DecodeStream {
        DecodeStream {
            stream: Held::new(Decoder::new(Arc::clone(self.core.model()))),
            skipped: self.skipped(skip_special_tokens),
        }
    }
}

//! Private methods for `tokenizer_py.rustbpe` and `tokenizer_py.tiktoken`. Their arguments have the names
//! used by tiktoken, because error messages contain these names.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyString, PyTuple};
use tokenizer_core::{
    EncodeError, Gaps, MergeRule, Model, Pattern, PatternError, PatternName, SpecialToken, TokenId,
};

use super::{Tokenizer, encoded};
use crate::batches;
use crate::errors::{guard, value_error};
use crate::ids::{self, Ids};
use crate::interruptible::detached;
use crate::request::Request;
use crate::specials::Choice;
use crate::text::{Text, string};

/// Compiles a pattern with the gap rule of rustbpe and tiktoken: text between matches is dropped.
pub(super) fn dropping_pattern(source: &str) -> Result<Pattern, PatternError> {
    match PatternName::of_regex(source) {
        Some(name) => Ok(Pattern::named(name)),
        None => Pattern::regex(source, Gaps::Drop),
    }
}

fn is_all(argument: &Bound<'_, PyAny>) -> bool {
    argument.cast::<PyString>().is_ok_and(|word| word == "all")
}

impl Tokenizer {
    /// Returns the special tokens among a set of strings, and whether all strings are special tokens.
    fn named(&self, texts: &Bound<'_, PyAny>) -> PyResult<(Choice, bool)> {
        let is_empty_set = texts
            .cast::<PyFrozenSet>()
            .is_ok_and(|texts| texts.is_empty());
        if is_empty_set || texts.cast::<PyTuple>().is_ok_and(|texts| texts.is_empty()) {
            return Ok((None, true));
        }
        let texts: HashSet<PyBackedStr> = texts.extract()?;
        let specials = texts
            .iter()
            .filter_map(|text| self.model().specials().by_content(text));
        let ids: Vec<TokenId> = specials.map(|special| special.id).collect();
        let are_all_special = ids.len() == texts.len();
        Ok((self.specials.choose(self.model(), ids), are_all_special))
    }

    /// Converts tiktoken's arguments `allowed_special` and `disallowed_special` to a request and the
    /// special tokens that must not occur. Returns `None` if a disallowed string is not a special token;
    /// the caller then searches for it in Python.
    ///
    /// # Errors
    /// `TypeError` if an argument is not a set.
    fn by_rules(
        &self,
        allowed: &Bound<'_, PyAny>,
        disallowed: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(Request<'_>, Choice)>> {
        let allowed = match is_all(allowed) {
            true => self.specials.all(),
            false => self.named(allowed)?.0,
        };
        let refused = if is_all(disallowed) {
            self.specials.others(self.model(), &allowed)
        } else if disallowed.is_truthy()? {
            match self.named(disallowed)? {
                (refused, true) => refused,
                (_, false) => return Ok(None),
            }
        } else {
            None
        };
        Ok(Some((Request::new(&self.core, allowed), refused)))
    }
}

#[pymethods]
impl Tokenizer {
    /// Creates a model from tiktoken's tables.
    #[staticmethod]
    pub(super) fn _of_ranks(
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
            py.detach(|| Model::from_ranks(pattern, ranks, specials).map(Self::of))
                .map_err(value_error)
        })
    }

    /// Returns the ids of a `str`; lone surrogates are replaced with U+FFFD.
    fn _encode_ordinary<'py>(&self, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let py = text.py();
            let utf8 = Text::of_str(text).or_else(|_| {
                let module = py.import("tokenizer_py.tiktoken.core")?;
                Text::of_str(
                    module
                        .call_method1("_replace_surrogates", (text,))?
                        .cast()?,
                )
            })?;
            let request = Request::new(&self.core, None);
            encoded(py, &request, &utf8, |ids| self.ints.list(py, ids))
        })
    }

    /// Returns the ids of a `str` as a list or an array. Returns `None` if a disallowed string is not a
    /// special token, or if a disallowed special token occurs; Python code then handles the text.
    #[pyo3(signature = (text, allowed, disallowed, as_array = false))]
    fn _encode_by_rules<'py>(
        &self,
        text: &Bound<'py, PyString>,
        allowed: &Bound<'py, PyAny>,
        disallowed: &Bound<'py, PyAny>,
        as_array: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(|| {
            let py = text.py();
            let Some((request, refused)) = self.by_rules(allowed, disallowed)? else {
                return Ok(None);
            };
            let make = |ids: &[TokenId]| match as_array {
                true => ids::array(py, ids.to_vec()).map(Bound::into_any),
                false => self.ints.list(py, ids).map(Bound::into_any),
            };
            let text = Text::of_str(text)?;
            if detached(py, text.len(), || request.finds(&refused, &text)) {
                return Ok(None);
            }
            encoded(py, &request, &text, make).map(Some)
        })
    }

    /// Like `_encode_by_rules`, for many texts.
    fn _encode_batch_by_rules<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<Bound<'py, PyString>>,
        threads: usize,
        allowed: &Bound<'py, PyAny>,
        disallowed: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        guard(|| {
            let Some((request, refused)) = self.by_rules(allowed, disallowed)? else {
                return Ok(None);
            };
            let texts: Vec<Text> = texts.iter().map(Text::of_str).collect::<PyResult<_>>()?;
            if py.detach(|| texts.iter().any(|text| request.finds(&refused, text))) {
                return Ok(None);
            }
            batches::lists(py, &texts, threads, &self.ints, &request).map(Some)
        })
    }

    /// Returns the ids of a text encoded as a single piece.
    fn _encode_single_piece<'py>(
        &self,
        py: Python<'py>,
        text_or_bytes: Text,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let piece = &*text_or_bytes;
            let ids = detached(py, piece.len(), || self.core.encode_single_piece(piece));
            let ids = ids.map_err(value_error)?;
            self.ints.list(py, &ids)
        })
    }

    /// Returns the text of ids.
    fn _decode<'py>(
        &self,
        py: Python<'py>,
        tokens: Ids,
        errors: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        guard(|| string(py, &self.decoded(py, &tokens, false)?, errors))
    }

    /// Returns the bytes of ids.
    fn _decode_bytes<'py>(&self, py: Python<'py>, tokens: Ids) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &self.decoded(py, &tokens, false)?)))
    }

    /// Returns the ids of a piece by merging its bytes by rank, even if the whole piece is a token.
    fn _merge_bytes<'py>(&self, py: Python<'py>, piece: Text) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let rule = MergeRule::ranks(self.model().vocab());
            let ids = detached(py, piece.len(), || rule.merge(&piece, |_| {}));
            let ids = ids.map_err(value_error)?;
            self.ints.list(py, &ids)
        })
    }

    /// Returns the bytes of the last piece of a text.
    fn _last_piece<'py>(&self, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| {
            let utf8 = Text::of_str(text)?;
            let mut last: &[u8] = &[];
            let pattern = self.model().pattern();
            let found = pattern.for_each_piece(&utf8, |piece| {
                last = piece;
                Ok::<_, EncodeError>(())
            });
            found.map_err(value_error)?;
            Ok(PyBytes::new(text.py(), last))
        })
    }
}

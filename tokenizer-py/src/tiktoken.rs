//! What `tokenizer_py.tiktoken.Encoding` is derived from: its short calls, whole, and what its other
//! methods stand on. Names, rules and exceptions are tiktoken's.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use numpy::PyArray1;
use pyo3::exceptions::{PyKeyError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use tokenizer_core::{EncodeError, Encoder, Model, SpecialSet, SpecialToken, TokenId};

use crate::aliases::Aliases;
use crate::batches::{self, Failure};
use crate::errors::{guard, value_error};
use crate::ids::{self, Ids};
use crate::lists::Ints;
use crate::memory;
use crate::rules::{Asked, Disallowed, Rules, or_repaired, refusal, repaired};
use crate::rustbpe::dropping_pattern;
use crate::specials::Specials;
use crate::text::{
    Argument, InPlace, decoded, detached, encode_in_place, encode_into, encoded, string, utf8,
};
use crate::unstable;

/// The methods of an encoding that do not need Python.
#[pyclass(frozen, subclass, module = "tokenizer_py._native")]
pub(crate) struct BaseEncoding {
    /// Set by `_build` or `_share`, once.
    tables: OnceLock<Arc<Tables>>,
}

/// What an encoding and its copies share.
struct Tables {
    encoder: Encoder,
    ints: Ints,
    specials: Specials,
    aliases: Aliases,
    /// Made when it is first asked for.
    sorted_tokens: OnceLock<Box<[TokenId]>>,
}

/// One of several texts, with the interpreter not needed.
struct Prepared {
    text: PyBackedStr,
    /// It had surrogates and was searched for disallowed texts with them.
    searched: bool,
}

impl AsRef<[u8]> for Prepared {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Tables {
    fn model(&self) -> &Model {
        self.encoder.model()
    }

    fn rules<'py>(
        &self,
        py: Python<'py>,
        allowed: Asked<'py>,
        disallowed: Asked<'py>,
    ) -> PyResult<Rules<'_, 'py>> {
        Rules::new(py, self.model(), &self.specials, allowed, disallowed)
    }

    fn encode_by_rules(
        &self,
        text: &[u8],
        allowed: Option<&SpecialSet>,
        disallowed: Option<&SpecialSet>,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> Result<(), EncodeError> {
        if let Some(disallowed) = disallowed {
            self.encoder.refuse_specials(text, disallowed)?;
        }
        let before = ids.len();
        encode_into(&self.encoder, text, allowed, ids, stop)?;
        if allowed.is_some() {
            self.aliases.resolve(&mut ids[before..]);
        }
        Ok(())
    }

    /// Raises `ValueError` when what is disallowed stands in a text.
    fn refuse(&self, text: &Bound<'_, PyString>, rules: &Rules<'_, '_>) -> PyResult<()> {
        let utf8 = text.to_str().ok();
        rules
            .disallowed
            .refuse_in_python(self.model(), text, utf8.is_some())?;
        match (utf8, rules.disallowed.set()) {
            (Some(utf8), Some(set)) => self
                .encoder
                .refuse_specials(utf8.as_bytes(), set)
                .map_err(|error| refusal(text.py(), error)),
            _ => Ok(()),
        }
    }

    /// Encodes one text; `make` makes of the ids what Python gets.
    fn encode<'py, T>(
        &self,
        text: &Bound<'py, PyString>,
        rules: Rules<'_, 'py>,
        make: impl FnOnce(&[TokenId]) -> PyResult<T>,
    ) -> PyResult<T> {
        let py = text.py();
        let (utf8, is_utf8) = or_repaired(utf8(text.as_borrowed()), text)?;
        if rules.problem.is_some() {
            self.refuse(text, &rules)?;
        }
        if let Some(problem) = rules.problem {
            return Err(problem);
        }
        rules
            .disallowed
            .refuse_in_python(self.model(), text, is_utf8)?;
        let disallowed = rules.disallowed.set().filter(|_| is_utf8);
        let allowed = rules.allowed.set();
        encoded(
            py,
            utf8.len(),
            |ids, stop| self.encode_by_rules(&utf8, allowed, disallowed, ids, stop),
            |error| refusal(py, error),
            make,
        )
    }

    /// Encodes many texts. Of several exceptions, that of the first text is raised.
    fn encode_batch<'py>(
        &self,
        texts: &Bound<'py, PyList>,
        threads: usize,
        rules: &Rules<'_, 'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = texts.py();
        let mut prepared = Vec::with_capacity(texts.len());
        let mut stopped = None;
        for text in texts {
            match self.prepare(text, &rules.disallowed) {
                Ok(text) => prepared.push(text),
                Err(error) => {
                    stopped = Some(error);
                    break;
                }
            }
        }
        let allowed = rules.allowed.set();
        let disallowed = rules.disallowed.set();
        let lists = batches::encode(
            py,
            &prepared,
            threads,
            &self.ints,
            |text, ids, stop| {
                let disallowed = disallowed.filter(|_| !text.searched);
                self.encode_by_rules(text.as_ref(), allowed, disallowed, ids, stop)
            },
            |Failure { text, error }| match error {
                EncodeError::SpecialNotAllowed { .. } => refusal(py, error),
                error => value_error(format_args!("text {text}: {error}")),
            },
        )?;
        stopped.map_or(Ok(lists), Err)
    }

    fn prepare(
        &self,
        text: Bound<'_, PyAny>,
        disallowed: &Disallowed<'_, '_>,
    ) -> PyResult<Prepared> {
        let text = text.cast_into::<PyString>()?;
        let without = repaired(&text)?;
        disallowed.refuse_in_python(self.model(), &text, without.is_none())?;
        Ok(Prepared {
            searched: without.is_some(),
            text: without.unwrap_or(text).try_into()?,
        })
    }
}

impl BaseEncoding {
    fn tables(&self) -> PyResult<&Tables> {
        match self.tables.get() {
            Some(tables) => Ok(tables),
            None => Err(PyRuntimeError::new_err("the encoding is not made yet")),
        }
    }

    fn set(&self, tables: Arc<Tables>) -> PyResult<()> {
        self.tables
            .set(tables)
            .map_err(|_| PyRuntimeError::new_err("an encoding is made once"))
    }

    fn decoded(&self, py: Python<'_>, ids: &[TokenId]) -> PyResult<Vec<u8>> {
        let tables = self.tables()?;
        let unknown =
            |id: TokenId| PyKeyError::new_err(format!("Invalid token for decoding: {id}"));
        let decode =
            |ids: &[TokenId]| decoded(py, tables.model(), ids)?.map_err(|error| unknown(error.id));
        match tables.aliases.find(ids) {
            None => decode(ids),
            Some(place) => decode(&ids[..place]).and_then(|_| Err(unknown(ids[place]))),
        }
    }
}

#[pymethods]
impl BaseEncoding {
    /// An encoding without tables. What is given is for `__init__`.
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        BaseEncoding {
            tables: OnceLock::new(),
        }
    }

    /// Makes the tables.
    fn _build(
        &self,
        py: Python<'_>,
        mergeable_ranks: &Bound<'_, PyDict>,
        special_tokens: &Bound<'_, PyDict>,
        pat_str: &str,
    ) -> PyResult<()> {
        guard(|| {
            let tokens: Vec<(Bound<'_, PyBytes>, TokenId)> = mergeable_ranks
                .iter()
                .map(|(token, rank)| Ok((token.cast_into::<PyBytes>()?, rank.extract()?)))
                .collect::<PyResult<_>>()?;
            let ranks: Vec<(&[u8], TokenId)> = tokens
                .iter()
                .map(|(token, rank)| (token.as_bytes(), *rank))
                .collect();
            let mut specials: Vec<SpecialToken> = special_tokens
                .iter()
                .map(|(text, id)| Ok(SpecialToken::new(text.extract::<&str>()?, id.extract()?)))
                .collect::<PyResult<_>>()?;
            let highest = ranks.iter().map(|&(_, rank)| rank).max().unwrap_or(0);
            let aliases = Aliases::separate(&mut specials, highest);
            let pattern = dropping_pattern(pat_str).map_err(value_error)?;
            let encoder =
                py.detach(|| Model::from_ranks(pattern, ranks, specials).map(Encoder::new));
            let encoder = encoder.map_err(value_error)?;
            self.set(Arc::new(Tables {
                ints: Ints::new(encoder.model().vocab().id_limit()),
                specials: Specials::of(encoder.model()),
                aliases,
                sorted_tokens: OnceLock::new(),
                encoder,
            }))
        })
    }

    /// Takes the tables of another, which never change.
    fn _share(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        match other.get().tables.get() {
            Some(tables) => self.set(tables.clone()),
            None => Ok(()),
        }
    }

    /// The ids of a text, in which the text of special tokens is text like any other.
    ///
    /// Args:
    ///     text: the text; lone surrogates become U+FFFD.
    ///
    /// Returns:
    ///     The ids, as a list of your own.
    ///
    /// Raises:
    ///     TypeError: not a ``str``.
    ///     ValueError: the regex gives up on the text; the message names the byte.
    ///
    /// >>> encoding.encode_ordinary("hello world")
    /// [31373, 995]
    fn encode_ordinary<'py>(&self, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let py = text.py();
            let tables = self.tables()?;
            let utf8 =
                match encode_in_place(text.as_borrowed(), &tables.encoder, None, &memory::room) {
                    Ok(InPlace::Ids(ids)) => return tables.ints.list(py, &ids),
                    Ok(InPlace::Text(utf8)) => Ok(utf8),
                    Err(error) => Err(error),
                };
            let (text, _) = or_repaired(utf8, text)?;
            encoded(
                py,
                text.len(),
                |ids, stop| encode_into(&tables.encoder, &text, None, ids, stop),
                value_error,
                |ids| tables.ints.list(py, ids),
            )
        })
    }

    /// The ids of a text.
    ///
    /// A text from outside should not be able to smuggle in special tokens. So their text raises an
    /// error, unless it is allowed (and becomes their id), or not disallowed (and is text).
    ///
    /// Args:
    ///     text: the text; lone surrogates become U+FFFD.
    ///     allowed_special: special tokens to recognise, or "all".
    ///     disallowed_special: texts that must not occur; "all" means all special tokens that are
    ///         not allowed, and ``()`` none.
    ///
    /// Returns:
    ///     The ids, as a list of your own.
    ///
    /// Raises:
    ///     TypeError: not a ``str``; ``allowed_special`` is no set.
    ///     ValueError: a disallowed text occurs, or the regex gives up on the text.
    ///
    /// >>> encoding.encode("<|endoftext|>", allowed_special="all")
    /// [50256]
    /// >>> encoding.encode("<|endoftext|>", disallowed_special=())
    /// [27, 91, 437, 1659, 5239, 91, 29]
    #[pyo3(
        signature = (text, *, allowed_special = Asked::Default, disallowed_special = Asked::Default),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode<'py>(
        &self,
        text: &Bound<'py, PyString>,
        allowed_special: Asked<'py>,
        disallowed_special: Asked<'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let py = text.py();
            let tables = self.tables()?;
            let rules = tables.rules(py, allowed_special, disallowed_special)?;
            tables.encode(text, rules, |ids| tables.ints.list(py, ids))
        })
    }

    /// As ``encode``, as an array.
    ///
    /// Returns:
    ///     The ids, uint32 of shape (ids,).
    ///
    /// Raises:
    ///     ImportError: numpy is not installed.
    ///     TypeError, ValueError: as ``encode``.
    ///
    /// >>> encoding.encode_to_numpy("hello world")
    /// array([31373,   995], dtype=uint32)
    #[pyo3(
        signature = (text, *, allowed_special = Asked::Default, disallowed_special = Asked::Default),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode_to_numpy<'py>(
        &self,
        text: &Bound<'py, PyString>,
        allowed_special: Asked<'py>,
        disallowed_special: Asked<'py>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        guard(|| {
            let py = text.py();
            let tables = self.tables()?;
            let rules = tables.rules(py, allowed_special, disallowed_special)?;
            tables.encode(text, rules, |ids| ids::array(py, ids.to_vec()))
        })
    }

    /// The ids of a text that stay whatever follows it, and the possible beginnings of what follows
    /// them.
    ///
    /// Args:
    ///     text: the text.
    ///     allowed_special: as in ``encode``.
    ///     disallowed_special: as in ``encode``.
    ///
    /// Returns:
    ///     The stable ids, whose text is a beginning of the text; and lists of ids, in no order, of
    ///     which each, behind the stable ids, covers the text or more.
    ///
    /// Raises:
    ///     UnicodeEncodeError: the text holds a lone surrogate.
    ///     TypeError, ValueError: as ``encode``.
    ///
    /// >>> encoding.encode_with_unstable("hello fanta")
    /// ([31373], [[277, 4910], [5113, 265], ...])
    #[pyo3(
        signature = (text, *, allowed_special = Asked::Default, disallowed_special = Asked::Default),
        text_signature = "($self, text, *, allowed_special=(), disallowed_special='all')"
    )]
    fn encode_with_unstable<'py>(
        &self,
        text: &Bound<'py, PyString>,
        allowed_special: Asked<'py>,
        disallowed_special: Asked<'py>,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        guard(|| {
            let py = text.py();
            let tables = self.tables()?;
            let rules = tables.rules(py, allowed_special, disallowed_special)?;
            tables.refuse(text, &rules)?;
            if let Some(problem) = rules.problem {
                return Err(problem);
            }
            let encoder = &tables.encoder;
            let sorted = tables
                .sorted_tokens
                .get_or_init(|| unstable::sorted_tokens(encoder));
            let text = text.to_str()?.as_bytes();
            let (mut stable, completions) =
                unstable::encode(py, encoder, sorted, text, rules.allowed.set())?;
            tables.aliases.resolve(&mut stable);
            let completions = completions
                .iter()
                .map(|ids| tables.ints.list(py, ids))
                .collect::<PyResult<Vec<_>>>()?;
            Ok((
                tables.ints.list(py, &stable)?,
                PyList::new(py, completions)?,
            ))
        })
    }

    fn _encode_ordinary_batch<'py>(
        &self,
        texts: &Bound<'py, PyList>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| self.tables()?.encode_batch(texts, threads, &Rules::none()))
    }

    fn _encode_batch<'py>(
        &self,
        texts: &Bound<'py, PyList>,
        threads: usize,
        allowed_special: Asked<'py>,
        disallowed_special: Asked<'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let tables = self.tables()?;
            let mut rules = tables.rules(texts.py(), allowed_special, disallowed_special)?;
            match rules.problem.take() {
                // The first text fails, if there is one.
                Some(problem) if !texts.is_empty() => {
                    let rules = Rules {
                        problem: Some(problem),
                        ..rules
                    };
                    let first = texts.get_item(0)?.cast_into::<PyString>()?;
                    tables.encode(&first, rules, |_| Ok(PyList::empty(texts.py())))
                }
                _ => tables.encode_batch(texts, threads, &rules),
            }
        })
    }

    /// The id of a text that is one token, ordinary or special.
    ///
    /// Raises:
    ///     KeyError: there is no such token.
    ///
    /// >>> encoding.encode_single_token("hello")
    /// 31373
    fn encode_single_token(
        &self,
        py: Python<'_>,
        text_or_bytes: Argument<'_>,
    ) -> PyResult<TokenId> {
        let token = &*text_or_bytes;
        let tables = self.tables()?;
        match tables.model().id(token) {
            Some(id) => Ok(tables.aliases.meaning(id)),
            None => Err(PyKeyError::new_err(PyBytes::new(py, token).unbind())),
        }
    }

    /// The ids of a text that is not split by the regex; special tokens are not recognised.
    ///
    /// >>> encoding._encode_single_piece("helloqqqq")
    /// [31373, 38227, 38227]
    fn _encode_single_piece<'py>(
        &self,
        py: Python<'py>,
        text_or_bytes: Argument<'_>,
    ) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let tables = self.tables()?;
            let piece = &*text_or_bytes;
            let ids = detached(py, piece.len(), || {
                tables.encoder.encode_single_piece(piece)
            });
            tables.ints.list(py, &ids)
        })
    }

    /// The ids of bytes that may end within a character: what is not UTF-8 goes with the last piece
    /// before it.
    ///
    /// >>> encoding._encode_bytes("hello 漢".encode()[:-1])
    /// [31373, 10545, 120]
    fn _encode_bytes<'py>(&self, text: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            let tables = self.tables()?;
            let bytes = text.as_bytes();
            let ids = detached(text.py(), bytes.len(), || {
                unstable::encode_bytes(&tables.encoder, bytes)
            });
            tables.ints.list(text.py(), &ids.map_err(value_error)?)
        })
    }

    /// The text of ids.
    ///
    /// Args:
    ///     tokens: the ids.
    ///     errors: what to do with bytes that are not UTF-8, as in ``bytes.decode``.
    ///
    /// Returns:
    ///     The text.
    ///
    /// Raises:
    ///     KeyError: there is no such id.
    ///     OverflowError: an id is negative or beyond 32 bits.
    ///     TypeError: an id is no integer.
    ///     UnicodeDecodeError: under ``errors="strict"``.
    ///
    /// >>> encoding.decode([31373, 995])
    /// 'hello world'
    #[pyo3(signature = (tokens, errors = "replace"))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        tokens: Ids,
        errors: &str,
    ) -> PyResult<Bound<'py, PyString>> {
        guard(|| string(py, &self.decoded(py, &tokens)?, errors))
    }

    /// The bytes of ids, which need not be UTF-8: a token may hold a part of a character.
    ///
    /// Raises:
    ///     KeyError, OverflowError, TypeError: as ``decode``.
    ///
    /// >>> encoding.decode_bytes([31373, 995])
    /// b'hello world'
    fn decode_bytes<'py>(&self, py: Python<'py>, tokens: Ids) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &self.decoded(py, &tokens)?)))
    }

    /// The bytes of one id, ordinary or special.
    ///
    /// Raises:
    ///     KeyError, OverflowError, TypeError: as ``decode``.
    ///
    /// >>> encoding.decode_single_token_bytes(31373)
    /// b'hello'
    fn decode_single_token_bytes<'py>(
        &self,
        py: Python<'py>,
        token: TokenId,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let tables = self.tables()?;
        match tables.model().token(token) {
            Some(bytes) if !tables.aliases.hold(token) => Ok(PyBytes::new(py, bytes)),
            _ => Err(PyKeyError::new_err(token.to_string())),
        }
    }
}

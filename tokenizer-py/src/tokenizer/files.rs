//! Reading and writing models.

use std::collections::HashMap;
use std::ffi::CString;
use std::path::PathBuf;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use tokenizer_core::corpus::{
    LoadError, LoadedModel, RankOptions, SaveError, is_hub_name, load_encoding, load_folder,
    load_hub, load_model_with_notes, save_model,
};
use tokenizer_core::format::native;
use tokenizer_core::{Pattern, SpecialToken, TokenId};

use super::Tokenizer;
use crate::errors::{file_error, guard, value_error};

#[pymethods]
impl Tokenizer {
    /// Reads a model from a file.
    ///
    /// The extension selects the format: `.bpe`, `.json` (Hugging Face's tokenizer.json, or GPT-2's
    /// vocab.json beside merges.txt) or `.tiktoken`. A tokenizer.json is read alone; a vocab.json
    /// together with tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json,
    /// as in `from_pretrained`.
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///     pattern (str | None): the pattern of a `.tiktoken` file: a name (gpt2, cl100k, o200k,
    ///         nanochat), or a regex. Text that the regex does not match becomes pieces too. Other
    ///         formats contain their pattern.
    ///     special_tokens (dict[str, int] | None): special tokens of a `.tiktoken` file with their ids.
    ///         The published files of r50k_base, p50k_base, cl100k_base and o200k_base are recognised:
    ///         they need no pattern, and have their own special tokens, of which those with the same
    ///         text or id as a given one are replaced.
    ///
    /// Raises:
    ///     OSError: the file cannot be read (FileNotFoundError, IsADirectoryError, ...).
    ///     ValueError: the model is invalid; the pattern is missing, invalid, or given for a format that
    ///         contains its own; so are special tokens.
    ///
    /// Warns:
    ///     UserWarning: no file names a tokenizer class, so vocab.json is assumed to be GPT-2's.
    ///
    ///     >>> tokenizer.save("model.bpe")
    ///     >>> Tokenizer.from_file("model.bpe")
    ///     <tokenizer_py.Tokenizer vocab_size=100258 pattern=cl100k, ranks, 1 special tokens>
    #[staticmethod]
    #[pyo3(signature = (path, pattern = None, *, special_tokens = None))]
    fn from_file(
        py: Python<'_>,
        path: PathBuf,
        pattern: Option<&str>,
        special_tokens: Option<HashMap<String, TokenId>>,
    ) -> PyResult<Self> {
        guard(|| {
            let pattern = pattern
                .map(str::parse::<Pattern>)
                .transpose()
                .map_err(value_error)?;
            let specials = special_tokens.into_iter().flatten();
            let specials = specials.map(|(content, id)| SpecialToken::new(content, id));
            let specials = specials.collect();
            let options = RankOptions { pattern, specials };
            let loaded = py.detach(|| load_model_with_notes(&path, options));
            Self::loaded(py, loaded)
        })
    }

    /// Reads one of tiktoken's encodings from tiktoken's cache.
    ///
    /// The cache is the folder `TIKTOKEN_CACHE_DIR`, else `DATA_GYM_CACHE_DIR`, else `data-gym-cache` in
    /// the folder for temporary files. Nothing is downloaded; `tokenizer_py.tiktoken.get_encoding`
    /// downloads into the same cache.
    ///
    /// Args:
    ///     name (str): gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base or o200k_harmony.
    ///         Of the two texts that o200k_harmony has for the id 200018, only `<|endofprompt|>` is a
    ///         special token.
    ///
    /// Raises:
    ///     OSError: the file cannot be read.
    ///     ValueError: the encoding is unknown, or its file is not in the cache or is damaged; the
    ///         message names the file and the command that fetches it.
    ///
    ///     >>> Tokenizer.from_encoding("cl100k_base").encode("hello world")
    ///     [15339, 1917]
    #[staticmethod]
    fn from_encoding(py: Python<'_>, name: &str) -> PyResult<Self> {
        guard(|| {
            let model = py.detach(|| load_encoding(name, RankOptions::default()));
            let model = model.map_err(|error| load_error(py, error))?;
            Ok(py.detach(|| Self::of(model)))
        })
    }

    /// Reads a model from the content of a `.bpe` file, as returned by `to_bytes`.
    ///
    /// Args:
    ///     data (bytes): the content.
    ///
    /// Raises:
    ///     ValueError: not a model, or corrupt or truncated.
    ///
    ///     >>> Tokenizer.from_bytes(tokenizer.to_bytes()).vocab_size == tokenizer.vocab_size
    ///     True
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        guard(|| {
            py.detach(|| native::read(data).map(Self::of))
                .map_err(value_error)
        })
    }

    /// Reads a model from a folder written by transformers or `save_pretrained`.
    ///
    /// Reads `tokenizer.json`, or GPT-2's `vocab.json` with `merges.txt`, and adds the tokens of
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`. The ids equal those
    /// of transformers' `AutoTokenizer.from_pretrained`.
    ///
    /// Args:
    ///     directory (str | os.PathLike): the local folder; or, if that does not exist, `OWNER/NAME`, a
    ///         model in Hugging Face's local cache. Nothing is downloaded.
    ///
    /// Raises:
    ///     OSError: a file is missing or cannot be read.
    ///     ValueError: the model cannot be represented exactly, its tokenizer class is not supported, or
    ///         it is not in the cache.
    ///
    /// Warns:
    ///     UserWarning: no file names a tokenizer class, so vocab.json is assumed to be GPT-2's.
    ///
    ///     >>> tokenizer.save_pretrained("folder")
    ///     >>> Tokenizer.from_pretrained("folder").encode("hello world")
    ///     [15339, 1917]
    #[staticmethod]
    fn from_pretrained(py: Python<'_>, directory: PathBuf) -> PyResult<Self> {
        guard(|| {
            let name = directory.to_str().filter(|name| is_hub_name(name));
            let loaded = py.detach(|| match name.filter(|_| !directory.exists()) {
                Some(name) => load_hub(name, RankOptions::default()),
                None => load_folder(&directory),
            });
            Self::loaded(py, loaded)
        })
    }

    /// Converts an encoding of `tokenizer_py.tiktoken` or of the package tiktoken.
    ///
    /// Args:
    ///     encoding (tiktoken.Encoding): the encoding.
    ///
    /// Returns:
    ///     Tokenizer: a model with the same ids. As in tiktoken, text that the pattern does not match
    ///         is dropped.
    ///
    /// Raises:
    ///     AttributeError, TypeError, OverflowError: not an encoding.
    ///     ValueError: inconsistent tables, or two special tokens share an id.
    ///
    ///     >>> Tokenizer.from_tiktoken(encoding).encode("hello world")
    ///     [31373, 995]
    #[staticmethod]
    fn from_tiktoken(py: Python<'_>, encoding: &Bound<'_, PyAny>) -> PyResult<Self> {
        guard(|| {
            let table = |name: &str| -> PyResult<Bound<'_, PyDict>> {
                Ok(encoding.getattr(name)?.cast_into()?)
            };
            let (ranks, specials) = (table("_mergeable_ranks")?, table("_special_tokens")?);
            let pattern = encoding.getattr("_pat_str")?.cast_into::<PyString>()?;
            Self::_of_ranks(py, &ranks, &specials, pattern.to_str()?)
        })
    }

    /// Writes the model to a file atomically. The extension selects the format: `.bpe` (complete),
    /// `.json` (tokenizer.json) or `.tiktoken` (ranks only).
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///
    /// Raises:
    ///     OSError: the file cannot be written.
    ///     ValueError: the format cannot represent this model, or the extension is unknown.
    ///
    ///     >>> tokenizer.save("model.bpe")
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        guard(|| {
            let saved = py.detach(|| save_model(self.model(), &path));
            saved.map_err(|error| match error {
                SaveError::File(error) => file_error(py, &error),
                error => value_error(error),
            })
        })
    }

    /// Returns the content of the model's `.bpe` file. Equal models give equal bytes.
    ///
    ///     >>> pathlib.Path("model.bpe").write_bytes(tokenizer.to_bytes()) > 0
    ///     True
    pub(super) fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &py.detach(|| native::write(self.model())))))
    }

    /// Writes a folder that `AutoTokenizer.from_pretrained` of transformers 4 and 5 loads:
    /// `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// Args:
    ///     directory (str | os.PathLike): the folder, created if missing.
    ///     config (dict | None): further entries of `tokenizer_config.json`, such as `chat_template`
    ///         and `model_max_length`. The entries bos_token, eos_token, unk_token, sep_token,
    ///         pad_token, cls_token and mask_token must be added tokens of the model.
    ///
    /// Raises:
    ///     OSError: a file cannot be written.
    ///     ValueError: tokenizer.json cannot represent this model, or one of these seven entries is not
    ///         an added token.
    ///     TypeError: one of these entries is not a `str`, or another cannot be represented as JSON.
    ///
    ///     >>> tokenizer.save_pretrained("folder", {"bos_token": "<|bos|>"})
    #[pyo3(signature = (directory, config = None))]
    fn save_pretrained(
        this: &Bound<'_, Self>,
        directory: PathBuf,
        config: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = this.py();
        let save = py.import("tokenizer_py._pretrained")?.getattr("save")?;
        save.call1((this, directory, config)).map(drop)
    }
}

impl Tokenizer {
    /// Wraps a loaded model and emits its notes as `UserWarning`s.
    fn loaded(py: Python<'_>, loaded: Result<LoadedModel, LoadError>) -> PyResult<Self> {
        let loaded = loaded.map_err(|error| load_error(py, error))?;
        for note in &loaded.notes {
            let note = CString::new(note.to_string()).map_err(value_error)?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &note, 1)?;
        }
        Ok(py.detach(|| Self::of(loaded.model)))
    }
}

fn load_error(py: Python<'_>, error: LoadError) -> PyErr {
    match error {
        LoadError::File(error) => file_error(py, &error),
        error => value_error(error),
    }
}

//! Models from files and to files.

use std::ffi::CString;
use std::path::PathBuf;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use tokenizer_core::Pattern;
use tokenizer_core::corpus::{
    LoadError, LoadedModel, SaveError, load_folder, load_model_with_notes, save_model,
};
use tokenizer_core::format::native;

use super::Tokenizer;
use crate::errors::{file_error, guard, value_error};

#[pymethods]
impl Tokenizer {
    /// Reads a model from a file, whose ending tells its format: `.bpe`, `.json` (Hugging Face's
    /// tokenizer.json, or GPT-2's vocab.json beside its merges.txt) or `.tiktoken`.
    ///
    /// A tokenizer.json is read by itself. Beside a vocab.json, tokenizer_config.json,
    /// special_tokens_map.json, added_tokens.json and config.json are read as `from_pretrained` does.
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///     pattern (str | None): how text is split; wanted for `.tiktoken`, refused for the others,
    ///         which hold their own. A name (gpt2, cl100k, o200k, nanochat) or a regex, whose gaps
    ///         are kept.
    ///
    /// Returns:
    ///     Tokenizer: the model.
    ///
    /// Raises:
    ///     OSError: the file cannot be read (FileNotFoundError, IsADirectoryError, ...).
    ///     ValueError: it holds no right model, or the pattern is none.
    ///
    /// Warns:
    ///     UserWarning: a vocab.json is taken for GPT-2's, since no file beside it names a class.
    ///
    ///     >>> tokenizer.save("model.bpe")
    ///     >>> Tokenizer.from_file("model.bpe")
    ///     <tokenizer_py.Tokenizer vocab_size=100258 pattern=cl100k, ranks, 1 special tokens>
    #[staticmethod]
    #[pyo3(signature = (path, pattern = None))]
    fn from_file(py: Python<'_>, path: PathBuf, pattern: Option<&str>) -> PyResult<Self> {
        guard(|| {
            let pattern = pattern
                .map(str::parse::<Pattern>)
                .transpose()
                .map_err(value_error)?;
            let loaded = py.detach(|| load_model_with_notes(&path, pattern));
            Self::loaded(py, loaded)
        })
    }

    /// The model that `to_bytes` wrote: the content of a `.bpe` file.
    ///
    /// Args:
    ///     data (bytes): the model.
    ///
    /// Raises:
    ///     ValueError: the bytes are no model, were changed or cut short.
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

    /// The model in a folder that transformers or `save_pretrained` wrote: its `tokenizer.json`, or
    /// GPT-2's `vocab.json` with `merges.txt`, and the added tokens that `tokenizer_config.json`,
    /// `special_tokens_map.json` and `added_tokens.json` name. The ids are those of transformers'
    /// `AutoTokenizer.from_pretrained`.
    ///
    /// Args:
    ///     directory (str | os.PathLike): the folder. Nothing is looked for elsewhere.
    ///
    /// Raises:
    ///     OSError: there is no such file, or it cannot be read.
    ///     ValueError: it holds no model that can be represented exactly, or its tokenizer class is
    ///         one that is not supported.
    ///
    /// Warns:
    ///     UserWarning: a vocab.json is taken for GPT-2's, since no file beside it names a class.
    ///
    ///     >>> tokenizer.save_pretrained("folder")
    ///     >>> Tokenizer.from_pretrained("folder").encode("hello world")
    ///     [15339, 1917]
    #[staticmethod]
    fn from_pretrained(py: Python<'_>, directory: PathBuf) -> PyResult<Self> {
        guard(|| {
            let loaded = py.detach(|| load_folder(&directory));
            Self::loaded(py, loaded)
        })
    }

    /// The model of an encoding: one of `tokenizer_py.tiktoken`, or of the package tiktoken.
    ///
    /// Args:
    ///     encoding (tiktoken.Encoding): the encoding.
    ///
    /// Returns:
    ///     Tokenizer: a model that gives the same ids. Its pattern leaves out what it does not
    ///         match, as that of the encoding does.
    ///
    /// Raises:
    ///     AttributeError, TypeError, OverflowError: it is no encoding.
    ///     ValueError: its tables contradict themselves, or two special tokens share an id.
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

    /// Writes the model to a file, whole or not at all. The ending tells the format: `.bpe`
    /// (everything), `.json` (tokenizer.json) or `.tiktoken` (bytes and ranks only).
    ///
    /// Args:
    ///     path (str | os.PathLike): the file.
    ///
    /// Raises:
    ///     OSError: the file cannot be written.
    ///     ValueError: the format cannot hold this model, or the ending tells no format.
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

    /// The model as bytes: the content of a `.bpe` file.
    ///
    /// Returns:
    ///     bytes: the same for the same model.
    ///
    ///     >>> pathlib.Path("model.bpe").write_bytes(tokenizer.to_bytes()) > 0
    ///     True
    pub(super) fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guard(|| Ok(PyBytes::new(py, &py.detach(|| native::write(self.model())))))
    }

    /// Writes the folder that transformers 4 and 5 load as `AutoTokenizer.from_pretrained(folder)`:
    /// `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// Args:
    ///     directory (str | os.PathLike): the folder; made if it is not there.
    ///     config (dict | None): more entries of `tokenizer_config.json`, such as `chat_template`
    ///         and `model_max_length`. The entries bos_token, eos_token, unk_token, sep_token,
    ///         pad_token, cls_token and mask_token must name special tokens of the model.
    ///
    /// Raises:
    ///     OSError: a file cannot be written.
    ///     ValueError: tokenizer.json cannot hold this model, or a special token is none.
    ///     TypeError: an entry cannot be written as JSON.
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
    /// The model that was read; what was assumed becomes a `UserWarning`.
    fn loaded(py: Python<'_>, loaded: Result<LoadedModel, LoadError>) -> PyResult<Self> {
        let loaded = loaded.map_err(|error| match error {
            LoadError::File(error) => file_error(py, &error),
            error => value_error(error),
        })?;
        for note in &loaded.notes {
            let note = CString::new(note.to_string()).map_err(value_error)?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &note, 1)?;
        }
        Ok(py.detach(|| Self::of(loaded.model)))
    }
}

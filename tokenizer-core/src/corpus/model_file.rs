//! Model files: the format is chosen by the extension.

use std::fmt;
#[cfg(feature = "huggingface")]
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::write_atomically;
use super::file::{FileError, read_file};
#[cfg(feature = "huggingface")]
use crate::format::huggingface;
use crate::format::{native, tiktoken};
use crate::model::Model;
use crate::pattern::Pattern;

/// The format of a model file, chosen by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelFormat {
    /// `.bpe`: the whole model, in this project's own format.
    Native,
    /// `.tiktoken`: token bytes and ranks.
    Tiktoken,
    /// `.json`: Hugging Face's `tokenizer.json`.
    HuggingFace,
}

impl ModelFormat {
    /// The format by extension; `None` for unknown extensions.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "bpe" => Some(ModelFormat::Native),
            "tiktoken" => Some(ModelFormat::Tiktoken),
            "json" => Some(ModelFormat::HuggingFace),
            _ => None,
        }
    }
}

/// An error while reading a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown model extension (expected .bpe, .json or .tiktoken)", .0.display())]
    UnknownFormat(PathBuf),
    /// No pattern was given for a `.tiktoken` file, which stores none.
    #[error("{}: a .tiktoken file stores no pattern: specify the pattern", .0.display())]
    PatternMissing(PathBuf),
    /// A pattern was given for a model that stores its own.
    #[error("{}: the model stores its own pattern: do not specify another", .0.display())]
    PatternGiven(PathBuf),
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Hugging Face support", .0.display())]
    NotBuilt(PathBuf),
    /// An invalid `.bpe` file.
    #[error("{}: {}", .0.display(), .1)]
    Native(PathBuf, native::NativeError),
    /// An invalid `.tiktoken` file.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, tiktoken::TiktokenError),
    /// An invalid or unsupported `tokenizer.json`.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, huggingface::HuggingFaceError),
}

/// An error while writing a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown model extension (expected .bpe, .json or .tiktoken)", .0.display())]
    UnknownFormat(PathBuf),
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Hugging Face support", .0.display())]
    NotBuilt(PathBuf),
    /// A model that `.tiktoken` cannot store.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, tiktoken::NotRanks),
    /// A model that a `tokenizer.json` cannot store.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, huggingface::HuggingFaceError),
}

/// A model and the assumptions made while reading it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadedModel {
    /// The model.
    pub model: Model,
    /// Assumptions to report to the user.
    pub notes: Vec<LoadNote>,
}

/// An assumption about something that the files leave open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadNote {
    /// This `vocab.json`, with its `merges.txt`, was read as GPT-2's tokenizer, because no file in the folder
    /// names a tokenizer class.
    AssumedGpt2(PathBuf),
}

impl fmt::Display for LoadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadNote::AssumedGpt2(path) => write!(
                f,
                "{}: read as GPT-2's tokenizer, since no tokenizer_config.json or config.json in \
                 its folder names another",
                path.display()
            ),
        }
    }
}

/// Reads a model from a folder in Hugging Face's layout, as transformers does: the `tokenizer.json`, or
/// else `vocab.json` with `merges.txt`; and the added tokens of `tokenizer_config.json`,
/// `special_tokens_map.json` and `added_tokens.json`.
///
/// # Errors
/// If a file cannot be read, is invalid or is unsupported; the error names the file.
#[cfg(feature = "huggingface")]
pub fn load_folder(directory: &Path) -> Result<LoadedModel, LoadError> {
    let [whole, vocab] = ["tokenizer.json", "vocab.json"].map(|name| directory.join(name));
    if !whole.exists() && vocab.exists() {
        return load_model_with_notes(&vocab, None);
    }
    let bytes = read_file(&whole)?;
    let model = huggingface::read_folder(&bytes, &companions(directory)?)
        .map_err(|error| LoadError::HuggingFace(whole, error))?;
    let notes = Vec::new();
    Ok(LoadedModel { model, notes })
}

/// Reads `vocab.json` and the `merges.txt` in the same folder.
#[cfg(feature = "huggingface")]
fn load_pair(path: &Path, vocab: &[u8]) -> Result<LoadedModel, LoadError> {
    let merges = read_file(&path.with_file_name("merges.txt"))?;
    let companions = companions(path.parent().unwrap_or(Path::new("")))?;
    let (model, assumed) = huggingface::read_gpt2_folder(vocab, &merges, &companions)
        .map_err(|error| LoadError::HuggingFace(path.to_owned(), error))?;
    let note = assumed.then(|| LoadNote::AssumedGpt2(path.to_owned()));
    Ok(LoadedModel {
        model,
        notes: note.into_iter().collect(),
    })
}

/// Reads the companion files that exist.
#[cfg(feature = "huggingface")]
fn companions(directory: &Path) -> Result<huggingface::Companions, LoadError> {
    let mut companions = huggingface::Companions::default();
    for (name, content) in companions.by_name() {
        match read_file(&directory.join(name)) {
            Ok(bytes) => *content = Some(bytes),
            Err(error) if error.error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(companions)
}

/// Reads the model at `path`. `pattern` is required for `.tiktoken` and refused for other formats.
///
/// GPT-2's `vocab.json` is read together with the other files of its folder, as `load_folder` does. A
/// `tokenizer.json` is read alone.
///
/// # Errors
/// If the file cannot be read or is invalid; the error names the file.
pub fn load_model(path: &Path, pattern: Option<Pattern>) -> Result<Model, LoadError> {
    load_model_with_notes(path, pattern).map(|loaded| loaded.model)
}

/// Like [`load_model`], but also returns the assumptions made while reading.
///
/// # Errors
/// Those of [`load_model`].
pub fn load_model_with_notes(
    path: &Path,
    pattern: Option<Pattern>,
) -> Result<LoadedModel, LoadError> {
    let owned = || path.to_owned();
    let format = ModelFormat::of_path(path).ok_or_else(|| LoadError::UnknownFormat(owned()))?;
    let bytes = read_file(path)?;
    if format != ModelFormat::Tiktoken && pattern.is_some() {
        return Err(LoadError::PatternGiven(owned()));
    }
    let model = match format {
        ModelFormat::Tiktoken => {
            let pattern = pattern.ok_or_else(|| LoadError::PatternMissing(owned()))?;
            let model = tiktoken::read(&bytes, pattern);
            model.map_err(|error| LoadError::Tiktoken(owned(), error))?
        }
        ModelFormat::Native => {
            native::read(&bytes).map_err(|error| LoadError::Native(owned(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace if huggingface::is_vocab(&bytes) => {
            return load_pair(path, &bytes);
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace => {
            huggingface::read(&bytes).map_err(|error| LoadError::HuggingFace(owned(), error))?
        }
        #[cfg(not(feature = "huggingface"))]
        ModelFormat::HuggingFace => return Err(LoadError::NotBuilt(owned())),
    };
    let notes = Vec::new();
    Ok(LoadedModel { model, notes })
}

/// Writes `model` to `path` atomically.
///
/// # Errors
/// If the file cannot be written or the format cannot store the model.
pub fn save_model(model: &Model, path: &Path) -> Result<(), SaveError> {
    let owned = || path.to_owned();
    let format = ModelFormat::of_path(path).ok_or_else(|| SaveError::UnknownFormat(owned()))?;
    let bytes = match format {
        ModelFormat::Native => native::write(model),
        ModelFormat::Tiktoken => {
            tiktoken::write(model).map_err(|error| SaveError::Tiktoken(owned(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace => {
            huggingface::write(model).map_err(|error| SaveError::HuggingFace(owned(), error))?
        }
        #[cfg(not(feature = "huggingface"))]
        ModelFormat::HuggingFace => return Err(SaveError::NotBuilt(owned())),
    };
    write_atomically(path, |file| {
        let written = file.write_all(&bytes);
        written.map_err(|error| SaveError::File(FileError::new(path, error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::PatternName;

    #[test]
    fn the_extension_selects_the_format_and_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern.clone(), Merges::default(), &[] as &[&str]).unwrap();
        for name in ["m.bpe", "m.tiktoken"] {
            save_model(&model, &at(name)).unwrap();
        }
        assert_eq!(load_model(&at("m.bpe"), None).unwrap(), model);
        assert!(load_model(&at("m.tiktoken"), Some(pattern.clone())).is_ok());
        let error = |name: &str, pattern| load_model(&at(name), pattern).unwrap_err();
        assert!(matches!(
            error("m.tiktoken", None),
            LoadError::PatternMissing(_)
        ));
        assert!(matches!(
            error("m.bpe", Some(pattern)),
            LoadError::PatternGiven(_)
        ));
        assert!(matches!(error("m.txt", None), LoadError::UnknownFormat(_)));
        assert!(matches!(error("none.bpe", None), LoadError::File(_)));
        std::fs::write(at("bad.bpe"), "text").unwrap();
        assert!(
            error("bad.bpe", None)
                .to_string()
                .contains("bad.bpe: not a .bpe model")
        );
        let error = save_model(&model, &at("m.txt")).unwrap_err();
        assert!(matches!(error, SaveError::UnknownFormat(_)));
    }
}

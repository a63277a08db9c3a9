//! A model by the name of its file.

use std::path::{Path, PathBuf};

use super::atomic::write_atomically;
use super::file::{FileError, read_file};
#[cfg(feature = "huggingface")]
use crate::format::huggingface;
use crate::format::{native, tiktoken};
use crate::model::Model;
use crate::split::Pattern;

/// How a model is written, which the ending of its file's name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelFormat {
    /// `.bpe`: everything, in this project's own form.
    Native,
    /// `.tiktoken`: bytes and ranks.
    Tiktoken,
    /// `.json`: Hugging Face's `tokenizer.json`.
    HuggingFace,
}

impl ModelFormat {
    /// The format that the name of a file tells; `None` for other endings.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "bpe" => Some(ModelFormat::Native),
            "tiktoken" => Some(ModelFormat::Tiktoken),
            "json" => Some(ModelFormat::HuggingFace),
            _ => None,
        }
    }
}

/// A model could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name does not tell the format.
    #[error("{}: a model's name ends in .bpe, .json or .tiktoken", .0.display())]
    UnknownFormat(PathBuf),
    /// A `.tiktoken` file without a pattern.
    #[error("{}: a .tiktoken file does not hold its pattern, so it must be given", .0.display())]
    PatternMissing(PathBuf),
    /// A pattern for a file that holds its own.
    #[error("{}: the model holds its own pattern; another cannot be given", .0.display())]
    PatternGiven(PathBuf),
    /// The crate was built without this format.
    #[error("{}: this program was built without the format", .0.display())]
    NotBuilt(PathBuf),
    /// Not a right `.bpe` file.
    #[error("{}: {}", .0.display(), .1)]
    Native(PathBuf, #[source] native::NativeError),
    /// Not a right `.tiktoken` file.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, #[source] tiktoken::TiktokenError),
    /// Not a `tokenizer.json` that is supported.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, #[source] huggingface::HuggingFaceError),
}

/// A model could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name does not tell the format.
    #[error("{}: a model's name ends in .bpe, .json or .tiktoken", .0.display())]
    UnknownFormat(PathBuf),
    /// The crate was built without this format.
    #[error("{}: this program was built without the format", .0.display())]
    NotBuilt(PathBuf),
    /// The model cannot be told by ranks.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, #[source] tiktoken::NotRanks),
    /// The model cannot be told in Hugging Face's words.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, #[source] huggingface::HuggingFaceError),
}

/// Reads the model at `path`. `pattern` is wanted for `.tiktoken` and refused elsewhere.
///
/// A `.json` file that is GPT-2's `vocab.json` is read with the `merges.txt` beside it.
///
/// # Errors
/// When the file cannot be read or holds no right model; the error names the file.
pub fn load_model(path: &Path, pattern: Option<Pattern>) -> Result<Model, LoadError> {
    let own = || path.to_owned();
    let format = ModelFormat::of_path(path).ok_or_else(|| LoadError::UnknownFormat(own()))?;
    let bytes = read_file(path)?;
    if format == ModelFormat::Tiktoken {
        let pattern = pattern.ok_or_else(|| LoadError::PatternMissing(own()))?;
        return tiktoken::read(&bytes, pattern).map_err(|error| LoadError::Tiktoken(own(), error));
    }
    if pattern.is_some() {
        return Err(LoadError::PatternGiven(own()));
    }
    if format == ModelFormat::Native {
        return native::read(&bytes).map_err(|error| LoadError::Native(own(), error));
    }
    #[cfg(feature = "huggingface")]
    {
        let model = if huggingface::is_vocab(&bytes) {
            let merges = read_file(&path.with_file_name("merges.txt"))?;
            huggingface::read_gpt2(&bytes, &merges)
        } else {
            huggingface::read(&bytes)
        };
        model.map_err(|error| LoadError::HuggingFace(own(), error))
    }
    #[cfg(not(feature = "huggingface"))]
    Err(LoadError::NotBuilt(own()))
}

/// Writes `model` to `path`, whole or not at all.
///
/// # Errors
/// When the file cannot be written, or the format cannot hold the model.
pub fn save_model(model: &Model, path: &Path) -> Result<(), SaveError> {
    let own = || path.to_owned();
    let format = ModelFormat::of_path(path).ok_or_else(|| SaveError::UnknownFormat(own()))?;
    let bytes = match format {
        ModelFormat::Native => native::write(model),
        ModelFormat::Tiktoken => {
            tiktoken::write(model).map_err(|error| SaveError::Tiktoken(own(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace => {
            huggingface::write(model).map_err(|error| SaveError::HuggingFace(own(), error))?
        }
        #[cfg(not(feature = "huggingface"))]
        ModelFormat::HuggingFace => return Err(SaveError::NotBuilt(own())),
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
    use crate::split::PatternName;

    #[test]
    fn the_name_tells_the_format_and_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::trained(pattern.clone(), Merges::default(), &[] as &[&str]).unwrap();
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

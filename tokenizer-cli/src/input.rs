//! The documents of a command: files and standard input.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{Content, FileBytes, FileError, read_file};
use tokenizer_core::normalize::Normalizer;

use crate::args::InvalidText;
use crate::error::{CommandError, UsageError};

/// Where bytes come from, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputName {
    Standard,
    File(PathBuf),
}

impl InputName {
    /// `-` is standard input; a file of that name is `./-`.
    pub(crate) fn new(path: &Path) -> Self {
        if path == Path::new("-") {
            InputName::Standard
        } else {
            InputName::File(path.to_owned())
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            InputName::Standard => None,
            InputName::File(path) => Some(path),
        }
    }

    /// All bytes, whatever they are.
    pub(crate) fn read(&self) -> Result<InputBytes, CommandError> {
        match self {
            InputName::Standard => {
                let mut bytes = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut bytes);
                read.map_err(|error| CommandError::Standard(self.clone(), error))?;
                Ok(InputBytes::Memory(bytes))
            }
            InputName::File(path) => Ok(InputBytes::File(read_file(path)?)),
        }
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputName::Standard => f.write_str("standard input"),
            InputName::File(path) => path.display().fmt(f),
        }
    }
}

/// What was read.
pub(crate) enum InputBytes {
    Memory(Vec<u8>),
    File(FileBytes),
}

impl InputBytes {
    /// The text as a model with this normaliser sees it.
    pub(crate) fn normalized(self, normalizer: Option<Normalizer>) -> Self {
        match normalizer.map(|normalizer| normalizer.apply(self.as_ref())) {
            Some(Cow::Owned(text)) => InputBytes::Memory(text),
            _ => self,
        }
    }
}

impl AsRef<[u8]> for InputBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            InputBytes::Memory(bytes) => bytes,
            InputBytes::File(bytes) => bytes,
        }
    }
}

/// The documents of a command, in the order in which they were typed.
pub(crate) struct Inputs {
    names: Vec<InputName>,
    invalid_text: InvalidText,
}

impl Inputs {
    /// Looks at every input without reading it whole, so that a slip in the last name shows before
    /// the first hour of work.
    pub(crate) fn open(paths: &[PathBuf], invalid_text: InvalidText) -> Result<Self, CommandError> {
        let names: Vec<InputName> = paths.iter().map(|path| InputName::new(path)).collect();
        let standard = names.iter().filter(|name| **name == InputName::Standard);
        if standard.count() > 1 {
            return Err(UsageError::StandardInputTwice.into());
        }
        for name in &names {
            if let Some(path) = name.path() {
                let head = head(path).map_err(|error| FileError::new(path, error))?;
                require_text(name, &head)?;
            }
        }
        Ok(Inputs {
            names,
            invalid_text,
        })
    }

    pub(crate) fn names(&self) -> &[InputName] {
        &self.names
    }

    /// The inputs that have a path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().filter_map(InputName::path)
    }

    /// The bytes of all inputs together, if they are files and say so.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        let length = |name: &InputName| {
            let metadata = fs::metadata(name.path()?).ok()?;
            metadata.is_file().then_some(metadata.len())
        };
        self.names.iter().map(length).sum()
    }

    /// Reads one document. Large files are mapped and cost no memory of their own.
    pub(crate) fn read(&self, name: &InputName) -> Result<InputBytes, CommandError> {
        let document = name.read()?;
        require_text(name, document.as_ref())?;
        if self.invalid_text == InvalidText::Strict
            && let Err(error) = std::str::from_utf8(document.as_ref())
        {
            return Err(CommandError::NotUtf8 {
                input: name.clone(),
                offset: error.valid_up_to(),
            });
        }
        Ok(document)
    }
}

/// The first bytes of a file; of a pipe or a device none, since they could be read only once.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut head = Vec::new();
    if metadata.is_file() {
        File::open(path)?
            .take(Content::HEAD as u64)
            .read_to_end(&mut head)?;
    }
    Ok(head)
}

/// Compressed bytes and tables must not be taken for text in silence.
fn require_text(name: &InputName, bytes: &[u8]) -> Result<(), CommandError> {
    let (what, decompress) = match Content::of(bytes, name.path()) {
        Content::Text => return Ok(()),
        Content::JsonLines => ("reading JSON lines", None),
        Content::Gzip => ("reading gzip", Some("gzip -dc")),
        Content::Zstd => ("reading Zstandard", Some("zstd -dc")),
        Content::Parquet => ("reading Parquet", None),
        _ => ("reading such a file", None),
    };
    let hint = match (decompress, name.path()) {
        (Some(decompress), Some(path)) => {
            format!(
                "decompress it on the way: {decompress} {} | tokenizer ... -",
                path.display()
            )
        }
        (Some(decompress), None) => format!("decompress it on the way with {decompress}"),
        (None, _) => "give its text as plain text".to_owned(),
    };
    Err(CommandError::Unsupported {
        input: name.clone(),
        what,
        hint,
    })
}

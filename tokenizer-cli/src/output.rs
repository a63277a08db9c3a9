//! Where the data of a command goes: a file, written whole or not at all, or standard output.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{FileError, write_atomically};

use crate::error::{CommandError, UsageError};
use crate::input::InputName;

#[derive(Clone, Debug)]
pub(crate) enum Output {
    Standard,
    File(PathBuf),
}

impl Output {
    /// Without a path, or with `-`, standard output.
    pub(crate) fn new(path: Option<&Path>) -> Self {
        match path {
            Some(path) if path != Path::new("-") => Output::File(path.to_owned()),
            _ => Output::Standard,
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Output::Standard => None,
            Output::File(path) => Some(path),
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Output::Standard) && io::stdout().is_terminal()
    }

    /// Fails before any work is done when a file cannot be made at its place, or would take the
    /// place of an input.
    pub(crate) fn check(&self, inputs: &[InputName]) -> Result<(), CommandError> {
        let Output::File(path) = self else {
            return Ok(());
        };
        check_place(path)?;
        // Devices may well be both.
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            let output = fs::canonicalize(path).ok();
            let mut inputs = inputs.iter().filter_map(InputName::path);
            if inputs.any(|input| fs::canonicalize(input).ok() == output) {
                return Err(UsageError::OutputIsInput(path.clone()).into());
            }
        }
        Ok(())
    }

    /// Calls `write` with the output, and makes sure that everything arrived.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&mut OutputWriter<'_>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        match self {
            Output::File(path) => write_atomically(path, |file| {
                write(&mut OutputWriter {
                    output: self,
                    writer: file,
                })
            }),
            Output::Standard => {
                let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                write(&mut OutputWriter {
                    output: self,
                    writer: &mut stdout,
                })?;
                stdout.flush().map_err(CommandError::StandardOutput)
            }
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Standard => f.write_str("standard output"),
            Output::File(path) => path.display().fmt(f),
        }
    }
}

/// A writer whose errors name the output.
pub(crate) struct OutputWriter<'o> {
    output: &'o Output,
    writer: &'o mut dyn Write,
}

impl OutputWriter<'_> {
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        self.writer
            .write_all(bytes)
            .map_err(|error| match self.output {
                Output::Standard => CommandError::StandardOutput(error),
                Output::File(path) => FileError::new(path, error).into(),
            })
    }
}

/// Whether a file can be at `path`: its folder exists, and it is none itself.
pub(crate) fn check_place(path: &Path) -> Result<(), FileError> {
    let fail = |path, kind: io::ErrorKind| Err(FileError::new(path, kind.into()));
    if path.is_dir() {
        return fail(path, io::ErrorKind::IsADirectory);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => fail(folder, io::ErrorKind::NotADirectory),
        Err(error) => Err(FileError::new(folder, error)),
    }
}

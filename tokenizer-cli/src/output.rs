//! Where the data of a command goes: a file, written whole or not at all, or standard output.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{FileError, write_atomically};

use crate::error::{CommandError, UsageError};

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
    /// place of one that is read.
    pub(crate) fn check<'p>(
        &self,
        read: impl IntoIterator<Item = &'p Path>,
    ) -> Result<(), CommandError> {
        if let Output::File(path) = self {
            check_place(path)?;
            check_not_read(path, read)?;
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

/// Whether writing to `path` leaves the files that are `read` as they are. Devices may well be both.
pub(crate) fn check_not_read<'p>(
    path: &Path,
    read: impl IntoIterator<Item = &'p Path>,
) -> Result<(), UsageError> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let same = |other: &Path| match (fs::canonicalize(path), fs::canonicalize(other)) {
        (Ok(path), Ok(other)) => path == other,
        _ => false,
    };
    if is_file && read.into_iter().any(same) {
        return Err(UsageError::OutputIsRead(path.to_owned()));
    }
    Ok(())
}

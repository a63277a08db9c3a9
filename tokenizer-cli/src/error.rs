//! Why a command failed: one line that names the file, a remedy, an exit code.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::Path;

use tokenizer_core::corpus::FileError;

pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

/// A command failed. Errors of the core are failures on the data, with their own message.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) message: String,
    /// Empty if no remedy is known.
    pub(crate) hint: String,
    /// 1: failed on the data; 2: wrong usage; 0: the reader of standard output went away.
    pub(crate) exit_code: u8,
}

impl CommandError {
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        CommandError { hint, ..self }
    }
}

impl<E: Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        failed(error)
    }
}

/// The data cannot be processed.
pub(crate) fn failed(message: impl Display) -> CommandError {
    CommandError {
        message: message.to_string(),
        hint: String::new(),
        exit_code: 1,
    }
}

/// The command does not make sense, whatever the files hold.
pub(crate) fn usage(message: impl Display) -> CommandError {
    CommandError {
        exit_code: 2,
        ..failed(message)
    }
}

pub(crate) fn ensure(holds: bool, error: impl FnOnce() -> CommandError) -> Result<()> {
    if holds { Ok(()) } else { Err(error()) }
}

/// The error of an operation on the file at `path`.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> CommandError {
    |error| FileError::new(path, error).into()
}

pub(crate) fn standard_output(error: io::Error) -> CommandError {
    CommandError {
        exit_code: u8::from(error.kind() != io::ErrorKind::BrokenPipe),
        ..failed(format!("standard output: {error}"))
    }
}

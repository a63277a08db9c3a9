//! Why a command failed: a message that names the file, a remedy, an exit code.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::Path;

use clap::builder::Styles;
use tokenizer_core::corpus::FileError;

use crate::progress::{print, shortened};
use crate::terminal::escape;

pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

/// The failure of a command. An error of `tokenizer_core` converts to one with exit code 1.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) message: String,
    /// A remedy; empty if none is known.
    hint: String,
    /// 1: the command failed; 2: wrong usage; 0: standard output was closed by its reader.
    pub(crate) exit_code: u8,
}

impl CommandError {
    /// Adds a remedy.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        CommandError { hint, ..self }
    }

    /// Prints the error in the style of clap's errors, in color on a terminal unless `NO_COLOR` or
    /// `TERM=dumb` is set. For wrong usage, the usage of `command` follows. With exit code 0, prints nothing.
    pub(crate) fn print(&self, command: &mut clap::Command) {
        if self.exit_code == 0 {
            return;
        }
        let styles = Styles::styled();
        let (error, tip) = (styles.get_error(), styles.get_valid());
        let mut text = format!("{error}error:{error:#} {}\n", escape(&self.message));
        if !self.hint.is_empty() {
            text += &format!("\n  {tip}tip:{tip:#} {}\n", escape(&self.hint));
        }
        if self.exit_code == 2 {
            let usage = command.render_usage();
            text += &format!(
                "\n{}\n\nFor more information, try '--help'.\n",
                usage.ansi()
            );
        }
        print(&text);
    }
}

impl<E: Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        failed(error)
    }
}

/// Returns an error with exit code 1: the arguments are valid, but the command failed.
pub(crate) fn failed(message: impl Display) -> CommandError {
    CommandError {
        message: message.to_string(),
        hint: String::new(),
        exit_code: 1,
    }
}

/// Returns an error with exit code 2: the arguments are wrong, whatever the data.
pub(crate) fn usage(message: impl Display) -> CommandError {
    CommandError {
        exit_code: 2,
        ..failed(message)
    }
}

pub(crate) fn ensure(condition: bool, error: impl FnOnce() -> CommandError) -> Result<()> {
    if condition { Ok(()) } else { Err(error()) }
}

/// Returns a function that converts an error of an operation on the file at `path`.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> CommandError {
    |error| FileError::new(path, error).into()
}

/// Converts an error while writing to standard output. A closed pipe is not a failure: exit code 0.
pub(crate) fn standard_output(error: io::Error) -> CommandError {
    CommandError {
        exit_code: u8::from(error.kind() != io::ErrorKind::BrokenPipe),
        ..failed(format!("standard output: {error}"))
    }
}

/// Lists the `candidates` with the smallest edit distances to `wanted`, at most five, quoted and separated by
/// commas.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 5;
    const MAX_CHARS: usize = 40;
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    if candidates.len() > SHOWN {
        candidates.sort_by_cached_key(|candidate| strsim::osa_distance(wanted, candidate));
        candidates.truncate(SHOWN);
    }
    let quoted = candidates
        .into_iter()
        .map(|candidate| format!("{:?}", shortened(candidate, MAX_CHARS)));
    quoted.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_candidates_come_first() {
        assert_eq!(nearest("x", ["long", "b"]), "\"long\", \"b\"");
        let reserved: Vec<String> = (0..300).map(|id| format!("<|reserved_{id}|>")).collect();
        let all = reserved.iter().map(String::as_str).chain(["<|endoftext|>"]);
        let hint = nearest("<|endoftxt|>", all);
        assert!(
            hint.starts_with("\"<|endoftext|>\", \"<|reserved_"),
            "{hint}"
        );
        assert_eq!(hint.matches(", ").count(), 4);
        assert!(nearest("x", [&*"y".repeat(1000)]).chars().count() < 50);
    }
}

//! The output of a command: a file, replaced atomically; a pipe or device; or standard output.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs;
use std::io::{self, BufWriter, IsTerminal, LineWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{NewFile, write_atomically};

use crate::error::{CommandError, Result, at, ensure, standard_output, usage};
use crate::progress::without_progress_line;

#[derive(Clone, Debug)]
pub(crate) struct Output(Option<PathBuf>);

impl Output {
    pub(crate) const STANDARD: Self = Output(None);

    /// `-` is standard output; a file of that name is `./-`.
    pub(crate) fn new(path: &Path) -> Self {
        Output((path != Path::new("-")).then(|| path.to_owned()))
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.path().is_none() && io::stdout().is_terminal()
    }

    /// Checks, before any work, that the output can be created and is none of the `inputs`.
    pub(crate) fn check<'p>(&self, inputs: impl IntoIterator<Item = &'p Path>) -> Result<()> {
        let Some(path) = self.path() else {
            return Ok(());
        };
        if path.is_dir() {
            return Err(at(path)(io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        if !fs::metadata(folder).map_err(at(folder))?.is_dir() {
            return Err(at(folder)(io::ErrorKind::NotADirectory.into()));
        }
        check_not_read(path, inputs)?;
        // Opening a pipe would wait for its reader.
        let is_special = fs::metadata(path).is_ok_and(|file| !file.is_file());
        if !is_special {
            // Creates the temporary file and removes it again.
            NewFile::create(path)?;
        }
        Ok(())
    }

    /// Calls `write` with a writer of the output, and then replaces the file or flushes standard output.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&mut OutputWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        let output = self;
        match self.path() {
            Some(path) => {
                write_atomically(path, |writer| write(&mut OutputWriter { output, writer }))
            }
            None => {
                let mut writer = stdout();
                write(&mut OutputWriter {
                    output,
                    writer: &mut writer,
                })?;
                writer.flush().map_err(standard_output)
            }
        }
    }

    /// Writes `bytes` as the whole output.
    pub(crate) fn write_all(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.write(|writer| writer.write_all(bytes.as_ref()))
    }

    /// Converts an I/O error of the output to a `CommandError` that names the output.
    pub(crate) fn fail(&self, error: io::Error) -> CommandError {
        match self.path() {
            None => standard_output(error),
            Some(path) => at(path)(error),
        }
    }
}

impl Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            None => f.write_str("standard output"),
            Some(path) => path.display().fmt(f),
        }
    }
}

/// Returns standard output, buffered. On a terminal it is written line by line, and the progress line is
/// cleared before each write.
pub(crate) fn stdout() -> Box<dyn Write> {
    match io::stdout().is_terminal() {
        true => Box::new(LineWriter::new(Terminal(io::stdout()))),
        false => Box::new(BufWriter::with_capacity(1 << 16, io::stdout().lock())),
    }
}

struct Terminal(Stdout);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        without_progress_line(bytes.ends_with(b"\n"), || {
            self.0.write_all(bytes)?;
            self.0.flush()?;
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A writer whose errors name the output.
pub(crate) struct OutputWriter<'o> {
    output: &'o Output,
    writer: &'o mut dyn Write,
}

impl OutputWriter<'_> {
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.writer.write_all(bytes);
        written.map_err(|error| self.output.fail(error))
    }

    /// Supports `write!`.
    pub(crate) fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> Result<()> {
        let written = self.writer.write_fmt(text);
        written.map_err(|error| self.output.fail(error))
    }
}

/// Checks that `path` is none of the `inputs`. A device may be both input and output.
pub(crate) fn check_not_read<'p>(
    path: &Path,
    inputs: impl IntoIterator<Item = &'p Path>,
) -> Result<()> {
    let is_input = path.is_file() && inputs.into_iter().any(|other| is_same_file(path, other));
    ensure(!is_input, || {
        let path = path.display();
        usage(format!("{path}: is both an input and an output"))
    })
}

/// Whether two paths lead to the same existing file.
pub(crate) fn is_same_file(path: &Path, other: &Path) -> bool {
    match (path.canonicalize(), other.canonicalize()) {
        (Ok(path), Ok(other)) => path == other,
        _ => false,
    }
}

/// Appends `end` to the file name of `path`.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Appends `-number` to the stem of the file name: `model-4096.bpe` for `model.bpe`.
pub(crate) fn numbered(path: &Path, number: impl Display) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{number}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_precede_the_extension() {
        let name = |path: &str, number: u64| numbered(Path::new(path), format!("{number:05}"));
        assert_eq!(name("a/ids.bin", 7), Path::new("a/ids-00007.bin"));
        assert_eq!(name("ids", 123_456), Path::new("ids-123456"));
    }
}

//! Names of inputs, and errors that begin with them.

use std::fmt;
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{DocumentError, Refused, Unit};

use crate::error::{CommandError, failed};

/// The name of an input in messages: a file or standard input.
#[derive(Clone, Debug)]
pub(crate) struct InputName(Option<PathBuf>);

impl InputName {
    pub(crate) const STANDARD: Self = InputName(None);

    /// `-` is standard input; a file of that name is `./-`.
    pub(crate) fn new(path: &Path) -> Self {
        InputName((path != Path::new("-")).then(|| path.to_owned()))
    }

    pub(crate) fn of_file(path: PathBuf) -> Self {
        InputName(Some(path))
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Returns the error for a fault in this input.
    pub(crate) fn fail(&self, fault: impl fmt::Display) -> CommandError {
        failed(format!("{self}: {fault}"))
    }

    /// Returns the error for a fault in a document of this input.
    pub(crate) fn fail_in(&self, unit: Unit, fault: impl fmt::Display) -> CommandError {
        match unit {
            Unit::Whole => self.fail(fault),
            unit => self.fail(format!("{unit}: {fault}")),
        }
    }

    pub(crate) fn document_error(&self, error: DocumentError) -> CommandError {
        let remedy = match &error {
            DocumentError::Json { .. } => "--text reads all of the input as text",
            DocumentError::Field { .. } => {
                "--field names the field that holds the text; --text reads all of the input as text"
            }
            DocumentError::Column(_) => "--column names the column that holds the text",
            DocumentError::Refused(Refused::UnnamedJsonLines | Refused::OtherJson) => {
                "--json-lines reads every line as a record, --text reads all of it as text"
            }
            DocumentError::Refused(Refused::JsonArray) => {
                "write its elements one per line, as `jq -c '.[]'` does, and read them with \
                 --json-lines; or read all of it as text with --text"
            }
            DocumentError::Refused(Refused::Compression(_)) => {
                "decompress it into a file, or into a pipe to standard input, which is INPUT `-`"
            }
            DocumentError::Refused(Refused::Container(_) | Refused::CompressedContainer { .. }) => {
                "extract its texts, and give them as files or on standard input"
            }
            DocumentError::Refused(Refused::Encoding(_)) => {
                "convert it to UTF-8, as `iconv -f UTF-16 -t UTF-8` does from UTF-16"
            }
            DocumentError::Refused(Refused::Ids) => "`tokenizer decode` turns ids into text",
            _ => "",
        };
        self.fail(error).hint(remedy)
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            None => f.write_str("standard input"),
            Some(path) => path.display().fmt(f),
        }
    }
}

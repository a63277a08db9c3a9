//! Temporary files for counts that do not fit in memory.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::count::TemporaryStore;

/// Creates unnamed temporary files in a folder. The system deletes them when they are closed, even if
/// the process is killed.
#[derive(Clone, Debug)]
pub struct TemporaryFiles {
    folder: PathBuf,
}

impl TemporaryFiles {
    /// Creates files in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        TemporaryFiles {
            folder: folder.into(),
        }
    }
}

impl Default for TemporaryFiles {
    /// Creates files in the system's temporary folder (`TMPDIR` on Unix).
    fn default() -> Self {
        Self::new(std::env::temp_dir())
    }
}

impl TemporaryStore for TemporaryFiles {
    type File = File;

    fn create(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| {
            let folder = self.folder.display();
            let message = format!("cannot create a temporary file in {folder}: {error}");
            io::Error::new(error.kind(), message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::PieceCounter;
    use crate::{CountOptions, Pattern, PatternName};

    #[test]
    fn files_are_unnamed_and_errors_name_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = TemporaryFiles::new(folder.path());
        let pattern = Pattern::named(PatternName::Gpt2);
        let options = CountOptions::default();
        let mut counter = PieceCounter::new(&pattern, &options, 0, &store);
        counter.count(["to be or", " not to be"]).unwrap();
        let mut pieces = counter.finish().unwrap();
        assert_eq!(pieces.next().unwrap(), Some((&b" be"[..], 2)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let store = TemporaryFiles::new(folder.path().join("missing"));
        let mut counter = PieceCounter::new(&pattern, &options, 0, &store);
        let error = counter.count(["a b"]).unwrap_err().to_string();
        assert!(error.contains("missing: "), "{error}");
    }
}

//! Temporary files, for counts that do not fit in memory.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::count::TemporaryStore;

/// Temporary files without names in one folder: they are gone when they are closed, also when the
/// program is killed.
#[derive(Clone, Debug)]
pub struct TemporaryFiles {
    folder: PathBuf,
}

impl TemporaryFiles {
    /// Files in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        TemporaryFiles {
            folder: folder.into(),
        }
    }
}

impl Default for TemporaryFiles {
    /// Files in the system's folder for them, which `TMPDIR` names on Unix.
    fn default() -> Self {
        Self::new(std::env::temp_dir())
    }
}

impl TemporaryStore for TemporaryFiles {
    type File = File;

    fn create(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| {
            let place = self.folder.display();
            io::Error::new(
                error.kind(),
                format!("no temporary file in {place}: {error}"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::PieceCounter;
    use crate::{CountOptions, Pattern, PatternName};

    #[test]
    fn files_have_no_names_and_a_missing_folder_is_named() {
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

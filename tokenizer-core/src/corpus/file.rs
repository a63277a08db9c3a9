//! Reading whole files, and the error that names a file.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
#[non_exhaustive]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The error.
    pub error: io::Error,
}

impl FileError {
    /// Adds the path to an error.
    #[must_use]
    pub fn new(path: &Path, error: io::Error) -> Self {
        FileError {
            path: path.to_owned(),
            error,
        }
    }
}

/// Reads the file at `path`. The file is not memory-mapped, since access to a mapped file that another
/// program has truncated would kill the process.
///
/// # Errors
/// If the file cannot be read or is a directory.
pub fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    let bytes = match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => std::fs::read(path),
    };
    bytes.map_err(|error| FileError::new(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = read_file(dir.path()).unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
        let error = read_file(&dir.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("nowhere: "), "{error}");
    }
}

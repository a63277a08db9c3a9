//! A file as bytes.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
#[non_exhaustive]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What went wrong.
    pub error: io::Error,
}

impl FileError {
    /// `error` on the file at `path`.
    pub fn new(path: &Path, error: io::Error) -> Self {
        FileError {
            path: path.to_owned(),
            error,
        }
    }
}

/// The bytes of the file at `path`, every one of them. Files are not mapped: where another program
/// cut one short, the next access would end the process.
///
/// # Errors
/// When the file cannot be read, or is a directory.
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

//! A file as bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
#[non_exhaustive]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What went wrong.
    #[source]
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

/// The content of a file, in memory or mapped.
pub struct FileBytes(Content);

enum Content {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map) => map,
            Content::Read(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> Self {
        FileBytes(Content::Read(bytes))
    }
}

impl std::ops::Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl std::fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileBytes({} bytes)", self.len())
    }
}

/// Files below this many bytes are read: mapping costs page faults that a copy does not.
const MAP_FROM: u64 = 1 << 20;

/// The bytes of the file at `path`, every one of them. Large regular files are mapped: another
/// program must not change them, least of all cut them short, while they are in use. Pipes and devices are read to their end.
///
/// # Errors
/// When the file cannot be read, or is a directory.
pub fn read_file(path: &Path) -> Result<FileBytes, FileError> {
    let fail = |error| FileError::new(path, error);
    let mut file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() && metadata.len() >= MAP_FROM {
        return map(&file).map(Content::Mapped).map(FileBytes).map_err(fail);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(fail)?;
    Ok(FileBytes(Content::Read(bytes)))
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is only read. That nobody changes the file meanwhile is asked of the user, as
    // every program that maps files asks: `read_file` says so. A file that is cut short all the
    // same ends the process with a bus error.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_mapped_files_give_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for size in [0, 1, MAP_FROM as usize + 1] {
            let path = dir.path().join("bytes");
            let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read_file(&path).unwrap().as_ref(), bytes);
        }
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = read_file(dir.path()).unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
        let error = read_file(&dir.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("nowhere: "), "{error}");
    }
}

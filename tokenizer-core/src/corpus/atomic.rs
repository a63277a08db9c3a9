//! Atomic writes: a temporary file is renamed once it is complete.
//!
//! A global registry lists the temporary files in use, so that a program can remove them when a signal
//! terminates it ([`stop_writing`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

use super::file::FileError;

/// The temporary files in use. Files are created and renamed while this lock is held.
static TEMPORARY_FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporary_files() -> MutexGuard<'static, Vec<PathBuf>> {
    // A panic cannot leave the list inconsistent.
    TEMPORARY_FILES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of all unfinished writes. Afterwards, creating, completing or dropping a
/// [`NewFile`] that has a temporary file blocks forever.
///
/// Call this right before the process exits. Since it takes a lock, call it from an ordinary thread,
/// never in a signal handler.
pub fn stop_writing() {
    let mut files = temporary_files();
    for path in files.drain(..) {
        // If one cannot be removed, the others still are.
        let _ = fs::remove_file(path);
    }
    // Never releases the lock, so that no other thread creates or renames a file.
    std::mem::forget(files);
}

/// A temporary file. Dropping it removes the file.
#[derive(Debug)]
struct Temporary {
    path: TempPath,
    target: PathBuf,
    // Declared after `path`, so that the file is removed before its entry is.
    _registration: Registration,
}

/// An entry of [`TEMPORARY_FILES`].
#[derive(Debug)]
struct Registration(PathBuf);

impl Drop for Registration {
    fn drop(&mut self) {
        temporary_files().retain(|path| *path != self.0);
    }
}

/// A file that replaces `path` atomically.
///
/// It is written as a temporary file in the same folder and renamed by [`NewFile::complete`]. If it is
/// dropped without that, or the process is killed, `path` is unchanged. A process that is killed without
/// calling [`stop_writing`] may leave the temporary file, named `.tmp...`, on disk.
///
/// Symbolic links are followed. The new file gets the permissions of the file it replaces, but not its
/// owner or hard links. Pipes and devices are written directly. The file is not synced to disk, so a
/// power failure may lose it.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    writer: BufWriter<File>,
    /// `None` for pipes and devices. Declared after `writer`, so that the file is closed first.
    temporary: Option<Temporary>,
}

impl NewFile {
    /// Creates the temporary file, or opens the pipe or device.
    ///
    /// # Errors
    /// If it cannot be created or opened, or `path` is a directory.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let (file, temporary) = begin(path).map_err(|error| FileError::new(path, error))?;
        Ok(NewFile {
            path: path.to_owned(),
            writer: BufWriter::with_capacity(1 << 16, file),
            temporary,
        })
    }

    /// Whether [`NewFile::write_head`] can be called: pipes and devices cannot seek.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.temporary.is_some()
    }

    /// Overwrites the first `head.len()` bytes, all of which must have been written before. The next write
    /// appends to the end again.
    ///
    /// # Errors
    /// If the file cannot be written, or is a pipe or device.
    pub fn write_head(&mut self, head: &[u8]) -> Result<(), FileError> {
        let writer = &mut self.writer;
        let written = match self.temporary {
            Some(_) => (writer.seek(SeekFrom::Start(0)))
                .and_then(|_| writer.write_all(head))
                .and_then(|()| writer.seek(SeekFrom::End(0))),
            None => Err(io::ErrorKind::NotSeekable.into()),
        };
        written.map_err(|error| FileError::new(&self.path, error))?;
        Ok(())
    }

    /// Flushes the file and renames it to its path.
    ///
    /// # Errors
    /// If either fails.
    pub fn complete(mut self) -> Result<(), FileError> {
        let completed = self.writer.flush().and_then(|()| match self.temporary {
            Some(Temporary { path, target, .. }) => {
                let _lock = temporary_files();
                path.persist(target).map_err(|error| error.error)
            }
            None => Ok(()),
        });
        completed.map_err(|error| FileError::new(&self.path, error))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Creates a temporary file for `path`, or opens `path` if it is a pipe or device.
fn begin(path: &Path) -> io::Result<(File, Option<Temporary>)> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(metadata) if !metadata.is_file() => {
            return Ok((OpenOptions::new().write(true).open(path)?, None));
        }
        _ => {}
    }
    let target = fs::canonicalize(path).or_else(|_| broken_link_target(path))?;
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // tempfile's own error names the temporary file. Keeps the system's error, to which callers add `path`.
    let mut failure = None;
    let mut create = |path: &Path| {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.map_err(|error| {
            let kind = error.kind();
            failure = Some(error);
            io::Error::from(kind)
        })
    };
    let mut files = temporary_files();
    let made = (tempfile::Builder::new().prefix(".tmp")).make_in(folder, &mut create);
    let (file, path) = made.map_err(|error| failure.unwrap_or(error))?.into_parts();
    files.push(path.to_path_buf());
    drop(files);
    let temporary = Temporary {
        _registration: Registration(path.to_path_buf()),
        path,
        target,
    };
    if let Ok(existing) = fs::metadata(&temporary.target) {
        file.set_permissions(existing.permissions())?;
    }
    Ok((file, Some(temporary)))
}

/// Calls `write` with a [`NewFile`] at `path` and completes it. On failure, `path` is unchanged.
///
/// # Errors
/// The error of `write`, or an error of the file, which names `path`.
pub fn write_atomically<E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = NewFile::create(path)?;
    write(&mut file)?;
    Ok(file.complete()?)
}

/// The target of a broken link, or `path` itself if it is not a link.
fn broken_link_target(path: &Path) -> io::Result<PathBuf> {
    // Follows at most 40 links, as Linux does.
    let mut target = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_text(path: &Path, text: &str) -> Result<(), FileError> {
        write_atomically(path, |file| {
            file.write_all(text.as_bytes())
                .map_err(|error| FileError::new(path, error))
        })
    }

    #[test]
    fn failures_leave_the_file_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_text(&path, "old").unwrap();
        let failed: Result<(), FileError> = write_atomically(&path, |file| {
            file.write_all(b"half").unwrap();
            Err(FileError::new(&path, io::ErrorKind::Other.into()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
        write_text(&path, "new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn heads_are_overwritten_and_incomplete_files_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let begun = || {
            let mut file = NewFile::create(&path).unwrap();
            assert!(file.has_head());
            file.write_all(b"....text").unwrap();
            file.write_head(b"head").unwrap();
            file.write_all(b" more").unwrap();
            file
        };
        drop(begun());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        begun().complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"headtext more");
    }

    #[test]
    fn folders_and_missing_folders_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_text(dir.path(), "").is_err());
        let path = dir.path().join("no/where");
        let error = write_text(&path, "").unwrap_err().to_string();
        // The output is named, not the temporary file.
        let cause = error.strip_prefix(&format!("{}: ", path.display()));
        let cause = cause.unwrap_or_else(|| panic!("{error}"));
        assert!(
            !cause.contains(".tmp") && cause.ends_with("(os error 2)"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        write_text(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_text(&link, "new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        fs::remove_file(&file).unwrap();
        write_text(&link, "made").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"made");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        write_text(&link, "kept").unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::remove_file(&file).unwrap();
        write_text(&link, "new").unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&plain));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let error = write_text(Path::new("/dev/full"), "text").unwrap_err();
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
    }
}

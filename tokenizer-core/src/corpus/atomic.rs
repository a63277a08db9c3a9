//! A file that is written whole or not at all.
//!
//! The temporary files of writes under way are kept in a list, so that a program which a signal ends
//! can remove them ([`stop_writing`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

use super::file::FileError;

/// Temporary files of writes under way. One is made, and gets its final name, under this lock.
static UNDER_WAY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn under_way() -> MutexGuard<'static, Vec<PathBuf>> {
    // The list is never left half changed.
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of every [`write_atomically`] under way; from then on no call of it
/// goes on. For a program that ends right after, from another thread (not from within a handler of
/// signals, since it waits for a lock).
pub fn stop_writing() {
    let mut under_way = under_way();
    for path in under_way.drain(..) {
        // One that cannot be removed is no reason to leave the others.
        let _ = fs::remove_file(path);
    }
    // Never given back: whoever wants to make or to rename a file waits for the end.
    std::mem::forget(under_way);
}

/// The path of a temporary file, which is in the list as long as this lives.
#[derive(Debug)]
struct Temporary {
    path: TempPath,
    target: PathBuf,
    // Dropped after the path, which removes the file.
    _listed: Listed,
}

#[derive(Debug)]
struct Listed(PathBuf);

impl Drop for Listed {
    fn drop(&mut self) {
        under_way().retain(|path| *path != self.0);
    }
}

/// A file under way: written beside `path`, under whose name it stands once it is
/// [complete](NewFile::complete). When it is dropped before, or the program is killed, `path` is as
/// it was; a program that is killed without a chance to call [`stop_writing`] may leave the temporary
/// file, named `.tmp…`, behind.
///
/// A symbolic link is followed, and a file that is replaced keeps its rights (not its owner, nor
/// other hard links to it). A pipe or a device is written to directly. Nothing is flushed to the
/// disk: a power failure right after may still lose the file.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    writer: BufWriter<File>,
    /// `None` for pipes and devices. Dropped after the file.
    temporary: Option<Temporary>,
}

impl NewFile {
    /// Begins the file at `path`.
    ///
    /// # Errors
    /// When it cannot be made there.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let (file, temporary) = begin(path).map_err(|error| FileError::new(path, error))?;
        Ok(NewFile {
            path: path.to_owned(),
            writer: BufWriter::with_capacity(1 << 16, file),
            temporary,
        })
    }

    /// Whether [`NewFile::write_head`] can be called: pipes and devices are not gone back in.
    pub fn has_head(&self) -> bool {
        self.temporary.is_some()
    }

    /// Writes over the first bytes, of which there must be as many.
    ///
    /// # Errors
    /// When that fails, as on a pipe.
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

    /// Gives the file its name.
    ///
    /// # Errors
    /// When what is left cannot be written, or the name cannot be given.
    pub fn complete(mut self) -> Result<(), FileError> {
        let completed = self.writer.flush().and_then(|()| match self.temporary {
            Some(Temporary { path, target, .. }) => {
                let _held = under_way();
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

/// Opens what is written to: a temporary file, or a pipe or a device itself.
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
    let target = fs::canonicalize(path).or_else(|_| where_link_points(path))?;
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    // tempfile's own error names the temporary file; callers report the output instead.
    let mut failure = None;
    let mut create = |path: &Path| {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.map_err(|error| {
            let kind = error.kind();
            failure = Some(error);
            io::Error::from(kind)
        })
    };
    let mut under_way = under_way();
    let made = (tempfile::Builder::new().prefix(".tmp")).make_in(folder, &mut create);
    let (file, path) = made.map_err(|error| failure.unwrap_or(error))?.into_parts();
    under_way.push(path.to_path_buf());
    drop(under_way);
    let temporary = Temporary {
        _listed: Listed(path.to_path_buf()),
        path,
        target,
    };
    if let Ok(existing) = fs::metadata(&temporary.target) {
        file.set_permissions(existing.permissions())?;
    }
    Ok((file, Some(temporary)))
}

/// Calls `write` with a [`NewFile`] at `path`, and completes it. When anything fails, `path` is as it
/// was before.
///
/// # Errors
/// What `write` returns, or why the file cannot be written, with `path`.
pub fn write_atomically<E: From<FileError>>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = NewFile::create(path)?;
    write(&mut file)?;
    Ok(file.complete()?)
}

/// Where a link that leads nowhere points, or the path itself if it is no link.
fn where_link_points(path: &Path) -> io::Result<PathBuf> {
    // As many links in a row as Linux follows.
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
    fn a_failure_leaves_what_was_there() {
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
            "nothing else is left"
        );
        write_text(&path, "new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_head_is_written_last_and_what_is_not_complete_leaves_nothing() {
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
    fn folders_are_refused_and_missing_ones_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_text(dir.path(), "").is_err());
        let path = dir.path().join("no/where");
        let error = write_text(&path, "").unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{}: ", path.display())),
            "{error}"
        );
        assert!(
            !error.contains(".tmp") && error.ends_with("(os error 2)"),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_new_files_have_the_usual_rights() {
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

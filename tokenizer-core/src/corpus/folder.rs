//! The files of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::FileError;

/// All regular files in the folder at `path` and in the folders below it, in the order of their
/// paths, name by name. Links to files are followed, links to folders are not, so that no file comes
/// up for ever. Left out is what is hidden (a name that begins with a dot), and what is no file:
/// pipes, devices, links that lead nowhere.
///
/// # Errors
/// When a folder cannot be read.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    add_files(path, &mut files)?;
    Ok(files)
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let fail = |error| FileError::new(folder, error);
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(fail)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(fail)?.is_dir() {
            add_files(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_sorted_and_without_what_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b", "a/z", "a/c/x", ".git", "empty"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "b/1", "a/z/2", "a/c/x/3", "a.txt", ".git/4", ".hidden", "b/.5",
        ] {
            fs::write(at(name), "").unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("a"), at("b/round")).unwrap();
            std::os::unix::fs::symlink(at("a.txt"), at("b/link")).unwrap();
            std::os::unix::fs::symlink(at("nowhere"), at("b/lost")).unwrap();
        }
        let mut wanted = vec!["a/c/x/3", "a/z/2", "a.txt", "b/1"];
        if cfg!(unix) {
            wanted.push("b/link");
        }
        let wanted: Vec<PathBuf> = wanted.into_iter().map(at).collect();
        assert_eq!(files_below(folder.path()).unwrap(), wanted);
        assert!(files_below(&at("nowhere")).is_err());
    }
}

//! Lists the files of a folder, and filters them by globs.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::FileError;

/// Lists all files in a folder and its subfolders, sorted by path, component by component.
///
/// Links to files are followed; links to folders are not, since they may form cycles. Hidden files and
/// folders (with a leading dot), pipes and devices are omitted. A broken link is listed, so that
/// opening it reports the error.
///
/// # Errors
/// If a folder cannot be read.
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
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {}
            _ => files.push(path),
        }
    }
    Ok(())
}

/// A filter for the files of a folder: include globs and exclude globs.
///
/// A glob without `/` matches the name of a file; any other matches its path relative to the folder.
/// `*` and `?` do not match `/`; `**` matches any number of folders. `[ab]` and `{a,b}` match either
/// `a` or `b`, and `\` escapes the next character. A leading `/` stands for the folder: `/a.txt` matches
/// only the file `a.txt` directly in it.
///
/// ```
/// use std::path::Path;
/// use tokenizer_core::corpus::Globs;
///
/// let globs = Globs::new(["*.txt", "/data/*.jsonl"], ["old/**"])?;
/// assert!(globs.matches(Path::new("a/b.txt")));
/// assert!(globs.matches(Path::new("data/b.jsonl")));
/// assert!(!globs.matches(Path::new("data/new/b.jsonl")));
/// assert!(!globs.matches(Path::new("old/b.txt")));
/// # Ok::<(), tokenizer_core::corpus::GlobError>(())
/// ```
#[cfg(feature = "documents")]
#[derive(Clone, Debug, Default)]
pub struct Globs {
    include: Option<GlobList>,
    exclude: GlobList,
}

/// An invalid glob.
#[cfg(feature = "documents")]
#[derive(Debug, thiserror::Error)]
#[error("invalid glob {glob:?}: {message}")]
pub struct GlobError {
    glob: String,
    message: String,
}

#[cfg(feature = "documents")]
#[derive(Clone, Debug, Default)]
struct GlobList {
    /// Globs without `/`.
    names: globset::GlobSet,
    /// Globs with `/`.
    paths: globset::GlobSet,
}

#[cfg(feature = "documents")]
impl Globs {
    /// Selects files that match any of `include` (all files, if it is empty) and none of `exclude`.
    ///
    /// # Errors
    /// If a glob is invalid.
    pub fn new<G: AsRef<str>>(
        include: impl IntoIterator<Item = G>,
        exclude: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, GlobError> {
        let mut include = include.into_iter().peekable();
        Ok(Globs {
            include: match include.peek() {
                Some(_) => Some(GlobList::new(include)?),
                None => None,
            },
            exclude: GlobList::new(exclude)?,
        })
    }

    /// Whether there are no globs, so that every file is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.names.is_empty() && self.exclude.paths.is_empty()
    }

    /// Whether the file at `path`, relative to the folder, is selected.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let include = self.include.as_ref();
        include.is_none_or(|list| list.matches(path)) && !self.exclude.matches(path)
    }

    /// Lists the selected files of a folder and its subfolders: see [`files_below`].
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn files_below(&self, path: &Path) -> Result<Vec<PathBuf>, FileError> {
        let mut files = files_below(path)?;
        files.retain(|file| self.matches(file.strip_prefix(path).unwrap_or(file)));
        Ok(files)
    }
}

#[cfg(feature = "documents")]
impl GlobList {
    fn new(globs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, GlobError> {
        let mut names = globset::GlobSetBuilder::new();
        let mut paths = globset::GlobSetBuilder::new();
        for glob in globs {
            let glob = glob.as_ref();
            let fail = |error: globset::Error| GlobError {
                glob: glob.to_owned(),
                message: error.kind().to_string(),
            };
            let relative = glob.strip_prefix('/').unwrap_or(glob);
            let built = globset::GlobBuilder::new(relative)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(fail)?;
            match glob.contains('/') {
                true => paths.add(built),
                false => names.add(built),
            };
        }
        let build = |set: globset::GlobSetBuilder| {
            set.build().map_err(|error| GlobError {
                glob: error.glob().unwrap_or_default().to_owned(),
                message: error.kind().to_string(),
            })
        };
        Ok(GlobList {
            names: build(names)?,
            paths: build(paths)?,
        })
    }

    fn matches(&self, path: &Path) -> bool {
        let name = path.file_name();
        name.is_some_and(|name| self.names.is_match(name)) || self.paths.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "documents")]
    #[test]
    fn globs_match_names_or_paths() {
        let matches = |include: &[&str], exclude: &[&str], path: &str| {
            let globs = Globs::new(include, exclude).unwrap();
            globs.matches(Path::new(path))
        };
        for (glob, path, is_match) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a/b/c.txt", true),
            ("*.txt", "a.TXT", false),
            ("*.txt", "txt", false),
            ("b*", "b/c.txt", false),
            ("a/*.txt", "a/b.txt", true),
            ("a/*.txt", "a/b/c.txt", false),
            ("a/*.txt", "x/a/b.txt", false),
            ("/a.txt", "a.txt", true),
            ("/a.txt", "b/a.txt", false),
            ("**/x/*", "x/1", true),
            ("**/x/*", "a/b/x/1", true),
            ("**/x/*", "a/b/x/1/2", false),
            ("x/**", "x/1/2", true),
            ("x/?", "x/1", true),
            ("x?1", "x/1", false),
            ("*.{jsonl,txt}", "a.jsonl", true),
            ("[ab].txt", "b.txt", true),
            ("[!ab].txt", "b.txt", false),
            ("\\*.txt", "a.txt", false),
            ("\\*.txt", "*.txt", true),
        ] {
            assert_eq!(matches(&[glob], &[], path), is_match, "{glob} {path}");
            assert_eq!(matches(&[], &[glob], path), !is_match, "{glob} {path}");
            assert!(!matches(&[glob], &["*"], path));
        }
        assert!(matches(&[], &[], "a"));
        assert!(matches(&["a", "b"], &["c"], "b"));
        let error = Globs::new(["a", "[b"], ["c"]).unwrap_err().to_string();
        assert!(error.contains("invalid glob \"[b\": "), "{error}");
    }

    #[test]
    fn files_are_sorted_and_hidden_ones_omitted() {
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
            wanted.extend(["b/link", "b/lost"]);
        }
        let wanted: Vec<PathBuf> = wanted.into_iter().map(at).collect();
        assert_eq!(files_below(folder.path()).unwrap(), wanted);
        assert!(files_below(&at("nowhere")).is_err());
    }
}

//! The files of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::FileError;

/// All files in the folder at `path` and in the folders below it, in the order of their paths, name by
/// name. Links to files are followed, links to folders are not, so that no file comes up for ever.
/// Hidden files and folders (whose name begins with a dot), pipes and devices are left out. A link
/// that leads nowhere is a file that is missing: it is listed, and opening it fails.
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
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {}
            _ => files.push(path),
        }
    }
    Ok(())
}

/// Files of a folder chosen by globs: those that match any of some globs, or all if there are none,
/// without those that match any of others.
///
/// A glob matches the path of a file relative to the folder, and one without `/` its name. `*` and `?`
/// do not match `/`; `**` matches any number of folders. `[ab]` and `{a,b}` are alternatives, and `\`
/// escapes. A leading `/` is ignored.
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
    names: globset::GlobSet,
    paths: globset::GlobSet,
}

#[cfg(feature = "documents")]
impl Globs {
    /// Files that match one of `include`, if there are any, and none of `exclude`.
    ///
    /// # Errors
    /// When a glob is not valid.
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

    /// Whether there is no glob, and every file is chosen.
    pub fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.names.is_empty() && self.exclude.paths.is_empty()
    }

    /// Whether the file at `path`, relative to the folder, is chosen.
    pub fn matches(&self, path: &Path) -> bool {
        let include = self.include.as_ref();
        include.is_none_or(|list| list.matches(path)) && !self.exclude.matches(path)
    }

    /// The files below the folder at `path` that are chosen: see [`files_below`].
    ///
    /// # Errors
    /// When a folder cannot be read.
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
    fn globs_choose_by_name_or_by_path() {
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
            wanted.extend(["b/link", "b/lost"]);
        }
        let wanted: Vec<PathBuf> = wanted.into_iter().map(at).collect();
        assert_eq!(files_below(folder.path()).unwrap(), wanted);
        assert!(files_below(&at("nowhere")).is_err());
    }
}

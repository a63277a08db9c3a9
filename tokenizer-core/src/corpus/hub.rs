//! Hugging Face's local cache: `models--OWNER--NAME/snapshots/COMMIT`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether `name` has the form `OWNER/NAME` of a model on Hugging Face's hub.
#[must_use]
pub fn is_hub_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !word.starts_with('.') && !word.is_empty() && word.chars().all(is_allowed)
    };
    name.split_once('/')
        .is_some_and(|(owner, name)| is_word(owner) && is_word(name))
}

/// Returns the folder of the model in the cache, whether or not it exists.
pub(super) fn folder(name: &str) -> PathBuf {
    let model = format!("models--{}", name.replace('/', "--"));
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let cache = || {
        let home = || env::home_dir().unwrap_or_default().join(".cache");
        set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
    };
    let hub = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE"));
    let hub = hub.map_or_else(
        || {
            let home = set("HF_HOME");
            home.map_or_else(|| cache().join("huggingface"), PathBuf::from)
                .join("hub")
        },
        PathBuf::from,
    );
    hub.join(model)
}

/// Returns the snapshot that `refs/main` of a model's folder names, if it exists.
pub(super) fn snapshot(folder: &Path) -> Option<PathBuf> {
    let commit = fs::read_to_string(folder.join("refs").join("main")).ok()?;
    let commit = commit.trim();
    let is_commit = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric());
    let snapshot = is_commit.then(|| folder.join("snapshots").join(commit))?;
    snapshot.is_dir().then_some(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_slash() {
        for (name, is_valid) in [
            ("Qwen/Qwen2.5-7B", true),
            ("a/b_c", true),
            ("gpt2", false),
            ("a/b/c", false),
            ("/b", false),
            ("a/", false),
            ("../b", false),
            ("a/..", false),
            ("a b/c", false),
        ] {
            assert_eq!(is_hub_name(name), is_valid, "{name}");
        }
    }

    #[test]
    fn refs_main_names_the_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(snapshot(path), None);
        fs::create_dir_all(path.join("refs")).unwrap();
        fs::write(path.join("refs/main"), "abc\n").unwrap();
        assert_eq!(snapshot(path), None);
        fs::create_dir_all(path.join("snapshots/abc")).unwrap();
        assert_eq!(snapshot(path), Some(path.join("snapshots/abc")));
        fs::write(path.join("refs/main"), "../..").unwrap();
        assert_eq!(snapshot(path), None);
    }
}

//! Optional test requirements: programs and data outside the repository. Without them, a test prints
//! that it is skipped, or fails if the environment variable `TOKENIZER_REQUIRE` names them.

use std::io::Write;
use std::path::PathBuf;

/// Reports that a test is skipped because `requirement` (`shared`, `bash`, `browser`, ...) is missing.
///
/// # Panics
/// If `TOKENIZER_REQUIRE` lists it.
pub(crate) fn skip(requirement: &str, reason: &str) {
    let required = std::env::var("TOKENIZER_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| name == requirement);
    assert!(!is_required, "{requirement} is required: {reason}");
    // Written directly: the output of a passing test is captured by `print!`.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// A file or folder of the shared data next to the repository; `None` if it is missing.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("TOKENIZER_SHARED_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
    };
    let path = folder.join(name);
    if !path.exists() {
        skip("shared", &format!("no {}", path.display()));
        return None;
    }
    Some(path)
}

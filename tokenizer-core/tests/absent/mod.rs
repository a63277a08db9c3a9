//! Programs and data that are not part of the repository. A test that wants them says that it is skipped
//! where they are absent, and fails if the environment variable `TOKENIZER_REQUIRE` names them.

use std::io::Write;
use std::path::PathBuf;

/// Reports that a test is skipped for want of `what`: `shared`, `bash` or `browser`.
pub(crate) fn skip(what: &str, reason: &str) {
    let required = std::env::var("TOKENIZER_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|name| name == what);
    assert!(!is_required, "{what} is required: {reason}");
    // Not captured, as the output of a test that passes is.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// A file or folder of the shared data beside the repository.
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

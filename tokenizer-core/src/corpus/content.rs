//! What a file of documents holds.

use std::path::Path;

/// What stands in a file of documents. The first bytes decide between compressed files, Parquet and
/// plain text; the name decides whether plain text is JSON lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Text: the whole file is one document.
    Text,
    /// A JSON object a line.
    JsonLines,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Zstandard.
    Zstd,
    /// A Parquet table.
    Parquet,
}

impl Content {
    /// How many bytes of a file's beginning decide.
    pub const HEAD: usize = 4;

    /// The content of a file that begins with `head` and is named `path`; a stream has no name.
    pub fn of(head: &[u8], path: Option<&Path>) -> Self {
        match head {
            // 8 is deflate, the only method there is.
            [0x1F, 0x8B, 8, ..] => return Content::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => return Content::Zstd,
            // A frame to be skipped, with which parallel compressors begin.
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => return Content::Zstd,
            // Without a look at the end, so that a table that was cut short is not taken for text.
            [b'P', b'A', b'R', b'1', ..] => return Content::Parquet,
            _ => {}
        }
        match path.and_then(Path::extension).and_then(|end| end.to_str()) {
            Some("jsonl" | "ndjson") => Content::JsonLines,
            Some("parquet") => Content::Parquet,
            _ => Content::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_before_names() {
        let of = |head: &[u8], name: &str| Content::of(head, Some(Path::new(name)));
        assert_eq!(of(b"\x1f\x8b\x08\0", "a.txt"), Content::Gzip);
        assert_eq!(of(b"\x28\xb5\x2f\xfd", "a.jsonl"), Content::Zstd);
        assert_eq!(of(b"\x52\x2a\x4d\x18", "a"), Content::Zstd);
        assert_eq!(of(b"PAR1", "a.txt"), Content::Parquet);
        assert_eq!(of(b"cut ", "a.parquet"), Content::Parquet);
        assert_eq!(of(b"{\"te", "a.jsonl"), Content::JsonLines);
        assert_eq!(of(b"{\"te", "a.txt.gz"), Content::Text);
        assert_eq!(of(b"", "a.txt"), Content::Text);
        assert_eq!(Content::of(b"{\"te", None), Content::Text);
    }
}

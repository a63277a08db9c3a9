//! What a file of documents holds.
//!
//! The first bytes decide between compression, tables, other containers and text; the name, without
//! the extension of a compression, whether text is JSON lines. [`ReadAs`] overrides the name.
//!
//! | content | name | result |
//! | --- | --- | --- |
//! | Parquet | any | a table |
//! | starts with JSON objects, one a line | [`JSON_NAMES`] and `.json`, in any case | JSON lines |
//! | the same | any other, or none | refused |
//! | anything else | [`JSON_NAMES`] | JSON lines, which then fail with the number of the line |
//! | nothing, or white space | `.json` | JSON lines without a record |
//! | any other JSON, or broken JSON | `.json` | refused |
//! | text | any other, or none | text |
//! | another container | any | refused by its name |
//!
//! A text *starts with JSON objects, one a line*, if its first line that is not blank begins with `{`
//! and a key (or `{}`) and ends with `}`, and the next such line, if there is one, begins with `{`.
//! The lines need not be valid JSON: a broken record is reported with its line and not trained on as
//! text. A first line that does not end within a mebibyte is judged by its beginning. C, LaTeX,
//! templates (`{{name}}`) and indented JSON do not match.

use std::path::Path;

/// The contents of a file of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
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
    /// None of these, and not read as text.
    Refused(Refused),
}

/// How the form of a text is chosen. Compression, tables and containers are recognised in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadAs {
    /// By its beginning and by the name of the file.
    #[default]
    Detect,
    /// Text.
    Text,
    /// JSON lines.
    JsonLines,
}

/// The contents of an input that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// JSON objects, one a line, under the name of another kind of file or none.
    #[error(
        "starts with JSON objects, one a line, but is not named .jsonl, .ndjson, .json, .jsonlines or .jl"
    )]
    UnnamedJsonLines,
    /// A `.json` file with one array of objects.
    #[error("a JSON array of objects, which cannot be read yet")]
    JsonArray,
    /// A `.json` file with something else.
    #[error("a .json file that does not start with JSON objects, one a line")]
    OtherJson,
    /// A compression that cannot be read yet.
    #[error("{0} compression, which cannot be read yet")]
    Compression(&'static str),
    /// A container that holds something else than text, or many texts.
    #[error("{0}, not text")]
    Container(&'static str),
    /// The same, compressed.
    #[error("{container} compressed with {compression}, not text")]
    CompressedContainer {
        /// What it is.
        container: &'static str,
        /// How it is compressed.
        compression: &'static str,
    },
    /// Text as UTF-16 or UTF-32.
    #[error("text as {0}, not UTF-8")]
    Encoding(&'static str),
    /// Token ids, as a command of this project writes them.
    #[error("token ids, not text")]
    Ids,
}

/// Extensions that promise JSON lines, in lower case. `.json` promises JSON of any form.
const JSON_NAMES: [&str; 4] = ["jsonl", "ndjson", "jsonlines", "jl"];

/// Extensions of compressed files, in lower case.
const COMPRESSION_NAMES: [&str; 8] = ["gz", "gzip", "zst", "zstd", "xz", "bz2", "lz4", "lz"];

const fn container(name: &'static str) -> Content {
    Content::Refused(Refused::Container(name))
}

const fn compression(name: &'static str) -> Content {
    Content::Refused(Refused::Compression(name))
}

const fn encoding(name: &'static str) -> Content {
    Content::Refused(Refused::Encoding(name))
}

/// Beginnings of files, and what they are.
const MAGICS: &[(&[u8], Content)] = &[
    // 8 is deflate, the only method there is.
    (b"\x1f\x8b\x08", Content::Gzip),
    (b"\x28\xb5\x2f\xfd", Content::Zstd),
    // Without a look at the end, so that a table that was cut short is not taken for text.
    (b"PAR1", Content::Parquet),
    (b"\xff\xfe\0\0", encoding("UTF-32")),
    (b"\0\0\xfe\xff", encoding("UTF-32")),
    (b"\xff\xfe", encoding("UTF-16")),
    (b"\xfe\xff", encoding("UTF-16")),
    (b"\xfd7zXZ\0", compression("xz")),
    (b"\x04\x22\x4d\x18", compression("lz4")),
    (b"\x02\x21\x4c\x18", compression("lz4")),
    (b"LZIP\x01", compression("lzip")),
    (b"\x1f\x9d", compression("compress (.Z)")),
    (b"\xff\x06\0\0sNaPpY", compression("Snappy")),
    (b"PK\x03\x04", container("a zip archive")),
    (b"PK\x05\x06", container("a zip archive")),
    (b"PK\x07\x08", container("a zip archive")),
    (b"7z\xbc\xaf\x27\x1c", container("a 7z archive")),
    (b"Rar!\x1a\x07", container("a RAR archive")),
    (b"ARROW1\0\0", container("an Arrow IPC file")),
    (b"Obj\x01", container("an Avro file")),
    (b"\x93NUMPY", container("a NumPy array")),
    (b"\x89HDF\r\n\x1a\n", container("an HDF5 file")),
    (b"SQLite format 3\0", container("an SQLite database")),
    (b"\x89PNG\r\n\x1a\n", container("a PNG image")),
    (b"\xff\xd8\xff", container("a JPEG image")),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        container("an Office document"),
    ),
    (b"OggS\0", container("an Ogg file")),
    (b"fLaC\0", container("a FLAC file")),
    (b"ID3\x02", container("an MP3 file")),
    (b"ID3\x03", container("an MP3 file")),
    (b"ID3\x04", container("an MP3 file")),
    (b"\x7fELF", container("an ELF file")),
    (b"GGUF\x01", container("a GGUF model")),
    (b"GGUF\x02", container("a GGUF model")),
    (b"GGUF\x03", container("a GGUF model")),
    // Pickles of protocol 4 and 5: a frame, whose length has eight bytes.
    (b"\x80\x04\x95", container("a pickle")),
    (b"\x80\x05\x95", container("a pickle")),
    (&crate::format::native::MAGIC, container("a .bpe model")),
    (
        b"MMIDIDX\0\0",
        container("the index of Megatron's token ids"),
    ),
    (b"\xed\xab\xee\xdb", container("an RPM package")),
    (b"\0asm", container("a WebAssembly module")),
];

/// The byte order mark of UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The beginning of an input.
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    /// Whether the input ends with it.
    pub(crate) is_all: bool,
}

impl Head {
    /// Bytes that decide about everything but the first lines of JSON.
    pub(crate) const LENGTH: usize = 1 << 16;
    /// Bytes that decide.
    pub(crate) const LONGEST: usize = 1 << 20;

    /// Whether more bytes, up to [`Head::LONGEST`], are needed to decide.
    pub(crate) fn is_too_short(&self) -> bool {
        !self.is_all && self.bytes.len() < Self::LONGEST && self.starts_with_records().is_none()
    }

    /// Without the byte order mark and white space.
    fn text(&self) -> &[u8] {
        let bytes = &self.bytes[..];
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        text.trim_ascii_start()
    }

    /// Whether it starts with JSON objects, one a line; `None` if that depends on the bytes behind it.
    fn starts_with_records(&self) -> Option<bool> {
        let text = self.text();
        let (first, rest) = match memchr::memchr(b'\n', text) {
            Some(end) => (&text[..end], text[end..].trim_ascii_start().first()),
            None if self.is_all => (text, None),
            None => return begins_object(text).filter(|begins| !begins),
        };
        if begins_object(first) != Some(true) || !first.trim_ascii_end().ends_with(b"}") {
            return Some(false);
        }
        match rest {
            Some(byte) => Some(*byte == b'{'),
            None => self.is_all.then_some(true),
        }
    }

    /// The same, judged by these bytes alone.
    fn has_records(&self) -> bool {
        let decided = self.starts_with_records();
        decided.unwrap_or_else(|| begins_object(self.text()) == Some(true))
    }

    /// The content of the input that is named `path`; a stream has no name.
    pub(crate) fn content(&self, path: Option<&Path>, read_as: ReadAs) -> Content {
        if let Some(content) = by_magic(&self.bytes) {
            return content;
        }
        match (read_as, extension(path).as_str()) {
            (ReadAs::Text, _) => Content::Text,
            (ReadAs::JsonLines, _) => Content::JsonLines,
            // It was cut short, or never was a table.
            (ReadAs::Detect, "parquet") => Content::Parquet,
            (ReadAs::Detect, "json") => self.json(),
            (ReadAs::Detect, name) if JSON_NAMES.contains(&name) => Content::JsonLines,
            (ReadAs::Detect, _) if self.has_records() => {
                Content::Refused(Refused::UnnamedJsonLines)
            }
            (ReadAs::Detect, _) => Content::Text,
        }
    }

    /// The content of a `.json` file.
    fn json(&self) -> Content {
        let text = self.text();
        match text.split_first() {
            None if self.is_all => Content::JsonLines,
            _ if self.has_records() => Content::JsonLines,
            Some((b'[', rest)) if rest.trim_ascii_start().starts_with(b"{") => {
                Content::Refused(Refused::JsonArray)
            }
            _ => Content::Refused(Refused::OtherJson),
        }
    }
}

/// Whether a line begins with `{` and a key, or with `{}`; `None` if it ends before that is decided.
fn begins_object(line: &[u8]) -> Option<bool> {
    let mut bytes = line.iter().copied();
    let mut next_solid = || bytes.find(|byte| !byte.is_ascii_whitespace());
    if next_solid()? != b'{' {
        return Some(false);
    }
    match next_solid()? {
        b'"' => {}
        other => return Some(other == b'}'),
    }
    loop {
        match bytes.next()? {
            b'"' => break,
            b'\\' => drop(bytes.next()?),
            _ => {}
        }
    }
    let colon = bytes.find(|byte| !byte.is_ascii_whitespace())?;
    Some(colon == b':')
}

/// The extension of a name, in lower case, without that of a compression: `jsonl` of `a.JSONL.gz`.
fn extension(path: Option<&Path>) -> String {
    let lower = |path: &Path| {
        let end = path.extension().and_then(|end| end.to_str());
        end.unwrap_or_default().to_ascii_lowercase()
    };
    let Some(path) = path else {
        return String::new();
    };
    let end = lower(path);
    match COMPRESSION_NAMES.contains(&end.as_str()) {
        true => lower(&path.with_extension("")),
        false => end,
    }
}

fn by_magic(head: &[u8]) -> Option<Content> {
    let mut magics = MAGICS.iter();
    if let Some((_, content)) = magics.find(|(magic, _)| head.starts_with(magic)) {
        return Some(*content);
    }
    match head {
        // A frame to be skipped, with which parallel compressors begin.
        [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Content::Zstd),
        // A size from 1 to 9, and a block or the end of the stream.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Some(compression("bzip2")),
        _ => by_structure(head).map(container),
    }
}

/// Containers that need a closer look.
fn by_structure(head: &[u8]) -> Option<&'static str> {
    let is_riff = head.starts_with(b"RIFF") && head.len() >= 12;
    match head.get(8..12) {
        _ if head.starts_with(b"GIF8") && is_gif(head) => Some("a GIF image"),
        _ if head.starts_with(b"%PDF-") && is_pdf(head) => Some("a PDF document"),
        Some(b"WEBP") if is_riff => Some("a WebP image"),
        Some(b"WAVE") if is_riff => Some("a WAVE file"),
        Some(b"AVI ") if is_riff => Some("an AVI file"),
        _ if head.get(257..263) == Some(b"ustar\0") => Some("a tar archive"),
        _ if head.get(257..265) == Some(b"ustar  \0") => Some("a tar archive"),
        _ if head.starts_with(&[0; 3]) && head.get(4..8) == Some(b"ftyp") => Some("an MP4 file"),
        _ if is_arrow_stream(head) => Some("an Arrow IPC stream"),
        _ if is_ranks(head) => Some("a .tiktoken model"),
        _ if is_counts(head) => Some("counted pieces"),
        _ if is_tokenizer_json(head) => Some("a tokenizer.json"),
        _ => None,
    }
}

/// Whether the first two fields are `version` and `truncation`, as `tokenizers` writes them.
fn is_tokenizer_json(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let mut parts = "{ \"version\" : \"1.0\" , \"truncation\" :".split(' ');
    parts.all(|part| {
        let behind = rest.trim_ascii_start().strip_prefix(part.as_bytes());
        behind.inspect(|behind| rest = behind).is_some()
    })
}

/// The version and, behind it, sizes: bytes that no text has.
fn is_gif(head: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let version = head.get(4..6);
    (version == Some(b"7a") || version == Some(b"9a"))
        && !head[6..head.len().min(13)].iter().all(is_text)
}

fn is_pdf(head: &[u8]) -> bool {
    matches!(head.get(5..8), Some([b'1'..=b'9', b'.', b'0'..=b'9']))
}

/// A continuation, the length of the schema, and where in it its root is.
fn is_arrow_stream(head: &[u8]) -> bool {
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    match (number(0), number(4), number(8)) {
        (Some(u32::MAX), Some(length), Some(root)) => {
            length > 0 && length.is_multiple_of(8) && root < length
        }
        _ => false,
    }
}

/// The first three ranks, of single bytes in base64.
fn is_ranks(head: &[u8]) -> bool {
    let is_rank = |line: &[u8], rank: u8| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        matches!(line, [_, _, b'=', b'=', b' ', digit] if *digit == rank)
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    (b'0'..b'3').all(|rank| lines.next().is_some_and(|line| is_rank(line, rank)))
}

/// The pattern, and a piece in base64 with its count.
fn is_counts(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n');
    let pattern = lines.next().unwrap_or_default();
    let row = lines.next().unwrap_or_default();
    let mut fields = row.split(|&byte| byte == b'\t');
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    pattern.starts_with(crate::format::counts::tsv::PATTERN)
        && fields
            .next()
            .is_some_and(|piece| piece.iter().all(is_base64))
        && fields.next().is_some_and(|count| {
            let count = count.strip_suffix(b"\r").unwrap_or(count);
            !count.is_empty() && count.iter().all(u8::is_ascii_digit)
        })
        && fields.next().is_none()
}

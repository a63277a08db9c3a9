//! Detects the content of an input: text, JSON lines, a table, or something that is refused.
//!
//! The first bytes identify compression, tables, encodings and other formats. The extension, after that
//! of a compression is removed, decides whether text is JSON lines. [`ReadAs`] overrides the extension.
//!
//! | content | extension | result |
//! | --- | --- | --- |
//! | Parquet | any | table |
//! | unsupported compression, encoding or format | any | refused; the error names it |
//! | anything else | `.parquet` | table, so that opening it reports the damage |
//! | starts with JSON objects, one per line | [`JSON_EXTENSIONS`], `.json` (any case) | JSON lines |
//! | starts with JSON objects, one per line | other or none | refused |
//! | other text | [`JSON_EXTENSIONS`] | JSON lines, so that reading fails with a line number |
//! | only white space | `.json` | JSON lines without records |
//! | anything else | `.json` | refused |
//! | other text | other or none | text |
//!
//! Text *starts with JSON objects, one per line* if its first non-blank line begins with `{` and a
//! key (or is `{}`) and ends with `}`, and the next non-blank line, if any, begins with `{`. The lines
//! need not be valid JSON, so that a broken record is reported instead of trained on as text. A first
//! line of more than 1 MiB is judged by its beginning. C, LaTeX, templates (`{{name}}`) and indented
//! JSON do not match.

use std::path::Path;

use crate::format::sentencepiece;

/// The content of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Plain text.
    Text,
    /// One JSON object per line.
    JsonLines,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Zstandard.
    Zstd,
    /// A Parquet table.
    Parquet,
    /// Content that is not read.
    Refused(Refused),
}

/// Whether text is read as JSON lines. Compression, tables and containers are always detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadAs {
    /// Detected by the first lines and the extension.
    #[default]
    Detect,
    /// Text.
    Text,
    /// JSON lines.
    JsonLines,
}

/// The content of a refused input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// JSON objects, one per line, without an extension for JSON lines.
    #[error(
        "starts with JSON objects, one per line, but is not named .jsonl, .ndjson, .json, .jsonlines or .jl"
    )]
    UnnamedJsonLines,
    /// A `.json` file with an array of objects.
    #[error("a JSON array of objects, which is not supported")]
    JsonArray,
    /// A `.json` file with any other content.
    #[error("a .json file that does not start with JSON objects, one per line")]
    OtherJson,
    /// An unsupported compression.
    #[error("{0} compression, which is not supported")]
    Compression(&'static str),
    /// A format other than text: an archive, an image, a model, ...
    #[error("{0}, not text")]
    Container(&'static str),
    /// Compressed data in a format other than text.
    #[error("{container} compressed with {compression}, not text")]
    CompressedContainer {
        /// The format, with its article: `a zip archive`.
        container: &'static str,
        /// The compression.
        compression: &'static str,
    },
    /// Text in UTF-16 or UTF-32.
    #[error("{0} text, not UTF-8")]
    Encoding(&'static str),
    /// Token ids written by the command line program.
    #[error("token ids, not text")]
    Ids,
}

/// Extensions of JSON lines, in lower case. `.json` is not one of them, since it may be any JSON.
const JSON_EXTENSIONS: [&str; 4] = ["jsonl", "ndjson", "jsonlines", "jl"];

/// Extensions of compressed files, in lower case.
const COMPRESSION_EXTENSIONS: [&str; 8] = ["gz", "gzip", "zst", "zstd", "xz", "bz2", "lz4", "lz"];

const fn container(name: &'static str) -> Content {
    Content::Refused(Refused::Container(name))
}

const fn compression(name: &'static str) -> Content {
    Content::Refused(Refused::Compression(name))
}

const fn encoding(name: &'static str) -> Content {
    Content::Refused(Refused::Encoding(name))
}

/// Magic numbers and the content they identify.
const MAGICS: &[(&[u8], Content)] = &[
    // 8 is deflate, the only method of gzip.
    (b"\x1f\x8b\x08", Content::Gzip),
    (b"\x28\xb5\x2f\xfd", Content::Zstd),
    // The magic number at the end of a table is not checked, so that a truncated table is not read as text.
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
    // Pickles of protocols 4 and 5 begin with a frame.
    (b"\x80\x04\x95", container("a pickle")),
    (b"\x80\x05\x95", container("a pickle")),
    (&crate::format::native::MAGIC, container("a .bpe model")),
    (b"MMIDIDX\0\0", container("an index of Megatron token ids")),
    (b"\xed\xab\xee\xdb", container("an RPM package")),
    (b"\0asm", container("a WebAssembly module")),
];

/// The byte order mark of UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The first bytes of an input.
pub(crate) struct Head {
    pub(crate) bytes: Vec<u8>,
    /// Whether `bytes` is the whole input.
    pub(crate) is_all: bool,
}

impl Head {
    /// A head of this many bytes detects everything except JSON lines with a long first line.
    pub(crate) const LENGTH: usize = 1 << 16;
    /// A head has at most this many bytes. JSON lines with a longer first line are judged by its beginning.
    pub(crate) const MAX_LENGTH: usize = 1 << 20;

    /// Whether more bytes, up to [`Head::MAX_LENGTH`], are needed.
    pub(crate) fn is_too_short(&self) -> bool {
        !self.is_all && self.bytes.len() < Self::MAX_LENGTH && self.starts_with_records().is_none()
    }

    /// The bytes after the byte order mark and white space.
    fn text(&self) -> &[u8] {
        let bytes = &self.bytes[..];
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        text.trim_ascii_start()
    }

    /// Whether the input starts with JSON objects, one per line; `None` if more bytes are needed.
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

    /// Like [`Head::starts_with_records`], but decides with the bytes at hand.
    fn has_records(&self) -> bool {
        let decided = self.starts_with_records();
        decided.unwrap_or_else(|| begins_object(self.text()) == Some(true))
    }

    /// Detects the content. `path` names the input, if it is a file.
    pub(crate) fn content(&self, path: Option<&Path>, read_as: ReadAs) -> Content {
        if let Some(content) = by_magic(&self.bytes) {
            return content;
        }
        match (read_as, extension(path).as_str()) {
            (ReadAs::Text, _) => Content::Text,
            (ReadAs::JsonLines, _) => Content::JsonLines,
            // The magic number is missing. Opening the file as a table reports the damage.
            (ReadAs::Detect, "parquet") => Content::Parquet,
            (ReadAs::Detect, "json") => self.json(),
            (ReadAs::Detect, name) if JSON_EXTENSIONS.contains(&name) => Content::JsonLines,
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

/// Whether a line begins with `{` and a key, or with `{}`; `None` if it is too short to tell.
fn begins_object(line: &[u8]) -> Option<bool> {
    let mut bytes = line.iter().copied();
    let mut next_visible = || bytes.find(|byte| !byte.is_ascii_whitespace());
    if next_visible()? != b'{' {
        return Some(false);
    }
    match next_visible()? {
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

/// The extension in lower case, without that of a compression: `jsonl` for `a.JSONL.gz`.
fn extension(path: Option<&Path>) -> String {
    let lower = |path: &Path| {
        let end = path.extension().and_then(|end| end.to_str());
        end.unwrap_or_default().to_ascii_lowercase()
    };
    let Some(path) = path else {
        return String::new();
    };
    let end = lower(path);
    match COMPRESSION_EXTENSIONS.contains(&end.as_str()) {
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
        // Zstandard: a skippable frame, with which the output of parallel compressors begins.
        [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Content::Zstd),
        // bzip2: a block size from 1 to 9, then a block or the end of the stream.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Some(compression("bzip2")),
        _ => by_structure(head).map(container),
    }
}

/// Detects containers without a unique magic number.
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
        _ if sentencepiece::is_model(head) => Some("a SentencePiece model"),
        _ if is_ranks(head) => Some("a .tiktoken model"),
        _ if is_counts(head) => Some("a file of piece counts"),
        _ if is_tokenizer_json(head) => Some("a tokenizer.json"),
        _ => None,
    }
}

/// Whether the first two fields are `version` and `truncation`, as in a `tokenizer.json`.
fn is_tokenizer_json(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let mut parts = "{ \"version\" : \"1.0\" , \"truncation\" :".split(' ');
    parts.all(|part| {
        let tail = rest.trim_ascii_start().strip_prefix(part.as_bytes());
        tail.inspect(|tail| rest = tail).is_some()
    })
}

/// Whether the bytes after the version, which contain the image size, are not all text.
fn is_gif(head: &[u8]) -> bool {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let version = head.get(4..6);
    (version == Some(b"7a") || version == Some(b"9a"))
        && !head[6..head.len().min(13)].iter().all(is_text)
}

fn is_pdf(head: &[u8]) -> bool {
    matches!(head.get(5..8), Some([b'1'..=b'9', b'.', b'0'..=b'9']))
}

/// Whether the input begins with a continuation marker, the length of the schema and the offset of its
/// root.
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

/// Whether the first three lines are single bytes in base64, with ranks 0, 1 and 2.
fn is_ranks(head: &[u8]) -> bool {
    let is_rank = |line: &[u8], rank: u8| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        matches!(line, [_, _, b'=', b'=', b' ', digit] if *digit == rank)
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    (b'0'..b'3').all(|rank| lines.next().is_some_and(|line| is_rank(line, rank)))
}

/// Whether the first two lines are a pattern line and a row of piece counts in TSV.
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

//! Opens inputs, detects their content and decompresses them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::doubt::Doubt;
use super::error::DocumentError;
#[cfg(feature = "parquet")]
use super::table;
use crate::corpus::content::{Content, Head, ReadAs, Refused};

/// A stream of decompressed bytes and its detected content.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    content: Content,
    doubt: Option<Doubt>,
    /// The compression, if any.
    compression: Option<&'static str>,
    /// The path of a regular file; `None` for other inputs.
    file: Option<PathBuf>,
    /// The length of the file in bytes when it was opened.
    length: u64,
    /// Bytes read from the file or stream; compressed bytes, if it is compressed.
    taken: Arc<AtomicU64>,
}

/// A stream that counts the bytes read from it.
struct Counted {
    stream: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Buffer size for compressed input, in bytes.
const BUFFER: usize = 1 << 18;

impl Source {
    pub(super) fn of_file(path: &Path, read_as: ReadAs) -> Result<Self, DocumentError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        if metadata.is_file() && is_written_by_encode(path) {
            return Err(Refused::Ids.into());
        }
        let mut source = Self::of_stream(Box::new(file), Some(path), read_as)?;
        source.file = metadata.is_file().then(|| path.to_owned());
        source.length = metadata.len();
        Ok(source)
    }

    /// Opens a stream. `name` is the path of the file that it reads, if any.
    pub(super) fn of_stream(
        stream: Box<dyn Read + Send>,
        name: Option<&Path>,
        read_as: ReadAs,
    ) -> Result<Self, DocumentError> {
        let taken = Arc::default();
        let mut stream = Counted {
            stream,
            taken: Arc::clone(&taken),
        };
        let head = read_head(&mut stream)?;
        let content = head.content(name, read_as);
        let format = match content {
            Content::Gzip => "gzip",
            Content::Zstd => "Zstandard",
            Content::Refused(refused) => return Err(refused.into()),
            content => return Ok(Self::new(head, Box::new(stream), content, None, taken)),
        };
        let stream = Cursor::new(head.bytes).chain(stream);
        let stream = io::BufReader::with_capacity(BUFFER, stream);
        let mut reader: Box<dyn Read + Send> = match content {
            Content::Gzip => Box::new(MultiGzDecoder::new(stream)),
            _ => Box::new(zstd::stream::read::Decoder::with_buffer(stream)?),
        };
        let head =
            read_head(&mut reader).map_err(|error| DocumentError::Compressed { format, error })?;
        let compressed = |container| {
            DocumentError::Refused(Refused::CompressedContainer {
                container,
                compression: format,
            })
        };
        match head.content(name, read_as) {
            content @ (Content::Text | Content::JsonLines) => {
                Ok(Self::new(head, reader, content, Some(format), taken))
            }
            Content::Parquet => {
                let message =
                    format!("a Parquet table compressed with {format}: decompress it first");
                Err(DocumentError::Table(message))
            }
            Content::Gzip => Err(compressed("gzip data")),
            Content::Zstd => Err(compressed("Zstandard data")),
            Content::Refused(Refused::Compression(_)) => Err(compressed("compressed data")),
            Content::Refused(Refused::Container(inner)) => Err(compressed(inner)),
            Content::Refused(refused) => Err(refused.into()),
        }
    }

    fn new(
        head: Head,
        rest: Box<dyn Read + Send>,
        content: Content,
        compression: Option<&'static str>,
        taken: Arc<AtomicU64>,
    ) -> Self {
        let beginning = &head.bytes[..head.bytes.len().min(Head::LENGTH)];
        let is_text = content == Content::Text;
        Source {
            doubt: is_text.then(|| Doubt::of(beginning)).flatten(),
            reader: Box::new(Cursor::new(head.bytes).chain(rest)),
            content,
            compression,
            file: None,
            length: 0,
            taken,
        }
    }

    /// The content after decompression: text, JSON lines or a table.
    pub(super) fn content(&self) -> Content {
        self.content
    }

    /// A sign that the input is not text.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Bytes read from the file or stream; compressed bytes, if it is compressed.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Size of the file in bytes; 0 for a stream.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the source is an uncompressed regular file.
    pub(super) fn is_plain_file(&self) -> bool {
        self.compression.is_none() && self.file.is_some()
    }

    /// Appends up to `limit` bytes to `buffer`, fewer only at the end of the stream. Returns the number.
    pub(super) fn read(
        &mut self,
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, DocumentError> {
        let read = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        let read = read.map_err(|error| match self.compression {
            Some(format) => DocumentError::Compressed { format, error },
            None => error.into(),
        })?;
        if read < limit {
            self.check_length()?;
        }
        Ok(read)
    }

    /// Fails if an uncompressed file has been truncated since it was opened. An early end alone is not
    /// enough, because some virtual files (such as those in /sys) report a larger size than they contain: the
    /// reported length must have changed as well.
    fn check_length(&self) -> Result<(), DocumentError> {
        let Some(path) = self.file.as_ref().filter(|_| self.is_plain_file()) else {
            return Ok(());
        };
        let (taken, length) = (self.taken(), self.length);
        if taken >= length || path.metadata().is_ok_and(|now| now.len() == length) {
            return Ok(());
        }
        let message = format!("truncated while being read: {taken} of {length} bytes");
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, message).into())
    }

    /// Opens the source as a table and returns the texts of one column. With one thread, they are read on
    /// demand; with several, ahead of the caller.
    #[cfg(feature = "parquet")]
    pub(super) fn into_table(
        mut self,
        column: &str,
        threads: usize,
    ) -> Result<table::Rows, DocumentError> {
        match &self.file {
            Some(path) => table::of_file(File::open(path)?, column, threads),
            None => {
                // The metadata of a table is at its end.
                let mut bytes = Vec::new();
                self.reader.read_to_end(&mut bytes)?;
                table::open(bytes::Bytes::from(bytes), column, threads)
            }
        }
    }
}

/// Reads as many bytes as are needed to detect the content.
fn read_head(stream: &mut impl Read) -> io::Result<Head> {
    let mut head = Head {
        bytes: Vec::new(),
        is_all: false,
    };
    for length in [Head::LENGTH, Head::MAX_LENGTH] {
        let missing = (length - head.bytes.len()) as u64;
        stream.take(missing).read_to_end(&mut head.bytes)?;
        head.is_all = head.bytes.len() < length;
        if !head.is_too_short() {
            break;
        }
    }
    Ok(head)
}

/// Limit on the bytes that are read of a sidecar. A longer one is read incompletely, so it is invalid JSON
/// and ignored. Real ones are far shorter.
const MAX_SIDECAR: u64 = 1 << 24;

/// Whether `path` is a file of token ids with a sidecar, or the `.index` file that the sidecar of such a file
/// names.
fn is_written_by_encode(path: &Path) -> bool {
    let is_index = path.extension().is_some_and(|end| end == "index");
    read_sidecar(path).is_some()
        || is_index
            && read_sidecar(&path.with_extension("")).is_some_and(|sidecar| {
                let name = sidecar.get("document_ends").and_then(Value::as_str);
                name.is_some() && name == path.file_name().and_then(|name| name.to_str())
            })
}

/// Reads the sidecar that `tokenizer encode` writes next to a file of ids: `PATH.json`. Returns `None`
/// if there is no such file, or if it lacks the fields that `tokenizer encode` writes.
fn read_sidecar(path: &Path) -> Option<Value> {
    let mut name = OsString::from(path);
    name.push(".json");
    let mut bytes = Vec::new();
    let file = File::open(PathBuf::from(name)).ok()?;
    file.take(MAX_SIDECAR).read_to_end(&mut bytes).ok()?;
    let sidecar: Value = serde_json::from_slice(&bytes).ok()?;
    let is_ours = sidecar.get("program")?.as_str()?.starts_with("tokenizer ");
    let mut fields = ["format", "tokens", "model_sha256"].iter();
    (is_ours && fields.all(|name| sidecar.get(name).is_some())).then_some(sidecar)
}

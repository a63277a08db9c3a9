//! An input as plain bytes: opened, looked at, decompressed.

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

/// A stream of plain bytes, and what it is known to hold.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    content: Content,
    doubt: Option<Doubt>,
    /// How it was compressed.
    compressed: Option<&'static str>,
    /// What it was opened from, if that is a regular file.
    file: Option<PathBuf>,
    /// Bytes of that file when it was opened.
    length: u64,
    /// Bytes read from the file or stream, before decompression.
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

/// Bytes that a decompressor is given at a time.
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

    /// A stream, and its name if it has one.
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
        let within = |container| {
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
                let message = format!("a Parquet table inside of {format} cannot be read");
                Err(DocumentError::Table(message))
            }
            Content::Gzip => Err(within("gzip data")),
            Content::Zstd => Err(within("Zstandard data")),
            Content::Refused(Refused::Compression(inner) | Refused::Container(inner)) => {
                Err(within(inner))
            }
            Content::Refused(refused) => Err(refused.into()),
        }
    }

    fn new(
        head: Head,
        rest: Box<dyn Read + Send>,
        content: Content,
        compressed: Option<&'static str>,
        taken: Arc<AtomicU64>,
    ) -> Self {
        let beginning = &head.bytes[..head.bytes.len().min(Head::LENGTH)];
        let is_text = content == Content::Text;
        Source {
            doubt: is_text.then(|| Doubt::of(beginning)).flatten(),
            reader: Box::new(Cursor::new(head.bytes).chain(rest)),
            content,
            compressed,
            file: None,
            length: 0,
            taken,
        }
    }

    /// The content after decompression; never a compression, and never refused.
    pub(super) fn content(&self) -> Content {
        self.content
    }

    /// Why its text may be something else.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Bytes read from the file or stream, before decompression.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Size of the file in bytes; 0 for a stream.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether it is a regular file whose bytes are the text.
    pub(super) fn is_plain_file(&self) -> bool {
        self.compressed.is_none() && self.file.is_some()
    }

    /// Appends up to `most` bytes to `buffer`. Fewer were read only if the stream ends there.
    pub(super) fn read(
        &mut self,
        most: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<usize, DocumentError> {
        let read = self.reader.by_ref().take(most as u64).read_to_end(buffer);
        let read = read.map_err(|error| match self.compressed {
            Some(format) => DocumentError::Compressed { format, error },
            None => error.into(),
        })?;
        if read < most {
            self.check_length()?;
        }
        Ok(read)
    }

    /// Fails if the file ended earlier than when it was opened. Files of the kernel may have another
    /// length than they report.
    fn check_length(&self) -> Result<(), DocumentError> {
        let Some(path) = self.file.as_ref().filter(|_| self.is_plain_file()) else {
            return Ok(());
        };
        let (taken, length) = (self.taken(), self.length);
        if taken >= length || path.metadata().is_ok_and(|now| now.len() == length) {
            return Ok(());
        }
        let message = format!("cut short while it was read: {taken} of {length} bytes");
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, message).into())
    }

    /// The texts in a column of the table that it is.
    #[cfg(feature = "parquet")]
    pub(super) fn into_table(
        mut self,
        column: &str,
        threads: usize,
    ) -> Result<table::Rows, DocumentError> {
        match &self.file {
            Some(path) => table::of_file(File::open(path)?, column, threads),
            None => {
                // The description of a table stands at its end.
                let mut bytes = Vec::new();
                self.reader.read_to_end(&mut bytes)?;
                table::open(bytes::Bytes::from(bytes), column, threads)
            }
        }
    }
}

/// The first bytes of a stream, as many as decide what it holds, if there are so many.
fn read_head(stream: &mut impl Read) -> io::Result<Head> {
    let mut head = Head {
        bytes: Vec::new(),
        is_all: false,
    };
    for length in [Head::LENGTH, Head::LONGEST] {
        let missing = (length - head.bytes.len()) as u64;
        stream.take(missing).read_to_end(&mut head.bytes)?;
        head.is_all = head.bytes.len() < length;
        if !head.is_too_short() {
            break;
        }
    }
    Ok(head)
}

/// More bytes than a header of ids has, unless it lists very many inputs.
const LONGEST_HEADER: u64 = 1 << 24;

/// Whether a file holds ids, or is the index of such a file: known by the header beside them.
fn is_written_by_encode(path: &Path) -> bool {
    let is_index = path.extension().is_some_and(|end| end == "index");
    header_of_ids(path).is_some()
        || is_index
            && header_of_ids(&path.with_extension("")).is_some_and(|header| {
                let name = header.get("document_ends").and_then(Value::as_str);
                name.is_some() && name == path.file_name().and_then(|name| name.to_str())
            })
}

/// The header beside the file at `path`. It is a file of its own right, which is looked at where it is
/// read.
fn header_of_ids(path: &Path) -> Option<Value> {
    let mut name = OsString::from(path);
    name.push(".json");
    let mut bytes = Vec::new();
    let file = File::open(PathBuf::from(name)).ok()?;
    file.take(LONGEST_HEADER).read_to_end(&mut bytes).ok()?;
    let header: Value = serde_json::from_slice(&bytes).ok()?;
    let is_ours = header.get("program")?.as_str()?.starts_with("tokenizer ");
    let mut fields = ["format", "tokens", "model_sha256"].iter();
    (is_ours && fields.all(|name| header.get(name).is_some())).then_some(header)
}

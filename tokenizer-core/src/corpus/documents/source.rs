//! An input as plain bytes: opened, looked at, decompressed.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DocumentError;
use crate::corpus::content::Content;

/// A stream of plain bytes, and what it is known to hold.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    content: Content,
    /// How it was compressed.
    compressed: Option<&'static str>,
    /// What it was opened from, if that is a regular file.
    file: Option<PathBuf>,
}

/// Bytes that a decompressor is given at a time.
const BUFFER: usize = 1 << 18;

impl Source {
    pub(super) fn of_file(path: &Path) -> Result<Self, DocumentError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let mut source = Self::of_stream(Box::new(file), Some(path))?;
        source.file = metadata.is_file().then(|| path.to_owned());
        Ok(source)
    }

    /// A stream, and its name if it has one.
    pub(super) fn of_stream(
        mut stream: Box<dyn Read + Send>,
        name: Option<&Path>,
    ) -> Result<Self, DocumentError> {
        let head = take_head(&mut stream)?;
        let content = Content::of(&head, name);
        let stream = Cursor::new(head).chain(stream);
        let (format, mut reader): (_, Box<dyn Read + Send>) = match content {
            Content::Gzip => {
                let stream = io::BufReader::with_capacity(BUFFER, stream);
                ("gzip", Box::new(MultiGzDecoder::new(stream)))
            }
            Content::Zstd => {
                let stream = io::BufReader::with_capacity(BUFFER, stream);
                let decoder = zstd::stream::read::Decoder::with_buffer(stream)?;
                ("Zstandard", Box::new(decoder))
            }
            _ => {
                return Ok(Source {
                    reader: Box::new(stream),
                    content,
                    compressed: None,
                    file: None,
                });
            }
        };
        let head =
            take_head(&mut reader).map_err(|error| DocumentError::Compressed { format, error })?;
        let stem = name.map(without_compression);
        let content = match Content::of(&head, stem.as_deref()) {
            content @ (Content::Text | Content::JsonLines) => content,
            Content::Parquet => {
                let message = format!("a Parquet table inside of {format} cannot be read");
                return Err(DocumentError::Table(message));
            }
            // Compressed twice: what is inside is text to us, and no one means that.
            _ => {
                let error = io::Error::other("it is compressed twice");
                return Err(DocumentError::Compressed { format, error });
            }
        };
        Ok(Source {
            reader: Box::new(Cursor::new(head).chain(reader)),
            content,
            compressed: Some(format),
            file: None,
        })
    }

    /// What it holds once it is decompressed.
    pub(super) fn content(&self, json_lines: bool) -> Content {
        match self.content {
            Content::Text if json_lines => Content::JsonLines,
            content => content,
        }
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
        read.map_err(|error| match self.compressed {
            Some(format) => DocumentError::Compressed { format, error },
            None => error.into(),
        })
    }

    /// The table that it is.
    #[cfg(feature = "parquet")]
    pub(super) fn into_table(
        mut self,
        column: &str,
        threads: usize,
    ) -> Result<super::table::TextColumn, DocumentError> {
        match &self.file {
            Some(path) => super::table::TextColumn::of_file(File::open(path)?, column, threads),
            None => {
                // The description of a table stands at its end.
                let mut bytes = Vec::new();
                self.reader.read_to_end(&mut bytes)?;
                super::table::TextColumn::open(bytes::Bytes::from(bytes), column, threads)
            }
        }
    }
}

/// The first bytes of a stream, as many as decide what it holds, if there are so many.
fn take_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    stream.take(Content::HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// `a.jsonl` of `a.jsonl.gz`.
fn without_compression(name: &Path) -> PathBuf {
    match name.extension().and_then(|end| end.to_str()) {
        Some("gz" | "gzip" | "zst" | "zstd") => name.with_extension(""),
        _ => name.to_owned(),
    }
}

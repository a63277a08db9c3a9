//! Reads documents from files and streams: plain text and JSON lines, also compressed with gzip or
//! Zstandard, and Parquet tables.
//!
//! ```text
//! file or stream ──decompress──▶ blocks ──▶ documents, or parts of them
//! ```
//!
//! The kind of input is detected: see [`content`](super::content).
//!
//! **Bounded memory.** Plain text and JSON lines are read in blocks of about 1 MiB. A longer text that is one
//! document is returned in parts ([`Stretch`]). It is cut at boundaries where the pattern
//! ([`DocumentOptions::cut`]) splits whatever follows, so that the parts have the same pieces as the whole. A
//! text without such a boundary, or any other long document, is held in memory: up to 1 GiB for compressed
//! files and streams, since a decompression bomb must not exhaust memory, and without limit for uncompressed
//! files. Tables are read in batches of rows; one in a stream is held in memory, since its metadata is at its
//! end.
//!
//! **No document is skipped.** A line without the field and a null in a table are errors that name the line
//! or row. Truncated compressed data, and a file that is truncated while it is read, are errors too.

mod blocks;
mod doubt;
mod error;
mod json;
mod options;
mod place;
mod source;
#[cfg(feature = "parquet")]
mod table;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memmem, memrchr};

pub use self::doubt::{Doubt, Look};
pub use self::error::DocumentError;
pub use self::options::{DocumentOptions, Units};
pub use self::place::{Place, Stretch, Unit};

use self::blocks::Blocks;
use self::place::Ends;
use self::source::Source;
use super::content::Content;

/// An iterator over the documents of an input, in order. It ends after the first error.
///
/// ```
/// use tokenizer_core::corpus::{DocumentOptions, Documents, ReadAs};
///
/// let lines = &b"{\"text\": \"first\"}\n{\"text\": \"second\", \"id\": 2}\n"[..];
/// let options = DocumentOptions::default().read_as(ReadAs::JsonLines);
/// let mut documents = Documents::of_stream(lines, &options)?;
/// assert_eq!(documents.next().unwrap()?.as_ref(), b"first");
/// assert_eq!(documents.next().unwrap()?.as_ref(), b"second");
/// assert!(documents.next().is_none());
/// # Ok::<(), tokenizer_core::corpus::DocumentError>(())
/// ```
pub struct Documents {
    reader: Reader,
    options: DocumentOptions,
    doubt: Option<Doubt>,
    /// The current block.
    bytes: Arc<Vec<u8>>,
    /// The offset in the block where the next document begins.
    at: usize,
    /// Ends of documents in the block; empty for lines and separated text, where separators are searched
    /// for instead.
    ends: Ends,
    /// In plain text, the number of documents before `at`; in JSON lines, the number of lines up to the end
    /// of the block.
    number: u64,
    /// For a document in several parts: bytes before the current part.
    offset: u64,
    /// Whether the current block contains the end of its last document.
    ends_document: bool,
    /// Size of the file in bytes; 0 for a stream.
    length: u64,
    position: u64,
    done: bool,
}

enum Reader {
    Text(Blocks),
    JsonLines(Blocks),
    #[cfg(feature = "parquet")]
    Table(table::Rows),
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

/// Text that follows can reveal a boundary only within this many bytes before the end of a text.
const UNSETTLED: usize = 16;

impl Documents {
    /// Inspects the beginning of the file at `path`. Returns `None` for pipes and devices, which can be
    /// read only once.
    ///
    /// # Errors
    /// If the file cannot be opened or decompressed, or its content is refused.
    pub fn look(path: &Path, options: &DocumentOptions) -> Result<Option<Look>, DocumentError> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Ok(None);
        }
        let source = Source::of_file(path, options.read_as)?;
        Ok(Some(Look {
            is_plain_text: source.is_plain_file() && source.content() == Content::Text,
            doubt: source.doubt(),
        }))
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be read, its content is refused, or it is a Parquet table, by its name or
    /// first bytes, that is invalid or lacks the column.
    pub fn of_file(path: &Path, options: &DocumentOptions) -> Result<Self, DocumentError> {
        Self::of_source(Source::of_file(path, options.read_as)?, options)
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// If the stream cannot be read, its content is refused, or it begins like a Parquet table but is
    /// invalid or lacks the column.
    pub fn of_stream(
        stream: impl Read + Send + 'static,
        options: &DocumentOptions,
    ) -> Result<Self, DocumentError> {
        let source = Source::of_stream(Box::new(stream), None, options.read_as)?;
        Self::of_source(source, options)
    }

    fn of_source(source: Source, options: &DocumentOptions) -> Result<Self, DocumentError> {
        let (doubt, length) = (source.doubt(), source.length());
        let reader = match source.content() {
            Content::JsonLines => Reader::JsonLines(Blocks::new(source)),
            Content::Text => Reader::Text(Blocks::new(source)),
            #[cfg(feature = "parquet")]
            Content::Parquet => Reader::Table(source.into_table(&options.column, options.threads)?),
            _ => return Err(DocumentError::NotBuilt),
        };
        Ok(Documents {
            reader,
            options: options.clone(),
            doubt,
            bytes: Arc::default(),
            at: 0,
            ends: Ends::new(),
            number: 0,
            offset: 0,
            ends_document: true,
            length,
            position: 0,
            done: false,
        })
    }

    /// A sign that the input is not text, if there is one.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// The number of bytes of the input that have been read, for a progress bar. For a compressed input these
    /// are compressed bytes. For a table it is the size of the file times the fraction of rows read, or 0 if
    /// the table is a stream. It includes the whole current block, which usually has about a megabyte.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next block. Returns `false` at the end of the input.
    fn read_block(&mut self) -> Result<bool, DocumentError> {
        let number = self.number + 1;
        let read = match &mut self.reader {
            Reader::Text(blocks) => match self.options.units.separator() {
                Some(separator) => {
                    let cut = |text: &[u8], searched| after_last(separator, text, searched);
                    let block = blocks.next(cut, self.options.units.unit(number))?;
                    block.map(|(bytes, _)| (bytes, Ends::new()))
                }
                None => {
                    let cut = |text: &[u8], searched: usize| {
                        // The last search could not confirm boundaries near the end of what had been read.
                        let from = searched.saturating_sub(UNSETTLED);
                        self.options.cut.as_ref()?.last_settled_cut(text, from)
                    };
                    self.offset += self.bytes.len() as u64;
                    blocks.next(cut, Unit::Whole)?.map(|(bytes, is_last)| {
                        self.ends_document = is_last;
                        let ends = Ends::from([(bytes.len(), Unit::Whole)]);
                        (bytes, ends)
                    })
                }
            },
            Reader::JsonLines(blocks) => {
                let cut = |text: &[u8], searched| after_last(b"\n", text, searched);
                match blocks.next(cut, Unit::Line(number))? {
                    Some((mut lines, _)) => {
                        if self.options.repair_surrogates {
                            json::repair_surrogates(&mut lines);
                        }
                        Some(json::texts(&lines, &self.options.field, &mut self.number)?)
                    }
                    None => None,
                }
            }
            #[cfg(feature = "parquet")]
            Reader::Table(rows) => rows.batches.next().transpose()?,
        };
        self.position = match &self.reader {
            Reader::Text(blocks) | Reader::JsonLines(blocks) => blocks.taken(),
            #[cfg(feature = "parquet")]
            Reader::Table(rows) => match read.as_ref().and_then(|(_, ends)| ends.back()) {
                Some(&(_, Unit::Row(row))) => {
                    let share = row as f64 / rows.total.max(row) as f64;
                    (self.length as f64 * share) as u64
                }
                _ => self.length,
            },
        };
        let has_block = read.is_some();
        if let Some((bytes, ends)) = read {
            (self.bytes, self.at, self.ends) = (Arc::new(bytes), 0, ends);
        }
        Ok(has_block)
    }

    /// The next document, or part of one, in the current block.
    fn next_in_block(&mut self) -> Option<Stretch> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let (length, consumed, unit) = match self.ends.pop_front() {
            Some((end, unit)) => (end - start, end - start, unit),
            None => {
                let separator = self.options.units.separator()?;
                if rest.is_empty() {
                    return None;
                }
                self.number += 1;
                let found = match separator {
                    [byte] => memchr(*byte, rest),
                    _ => memmem::find(rest, separator),
                };
                let length = found.unwrap_or(rest.len());
                let consumed = rest.len().min(length + separator.len());
                (length, consumed, self.options.units.unit(self.number))
            }
        };
        self.at += consumed;
        Some(Stretch {
            bytes: Arc::clone(&self.bytes),
            span: start..start + length,
            place: Place {
                unit,
                offset: self.offset,
            },
            ends_document: self.ends_document,
        })
    }
}

/// The end of the last separator in `text`, whose first `searched` bytes contain none. Separators of
/// several bytes are searched for from the left: of two overlapping occurrences, only the first separates.
fn after_last(separator: &[u8], text: &[u8], searched: usize) -> Option<usize> {
    let last = match separator {
        [byte] => searched + memrchr(*byte, &text[searched..])?,
        _ => memmem::find_iter(text, separator).last()?,
    };
    Some(last + separator.len())
}

impl Iterator for Documents {
    type Item = Result<Stretch, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(stretch) = self.next_in_block() {
                return Some(Ok(stretch));
            }
            if self.done {
                return None;
            }
            match self.read_block() {
                Ok(has_block) => self.done = !has_block,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Documents out of files and streams: whole texts, lines, JSON lines, rows of Parquet, gzip and
//! Zstandard.
//!
//! ```text
//! file or stream ──decompress──▶ blocks ──▶ documents, or stretches of them
//! ```
//!
//! The first bytes decide between compression, tables, containers that are refused, and text; the
//! name, without the extension of a compression, whether text is JSON lines: see
//! [`content`](super::content).
//!
//! **Memory does not grow with the corpus.** A megabyte is read at a time. A document that is
//! longer than that comes in stretches, cut where the pattern certainly splits
//! ([`DocumentOptions::cut`]), so that splitting each gives the pieces of the whole. Without a
//! pattern, or where it says of no place that it certainly splits, a document is held whole, but not
//! above a gibibyte unless it is a plain file: a compressed file of a few kilobytes may hold more than
//! a machine.
//!
//! **Nothing is skipped.** A line without the field, a null, a stream that is cut short: each is an
//! error that names the line or the row. A plain file that is cut short while it is read is one too.

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

/// The documents of one input, in their order. After an error there are no more.
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
    /// What was read last, and where in it the next document begins.
    bytes: Arc<Vec<u8>>,
    at: usize,
    /// Where documents end in it; a text in which they are separated is looked through instead.
    ends: Ends,
    /// How many documents, or lines, there were before what is read next.
    number: u64,
    /// Of a document in stretches, the bytes before this one, and whether it is the last.
    offset: u64,
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

/// More bytes than the end of a text has in which a cut may turn out to be one when more text comes.
const UNSETTLED: usize = 16;

impl Documents {
    /// Looks at the beginning of the file at `path`. `None` for pipes and devices, which could be read
    /// only once.
    ///
    /// # Errors
    /// When it cannot be opened or decompressed, or its content is refused.
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

    /// The documents of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, its content is refused, or it is not a table although it is named or
    /// begins as one.
    pub fn of_file(path: &Path, options: &DocumentOptions) -> Result<Self, DocumentError> {
        Self::of_source(Source::of_file(path, options.read_as)?, options)
    }

    /// The documents of a stream.
    ///
    /// # Errors
    /// When it cannot be read, its content is refused, or it begins as a table and is not one.
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

    /// Why the text may be something else.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// How many bytes of the input have been read, for a progress bar: of a compressed file, compressed
    /// bytes; of a table, its size times the share of rows that were read, or 0 if it is a stream. Runs
    /// ahead of the documents that were returned by up to a megabyte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next block. `false` when there is none.
    fn read(&mut self) -> Result<bool, DocumentError> {
        let number = self.number + 1;
        let read = match &mut self.reader {
            Reader::Text(blocks) => match self.options.units.separator() {
                Some(separator) => {
                    let cut = |text: &[u8], searched| behind_last(separator, text, searched);
                    let block = blocks.next(cut, self.options.units.unit(number))?;
                    block.map(|(bytes, _)| (bytes, Ends::new()))
                }
                None => {
                    let cut = |text: &[u8], searched: usize| {
                        // The last characters were not settled yet.
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
                let cut = |text: &[u8], searched| behind_last(b"\n", text, searched);
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
        let is_read = read.is_some();
        if let Some((bytes, ends)) = read {
            (self.bytes, self.at, self.ends) = (Arc::new(bytes), 0, ends);
        }
        Ok(is_read)
    }

    /// The next document of those that were read.
    fn next_ready(&mut self) -> Option<Stretch> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let (length, behind, unit) = match self.ends.pop_front() {
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
                let behind = rest.len().min(length + separator.len());
                (length, behind, self.options.units.unit(self.number))
            }
        };
        self.at += behind;
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

/// Where the document behind the last separator begins, if one ends behind what was searched. Longer
/// separators are looked for from the left: of two that overlap, the second is none.
fn behind_last(separator: &[u8], text: &[u8], searched: usize) -> Option<usize> {
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
            if let Some(stretch) = self.next_ready() {
                return Some(Ok(stretch));
            }
            if self.done {
                return None;
            }
            match self.read() {
                Ok(is_read) => self.done = !is_read,
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

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
mod json;
mod source;
#[cfg(feature = "parquet")]
mod table;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memmem};

use self::blocks::Blocks;
use self::source::Source;
use super::content::{Content, ReadAs, Refused};
use crate::pattern::Pattern;

/// How files become documents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DocumentOptions {
    /// What a document is in plain text. Lines of JSON and rows of tables are documents in any case.
    pub units: Units,
    /// Whether text is JSON lines: decided by its beginning and its name, or set.
    pub read_as: ReadAs,
    /// Whether half of a surrogate pair in a JSON string (`"\ud800"`) becomes U+FFFD, as it does by
    /// default. Otherwise it becomes the three bytes that UTF-8 would spell it with, which are not
    /// valid, so that a check for UTF-8 finds them.
    pub repair_surrogates: bool,
    /// The field of a JSON object that holds the text; `text` by default.
    pub field: String,
    /// The column of a table that holds the text; `text` by default. The name of a column within
    /// others is written with dots.
    pub column: String,
    /// By which pattern documents may be cut that are too long to be held at once.
    pub cut: Option<Pattern>,
    /// Threads that read and decompress the rows of a table, each some megabytes ahead; the documents
    /// and their order are the same for any number. 1 by default: they are read where they are taken.
    pub threads: usize,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        DocumentOptions {
            units: Units::Whole,
            read_as: ReadAs::Detect,
            repair_surrogates: true,
            field: "text".to_owned(),
            column: "text".to_owned(),
            cut: None,
            threads: 1,
        }
    }
}

/// What a document is in plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Units {
    /// All of it, every byte.
    #[default]
    Whole,
    /// A line, without the line feed that ends it.
    Lines,
    /// What stands between two of these, and before the first and behind the last, if there is
    /// anything behind it. Must not be empty.
    Separated(Vec<u8>),
}

/// A document, or a stretch of one.
#[derive(Clone, Debug)]
pub struct Stretch {
    bytes: Arc<Vec<u8>>,
    span: Range<usize>,
    /// Where it begins.
    pub place: Place,
    /// Whether its document ends with it.
    pub ends_document: bool,
}

impl AsRef<[u8]> for Stretch {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.span.clone()]
    }
}

/// A place in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The document.
    pub unit: Unit,
    /// Bytes of the document before the place.
    pub offset: u64,
}

/// A document of an input. Numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// The whole input.
    Whole,
    /// A line.
    Line(u64),
    /// A row of a table.
    Row(u64),
    /// What stands between separators.
    Document(u64),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Whole => f.write_str("the text"),
            Unit::Line(number) => write!(f, "line {number}"),
            Unit::Row(number) => write!(f, "row {number}"),
            Unit::Document(number) => write!(f, "document {number}"),
        }
    }
}

/// No documents can be had from an input, or no more of them. Who reads it knows its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The input could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// What is compressed in it is not right.
    #[error("the {format} data is broken or cut short: {error}")]
    Compressed {
        /// How it is compressed.
        format: &'static str,
        /// What the decompressor says.
        error: io::Error,
    },
    /// The content cannot be read.
    #[error("{0}")]
    Refused(Refused),
    /// A line is not a JSON object with the text in its field.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        column: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A table does not hold documents.
    #[error("{0}")]
    Table(String),
    /// A row of a table holds no text.
    #[error("row {row}: the column {column:?} is null there")]
    Null {
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
    },
    /// A document, or a line with one, is too long to be held, and there is no place to cut it.
    #[error(
        "{unit} is longer than {} bytes, and there is no place to cut it",
        blocks::LONGEST
    )]
    TooLong {
        /// Which one.
        unit: Unit,
    },
    /// The crate was built without this format.
    #[error("this program was built without the format")]
    NotBuilt,
}

impl From<Refused> for DocumentError {
    fn from(refused: Refused) -> Self {
        DocumentError::Refused(refused)
    }
}

/// The result of a look at the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// Whether its bytes are the text: it is not compressed, and neither JSON lines nor a table.
    pub is_plain_text: bool,
    /// Why its text may be something else.
    pub doubt: Option<Doubt>,
}

/// Why a text may be something else, by its first 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// There is a NUL byte.
    Nul {
        /// Bytes before the first.
        offset: usize,
    },
    /// More than three in ten characters are not UTF-8; a maximal invalid sequence is one.
    NotUtf8 {
        /// How many are not.
        invalid: usize,
        /// Of how many.
        characters: usize,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Nul { offset } => write!(f, "may not be text: NUL at byte {offset}"),
            Doubt::NotUtf8 {
                invalid,
                characters,
            } => write!(
                f,
                "may not be text: {invalid} of the first {characters} characters are not UTF-8"
            ),
        }
    }
}

impl Doubt {
    fn of(beginning: &[u8]) -> Option<Self> {
        if let Some(offset) = memchr(0, beginning) {
            return Some(Doubt::Nul { offset });
        }
        let (mut characters, mut invalid) = (0, 0);
        for chunk in beginning.utf8_chunks() {
            characters += chunk.valid().chars().count();
            invalid += usize::from(!chunk.invalid().is_empty());
        }
        characters += invalid;
        (10 * invalid > 3 * characters).then_some(Doubt::NotUtf8 {
            invalid,
            characters,
        })
    }
}

/// The documents of one input, in their order. After an error there are no more.
///
/// ```
/// use tokenizer_core::corpus::{DocumentOptions, Documents, ReadAs};
///
/// let lines = &b"{\"text\": \"first\"}\n{\"text\": \"second\", \"id\": 2}\n"[..];
/// let mut options = DocumentOptions::default();
/// options.read_as = ReadAs::JsonLines;
/// let mut documents = Documents::of_stream(lines, &options)?;
/// assert_eq!(documents.next().unwrap()?.as_ref(), b"first");
/// assert_eq!(documents.next().unwrap()?.as_ref(), b"second");
/// assert!(documents.next().is_none());
/// # Ok::<(), tokenizer_core::corpus::DocumentError>(())
/// ```
#[derive(Debug)]
pub struct Documents {
    reader: Reader,
    cut: Option<Pattern>,
    units: Units,
    field: String,
    repair_surrogates: bool,
    doubt: Option<Doubt>,
    /// Documents that were read already.
    ready: Ready,
    /// How many documents, or lines, there were before what is read next.
    number: u64,
    /// Bytes of the document under way that were given.
    offset: u64,
    done: bool,
}

enum Reader {
    Text(Blocks),
    JsonLines(Blocks),
    #[cfg(feature = "parquet")]
    Table(Box<table::TextColumn>),
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reader::Text(_) => "Text",
            Reader::JsonLines(_) => "JsonLines",
            #[cfg(feature = "parquet")]
            Reader::Table(_) => "Table",
        })
    }
}

/// More bytes than the end of a text has in which a cut may turn out to be one when more text comes.
const UNSETTLED: usize = 16;

/// Bytes that were read, and where in them the next document begins.
#[derive(Debug)]
struct Ready {
    bytes: Arc<Vec<u8>>,
    at: usize,
    cut: Cut,
}

/// How documents stand in the bytes that were read.
#[derive(Debug)]
enum Cut {
    /// They are used up.
    Nothing,
    /// All of them are one document, or a stretch of one that ends or goes on.
    One {
        ends: bool,
    },
    /// The block is looked through for the ends of documents, which the last one has not where the
    /// input ends.
    Lines,
    Separated,
    Listed(Ends),
}

impl Cut {
    /// The cut of a block of text, which the input ends with if `is_last`.
    fn of(units: &Units, is_last: bool) -> Self {
        match units {
            Units::Whole => Cut::One { ends: is_last },
            Units::Lines => Cut::Lines,
            Units::Separated(_) => Cut::Separated,
        }
    }
}

/// Where documents end, and which they are.
type Ends = VecDeque<(usize, Unit)>;

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
        let doubt = source.doubt();
        let reader = match source.content() {
            Content::JsonLines => Reader::JsonLines(Blocks::new(source)),
            Content::Text => Reader::Text(Blocks::new(source)),
            #[cfg(feature = "parquet")]
            Content::Parquet => Reader::Table(Box::new(
                source.into_table(&options.column, options.threads)?,
            )),
            _ => return Err(DocumentError::NotBuilt),
        };
        Ok(Self::new(reader, doubt, options))
    }

    /// Why the text may be something else.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    fn new(reader: Reader, doubt: Option<Doubt>, options: &DocumentOptions) -> Self {
        Documents {
            reader,
            cut: options.cut.clone(),
            units: options.units.clone(),
            field: options.field.clone(),
            repair_surrogates: options.repair_surrogates,
            doubt,
            ready: Ready {
                bytes: Arc::default(),
                at: 0,
                cut: Cut::Nothing,
            },
            number: 0,
            offset: 0,
            done: false,
        }
    }

    /// Reads the next block. `false` when there is none.
    fn read(&mut self) -> Result<bool, DocumentError> {
        let (bytes, cut) = match &mut self.reader {
            Reader::Text(blocks) => {
                let too_long = |unit: Unit| move || DocumentError::TooLong { unit };
                let number = self.number + 1;
                let block = match &self.units {
                    Units::Whole => blocks.next(
                        // The last characters were not settled yet.
                        |text, searched| {
                            let from = searched.saturating_sub(UNSETTLED);
                            self.cut.as_ref()?.last_settled_cut(text, from)
                        },
                        too_long(Unit::Whole),
                    )?,
                    Units::Lines => blocks.next(behind_last_line, too_long(Unit::Line(number)))?,
                    Units::Separated(separator) => blocks.next(
                        |text, _| behind_last(separator, text),
                        too_long(Unit::Document(number)),
                    )?,
                };
                let Some((bytes, is_last)) = block else {
                    return Ok(false);
                };
                (bytes, Cut::of(&self.units, is_last))
            }
            Reader::JsonLines(blocks) => {
                let unit = Unit::Line(self.number + 1);
                let block = blocks.next(behind_last_line, || DocumentError::TooLong { unit })?;
                let Some((mut lines, _)) = block else {
                    return Ok(false);
                };
                if self.repair_surrogates {
                    json::repair_surrogates(&mut lines);
                }
                let (texts, ends) = json::texts(&lines, &self.field, &mut self.number)?;
                (texts, Cut::Listed(ends))
            }
            #[cfg(feature = "parquet")]
            Reader::Table(table) => match table.read()? {
                Some((texts, ends)) => (texts, Cut::Listed(ends)),
                None => return Ok(false),
            },
        };
        self.ready = Ready {
            bytes: Arc::new(bytes),
            at: 0,
            cut,
        };
        Ok(true)
    }

    /// The next document of those that were read.
    fn next_ready(&mut self) -> Option<Stretch> {
        let Ready { bytes, at, cut } = &mut self.ready;
        let start = *at;
        let rest = &bytes[start..];
        let mut stretch = |length: usize, behind: usize, unit| {
            *at = start + behind;
            Stretch {
                bytes: Arc::clone(bytes),
                span: start..start + length,
                place: Place { unit, offset: 0 },
                ends_document: true,
            }
        };
        match cut {
            Cut::Nothing => None,
            Cut::One { ends } => {
                let mut stretch = stretch(rest.len(), rest.len(), Unit::Whole);
                stretch.place.offset = self.offset;
                stretch.ends_document = *ends;
                self.offset += rest.len() as u64;
                *cut = Cut::Nothing;
                Some(stretch)
            }
            Cut::Lines | Cut::Separated if rest.is_empty() => None,
            Cut::Lines => {
                self.number += 1;
                let line = memchr(b'\n', rest).unwrap_or(rest.len());
                let behind = rest.len().min(line + 1);
                Some(stretch(line, behind, Unit::Line(self.number)))
            }
            Cut::Separated => {
                let Units::Separated(separator) = &self.units else {
                    return None;
                };
                self.number += 1;
                let unit = Unit::Document(self.number);
                Some(match memmem::find(rest, separator) {
                    Some(length) => stretch(length, length + separator.len(), unit),
                    None => stretch(rest.len(), rest.len(), unit),
                })
            }
            Cut::Listed(ends) => {
                let (end, unit) = ends.pop_front()?;
                Some(stretch(end - start, end - start, unit))
            }
        }
    }
}

/// Where the line behind the last one that is complete begins, if one ends behind what was searched.
fn behind_last_line(text: &[u8], searched: usize) -> Option<usize> {
    Some(searched + memchr::memrchr(b'\n', &text[searched..])? + 1)
}

/// Where the document behind the last separator begins. They are looked for from the left: of two
/// that overlap, the second is none.
fn behind_last(separator: &[u8], text: &[u8]) -> Option<usize> {
    Some(memmem::find_iter(text, separator).last()? + separator.len())
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
                Ok(true) => {}
                Ok(false) => self.done = true,
                Err(error) => {
                    self.done = true;
                    self.ready.cut = Cut::Nothing;
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

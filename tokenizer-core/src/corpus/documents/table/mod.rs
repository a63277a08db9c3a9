//! One column of a Parquet table, some thousand rows at a time.
//!
//! ```text
//! table ──▶ stretches of rows ──read, by several threads──▶ batches of texts, in order
//! ```
//!
//! A stretch is a group of rows, or a part of a large one: rows before it are skipped by whole pages,
//! which are not decompressed for it. Each thread reads every so manieth stretch, no further ahead than
//! a few batches, so memory grows with the threads and not with the table.
//!
//! The column may hold strings or bytes, and may be one that could hold nulls, but a null is an
//! error: it is no document. Columns of lists are refused.

mod ahead;
mod shared_file;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::basic::Type as PhysicalType;
use ::parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use self::ahead::Ahead;
use self::shared_file::SharedFile;
use super::{DocumentError, Ends, Unit};

/// Rows that are read together, if they are short: about so many bytes of them are gathered.
const ROWS: usize = 256;
const BYTES: usize = 1 << 20;

/// Parts into which a group is divided at most.
const MOST_PARTS: u64 = 128;

/// Texts one behind the other, and where each ends.
pub(super) type Batch = (Vec<u8>, Ends);

/// A column of texts, read from its beginning to its end.
pub(super) struct TextColumn {
    reading: Reading,
}

enum Reading {
    /// Here, one stretch after another.
    Here {
        column: Column,
        stretches: std::vec::IntoIter<RowStretch>,
        under_way: Option<Box<Rows>>,
    },
    /// By threads that go ahead.
    Ahead(Ahead),
}

/// Some rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RowStretch {
    group: usize,
    /// Rows of the group before it.
    skipped: u64,
    /// How many rows it has.
    rows: u64,
    /// Whether the group ends with it.
    ends_group: bool,
    /// Rows of the table before it.
    before: u64,
}

impl TextColumn {
    /// Looks at the form of a table in a file.
    pub(super) fn of_file(file: File, name: &str, threads: usize) -> Result<Self, DocumentError> {
        Self::open(SharedFile::new(file)?, name, threads)
    }

    /// Looks at the form of a table.
    pub(super) fn open(
        file: impl ChunkReader + 'static,
        name: &str,
        threads: usize,
    ) -> Result<Self, DocumentError> {
        let column = Column::open(file, name)?;
        let stretches = column.stretches(threads > 1);
        let ahead = match threads.min(stretches.len()) {
            0 | 1 => None,
            // Where a limit of the system allows no thread, this one reads.
            threads => Ahead::new(&column, &stretches, threads).ok(),
        };
        let here = || Reading::Here {
            column,
            stretches: stretches.into_iter(),
            under_way: None,
        };
        let reading = ahead.map_or_else(here, Reading::Ahead);
        Ok(TextColumn { reading })
    }

    /// The texts of the next rows; `None` behind the last. There is nothing behind an error.
    pub(super) fn read(&mut self) -> Result<Option<Batch>, DocumentError> {
        match &mut self.reading {
            Reading::Ahead(ahead) => ahead.next(),
            Reading::Here {
                column,
                stretches,
                under_way,
            } => loop {
                if let Some(rows) = under_way
                    && let Some(batch) = rows.read()?
                {
                    return Ok(Some(batch));
                }
                match stretches.next() {
                    Some(stretch) => *under_way = Some(Box::new(column.rows(stretch)?)),
                    None => return Ok(None),
                }
            },
        }
    }
}

/// A column of an open table. Clones read the same table at the same time.
#[derive(Clone)]
struct Column {
    reader: Arc<dyn FileReader>,
    name: Arc<str>,
    place: usize,
    /// The highest level of definition: below it, a value is null.
    defined: i16,
}

impl Column {
    fn open(file: impl ChunkReader + 'static, name: &str) -> Result<Self, DocumentError> {
        let length = file.len();
        let reader = guarded(|| SerializedFileReader::new(file))?;
        let metadata = reader.metadata();
        let columns = metadata.file_metadata().schema_descr().columns();
        let found = columns
            .iter()
            .position(|column| column.path().string() == name);
        let Some(place) = found else {
            let names: Vec<String> = columns
                .iter()
                .map(|column| column.path().string())
                .collect();
            let names = names.join(", ");
            let message = format!("there is no column {name:?}; there are: {names}");
            return Err(DocumentError::Table(message));
        };
        let column = &columns[place];
        if column.physical_type() != PhysicalType::BYTE_ARRAY || column.max_rep_level() > 0 {
            let message = format!("the column {name:?} does not hold one text in each row");
            return Err(DocumentError::Table(message));
        }
        // The reader trusts these numbers, and would panic or ask for memory.
        let is_inside = |group: usize| {
            let column = metadata.row_group(group).column(place);
            let first = column.data_page_offset();
            let start = column
                .dictionary_page_offset()
                .map_or(first, |d| d.min(first));
            let start = u64::try_from(start).ok();
            let size = u64::try_from(column.compressed_size()).ok();
            let end = start
                .zip(size)
                .and_then(|(start, size)| start.checked_add(size));
            end.is_some_and(|end| end <= length)
        };
        if !(0..metadata.num_row_groups()).all(is_inside) {
            let message = "the Parquet table is cut short: a column lies outside of it".to_owned();
            return Err(DocumentError::Table(message));
        }
        Ok(Column {
            defined: column.max_def_level(),
            reader: Arc::new(reader),
            name: name.into(),
            place,
        })
    }

    /// All rows of the table. If `divided`, large groups are, into parts of about equally many rows.
    fn stretches(&self, divided: bool) -> Vec<RowStretch> {
        let metadata = self.reader.metadata();
        let mut before = 0;
        let mut stretches = Vec::new();
        for group in 0..metadata.num_row_groups() {
            let group_metadata = metadata.row_group(group);
            let rows = u64::try_from(group_metadata.num_rows()).unwrap_or(0);
            let parts = match divided {
                true => self.parts(group_metadata).clamp(1, rows.max(1)),
                false => 1,
            };
            let each = rows.div_ceil(parts).max(1);
            let mut skipped = 0;
            loop {
                let ends_group = rows - skipped <= each;
                let taken = each.min(rows - skipped);
                stretches.push(RowStretch {
                    group,
                    skipped,
                    rows: taken,
                    ends_group,
                    before: before + skipped,
                });
                skipped += taken;
                if ends_group {
                    break;
                }
            }
            before = rows.saturating_add(before);
        }
        stretches
    }

    /// Into how many parts a group is divided: each is a few batches, but there are not many, since
    /// for each of them the heads of all pages before it are read.
    fn parts(&self, group: &RowGroupMetaData) -> u64 {
        let bytes = group.column(self.place).uncompressed_size();
        let bytes = u64::try_from(bytes).unwrap_or(0);
        (bytes / (4 * BYTES as u64)).min(MOST_PARTS)
    }

    /// Begins to read a stretch of rows.
    fn rows(&self, stretch: RowStretch) -> Result<Rows, DocumentError> {
        let skipped = usize::try_from(stretch.skipped).unwrap_or(usize::MAX);
        let (reader, was_skipped) = guarded(|| {
            let group = self.reader.get_row_group(stretch.group)?;
            let reader = group.get_column_reader(self.place)?;
            let mut reader = get_typed_column_reader::<ByteArrayType>(reader);
            let was_skipped = match skipped {
                0 => 0,
                rows => reader.skip_records(rows)?,
            };
            Ok((reader, was_skipped))
        })?;
        if was_skipped < skipped {
            return Err(too_few_rows());
        }
        Ok(Rows {
            column: self.clone(),
            reader,
            left: stretch.rows,
            ends_group: stretch.ends_group,
            number: stretch.before,
            failure: None,
            levels: Vec::new(),
            values: Vec::new(),
        })
    }
}

/// Rows of a stretch that are to be read.
struct Rows {
    column: Column,
    reader: ColumnReaderImpl<ByteArrayType>,
    left: u64,
    ends_group: bool,
    /// Rows of the table before the next one.
    number: u64,
    /// Why nothing is to be read any more.
    failure: Option<DocumentError>,
    levels: Vec<i16>,
    values: Vec<ByteArray>,
}

impl Rows {
    /// The texts of the next rows; `None` behind the last of the stretch. What stands before an error
    /// comes before it.
    fn read(&mut self) -> Result<Option<Batch>, DocumentError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (mut texts, mut ends) = (Vec::new(), Ends::new());
        while texts.len() < BYTES {
            match self.read_some(&mut texts, &mut ends) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) if ends.is_empty() => return Err(failure),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        Ok((!ends.is_empty()).then_some((texts, ends)))
    }

    /// Adds the texts of some rows. `false` when there are no more.
    fn read_some(&mut self, texts: &mut Vec<u8>, ends: &mut Ends) -> Result<bool, DocumentError> {
        // A group is read to its end, whatever it says of itself.
        let wanted = match self.ends_group {
            true => ROWS,
            false => usize::try_from(self.left).unwrap_or(ROWS).min(ROWS),
        };
        if wanted == 0 {
            return Ok(false);
        }
        self.levels.clear();
        self.values.clear();
        let defined = self.column.defined;
        let levels = (defined > 0).then_some(&mut self.levels);
        let (rows, values, _) = guarded(|| {
            self.reader
                .read_records(wanted, levels, None, &mut self.values)
        })?;
        if rows == 0 {
            return match self.left {
                0 => Ok(false),
                _ => Err(too_few_rows()),
            };
        }
        self.left = self.left.saturating_sub(rows as u64);
        let null = match values == rows {
            true => None,
            false => self.levels.iter().position(|&level| level < defined),
        };
        for text in self.values.iter().take(null.unwrap_or(rows)) {
            self.number += 1;
            texts.extend_from_slice(text.data());
            ends.push_back((texts.len(), Unit::Row(self.number)));
        }
        match values == rows {
            true => Ok(true),
            false => Err(DocumentError::Null {
                row: self.number + 1,
                column: self.column.name.to_string(),
            }),
        }
    }
}

fn too_few_rows() -> DocumentError {
    let message = "a group of the Parquet table has fewer rows than it says";
    DocumentError::Table(message.to_owned())
}

/// Calls the Parquet reader, which panics on some broken files; that is an error here. What it had
/// in hand then is not used again.
fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, DocumentError> {
    let message = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => return Ok(read),
        Ok(Err(ParquetError::General(message) | ParquetError::EOF(message))) => message,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the reader met what it did not expect".to_owned(),
    };
    Err(DocumentError::Table(format!(
        "no Parquet that can be read: {message}"
    )))
}

//! A column of a Parquet table, divided into row ranges that are read in batches.

use std::sync::Arc;

use ::parquet::basic::Type as PhysicalType;
use ::parquet::column::reader::get_typed_column_reader;
use ::parquet::data_type::ByteArrayType;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use crate::corpus::documents::error::DocumentError;
use crate::corpus::documents::place::{Ends, Unit};
use crate::format::broken_parquet::{self, ColumnRows, is_inside};

/// Rows per read.
const READ_ROWS: usize = 256;

/// A batch is complete once its texts have this many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// Limit on the number of parts of a row group.
const MAX_PARTS: u64 = 128;

/// The concatenated texts of several rows, and their ends.
pub(super) type Batch = (Vec<u8>, Ends);

/// A range of rows in a row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRange {
    group: usize,
    /// Rows of the group before the range.
    skipped: u64,
    /// The number of rows.
    rows: u64,
    /// Whether the range ends with the group.
    ends_group: bool,
    /// Rows of the table before the range.
    before: u64,
}

/// A column of an open table. Clones read the same table concurrently.
#[derive(Clone)]
pub(super) struct Column {
    reader: Arc<dyn FileReader>,
    name: Arc<str>,
    index: usize,
    /// The maximum definition level; a lower level marks a null.
    max_level: i16,
}

impl Column {
    /// Opens a table and verifies its schema.
    pub(super) fn open(
        file: impl ChunkReader + 'static,
        name: &str,
    ) -> Result<Self, DocumentError> {
        let length = file.len();
        let reader = guarded(|| SerializedFileReader::new(file))?;
        let metadata = reader.metadata();
        let columns = metadata.file_metadata().schema_descr().columns();
        let found = columns
            .iter()
            .position(|column| column.path().string() == name);
        let Some(index) = found else {
            let names: Vec<String> = columns
                .iter()
                .map(|column| column.path().string())
                .collect();
            let names = names.join(", ");
            let message = format!("no column {name:?} (columns: {names})");
            return Err(DocumentError::Column(message));
        };
        let column = &columns[index];
        if column.physical_type() != PhysicalType::BYTE_ARRAY || column.max_rep_level() > 0 {
            let message = format!("column {name:?} does not contain one string per row");
            return Err(DocumentError::Column(message));
        }
        let mut groups = metadata.row_groups().iter();
        if !groups.all(|group| is_inside(group, index, length)) {
            let message = "truncated Parquet table: column outside the file".to_owned();
            return Err(DocumentError::Table(message));
        }
        Ok(Column {
            max_level: column.max_def_level(),
            reader: Arc::new(reader),
            name: name.into(),
            index,
        })
    }

    /// The number of rows that the table declares.
    pub(super) fn declared_rows(&self) -> u64 {
        let rows = self.reader.metadata().file_metadata().num_rows();
        u64::try_from(rows).unwrap_or(0)
    }

    /// Divides all rows of the table into ranges: one per row group or, if `divided`, several of about equal
    /// size for a large row group.
    pub(super) fn row_ranges(&self, divided: bool) -> Vec<RowRange> {
        let metadata = self.reader.metadata();
        let mut before = 0;
        let mut ranges = Vec::new();
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
                ranges.push(RowRange {
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
        ranges
    }

    /// The number of parts of a row group: about one per four batches, with a limit, since each part
    /// reads the headers of all pages before it.
    fn parts(&self, group: &RowGroupMetaData) -> u64 {
        let bytes = group.column(self.index).uncompressed_size();
        let bytes = u64::try_from(bytes).unwrap_or(0);
        (bytes / (4 * BATCH_BYTES as u64)).min(MAX_PARTS)
    }

    /// Reads the texts of a range. If there is an error, the texts before it are returned first.
    pub(super) fn batches(
        &self,
        range: RowRange,
    ) -> impl Iterator<Item = Result<Batch, DocumentError>> + use<> {
        let (rows, failure) = match self.rows(range) {
            Ok(rows) => (Some(rows), None),
            Err(failure) => (None, Some(Err(failure))),
        };
        rows.into_iter().flatten().chain(failure)
    }

    /// Opens the row group of a range and skips the rows before the range.
    fn rows(&self, range: RowRange) -> Result<Rows, DocumentError> {
        let skipped = usize::try_from(range.skipped).unwrap_or(usize::MAX);
        let (reader, was_skipped) = guarded(|| {
            let group = self.reader.get_row_group(range.group)?;
            let reader = group.get_column_reader(self.index)?;
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
            name: Arc::clone(&self.name),
            column: ColumnRows::new(reader, self.max_level),
            left: range.rows,
            ends_group: range.ends_group,
            number: range.before,
            failure: None,
        })
    }
}

/// An iterator over the unread rows of a range.
struct Rows {
    name: Arc<str>,
    column: ColumnRows<ByteArrayType>,
    left: u64,
    ends_group: bool,
    /// Rows of the table before the next one.
    number: u64,
    /// An error to return after the texts before it.
    failure: Option<DocumentError>,
}

impl Iterator for Rows {
    type Item = Result<Batch, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut texts, mut ends) = (Vec::new(), Ends::new());
        while self.failure.is_none() && texts.len() < BATCH_BYTES {
            match self.read_some(&mut texts, &mut ends) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => self.failure = Some(failure),
            }
        }
        match ends.is_empty() {
            true => self.failure.take().map(Err),
            false => Some(Ok((texts, ends))),
        }
    }
}

impl Rows {
    /// Appends the texts of at most [`READ_ROWS`] rows. Returns `false` at the end of the range.
    fn read_some(&mut self, texts: &mut Vec<u8>, ends: &mut Ends) -> Result<bool, DocumentError> {
        // The last range of a group extends to the end of the data, even past the number of rows that the
        // metadata states.
        let limit = match self.ends_group {
            true => READ_ROWS,
            false => usize::try_from(self.left)
                .unwrap_or(READ_ROWS)
                .min(READ_ROWS),
        };
        if limit == 0 {
            return Ok(false);
        }
        let (rows, null) = self.column.read(limit).map_err(unreadable)?;
        if rows == 0 {
            return match self.left {
                0 => Ok(false),
                _ => Err(too_few_rows()),
            };
        }
        self.left = self.left.saturating_sub(rows as u64);
        for text in self.column.values.iter().take(null.unwrap_or(rows)) {
            self.number += 1;
            texts.extend_from_slice(text.data());
            ends.push_back((texts.len(), Unit::Row(self.number)));
        }
        match null {
            None => Ok(true),
            Some(_) => Err(DocumentError::Null {
                row: self.number + 1,
                column: self.name.to_string(),
            }),
        }
    }
}

fn too_few_rows() -> DocumentError {
    let message = "damaged Parquet table: a row group has fewer rows than its metadata states";
    DocumentError::Table(message.to_owned())
}

fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, DocumentError> {
    broken_parquet::guarded(read).map_err(unreadable)
}

fn unreadable(message: String) -> DocumentError {
    DocumentError::Table(format!("invalid Parquet table: {message}"))
}

//! A column of a Parquet table, and the texts of some of its rows.

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

/// Rows that are read together, if they are short: about so many bytes of them are gathered.
const ROWS: usize = 256;
const BYTES: usize = 1 << 20;

/// Parts into which a group is divided at most.
const MOST_PARTS: u64 = 128;

/// Texts one behind the other, and where each ends.
pub(super) type Batch = (Vec<u8>, Ends);

/// Some rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowStretch {
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

/// A column of an open table. Clones read the same table at the same time.
#[derive(Clone)]
pub(super) struct Column {
    reader: Arc<dyn FileReader>,
    name: Arc<str>,
    place: usize,
    /// The highest level of definition: below it, a value is null.
    defined: i16,
}

impl Column {
    /// Looks at the form of a table.
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
        let Some(place) = found else {
            let names: Vec<String> = columns
                .iter()
                .map(|column| column.path().string())
                .collect();
            let names = names.join(", ");
            let message = format!("there is no column {name:?}; there are: {names}");
            return Err(DocumentError::Column(message));
        };
        let column = &columns[place];
        if column.physical_type() != PhysicalType::BYTE_ARRAY || column.max_rep_level() > 0 {
            let message = format!("the column {name:?} does not hold one text in each row");
            return Err(DocumentError::Column(message));
        }
        let mut groups = metadata.row_groups().iter();
        if !groups.all(|group| is_inside(group, place, length)) {
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

    /// The number of rows that the table declares.
    pub(super) fn rows_of_table(&self) -> u64 {
        let rows = self.reader.metadata().file_metadata().num_rows();
        u64::try_from(rows).unwrap_or(0)
    }

    /// All rows of the table. If `divided`, large groups are, into parts of about equally many rows.
    pub(super) fn stretches(&self, divided: bool) -> Vec<RowStretch> {
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

    /// The texts of a stretch of rows. What stands before an error comes before it.
    pub(super) fn batches(
        &self,
        stretch: RowStretch,
    ) -> impl Iterator<Item = Result<Batch, DocumentError>> + use<> {
        let (rows, failure) = match self.rows(stretch) {
            Ok(rows) => (Some(rows), None),
            Err(failure) => (None, Some(Err(failure))),
        };
        rows.into_iter().flatten().chain(failure)
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
            name: Arc::clone(&self.name),
            column: ColumnRows::new(reader, self.defined),
            left: stretch.rows,
            ends_group: stretch.ends_group,
            number: stretch.before,
            failure: None,
        })
    }
}

/// Rows of a stretch that are to be read.
struct Rows {
    name: Arc<str>,
    column: ColumnRows<ByteArrayType>,
    left: u64,
    ends_group: bool,
    /// Rows of the table before the next one.
    number: u64,
    /// Why nothing is to be read any more.
    failure: Option<DocumentError>,
}

impl Iterator for Rows {
    type Item = Result<Batch, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut texts, mut ends) = (Vec::new(), Ends::new());
        while self.failure.is_none() && texts.len() < BYTES {
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
        let (rows, null) = self.column.read(wanted).map_err(unreadable)?;
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
    let message = "a group of the Parquet table has fewer rows than it says";
    DocumentError::Table(message.to_owned())
}

fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, DocumentError> {
    broken_parquet::guarded(read).map_err(unreadable)
}

fn unreadable(message: String) -> DocumentError {
    DocumentError::Table(format!("no Parquet that can be read: {message}"))
}

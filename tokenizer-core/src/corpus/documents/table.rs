//! One column of a Parquet table, some thousand rows at a time.
//!
//! The column may hold strings or bytes, and may be one that could hold nulls, but a null is an
//! error: it is no document. Columns of lists are refused.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::basic::Type as PhysicalType;
use ::parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use super::{DocumentError, Ends, Unit};

/// Rows that are read together, if they are short: about so many bytes of them are gathered.
const ROWS: usize = 256;
const BYTES: usize = 4 << 20;

pub(super) struct TextColumn {
    reader: Box<dyn FileReader + Send>,
    name: String,
    place: usize,
    /// The highest level of definition: below it, a value is null.
    defined: i16,
    /// The group that is read next, and the column of the one under way.
    group: usize,
    column: Option<ColumnReaderImpl<ByteArrayType>>,
    /// Rows of the group under way that are to come.
    left: u64,
    levels: Vec<i16>,
    values: Vec<ByteArray>,
}

impl TextColumn {
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
        Ok(TextColumn {
            defined: column.max_def_level(),
            reader: Box::new(reader),
            name: name.to_owned(),
            place,
            group: 0,
            column: None,
            left: 0,
            levels: Vec::new(),
            values: Vec::new(),
        })
    }

    /// The texts of the next rows, one behind the other, and where each ends; `None` behind the last.
    /// `number` counts rows.
    pub(super) fn read(
        &mut self,
        number: &mut u64,
    ) -> Result<Option<(Vec<u8>, Ends)>, DocumentError> {
        let (mut texts, mut ends) = (Vec::new(), Ends::new());
        while texts.len() < BYTES {
            let Some(column) = &mut self.column else {
                match self.next_group()? {
                    true => continue,
                    false => break,
                }
            };
            self.levels.clear();
            self.values.clear();
            let levels = (self.defined > 0).then_some(&mut self.levels);
            let (rows, values, _) =
                guarded(|| column.read_records(ROWS, levels, None, &mut self.values))?;
            if rows == 0 {
                if self.left > 0 {
                    let message = "a group of the Parquet table has fewer rows than it says";
                    return Err(DocumentError::Table(message.to_owned()));
                }
                self.column = None;
                continue;
            }
            self.left = self.left.saturating_sub(rows as u64);
            if values != rows {
                let null = self.levels.iter().position(|&level| level < self.defined);
                return Err(DocumentError::Null {
                    row: *number + null.unwrap_or(0) as u64 + 1,
                    column: self.name.clone(),
                });
            }
            for text in &self.values {
                *number += 1;
                texts.extend_from_slice(text.data());
                ends.push_back((texts.len(), Unit::Row(*number)));
            }
        }
        Ok((!ends.is_empty()).then_some((texts, ends)))
    }

    /// Goes on to the next group of rows, if there is one.
    fn next_group(&mut self) -> Result<bool, DocumentError> {
        if self.group == self.reader.num_row_groups() {
            return Ok(false);
        }
        let column = guarded(|| {
            let group = self.reader.get_row_group(self.group)?;
            let column = group.get_column_reader(self.place)?;
            Ok(get_typed_column_reader::<ByteArrayType>(column))
        })?;
        let rows = self.reader.metadata().row_group(self.group).num_rows();
        self.left = u64::try_from(rows).unwrap_or(0);
        self.column = Some(column);
        self.group += 1;
        Ok(true)
    }
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

//! Parquet files that may be broken: their reader trusts numbers in them, and panics on some.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;

/// Calls the reader; where it fails or panics, gives the reason. What it had in hand then is not used
/// again.
pub(crate) fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(message),
        Err(_) => Err("the reader met what it did not expect".to_owned()),
    }
}

/// Without the words that say that it is about Parquet.
pub(crate) fn message(error: ParquetError) -> String {
    match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message,
        other => other.to_string(),
    }
}

/// Whether a column of a group of rows lies within the first `length` bytes of the file. The reader
/// would panic elsewhere, or ask for memory.
pub(crate) fn is_inside(group: &RowGroupMetaData, column: usize, length: u64) -> bool {
    let column = group.column(column);
    let first = column.data_page_offset();
    let dictionary = column.dictionary_page_offset();
    let start = u64::try_from(dictionary.map_or(first, |offset| offset.min(first)));
    let size = u64::try_from(column.compressed_size());
    let end = start
        .ok()
        .zip(size.ok())
        .and_then(|(start, size)| start.checked_add(size));
    end.is_some_and(|end| end <= length)
}

/// A column of a group of rows, read some rows at a time.
pub(crate) struct ColumnRows<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The highest level of definition: below it, a value is null.
    defined: i16,
    levels: Vec<i16>,
    /// The values of the rows that were read last, without nulls.
    pub(crate) values: Vec<T::T>,
}

impl<T: DataType> ColumnRows<T> {
    pub(crate) fn new(reader: ColumnReaderImpl<T>, defined: i16) -> Self {
        ColumnRows {
            reader,
            defined,
            levels: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Reads at most `most` rows: gives how many there were, and how many before the first null.
    pub(crate) fn read(&mut self, most: usize) -> Result<(usize, Option<usize>), String> {
        self.levels.clear();
        self.values.clear();
        let levels = (self.defined > 0).then_some(&mut self.levels);
        let (reader, found) = (&mut self.reader, &mut self.values);
        let (rows, values, _) = guarded(|| reader.read_records(most, levels, None, found))?;
        let mut levels = self.levels.iter();
        let null = match values == rows {
            true => None,
            false => levels
                .position(|&level| level < self.defined)
                .or(Some(values)),
        };
        Ok((rows, null))
    }
}

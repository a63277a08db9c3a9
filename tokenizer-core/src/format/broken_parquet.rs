//! Guards for untrusted Parquet files. The `parquet` crate trusts the numbers stored in a file and panics if
//! some of them are wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;

/// Calls into the Parquet reader and turns errors and panics into a message.
///
/// After a failure, the caller must drop the reader: a panic may have left it inconsistent.
pub(crate) fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(message),
        Err(_) => Err("inconsistent metadata or data".to_owned()),
    }
}

/// The text of an error, without the prefix `Parquet error:` or `EOF:`.
pub(crate) fn message(error: ParquetError) -> String {
    match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message,
        other => other.to_string(),
    }
}

/// Whether a column of a row group is inside the first `length` bytes of the file. The reader panics on a
/// negative offset or size, and may allocate 2 GiB for a page past the end.
pub(crate) fn is_inside(group: &RowGroupMetaData, column: usize, length: u64) -> bool {
    let column = group.column(column);
    let first = column.data_page_offset();
    let dictionary = column.dictionary_page_offset();
    // The reader starts at the dictionary whenever there is one.
    let start = u64::try_from(dictionary.unwrap_or(first));
    let size = u64::try_from(column.compressed_size());
    let end = start
        .ok()
        .zip(size.ok())
        .and_then(|(start, size)| start.checked_add(size));
    end.is_some_and(|end| end <= length)
}

/// One column of a row group, read in batches.
pub(crate) struct ColumnRows<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The maximum definition level; a lower level marks a null.
    max_level: i16,
    levels: Vec<i16>,
    /// The non-null values of the last batch.
    pub(crate) values: Vec<T::T>,
}

impl<T: DataType> ColumnRows<T> {
    pub(crate) fn new(reader: ColumnReaderImpl<T>, max_level: i16) -> Self {
        ColumnRows {
            reader,
            max_level,
            levels: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Reads at most `max_rows` rows. Returns their number and the index of the first null.
    pub(crate) fn read(&mut self, max_rows: usize) -> Result<(usize, Option<usize>), String> {
        self.levels.clear();
        self.values.clear();
        let levels = (self.max_level > 0).then_some(&mut self.levels);
        let (reader, values) = (&mut self.reader, &mut self.values);
        let read = guarded(|| reader.read_records(max_rows, levels, None, values))?;
        let (rows, value_count, _) = read;
        let mut levels = self.levels.iter();
        let null = match value_count == rows {
            true => None,
            false => levels
                .position(|&level| level < self.max_level)
                .or(Some(value_count)),
        };
        Ok((rows, null))
    }
}

//! Guards for untrusted Parquet files. The `parquet` crate trusts numbers in the file and panics on some.

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

/// The text of an error without its `Parquet error:` prefix.
pub(crate) fn message(error: ParquetError) -> String {
    match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message,
        other => other.to_string(),
    }
}

/// Whether a column of a row group is inside the first `length` bytes of the file. Outside them, the
/// reader would panic or allocate without bound.
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
        let (reader, found) = (&mut self.reader, &mut self.values);
        let (rows, values, _) = guarded(|| reader.read_records(max_rows, levels, None, found))?;
        let mut levels = self.levels.iter();
        let null = match values == rows {
            true => None,
            false => levels
                .position(|&level| level < self.max_level)
                .or(Some(values)),
        };
        Ok((rows, null))
    }
}

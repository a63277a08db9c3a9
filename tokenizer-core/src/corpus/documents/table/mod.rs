//! Reads one column of a Parquet table in batches of rows.
//!
//! ```text
//! table ──▶ row ranges ──read by n threads──▶ batches of texts, in order
//! ```
//!
//! A row range is a row group, or a part of a large one. To skip the rows before a part, a thread passes
//! over whole pages without decompressing them. Each thread reads every `n`-th range, at most a few batches
//! ahead, so memory depends on the number of threads, not on the table.
//!
//! The column must contain strings or bytes. It may be declared nullable, but a null in it is an error.
//! Columns of lists are refused.

mod ahead;
mod column;
mod shared_file;

use std::fs::File;

use ::parquet::file::reader::ChunkReader;

use self::column::{Batch, Column};
use self::shared_file::SharedFile;
use super::error::DocumentError;

/// The texts of a column, in the order of the table. Must not be advanced after an error.
pub(super) type Batches = Box<dyn Iterator<Item = Result<Batch, DocumentError>> + Send>;

/// The texts of a column, and the number of rows that the table declares.
pub(super) struct Rows {
    pub(super) batches: Batches,
    pub(super) total: u64,
}

/// Reads a column of a table in a file.
pub(super) fn of_file(file: File, name: &str, threads: usize) -> Result<Rows, DocumentError> {
    open(SharedFile::new(file)?, name, threads)
}

/// Reads a column of a table. With one thread, batches are read by the consumer; with more, ahead of it.
pub(super) fn open(
    table: impl ChunkReader + 'static,
    name: &str,
    threads: usize,
) -> Result<Rows, DocumentError> {
    let column = Column::open(table, name)?;
    let total = column.declared_rows();
    let ranges = column.row_ranges(threads > 1);
    let threads = threads.min(ranges.len());
    if threads > 1
        && let Ok(batches) = ahead::batches(&column, &ranges, threads)
    {
        let batches = Box::new(batches);
        return Ok(Rows { batches, total });
    }
    // Also the fallback if a thread cannot be started.
    let ranges = ranges.into_iter();
    let batches = ranges.flat_map(move |range| column.batches(range));
    let batches = Box::new(batches);
    Ok(Rows { batches, total })
}

//! One column of a Parquet table, some thousand rows at a time.
//!
//! ```text
//! table ──▶ stretches of rows ──read, by several threads──▶ batches of texts, in order
//! ```
//!
//! A stretch is a group of rows, or a part of a large one: rows before it are skipped by whole pages,
//! which are not decompressed for it. Each thread reads every `n`-th stretch, no further ahead than
//! a few batches, so memory grows with the threads and not with the table.
//!
//! The column may hold strings or bytes, and may be one that could hold nulls, but a null is an
//! error: it is no document. Columns of lists are refused.

mod ahead;
mod column;
mod shared_file;

use std::fs::File;

use ::parquet::file::reader::ChunkReader;

use self::column::{Batch, Column};
use self::shared_file::SharedFile;
use super::error::DocumentError;

/// The texts of a column, in the order of the table. There is nothing behind an error.
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

/// Reads a column of a table: with one thread where the texts are taken, with more ahead of that.
pub(super) fn open(
    table: impl ChunkReader + 'static,
    name: &str,
    threads: usize,
) -> Result<Rows, DocumentError> {
    let column = Column::open(table, name)?;
    let total = column.rows_of_table();
    let stretches = column.stretches(threads > 1);
    let threads = threads.min(stretches.len());
    if threads > 1
        && let Ok(batches) = ahead::batches(&column, &stretches, threads)
    {
        let batches = Box::new(batches);
        return Ok(Rows { batches, total });
    }
    // Also where a limit of the system allows no thread.
    let stretches = stretches.into_iter();
    let batches = stretches.flat_map(move |stretch| column.batches(stretch));
    let batches = Box::new(batches);
    Ok(Rows { batches, total })
}

//! Read-ahead of a table by several threads.
//!
//! Row ranges are assigned round-robin: of `n` threads, the first reads ranges 0, n, 2n, ..., the second
//! 1, n + 1, ... Each sends its batches through its own bounded channel. The consumer visits the
//! channels in turn, so batches and errors arrive in the order of the table.
//!
//! The functions of `parallel.rs` do not fit here: they return when all items are consumed, while this
//! iterator may be dropped at any time.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::{io, iter};

use super::column::{Batch, Column, RowRange};
use crate::corpus::documents::error::DocumentError;

/// Capacity of a channel in batches. Together with the batch that its thread is reading, this is about one
/// part of a large row group.
const CHANNEL_CAPACITY: usize = 3;

/// Limit on the number of threads. Reading is several times as fast as encoding or counting, so more threads
/// would idle.
const MAX_THREADS: usize = 8;

/// Starts the threads and returns an iterator over their batches. Dropping the iterator ends the threads.
pub(super) fn batches(
    column: &Column,
    ranges: &[RowRange],
    threads: usize,
) -> io::Result<impl Iterator<Item = Result<Batch, DocumentError>> + use<>> {
    let threads = threads.clamp(1, MAX_THREADS);
    let ranges: Arc<[RowRange]> = ranges.into();
    let channels = (0..threads).map(|first| {
        // `None` follows the last batch of a range.
        let (sender, receiver) = sync_channel(CHANNEL_CAPACITY);
        let (column, ranges) = (column.clone(), Arc::clone(&ranges));
        let read = move || {
            for &range in ranges.iter().skip(first).step_by(threads) {
                for batch in column.batches(range).map(Some).chain([None]) {
                    let failed = matches!(batch, Some(Err(_)));
                    // Sending fails once the consumer is dropped.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            }
        };
        thread::Builder::new().spawn(read)?;
        Ok(receiver)
    });
    let channels = channels.collect::<io::Result<Vec<_>>>()?;
    let mut current = 0;
    Ok(iter::from_fn(move || {
        while current < ranges.len() {
            match channels[current % threads].recv() {
                Ok(Some(batch)) => return Some(batch),
                Ok(None) => current += 1,
                // The thread ended without sending an error, so it panicked.
                Err(_) => {
                    let message = "damaged Parquet table: the reader stopped".to_owned();
                    return Some(Err(DocumentError::Table(message)));
                }
            }
        }
        None
    }))
}

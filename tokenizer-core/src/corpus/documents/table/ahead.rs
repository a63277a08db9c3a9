//! Stretches of a table read ahead by several threads.
//!
//! Of `n` threads, the first reads the stretches 0, n, 2n and so on, the second 1, n + 1, and so on,
//! and each sends its batches through a channel of its own, which holds few of them. The consumer goes from
//! channel to channel, so they come in the order of the table, and an error where it is.
//!
//! Not an ordered map, since the consumer is an iterator: it pulls, and may be dropped at any time.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::{io, iter};

use super::column::{Batch, Column, RowStretch};
use crate::corpus::documents::error::DocumentError;

/// Batches in a channel: with the one that a thread works on, about a part of a large group.
const WAITING: usize = 3;

/// More threads than this would have nothing to do: a text is read several times as fast as it is encoded
/// or counted.
const MOST_THREADS: usize = 8;

/// Begins to read. Threads that no one takes from any more end by themselves.
pub(super) fn batches(
    column: &Column,
    stretches: &[RowStretch],
    threads: usize,
) -> io::Result<impl Iterator<Item = Result<Batch, DocumentError>> + use<>> {
    let threads = threads.clamp(1, MOST_THREADS);
    let stretches: Arc<[RowStretch]> = stretches.into();
    let channels = (0..threads).map(|first| {
        // `None` goes behind the last batch of a stretch.
        let (sender, receiver) = sync_channel(WAITING);
        let (column, stretches) = (column.clone(), Arc::clone(&stretches));
        let reading = move || {
            for &stretch in stretches.iter().skip(first).step_by(threads) {
                for batch in column.batches(stretch).map(Some).chain([None]) {
                    let failed = matches!(batch, Some(Err(_)));
                    // Whoever takes them may have gone.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            }
        };
        thread::Builder::new().spawn(reading)?;
        Ok(receiver)
    });
    let channels = channels.collect::<io::Result<Vec<_>>>()?;
    let mut under_way = 0;
    Ok(iter::from_fn(move || {
        while under_way < stretches.len() {
            match channels[under_way % threads].recv() {
                Ok(Some(batch)) => return Some(batch),
                Ok(None) => under_way += 1,
                // It ended without an error: only a panic does that.
                Err(_) => {
                    let message = "the Parquet table could not be read to its end".to_owned();
                    return Some(Err(DocumentError::Table(message)));
                }
            }
        }
        None
    }))
}

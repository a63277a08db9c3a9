//! Stretches of a table read ahead by several threads.
//!
//! Of `n` threads, the first reads the stretches 0, n, 2n and so on, the second 1, n + 1, and so on,
//! and each sends its batches through a channel of its own, which holds few of them. The consumer goes from
//! channel to channel, so they come in the order of the table, and an error where it is.
//!
//! Not an ordered map, since the consumer is an iterator: it pulls, and may be dropped at any time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{Batch, Column, DocumentError, RowStretch};

/// Batches in a channel: with the one that a thread works on, about a part of a large group.
const WAITING: usize = 3;

/// More threads than this would have nothing to do: a text is read several times as fast as it is encoded
/// or counted.
const MOST_THREADS: usize = 8;

/// A batch; `None` behind the last of a stretch.
type Read = Result<Option<Batch>, DocumentError>;

pub(super) struct Ahead {
    /// A channel for each thread.
    channels: Vec<Receiver<Read>>,
    /// Stretches that are to be taken, and the one under way by its number.
    stretches: usize,
    under_way: usize,
}

impl Ahead {
    /// Begins to read. Threads that no one takes from any more end by themselves.
    pub(super) fn new(
        column: &Column,
        stretches: &[RowStretch],
        threads: usize,
    ) -> io::Result<Self> {
        let threads = threads.clamp(1, MOST_THREADS);
        let stretches: Arc<[RowStretch]> = stretches.into();
        let channels = (0..threads).map(|first| {
            let (sender, receiver) = sync_channel(WAITING);
            let (column, stretches) = (column.clone(), Arc::clone(&stretches));
            let reading = move || {
                for &stretch in stretches.iter().skip(first).step_by(threads) {
                    if !read(&column, stretch, &sender) {
                        return;
                    }
                }
            };
            thread::Builder::new().spawn(reading)?;
            Ok(receiver)
        });
        let channels = channels.collect::<io::Result<_>>()?;
        Ok(Ahead {
            channels,
            stretches: stretches.len(),
            under_way: 0,
        })
    }

    /// The next batch; `None` behind the last.
    pub(super) fn next(&mut self) -> Read {
        while self.under_way < self.stretches {
            let channel = &self.channels[self.under_way % self.channels.len()];
            let Ok(read) = channel.recv() else {
                // It ended without an error: only a panic does that.
                let message = "the Parquet table could not be read to its end".to_owned();
                return Err(DocumentError::Table(message));
            };
            match read? {
                Some(batch) => return Ok(Some(batch)),
                None => self.under_way += 1,
            }
        }
        Ok(None)
    }
}

/// Hands on all batches of a stretch. `false` when there is no more to be done.
fn read(column: &Column, stretch: RowStretch, sender: &SyncSender<Read>) -> bool {
    let mut rows = match column.rows(stretch) {
        Ok(rows) => rows,
        Err(error) => {
            // Whoever takes them may have gone, here and below.
            let _ = sender.send(Err(error));
            return false;
        }
    };
    loop {
        let read = rows.read();
        let goes_on = matches!(read, Ok(Some(_)));
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return false;
        }
        if !goes_on {
            return true;
        }
    }
}

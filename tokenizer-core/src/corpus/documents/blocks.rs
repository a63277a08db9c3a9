//! Splits a stream into blocks of about 1 MiB, at the ends of documents or at safe boundaries.

use super::error::{DocumentError, MAX_LENGTH};
use super::place::Unit;
use super::source::Source;

/// Bytes per read.
pub(super) const BLOCK: usize = 1 << 20;

pub(super) struct Blocks {
    source: Source,
    /// The bytes after the last cut.
    rest: Vec<u8>,
    /// Whether the last block was returned.
    ended: bool,
}

impl Blocks {
    pub(super) fn new(source: Source) -> Self {
        Blocks {
            source,
            rest: Vec::new(),
            ended: false,
        }
    }

    /// Bytes read from the input, before decompression.
    pub(super) fn taken(&self) -> u64 {
        self.source.taken()
    }

    /// Returns the next block and whether it is the last. An empty stream has one, empty block.
    ///
    /// `cut(block, searched)` returns where a block that is not the last may end; it found nothing
    /// before `searched`. Until it returns a place, more is read.
    ///
    /// # Errors
    /// Errors of the stream, and [`DocumentError::TooLong`] for `unit`.
    pub(super) fn next(
        &mut self,
        cut: impl Fn(&[u8], usize) -> Option<usize>,
        unit: Unit,
    ) -> Result<Option<(Vec<u8>, bool)>, DocumentError> {
        if self.ended {
            return Ok(None);
        }
        let mut block = std::mem::take(&mut self.rest);
        let mut searched = 0;
        loop {
            // Doubling keeps the number of searches logarithmic.
            let length = BLOCK.max(block.len());
            block.reserve(length);
            if self.source.read(length, &mut block)? < length {
                self.ended = true;
                return Ok(Some((block, true)));
            }
            if let Some(at) = cut(&block, searched).filter(|&at| at > 0) {
                self.rest = block[at..].to_vec();
                block.truncate(at);
                return Ok(Some((block, false)));
            }
            searched = block.len();
            if block.len() >= MAX_LENGTH && !self.source.is_plain_file() {
                return Err(DocumentError::TooLong { unit });
            }
        }
    }
}

//! Splits a stream into blocks of about 1 MiB, at the ends of documents or, in a long one, at safe
//! boundaries.

use super::error::{DocumentError, MAX_LENGTH};
use super::place::Unit;
use super::source::Source;

/// The minimum number of bytes of the first read for a block.
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

    /// Returns the next block and whether it is the last; `None` after the last. An empty stream has one
    /// empty block.
    ///
    /// `cut(block, searched)` returns the offset at which a block that is not the last may end. While it
    /// returns `None`, more is read, and it is called again with `searched`, the number of bytes that it has
    /// already seen.
    ///
    /// # Errors
    /// Errors of the stream; [`DocumentError::TooLong`], with `unit`, if no cut is found within the limit; an
    /// uncompressed regular file has no limit.
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
            // Each further read doubles the block, so that the number of searches is logarithmic.
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

//! A stream in blocks of a megabyte, cut where documents end, or may be cut.

use super::error::{DocumentError, LONGEST};
use super::place::Unit;
use super::source::Source;

/// Bytes that are read at a time.
pub(super) const BLOCK: usize = 1 << 20;

pub(super) struct Blocks {
    source: Source,
    /// What stands behind the last cut.
    rest: Vec<u8>,
    /// The last block was given out.
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

    /// The next block, and whether it is the last. There is one even of an empty stream. `cut` says
    /// up to where a block may be given out when there is more to come; where it says nothing, more
    /// is read, until `unit` is too long. It is told up to where it said nothing before.
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
            // Twice as much each time, so that it is looked through a few times only.
            let wanted = BLOCK.max(block.len());
            block.reserve(wanted);
            if self.source.read(wanted, &mut block)? < wanted {
                self.ended = true;
                return Ok(Some((block, true)));
            }
            if let Some(at) = cut(&block, searched).filter(|&at| at > 0) {
                self.rest = block[at..].to_vec();
                block.truncate(at);
                return Ok(Some((block, false)));
            }
            searched = block.len();
            if block.len() >= LONGEST && !self.source.is_plain_file() {
                return Err(DocumentError::TooLong { unit });
            }
        }
    }
}

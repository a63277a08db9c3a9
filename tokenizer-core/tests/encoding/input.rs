//! Decisions, read off an input byte by byte. Behind its end every byte is 0, so that any input is
//! complete and a shorter one decides less.

/// What is left of an input.
pub struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    pub fn new(bytes: &'i [u8]) -> Self {
        Input(bytes)
    }

    /// Whether all of it is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `limit`, which must not be 0: of one byte where that is enough, otherwise of
    /// four.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit <= 256 {
            return usize::from(self.byte()) % limit;
        }
        let bytes: [u8; 4] = std::array::from_fn(|_| self.byte());
        u32::from_le_bytes(bytes) as usize % limit
    }

    /// The next bytes, at most so many.
    pub fn take(&mut self, length: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

//! A decision stream for fuzzing: choices are read from an input byte by byte. Past its end all bytes are
//! 0, so every input is valid, and shorter inputs make simpler cases.

/// The unread rest of an input.
pub struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    pub fn new(bytes: &'i [u8]) -> Self {
        Input(bytes)
    }

    /// Whether the input is used up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `limit`, which must not be 0. Reads one byte if that is enough, otherwise four.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit <= 256 {
            return usize::from(self.byte()) % limit;
        }
        let bytes: [u8; 4] = std::array::from_fn(|_| self.byte());
        u32::from_le_bytes(bytes) as usize % limit
    }

    /// The next bytes, at most `length`.
    pub fn take(&mut self, length: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

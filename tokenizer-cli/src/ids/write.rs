//! Writing ids.

use tokenizer_core::TokenId;

use super::{IdFormat, npy};
use crate::error::CommandError;
use crate::output::OutputWriter;

/// Bytes that are gathered before they are handed on.
const BUFFER: usize = 1 << 16;

/// Writes documents in one format.
pub(crate) struct IdWriter<'w, 'o> {
    writer: &'w mut OutputWriter<'o>,
    format: IdFormat,
    buffer: Vec<u8>,
    /// Ids of the document under way, if there are any.
    has_ids: bool,
    /// Something of the document under way was given.
    is_open: bool,
}

impl<'w, 'o> IdWriter<'w, 'o> {
    /// Every id to come must fit the format: see [`IdFormat::holds`].
    pub(crate) fn new(writer: &'w mut OutputWriter<'o>, format: IdFormat) -> Self {
        IdWriter {
            writer,
            format,
            buffer: Vec::with_capacity(2 * BUFFER),
            has_ids: false,
            is_open: false,
        }
    }

    /// Adds ids of a document, which may end with them.
    pub(crate) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<(), CommandError> {
        let (before, between, after): (&[u8], &[u8], &[u8]) = match self.format {
            IdFormat::Text => (b"", b" ", b"\n"),
            IdFormat::Jsonl => (b"{\"ids\":[", b",", b"]}\n"),
            IdFormat::U16 | IdFormat::U32 | IdFormat::Npy => (b"", b"", b""),
        };
        if !std::mem::replace(&mut self.is_open, !ends_document) {
            self.buffer.extend_from_slice(before);
        }
        for &id in ids {
            if std::mem::replace(&mut self.has_ids, true) {
                self.buffer.extend_from_slice(between);
            }
            match self.format {
                IdFormat::Text | IdFormat::Jsonl => push_decimal(id, &mut self.buffer),
                IdFormat::U16 => self.buffer.extend_from_slice(&(id as u16).to_le_bytes()),
                IdFormat::U32 | IdFormat::Npy => self.buffer.extend_from_slice(&id.to_le_bytes()),
            }
            self.hand_on(BUFFER)?;
        }
        if ends_document {
            self.buffer.extend_from_slice(after);
            self.has_ids = false;
        }
        self.hand_on(BUFFER)
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> Result<(), CommandError> {
        if self.format == IdFormat::Npy {
            let length = self.buffer.len() / size_of::<TokenId>();
            self.writer.write_all(&npy::header(length))?;
            return self.writer.write_all(&self.buffer);
        }
        self.hand_on(0)
    }

    fn hand_on(&mut self, from: usize) -> Result<(), CommandError> {
        // The header of a .npy file holds the length, so the ids wait until it is known.
        if self.format != IdFormat::Npy && self.buffer.len() >= from {
            self.writer.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// As `write!` does it, at a fifth of the time.
fn push_decimal(mut id: TokenId, buffer: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (id % 10) as u8;
        id /= 10;
        if id == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_standard_library() {
        for id in [0, 7, 10, 99, 100, 65_536, 1_000_000, TokenId::MAX] {
            let mut buffer = Vec::new();
            push_decimal(id, &mut buffer);
            assert_eq!(buffer, id.to_string().as_bytes());
        }
    }
}

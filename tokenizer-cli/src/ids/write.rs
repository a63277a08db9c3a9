//! Writing ids: one file, with what stands beside it, or standard output.

use std::fs;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::TokenId;
use tokenizer_core::corpus::{NewFile, write_atomically};

use super::format::{IdFormat, Number};
use super::header::{Counts, Header, Run};
use super::parquet::TableWriter;
use super::{index, npy};
use crate::error::{CommandError, Result, at, standard_output};
use crate::output::{Output, beside};

/// Bytes that are gathered before they are handed on.
const BUFFER: usize = 1 << 16;

/// Writes documents in one format, to one place.
pub(crate) struct IdWriter {
    run: Run,
    output: Output,
    to: To,
    /// Where documents end, in a file of their own.
    ends: Option<(PathBuf, NewFile)>,
    /// The lengths of documents, for Megatron's index.
    lengths: Vec<u32>,
    /// What was written.
    pub(crate) counts: Counts,
    /// Ids of the document under way.
    length: u64,
    /// Something of the document under way was written.
    is_open: bool,
    buffer: Vec<u8>,
}

enum To {
    Standard(BufWriter<StdoutLock<'static>>),
    File(NewFile),
    Table(Box<TableWriter<NewFile>>),
    /// Gathered in memory, for a head that holds the length, where one cannot go back to it.
    Memory,
}

impl IdWriter {
    /// Every id to come must fit the format: see [`IdFormat::holds`].
    pub(crate) fn new(run: Run, output: Output) -> Result<Self> {
        let (mut to, mut ends) = (To::Memory, None);
        match output.path() {
            None if run.format == IdFormat::Npy => {}
            None => to = To::Standard(BufWriter::with_capacity(BUFFER, io::stdout().lock())),
            Some(path) => {
                let mut file = NewFile::create(path)?;
                let has_head = file.has_head();
                if run.format.is_flat() && has_head {
                    let index = beside(path, ".index");
                    ends = Some((index.clone(), NewFile::create(&index)?));
                }
                match (run.format, run.number) {
                    (IdFormat::Parquet, Some(number)) => {
                        let table = TableWriter::new(file, number);
                        to = To::Table(Box::new(table.map_err(at(path))?));
                    }
                    (IdFormat::Npy, _) if !has_head => {}
                    (format, _) => {
                        if format == IdFormat::Npy {
                            file.write_all(&npy::header(0)).map_err(at(path))?;
                        }
                        to = To::File(file);
                    }
                }
            }
        }
        Ok(IdWriter {
            run,
            output,
            to,
            ends,
            lengths: Vec::new(),
            counts: Counts::default(),
            length: 0,
            is_open: false,
            buffer: Vec::with_capacity(2 * BUFFER),
        })
    }

    /// Adds ids of a document, which may end with them.
    pub(crate) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<()> {
        match self.run.format {
            IdFormat::Text => self.push_line(ids, ends_document, [b"", b" ", b"\n"])?,
            IdFormat::Jsonl => {
                self.push_line(ids, ends_document, [b"{\"ids\":[", b",", b"]}\n"])?;
            }
            IdFormat::Parquet => {
                if let To::Table(table) = &mut self.to {
                    let written = table.ids(ids, ends_document);
                    written.map_err(|error| self.output.fail(error))?;
                }
            }
            IdFormat::U16 | IdFormat::U32 | IdFormat::Npy | IdFormat::Megatron => {
                for ids in ids.chunks(BUFFER) {
                    match self.run.number {
                        Some(Number::U16) => {
                            push_numbers(ids, |id| (id as u16).to_le_bytes(), &mut self.buffer);
                        }
                        _ => push_numbers(ids, TokenId::to_le_bytes, &mut self.buffer),
                    }
                    self.hand_on(BUFFER)?;
                }
            }
        }
        self.counts.tokens += ids.len() as u64;
        self.length += ids.len() as u64;
        self.is_open = !ends_document;
        match ends_document {
            true => self.end_document(),
            false => Ok(()),
        }
    }

    fn end_document(&mut self) -> Result<()> {
        self.counts.documents += 1;
        let length = std::mem::take(&mut self.length);
        if let Some((path, ends)) = &mut self.ends {
            let written = ends.write_all(&self.counts.tokens.to_le_bytes());
            written.map_err(at(path))?;
        }
        if self.run.format == IdFormat::Megatron {
            let length = i32::try_from(length).map_err(|_| {
                let fault = "a document has more ids than Megatron's index can tell";
                self.output
                    .fail(io::Error::new(io::ErrorKind::InvalidInput, fault))
            })?;
            self.lengths.push(length as u32);
        }
        Ok(())
    }

    /// A document as a line, with what stands before, between and behind its ids.
    fn push_line(
        &mut self,
        ids: &[TokenId],
        ends_document: bool,
        [before, between, behind]: [&[u8]; 3],
    ) -> Result<()> {
        if !self.is_open {
            self.buffer.extend_from_slice(before);
        }
        for (number, &id) in ids.iter().enumerate() {
            if self.length > 0 || number > 0 {
                self.buffer.extend_from_slice(between);
            }
            push_decimal(id, &mut self.buffer);
            self.hand_on(BUFFER)?;
        }
        if ends_document {
            self.buffer.extend_from_slice(behind);
        }
        self.hand_on(BUFFER)
    }

    /// Writes what is left, and gives the files their names: the header last, since it says that
    /// all is there. `shard` and `first_document` say which of several files this is.
    pub(crate) fn finish(mut self, shard: u64, first_document: u64) -> Result<Counts> {
        self.hand_on(0)?;
        let file = match std::mem::replace(&mut self.to, To::Memory) {
            To::Memory => {
                let head = npy::header(self.counts.tokens);
                self.output.write(|writer| {
                    writer.write_all(&head)?;
                    writer.write_all(&self.buffer)
                })?;
                return Ok(self.counts);
            }
            To::Standard(mut stdout) => {
                stdout.flush().map_err(standard_output)?;
                return Ok(self.counts);
            }
            To::Table(table) => table.finish().map_err(|error| self.output.fail(error))?,
            To::File(mut file) => {
                if self.run.format == IdFormat::Npy {
                    file.write_head(&npy::header(self.counts.tokens))?;
                }
                file
            }
        };
        let counts = self.counts;
        match self.output.path().map(Path::to_owned) {
            Some(path) if file.has_head() => self.complete(file, &path, shard, first_document)?,
            // Beside a pipe or a device there is nothing.
            _ => file.complete()?,
        }
        Ok(counts)
    }

    /// Gives a file its name, and those beside it, the header last.
    fn complete(self, file: NewFile, path: &Path, shard: u64, first_document: u64) -> Result<()> {
        let header = beside(path, ".json");
        let format = self.run.format;
        let has_header =
            format.is_flat() || format == IdFormat::Megatron || self.run.name.is_some();
        // The header of an older file would describe this one. A file that is not a header stays.
        if has_header || Header::beside(path).is_ok_and(|header| header.is_some()) {
            match fs::remove_file(&header) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&header)(error));
                }
                _ => {}
            }
        }
        file.complete()?;
        if let (IdFormat::Megatron, Some(number)) = (format, self.run.number) {
            let path = path.with_extension("idx");
            write_atomically::<CommandError>(&path, |file| {
                index::write(&self.lengths, number, file).map_err(at(&path))
            })?;
        }
        let index = self.ends.as_ref().map(|(path, _)| path.clone());
        if let Some((_, ends)) = self.ends {
            ends.complete()?;
        }
        if has_header {
            let index = index.as_deref().and_then(Path::file_name);
            let text = self.run.header(self.counts, index, shard, first_document);
            Output::new(&header).write_all(text)?;
        }
        Ok(())
    }

    fn hand_on(&mut self, from: usize) -> Result<()> {
        if self.buffer.len() < from {
            return Ok(());
        }
        let written = match &mut self.to {
            To::Standard(stdout) => stdout.write_all(&self.buffer),
            To::File(file) => file.write_all(&self.buffer),
            To::Table(_) | To::Memory => return Ok(()),
        };
        self.buffer.clear();
        written.map_err(|error| self.output.fail(error))
    }
}

fn push_numbers<const N: usize>(
    ids: &[TokenId],
    bytes: impl Fn(TokenId) -> [u8; N],
    buffer: &mut Vec<u8>,
) {
    let start = buffer.len();
    buffer.resize(start + N * ids.len(), 0);
    let (places, _) = buffer[start..].as_chunks_mut();
    for (place, &id) in places.iter_mut().zip(ids) {
        *place = bytes(id);
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

    #[test]
    fn numbers_are_little_endian() {
        let mut buffer = vec![9];
        push_numbers(&[1, 0xFFFF], |id| (id as u16).to_le_bytes(), &mut buffer);
        push_numbers(&[0x0102_0304], TokenId::to_le_bytes, &mut buffer);
        assert_eq!(buffer, [9, 1, 0, 0xFF, 0xFF, 4, 3, 2, 1]);
    }
}

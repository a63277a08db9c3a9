//! Writing ids: one file, with what stands beside it, or standard output.

use std::ffi::OsString;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::TokenId;
use tokenizer_core::corpus::{FileError, NewFile};

use super::header::{Counts, Header, Run};
use super::parquet::TableWriter;
use super::{IdFormat, Number, index, npy};
use crate::error::CommandError;
use crate::output::Output;

/// Bytes that are gathered before they are handed on.
const BUFFER: usize = 1 << 16;

/// Writes documents in one format, to one place.
pub(crate) struct IdWriter {
    run: Run,
    output: Output,
    to: To,
    /// Where documents end, in a file of their own.
    ends: Option<(PathBuf, NewFile)>,
    /// The lengths of documents, which stand in Megatron's index.
    lengths: Option<Vec<u32>>,
    counts: Counts,
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

/// `name` with `end` behind it.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

impl IdWriter {
    /// Every id to come must fit the format: see [`IdFormat::holds`].
    pub(crate) fn new(run: Run, output: Output) -> Result<Self, CommandError> {
        let mut writer = IdWriter {
            to: To::Memory,
            ends: None,
            lengths: (run.format == IdFormat::Megatron).then(Vec::new),
            counts: Counts::default(),
            length: 0,
            is_open: false,
            buffer: Vec::with_capacity(2 * BUFFER),
            run,
            output,
        };
        let format = writer.run.format;
        match writer.output.path() {
            None if format == IdFormat::Npy => {}
            None => {
                let stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
                writer.to = To::Standard(stdout);
            }
            Some(path) => {
                let mut file = NewFile::create(path)?;
                if format.is_flat() && file.has_head() {
                    let index = beside(path, ".index");
                    writer.ends = Some((index.clone(), NewFile::create(&index)?));
                }
                writer.to = match (format, writer.number()) {
                    (IdFormat::Parquet, Some(number)) => {
                        let table = TableWriter::new(file, number);
                        To::Table(Box::new(
                            table.map_err(|error| FileError::new(path, error))?,
                        ))
                    }
                    (IdFormat::Npy, _) if !file.has_head() => To::Memory,
                    (IdFormat::Npy, _) => {
                        file.write_all(&npy::header(0))
                            .map_err(|error| FileError::new(path, error))?;
                        To::File(file)
                    }
                    _ => To::File(file),
                };
            }
        }
        Ok(writer)
    }

    fn number(&self) -> Option<Number> {
        self.run.format.number(self.run.id_limit)
    }

    /// What was written.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Adds ids of a document, which may end with them.
    pub(crate) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<(), CommandError> {
        match self.run.format {
            IdFormat::Text => self.push_line(ids, ends_document, [b"", b" ", b"\n"])?,
            IdFormat::Jsonl => {
                self.push_line(ids, ends_document, [b"{\"ids\":[", b",", b"]}\n"])?;
            }
            IdFormat::Parquet => {
                if let To::Table(table) = &mut self.to {
                    let written = table.ids(ids, ends_document);
                    written.map_err(|error| self.failed(error))?;
                }
            }
            IdFormat::U16 | IdFormat::U32 | IdFormat::Npy | IdFormat::Megatron => {
                for ids in ids.chunks(BUFFER) {
                    push_numbers(ids, self.number() == Some(Number::U16), &mut self.buffer);
                    self.hand_on(BUFFER)?;
                }
            }
        }
        self.counts.tokens += ids.len() as u64;
        self.length += ids.len() as u64;
        self.is_open = !ends_document;
        if ends_document {
            self.end_document()?;
        }
        Ok(())
    }

    fn end_document(&mut self) -> Result<(), CommandError> {
        self.counts.documents += 1;
        let length = std::mem::take(&mut self.length);
        if let Some((path, ends)) = &mut self.ends {
            let written = ends.write_all(&self.counts.tokens.to_le_bytes());
            written.map_err(|error| FileError::new(path, error))?;
        }
        if let Some(lengths) = &mut self.lengths {
            let Some(length) = u32::try_from(length).ok().filter(|&n| n <= i32::MAX as u32) else {
                let message = "a document has more ids than Megatron's index can tell";
                return Err(self.failed(io::Error::new(io::ErrorKind::InvalidInput, message)));
            };
            lengths.push(length);
        }
        Ok(())
    }

    /// A document as a line, with what stands before, between and behind its ids.
    fn push_line(
        &mut self,
        ids: &[TokenId],
        ends_document: bool,
        [before, between, behind]: [&[u8]; 3],
    ) -> Result<(), CommandError> {
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
    pub(crate) fn finish(
        mut self,
        shard: u64,
        first_document: u64,
    ) -> Result<Counts, CommandError> {
        if matches!(self.to, To::Memory) {
            return self.finish_memory();
        }
        self.hand_on(0)?;
        let path = self.output.path().map(Path::to_owned);
        let (file, path) = match (std::mem::replace(&mut self.to, To::Memory), path) {
            (To::Standard(mut stdout), _) => {
                stdout.flush().map_err(CommandError::StandardOutput)?;
                return Ok(self.counts);
            }
            (To::Table(table), Some(path)) => {
                (table.finish().map_err(|error| self.failed(error))?, path)
            }
            (To::File(mut file), Some(path)) => {
                if self.run.format == IdFormat::Npy {
                    let tokens = usize::try_from(self.counts.tokens).unwrap_or(usize::MAX);
                    file.write_head(&npy::header(tokens))?;
                }
                (file, path)
            }
            _ => return Ok(self.counts),
        };
        // Beside a pipe or a device there is nothing.
        match file.has_head() {
            false => file.complete()?,
            true => self.complete(file, &path, shard, first_document)?,
        }
        Ok(self.counts)
    }

    /// Gives a file its name, and those beside it, the header last.
    fn complete(
        &mut self,
        file: NewFile,
        path: &Path,
        shard: u64,
        first_document: u64,
    ) -> Result<(), CommandError> {
        let header = beside(path, ".json");
        let format = self.run.format;
        let has_header =
            format.is_flat() || format == IdFormat::Megatron || self.run.name().is_some();
        // The header of an older file would describe this one. A file that is not a header stays.
        if has_header || Header::beside(path).is_ok_and(|header| header.is_some()) {
            remove(&header)?;
        }
        file.complete()?;
        if let (Some(lengths), Some(number)) = (&self.lengths, self.number()) {
            let path = path.with_extension("idx");
            let mut file = NewFile::create(&path)?;
            let written = index::write(lengths, number, io::BufWriter::new(&mut file));
            written.map_err(|error| FileError::new(&path, error))?;
            file.complete()?;
        }
        let ends = match self.ends.take() {
            Some((path, ends)) => {
                ends.complete()?;
                Some(path)
            }
            None => None,
        };
        if has_header {
            let ends = ends.as_deref();
            let text = self.run.header(self.counts, ends, shard, first_document);
            let mut file = NewFile::create(&header)?;
            let written = file.write_all(&text);
            written.map_err(|error| FileError::new(&header, error))?;
            file.complete()?;
        }
        Ok(())
    }

    /// Writes an array whose length stands at its head to where one cannot go back to it.
    fn finish_memory(self) -> Result<Counts, CommandError> {
        let head = npy::header(self.buffer.len() / size_of::<TokenId>());
        self.output.write(|writer| {
            writer.write_all(&head)?;
            writer.write_all(&self.buffer)
        })?;
        Ok(self.counts)
    }

    fn hand_on(&mut self, from: usize) -> Result<(), CommandError> {
        if self.buffer.len() < from {
            return Ok(());
        }
        let written = match &mut self.to {
            To::Standard(stdout) => stdout.write_all(&self.buffer),
            To::File(file) => file.write_all(&self.buffer),
            To::Table(_) | To::Memory => return Ok(()),
        };
        self.buffer.clear();
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> CommandError {
        match self.output.path() {
            Some(path) => FileError::new(path, error).into(),
            None => CommandError::StandardOutput(error),
        }
    }
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new(path, error)),
        _ => Ok(()),
    }
}

/// As little-endian numbers of two bytes or four.
fn push_numbers(ids: &[TokenId], is_narrow: bool, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    if is_narrow {
        buffer.resize(start + 2 * ids.len(), 0);
        let (places, _) = buffer[start..].as_chunks_mut();
        for (place, &id) in places.iter_mut().zip(ids) {
            *place = (id as u16).to_le_bytes();
        }
    } else {
        buffer.resize(start + 4 * ids.len(), 0);
        let (places, _) = buffer[start..].as_chunks_mut();
        for (place, &id) in places.iter_mut().zip(ids) {
            *place = id.to_le_bytes();
        }
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
        push_numbers(&[1, 0xFFFF], true, &mut buffer);
        push_numbers(&[0x0102_0304], false, &mut buffer);
        assert_eq!(buffer, [9, 1, 0, 0xFF, 0xFF, 4, 3, 2, 1]);
    }
}

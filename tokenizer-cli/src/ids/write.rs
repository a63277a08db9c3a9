//! Writes ids to a file, with its index and header, or to standard output.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tokenizer_core::TokenId;
use tokenizer_core::corpus::{NewFile, write_atomically};

use super::format::{IdFormat, Number};
use super::header::{Counts, Header, Run};
use super::parquet::TableWriter;
use super::{index, npy};
use crate::error::{CommandError, Result, at, standard_output};
use crate::output::{Output, beside, stdout};

/// The buffer is written once it has this many bytes.
const BUFFER: usize = 1 << 16;

/// Writes documents in one format to one output.
pub(crate) struct IdWriter {
    run: Run,
    output: Output,
    sink: Sink,
    /// The index of a flat file: after how many ids each document ends.
    ends: Option<(PathBuf, NewFile)>,
    /// The lengths of documents in ids, for Megatron's index.
    lengths: Vec<u32>,
    pub(crate) counts: Counts,
    /// Ids of the current document so far.
    length: u64,
    /// Whether the current document was begun.
    is_open: bool,
    buffer: Vec<u8>,
}

enum Sink {
    Standard(Box<dyn Write>),
    File(NewFile),
    Table(Box<TableWriter<NewFile>>),
    /// All bytes stay in the buffer until the end, because the format begins with the number of ids and the
    /// output cannot seek.
    Memory,
}

impl IdWriter {
    /// Creates the output. All ids must fit the format ([`IdFormat::holds`]).
    pub(crate) fn new(run: Run, output: Output) -> Result<Self> {
        let (mut sink, mut ends) = (Sink::Memory, None);
        match output.path() {
            None if run.format == IdFormat::Npy => {}
            None => sink = Sink::Standard(stdout()),
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
                        sink = Sink::Table(Box::new(table.map_err(at(path))?));
                    }
                    (IdFormat::Npy, _) if !has_head => {}
                    (format, _) => {
                        if format == IdFormat::Npy {
                            file.write_all(&npy::header(0)).map_err(at(path))?;
                        }
                        sink = Sink::File(file);
                    }
                }
            }
        }
        Ok(IdWriter {
            run,
            output,
            sink,
            ends,
            lengths: Vec::new(),
            counts: Counts::default(),
            length: 0,
            is_open: false,
            buffer: Vec::with_capacity(2 * BUFFER),
        })
    }

    /// Appends ids to the current document, and ends it if `ends_document`.
    pub(crate) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<()> {
        match self.run.format {
            IdFormat::Text => self.push_line(ids, ends_document, [b"", b" ", b"\n"])?,
            IdFormat::Jsonl => {
                self.push_line(ids, ends_document, [b"{\"ids\":[", b",", b"]}\n"])?;
            }
            IdFormat::Parquet => {
                if let Sink::Table(table) = &mut self.sink {
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
                    self.flush_from(BUFFER)?;
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
                let fault =
                    "document of more than 2,147,483,647 ids, the limit of Megatron's index";
                self.output
                    .fail(io::Error::new(io::ErrorKind::InvalidInput, fault))
            })?;
            self.lengths.push(length as u32);
        }
        Ok(())
    }

    /// Appends ids to the line of the current document.
    fn push_line(
        &mut self,
        ids: &[TokenId],
        ends_document: bool,
        [prefix, separator, suffix]: [&[u8]; 3],
    ) -> Result<()> {
        if !self.is_open {
            self.buffer.extend_from_slice(prefix);
        }
        for (index, &id) in ids.iter().enumerate() {
            if self.length > 0 || index > 0 {
                self.buffer.extend_from_slice(separator);
            }
            push_decimal(id, &mut self.buffer);
            self.flush_from(BUFFER)?;
        }
        if ends_document {
            self.buffer.extend_from_slice(suffix);
        }
        self.flush_from(BUFFER)
    }

    /// Writes the rest, and renames the files to their final names, the header last: if it exists, the
    /// others are complete. Returns the counts and the files. `shard` and `first_document` go into the header
    /// of a shard.
    pub(crate) fn finish(
        mut self,
        shard: u64,
        first_document: u64,
    ) -> Result<(Counts, Vec<PathBuf>)> {
        self.flush_from(0)?;
        let file = match std::mem::replace(&mut self.sink, Sink::Memory) {
            Sink::Memory => {
                let head = npy::header(self.counts.tokens);
                self.output.write(|writer| {
                    writer.write_all(&head)?;
                    writer.write_all(&self.buffer)
                })?;
                let files = self.output.path().map(Path::to_owned);
                return Ok((self.counts, files.into_iter().collect()));
            }
            Sink::Standard(mut stdout) => {
                stdout.flush().map_err(standard_output)?;
                return Ok((self.counts, Vec::new()));
            }
            Sink::Table(table) => table.finish().map_err(|error| self.output.fail(error))?,
            Sink::File(mut file) => {
                if self.run.format == IdFormat::Npy {
                    file.write_head(&npy::header(self.counts.tokens))?;
                }
                file
            }
        };
        let counts = self.counts;
        let mut files = Vec::new();
        if let Some(path) = self.output.path().map(Path::to_owned) {
            files.push(path.clone());
            match file.has_head() {
                true => self.complete(file, &path, shard, first_document, &mut files)?,
                // A pipe or a device has no files beside it.
                false => file.complete()?,
            }
        }
        Ok((counts, files))
    }

    /// Completes the file at `path`, then its index and header. Adds these two to `files`.
    fn complete(
        self,
        file: NewFile,
        path: &Path,
        shard: u64,
        first_document: u64,
        files: &mut Vec<PathBuf>,
    ) -> Result<()> {
        let header = beside(path, ".json");
        let format = self.run.format;
        let has_header =
            format.is_flat() || format == IdFormat::Megatron || self.run.name.is_some();
        // The header of a replaced file would describe the new one. If the new file has no header, a file
        // of that name that is not a header is kept.
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
            files.push(path);
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
        files.extend(index);
        files.extend(has_header.then_some(header));
        Ok(())
    }

    /// Writes and clears the buffer if it has at least `bytes` bytes.
    fn flush_from(&mut self, bytes: usize) -> Result<()> {
        if self.buffer.len() < bytes {
            return Ok(());
        }
        let written = match &mut self.sink {
            Sink::Standard(stdout) => stdout.write_all(&self.buffer),
            Sink::File(file) => file.write_all(&self.buffer),
            Sink::Table(_) | Sink::Memory => return Ok(()),
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
    let (chunks, _) = buffer[start..].as_chunks_mut();
    for (chunk, &id) in chunks.iter_mut().zip(ids) {
        *chunk = bytes(id);
    }
}

/// Appends `id` in decimal: five times as fast as `write!`.
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
    fn decimals_equal_the_standard_librarys() {
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

//! Reads ids from files and streams.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read, Seek, SeekFrom};

use serde_json::Value;
use tokenizer_core::corpus::read_file;
use tokenizer_core::{TokenId, UnknownToken};

use super::format::{IdFormat, Number};
use super::header::Header;
use super::{index, npy};
use crate::error::{CommandError, Result, at, ensure};
use crate::input_name::InputName;
use crate::progress::{pause, plural, shortened};

/// Ids in a chunk of a binary format.
const CHUNK: usize = 1 << 16;

/// The ids of an input, in chunks. In a text format, a chunk is a line. Files are read chunk by chunk;
/// streams are read whole before the first chunk.
pub(crate) struct IdReader {
    input: InputName,
    reader: Box<dyn BufReadSeek>,
    /// Bytes not read yet.
    pub(crate) left: u64,
    encoding: Encoding,
    header: Option<Header>,
    /// Ids read before the current chunk.
    pub(crate) tokens: u64,
    /// Ids of the current chunk.
    pub(crate) ids: Vec<TokenId>,
    chunk: Vec<u8>,
    /// Lines read so far.
    lines: usize,
}

trait BufReadSeek: BufRead + Seek {}

impl<R: BufRead + Seek> BufReadSeek for R {}

#[derive(Clone, Copy)]
enum Encoding {
    Words,
    Json,
    Numbers(Number),
}

impl IdReader {
    pub(crate) fn open(input: &InputName) -> Result<Self> {
        let (reader, left): (Box<dyn BufReadSeek>, u64) = match input.path() {
            Some(path) if path.is_file() => {
                let file = File::open(path).map_err(at(path))?;
                let length = file.metadata().map_err(at(path))?.len();
                (Box::new(BufReader::with_capacity(CHUNK, file)), length)
            }
            path => {
                let mut bytes = Vec::new();
                match path {
                    Some(path) => bytes = read_file(path)?,
                    None => {
                        if io::stdin().is_terminal() {
                            pause();
                        }
                        let read = io::stdin().lock().read_to_end(&mut bytes);
                        read.map_err(|error| input.fail(error))?;
                    }
                }
                let length = bytes.len() as u64;
                (Box::new(Cursor::new(bytes)), length)
            }
        };
        Ok(IdReader {
            input: input.clone(),
            reader,
            left,
            encoding: Encoding::Words,
            header: None,
            tokens: 0,
            ids: Vec::new(),
            chunk: Vec::new(),
            lines: 0,
        })
    }

    /// Sets the format and the header. Must be called before [`Self::read_chunk`]. The ids of the model are
    /// below `id_limit`.
    pub(crate) fn set_format(
        &mut self,
        format: IdFormat,
        header: Option<Header>,
        id_limit: usize,
    ) -> Result<()> {
        self.encoding = match format {
            IdFormat::Text => Encoding::Words,
            IdFormat::Jsonl => Encoding::Json,
            IdFormat::U16 | IdFormat::U32 => Encoding::Numbers(format.numbers()[0]),
            IdFormat::Megatron => {
                let number = match header.as_ref().and_then(|header| header.dtype) {
                    None => index::number_beside(&self.input)?.or(format.number(id_limit)),
                    number => number,
                };
                Encoding::Numbers(number.unwrap_or(Number::I32))
            }
            IdFormat::Parquet => {
                return Err(self
                    .input
                    .fail("decoding a Parquet table of ids is not supported"));
            }
            IdFormat::Npy => {
                let length = self.left;
                self.read(npy::HEAD)?;
                let parsed = npy::parse(&self.chunk, length);
                let (start, number) = parsed.map_err(|fault| self.input.fail(fault))?;
                self.seek(start, length)?;
                Encoding::Numbers(number)
            }
        };
        if let Encoding::Numbers(number) = self.encoding {
            let (left, width) = (self.left, number.bytes() as u64);
            if let Some(header) = &header {
                header.check_length(&self.input, left)?;
            }
            ensure(left.is_multiple_of(width), || {
                let position = left / width;
                self.input.fail(format!(
                    "truncated within the id at position {position}: {left} bytes are not a \
                     multiple of {width}"
                ))
            })?;
        }
        self.header = header;
        Ok(())
    }

    /// Reads the next `limit` bytes, or the rest.
    fn read(&mut self, limit: usize) -> Result<()> {
        self.chunk.clear();
        let wanted = self.left.min(limit as u64);
        let mut reader = self.reader.by_ref().take(wanted);
        let read = reader.read_to_end(&mut self.chunk);
        self.advance(read, wanted)
    }

    fn read_line(&mut self) -> Result<()> {
        self.chunk.clear();
        let mut reader = self.reader.by_ref().take(self.left);
        let read = reader.read_until(b'\n', &mut self.chunk);
        self.advance(read, self.left.min(1))
    }

    /// Advances by the bytes `read`, which must be at least `min`.
    fn advance(&mut self, read: io::Result<usize>, min: u64) -> Result<()> {
        let read = read.map_err(|error| self.input.fail(error))? as u64;
        self.left -= read;
        ensure(read >= min, || {
            let missing = plural(self.left, "byte");
            self.input
                .fail(format!("truncated while it was read: {missing} missing"))
        })
    }

    /// Seeks to an offset of the input, which has `length` bytes.
    fn seek(&mut self, offset: u64, length: u64) -> Result<()> {
        let moved = self.reader.seek(SeekFrom::Start(offset));
        moved.map_err(|error| self.input.fail(error))?;
        self.left = length - offset;
        Ok(())
    }

    /// Whether all ids, read as u32, are below 65,536. Then they are unlikely to be u16, since every second
    /// id would be 0.
    pub(crate) fn looks_like_u32(&mut self) -> Result<bool> {
        let length = self.left;
        let mut is_u32 = length > 0 && length.is_multiple_of(4);
        while is_u32 && self.left > 0 {
            self.read(4 * CHUNK)?;
            is_u32 = self.chunk.chunks_exact(4).all(|id| id[2..] == [0, 0]);
        }
        self.seek(0, length)?;
        Ok(is_u32)
    }

    /// Reads the next chunk of ids. Returns `false` at the end.
    pub(crate) fn read_chunk(&mut self) -> Result<bool> {
        self.tokens += self.ids.len() as u64;
        self.ids.clear();
        if self.left == 0 {
            if let Some(header) = &self.header {
                header.check_tokens(&self.input, self.tokens)?;
            }
            return Ok(false);
        }
        if let Encoding::Numbers(number) = self.encoding {
            self.read(CHUNK * number.bytes())?;
            for bytes in self.chunk.chunks_exact(number.bytes()) {
                let id = number.read(bytes);
                let read = TokenId::try_from(id).map_err(|_| self.unknown(id, self.ids.len()))?;
                self.ids.push(read);
            }
            return Ok(true);
        }
        self.read_line()?;
        self.lines += 1;
        let line = self.chunk.strip_suffix(b"\n").unwrap_or(&self.chunk);
        let read = match self.encoding {
            Encoding::Json => ids_of_json(line, &mut self.ids),
            _ => ids_of_words(line, &mut self.ids),
        };
        read.map_err(|fault| self.fail_in_line(fault))?;
        Ok(true)
    }

    /// Returns the error for an id of the current chunk that the model lacks.
    pub(crate) fn unknown_token(&self, unknown: UnknownToken) -> CommandError {
        self.unknown(unknown.id.into(), unknown.position)
    }

    fn unknown(&self, id: i128, position: usize) -> CommandError {
        let fault = format!("unknown token id {id} (at position ");
        match self.encoding {
            Encoding::Numbers(_) => {
                let position = self.tokens + position as u64;
                self.input.fail(format!("{fault}{position})"))
            }
            _ => self.fail_in_line(format!("{fault}{position} of the line)")),
        }
    }

    fn fail_in_line(&self, fault: String) -> CommandError {
        let line = self.lines;
        self.input.fail(format!("line {line}: {fault}"))
    }
}

fn ids_of_words(text: &[u8], ids: &mut Vec<TokenId>) -> Result<(), String> {
    let words = text.split(u8::is_ascii_whitespace);
    for word in words.filter(|word| !word.is_empty()) {
        let word = String::from_utf8_lossy(word);
        ids.push(word.parse().map_err(|_| invalid_id(&word))?);
    }
    Ok(())
}

fn ids_of_json(text: &[u8], ids: &mut Vec<TokenId>) -> Result<(), String> {
    if text.trim_ascii().is_empty() {
        return Ok(());
    }
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| format!("not JSON at column {}", error.column()))?;
    let numbers = value.get("ids").and_then(Value::as_array);
    for number in numbers.ok_or("expected {\"ids\": [...]}")? {
        let id = number.as_u64().and_then(|id| TokenId::try_from(id).ok());
        ids.push(id.ok_or_else(|| invalid_id(&number.to_string()))?);
    }
    Ok(())
}

fn invalid_id(word: &str) -> String {
    format!("invalid id {:?}", shortened(word, 40))
}

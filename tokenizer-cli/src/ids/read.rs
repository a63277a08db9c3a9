//! Reading ids.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use serde_json::Value;
use tokenizer_core::corpus::read_file;
use tokenizer_core::{TokenId, UnknownToken};

use super::format::{IdFormat, Number};
use super::header::Header;
use super::{index, npy};
use crate::error::{CommandError, Result, at, ensure};
use crate::input::InputName;
use crate::progress::shortened;

/// Ids of a file are read in parts of this many.
const PART: usize = 1 << 16;

/// The ids of an input, in parts. The bytes of a file are read in parts too, anything else whole.
pub(crate) struct IdReader {
    input: InputName,
    reader: Box<dyn BufReadSeek>,
    /// How many bytes are to come.
    pub(crate) left: u64,
    encoding: Encoding,
    /// The header of the file, if it has one.
    header: Option<Header>,
    /// Ids that were read.
    pub(crate) tokens: u64,
    /// Ids of the part that was read last.
    pub(crate) ids: Vec<TokenId>,
    part: Vec<u8>,
    /// Lines that were read.
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
                (Box::new(BufReader::with_capacity(PART, file)), length)
            }
            path => {
                let mut bytes = Vec::new();
                match path {
                    Some(path) => bytes = read_file(path)?,
                    None => {
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
            part: Vec::new(),
            lines: 0,
        })
    }

    /// Sets the format and the header, before anything is read. The ids of the model are below `id_limit`.
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
                return Err(self.input.fail("ids in a Parquet table are not decoded"));
            }
            IdFormat::Npy => {
                let length = self.left;
                self.read(npy::HEAD)?;
                let parsed = npy::parse(&self.part, length);
                let (start, number) = parsed.map_err(|fault| self.input.fail(fault))?;
                self.go_to(start, length)?;
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
                    "the file ends within the id at position {position}: {left} bytes are no \
                     multiple of {width}"
                ))
            })?;
        }
        self.header = header;
        Ok(())
    }

    /// Reads the next `most` bytes, or those that are left.
    fn read(&mut self, most: usize) -> Result<()> {
        self.part.clear();
        let wanted = self.left.min(most as u64);
        let mut reader = self.reader.by_ref().take(wanted);
        let read = reader.read_to_end(&mut self.part);
        self.advance(read, wanted)
    }

    fn read_line(&mut self) -> Result<()> {
        self.part.clear();
        let mut reader = self.reader.by_ref().take(self.left);
        let read = reader.read_until(b'\n', &mut self.part);
        self.advance(read, self.left.min(1))
    }

    /// So many bytes were read, of which there must be some.
    fn advance(&mut self, read: io::Result<usize>, least: u64) -> Result<()> {
        let read = read.map_err(|error| self.input.fail(error))? as u64;
        self.left -= read;
        ensure(read >= least, || {
            let left = self.left;
            let fault = format!("cut short while it was read: {left} bytes are missing");
            self.input.fail(fault)
        })
    }

    /// Goes to a place of the input, which has `length` bytes.
    fn go_to(&mut self, place: u64, length: u64) -> Result<()> {
        let moved = self.reader.seek(SeekFrom::Start(place));
        moved.map_err(|error| self.input.fail(error))?;
        self.left = length - place;
        Ok(())
    }

    /// Whether what is taken for ids of two bytes is more likely ids of four, below 65536.
    pub(crate) fn look_wider(&mut self) -> Result<bool> {
        let length = self.left;
        let mut is_wider = length > 0 && length.is_multiple_of(4);
        while is_wider && self.left > 0 {
            self.read(4 * PART)?;
            is_wider = self.part.chunks_exact(4).all(|wide| wide[2..] == [0, 0]);
        }
        self.go_to(0, length)?;
        Ok(is_wider)
    }

    /// Reads the next part; `false` at the end.
    pub(crate) fn read_part(&mut self) -> Result<bool> {
        self.tokens += self.ids.len() as u64;
        self.ids.clear();
        if self.left == 0 {
            if let Some(header) = &self.header {
                header.check_tokens(&self.input, self.tokens)?;
            }
            return Ok(false);
        }
        if let Encoding::Numbers(number) = self.encoding {
            self.read(PART * number.bytes())?;
            for bytes in self.part.chunks_exact(number.bytes()) {
                let id = number.read(bytes);
                let read = TokenId::try_from(id).map_err(|_| self.unknown(id, self.ids.len()))?;
                self.ids.push(read);
            }
            return Ok(true);
        }
        self.read_line()?;
        self.lines += 1;
        let line = self.part.strip_suffix(b"\n").unwrap_or(&self.part);
        let read = match self.encoding {
            Encoding::Json => ids_of_json(line, &mut self.ids),
            _ => ids_of_words(line, &mut self.ids),
        };
        read.map_err(|fault| self.fail_in_line(fault))?;
        Ok(true)
    }

    /// The model has no such token, at a place of the part that was read last.
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
        ids.push(word.parse().map_err(|_| no_id(&word))?);
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
        ids.push(id.ok_or_else(|| no_id(&number.to_string()))?);
    }
    Ok(())
}

/// A word for a message; one that goes on for ever is cut.
fn no_id(word: &str) -> String {
    format!("{:?} is no id", shortened(word, 40))
}

//! Reading ids and decoding them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;
use tokenizer_core::UnknownToken;
use tokenizer_core::corpus::FileError;
use tokenizer_core::{Model, TokenId};

use super::header::Header;
use super::npy::{self, NpyFault, Width};
use super::{IdFormat, Number, index};
use crate::error::CommandError;
use crate::input::InputName;

/// Ids of a file are decoded in parts of this many.
const PART: usize = 1 << 16;

/// Ids could not be read or decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdFault {
    #[error("line {line}: {word:?} is no id")]
    Word { line: usize, word: String },
    #[error("line {line}: {message}")]
    Json { line: usize, message: String },
    #[error("line {line}: there is no token {id} (at position {position} of the line)")]
    UnknownInLine {
        line: usize,
        id: TokenId,
        position: usize,
    },
    #[error("there is no token {id} (at position {position})")]
    Unknown { id: i128, position: usize },
    #[error(
        "the file ends within the id at position {position}: {length} bytes are no multiple of {width}"
    )]
    CutShort {
        position: usize,
        length: usize,
        width: usize,
    },
    #[error(
        "{} has {tokens} ids of {width} bytes, and the file has {found} bytes of ids: it was cut short \
         or added to, or is of another run",
        .header.display()
    )]
    OtherLength {
        header: PathBuf,
        tokens: u64,
        width: u64,
        found: u64,
    },
    #[error(
        "{} has {tokens} ids, and the file has {found}: it was cut short or added to, or is of another \
         run",
        .header.display()
    )]
    OtherTokens {
        header: PathBuf,
        tokens: u64,
        found: u64,
    },
    #[error("ids in a Parquet table are not decoded")]
    Parquet,
    #[error("every second id would be 0 as u16: these look like ids of four bytes")]
    LooksWider,
    #[error(transparent)]
    Npy(#[from] NpyFault),
}

impl IdFault {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            IdFault::LooksWider => {
                Some("give --format u32, or --format u16 if they are right".to_owned())
            }
            IdFault::OtherLength { .. } | IdFault::OtherTokens { .. } => {
                Some("encode again, or rename the header if it is not that of the file".to_owned())
            }
            _ => None,
        }
    }
}

/// What was decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) tokens: u64,
    pub(crate) bytes: u64,
}

/// A model, and the ids to leave out.
#[derive(Clone, Copy)]
pub(crate) struct Decoding<'m> {
    pub(crate) model: &'m Model,
    /// Ids that are left out, ascending.
    pub(crate) skipped: &'m [TokenId],
}

impl Decoding<'_> {
    fn decode(&self, ids: &[TokenId]) -> Result<Vec<u8>, UnknownToken> {
        self.model.decode_without(ids, self.skipped)
    }
}

/// The bytes of an input: a file is read in parts, anything else whole.
pub(crate) struct IdBytes {
    input: InputName,
    reader: Box<dyn BufReadSeek>,
    /// How many are to come.
    left: u64,
}

trait BufReadSeek: BufRead + Seek {}

impl<R: BufRead + Seek> BufReadSeek for R {}

impl IdBytes {
    pub(crate) fn open(input: &InputName) -> Result<Self, CommandError> {
        let (reader, left): (Box<dyn BufReadSeek>, u64) = match input.path() {
            Some(path) if path.is_file() => {
                let fail = |error| FileError::new(path, error);
                let file = File::open(path).map_err(fail)?;
                let length = file.metadata().map_err(fail)?.len();
                (Box::new(BufReader::with_capacity(PART, file)), length)
            }
            _ => {
                let bytes = input.read()?;
                let length = bytes.len() as u64;
                (Box::new(Cursor::new(bytes)), length)
            }
        };
        Ok(IdBytes {
            input: input.clone(),
            reader,
            left,
        })
    }

    /// How many bytes are to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    fn fail(&self, error: io::Error) -> CommandError {
        match self.input.path() {
            Some(path) => FileError::new(path, error).into(),
            None => CommandError::Standard(self.input.clone(), error),
        }
    }

    /// Replaces `part` with the next `most` bytes, or with those that are left.
    fn part(&mut self, most: usize, part: &mut Vec<u8>) -> Result<(), CommandError> {
        part.clear();
        let wanted = self.left.min(most as u64);
        let read = self.reader.by_ref().take(wanted).read_to_end(part);
        let read = read.map_err(|error| self.fail(error))? as u64;
        self.left -= read;
        match read == wanted {
            true => Ok(()),
            false => Err(self.cut_short()),
        }
    }

    /// Reads the next line into `line`; `false` at the end of the file.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, CommandError> {
        line.clear();
        let read = self.reader.by_ref().take(self.left).read_until(b'\n', line);
        let read = read.map_err(|error| self.fail(error))? as u64;
        self.left -= read;
        match read > 0 || self.left == 0 {
            true => Ok(read > 0),
            false => Err(self.cut_short()),
        }
    }

    fn cut_short(&self) -> CommandError {
        let message = format!(
            "cut short while it was read: {} bytes are missing",
            self.left
        );
        self.fail(io::Error::new(io::ErrorKind::UnexpectedEof, message))
    }

    /// Goes to a place of the input, which has `length` bytes.
    fn go_to(&mut self, place: u64, length: u64) -> Result<(), CommandError> {
        let moved = self.reader.seek(SeekFrom::Start(place));
        moved.map_err(|error| self.fail(error))?;
        self.left = length - place;
        Ok(())
    }

    /// Whether what is taken for ids of two bytes is more likely ids of four, below 65536.
    pub(crate) fn look_wider(&mut self) -> Result<bool, CommandError> {
        let (length, mut part) = (self.left, Vec::new());
        let mut is_wider = length > 0 && length.is_multiple_of(4);
        while is_wider && self.left > 0 {
            self.part(4 * PART, &mut part)?;
            is_wider = part.chunks_exact(4).all(|wide| wide[2..] == [0, 0]);
        }
        self.go_to(0, length)?;
        Ok(is_wider)
    }
}

/// Decodes the ids of `bytes` and hands their text to `each`, part by part. `header` is that of the
/// file, if it has one.
pub(crate) fn decode_ids(
    decoding: Decoding<'_>,
    bytes: &mut IdBytes,
    format: IdFormat,
    header: Option<&Header>,
    mut each: impl FnMut(&[u8]) -> Result<(), CommandError>,
) -> Result<Decoded, CommandError> {
    let input = bytes.input.clone();
    let in_input = |fault| CommandError::Ids {
        input: input.clone(),
        fault,
    };
    let check_length = |numbers: u64| match header {
        Some(header) => header.check_length(numbers).map_err(in_input),
        None => Ok(()),
    };
    if matches!(format, IdFormat::U16 | IdFormat::U32 | IdFormat::Megatron) {
        check_length(bytes.left())?;
    }
    let mut decoded = Decoded::default();
    let mut hand_out = |part: Result<(usize, Vec<u8>), IdFault>| {
        let (tokens, text) = part.map_err(in_input)?;
        decoded.tokens += tokens as u64;
        decoded.bytes += text.len() as u64;
        each(&text)
    };
    match format {
        IdFormat::Text => decode_lines(decoding, bytes, ids_of_words, &mut hand_out)?,
        IdFormat::Jsonl => decode_lines(decoding, bytes, ids_of_json, &mut hand_out)?,
        IdFormat::U16 => decode_numbers(decoding, bytes, Width::U16, &mut hand_out)?,
        IdFormat::U32 => decode_numbers(decoding, bytes, Width::U32, &mut hand_out)?,
        IdFormat::Megatron => {
            let number = match header {
                Some(header) => header.number,
                None => index::number_beside(&input)?.or(format.number(decoding.model.id_limit())),
            };
            let width = match number {
                Some(Number::U16) => Width::U16,
                _ => Width::I32,
            };
            decode_numbers(decoding, bytes, width, &mut hand_out)?;
        }
        IdFormat::Parquet => return Err(in_input(IdFault::Parquet)),
        IdFormat::Npy => {
            let (length, mut head) = (bytes.left(), Vec::new());
            bytes.part(npy::HEAD, &mut head)?;
            let parsed = npy::parse(&head, length);
            let (start, width) = parsed.map_err(|fault| in_input(fault.into()))?;
            check_length(length - start)?;
            bytes.go_to(start, length)?;
            decode_numbers(decoding, bytes, width, &mut hand_out)?;
        }
    }
    if let Some(header) = header {
        header.check_tokens(decoded.tokens).map_err(in_input)?;
    }
    Ok(decoded)
}

/// Takes the number of ids of a part with their text, or what is wrong with the part.
type HandOut<'h> = dyn FnMut(Result<(usize, Vec<u8>), IdFault>) -> Result<(), CommandError> + 'h;

fn decode_lines(
    decoding: Decoding<'_>,
    bytes: &mut IdBytes,
    ids_of: impl Fn(&[u8], usize, &mut Vec<TokenId>) -> Result<(), IdFault>,
    hand_out: &mut HandOut<'_>,
) -> Result<(), CommandError> {
    let (mut ids, mut text) = (Vec::new(), Vec::new());
    let mut line = 0;
    while bytes.line(&mut text)? {
        line += 1;
        ids.clear();
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        hand_out(ids_of(text, line, &mut ids).and_then(|()| {
            let text = decoding
                .decode(&ids)
                .map_err(|unknown| IdFault::UnknownInLine {
                    line,
                    id: unknown.id,
                    position: unknown.position,
                })?;
            Ok((ids.len(), text))
        }))?;
    }
    Ok(())
}

fn decode_numbers(
    decoding: Decoding<'_>,
    bytes: &mut IdBytes,
    width: Width,
    hand_out: &mut HandOut<'_>,
) -> Result<(), CommandError> {
    let size = width.bytes();
    let length = usize::try_from(bytes.left()).unwrap_or(usize::MAX);
    if !length.is_multiple_of(size) {
        return hand_out(Err(IdFault::CutShort {
            position: length / size,
            length,
            width: size,
        }));
    }
    let (mut ids, mut part) = (Vec::with_capacity(PART), Vec::new());
    for start in (0..length / size).step_by(PART) {
        bytes.part(PART * size, &mut part)?;
        ids.clear();
        let unknown = |id, position| IdFault::Unknown {
            id,
            position: start + position,
        };
        let read = part
            .chunks_exact(size)
            .enumerate()
            .try_for_each(|(position, bytes)| {
                let id = width.number(bytes);
                ids.push(TokenId::try_from(id).map_err(|_| unknown(id, position))?);
                Ok(())
            });
        hand_out(read.and_then(|()| {
            let text = decoding
                .decode(&ids)
                .map_err(|fault| unknown(fault.id.into(), fault.position))?;
            Ok((ids.len(), text))
        }))?;
    }
    Ok(())
}

fn ids_of_words(text: &[u8], line: usize, ids: &mut Vec<TokenId>) -> Result<(), IdFault> {
    let words = text.split(u8::is_ascii_whitespace);
    for word in words.filter(|word| !word.is_empty()) {
        let id = std::str::from_utf8(word)
            .ok()
            .and_then(|word| word.parse().ok());
        ids.push(id.ok_or_else(|| IdFault::Word {
            line,
            word: shown(word),
        })?);
    }
    Ok(())
}

fn ids_of_json(text: &[u8], line: usize, ids: &mut Vec<TokenId>) -> Result<(), IdFault> {
    if text.trim_ascii().is_empty() {
        return Ok(());
    }
    let fail = |message: String| IdFault::Json { line, message };
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| fail(format!("not JSON at column {}", error.column())))?;
    let Some(Value::Array(numbers)) = value.get("ids") else {
        return Err(fail("expected {\"ids\": [...]}".to_owned()));
    };
    for number in numbers {
        let id = number
            .as_u64()
            .and_then(|number| TokenId::try_from(number).ok());
        ids.push(id.ok_or_else(|| IdFault::Word {
            line,
            word: shown(number.to_string().as_bytes()),
        })?);
    }
    Ok(())
}

/// A word for a message; one that goes on for ever is cut.
pub(super) fn shown(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

//! The documents of a command: files, folders and standard input.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokenizer_core::corpus::{
    DocumentError, DocumentOptions, Documents, FileError, Place, ReadAs, Stretch, Unit, read_file,
};
use tokenizer_core::{EncodeError, Pattern};

use crate::args::{InputArguments, InvalidText};
use crate::error::{CommandError, UsageError};
use crate::progress::warn;

/// Where bytes come from, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputName {
    Standard,
    File(PathBuf),
}

impl InputName {
    /// `-` is standard input; a file of that name is `./-`.
    pub(crate) fn new(path: &Path) -> Self {
        if path == Path::new("-") {
            InputName::Standard
        } else {
            InputName::File(path.to_owned())
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            InputName::Standard => None,
            InputName::File(path) => Some(path),
        }
    }

    /// All bytes, whatever they are.
    pub(crate) fn read(&self) -> Result<Vec<u8>, CommandError> {
        match self {
            InputName::Standard => {
                let mut bytes = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut bytes);
                read.map_err(|error| CommandError::Standard(self.clone(), error))?;
                Ok(bytes)
            }
            InputName::File(path) => Ok(read_file(path)?),
        }
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputName::Standard => f.write_str("standard input"),
            InputName::File(path) => path.display().fmt(f),
        }
    }
}

/// All of standard input as one text: decompressed if need be, with JSON as it stands.
pub(crate) fn standard_text() -> Result<Vec<u8>, CommandError> {
    let name = InputName::Standard;
    let options = DocumentOptions::default().read_as(ReadAs::Text);
    let fail = |error| document_error(&name, error);
    let documents = Documents::of_stream(io::stdin(), &options).map_err(fail)?;
    if let Some(doubt) = documents.doubt() {
        warn(&format!("{name}: {doubt}"));
    }
    let mut text = Vec::new();
    for stretch in documents {
        let stretch = stretch.map_err(fail)?;
        if stretch.place.unit != Unit::Whole {
            let message = "a table, not one text".to_owned();
            return Err(fail(DocumentError::Table(message)));
        }
        text.extend_from_slice(stretch.as_ref());
    }
    Ok(text)
}

/// Where a text stands, as messages name it: the input, and the document of it.
#[derive(Clone, Debug)]
pub(crate) struct TextName {
    input: InputName,
    unit: Unit,
}

impl TextName {
    /// All of an input.
    pub(crate) fn whole(input: InputName) -> Self {
        let unit = Unit::Whole;
        TextName { input, unit }
    }
}

impl fmt::Display for TextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Whole => self.input.fmt(f),
            unit => write!(f, "{}: {unit}", self.input),
        }
    }
}

/// A document of an input, or a stretch of one.
pub(crate) struct InputText {
    /// The input, by its number.
    pub(crate) input: usize,
    pub(crate) stretch: Stretch,
}

impl AsRef<[u8]> for InputText {
    fn as_ref(&self) -> &[u8] {
        self.stretch.as_ref()
    }
}

/// The documents of a command, in the order in which they were typed.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    names: Vec<InputName>,
    options: DocumentOptions,
    invalid_text: InvalidText,
    /// The bytes of all inputs together, if they are files of plain text.
    total_bytes: Option<u64>,
}

impl Inputs {
    /// The inputs at `paths`, to be read as the arguments say, whichever these name themselves.
    ///
    /// Looks at every input without reading it whole, so that a slip in the last name shows before
    /// the first hour of work. All files whose content is refused are listed in one error.
    pub(crate) fn open(
        paths: &[PathBuf],
        arguments: &InputArguments,
    ) -> Result<Self, CommandError> {
        let standard = paths.iter().filter(|path| **path == Path::new("-"));
        if standard.count() > 1 {
            return Err(UsageError::StandardInputTwice.into());
        }
        let mut names = Vec::new();
        for path in paths {
            let name = InputName::new(path);
            if name.path().is_some_and(Path::is_dir) {
                if !arguments.forms.recursive {
                    return Err(CommandError::Folder(path.clone()));
                }
                let globs = arguments.forms.globs()?;
                let files = globs.files_below(path)?;
                if files.is_empty() && !globs.is_empty() {
                    return Err(CommandError::NoFileChosen(path.clone()));
                }
                names.extend(files.into_iter().map(InputName::File));
            } else {
                names.push(name);
            }
        }
        let options = (arguments.forms.options())
            .threads(arguments.threads())
            .repair_surrogates(arguments.errors == InvalidText::Keep);
        let total_bytes = look_at(&names, &options)?;
        Ok(Inputs {
            names,
            options,
            invalid_text: arguments.errors,
            total_bytes,
        })
    }

    pub(crate) fn names(&self) -> &[InputName] {
        &self.names
    }

    /// The inputs that have a path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().filter_map(InputName::path)
    }

    /// The bytes of all inputs together, if they are files of plain text.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// What each input is known by: its length, and a hash of its beginning, its end and some places
    /// between them. Of standard input, pipes and devices nothing is known before they are read.
    pub(crate) fn fingerprints(&self) -> Result<Vec<String>, CommandError> {
        let fingerprint = |name: &InputName| match name.path() {
            Some(path) => fingerprint(path).map_err(|error| FileError::new(path, error)),
            None => Ok(String::new()),
        };
        Ok(self
            .names
            .iter()
            .map(fingerprint)
            .collect::<Result<_, _>>()?)
    }

    /// Reads all documents, one after another. Long ones come in stretches where there is a pattern
    /// to cut them by. After an error there are no more.
    pub(crate) fn documents(
        &self,
        cut: Option<&Pattern>,
    ) -> impl Iterator<Item = Result<InputText, CommandError>> + use<> {
        let options = self.options.clone().cut(cut.cloned());
        let inputs = self.clone();
        let mut numbers = 0..self.names.len();
        let mut under_way: Option<(usize, Documents)> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some((input, documents)) = &mut under_way {
                    let name = &inputs.names[*input];
                    match documents.next() {
                        Some(Ok(stretch)) => {
                            let input = *input;
                            let checked = inputs.check(name, &stretch);
                            return Some(checked.map(|()| InputText { input, stretch }));
                        }
                        Some(Err(error)) => return Some(Err(document_error(name, error))),
                        None => {}
                    }
                }
                let input = numbers.next()?;
                let name = &inputs.names[input];
                let documents = match name.path() {
                    Some(path) => Documents::of_file(path, &options),
                    None => Documents::of_stream(io::stdin(), &options),
                };
                match documents {
                    Ok(documents) => {
                        // A regular file was looked at before.
                        if let Some(doubt) = documents.doubt()
                            && !name.path().is_some_and(Path::is_file)
                        {
                            warn(&format!("{name}: {doubt}"));
                        }
                        under_way = Some((input, documents));
                    }
                    Err(error) => return Some(Err(document_error(name, error))),
                }
            }
        })
        .fuse()
    }

    /// A text that begins at `place` of an input could not be encoded.
    pub(crate) fn encode_error(
        &self,
        input: usize,
        place: Place,
        mut error: EncodeError,
    ) -> CommandError {
        // A stretch of a document counts from its own beginning.
        let before = usize::try_from(place.offset).unwrap_or(usize::MAX);
        match &mut error {
            EncodeError::Split(error) => error.offset = error.offset.saturating_add(before),
            EncodeError::SpecialNotAllowed { offset, .. } => {
                *offset = offset.saturating_add(before)
            }
            _ => {}
        }
        CommandError::Encode {
            text: TextName {
                input: self.names[input].clone(),
                unit: place.unit,
            },
            error,
        }
    }

    fn check(&self, name: &InputName, stretch: &Stretch) -> Result<(), CommandError> {
        if self.invalid_text == InvalidText::Strict
            && let Err(error) = std::str::from_utf8(stretch.as_ref())
        {
            // Invalid only where an escape of JSON was not repaired, or where it is spelled out.
            let is_surrogate = matches!(
                stretch.as_ref()[error.valid_up_to()..],
                [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..]
            );
            return Err(CommandError::NotUtf8 {
                text: TextName {
                    input: name.clone(),
                    unit: stretch.place.unit,
                },
                offset: stretch.place.offset + error.valid_up_to() as u64,
                is_surrogate,
            });
        }
        Ok(())
    }
}

/// Looks at the regular files among the inputs, and warns of those that may not be text. Gives their
/// bytes together, if all inputs are files of plain text.
fn look_at(names: &[InputName], options: &DocumentOptions) -> Result<Option<u64>, CommandError> {
    let (mut total, mut refused, mut warned) = (Some(0), Vec::new(), HashSet::new());
    for name in names {
        let Some(path) = name.path() else {
            total = None;
            continue;
        };
        let bytes = match Documents::look(path, options) {
            Ok(look) => {
                let doubt = look.and_then(|look| look.doubt);
                // A file may be given several times.
                if let Some(doubt) = doubt
                    && warned.insert(path)
                {
                    warn(&format!("{name}: {doubt}"));
                }
                let metadata = fs::metadata(path).ok();
                let is_plain_text = look.is_some_and(|look| look.is_plain_text);
                metadata
                    .filter(|_| is_plain_text)
                    .map(|metadata| metadata.len())
            }
            Err(DocumentError::Refused(why)) => {
                refused.push((path.to_owned(), why));
                None
            }
            Err(error) => return Err(document_error(name, error)),
        };
        total = total.zip(bytes).map(|(total, bytes)| total + bytes);
    }
    match refused.is_empty() {
        true => Ok(total),
        false => Err(CommandError::Refused(refused)),
    }
}

fn document_error(input: &InputName, error: DocumentError) -> CommandError {
    match (input, error) {
        (InputName::File(path), DocumentError::Read(error)) => FileError::new(path, error).into(),
        (input, DocumentError::Read(error)) => CommandError::Standard(input.clone(), error),
        (input, error) => CommandError::Document(input.clone(), error),
    }
}

/// Places of a file at which its fingerprint looks, the beginning and the end among them, and how many
/// bytes it takes at each.
const PLACES: u64 = 17;
const AT_EACH: u64 = 1 << 14;

/// Two files of the same length that differ only where it does not look have the same: this notices
/// a file that was made anew, and costs the same for one of any size.
fn fingerprint(path: &Path) -> io::Result<String> {
    let mut file = match fs::metadata(path)? {
        metadata if metadata.is_file() => File::open(path)?,
        _ => return Ok(String::new()),
    };
    let length = file.metadata()?.len();
    let mut digest = Sha256::new_with_prefix(length.to_le_bytes());
    let last = length.saturating_sub(AT_EACH);
    let mut bytes = Vec::new();
    for place in 0..PLACES {
        // No product of theirs, which could be too large.
        let start = last / (PLACES - 1) * place;
        let start = if place + 1 == PLACES { last } else { start };
        bytes.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(AT_EACH).read_to_end(&mut bytes)?;
        digest.update(&bytes);
        if last == 0 {
            break;
        }
    }
    let digest = digest.finalize();
    Ok(digest[..8].iter().map(|b| format!("{b:02x}")).collect())
}

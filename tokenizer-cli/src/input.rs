//! The documents of a command: files, folders and standard input.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokenizer_core::corpus::{
    DocumentError, DocumentOptions, Documents, Globs, Place, ReadAs, Refused, Stretch, Unit, Units,
};
use tokenizer_core::{EncodeError, Pattern};

use crate::args::{InputArguments, InvalidText};
use crate::error::{CommandError, Result, at, ensure, failed, usage};
use crate::progress::warn;

impl InputArguments {
    pub(crate) fn threads(&self) -> usize {
        self.threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }

    /// How a file becomes documents.
    pub(crate) fn options(&self) -> DocumentOptions {
        let units = match &self.document_separator {
            Some(separator) => Units::Separated(separator.clone().into_bytes()),
            None if self.per_line => Units::Lines,
            None => Units::Whole,
        };
        let read_as = match (self.json_lines, self.text) {
            (true, _) => ReadAs::JsonLines,
            (_, true) => ReadAs::Text,
            _ => ReadAs::Detect,
        };
        DocumentOptions::default()
            .units(units)
            .read_as(read_as)
            .field(&self.field)
            .column(&self.column)
    }

    /// All inputs.
    pub(crate) fn open(&self) -> Result<Inputs> {
        self.open_some(&self.inputs)
    }

    /// The inputs at `paths`, to be read as the options say.
    ///
    /// Looks at every input without reading it whole, so that a slip in the last name shows before
    /// the first hour of work. All files whose content is refused are listed in one error.
    pub(crate) fn open_some(&self, paths: &[PathBuf]) -> Result<Inputs> {
        let standard = paths.iter().filter(|path| **path == Path::new("-"));
        ensure(standard.count() <= 1, || {
            usage("standard input can be read only once, but `-` stands twice")
        })?;
        let mut names = Vec::new();
        for path in paths {
            let name = InputName::new(path);
            match name.path().is_some_and(Path::is_dir) {
                true => names.extend(self.files_below(path)?),
                false => names.push(name),
            }
        }
        let options = self.options().threads(self.threads());
        let options = options.repair_surrogates(self.errors == InvalidText::Keep);
        Ok(Inputs {
            total_bytes: look_at(&names, &options)?,
            names,
            options,
            is_strict: self.errors == InvalidText::Strict,
            threads: self.threads(),
        })
    }

    fn files_below(&self, folder: &Path) -> Result<impl Iterator<Item = InputName>> {
        let path = folder.display();
        ensure(self.recursive, || {
            failed(format!("{path}: is a directory")).hint("--recursive takes the files in it")
        })?;
        let globs = Globs::new(&self.include, &self.exclude).map_err(usage)?;
        let files = globs.files_below(folder)?;
        ensure(!files.is_empty() || globs.is_empty(), || {
            failed(format!("{path}: no file matches --include and --exclude")).hint(
                "a glob with `/` matches the path relative to the folder, one without it the name",
            )
        })?;
        Ok(files.into_iter().map(|path| InputName(Some(path))))
    }
}

/// Where bytes come from, as messages name it: a file or standard input.
#[derive(Clone, Debug)]
pub(crate) struct InputName(Option<PathBuf>);

impl InputName {
    pub(crate) const STANDARD: Self = InputName(None);

    /// `-` is standard input; a file of that name is `./-`.
    pub(crate) fn new(path: &Path) -> Self {
        InputName((path != Path::new("-")).then(|| path.to_owned()))
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// The data of this input cannot be used.
    pub(crate) fn fail(&self, fault: impl fmt::Display) -> CommandError {
        failed(format!("{self}: {fault}"))
    }

    /// The same for a document of it.
    fn fail_in(&self, unit: Unit, fault: impl fmt::Display) -> CommandError {
        match unit {
            Unit::Whole => self.fail(fault),
            unit => self.fail(format!("{unit}: {fault}")),
        }
    }

    fn document_error(&self, error: DocumentError) -> CommandError {
        let remedy = match &error {
            DocumentError::Json { .. } => "--text reads all of the input as text",
            DocumentError::Field { .. } => {
                "--field names the field that holds the text; --text reads all of the input as text"
            }
            DocumentError::Column(_) => "--column names the column that holds the text",
            DocumentError::Refused(Refused::UnnamedJsonLines | Refused::OtherJson) => {
                "--json-lines reads every line as a record, --text reads all of it as text"
            }
            DocumentError::Refused(Refused::JsonArray) => {
                "write its elements one a line, as `jq -c '.[]'` does, or read all of it with \
                 --text; --json-lines is for objects one a line"
            }
            DocumentError::Refused(Refused::Compression(_)) => {
                "decompress it, also into a pipe: an INPUT of `-` is standard input"
            }
            DocumentError::Refused(Refused::Container(_) | Refused::CompressedContainer { .. }) => {
                "give the texts that it holds as files or on standard input"
            }
            DocumentError::Refused(Refused::Encoding(_)) => {
                "convert it to UTF-8, as with `iconv -t UTF-8`"
            }
            DocumentError::Refused(Refused::Ids) => "`tokenizer decode` turns ids into text",
            _ => "",
        };
        self.fail(error).hint(remedy)
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            None => f.write_str("standard input"),
            Some(path) => path.display().fmt(f),
        }
    }
}

/// All of standard input as one text: decompressed if need be, with JSON as it stands.
pub(crate) fn standard_text() -> Result<Vec<u8>> {
    let inputs = Inputs {
        names: vec![InputName::STANDARD],
        options: DocumentOptions::default().read_as(ReadAs::Text),
        is_strict: false,
        total_bytes: None,
        threads: 1,
    };
    let mut text = Vec::new();
    for part in inputs.documents(None) {
        let part = part?;
        ensure(part.stretch.place.unit == Unit::Whole, || {
            let table = DocumentError::Table("a table, not one text".to_owned());
            InputName::STANDARD.document_error(table)
        })?;
        text.extend_from_slice(part.as_ref());
    }
    Ok(text)
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
    pub(crate) names: Vec<InputName>,
    options: DocumentOptions,
    /// Bytes that are not UTF-8 are an error.
    is_strict: bool,
    /// The bytes of all inputs together, if they are files of plain text.
    pub(crate) total_bytes: Option<u64>,
    /// Threads to work on.
    pub(crate) threads: usize,
}

impl Inputs {
    /// The inputs that have a path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().filter_map(InputName::path)
    }

    /// What each input is known by: its length, and a hash of its beginning, its end and some places
    /// between them. Of standard input, pipes and devices nothing is known before they are read.
    pub(crate) fn fingerprints(&self) -> Result<Vec<String>> {
        let fingerprint = |name: &InputName| match name.path() {
            Some(path) => fingerprint(path).map_err(at(path)),
            None => Ok(String::new()),
        };
        self.names.iter().map(fingerprint).collect()
    }

    /// Reads all documents, one after another. Long ones come in stretches where there is a pattern
    /// to cut them by. Not to be read on after an error.
    pub(crate) fn documents(
        &self,
        cut: Option<&Pattern>,
    ) -> impl Iterator<Item = Result<InputText>> + use<> {
        let mut inputs = self.clone();
        inputs.options = inputs.options.cut(cut.cloned());
        let inputs = Arc::new(inputs);
        (0..self.names.len()).flat_map(move |input| {
            let (documents, error) = match inputs.open(input) {
                Ok(documents) => (Some(documents), None),
                Err(error) => (None, Some(Err(error))),
            };
            let inputs = Arc::clone(&inputs);
            let stretches = documents.into_iter().flatten();
            let texts = stretches.map(move |stretch| inputs.text(input, stretch));
            texts.chain(error)
        })
    }

    fn open(&self, input: usize) -> Result<Documents> {
        let name = &self.names[input];
        let documents = match name.path() {
            Some(path) => Documents::of_file(path, &self.options),
            None => Documents::of_stream(io::stdin(), &self.options),
        };
        let documents = documents.map_err(|error| name.document_error(error))?;
        // A regular file was looked at before.
        if let Some(doubt) = documents.doubt()
            && !name.path().is_some_and(Path::is_file)
        {
            warn(&format!("{name}: {doubt}"));
        }
        Ok(documents)
    }

    fn text(&self, input: usize, stretch: Result<Stretch, DocumentError>) -> Result<InputText> {
        let name = &self.names[input];
        let stretch = stretch.map_err(|error| name.document_error(error))?;
        if self.is_strict
            && let Err(error) = std::str::from_utf8(stretch.as_ref())
        {
            let invalid = &stretch.as_ref()[error.valid_up_to()..];
            let offset = stretch.place.offset + error.valid_up_to() as u64;
            // Invalid only where an escape of JSON was not repaired, or where it is spelled out.
            let (fault, hint) = match invalid {
                [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] => (
                    ": a lone surrogate",
                    "--errors keep puts U+FFFD in the place of such an escape of JSON, and takes \
                     other bytes as they are",
                ),
                _ => (
                    "",
                    "--errors keep takes such bytes as they are, and they come back when decoded",
                ),
            };
            let fault = format!("byte {offset} is not UTF-8{fault}");
            return Err(name.fail_in(stretch.place.unit, fault).hint(hint));
        }
        Ok(InputText { input, stretch })
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
        if let EncodeError::Split(error) = &mut error {
            error.offset = error.offset.saturating_add(before);
        }
        self.names[input].fail_in(place.unit, error)
    }
}

/// Looks at the regular files among the inputs, and warns of those that may not be text. Gives their
/// bytes together, if all inputs are files of plain text.
fn look_at(names: &[InputName], options: &DocumentOptions) -> Result<Option<u64>> {
    let (mut total, mut refused, mut warned) = (Some(0), Vec::new(), HashSet::new());
    for name in names {
        let Some(path) = name.path() else {
            total = None;
            continue;
        };
        let look = match Documents::look(path, options) {
            Err(DocumentError::Refused(why)) => {
                refused.push((name, why));
                continue;
            }
            look => look.map_err(|error| name.document_error(error))?,
        };
        // A file may be given several times.
        if let Some(doubt) = look.and_then(|look| look.doubt)
            && warned.insert(path)
        {
            warn(&format!("{name}: {doubt}"));
        }
        let metadata = fs::metadata(path).ok();
        let metadata = metadata.filter(|_| look.is_some_and(|look| look.is_plain_text));
        let bytes = metadata.map(|metadata| metadata.len());
        total = total.zip(bytes).map(|(total, bytes)| total + bytes);
    }
    match &refused[..] {
        [] => Ok(total),
        [(name, why)] => Err(name.document_error(DocumentError::Refused(*why))),
        _ => {
            let each = refused.iter().map(|(name, why)| format!("{name}: {why}"));
            let all = each.collect::<Vec<_>>().join("; ");
            let error = failed(format!("{} inputs are refused: {all}", refused.len()));
            Err(error.hint(
                "--exclude GLOB leaves files of a folder out; --json-lines and --text decide how \
                 JSON is read",
            ))
        }
    }
}

/// Places of a file at which its fingerprint looks, the beginning and the end among them, and how many
/// bytes it takes at each.
const PLACES: u64 = 17;
const AT_EACH: u64 = 1 << 14;

/// Two files of the same length that differ only where it does not look have the same: this notices
/// a file that was made anew, and costs the same for one of any size.
fn fingerprint(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Ok(String::new());
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut digest = Sha256::new_with_prefix(length.to_le_bytes());
    let last = length.saturating_sub(AT_EACH);
    // No product of theirs, which could be too large.
    let starts = (0..PLACES - 1).map(|place| last / (PLACES - 1) * place);
    let places = if last == 0 { 1 } else { PLACES };
    for start in starts.chain([last]).take(places as usize) {
        file.seek(SeekFrom::Start(start))?;
        io::copy(&mut file.by_ref().take(AT_EACH), &mut digest)?;
    }
    Ok(format!("{:x}", digest.finalize())[..16].to_owned())
}

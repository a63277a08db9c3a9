//! The documents of a command: files, folders and standard input.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokenizer_core::corpus::{
    DocumentError, DocumentOptions, Documents, Globs, Place, ReadAs, Stretch, Unit, Units,
};
use tokenizer_core::{EncodeError, Pattern};

use crate::args::{InputArguments, InvalidText};
use crate::error::{CommandError, Result, at, ensure, failed, usage};
use crate::input_name::InputName;
use crate::progress::{pause, plural, warn};

impl InputArguments {
    pub(crate) fn threads(&self) -> usize {
        self.threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }

    /// The options that split a file into documents.
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

    /// Opens all inputs.
    pub(crate) fn open(&self) -> Result<Inputs> {
        self.open_some(&self.inputs)
    }

    /// Opens the inputs at `paths` instead of those in the arguments.
    ///
    /// Reads the beginning of every file, so that a mistake in the last name is found before the work starts.
    /// If several files have content that is refused, one error lists them all.
    pub(crate) fn open_some(&self, paths: &[PathBuf]) -> Result<Inputs> {
        let standard = paths.iter().filter(|path| **path == Path::new("-"));
        ensure(standard.count() <= 1, || {
            usage("standard input is given twice, and can be read only once")
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
        let (starts, total_bytes) = look_at(&names, &options)?;
        Ok(Inputs {
            total_bytes: Some(total_bytes).filter(|&bytes| bytes > 0),
            starts: starts.into(),
            names,
            options,
            is_strict: self.errors == InvalidText::Strict,
            threads: self.threads(),
        })
    }

    fn files_below(&self, folder: &Path) -> Result<impl Iterator<Item = InputName>> {
        let path = folder.display();
        ensure(self.recursive, || {
            failed(format!("{path}: is a directory")).hint("--recursive reads the files in it")
        })?;
        let globs = Globs::new(&self.include, &self.exclude).map_err(usage)?;
        let files = globs.files_below(folder)?;
        ensure(!files.is_empty() || globs.is_empty(), || {
            failed(format!("{path}: no file matches --include and --exclude")).hint(
                "a glob with `/` matches the path relative to the folder, a glob without `/` the file name",
            )
        })?;
        Ok(files.into_iter().map(InputName::of_file))
    }
}

/// Reads all of standard input as one text. Decompresses it if necessary, but does not parse JSON.
pub(crate) fn standard_text() -> Result<Vec<u8>> {
    let inputs = Inputs {
        names: vec![InputName::STANDARD],
        options: DocumentOptions::default().read_as(ReadAs::Text),
        is_strict: false,
        starts: Arc::new([0]),
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

/// A document of an input, or a part of a long one.
pub(crate) struct InputText {
    /// Index of the input.
    pub(crate) input: usize,
    pub(crate) stretch: Stretch,
    /// The position in all inputs together after this text was read, in bytes as they are stored.
    pub(crate) position: u64,
}

impl AsRef<[u8]> for InputText {
    fn as_ref(&self) -> &[u8] {
        self.stretch.as_ref()
    }
}

/// The inputs of a command, in the order of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) names: Vec<InputName>,
    options: DocumentOptions,
    /// Whether invalid UTF-8 is an error.
    is_strict: bool,
    /// For each input, the total size of the files before it, in bytes as they are stored.
    starts: Arc<[u64]>,
    /// The total size of all files, in bytes as they are stored; `None` if it is 0. Streams are not included,
    /// since their size is unknown.
    pub(crate) total_bytes: Option<u64>,
    pub(crate) threads: usize,
}

impl Inputs {
    /// The inputs that have a path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().filter_map(InputName::path)
    }

    /// Returns a fingerprint of each input: a hash of its length, beginning, end and samples in between, or
    /// an empty string for standard input, pipes and devices.
    pub(crate) fn fingerprints(&self) -> Result<Vec<String>> {
        let fingerprint = |name: &InputName| match name.path() {
            Some(path) => fingerprint(path).map_err(at(path)),
            None => Ok(String::new()),
        };
        self.names.iter().map(fingerprint).collect()
    }

    /// Returns the documents of all inputs, in order. Long ones are cut at boundaries of the pattern `cut`,
    /// if given. The iterator must not be advanced after an error.
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
            let texts = documents.into_iter().flat_map(move |mut documents| {
                let inputs = Arc::clone(&inputs);
                iter::from_fn(move || {
                    let stretch = documents.next()?;
                    Some(inputs.text(input, stretch, documents.position()))
                })
            });
            texts.chain(error)
        })
    }

    fn open(&self, input: usize) -> Result<Documents> {
        let name = &self.names[input];
        let documents = match name.path() {
            Some(path) => Documents::of_file(path, &self.options),
            None => {
                if io::stdin().is_terminal() {
                    pause();
                }
                Documents::of_stream(io::stdin(), &self.options)
            }
        };
        let documents = documents.map_err(|error| name.document_error(error))?;
        // Regular files were checked by `look_at`.
        if let Some(doubt) = documents.doubt()
            && !name.path().is_some_and(Path::is_file)
        {
            warn(&format!("{name}: {doubt}"));
        }
        Ok(documents)
    }

    fn text(
        &self,
        input: usize,
        stretch: Result<Stretch, DocumentError>,
        position: u64,
    ) -> Result<InputText> {
        let name = &self.names[input];
        let stretch = stretch.map_err(|error| name.document_error(error))?;
        if self.is_strict
            && let Err(error) = std::str::from_utf8(stretch.as_ref())
        {
            let invalid = &stretch.as_ref()[error.valid_up_to()..];
            let offset = stretch.place.offset + error.valid_up_to() as u64;
            // A surrogate stems from a JSON escape that was not repaired, or its bytes stand in the input.
            let (fault, hint) = match invalid {
                [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] => (
                    ": a lone surrogate",
                    "--errors keep replaces the JSON escape by U+FFFD; without an escape, it keeps the \
                     bytes unchanged",
                ),
                _ => (
                    "",
                    "--errors keep encodes such bytes unchanged, and decoding restores them",
                ),
            };
            let fault = format!("byte {offset} is not UTF-8{fault}");
            return Err(name.fail_in(stretch.place.unit, fault).hint(hint));
        }
        let ends = self.starts.get(input + 1).copied();
        let position = match ends.or(self.total_bytes) {
            // A file may grow while it is read.
            Some(end) => end.min(self.starts[input].saturating_add(position)),
            None => 0,
        };
        Ok(InputText {
            input,
            stretch,
            position,
        })
    }

    /// Returns the error for a text that could not be encoded. `place` is its position in the input.
    pub(crate) fn encode_error(
        &self,
        input: usize,
        place: Place,
        mut error: EncodeError,
    ) -> CommandError {
        // `error` counts its offset from the start of the stretch.
        let before = usize::try_from(place.offset).unwrap_or(usize::MAX);
        if let EncodeError::Split(error) = &mut error {
            error.offset = error.offset.saturating_add(before);
        }
        self.names[input].fail_in(place.unit, error)
    }
}

/// Reads the beginnings of the regular files among the inputs, and warns of those that may not be text.
/// Returns, for each input, the total size of the files before it, and the total size of all files.
fn look_at(names: &[InputName], options: &DocumentOptions) -> Result<(Vec<u64>, u64)> {
    let (mut starts, mut total) = (Vec::new(), 0);
    let (mut refused, mut warned) = (Vec::new(), HashSet::new());
    for name in names {
        starts.push(total);
        let Some(path) = name.path() else {
            continue;
        };
        let look = match Documents::look(path, options) {
            Err(DocumentError::Refused(why)) => {
                refused.push((name, why));
                continue;
            }
            look => look.map_err(|error| name.document_error(error))?,
        };
        // A file that is given twice causes one warning.
        if let Some(doubt) = look.and_then(|look| look.doubt)
            && warned.insert(path)
        {
            warn(&format!("{name}: {doubt}"));
        }
        let file = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        total += file.map_or(0, |file| file.len());
    }
    match &refused[..] {
        [] => Ok((starts, total)),
        [(name, why)] => Err(name.document_error(DocumentError::Refused(*why))),
        _ => {
            let each = refused.iter().map(|(name, why)| format!("{name}: {why}"));
            let all = each.collect::<Vec<_>>().join("; ");
            let error = failed(format!(
                "{} refused: {all}",
                plural(refused.len() as u64, "input")
            ));
            Err(error.hint(
                "--exclude GLOB leaves files of a folder out; --json-lines and --text decide how \
                 JSON is read",
            ))
        }
    }
}

/// The number of samples in a fingerprint, including the beginning and the end of the file.
const SAMPLES: u64 = 17;
const SAMPLE_BYTES: u64 = 1 << 14;

/// Returns a hash of the length and samples of a file, or an empty string for a pipe or device. The hash
/// detects that the file was generated anew, at a cost that does not depend on its size. A change between the
/// samples goes unnoticed.
fn fingerprint(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Ok(String::new());
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut digest = Sha256::new_with_prefix(length.to_le_bytes());
    let last = length.saturating_sub(SAMPLE_BYTES);
    // Divided first: the product could overflow.
    let starts = (0..SAMPLES - 1).map(|sample| last / (SAMPLES - 1) * sample);
    let samples = if last == 0 { 1 } else { SAMPLES };
    for start in starts.chain([last]).take(samples as usize) {
        file.seek(SeekFrom::Start(start))?;
        io::copy(&mut file.by_ref().take(SAMPLE_BYTES), &mut digest)?;
    }
    Ok(format!("{:x}", digest.finalize())[..16].to_owned())
}

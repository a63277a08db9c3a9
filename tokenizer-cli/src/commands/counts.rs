//! Counted pieces, from documents and from files, for the commands that use them.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFiles, CountsFormat, LoadCountsError, TemporaryFiles};
use tokenizer_core::format::counts::{CountsError, tsv};
use tokenizer_core::{
    CountError, CountOptions, CropOptions, Cropped, Normalizer, Pattern, PatternName, PieceCounter,
    PieceCounts, SortedPieces, count_pieces, crop,
};

use super::places::{InputPlace, Places};
use crate::args::CountingArguments;
use crate::error::{Result, ensure, failed, usage};
use crate::input::{InputText, Inputs};
use crate::progress::{Progress, number, plural};

const MEMORY_HINT: &str =
    "--max-memory bounds counting; training holds all distinct pieces in memory";

/// Opens files of counted pieces. Returns `None` if `paths` is empty. If `pattern` is given, the pattern of
/// the files must be equal to it.
pub(super) fn open(paths: &[PathBuf], pattern: Option<&Pattern>) -> Result<Option<CountsFiles>> {
    CountsFiles::open(paths, pattern).map_err(|error| match &error {
        LoadCountsError::Counts(_, CountsError::PatternMissing) => {
            usage(error).hint("--pattern names the one they were split by, such as cl100k")
        }
        LoadCountsError::Counts(_, CountsError::OtherPattern { .. }) => {
            usage(error).hint("leave --pattern out")
        }
        _ => error.into(),
    })
}

/// Returns the pattern to split by: that of the files, else the given one, else the default.
pub(super) fn pattern(files: Option<&CountsFiles>, given: Option<&Pattern>) -> Pattern {
    let pattern = files.map(CountsFiles::pattern).or(given).cloned();
    pattern.unwrap_or_else(|| Pattern::named(PatternName::Cl100k))
}

/// Counts pieces by the options of a command.
pub(super) struct Counter<'a> {
    pub(super) pattern: &'a Pattern,
    /// Applied to documents before they are cropped and split.
    pub(super) normalizer: Option<Normalizer>,
    pub(super) options: &'a CountingArguments,
    pub(super) inputs: &'a Inputs,
    /// Files of counted pieces, whose counts are added to those of the documents.
    pub(super) files: Option<&'a CountsFiles>,
    pub(super) progress: &'a Progress,
}

impl Counter<'_> {
    /// Returns all pieces for training, and the number of bytes of the documents, if there were any.
    ///
    /// With a memory limit, the pieces may take half of it, since assembling them takes up to the other half.
    /// Pieces that take more would be refused in any case: merging always takes more than twice their memory.
    pub(super) fn piece_counts(&self) -> Result<(PieceCounts, Option<u64>)> {
        if let Some(max_memory) = self.options.max_memory {
            return self.sorted(|sorted, bytes| {
                let counts = sorted.into_piece_counts(max_memory / 2);
                let counts = counts.map_err(|error| match &error {
                    CountError::MemoryExceeded { .. } => failed(error).hint(MEMORY_HINT),
                    _ => error.into(),
                });
                Ok((counts?, bytes))
            });
        }
        let options = CountOptions::default().threads(self.inputs.threads);
        let (mut counts, bytes) =
            self.documents(|documents| count_pieces(documents, self.pattern, &options))?;
        self.add_files(|piece, count| Ok(counts.add(piece, count)?))?;
        Ok((counts, bytes))
    }

    /// Calls `consume` with all pieces, sorted by their bytes, and the number of bytes of the documents, if
    /// there were any.
    pub(super) fn sorted<R>(
        &self,
        consume: impl FnOnce(SortedPieces<File>, Option<u64>) -> Result<R>,
    ) -> Result<R> {
        let store = TemporaryFiles::default();
        let max_memory = self.options.max_memory.unwrap_or(usize::MAX);
        let options = CountOptions::default().threads(self.inputs.threads);
        let mut counter = PieceCounter::new(self.pattern, &options, max_memory, &store);
        let ((), bytes) = self.documents(|documents| counter.count(documents))?;
        self.add_files(|piece, count| Ok(counter.add(piece, count)?))?;
        consume(counter.finish()?, bytes)
    }

    /// Checks `estimate`, the bytes that merging takes, against `--max-memory`.
    pub(super) fn check_merging(&self, estimate: u64) -> Result<()> {
        let limit = self.options.max_memory.unwrap_or(usize::MAX);
        ensure(estimate <= limit as u64, || {
            let fault = format!("merging takes about {estimate} bytes of memory");
            failed(format!("{fault}, and --max-memory allows {limit}")).hint(MEMORY_HINT)
        })
    }

    fn add_files(&self, mut add: impl FnMut(&[u8], u64) -> Result<(), CountsError>) -> Result<()> {
        let Some(files) = self.files else {
            return Ok(());
        };
        let stage = self.progress.bytes("reading counts");
        files.for_each_row(|piece, count| {
            stage.advance(piece.len() as u64);
            add(piece, count)
        })?;
        Ok(())
    }

    /// Calls `count` with all documents, and returns its result and the number of bytes of the documents. If
    /// the only inputs are files of counts, returns the default and `None` instead.
    fn documents<R: Default>(
        &self,
        count: impl FnOnce(&mut (dyn Iterator<Item = Cropped<Text>> + Send)) -> Result<R, CountError>,
    ) -> Result<(R, Option<u64>)> {
        let inputs = self.inputs;
        if inputs.names.is_empty() && self.files.is_some() {
            return Ok((R::default(), None));
        }
        let stage = self
            .progress
            .bytes_of("counting pieces", inputs.total_bytes);
        let mut failure = None;
        let crop_options = CropOptions::default()
            .max_chars(self.options.max_chars.unwrap_or(u64::MAX))
            .doc_cap(self.options.doc_cap.unwrap_or(u64::MAX));
        // A document that is normalized or cropped must be read whole.
        let may_cut = self.normalizer.is_none() && crop_options == CropOptions::default();
        let normalized = |text: &[u8]| match self.normalizer.as_ref()?.apply(text) {
            Cow::Owned(normalized) => Some(normalized),
            Cow::Borrowed(_) => None,
        };
        let documents = inputs.documents(may_cut.then_some(self.pattern));
        let documents = documents.map_while(|text| match text {
            Ok(text) => Some(Text {
                normalized: normalized(text.as_ref()),
                text,
            }),
            Err(error) => {
                failure = Some(error);
                None
            }
        });
        let mut places = Places::default();
        let documents = crop(documents.fuse(), &crop_options);
        // Counting lags only a few documents behind reading, so the progress of reading is shown.
        let mut documents = documents.inspect(|document| {
            places.push(InputPlace::of(&document.document().text));
            stage.advance(document.as_ref().len() as u64);
            stage.reach(document.document().text.position);
        });
        let counted = count(&mut documents);
        drop(documents);
        // A document that fails to split precedes one that fails to be read.
        let counted = counted.map_err(|error| match error {
            CountError::Split { document, error } => {
                let InputPlace { input, place } = places.find(document);
                inputs.encode_error(input, place, error.into())
            }
            other => other.into(),
        })?;
        match failure {
            Some(failure) => Err(failure),
            None => Ok((counted, Some(stage.bytes()))),
        }
    }
}

/// A text to count, normalized.
struct Text {
    text: InputText,
    /// `None` if normalization changes nothing.
    normalized: Option<Vec<u8>>,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        let text = self.text.as_ref();
        self.normalized.as_deref().unwrap_or(text)
    }
}

/// Prints the result of a command that counted pieces. `bytes` is the size of the documents, if any.
pub(super) fn close(
    progress: &Progress,
    done: &str,
    bytes: Option<u64>,
    [pieces, distinct]: [u64; 2],
) {
    let text = bytes.map_or_else(String::new, |bytes| format!("{}, ", plural(bytes, "byte")));
    let (pieces, distinct) = (plural(pieces, "piece"), number(distinct));
    let what = format!("{done} {text}{pieces}, {distinct} of them distinct,");
    progress.close(&what, bytes);
}

/// Checks that no input is a file of counted pieces, which would be trained on as text.
pub(super) fn refuse_as_text(paths: &[PathBuf]) -> Result<()> {
    let is_counts = |path: &&PathBuf| match CountsFormat::of_file(path) {
        None => false,
        // A pipe can be read only once.
        Some(_) if !path.is_file() => false,
        Some(CountsFormat::Tsv) => {
            let mut head = [0; tsv::PATTERN.len()];
            let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
            // An unreadable file is reported when it is opened as text.
            read.is_ok() && head == tsv::PATTERN
        }
        Some(_) => true,
    };
    match paths.iter().find(is_counts) {
        None => Ok(()),
        Some(path) => {
            let error = format!("{}: counted pieces, not text", path.display());
            Err(usage(error).hint("--from-counts reads counted pieces"))
        }
    }
}

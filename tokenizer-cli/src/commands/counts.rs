//! Counting pieces, and files of them, where several commands do it.

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
use crate::progress::{Progress, number};

const MEMORY_HINT: &str =
    "--max-memory bounds counting; training holds all distinct pieces in memory";

/// Opens files of counted pieces, whose pattern must be the one that was typed, if one was. `None`
/// without files.
pub(super) fn open(paths: &[PathBuf], pattern: Option<&Pattern>) -> Result<Option<CountsFiles>> {
    CountsFiles::open(paths, pattern).map_err(|error| match &error {
        LoadCountsError::Counts(_, CountsError::PatternMissing) => {
            usage(error).hint("give the one they were split by, such as --pattern cl100k")
        }
        LoadCountsError::Counts(_, CountsError::OtherPattern { .. }) => {
            usage(error).hint("leave --pattern out")
        }
        _ => error.into(),
    })
}

/// The pattern to split by: that of the files, else the one that was typed, else the default.
pub(super) fn pattern(files: Option<&CountsFiles>, typed: Option<&Pattern>) -> Pattern {
    let pattern = files.map(CountsFiles::pattern).or(typed).cloned();
    pattern.unwrap_or_else(|| Pattern::named(PatternName::Cl100k))
}

/// Counts pieces as the options of a command say.
pub(super) struct Counter<'a> {
    pub(super) pattern: &'a Pattern,
    /// Documents are normalised, if they are to be, before they are cropped and split.
    pub(super) normalizer: Option<Normalizer>,
    pub(super) options: &'a CountingArguments,
    pub(super) inputs: &'a Inputs,
    /// Counted before.
    pub(super) files: Option<&'a CountsFiles>,
    pub(super) progress: &'a Progress,
}

impl Counter<'_> {
    /// All pieces for training, and how many bytes of documents were counted, if any were. With a bound
    /// of memory they may take half of it: up to the other half is in use while they are put together,
    /// and merging takes more than twice as much in any case.
    pub(super) fn words(&self) -> Result<(PieceCounts, Option<u64>)> {
        if let Some(max_memory) = self.options.max_memory {
            return self.sorted(|sorted, bytes| {
                let words = sorted.into_piece_counts(max_memory / 2);
                let words = words.map_err(|error| match &error {
                    CountError::MemoryExceeded { .. } => failed(error).hint(MEMORY_HINT),
                    _ => error.into(),
                });
                Ok((words?, bytes))
            });
        }
        let options = CountOptions::default().threads(self.inputs.threads);
        let (mut words, bytes) =
            self.documents(|documents| count_pieces(documents, self.pattern, &options))?;
        self.add_files(|piece, count| Ok(words.add(piece, count)?))?;
        Ok((words, bytes))
    }

    /// Calls `each` with all pieces in order, and how many bytes of documents were counted.
    pub(super) fn sorted<R>(
        &self,
        each: impl FnOnce(SortedPieces<File>, Option<u64>) -> Result<R>,
    ) -> Result<R> {
        let store = TemporaryFiles::default();
        let max_memory = self.options.max_memory.unwrap_or(usize::MAX);
        let options = CountOptions::default().threads(self.inputs.threads);
        let mut counter = PieceCounter::new(self.pattern, &options, max_memory, &store);
        let ((), bytes) = self.documents(|documents| counter.count(documents))?;
        self.add_files(|piece, count| Ok(counter.add(piece, count)?))?;
        each(counter.finish()?, bytes)
    }

    /// Refuses to merge when that takes more memory than there may be.
    pub(super) fn check_merging(&self, estimate: u64) -> Result<()> {
        let most = self.options.max_memory.unwrap_or(usize::MAX);
        ensure(estimate <= most as u64, || {
            let what = format!("merging takes about {estimate} bytes of memory");
            failed(format!("{what}, and --max-memory allows {most}")).hint(MEMORY_HINT)
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

    /// Hands all documents to `count`, unless there are counts only. Gives what that gives, and their
    /// bytes.
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
        // What is done to whole documents needs them whole.
        let is_cut = self.normalizer.is_none() && crop_options == CropOptions::default();
        let normalized = |text: &[u8]| match self.normalizer?.apply(text) {
            Cow::Owned(normalized) => Some(normalized),
            Cow::Borrowed(_) => None,
        };
        let documents = inputs.documents(is_cut.then_some(self.pattern));
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
        // Few of the documents that were taken are not counted yet.
        let mut documents = documents.inspect(|document| {
            places.push(InputPlace::of(&document.document().text));
            stage.advance(document.as_ref().len() as u64);
        });
        let counted = count(&mut documents);
        drop(documents);
        // A document that cannot be counted stands before one that cannot be read.
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

/// A text to be counted, as a model with a normaliser sees it.
struct Text {
    text: InputText,
    /// `None` if normalization changed nothing.
    normalized: Option<Vec<u8>>,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        let read = self.text.as_ref();
        self.normalized.as_deref().unwrap_or(read)
    }
}

/// Prints the last line of a command that counted pieces; `bytes` is the size of the documents, if there were any.
pub(super) fn close(
    progress: &Progress,
    done: &str,
    bytes: Option<u64>,
    [pieces, distinct]: [u64; 2],
) {
    let of = bytes.map_or_else(String::new, |bytes| format!("{} bytes, ", number(bytes)));
    let (pieces, distinct) = (number(pieces), number(distinct));
    let what = format!("{done} {of}{pieces} pieces, {distinct} of them distinct,");
    progress.close(&what, bytes);
}

/// Counted pieces must not be trained on as if they were text.
pub(super) fn refuse_as_text(paths: &[PathBuf]) -> Result<()> {
    let is_counts = |path: &&PathBuf| match CountsFormat::of_file(path) {
        // A pipe is not touched.
        None => false,
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
            let error = format!("{}: these are counted pieces, not text", path.display());
            Err(usage(error).hint("give them with --from-counts"))
        }
    }
}

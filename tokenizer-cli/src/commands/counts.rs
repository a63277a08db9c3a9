//! Counting pieces, and files of them, where several commands do it.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use tokenizer_core::Cropped;
use tokenizer_core::Normalizer;
use tokenizer_core::corpus::{CountsFiles, CountsFormat, LoadCountsError, TemporaryFiles};
use tokenizer_core::format::counts::{CountsError, tsv};
use tokenizer_core::{CountError, PieceCounter, SortedPieces};
use tokenizer_core::{
    CountOptions, CropOptions, Pattern, PatternName, PieceCounts, count_pieces, crop,
};

use crate::args::CountingArguments;
use crate::commands::parts::{InputPlace, Places};
use crate::error::{CommandError, UsageError};
use crate::input::{InputText, Inputs};
use crate::progress::{Progress, Stage};

/// Opens files of counted pieces, whose pattern must be the one that was typed, if one was. `None`
/// without files.
pub(super) fn open(
    paths: &[PathBuf],
    pattern: Option<&Pattern>,
) -> Result<Option<CountsFiles>, CommandError> {
    CountsFiles::open(paths, pattern).map_err(|error| match error {
        LoadCountsError::Counts(
            _,
            CountsError::PatternMissing | CountsError::OtherPattern { .. },
        ) => UsageError::CountsPattern(error).into(),
        other => other.into(),
    })
}

/// The pattern to split by: that of the files, else the one that was typed, else the default.
pub(super) fn pattern(files: Option<&CountsFiles>, typed: Option<&Pattern>) -> Pattern {
    files
        .map(CountsFiles::pattern)
        .or(typed)
        .cloned()
        .unwrap_or_else(|| Pattern::named(PatternName::Cl100k))
}

/// Counts pieces as the options of a command say.
pub(super) struct Counter<'a> {
    pattern: &'a Pattern,
    normalizer: Option<Normalizer>,
    crop: CropOptions,
    options: CountOptions,
    max_memory: Option<usize>,
    store: TemporaryFiles,
}

impl<'a> Counter<'a> {
    /// Documents are normalised, if they are to be, before they are cropped and split.
    pub(super) fn new(
        pattern: &'a Pattern,
        normalizer: Option<Normalizer>,
        counting: &CountingArguments,
        threads: usize,
    ) -> Self {
        Counter {
            pattern,
            normalizer,
            crop: counting.crop(),
            options: CountOptions::default().threads(threads),
            max_memory: counting.max_memory,
            store: TemporaryFiles::default(),
        }
    }

    /// The pieces of all documents for training, and how many bytes were counted. With a bound of
    /// memory they may take half of it: up to the other half is in use while they are put together,
    /// and merging takes more than twice as much in any case.
    pub(super) fn words(
        &self,
        inputs: &Inputs,
        progress: &Progress,
    ) -> Result<(PieceCounts, u64), CommandError> {
        self.documents(inputs, progress, |documents| match self.max_memory {
            None => count_pieces(documents, self.pattern, &self.options),
            Some(max_memory) => {
                let mut counter = self.counter();
                counter.count(documents)?;
                counter.finish()?.into_piece_counts(max_memory / 2)
            }
        })
    }

    /// The pieces that were counted before, for training; with the same bound.
    pub(super) fn words_of_files(
        &self,
        files: &CountsFiles,
        progress: &Progress,
    ) -> Result<PieceCounts, CommandError> {
        let stage = progress.bytes("reading counts");
        let Some(max_memory) = self.max_memory else {
            let mut words = PieceCounts::new();
            files.for_each_row(|piece, count| {
                stage.advance(piece.len() as u64);
                Ok(words.add(piece, count)?)
            })?;
            return Ok(words);
        };
        let mut counter = self.counter();
        add_files(&mut counter, files, &stage)?;
        Ok(counter.finish()?.into_piece_counts(max_memory / 2)?)
    }

    /// The pieces of all documents and all files in order, and how many bytes of documents were
    /// counted.
    pub(super) fn sorted(
        &self,
        inputs: &Inputs,
        files: Option<&CountsFiles>,
        progress: &Progress,
    ) -> Result<(SortedPieces<File>, u64), CommandError> {
        let mut counter = self.counter();
        let ((), bytes) = self.documents(inputs, progress, |documents| counter.count(documents))?;
        if let Some(files) = files {
            add_files(&mut counter, files, &progress.bytes("reading counts"))?;
        }
        Ok((counter.finish()?, bytes))
    }

    /// Refuses to merge when that takes more memory than there may be.
    pub(super) fn check_merging(&self, estimate: u64) -> Result<(), CommandError> {
        match self.max_memory {
            Some(max_memory) if estimate > max_memory as u64 => Err(CommandError::MergeMemory {
                estimate,
                max_memory,
            }),
            _ => Ok(()),
        }
    }

    fn counter(&self) -> PieceCounter<'_, TemporaryFiles> {
        let max_memory = self.max_memory.unwrap_or(usize::MAX);
        PieceCounter::new(self.pattern, &self.options, max_memory, &self.store)
    }

    /// Hands all documents to `count`. Gives what that gives, and their bytes.
    fn documents<R>(
        &self,
        inputs: &Inputs,
        progress: &Progress,
        count: impl FnOnce(&mut (dyn Iterator<Item = Cropped<Text>> + Send)) -> Result<R, CountError>,
    ) -> Result<(R, u64), CommandError> {
        let stage = progress.bytes_of("counting pieces", inputs.total_bytes());
        let mut bytes = 0;
        let mut failure = None;
        // What is done to whole documents needs them whole.
        let is_cut = self.normalizer.is_none() && self.crop == CropOptions::default();
        let cut = is_cut.then_some(self.pattern);
        let documents = inputs.documents(cut).map_while(|text| match text {
            Ok(text) => Some(Text::new(text, self.normalizer)),
            Err(error) => {
                failure = Some(error);
                None
            }
        });
        let mut places = Places::default();
        // Few of the documents that were taken are not counted yet.
        let mut documents = crop(documents, &self.crop).inspect(|document| {
            places.push(document.document().place);
            let length = document.as_ref().len() as u64;
            bytes += length;
            stage.advance(length);
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
            None => Ok((counted, bytes)),
        }
    }
}

/// A text to be counted.
struct Text {
    place: InputPlace,
    bytes: TextBytes,
}

enum TextBytes {
    Read(InputText),
    Normalized(Vec<u8>),
}

impl Text {
    /// As a model with this normaliser sees it.
    fn new(text: InputText, normalizer: Option<Normalizer>) -> Self {
        let place = InputPlace {
            input: text.input,
            place: text.stretch.place,
        };
        let normalized = normalizer.map(|normalizer| normalizer.apply(text.as_ref()));
        let bytes = match normalized {
            Some(Cow::Owned(normalized)) => TextBytes::Normalized(normalized),
            _ => TextBytes::Read(text),
        };
        Text { place, bytes }
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        match &self.bytes {
            TextBytes::Read(text) => text.as_ref(),
            TextBytes::Normalized(bytes) => bytes,
        }
    }
}

fn add_files(
    counter: &mut PieceCounter<'_, TemporaryFiles>,
    files: &CountsFiles,
    stage: &Stage,
) -> Result<(), CommandError> {
    files.for_each_row(|piece, count| {
        stage.advance(piece.len() as u64);
        Ok(counter.add(piece, count)?)
    })?;
    Ok(())
}

/// Counted pieces must not be trained on as if they were text.
pub(super) fn refuse_as_text(paths: &[PathBuf]) -> Result<(), UsageError> {
    for path in paths {
        let is_counts = match CountsFormat::of_path(path) {
            Some(CountsFormat::Tsv) => {
                let mut head = Vec::new();
                // What cannot be read is an error later on. A pipe is not touched.
                let read = path.is_file()
                    && File::open(path)
                        .and_then(|file| {
                            file.take(tsv::PATTERN.len() as u64).read_to_end(&mut head)
                        })
                        .is_ok();
                read && head == tsv::PATTERN
            }
            Some(CountsFormat::Parquet) => path.is_file() && CountsFormat::of_file(path).is_some(),
            _ => false,
        };
        if is_counts {
            return Err(UsageError::CountsAsText(path.clone()));
        }
    }
    Ok(())
}

//! Files of counted pieces, where commands read them.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFiles, CountsFormat, LoadCountsError};
use tokenizer_core::format::counts::{CountsError, tsv};
use tokenizer_core::{Pattern, PatternName, Words};

use crate::error::{CommandError, UsageError};
use crate::progress::Progress;

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

/// Reads the rows of all files.
pub(super) fn read(files: &CountsFiles, progress: &Progress) -> Result<Words, CommandError> {
    let stage = progress.bytes("reading counts");
    let mut words = Words::new();
    files.for_each_row(|piece, count| {
        stage.advance(piece.len() as u64);
        Ok(words.add(piece, count)?)
    })?;
    Ok(words)
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
            _ => false,
        };
        if is_counts {
            return Err(UsageError::CountsAsText(path.clone()));
        }
    }
    Ok(())
}

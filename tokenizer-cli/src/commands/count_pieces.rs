//! `tokenizer count-pieces`: documents, and pieces counted before, to a file of counted pieces.

use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFormat, save_counts};
use tokenizer_core::format::counts::CountedPieces;

use crate::args::CountPiecesArguments;
use crate::commands::{counts, train};
use crate::error::CommandError;
use crate::input::Inputs;
use crate::output::{check_not_read, check_place};
use crate::progress::{Progress, number};

pub(crate) fn run(
    arguments: &CountPiecesArguments,
    progress: &Progress,
) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let (counted, texts): (Vec<PathBuf>, Vec<PathBuf>) = documents
        .inputs
        .iter()
        .cloned()
        .partition(|path| CountsFormat::of_path(path).is_some());
    check_place(&arguments.output)?;
    check_not_read(
        &arguments.output,
        documents.inputs.iter().map(PathBuf::as_ref),
    )?;
    let inputs = Inputs::open(&texts, documents.errors)?;
    let files = counts::open(&counted, arguments.pattern.as_ref())?;
    let pattern = counts::pattern(files.as_ref(), arguments.pattern.as_ref());
    let (limits, threads) = (arguments.crop.options(), documents.threads());
    let (mut words, bytes) = train::count(&inputs, &pattern, &limits, threads, progress)?;
    if let Some(files) = &files {
        files.for_each_row(|piece, count| Ok(words.add(piece, count)?))?;
    }
    let counted = CountedPieces::new(pattern, words);
    save_counts(&counted, &arguments.output)?;
    // More than 2^64 pieces can only stand in counts of several files, and are "2^64" here.
    let pieces = u64::try_from(counted.words.total()).unwrap_or(u64::MAX);
    let message = format!(
        "{} pieces, {} of them distinct,",
        number(pieces),
        number(counted.words.len() as u64)
    );
    match texts.is_empty() {
        true => progress.close_without_speed(&format!("counted {message}")),
        false => {
            let all = number(bytes);
            progress.close(&format!("counted {all} bytes, {message}"), bytes);
        }
    }
    Ok(())
}

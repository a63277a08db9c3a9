//! `tokenizer count-pieces`: documents, and pieces counted before, to a file of counted pieces.

use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFormat, write_counts};

use crate::args::CountPiecesArguments;
use crate::commands::counts::{self, Counter};
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
        .partition(|path| CountsFormat::of_file(path).is_some());
    check_place(&arguments.output)?;
    check_not_read(
        &arguments.output,
        documents.inputs.iter().map(PathBuf::as_ref),
    )?;
    let inputs = Inputs::open(&texts, documents)?;
    let files = counts::open(&counted, arguments.pattern.as_ref())?;
    let pattern = counts::pattern(files.as_ref(), arguments.pattern.as_ref());
    let counter = Counter::new(&pattern, None, &arguments.counting, documents.threads());
    let (mut sorted, bytes) = counter.sorted(&inputs, files.as_ref(), progress)?;
    let (mut pieces, mut distinct) = (0u64, 0);
    write_counts::<CommandError>(&arguments.output, &pattern, |writer| {
        let stage = progress.bytes("writing counts");
        while let Some((piece, count)) = sorted.next()? {
            writer.row(piece, count)?;
            // More than 2^64 can only stand in counts of several files, and are "2^64" here.
            pieces = pieces.saturating_add(count);
            distinct += 1;
            stage.advance(piece.len() as u64);
        }
        Ok(())
    })?;
    let message = format!(
        "{} pieces, {} of them distinct,",
        number(pieces),
        number(distinct)
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

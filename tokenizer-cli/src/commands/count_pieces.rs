//! `tokenizer count-pieces`: documents and files of counted pieces to one file of counted pieces.

use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFormat, write_counts};

use super::counts::{self, Counter};
use crate::args::CountPiecesArguments;
use crate::error::{CommandError, Result};
use crate::output::Output;
use crate::progress::Progress;

pub(crate) fn run(arguments: &CountPiecesArguments, progress: &Progress) -> Result<()> {
    let (documents, path) = (&arguments.documents, &arguments.output);
    let all = documents.inputs.iter();
    Output::new(path).check(all.clone().map(PathBuf::as_path))?;
    let (counted, texts): (Vec<PathBuf>, Vec<PathBuf>) = all
        .cloned()
        .partition(|path| CountsFormat::of_file(path).is_some());
    let inputs = documents.open_some(&texts)?;
    let files = counts::open(&counted, arguments.pattern.as_ref())?;
    let pattern = counts::pattern(files.as_ref(), arguments.pattern.as_ref());
    let counter = Counter {
        pattern: &pattern,
        normalizer: None,
        options: &arguments.counting,
        inputs: &inputs,
        files: files.as_ref(),
        progress,
    };
    let (mut pieces, mut distinct) = (0u64, 0);
    let bytes = counter.sorted(|mut sorted, bytes| {
        write_counts::<CommandError>(path, &pattern, |writer| {
            let stage = progress.bytes("writing counts");
            while let Some((piece, count)) = sorted.next()? {
                writer.row(piece, count)?;
                // Only a sum of several files can exceed 2^64 - 1.
                pieces = pieces.saturating_add(count);
                distinct += 1;
                stage.advance(piece.len() as u64);
            }
            Ok(())
        })?;
        Ok(bytes)
    })?;
    counts::close(progress, "counted", bytes, [pieces, distinct]);
    progress.wrote(&[path]);
    Ok(())
}

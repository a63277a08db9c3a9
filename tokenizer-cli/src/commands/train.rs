//! `tokenizer train`: documents to a model.

use std::path::Path;

use tokenizer_core::corpus::save_model;
use tokenizer_core::count::CountError;
use tokenizer_core::extend::MovedSpecial;
use tokenizer_core::normalize::Normalizer;
use tokenizer_core::{CountOptions, Pattern, Words, count_pieces};

use crate::args::TrainArguments;
use crate::commands::training::{Outcome, Training};
use crate::commands::{frequencies, warn_of_loss};
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::{Output, check_not_read, check_place};
use crate::progress::{Progress, number, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<(), CommandError> {
    check_place(&arguments.output)?;
    let training = Training::new(arguments)?;
    let documents = &arguments.documents;
    let inputs = Inputs::open(&documents.inputs, documents.errors)?;
    let read = inputs.paths().chain(arguments.extend.as_deref());
    check_not_read(&arguments.output, read)?;
    let frequencies = arguments
        .frequencies
        .as_deref()
        .map(|path| Output::new(Some(path)));
    if let Some(frequencies) = &frequencies {
        frequencies.check(inputs.paths().chain(arguments.extend.as_deref()))?;
        if frequencies.path() == Some(&arguments.output) {
            return Err(UsageError::OneFileTwice(arguments.output.clone()).into());
        }
    }

    let threads = documents.threads();
    let (words, bytes) = count(
        &inputs,
        training.pattern(),
        training.normalizer(),
        threads,
        progress,
    )?;

    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(&words, |learned| stage.set(learned.merges))?;
    drop(stage);
    let Outcome {
        model,
        learned,
        moved,
    } = outcome;
    if let Some(output) = frequencies {
        frequencies::write(&output, &model, &learned)?;
    }
    save_model(&model, &arguments.output)?;

    let learned = learned.len();
    if learned < training.merges() {
        warn(&format!(
            "{}: the vocabulary has {} ids, not {}: after {} merges no pair is left that may be \
             merged",
            arguments.output.display(),
            number(model.id_limit() as u64),
            number(arguments.vocab_size as u64),
            number(learned as u64),
        ));
    }
    warn_of_loss(&model, &arguments.output);
    note_moved(&moved, &arguments.output, progress);
    // More than 2^64 pieces cannot have been counted one by one.
    let pieces = u64::try_from(words.total()).unwrap_or(u64::MAX);
    progress.close(
        &format!(
            "trained {} merges on {} bytes, {} pieces, {} of them distinct,",
            number(learned as u64),
            number(bytes),
            number(pieces),
            number(words.len() as u64),
        ),
        bytes,
    );
    Ok(())
}

/// Says which special tokens have new ids.
fn note_moved(moved: &[MovedSpecial], output: &Path, progress: &Progress) {
    if moved.is_empty() {
        return;
    }
    let moves: Vec<String> = moved
        .iter()
        .map(|special| {
            format!(
                "{} from {} to {}",
                special.content, special.from, special.to
            )
        })
        .collect();
    progress.note(&format!(
        "{}: special tokens have other ids than before: {}",
        output.display(),
        moves.join(", ")
    ));
}

/// Counts the pieces of all documents, and their bytes.
fn count(
    inputs: &Inputs,
    pattern: &Pattern,
    normalizer: Option<Normalizer>,
    threads: usize,
    progress: &Progress,
) -> Result<(Words, u64), CommandError> {
    let stage = progress.bytes("counting pieces");
    let mut options = CountOptions::default();
    options.threads = threads;
    let mut bytes = 0;
    let mut failure = None;
    let documents = inputs.names().iter().map_while(|name| {
        let document = inputs.read(name);
        match document {
            Ok(document) => {
                let length = document.as_ref().len() as u64;
                bytes += length;
                stage.advance(length);
                Some(document.normalized(normalizer))
            }
            Err(error) => {
                failure = Some(error);
                None
            }
        }
    });
    // A document that cannot be counted stands before one that cannot be read.
    let words = count_pieces(documents, pattern, &options).map_err(|error| match error {
        CountError::Split { document, error } => CommandError::Encode {
            input: inputs.names()[document].clone(),
            error: error.into(),
        },
        other => other.into(),
    })?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok((words, bytes)),
    }
}

//! `tokenizer train`: documents to a model.

use std::path::Path;

use tokenizer_core::corpus::save_model;
use tokenizer_core::count::CountError;
use tokenizer_core::extend::MovedSpecial;
use tokenizer_core::normalize::Normalizer;
use tokenizer_core::{CountOptions, Pattern, Words, count_pieces};

use crate::args::TrainArguments;
use crate::commands::parts::Places;
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

    let memory = number(training.memory(&words));
    progress.note(&format!("merging takes about {memory} bytes of memory"));
    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(&words, |learned| {
        stage.set(learned.merges);
        // Often enough to be read, and not once for each.
        if learned.merges % 64 == 1 {
            stage.detail(|| format!(", now {} times each", number(learned.count)));
        }
    })?;
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
    let total = inputs.total_bytes();
    let stage = progress.bytes_of("counting pieces", total);
    let mut options = CountOptions::default();
    options.threads = threads;
    let mut bytes = 0;
    let mut failure = None;
    let documents = inputs.names().iter().map_while(|name| {
        let document = inputs.read(name);
        match document {
            Ok(document) => {
                bytes += document.as_ref().len() as u64;
                Some(document.normalized(normalizer))
            }
            Err(error) => {
                failure = Some(error);
                None
            }
        }
    });
    let mut places = Places::default();
    // Few of the parts that were taken are not counted yet.
    let parts = places.cut(documents, pattern);
    let parts = parts.inspect(|part| stage.advance(part.as_ref().len() as u64));
    let words = count_pieces(parts, pattern, &options);
    // A document that cannot be counted stands before one that cannot be read.
    let words = words.map_err(|error| match error {
        CountError::Split {
            document,
            mut error,
        } => {
            let (document, offset) = places.find(document, error.offset);
            error.offset = offset;
            CommandError::Encode {
                input: inputs.names()[document].clone(),
                error: error.into(),
            }
        }
        other => other.into(),
    })?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok((words, bytes)),
    }
}

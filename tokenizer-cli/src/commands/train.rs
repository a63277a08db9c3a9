//! `tokenizer train`: documents to a model.

use std::ops::ControlFlow;
use std::path::Path;

use tokenizer_core::corpus::{ModelFormat, SaveError, save_model};
use tokenizer_core::count::CountError;
use tokenizer_core::format::huggingface;
use tokenizer_core::model::ModelError;
use tokenizer_core::train::train_with_progress;
use tokenizer_core::{
    CountOptions, Merges, Model, Pattern, TieBreak, TrainOptions, Words, count_pieces,
};

use crate::args::{MAX_VOCAB_SIZE, TieBreakRule, TrainArguments};
use crate::commands::warn_of_loss;
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::{check_not_read, check_place};
use crate::progress::{Progress, number, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<(), CommandError> {
    let mut options = TrainOptions::new(0)
        .min_frequency(arguments.min_frequency)
        .max_token_bytes(arguments.max_token_bytes.unwrap_or(usize::MAX))
        .tie_break(match arguments.tie_break {
            TieBreakRule::Raw => TieBreak::Raw,
            TieBreakRule::Huggingface => TieBreak::HuggingFace,
        })
        .specials(&arguments.specials);
    let first_ids = check_model(&arguments.pattern, &options, &arguments.output)?;
    options.merges = merges_wanted(arguments.vocab_size, first_ids, options.specials.len())?;
    check_place(&arguments.output)?;
    let documents = &arguments.documents;
    let inputs = Inputs::open(&documents.inputs, documents.errors)?;
    check_not_read(&arguments.output, inputs.paths())?;

    let (words, bytes) = count(&inputs, &arguments.pattern, documents.threads(), progress)?;

    let stage = progress.steps("merging", options.merges);
    let merges = train_with_progress(&words, &options, |learned| {
        stage.set(learned.merges);
        ControlFlow::Continue(())
    })?
    .merges;
    drop(stage);

    let model = Model::from_training(arguments.pattern.clone(), merges, &options)?;
    save_model(&model, &arguments.output)?;

    let ids = model.id_limit();
    let learned = ids - first_ids;
    if learned < options.merges {
        warn(&format!(
            "{}: the vocabulary has {} ids, not {}: after {} merges no pair is left that may be \
             merged",
            arguments.output.display(),
            number(ids as u64),
            number(arguments.vocab_size as u64),
            number(learned as u64),
        ));
    }
    warn_of_loss(&model, &arguments.output);
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

/// How many merges make `vocab_size` ids together with the bytes and the special tokens, which take
/// the `first` ones.
fn merges_wanted(vocab_size: usize, first: usize, specials: usize) -> Result<usize, UsageError> {
    if vocab_size > MAX_VOCAB_SIZE {
        return Err(UsageError::VocabTooLarge { size: vocab_size });
    }
    vocab_size
        .checked_sub(first)
        .ok_or(UsageError::VocabTooSmall {
            size: vocab_size,
            specials,
            first,
        })
}

/// Whether a model of this pattern and these special tokens can be and can be written, which must
/// not show only after training. Gives the number of ids before any merge.
fn check_model(
    pattern: &Pattern,
    options: &TrainOptions,
    output: &Path,
) -> Result<usize, CommandError> {
    let untrained =
        Model::from_training(pattern.clone(), Merges::default(), options).map_err(|error| {
            match error {
                ModelError::Specials(error) => UsageError::Specials(error).into(),
                other => CommandError::from(other),
            }
        })?;
    if ModelFormat::of_path(output) == Some(ModelFormat::HuggingFace) {
        huggingface::write(&untrained)
            .map_err(|error| SaveError::HuggingFace(output.to_owned(), error))?;
    }
    Ok(untrained.id_limit())
}

/// Counts the pieces of all documents, and their bytes.
fn count(
    inputs: &Inputs,
    pattern: &Pattern,
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
                Some(document)
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

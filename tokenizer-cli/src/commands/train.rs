//! `tokenizer train`: documents to a model.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{ModelFormat, SaveError, save_model};
use tokenizer_core::format::huggingface;
use tokenizer_core::model::ModelError;
use tokenizer_core::train::train_with_progress;
use tokenizer_core::{Merges, Model, Pattern, TrainOptions};

use crate::args::{MAX_VOCAB_SIZE, TrainArguments};
use crate::commands::counts::{self, Counter};
use crate::commands::warn_of_loss;
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::{check_not_read, check_place};
use crate::progress::{Progress, number, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<(), CommandError> {
    let merges_wanted = merges_wanted(arguments.vocab_size, arguments.specials.len())?;
    let counts = counts::open(&arguments.from_counts, arguments.pattern.as_ref())?;
    let pattern = &counts::pattern(counts.as_ref(), arguments.pattern.as_ref());
    check_model(pattern, &arguments.specials, &arguments.output)?;
    check_place(&arguments.output)?;
    let documents = &arguments.documents;
    counts::refuse_as_text(&documents.inputs)?;
    let inputs = Inputs::open(&documents.inputs, documents.errors)?;
    let counted = arguments.from_counts.iter().map(PathBuf::as_ref);
    check_not_read(&arguments.output, inputs.paths().chain(counted))?;

    let counter = Counter::new(pattern, &arguments.counting, documents.threads());
    let (words, bytes) = match &counts {
        Some(files) => (counter.words_of_files(files, progress)?, None),
        None => {
            let (words, bytes) = counter.words(&inputs, progress)?;
            (words, Some(bytes))
        }
    };
    counter.check_merging(words.memory() as u64)?;

    let options = TrainOptions::new(merges_wanted)
        .min_frequency(arguments.min_frequency)
        .max_token_bytes(arguments.max_token_bytes.unwrap_or(usize::MAX));
    let stage = progress.steps("merging", merges_wanted);
    let merges = train_with_progress(&words, &options, |learned| {
        stage.set(learned.merges);
        ControlFlow::Continue(())
    })?
    .merges;
    drop(stage);

    let learned = merges.len();
    let model = Model::trained(pattern.clone(), merges, &arguments.specials)?;
    save_model(&model, &arguments.output)?;

    if learned < merges_wanted {
        let ids = 256 + learned + arguments.specials.len();
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
    // More than 2^64 pieces can only stand in counts of several files, and are "2^64" here.
    let pieces = u64::try_from(words.total()).unwrap_or(u64::MAX);
    let merges = number(learned as u64);
    let pieces = format!(
        "{} pieces, {} of them distinct,",
        number(pieces),
        number(words.len() as u64)
    );
    match bytes {
        Some(bytes) => {
            let all = number(bytes);
            progress.close(
                &format!("trained {merges} merges on {all} bytes, {pieces}"),
                bytes,
            );
        }
        None => progress.close_without_speed(&format!("trained {merges} merges on {pieces}")),
    }
    Ok(())
}

/// How many merges make `vocab_size` ids together with the bytes and the special tokens.
fn merges_wanted(vocab_size: usize, specials: usize) -> Result<usize, UsageError> {
    if vocab_size > MAX_VOCAB_SIZE {
        return Err(UsageError::VocabTooLarge { size: vocab_size });
    }
    vocab_size
        .checked_sub(256 + specials)
        .ok_or(UsageError::VocabTooSmall {
            size: vocab_size,
            specials,
        })
}

/// Whether a model of this pattern and these special tokens can be and can be written, which must
/// not show only after training.
fn check_model(pattern: &Pattern, specials: &[String], output: &Path) -> Result<(), CommandError> {
    let untrained = Model::trained(pattern.clone(), Merges::default(), specials).map_err(
        |error| match error {
            ModelError::Specials(error) => UsageError::Specials(error).into(),
            other => CommandError::from(other),
        },
    )?;
    if ModelFormat::of_path(output) == Some(ModelFormat::HuggingFace) {
        huggingface::write(&untrained)
            .map_err(|error| SaveError::HuggingFace(output.to_owned(), error))?;
    }
    Ok(())
}

//! `tokenizer train`: documents to a model.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokenizer_core::extend::MovedSpecial;

use crate::args::TrainArguments;
use crate::commands::counts::{self, Counter};
use crate::commands::report::Report;
use crate::commands::training::{Outcome, Training};
use crate::commands::{frequencies, save, warn_of_known_pieces, warn_of_loss};
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::{Output, check_not_read, check_place};
use crate::progress::{Progress, number, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<(), CommandError> {
    check_place(&arguments.output)?;
    if arguments.known_pieces.is_some() {
        warn_of_known_pieces("--known-pieces");
    }
    let counts = counts::open(&arguments.from_counts, arguments.pattern.as_ref())?;
    let training = Training::new(arguments, counts.as_ref(), progress)?;
    let documents = &arguments.documents;
    counts::refuse_as_text(&documents.inputs)?;
    // Wrong usage is reported before the content of an input.
    check_not_read(
        &arguments.output,
        documents.inputs.iter().map(PathBuf::as_ref),
    )?;
    let inputs = Inputs::open(&documents.inputs, documents)?;
    let counted = arguments.from_counts.iter().map(PathBuf::as_ref);
    let read = || {
        let model = arguments.extend.as_deref();
        inputs.paths().chain(counted.clone()).chain(model)
    };
    training.check_checkpoints(&arguments.checkpoint_sizes)?;
    let checkpoints = arguments.checkpoint_sizes.iter();
    let checkpoints: Vec<(usize, PathBuf)> = checkpoints
        .map(|&size| (size, with_size(&arguments.output, size)))
        .collect();
    let outputs = [&arguments.frequencies, &arguments.report];
    let mut written = vec![arguments.output.as_path()];
    written.extend(checkpoints.iter().map(|(_, path)| path.as_path()));
    written.extend(outputs.into_iter().flatten().map(PathBuf::as_path));
    for (number, path) in written.iter().enumerate() {
        let output = Output::new(Some(path));
        output.check(read())?;
        if written[..number].contains(path) {
            return Err(UsageError::OneFileTwice(path.to_path_buf()).into());
        }
    }
    let mut report = Report::new();

    let counter = Counter::new(
        training.pattern(),
        training.normalizer(),
        &arguments.counting,
        documents.threads(),
    );
    let (words, bytes) = match &counts {
        Some(files) => (counter.words_of_files(files, progress)?, None),
        None => {
            let (words, bytes) = counter.words(&inputs, progress)?;
            (words, Some(bytes))
        }
    };

    report.stage("counting", bytes);
    if arguments.report.is_some() {
        report.counted(&words, training.pattern(), bytes);
    }
    let memory = training.memory(&words);
    counter.check_merging(words.memory() as u64 + memory)?;
    let memory = number(memory);
    progress.note(&format!("merging takes about {memory} bytes of memory"));
    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(&words, |learned| {
        // Often enough to be read, and not once for each.
        if learned.merges % 64 == 1 {
            stage.set(learned.merges);
            stage.detail(|| format!(", now {} times each", number(learned.count)));
        }
    })?;
    stage.tokens(outcome.learned.len() as u64);
    drop(stage);
    let Outcome {
        model,
        learned,
        moved,
    } = outcome;
    report.stage("merging", None);
    if let Some(path) = &arguments.frequencies {
        frequencies::write(&Output::new(Some(path)), &model, &learned)?;
    }
    for (size, path) in &checkpoints {
        save(&training.checkpoint(&model, *size)?, path, progress)?;
    }
    save(&model, &arguments.output, progress)?;
    report.stage("writing", None);

    let learned = learned.len();
    if let Some(path) = &arguments.report {
        report.write(arguments, &inputs, &model, learned, path)?;
    }
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
            let what = format!("trained {merges} merges on {all} bytes, {pieces}");
            progress.close(&what, bytes);
        }
        None => progress.close_without_speed(&format!("trained {merges} merges on {pieces}")),
    }
    Ok(())
}

/// `model-4096.bpe` of `model.bpe`.
fn with_size(path: &Path, size: usize) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{size}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
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

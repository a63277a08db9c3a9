//! `tokenizer train`: documents to a model.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokenizer_core::MovedSpecial;
use tokenizer_core::PieceCounts;
use tokenizer_core::corpus::CountsFiles;

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
    let documents = &arguments.documents.inputs;
    counts::refuse_as_text(documents)?;
    // Wrong usage is reported before the content of an input.
    check_not_read(&arguments.output, documents.iter().map(PathBuf::as_ref))?;
    let inputs = Inputs::open(documents, &arguments.documents)?;
    training.check_checkpoints(&arguments.checkpoint_sizes)?;
    check_outputs(arguments, &inputs)?;

    let mut report = Report::new();
    let (words, bytes) = count(
        arguments,
        &training,
        &inputs,
        counts.as_ref(),
        &mut report,
        progress,
    )?;
    let outcome = merge(&training, &words, progress)?;
    report.stage("merging", None);
    write(arguments, &outcome, progress)?;
    report.stage("writing", None);
    if let Some(path) = &arguments.report {
        let learned = outcome.learned.len();
        report.write(arguments, &inputs, &outcome.model, learned, path)?;
    }
    if outcome.learned.len() < training.merges() {
        warn_of_fewer_ids(arguments, &outcome);
    }
    warn_of_loss(&outcome.model, &arguments.output);
    note_moved(&outcome.moved, &arguments.output, progress);
    close(&words, bytes, outcome.learned.len(), progress);
    Ok(())
}

/// Refuses outputs that are read too, or that are one file.
fn check_outputs(arguments: &TrainArguments, inputs: &Inputs) -> Result<(), CommandError> {
    let counted = arguments.from_counts.iter().map(PathBuf::as_ref);
    let read = || {
        let model = arguments.extend.as_deref();
        inputs.paths().chain(counted.clone()).chain(model)
    };
    let mut written = vec![arguments.output.clone()];
    let checkpoints = arguments.checkpoint_sizes.iter();
    written.extend(checkpoints.map(|&size| with_size(&arguments.output, size)));
    let others = [&arguments.frequencies, &arguments.report];
    written.extend(others.into_iter().flatten().cloned());
    for (number, path) in written.iter().enumerate() {
        Output::new(Some(path)).check(read())?;
        if written[..number].contains(path) {
            return Err(UsageError::OneFileTwice(path.clone()).into());
        }
    }
    Ok(())
}

/// The pieces to train on, and how many bytes of documents were counted for them.
fn count(
    arguments: &TrainArguments,
    training: &Training,
    inputs: &Inputs,
    counts: Option<&CountsFiles>,
    report: &mut Report,
    progress: &Progress,
) -> Result<(PieceCounts, Option<u64>), CommandError> {
    let (pattern, threads) = (training.pattern(), arguments.documents.threads());
    let counter = Counter::new(pattern, training.normalizer(), &arguments.counting, threads);
    let (words, bytes) = match counts {
        Some(files) => (counter.words_of_files(files, progress)?, None),
        None => {
            let (words, bytes) = counter.words(inputs, progress)?;
            (words, Some(bytes))
        }
    };
    report.stage("counting", bytes);
    if arguments.report.is_some() {
        report.counted(&words, pattern, bytes);
    }
    let memory = training.memory(&words);
    counter.check_merging(words.memory() as u64 + memory)?;
    let memory = number(memory);
    progress.note(&format!("merging takes about {memory} bytes of memory"));
    Ok((words, bytes))
}

fn merge(
    training: &Training,
    words: &PieceCounts,
    progress: &Progress,
) -> Result<Outcome, CommandError> {
    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(words, |learned| {
        // Often enough to be read, and not once for each.
        if learned.merges % 64 == 1 {
            stage.set(learned.merges);
            stage.detail(|| format!(", now {} times each", number(learned.count)));
        }
    })?;
    stage.tokens(outcome.learned.len() as u64);
    Ok(outcome)
}

fn write(
    arguments: &TrainArguments,
    outcome: &Outcome,
    progress: &Progress,
) -> Result<(), CommandError> {
    if let Some(path) = &arguments.frequencies {
        frequencies::write(&Output::new(Some(path)), &outcome.model, &outcome.learned)?;
    }
    for &size in &arguments.checkpoint_sizes {
        let path = with_size(&arguments.output, size);
        save(&outcome.checkpoint(size)?, &path, progress)?;
    }
    save(&outcome.model, &arguments.output, progress)
}

fn warn_of_fewer_ids(arguments: &TrainArguments, outcome: &Outcome) {
    warn(&format!(
        "{}: the vocabulary has {} ids, not {}: after {} merges no pair is left that may be merged",
        arguments.output.display(),
        number(outcome.model.id_limit() as u64),
        number(arguments.vocab_size as u64),
        number(outcome.learned.len() as u64),
    ));
}

/// The last line: how much was learned from how much.
fn close(words: &PieceCounts, bytes: Option<u64>, learned: usize, progress: &Progress) {
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

//! `tokenizer train`: documents or counted pieces to a model.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenizer_core::{Count, Model, PieceCounts, TokenId, estimate_memory};

use super::counts::{self, Counter};
use super::models::{save, warn_of_known_pieces, warn_of_loss};
use super::report::Report;
use super::training::{Outcome, Training};
use crate::args::TrainArguments;
use crate::error::{Result, usage};
use crate::input::Inputs;
use crate::output::{Output, numbered};
use crate::progress::{Progress, number, plural, size, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<()> {
    let documents = &arguments.documents;
    // Wrong usage is reported before faults in the inputs.
    let output = Output::new(&arguments.output);
    output.check(documents.inputs.iter().map(PathBuf::as_path))?;
    if arguments.known_pieces.is_some() {
        warn_of_known_pieces("--known-pieces");
    }
    let counted = counts::open(&arguments.from_counts, arguments.pattern.as_ref())?;
    let training = Training::new(arguments, counted.as_ref(), progress)?;
    counts::refuse_as_text(&documents.inputs)?;
    let inputs = documents.open()?;
    training.check_checkpoints(&arguments.checkpoint_sizes)?;
    check_outputs(arguments, &inputs)?;

    let mut report = Report::new();
    let counter = Counter {
        pattern: &training.pattern,
        normalizer: training.normalizer(),
        options: &arguments.counting,
        inputs: &inputs,
        files: counted.as_ref(),
        progress,
    };
    let (counts, bytes) = counter.piece_counts()?;
    report.stage("counting", bytes);
    if arguments.report.is_some() {
        report.counted(&counts, &training.pattern, bytes);
    }
    let memory = estimate_memory(&counts, training.merges());
    counter.check_merging(counts.memory() as u64 + memory)?;
    progress.note(&format!("merging takes about {} of memory", size(memory)));
    let outcome = merge(&training, &counts, progress)?;
    report.stage("merging", None);
    let mut written = write(arguments, &outcome, progress)?;
    report.stage("writing", None);
    let learned = outcome.learned.len();
    if let Some(path) = &arguments.report {
        report.write(arguments, &inputs, &outcome.model, learned, path)?;
        written.extend(Output::new(path).path().map(Path::to_owned));
    }
    report_outcome(arguments, &training, &outcome, progress);
    // Only a sum of several files can exceed 2^64 - 1.
    let pieces = u64::try_from(counts.total()).unwrap_or(u64::MAX);
    let done = format!("trained {} on", plural(learned as u64, "merge"));
    counts::close(progress, &done, bytes, [pieces, counts.len() as u64]);
    progress.wrote(&written);
    Ok(())
}

/// Checks that all outputs can be created, and that they are different files and none of the inputs.
fn check_outputs(arguments: &TrainArguments, inputs: &Inputs) -> Result<()> {
    let others = arguments.from_counts.iter().chain(&arguments.extend);
    let read = || inputs.paths().chain(others.clone().map(PathBuf::as_path));
    let mut written = vec![arguments.output.clone()];
    let checkpoints = arguments.checkpoint_sizes.iter();
    written.extend(checkpoints.map(|size| numbered(&arguments.output, size)));
    written.extend(
        [&arguments.frequencies, &arguments.report]
            .into_iter()
            .flatten()
            .cloned(),
    );
    for (index, path) in written.iter().enumerate() {
        Output::new(path).check(read())?;
        if written[..index].contains(path) {
            return Err(usage(format!("{}: given for two outputs", path.display())));
        }
    }
    Ok(())
}

fn merge(training: &Training, counts: &PieceCounts, progress: &Progress) -> Result<Outcome> {
    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(counts, |learned| {
        // The progress line is redrawn far less often than this.
        if learned.merges % 64 == 1 {
            let detail = format!(", pair count {}", number(learned.count));
            stage.set(learned.merges, detail);
        }
    })?;
    stage.tokens(outcome.learned.len() as u64);
    Ok(outcome)
}

/// Writes checkpoints, model and frequencies, and returns the paths of the files.
fn write(
    arguments: &TrainArguments,
    outcome: &Outcome,
    progress: &Progress,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for &size in &arguments.checkpoint_sizes {
        let path = numbered(&arguments.output, size);
        save(&outcome.checkpoint(size)?, &path, progress)?;
        written.push(path);
    }
    save(&outcome.model, &arguments.output, progress)?;
    written.push(arguments.output.clone());
    // Last: if this is a pipe and its reader closes it, the models are written already.
    if let Some(path) = &arguments.frequencies {
        let output = Output::new(path);
        write_frequencies(&output, &outcome.model, &outcome.learned)?;
        written.extend(output.path().map(Path::to_owned));
    }
    Ok(written)
}

/// Writes a comment line, then a line for each new token in the order in which they were learned.
fn write_frequencies(output: &Output, model: &Model, learned: &[(TokenId, Count)]) -> Result<()> {
    output.write(|out| {
        out.write_all(b"# id\tcount of the pair when it was merged\ttoken in base64\n")?;
        for &(id, count) in learned {
            let token = STANDARD.encode(model.token(id).unwrap_or_default());
            writeln!(out, "{id}\t{count}\t{token}")?;
        }
        Ok(())
    })
}

/// Warns if training ended early or the output's format loses part of the model, and notes special tokens
/// whose ids changed.
fn report_outcome(
    arguments: &TrainArguments,
    training: &Training,
    Outcome {
        model,
        learned,
        moved,
        ..
    }: &Outcome,
    progress: &Progress,
) {
    let output = arguments.output.display();
    if learned.len() < training.merges() {
        let ids = plural(model.id_limit() as u64, "id");
        let requested = number(arguments.vocab_size as u64);
        let merges = plural(learned.len() as u64, "merge");
        warn(&format!(
            "{output}: the vocabulary has {ids}, not {requested}: no pair is left to merge after {merges}"
        ));
    }
    warn_of_loss(model, &arguments.output);
    if !moved.is_empty() {
        let moves = moved.iter().map(|token| {
            let (from, to) = (token.from, token.to);
            format!("{} from {from} to {to}", token.content)
        });
        let moves = moves.collect::<Vec<_>>().join(", ");
        progress.note(&format!("{output}: special tokens have new ids: {moves}"));
    }
}

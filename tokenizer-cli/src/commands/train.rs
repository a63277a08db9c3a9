//! `tokenizer train`: documents to a model.

use std::path::PathBuf;

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
use crate::progress::{Progress, number, warn};

pub(crate) fn run(arguments: &TrainArguments, progress: &Progress) -> Result<()> {
    let documents = &arguments.documents;
    // Wrong usage is reported before the content of an input.
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
    let (words, bytes) = counter.words()?;
    report.stage("counting", bytes);
    if arguments.report.is_some() {
        report.counted(&words, &training.pattern, bytes);
    }
    let memory = estimate_memory(&words, training.merges());
    counter.check_merging(words.memory() as u64 + memory)?;
    let memory = number(memory);
    progress.note(&format!("merging takes about {memory} bytes of memory"));
    let outcome = merge(&training, &words, progress)?;
    report.stage("merging", None);
    write(arguments, &outcome, progress)?;
    report.stage("writing", None);
    let learned = outcome.learned.len();
    if let Some(path) = &arguments.report {
        report.write(arguments, &inputs, &outcome.model, learned, path)?;
    }
    say_outcome(arguments, &training, &outcome, progress);
    // More than 2^64 pieces can only stand in counts of several files, and are "2^64" here.
    let pieces = u64::try_from(words.total()).unwrap_or(u64::MAX);
    let done = format!("trained {} merges on", number(learned as u64));
    counts::close(progress, &done, bytes, [pieces, words.len() as u64]);
    Ok(())
}

/// Refuses outputs that are read too, or that are one file.
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
    for (number, path) in written.iter().enumerate() {
        Output::new(path).check(read())?;
        if written[..number].contains(path) {
            let path = path.display();
            return Err(usage(format!("{path}: two outputs cannot be one file")));
        }
    }
    Ok(())
}

fn merge(training: &Training, words: &PieceCounts, progress: &Progress) -> Result<Outcome> {
    let stage = progress.steps("merging", training.merges());
    let outcome = training.run(words, |learned| {
        // Often enough to be read, and not once for each.
        if learned.merges % 64 == 1 {
            let detail = format!(", now {} times each", number(learned.count));
            stage.set(learned.merges, detail);
        }
    })?;
    stage.tokens(outcome.learned.len() as u64);
    Ok(outcome)
}

fn write(arguments: &TrainArguments, outcome: &Outcome, progress: &Progress) -> Result<()> {
    for &size in &arguments.checkpoint_sizes {
        let path = numbered(&arguments.output, size);
        save(&outcome.checkpoint(size)?, &path, progress)?;
    }
    save(&outcome.model, &arguments.output, progress)?;
    // Last, since the reader of a pipe may close it.
    if let Some(path) = &arguments.frequencies {
        write_frequencies(&Output::new(path), &outcome.model, &outcome.learned)?;
    }
    Ok(())
}

/// How often the pair of each token occurred when it was merged: a line of comment, then one for each
/// token in the order in which they were learned.
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

/// Warns of fewer ids than were wanted, and of what a file does not hold; notes special tokens that have
/// new ids.
fn say_outcome(
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
        let counts = [model.id_limit(), arguments.vocab_size, learned.len()];
        let [ids, wanted, merges] = counts.map(|count| number(count as u64));
        warn(&format!(
            "{output}: the vocabulary has {ids} ids, not {wanted}: after {merges} merges no pair is \
             left that may be merged"
        ));
    }
    warn_of_loss(model, &arguments.output);
    if !moved.is_empty() {
        let moves = moved.iter().map(|token| {
            let (from, to) = (token.from, token.to);
            format!("{} from {from} to {to}", token.content)
        });
        let moves = moves.collect::<Vec<_>>().join(", ");
        progress.note(&format!(
            "{output}: special tokens have other ids than before: {moves}"
        ));
    }
}

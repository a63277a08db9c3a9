//! `tokenizer convert`: a model in another format, or with known pieces.

use std::path::PathBuf;

use tokenizer_core::corpus::{CountsFormat, ModelFormat};
use tokenizer_core::{Merging, Model, Words};

use crate::args::ConvertArguments;
use crate::commands::counts::{self, Counter};
use crate::commands::{known_pieces, load, save, warn_of_loss};
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::{check_not_read, check_place};
use crate::progress::{Progress, number};

pub(crate) fn run(arguments: &ConvertArguments, progress: &Progress) -> Result<(), CommandError> {
    check_place(&arguments.output)?;
    let is_warmed = !arguments.warm.inputs.is_empty();
    if is_warmed {
        known_pieces::check_held(&arguments.output)?;
        let corpus = arguments.warm.inputs.iter().map(PathBuf::as_ref);
        check_not_read(&arguments.output, corpus)?;
    }
    let model = load(
        &arguments.model,
        arguments.pattern.pattern.as_ref(),
        progress,
    )?;
    let mut counted = None;
    let model = match is_warmed {
        false => model,
        true => {
            let (words, bytes) = count(&model, arguments, progress)?;
            let most = arguments.known_pieces.unwrap_or(known_pieces::DEFAULT);
            counted = Some((words.len(), bytes));
            known_pieces::store(model, &words, most, progress)?
        }
    };
    save(&model, &arguments.output, progress)?;
    warn_of_loss(&model, &arguments.output);
    if ModelFormat::of_path(&arguments.output) == Some(ModelFormat::Tiktoken)
        && matches!(model.merging(), Merging::Merges { .. })
    {
        progress.note(&format!(
            "{}: the tokens of a .tiktoken file merge by rank, those of {} by a list of pairs: in \
             rare cases a text has other ids",
            arguments.output.display(),
            arguments.model.display()
        ));
    }
    if let Some((distinct, bytes)) = counted {
        let what = format!(
            "counted {} bytes, {} distinct pieces, stored {} of them",
            number(bytes),
            number(distinct as u64),
            number(model.known_pieces().len() as u64),
        );
        progress.close(&what, bytes);
    }
    Ok(())
}

/// The pieces of the corpus as the model splits it, and how many bytes of text were counted.
fn count(
    model: &Model,
    arguments: &ConvertArguments,
    progress: &Progress,
) -> Result<(Words, u64), CommandError> {
    let corpus = &arguments.warm;
    let (counted, texts): (Vec<PathBuf>, Vec<PathBuf>) = corpus
        .inputs
        .iter()
        .cloned()
        .partition(|path| CountsFormat::of_file(path).is_some());
    let inputs = Inputs::open(&texts, corpus)?;
    let files = counts::open(&counted, None)?;
    if let Some(files) = &files
        && files.pattern() != model.pattern()
    {
        return Err(UsageError::CountsOfOtherPattern {
            counts: files.pattern().source().to_owned(),
            model: model.pattern().source().to_owned(),
        }
        .into());
    }
    let counter = Counter::new(
        model.pattern(),
        model.normalizer(),
        &arguments.counting,
        corpus.threads(),
    );
    let (mut words, bytes) = counter.words(&inputs, progress)?;
    if let Some(files) = &files {
        let more = counter.words_of_files(files, progress)?;
        words
            .merge(&more)
            .map_err(tokenizer_core::count::CountError::from)?;
    }
    Ok((words, bytes))
}

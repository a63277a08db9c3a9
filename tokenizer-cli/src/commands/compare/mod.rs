//! `tokenizer compare`: several models on several corpora.

mod chart;
mod html;
mod measure;
mod names;
mod table;

use std::path::Path;
use std::slice;

use clap::ArgMatches;
use tokenizer_core::{Model, Tokenizer};

use self::measure::{Compared, Comparison, Corpus, Measured, Tally, measure};
use super::models::load;
use crate::args::{CompareArguments, ModelArguments};
use crate::error::{Result, usage};
use crate::input::Inputs;
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal;

pub(crate) fn run(
    arguments: &CompareArguments,
    matches: &ArgMatches,
    progress: &Progress,
) -> Result<()> {
    let documents = &arguments.documents;
    let matches = matches.subcommand_matches("compare").unwrap_or(matches);
    let models = arguments.models.choices(matches)?;
    if models.len() > 1 && documents.inputs.iter().any(|path| path == Path::new("-")) {
        return Err(usage(
            "standard input can be read once, but each of several models reads it",
        ));
    }
    // An unreadable model is reported before the first corpus is encoded.
    let loaded = models.iter().map(|model| load(model, progress));
    let loaded = loaded.collect::<Result<Vec<_>>>()?;
    // Each INPUT is one corpus, even if it is a folder.
    let inputs = documents.inputs.iter();
    let inputs = inputs.map(|path| documents.open_some(slice::from_ref(path)));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let html = arguments.html.as_deref().map(Output::new);
    if let Some(html) = &html {
        let read = inputs.iter().flat_map(|inputs| inputs.paths());
        html.check(read.chain(models.iter().map(|model| model.path.as_path())))?;
    }

    let corpora = documents.inputs.iter().zip(&inputs);
    let corpora: Vec<_> = corpora
        .map(|(path, inputs)| (path.display().to_string(), inputs))
        .collect();
    let comparison = compare(&corpora, &models, loaded, progress)?;
    if arguments.json {
        return Output::STANDARD.write_all(table::json(&comparison));
    }
    let Some(html) = html else {
        return Output::STANDARD.write_all(table::text(&comparison));
    };
    html.write_all(html::page(&comparison))?;
    if let Some(path) = html.path() {
        Output::STANDARD.write_all(table::text(&comparison))?;
        progress.wrote(&[path]);
    }
    Ok(())
}

/// Encodes every corpus with every model, one model after the other.
fn compare(
    corpora: &[(String, &Inputs)],
    chosen: &[ModelArguments],
    models: Vec<Model>,
    progress: &Progress,
) -> Result<Comparison> {
    let names = corpora.iter().map(|(name, _)| name.clone());
    let empty = names.map(|corpus| Corpus {
        corpus,
        models: Vec::new(),
    });
    let mut comparison = Comparison {
        models: Vec::new(),
        corpora: empty.collect(),
        total: Vec::new(),
    };
    let stages = stage_names(chosen);
    for ((model, arguments), stage) in models.into_iter().zip(chosen).zip(stages) {
        let tokenizer = Tokenizer::new(model);
        let compared = Compared::new(&arguments.path, &tokenizer);
        let mut total = Tally::default();
        for ((_, inputs), corpus) in corpora.iter().zip(&mut comparison.corpora) {
            let stage = progress.bytes_of(stage.clone(), inputs.total_bytes);
            let tally = measure(&tokenizer, inputs, stage, progress)?;
            corpus.models.push(Measured::new(&compared, &tally));
            total.add(&tally);
        }
        comparison.total.push(Measured::new(&compared, &total));
        comparison.models.push(compared);
    }
    Ok(comparison)
}

/// Columns for the model on the progress line.
const STAGE_WIDTH: usize = 24;

/// Names the stages of several models after them: `comparing 2/8 cl100k.tiktoken`.
fn stage_names(models: &[ModelArguments]) -> Vec<String> {
    if models.len() == 1 {
        return vec!["comparing".to_owned()];
    }
    let paths = models.iter().map(|model| model.path.to_string_lossy());
    let paths: Vec<_> = paths.collect();
    let names = names::distinct(&paths.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let stage = |(number, name): (usize, String)| {
        let name = terminal::escape(&name);
        let name = terminal::fit(&name, STAGE_WIDTH);
        format!("comparing {number}/{} {name}", models.len())
    };
    (1..).zip(names).map(stage).collect()
}

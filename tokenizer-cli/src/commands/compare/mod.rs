//! `tokenizer compare`: what several models make of several corpora.

mod html;
mod measure;
mod table;

use std::path::Path;
use std::slice;

use clap::ArgMatches;
use tokenizer_core::Tokenizer;

use self::measure::{Compared, Comparison, Corpus, measure};
use super::models::load;
use crate::args::CompareArguments;
use crate::error::{Result, usage};
use crate::output::Output;
use crate::progress::Progress;

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
            "standard input can be read only once, and every model is to have it",
        ));
    }
    // Every model is read before the first hour of work.
    let loaded = models.iter().map(|model| load(model, progress));
    let loaded = loaded.collect::<Result<Vec<_>>>()?;
    // A folder is one corpus, whatever is in it.
    let inputs = documents.inputs.iter();
    let inputs = inputs.map(|path| documents.open_some(slice::from_ref(path)));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let html = arguments.html.as_deref().map(Output::new);
    if let Some(html) = &html {
        let read = inputs.iter().flat_map(|inputs| inputs.paths());
        html.check(read.chain(models.iter().map(|model| model.path.as_path())))?;
    }

    let names = documents
        .inputs
        .iter()
        .map(|path| path.display().to_string());
    let mut comparison = Comparison {
        models: Vec::new(),
        corpora: names
            .map(|corpus| Corpus {
                corpus,
                models: Vec::new(),
            })
            .collect(),
    };
    for (model, chosen) in loaded.into_iter().zip(&models) {
        let tokenizer = Tokenizer::new(model);
        let compared = Compared::new(&chosen.path, &tokenizer);
        for (inputs, corpus) in inputs.iter().zip(&mut comparison.corpora) {
            let measured = measure(&compared, &tokenizer, inputs, progress)?;
            corpus.models.push(measured);
        }
        comparison.models.push(compared);
    }
    match html {
        Some(html) => html.write_all(html::page(&comparison)),
        None if arguments.json => Output::STANDARD.write_all(table::json(&comparison)),
        None => Output::STANDARD.write_all(table::text(&comparison)),
    }
}

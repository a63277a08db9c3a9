//! `tokenizer compare`: what several models make of several corpora.

mod html;
mod measure;
mod table;

use std::path::Path;

use tokenizer_core::Tokenizer;

use self::measure::{Measured, measure};
use crate::args::{CompareArguments, ModelChoice};
use crate::commands::load;
use crate::error::{CommandError, UsageError};
use crate::input::Inputs;
use crate::output::Output;
use crate::progress::Progress;

/// A model that is compared.
struct Compared {
    name: String,
    /// How many tokens it has, special ones not counted.
    tokens: usize,
    /// How many tokens have so many bytes; the last number is of those that have more.
    lengths: [u64; LENGTHS],
}

/// Lengths of tokens that are told apart.
const LENGTHS: usize = 17;

/// All that was measured: for each corpus a row of models.
struct Comparison {
    models: Vec<Compared>,
    corpora: Vec<(String, Vec<Measured>)>,
}

pub(crate) fn run(arguments: &CompareArguments, progress: &Progress) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let is_standard = |path: &std::path::PathBuf| path == Path::new("-");
    let models = arguments.models.choices()?;
    if models.len() > 1 && documents.inputs.iter().any(is_standard) {
        return Err(UsageError::StandardInputForEach.into());
    }
    // A folder is one corpus, whatever is in it.
    let mut corpora = Vec::new();
    for path in &documents.inputs {
        let paths = std::slice::from_ref(path);
        let inputs = Inputs::open(paths, documents)?;
        corpora.push((path.display().to_string(), inputs));
    }
    let html = arguments
        .html
        .as_deref()
        .map(|path| Output::new(Some(path)));
    if let Some(html) = &html {
        let read = corpora.iter().flat_map(|(_, inputs)| inputs.paths());
        html.check(read.chain(models.iter().map(|model| model.path.as_path())))?;
    }

    let mut comparison = Comparison {
        models: Vec::new(),
        corpora: corpora
            .iter()
            .map(|(name, _)| (name.clone(), Vec::new()))
            .collect(),
    };
    for ModelChoice { path, pattern } in &models {
        let tokenizer = Tokenizer::new(load(path, pattern.as_ref(), progress)?);
        comparison.models.push(Compared::new(path, &tokenizer));
        let threads = documents.threads();
        for ((_, inputs), (_, row)) in corpora.iter().zip(&mut comparison.corpora) {
            row.push(measure(&tokenizer, inputs, threads, progress)?);
        }
    }
    if let Some(html) = html {
        let page = html::page(&comparison);
        html.write(|writer| writer.write_all(page.as_bytes()))?;
        return Ok(());
    }
    let text = match arguments.json {
        true => table::json(&comparison),
        false => table::text(&comparison),
    };
    Output::Standard.write(|writer| writer.write_all(text.as_bytes()))
}

impl Compared {
    fn new(path: &Path, tokenizer: &Tokenizer) -> Self {
        let vocab = tokenizer.model().vocab();
        let mut lengths = [0; LENGTHS];
        // One token may be empty: it has no length that is counted.
        for (_, token) in vocab.iter().filter(|(_, token)| !token.is_empty()) {
            lengths[token.len().min(LENGTHS) - 1] += 1;
        }
        Compared {
            name: path.display().to_string(),
            tokens: vocab.len(),
            lengths,
        }
    }
}

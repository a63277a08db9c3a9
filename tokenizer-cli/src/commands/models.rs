//! Loading and saving models, and warnings about what a format cannot store.

use std::path::{Path, PathBuf};

use tokenizer_core::corpus::{self, LoadError, ModelFormat, save_model};
use tokenizer_core::{Affixes, Model};

use crate::args::ModelArguments;
use crate::error::{Result, failed, usage};
use crate::progress::{Progress, Stage, number, shortened, warn};

/// Loads a model; assumptions made while reading it are printed as warnings.
pub(super) fn load(arguments: &ModelArguments, progress: &Progress) -> Result<Model> {
    load_with_folder(arguments, progress).map(|(model, _)| model)
}

/// Like [`load`], but also returns the folder whose files describe the model together.
pub(super) fn load_with_folder(
    arguments: &ModelArguments,
    progress: &Progress,
) -> Result<(Model, Option<PathBuf>)> {
    let path = &arguments.path;
    let stage = progress.bytes("reading the model");
    let loaded = corpus::load(path, arguments.rank_options());
    let loaded = loaded.map_err(|error| match error {
        LoadError::PatternMissing(_) => {
            usage(error).hint("give the pattern of its training, such as --pattern cl100k")
        }
        LoadError::PatternGiven(_) => usage(error).hint("leave --pattern out"),
        LoadError::SpecialsGiven(_) => usage(error).hint("leave --model-special out"),
        other => other.into(),
    })?;
    finish(stage, path, &loaded.model);
    for note in &loaded.notes {
        warn(&note.to_string());
    }
    Ok((loaded.model, loaded.folder))
}

/// Returns the ids that the post-processor adds around each document; none unless `post_process`.
pub(super) fn affixes(model: &Model, post_process: bool) -> Result<Affixes> {
    if !post_process {
        return Ok(Affixes::default());
    }
    let affixes = model.post_processor().affixes();
    affixes.ok_or_else(|| failed("--post-process: the template of the model repeats the text"))
}

pub(super) fn save(model: &Model, path: &Path, progress: &Progress) -> Result<()> {
    let stage = progress.bytes("writing the model");
    save_model(model, path)?;
    finish(stage, path, model);
    Ok(())
}

/// Ends a stage with the size of the file at `path` and the tokens of `model`.
fn finish(stage: Stage, path: &Path, model: &Model) {
    stage.advance(path.metadata().map_or(0, |metadata| metadata.len()));
    stage.tokens(model.vocab().len() as u64);
}

/// Warns that an option for known pieces, which models no longer store, has no effect.
pub(super) fn warn_of_known_pieces(option: &str) {
    warn(&format!(
        "{option} has no effect: models no longer store known pieces, which gained no speed"
    ));
}

/// Warns of the parts of a model that a `.tiktoken` file at `output` omits.
pub(super) fn warn_of_loss(model: &Model, output: &Path) {
    if ModelFormat::of_path(output) != Some(ModelFormat::Tiktoken) {
        return;
    }
    let file = output.display();
    let warn_of = |loss: String| warn(&format!("{file}: a .tiktoken file stores {loss}"));
    let contents = |special: bool| -> Vec<&str> {
        let tokens = model.specials().iter().filter(|t| t.special == special);
        tokens.map(|token| token.content.as_str()).collect()
    };
    let (special, added) = (contents(true), contents(false));
    if !special.is_empty() {
        warn_of(format!("no special tokens; omitted: {}", listed(&special)));
    }
    if !added.is_empty() {
        let added = listed(&added);
        warn_of(format!(
            "no added tokens, and text that contains them gets other ids; omitted: {added}"
        ));
    }
    let repeated = model.vocab().repeated().count();
    if repeated > 0 {
        let (repeated, all) = (number(repeated as u64), number(model.vocab().len() as u64));
        warn_of(format!(
            "each byte string once; omitted: {repeated} of {all} tokens"
        ));
    }
    if model.normalizer().is_some() {
        warn_of("no normalizer, and text that it changes gets other ids".to_owned());
    }
    if !model.rewrites().is_empty() {
        warn_of(
            "no pre-tokenizer that changes text, and text that it changes gets other ids".into(),
        );
    }
}

/// Joins the first tokens with commas, and says how many more there are.
fn listed(tokens: &[&str]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = tokens
        .iter()
        .take(SHOWN)
        .map(|token| shortened(token, 40))
        .collect();
    if tokens.len() > SHOWN {
        shown.push(format!(
            "and {} more",
            number((tokens.len() - SHOWN) as u64)
        ));
    }
    shown.join(", ")
}

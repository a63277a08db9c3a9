//! Models read and written.

use std::path::Path;

use tokenizer_core::Model;
use tokenizer_core::corpus::{
    LoadError, ModelFormat, load_folder, load_model_with_notes, save_model,
};

use crate::args::ModelArguments;
use crate::error::{Result, usage};
use crate::progress::{Progress, Stage, number, warn};

pub(super) fn load(arguments: &ModelArguments, progress: &Progress) -> Result<Model> {
    let ModelArguments { path, pattern } = arguments;
    let stage = progress.bytes("reading the model");
    let is_folder = ModelFormat::of_path(path).is_none() && path.is_dir();
    let loaded = match is_folder {
        true if pattern.is_some() => Err(LoadError::PatternGiven(path.to_owned())),
        true => load_folder(path),
        false => load_model_with_notes(path, pattern.clone()),
    };
    let loaded = loaded.map_err(|error| match error {
        LoadError::PatternMissing(_) => {
            usage(error).hint("give the one it was made with, such as --pattern cl100k")
        }
        LoadError::PatternGiven(_) => usage(error).hint("leave --pattern out"),
        other => other.into(),
    })?;
    measure(stage, path, &loaded.model);
    for note in &loaded.notes {
        warn(&note.to_string());
    }
    Ok(loaded.model)
}

pub(super) fn save(model: &Model, path: &Path, progress: &Progress) -> Result<()> {
    let stage = progress.bytes("writing the model");
    save_model(model, path)?;
    measure(stage, path, model);
    Ok(())
}

/// Ends a stage with what there is of a model and of its file. Of a model of several files, it is the
/// one at `path`.
fn measure(stage: Stage, path: &Path, model: &Model) {
    stage.advance(path.metadata().map_or(0, |metadata| metadata.len()));
    stage.tokens(model.vocab().len() as u64);
}

/// Warns that an option for known pieces, which models no longer hold, has no effect.
pub(super) fn warn_of_known_pieces(option: &str) {
    warn(&format!(
        "{option} has no effect: models no longer store known pieces, which gained no speed"
    ));
}

/// Warns of what a `.tiktoken` file at `output` does not hold of the model.
pub(super) fn warn_of_loss(model: &Model, output: &Path) {
    if ModelFormat::of_path(output) != Some(ModelFormat::Tiktoken) {
        return;
    }
    let file = output.display();
    let warn_of = |loss: String| warn(&format!("{file}: a .tiktoken file holds {loss}"));
    let contents = |special: bool| -> Vec<&str> {
        let tokens = model.specials().iter().filter(|t| t.special == special);
        tokens.map(|token| token.content.as_str()).collect()
    };
    let (special, added) = (contents(true), contents(false));
    if !special.is_empty() {
        let special = special.join(", ");
        warn_of(format!("no special tokens: {special} left out"));
    }
    if !added.is_empty() {
        warn_of(format!(
            "no added tokens: {added:?} left out; texts that have them get other ids"
        ));
    }
    let repeated = model.vocab().repeated().count();
    if repeated > 0 {
        let (repeated, all) = (number(repeated as u64), number(model.vocab().len() as u64));
        warn_of(format!(
            "the same bytes only once: {repeated} of {all} tokens left out"
        ));
    }
    if model.normalizer().is_some() {
        warn_of("no normalizer: text that needs one will have other ids".to_owned());
    }
}

//! One file for each command, and what several of them do.

pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod count;
pub(crate) mod count_pieces;
mod counts;
pub(crate) mod decode;
pub(crate) mod encode;
mod frequencies;
pub(crate) mod inspect;
pub(crate) mod manual;
mod parts;
mod pipeline;
mod report;
mod shards;
pub(crate) mod train;
mod training;

use std::path::Path;

use tokenizer_core::corpus::{
    LoadError, ModelFormat, load_folder, load_model_with_notes, save_model,
};
use tokenizer_core::{Model, Pattern};

use crate::error::{CommandError, UsageError};
use crate::progress::{Progress, Stage, number, warn};

fn load(
    path: &Path,
    pattern: Option<&Pattern>,
    progress: &Progress,
) -> Result<Model, CommandError> {
    let stage = progress.bytes("reading the model");
    let is_folder = ModelFormat::of_path(path).is_none() && path.is_dir();
    let loaded = match is_folder {
        true if pattern.is_some() => Err(LoadError::PatternGiven(path.to_owned())),
        true => load_folder(path),
        false => load_model_with_notes(path, pattern.cloned()),
    };
    let loaded = loaded.map_err(|error| match error {
        LoadError::PatternMissing(_) | LoadError::PatternGiven(_) => {
            UsageError::Pattern(error).into()
        }
        other => CommandError::from(other),
    });
    end_with_model(
        &stage,
        path,
        loaded.as_ref().ok().map(|loaded| &loaded.model),
    );
    let loaded = loaded?;
    for note in &loaded.notes {
        warn(&note.to_string());
    }
    Ok(loaded.model)
}

fn save(model: &Model, path: &Path, progress: &Progress) -> Result<(), CommandError> {
    let stage = progress.bytes("writing the model");
    save_model(model, path)?;
    end_with_model(&stage, path, Some(model));
    Ok(())
}

/// What there is of a model and of its file. Of a model of several files, it is the one at `path`.
fn end_with_model(stage: &Stage, path: &Path, model: Option<&Model>) {
    stage.advance(path.metadata().map_or(0, |metadata| metadata.len()));
    if let Some(model) = model {
        stage.tokens(model.vocab().len() as u64);
    }
}

/// Text in which nothing is markup, nor ends an attribute.
fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Warns that an option for known pieces, which models no longer hold, has no effect.
fn warn_of_known_pieces(option: &str) {
    warn(&format!(
        "{option} has no effect: models no longer store known pieces, which gained no speed"
    ));
}

/// Warns of what a `.tiktoken` file at `output` does not hold of the model.
fn warn_of_loss(model: &Model, output: &Path) {
    if ModelFormat::of_path(output) != Some(ModelFormat::Tiktoken) {
        return;
    }
    let file = output.display();
    let contents = |special: bool| {
        let tokens = model.specials().iter().filter(|t| t.special == special);
        let contents: Vec<&str> = tokens.map(|token| token.content.as_str()).collect();
        contents
    };
    let (special, added) = (contents(true), contents(false));
    if !special.is_empty() {
        warn(&format!(
            "{file}: a .tiktoken file holds no special tokens: {} left out",
            special.join(", ")
        ));
    }
    if !added.is_empty() {
        warn(&format!(
            "{file}: a .tiktoken file holds no added tokens: {added:?} left out; texts that have \
             them get other ids"
        ));
    }
    let repeated = model.vocab().repeated().count();
    if repeated > 0 {
        warn(&format!(
            "{file}: a .tiktoken file holds the same bytes only once: {} of {} tokens left out",
            number(repeated as u64),
            number(model.vocab().len() as u64),
        ));
    }
    if model.normalizer().is_some() {
        warn(&format!(
            "{file}: a .tiktoken file holds no normalizer: text that needs one will have other ids"
        ));
    }
}

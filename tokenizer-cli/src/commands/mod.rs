//! One file for each command, and what several of them do.

pub(crate) mod convert;
pub(crate) mod count;
pub(crate) mod count_pieces;
mod counts;
pub(crate) mod decode;
pub(crate) mod encode;
mod frequencies;
mod known_pieces;
mod parts;
pub(crate) mod train;
mod training;

use std::path::Path;

use tokenizer_core::corpus::{LoadError, ModelFormat, load_model};
use tokenizer_core::{BatchError, Model, Pattern};

use crate::error::{CommandError, UsageError};
use crate::input::{InputBytes, InputName, Inputs};
use crate::progress::{Stage, number, warn};

/// Documents are read and encoded together until they have this many bytes: enough to keep many
/// threads busy, few enough to be held in memory with their ids.
const TOGETHER: usize = 64 << 20;

fn load(path: &Path, pattern: Option<&Pattern>) -> Result<Model, CommandError> {
    load_model(path, pattern.cloned()).map_err(|error| match error {
        LoadError::PatternMissing(_) | LoadError::PatternGiven(_) => {
            UsageError::Pattern(error).into()
        }
        other => other.into(),
    })
}

/// Reads the documents, some at a time, and hands their names and bytes to `each`, in order.
fn for_documents_together(
    inputs: &Inputs,
    stage: &Stage,
    mut each: impl FnMut(&[InputName], &[InputBytes]) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut names = inputs.names();
    while !names.is_empty() {
        let mut documents = Vec::new();
        let mut bytes = 0;
        while bytes < TOGETHER && documents.len() < names.len() {
            let document = inputs.read(&names[documents.len()])?;
            bytes += document.as_ref().len();
            documents.push(document);
        }
        let (these, rest) = names.split_at(documents.len());
        names = rest;
        each(these, &documents)?;
        stage.advance(bytes as u64);
    }
    Ok(())
}

/// A document of those named could not be encoded.
fn encode_error(names: &[InputName], failure: BatchError) -> CommandError {
    CommandError::Encode {
        input: names[failure.text].clone(),
        error: failure.error,
    }
}

/// Warns of what a `.tiktoken` file at `output` does not hold of the model.
fn warn_of_loss(model: &Model, output: &Path) {
    if ModelFormat::of_path(output) != Some(ModelFormat::Tiktoken) {
        return;
    }
    let file = output.display();
    if !model.specials().is_empty() {
        let specials: Vec<&str> = model
            .specials()
            .iter()
            .map(|s| s.content.as_str())
            .collect();
        warn(&format!(
            "{file}: a .tiktoken file holds no special tokens: {} left out",
            specials.join(", ")
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

//! One file for each command, and what several of them do.

pub(crate) mod convert;
pub(crate) mod count;
pub(crate) mod count_pieces;
mod counts;
pub(crate) mod decode;
pub(crate) mod encode;
mod frequencies;
pub(crate) mod inspect;
mod known_pieces;
pub(crate) mod manual;
mod parts;
mod pipeline;
mod report;
mod shards;
pub(crate) mod train;
mod training;

use std::path::Path;

use tokenizer_core::corpus::{LoadError, ModelFormat, load_model};
use tokenizer_core::{Model, Pattern};

use crate::error::{CommandError, UsageError};
use crate::progress::{number, warn};

fn load(path: &Path, pattern: Option<&Pattern>) -> Result<Model, CommandError> {
    load_model(path, pattern.cloned()).map_err(|error| match error {
        LoadError::PatternMissing(_) | LoadError::PatternGiven(_) => {
            UsageError::Pattern(error).into()
        }
        other => other.into(),
    })
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

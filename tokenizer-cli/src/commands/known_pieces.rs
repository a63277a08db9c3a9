//! The pieces that a model knows beforehand, where it is trained or converted.

use std::path::Path;
use std::sync::Arc;

use tokenizer_core::corpus::ModelFormat;
use tokenizer_core::{Encoder, Model, Words, most_frequent};

use crate::error::{CommandError, UsageError};
use crate::progress::Progress;

/// How many are stored when no one says.
pub(super) const DEFAULT: usize = 8192;

/// Refuses to store known pieces in a file that cannot hold them.
pub(super) fn check_held(output: &Path) -> Result<(), UsageError> {
    match is_held(output) {
        true => Ok(()),
        false => Err(UsageError::KnownPiecesNotHeld(output.to_owned())),
    }
}

/// Whether a model of this name holds known pieces.
pub(super) fn is_held(output: &Path) -> bool {
    ModelFormat::of_path(output) == Some(ModelFormat::Native)
}

/// The model with the most frequent pieces of a corpus in the place of those it knew.
pub(super) fn store(
    model: Model,
    words: &Words,
    most: usize,
    progress: &Progress,
) -> Result<Model, CommandError> {
    let _stage = progress.steps("choosing known pieces", most);
    let model = Arc::new(model.without_known_pieces());
    let known = most_frequent(words, &Encoder::new(Arc::clone(&model)), most);
    Ok(Arc::unwrap_or_clone(model).with_known_pieces(known)?)
}

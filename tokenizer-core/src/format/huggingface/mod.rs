//! `tokenizer.json` of Hugging Face's `tokenizers`, and GPT-2's `vocab.json` with `merges.txt`.

use crate::model::Model;

/// The bytes are no `tokenizer.json` that is supported, or the model cannot be written as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// A component that is not supported.
    #[error("{component} is not supported")]
    Unsupported {
        /// Its name.
        component: String,
    },
}

/// Reads a `tokenizer.json`.
///
/// # Errors
/// When a component is not supported, or the parts contradict each other.
pub fn read(bytes: &[u8]) -> Result<Model, HuggingFaceError> {
    let _ = bytes;
    Err(HuggingFaceError::Unsupported {
        component: "everything".into(),
    })
}

/// Reads GPT-2's pair of files.
///
/// # Errors
/// As [`read`].
pub fn read_gpt2(vocab: &[u8], merges: &[u8]) -> Result<Model, HuggingFaceError> {
    let _ = merges;
    read(vocab)
}

/// Whether the bytes are a `vocab.json`: one flat object of tokens and ids.
pub fn is_vocab(bytes: &[u8]) -> bool {
    let _ = bytes;
    false
}

/// Writes a `tokenizer.json`.
///
/// # Errors
/// When the model's pattern cannot be told in the words of the other regex engine.
pub fn write(model: &Model) -> Result<Vec<u8>, HuggingFaceError> {
    let _ = model;
    Err(HuggingFaceError::Unsupported {
        component: "everything".into(),
    })
}

//! Readers and writers for the file formats of models and piece counts. They work on bytes; `corpus` handles
//! paths.
//!
//! | format | module | contents |
//! | --- | --- | --- |
//! | `.bpe` | [`native`] | the whole model, checksummed and binary |
//! | `.tiktoken` | [`tiktoken`] | token bytes and ranks only |
//! | `tokenizer.json` | `huggingface` (feature of the same name) | the whole model, in the components of Hugging Face's `tokenizers` |
//! | `tekken.json` | `tekken` (feature `huggingface`) | token bytes and ranks, pattern and special tokens of Mistral's models |
//! | `tokenizer.model` and others | [`sentencepiece`] | SentencePiece models of type BPE; only read |
//! | `.tsv`, `.parquet` | [`counts`] | piece counts and their pattern |

#[cfg(feature = "parquet")]
pub(crate) mod broken_parquet;
pub mod counts;
pub mod native;
pub mod sentencepiece;
pub mod tiktoken;

#[cfg(feature = "huggingface")]
pub mod huggingface;
#[cfg(feature = "huggingface")]
pub mod tekken;

use crate::token::MAX_TOKEN_ID;

/// Returns the number above all ids that a text file of this length may have. Tables are sized by the highest
/// id, and their size must follow that of the file. Without gaps, an id takes at least six bytes of the file.
fn id_limit(bytes: usize) -> usize {
    bytes.clamp(1 << 16, MAX_TOKEN_ID as usize + 1)
}

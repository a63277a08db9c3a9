//! File formats of models and of piece counts, as byte slices. Paths are handled by `corpus`.
//!
//! | format | module | contents |
//! | --- | --- | --- |
//! | `.bpe` | [`native`] | the whole model, checksummed and binary |
//! | `.tiktoken` | [`tiktoken`] | token bytes and ranks only |
//! | `tokenizer.json` | `huggingface` (feature of the same name) | the whole model, as Hugging Face's components |
//! | `.tsv`, `.parquet` | [`counts`] | piece counts and their pattern |

#[cfg(feature = "parquet")]
pub(crate) mod broken_parquet;
pub mod counts;
pub mod native;
pub mod tiktoken;

#[cfg(feature = "huggingface")]
pub mod huggingface;

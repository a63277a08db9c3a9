//! A model, or counted pieces, as bytes. Nothing here knows paths: see `corpus` for files.
//!
//! | format | module | holds |
//! | --- | --- | --- |
//! | `.bpe` | [`native`] | the whole model, checksummed, read without parsing text |
//! | `.tiktoken` | [`tiktoken`] | bytes and ranks only |
//! | `tokenizer.json` | `huggingface` (feature of that name) | the whole model, in Hugging Face's words |
//! | `.tsv`, `.parquet` | [`counts`] | counted pieces and their pattern |

#[cfg(feature = "parquet")]
pub(crate) mod broken_parquet;
pub mod counts;
pub mod native;
pub mod tiktoken;

#[cfg(feature = "huggingface")]
pub mod huggingface;

//! Readers and writers for the file formats of models and piece counts. They work on bytes; `corpus` handles
//! paths.
//!
//! | format | module | contents |
//! | --- | --- | --- |
//! | `.bpe` | [`native`] | the whole model, checksummed and binary |
//! | `.tiktoken` | [`tiktoken`] | token bytes and ranks only |
//! | `tokenizer.json` | `huggingface` (feature of the same name) | the whole model, in the components of Hugging Face's `tokenizers` |
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

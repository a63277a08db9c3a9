//! `tokenizer.json` of Hugging Face's `tokenizers`, and GPT-2's `vocab.json` with `merges.txt`.
//!
//! A file is a pipeline of typed components. These are supported:
//!
//! | component | read | written |
//! | --- | --- | --- |
//! | `model` | `BPE` without dropout, affixes, `byte_fallback` or `fuse_unk` | the same |
//! | `normalizer` | none, `NFC`, or a `Sequence` of these | none or `NFC` |
//! | `pre_tokenizer` | `ByteLevel`, or a `Sequence` of `Split`s that ends in `ByteLevel` | `Sequence` |
//! | `post_processor` | none, `ByteLevel`, `TemplateProcessing`, `RobertaProcessing`, `BertProcessing`, or a `Sequence` of these with at most one that adds ids | `ByteLevel` or `TemplateProcessing` |
//! | `decoder` | `ByteLevel`, a `Sequence` of it alone, or none, which is read as `ByteLevel` | `ByteLevel` |
//! | `added_tokens` | with all flags | the same |
//! | `truncation`, `padding` | none or any object, which is stored but not applied | as read |
//!
//! Any other component or field is an error that names it, since ignoring it could change ids. Fields
//! that affect offsets only, such as `trim_offsets`, are ignored.
//!
//! Ids equal those of `tokenizers` if the request allows all special tokens: `tokenizers` looks for all
//! added tokens by default. It also ignores the ids of added tokens in the file and numbers these tokens
//! itself; a file in which the two numberings differ is refused.
//!
//! Other files of a folder may add tokens and name a tokenizer class: see [`read_folder`].

mod added;
mod class;
mod companions;
mod error;
mod folder;
mod gpt2;
mod json;
mod post_processor;
mod pre_tokenizer;
mod read;
mod regex_dialect;
mod verify;
mod vocabulary;
mod write;

pub use companions::Companions;
pub use error::{FieldFault, HuggingFaceError, MAX_BYTES, MergeFault};
pub use folder::{read_folder, read_gpt2_folder};
pub use gpt2::{is_vocab, read_gpt2};
pub use read::read;
pub use regex_dialect::DialectError;
pub use write::write;

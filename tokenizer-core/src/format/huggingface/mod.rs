//! `tokenizer.json` of Hugging Face's `tokenizers`, and GPT-2's `vocab.json` with `merges.txt`.
//!
//! A file is a chain of components, each with a type. What is understood:
//!
//! | part | read | written |
//! | --- | --- | --- |
//! | `model` | `BPE`, without dropout, prefixes, suffixes and fallbacks | the same |
//! | `normalizer` | none, `NFC`, a `Sequence` of at most these | none or `NFC` |
//! | `pre_tokenizer` | `ByteLevel`, or a `Sequence` of `Split`s that ends in one | `Sequence` |
//! | `post_processor` | none, `ByteLevel`, one `TemplateProcessing`, a `Sequence` of these | `ByteLevel` or `TemplateProcessing` |
//! | `decoder` | `ByteLevel`; none, which then decodes as if it were there | `ByteLevel` |
//! | `added_tokens` | with all their flags | the same |
//! | `truncation`, `padding` | any object: kept, not applied | as it was read |
//!
//! Everything else is refused by its name, and so is a field that is not known: a component that is
//! passed over would give other ids. Fields that change offsets only, as `trim_offsets`, count for
//! nothing here.
//!
//! A model comes in with the ids that `tokenizers` itself would give to texts in which it looks for
//! added tokens, as it does by default. For that it must number them as the file says; it numbers
//! them anew on reading, so a file where the two differ is refused.
//!
//! The files beside it in a folder name more tokens, and a class: see [`read_folder`].

mod added;
mod class;
mod companions;
mod error;
mod folder;
mod gpt2;
mod json;
mod pre_tokenizer;
mod proof;
mod read;
mod regex_dialect;
mod vocabulary;
mod write;

pub use companions::Companions;
pub use error::{FieldFault, HuggingFaceError, MAX_BYTES, MergeFault};
pub use folder::{read_folder, read_gpt2_folder};
pub use gpt2::{is_vocab, read_gpt2};
pub use read::read;
pub use regex_dialect::DialectError;
pub use write::write;

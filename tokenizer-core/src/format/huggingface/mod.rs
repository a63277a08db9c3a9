//! `tokenizer.json` of Hugging Face's `tokenizers`, and GPT-2's `vocab.json` with `merges.txt`.
//!
//! A file is a pipeline of typed components. These are supported:
//!
//! | component | read | written |
//! | --- | --- | --- |
//! | `model` | `BPE` without dropout; `byte_fallback` not with `continuing_subword_prefix` or `end_of_word_suffix`, nor if a byte-level vocabulary lacks a byte | the same |
//! | `normalizer` | none, `NFC`, `NFD`, `NFKC`, `NFKD`, `Lowercase`, `StripAccents`, `Strip`, `Replace`, `Prepend`, or a `Sequence` of these; a `Replace` must not match the empty string, and its regex must not use look-around | the same |
//! | `pre_tokenizer` | none, or a `Sequence` of at most one `ByteLevel`, with or without `add_prefix_space`, and any number of `Metaspace`, `Split`, `Digits`, `Punctuation`, `Whitespace`, `WhitespaceSplit` and `CharDelimiterSplit`, before it, or after it if they change no text | none, or a `Sequence` of `Split` and `ByteLevel` |
//! | `post_processor` | none, `ByteLevel`, `TemplateProcessing`, `RobertaProcessing`, `BertProcessing`, or a `Sequence` of these with at most one that adds ids | `ByteLevel` or `TemplateProcessing` |
//! | `decoder` | none, `ByteLevel`, `Replace`, `Strip`, `Metaspace`, `BPEDecoder`, `WordPiece`, `ByteFallback`, `Fuse`, or a `Sequence` of these, in any order; a `Replace` as in a normalizer, and no empty `suffix` | none, `ByteLevel` or `Sequence` |
//! | `added_tokens` | with all flags | the same |
//! | `truncation`, `padding` | none or any object, which is stored but not applied | as read |
//!
//! Any other component or field is an error that names it, since ignoring it could change ids. The field
//! `trim_offsets` is obeyed in post-processors, where it changes offsets, and ignored elsewhere.
//!
//! Ids equal those of `tokenizers` if the request allows all special tokens: `tokenizers` looks for all
//! added tokens by default. It also ignores the ids of added tokens in the file and numbers these tokens
//! itself, and of a merge listed twice only the last counts; so it is here.
//!
//! Decoders act on the byte-level spelling of tokens, as in `tokenizers`. Without a decoder, these are joined with
//! spaces. Where `Strip` would remove a character twice, at both ends of a token, `tokenizers` panics; here it is removed once.
//!
//! Without `ByteLevel` as pre-tokenizer, tokens are text, and the first symbols of a piece are its characters
//! (see [`Symbols`](crate::Symbols)). Where `tokenizers` drops a byte or character that is not a token, because
//! the file names no unknown token, encoding fails here.
//!
//! A SentencePiece model is written with the components that give the same ids. Its special tokens then decode
//! to their own text, as in `tokenizers`.
//!
//! `continuing_subword_prefix` and `end_of_word_suffix` are part of the tokens, and of decoded text unless the
//! decoder replaces them, as in `tokenizers`. The right token of a merge must start with the prefix.
//!
//! Other files of a folder may add tokens and name a tokenizer class: see [`read_folder`], [`read_gpt2_folder`] and
//! [`read_rank_specials`]. [`write_config`] writes the file that makes a folder complete.

mod added;
mod char_class;
mod class;
mod companions;
mod decoder;
mod error;
mod folder;
pub(in crate::format) mod gpt2;
pub(in crate::format) mod json;
mod normalizer;
mod post_processor;
mod pre_tokenizer;
mod ranks;
mod read;
mod regex_dialect;
mod sentencepiece;
mod verify;
mod vocabulary;
mod write;

pub use companions::Companions;
pub use error::{FieldFault, HuggingFaceError, MAX_BYTES, MergeFault};
pub use folder::{read_folder, read_gpt2_folder, write_config};
pub use gpt2::{is_vocab, read_gpt2};
pub use ranks::read_rank_specials;
pub use read::read;
pub use regex_dialect::DialectError;
pub use write::write;

//! A byte-level BPE (byte pair encoding) tokenizer: trains vocabularies, encodes text and decodes ids.
//!
//! It produces the ids of `tiktoken` and of Hugging Face's `tokenizers` from the same model files, and the
//! merges of `rustbpe` from the same corpus.
//!
//! # Encode and decode
//!
//! ```
//! use tokenizer_core::{Model, Pattern, PatternName, Tokenizer};
//!
//! // A toy model: the 256 single bytes and two longer tokens. Tokenizer::from_file("model.bpe") loads a real one.
//! let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
//! tokens.extend([b"th".to_vec(), b"the".to_vec()]);
//! let ranks = tokens.iter().zip(0..).map(|(token, id)| (token.as_slice(), id));
//! let tokenizer = Tokenizer::new(Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, [])?);
//!
//! let ids = tokenizer.encode("the cat")?;
//! assert_eq!(ids, [257, 32, 99, 97, 116]);
//! assert_eq!(tokenizer.decode(&ids)?, b"the cat");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Train
//!
//! ```
//! use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};
//!
//! let pattern: Pattern = "cl100k".parse()?;
//! let documents = ["the cat sat on the mat", "the dog sat on the log"];
//! let counts = count_pieces(documents, &pattern, &CountOptions::default())?;
//!
//! // 256 bytes, 16 merges and one special token.
//! let options = TrainOptions::new(273).specials(["<|endoftext|>"]);
//! let tokenizer = Tokenizer::from_trained(pattern, train(&counts, &options)?)?;
//! assert!(tokenizer.encode("the cat sat")?.len() < "the cat sat".len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Data flow
//!
//! ```text
//! text ──pattern──▶ pieces ──count──▶ PieceCounts ──train──▶ Trained ──▶ Tokenizer ──encode──▶ ids ──decode──▶ bytes
//! ```
//!
//! | To ... | see |
//! | --- | --- |
//! | load a model, encode and decode | [`Tokenizer`] |
//! | encode with special tokens, on several threads, in batches, with offsets, or with a stop flag | [`Tokenizer::request`] |
//! | decode ids one at a time | [`DecodeStream`] |
//! | split text | [`Pattern`] |
//! | train | [`count_pieces`], [`fn@train`], [`TrainOptions`] |
//! | add tokens to a model by training on more text | [`fn@extend`] |
//! | read and write models as bytes | [`mod@format`] |
//! | read and write models, documents and counts as files | `corpus` (feature `files`) |
//!
//! # Features
//!
//! | Feature | Default | Enables |
//! | --- | --- | --- |
//! | `parallel` | yes | several threads for counting, training and encoding |
//! | `files` | yes | the `corpus` module: paths and atomic writes |
//! | `huggingface` | yes | `tokenizer.json`; GPT-2's `vocab.json` with `merges.txt` |
//! | `documents` | no | documents from JSON lines and from gzip and Zstandard files |
//! | `parquet` | no | piece counts as Parquet; with `documents`, documents from Parquet columns |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(
    clippy::missing_errors_doc,
    missing_debug_implementations,
    missing_docs
)]
#![cfg_attr(not(test), warn(rust_2018_idioms))]

mod add_tokens;
mod byte_level;
mod count;
mod crop;
mod decode;
mod encode;
mod extend;
pub mod format;
mod free_list;
mod hash;
mod hash_index;
mod merge_steps;
mod merges;
mod model;
mod normalize;
#[doc(hidden)]
pub mod parallel;
mod pattern;
mod piece_counts;
mod post_processor;
mod rank_merges;
#[cfg(any(test, feature = "internals"))]
mod reference;
mod rewrite;
mod segments;
#[allow(unsafe_code)]
mod simd;
mod special;
mod stop;
mod symbols;
mod text_decoder;
mod token;
mod tokenizer;
mod train;
mod unicode;
mod vocab;

#[cfg(feature = "files")]
pub mod corpus;

pub use count::{
    CountError, CountOptions, PieceCounter, SortedPieces, TemporaryStore, count_pieces,
};
pub use crop::{Crop, CropOptions, Cropped, crop};
pub use decode::{DecodeStream, UnknownToken};
pub use encode::{
    Batch, BatchError, EncodeError, EncodeStream, IdsWithOffsets, Request, Truncated,
};
pub use extend::{
    ExtendError, Extended, MovedSpecial, extend, extend_with_progress, size_to_extend,
};
pub use merge_steps::{MergeRule, MergeStep};
pub use merges::{Merge, Merges, MergesError};
pub use model::{CallSettings, Merging, Model, ModelError};
pub use normalize::{Normalizer, Replace, ReplaceError, Spaces};
pub use pattern::{Gaps, Pattern, PatternError, PatternName, SplitError, Splitter};
pub use piece_counts::{PieceCounts, PieceCountsError};
pub use post_processor::{
    Affixes, InvalidTemplate, PostProcessor, Template, TemplatePart, Trimming,
};
pub use rank_merges::{RankMerges, rank_merges};
pub use rewrite::{Metaspace, PrependScheme, RewriteStep};
#[doc(hidden)]
pub use simd::advise_huge_pages;
pub use special::{SpecialSet, SpecialToken, SpecialTokens, SpecialTokensError};
pub use symbols::{Symbols, SymbolsError};
pub use text_decoder::{DecodeStep, PieceDecoder, TextDecoder};
pub use token::{Count, MAX_TOKEN_ID, Pair, TokenId};
pub use tokenizer::{Tokenizer, TokenizerBuilder};
pub use train::{
    Learned, TieBreak, TrainError, TrainOptions, Trained, estimate_memory, train,
    train_with_progress,
};
pub use unicode::UNICODE_VERSION;
pub use vocab::{Repeats, Vocab, VocabError};

/// Internals for tests, benches and fuzz targets: oracles, SIMD tiers, spans of pieces.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::simd::Tier;
    /// Reference implementations: BPE by its definition.
    pub mod reference {
        pub use crate::reference::*;
    }
    pub use crate::pattern::Spans;
}

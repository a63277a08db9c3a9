//! Byte-level BPE: train a vocabulary on a corpus, encode and decode text with it.
//!
//! The merges are those of `rustbpe`, the ids those of `tiktoken`, byte for byte, on any input,
//! whether it is UTF-8 or not.
//!
//! ```text
//! text ──pattern──▶ pieces ──count──▶ PieceCounts ──train──▶ Trained ──▶ Tokenizer ──encode──▶ ids ──decode──▶ bytes
//! ```
//!
//! [`count_pieces`] splits documents by a [`Pattern`] and counts the distinct pieces ([`PieceCounts`]);
//! [`fn@train`] learns merges from them ([`Trained`]). A [`Model`] is everything that decides about ids. A
//! [`Tokenizer`] encodes and decodes with it; [`Tokenizer::request`] takes special tokens, threads and a
//! stop flag. [`mod@format`] has models and counted pieces as bytes, `corpus` has them as files.
//!
//! # Example
//!
//! ```
//! use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};
//!
//! let pattern: Pattern = "cl100k".parse()?;
//! let documents = ["the cat sat on the mat", "the dog sat on the log"];
//! let pieces = count_pieces(documents, &pattern, &CountOptions::default())?;
//! let options = TrainOptions::new(273).specials(["<|endoftext|>"]);
//! let tokenizer = Tokenizer::from_trained(pattern, train(&pieces, &options)?)?;
//!
//! let ids = tokenizer.encode("the cat sat")?;
//! assert!(ids.len() < 11);
//! assert_eq!(tokenizer.decode(&ids)?, b"the cat sat");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `parallel` (counting and encoding on several threads), `files` (paths, atomic writes) and `huggingface` (`tokenizer.json`) are on by default; the crate builds without them.
//! Two are not, since they bring crates along: `documents` (JSON lines, gzip, Zstandard) and `parquet`
//! (counted pieces, and with `documents` texts, as Parquet).

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(clippy::missing_errors_doc, missing_debug_implementations, missing_docs)]
#![cfg_attr(not(test), warn(rust_2018_idioms))]

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
mod rank_merges;
#[cfg(any(test, feature = "internals"))]
mod reference;
mod segments;
#[allow(unsafe_code)]
mod simd;
mod special;
mod stop;
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
pub use model::{Affixes, CallSettings, Merging, Model, ModelError};
pub use normalize::Normalizer;
pub use pattern::{Gaps, Pattern, PatternError, PatternName, SplitError, Splitter};
pub use piece_counts::{PieceCounts, PieceCountsError};
pub use rank_merges::{RankMerges, rank_merges};
#[doc(hidden)]
pub use simd::advise_huge_pages;
pub use special::{SpecialSet, SpecialToken, SpecialTokens, SpecialTokensError};
pub use token::{Count, MAX_TOKEN_ID, Pair, TokenId};
pub use tokenizer::{Tokenizer, TokenizerBuilder};
pub use train::{
    Learned, TieBreak, TrainError, TrainOptions, Trained, estimate_memory, train,
    train_with_progress,
};
pub use unicode::UNICODE_VERSION;
pub use vocab::{Repeats, Vocab, VocabError};

/// For tests, benches and fuzz targets: oracles, instruction sets, pieces as spans.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::simd::Tier;
    /// BPE by its definition.
    pub mod reference {
        pub use crate::reference::*;
    }
    pub use crate::pattern::Spans;
}

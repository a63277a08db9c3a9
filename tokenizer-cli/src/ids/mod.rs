//! Ids as files hold them: written by `encode`, read by `decode`.
//!
//! | format | content | documents |
//! | --- | --- | --- |
//! | text | decimal numbers between spaces | a line each |
//! | jsonl | `{"ids":[1,2,3]}` | a line each |
//! | u16, u32 | little-endian numbers | joined; `OUT.index` says where each ends |
//! | npy | NumPy's array file, one dimension, uint32 | joined; `OUT.index` says where each ends |
//! | megatron | little-endian numbers, uint16 or int32 | joined; the `.idx` beside it has their lengths |
//! | parquet | a column `ids` of lists of uint16 or uint32 | a row each |
//!
//! A file of joined ids has a header beside it, `OUT.json`: how the numbers are stored, how many there
//! are, and of which model. It is written last, so where it is, all is.

mod header;
mod identity;
mod index;
mod npy;
mod parquet;
mod read;
mod write;

use std::path::Path;

use clap::ValueEnum;

pub(crate) use header::{Counts, Header, HeaderFault, Run};
pub(crate) use read::{Decoded, Decoding, IdBytes, IdFault, decode_ids};
pub(crate) use write::{IdWriter, beside};

/// How ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdFormat {
    /// Decimal numbers between spaces, a line for each document.
    Text,
    /// `{"ids":[1,2,3]}`, a line for each document.
    Jsonl,
    /// Little-endian numbers of two bytes, documents joined.
    U16,
    /// Little-endian numbers of four bytes, documents joined.
    U32,
    /// A NumPy array of one dimension, documents joined; written as uint32.
    Npy,
    /// Megatron's indexed dataset: OUT.bin, of numbers of two bytes if the model has fewer than 65,500
    /// ids and else of four, with OUT.idx.
    Megatron,
    /// A Parquet table with a column `ids`, which has a list for each document.
    Parquet,
}

/// Megatron's own rule for when two bytes are enough.
const MEGATRON_NARROW: usize = 65_500;

/// How many bytes a number takes, and as what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    U16,
    U32,
    I32,
}

impl Number {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Number::U16 => "uint16",
            Number::U32 => "uint32",
            Number::I32 => "int32",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Number::U16, Number::U32, Number::I32];
        all.into_iter().find(|number| number.as_str() == name)
    }

    pub(crate) fn bytes(self) -> u64 {
        match self {
            Number::U16 => 2,
            Number::U32 | Number::I32 => 4,
        }
    }
}

impl IdFormat {
    /// The format that a file's name tells, for a model whose ids are below `id_limit`. `.bin` does
    /// not tell the width: it is two bytes where they hold every id of the model, as nanoGPT has it.
    pub(crate) fn of_path(path: Option<&Path>, id_limit: usize) -> Self {
        match path.and_then(Path::extension).and_then(|end| end.to_str()) {
            Some("jsonl") => IdFormat::Jsonl,
            Some("npy") => IdFormat::Npy,
            Some("parquet") => IdFormat::Parquet,
            Some("u16") => IdFormat::U16,
            Some("u32") => IdFormat::U32,
            Some("bin") if IdFormat::U16.holds(id_limit) => IdFormat::U16,
            Some("bin") => IdFormat::U32,
            _ => IdFormat::Text,
        }
    }

    /// Whether the name of a file leaves the width of ids open.
    pub(crate) fn is_width_left_open(path: Option<&Path>) -> bool {
        path.and_then(Path::extension)
            .is_some_and(|end| end == "bin")
    }

    /// Whether every id below `id_limit` fits.
    pub(crate) fn holds(self, id_limit: usize) -> bool {
        self != IdFormat::U16 || id_limit <= 1 << 16
    }

    /// How ids below `id_limit` are stored; `None` as decimals.
    pub(crate) fn number(self, id_limit: usize) -> Option<Number> {
        match self {
            IdFormat::Text | IdFormat::Jsonl => None,
            IdFormat::U16 => Some(Number::U16),
            IdFormat::U32 | IdFormat::Npy => Some(Number::U32),
            IdFormat::Megatron if id_limit < MEGATRON_NARROW => Some(Number::U16),
            IdFormat::Megatron => Some(Number::I32),
            IdFormat::Parquet if IdFormat::U16.holds(id_limit) => Some(Number::U16),
            IdFormat::Parquet => Some(Number::U32),
        }
    }

    /// Whether a file of this format can hold ids as `number`.
    pub(crate) fn can_store(self, number: Number) -> bool {
        match self {
            IdFormat::Text | IdFormat::Jsonl => false,
            IdFormat::U16 => number == Number::U16,
            IdFormat::U32 | IdFormat::Npy => number == Number::U32,
            IdFormat::Megatron => number != Number::U32,
            IdFormat::Parquet => number != Number::I32,
        }
    }

    /// Whether documents are joined, and nothing in the file says where they end.
    pub(crate) fn is_flat(self) -> bool {
        matches!(self, IdFormat::U16 | IdFormat::U32 | IdFormat::Npy)
    }

    pub(crate) fn is_binary(self) -> bool {
        !matches!(self, IdFormat::Text | IdFormat::Jsonl)
    }

    /// Whether there must be a file for it.
    pub(crate) fn needs_file(self) -> bool {
        matches!(self, IdFormat::Megatron | IdFormat::Parquet)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            IdFormat::Text => "text",
            IdFormat::Jsonl => "jsonl",
            IdFormat::U16 => "u16",
            IdFormat::U32 => "u32",
            IdFormat::Npy => "npy",
            IdFormat::Megatron => "megatron",
            IdFormat::Parquet => "parquet",
        }
    }
}

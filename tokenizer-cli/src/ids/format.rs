//! The formats of ids, and their number types.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A format of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdFormat {
    /// Decimal ids separated by spaces, one line per document
    #[default]
    Text,
    /// `{"ids":[1,2,3]}`, one line per document
    Jsonl,
    /// Little-endian u16, all documents joined
    U16,
    /// Little-endian u32, all documents joined
    U32,
    /// One-dimensional NumPy array of uint32, all documents joined
    Npy,
    /// Megatron's indexed dataset: OUT, which must end in .bin, and its index, which ends in .idx; two bytes
    /// per id if all ids of the model are below 65,499, otherwise four
    Megatron,
    /// Parquet table with one list per document in column `ids`
    Parquet,
}

/// Megatron stores the ids of vocabularies smaller than this as uint16.
const MEGATRON_NARROW: usize = 65_500;

/// The type of a stored number, which is little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Number {
    #[serde(rename = "uint16")]
    U16,
    #[serde(rename = "uint32")]
    U32,
    #[serde(rename = "int32")]
    I32,
    #[serde(skip)]
    I64,
    #[serde(skip)]
    U64,
}

impl Number {
    pub(super) fn bytes(self) -> usize {
        match self {
            Number::U16 => 2,
            Number::U32 | Number::I32 => 4,
            Number::I64 | Number::U64 => 8,
        }
    }

    /// Decodes the number in `bytes`, whose length is [`Number::bytes`].
    pub(super) fn read(self, bytes: &[u8]) -> i128 {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let number = u64::from_le_bytes(wide);
        match self {
            Number::U16 | Number::U32 | Number::U64 => number.into(),
            Number::I32 => (number as u32 as i32).into(),
            Number::I64 => (number as i64).into(),
        }
    }
}

impl IdFormat {
    /// Returns the format by file name, for a model with ids below `id_limit`. A `.bin` is u16 if every id
    /// fits, as in nanoGPT, else u32.
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

    /// Whether the extension is `.bin`, which does not tell the width of the ids.
    pub(crate) fn is_width_ambiguous(path: Option<&Path>) -> bool {
        let end = path.and_then(Path::extension);
        end.is_some_and(|end| end == "bin")
    }

    /// Whether the format can represent every id below `id_limit`.
    pub(crate) fn holds(self, id_limit: usize) -> bool {
        self != IdFormat::U16 || id_limit <= 1 << 16
    }

    /// The number types that the format may use, narrowest first; none for text and JSON lines.
    pub(super) fn numbers(self) -> &'static [Number] {
        match self {
            IdFormat::Text | IdFormat::Jsonl => &[],
            IdFormat::U16 => &[Number::U16],
            IdFormat::U32 | IdFormat::Npy => &[Number::U32],
            IdFormat::Megatron => &[Number::U16, Number::I32],
            IdFormat::Parquet => &[Number::U16, Number::U32],
        }
    }

    /// The number type for ids below `id_limit`; `None` for text and JSON lines.
    pub(super) fn number(self, id_limit: usize) -> Option<Number> {
        let is_narrow = match self {
            IdFormat::Megatron => id_limit < MEGATRON_NARROW,
            _ => IdFormat::U16.holds(id_limit),
        };
        let (first, last) = (self.numbers().first(), self.numbers().last());
        (if is_narrow { first } else { last }).copied()
    }

    /// Whether the format concatenates documents and has no index of its own.
    pub(crate) fn is_flat(self) -> bool {
        matches!(self, IdFormat::U16 | IdFormat::U32 | IdFormat::Npy)
    }

    pub(crate) fn is_binary(self) -> bool {
        !self.numbers().is_empty()
    }
}

/// The name on the command line.
impl fmt::Display for IdFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

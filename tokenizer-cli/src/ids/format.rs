//! Formats of ids, and the numbers in them.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How ids are written.
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
    /// Megatron's indexed dataset, OUT.bin and OUT.idx; ids have two bytes if there are fewer than
    /// 65,500, otherwise four
    Megatron,
    /// Parquet table with one list per document in column `ids`
    Parquet,
}

/// Megatron's own rule for when two bytes are enough.
const MEGATRON_NARROW: usize = 65_500;

/// How a number is stored, little-endian: its bytes, and whether it has a sign.
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

    /// The number in `bytes`, which are as many as [`Number::bytes`].
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
        let end = path.and_then(Path::extension);
        end.is_some_and(|end| end == "bin")
    }

    /// Whether every id below `id_limit` fits.
    pub(crate) fn holds(self, id_limit: usize) -> bool {
        self != IdFormat::U16 || id_limit <= 1 << 16
    }

    /// How a file of this format may store ids, the narrower first; as decimals if there is nothing.
    pub(super) fn numbers(self) -> &'static [Number] {
        match self {
            IdFormat::Text | IdFormat::Jsonl => &[],
            IdFormat::U16 => &[Number::U16],
            IdFormat::U32 | IdFormat::Npy => &[Number::U32],
            IdFormat::Megatron => &[Number::U16, Number::I32],
            IdFormat::Parquet => &[Number::U16, Number::U32],
        }
    }

    /// How ids below `id_limit` are stored; `None` as decimals.
    pub(super) fn number(self, id_limit: usize) -> Option<Number> {
        let is_narrow = match self {
            IdFormat::Megatron => id_limit < MEGATRON_NARROW,
            _ => IdFormat::U16.holds(id_limit),
        };
        let (first, last) = (self.numbers().first(), self.numbers().last());
        (if is_narrow { first } else { last }).copied()
    }

    /// Whether documents are joined, and nothing in the file says where they end.
    pub(crate) fn is_flat(self) -> bool {
        matches!(self, IdFormat::U16 | IdFormat::U32 | IdFormat::Npy)
    }

    pub(crate) fn is_binary(self) -> bool {
        !self.numbers().is_empty()
    }
}

/// As it is typed.
impl fmt::Display for IdFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

//! Ids as files hold them: written by `encode`, read by `decode`.
//!
//! | format | content | documents |
//! | --- | --- | --- |
//! | text | decimal numbers between spaces | a line each |
//! | jsonl | `{"ids":[1,2,3]}` | a line each |
//! | u16, u32 | little-endian numbers | joined |
//! | npy | NumPy's array file, one dimension, uint32 | joined |

mod npy;
mod read;
mod write;

use std::path::Path;

use clap::ValueEnum;

pub(crate) use read::{Decoded, IdFault, decode_ids, look_wider};
pub(crate) use write::IdWriter;

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
}

impl IdFormat {
    /// The format that a file's name tells, for a model whose ids are below `id_limit`. `.bin` does
    /// not tell the width: it is two bytes where they hold every id of the model, as nanoGPT has it.
    pub(crate) fn of_path(path: Option<&Path>, id_limit: usize) -> Self {
        match path.and_then(Path::extension).and_then(|end| end.to_str()) {
            Some("jsonl") => IdFormat::Jsonl,
            Some("npy") => IdFormat::Npy,
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

    pub(crate) fn is_binary(self) -> bool {
        matches!(self, IdFormat::U16 | IdFormat::U32 | IdFormat::Npy)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            IdFormat::Text => "text",
            IdFormat::Jsonl => "jsonl",
            IdFormat::U16 => "u16",
            IdFormat::U32 => "u32",
            IdFormat::Npy => "npy",
        }
    }
}

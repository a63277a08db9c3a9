//! Paths and files. No other module of the crate handles paths.
//!
//! | module | purpose |
//! | --- | --- |
//! | `file` | reads a whole file; the error that names a file |
//! | `content` | detects text, JSON lines, tables and refused inputs (feature `documents`) |
//! | `documents` | reads documents from text, JSON lines and tables, also compressed (feature `documents`) |
//! | `folder` | lists the files of a folder |
//! | `atomic` | writes files atomically |
//! | `published` | tiktoken's encodings and Kimi's: hashes, patterns, special tokens, tiktoken's cache |
//! | `hub` | Hugging Face's cache |
//! | `model_file` | reads and writes models by extension |
//! | `counts_file` | reads and writes piece counts by extension |
//! | `temporary` | temporary files for counts that do not fit in memory |

mod atomic;
#[cfg(feature = "documents")]
mod content;
mod counts_file;
#[cfg(feature = "documents")]
mod documents;
mod file;
mod folder;
mod hub;
mod model_file;
mod published;
mod temporary;

pub use atomic::{NewFile, stop_writing, write_atomically};
#[cfg(feature = "documents")]
pub use content::{ReadAs, Refused};
pub use counts_file::{
    CountsFiles, CountsFormat, CountsWriter, LoadCountsError, SaveCountsError, load_counts,
    save_counts, write_counts,
};
#[cfg(feature = "documents")]
pub use documents::{
    DocumentError, DocumentOptions, Documents, Doubt, Look, Place, Stretch, Unit, Units,
};
pub use file::{FileError, read_file};
pub use folder::files_below;
#[cfg(feature = "documents")]
pub use folder::{GlobError, Globs};
pub use hub::is_hub_name;
pub use model_file::{
    LoadError, LoadNote, LoadedModel, ModelFormat, RankOptions, SaveError, load, load_encoding,
    load_hub, load_model, load_model_with_notes, save_model,
};
#[cfg(feature = "huggingface")]
pub use model_file::{load_folder, save_folder};
pub use published::ENCODING_NAMES;
pub use temporary::TemporaryFiles;

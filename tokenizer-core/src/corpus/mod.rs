//! Paths and files: the one place of the crate that knows them.
//!
//! | module | what it does |
//! | --- | --- |
//! | `file` | a file as bytes; the error that names a file |
//! | `content` | what a file of documents holds: text, JSON lines, a table, or what is refused (feature `documents`) |
//! | `documents` | documents out of files: compressed, lines, JSON lines, tables (feature `documents`) |
//! | `folder` | the files of a folder, sorted |
//! | `atomic` | a file written whole or not at all |
//! | `model_file` | a model by the name of its file |
//! | `counts_file` | counted pieces by the name of their file, and many such files as one |
//! | `temporary` | temporary files, for counts that do not fit in memory |

mod atomic;
#[cfg(feature = "documents")]
mod content;
mod counts_file;
#[cfg(feature = "documents")]
mod documents;
mod file;
mod folder;
mod model_file;
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
#[cfg(feature = "huggingface")]
pub use model_file::load_folder;
pub use model_file::{
    LoadError, LoadNote, LoadedModel, ModelFormat, SaveError, load_model, load_model_with_notes,
    save_model,
};
pub use temporary::TemporaryFiles;

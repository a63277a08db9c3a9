//! Why a `tokenizer.json` cannot be read or written.

use super::regex_dialect::DialectError;
use crate::merges::MergesError;
use crate::model::ModelError;
use crate::pattern::PatternError;
use crate::token::TokenId;

/// Files of more bytes are not read. The largest published ones have some 30 million.
pub const MAX_BYTES: usize = 1 << 30;

/// The bytes are no `tokenizer.json` that is supported, or the model cannot be written as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// More than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Not JSON, or a key stands twice.
    #[error("not JSON as expected: {message}")]
    Json {
        /// What is wrong, with line and column.
        message: String,
    },
    /// A component that is not supported.
    #[error("{path}: {component} is not supported")]
    Unsupported {
        /// Where it stands.
        path: String,
        /// Its name.
        component: String,
    },
    /// A field is not as it should be.
    #[error("{path}: {fault}")]
    Field {
        /// Where it stands.
        path: String,
        /// What is wrong.
        fault: FieldFault,
    },
    /// A token is not spelled in the characters that stand for bytes, and is no added token either.
    #[error("model.vocab: the token {token:?} is neither spelled in bytes nor an added token")]
    NotByteLevel {
        /// Its spelling.
        token: String,
    },
    /// A merge does not fit the vocabulary.
    #[error("model.merges[{rank}]: {fault}")]
    Merge {
        /// Which merge, from 0.
        rank: usize,
        /// What is wrong.
        fault: MergeFault,
    },
    /// A line of `merges.txt` is no merge.
    #[error("merges.txt, line {line}: {fault}")]
    MergeLine {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        fault: MergeFault,
    },
    /// An added token would not have the id that the file says.
    #[error(
        "the added token {content:?} has the id {id}, but tokenizers would number it {numbered}"
    )]
    AddedTokenId {
        /// Its text.
        content: String,
        /// The id in the file.
        id: TokenId,
        /// The id it would get.
        numbered: TokenId,
    },
    /// Something is wrong in a file beside the tokenizer.
    #[error("{file}: {error}")]
    Companion {
        /// The name of the file.
        file: &'static str,
        /// What is wrong.
        error: Box<HuggingFaceError>,
    },
    /// The folder is of a class whose tokenizer cannot be had here.
    #[error("{file}: {field} {name:?} is not supported: {why}")]
    Class {
        /// The file that names the class.
        file: &'static str,
        /// The field that names it.
        field: &'static str,
        /// Its name.
        name: String,
        /// Why it is refused, and what to do.
        why: &'static str,
    },
    /// One file has a token as special, another as an ordinary added token.
    #[error("the added token {content:?} is special in one file and not in another")]
    SpecialAndNot {
        /// Its text.
        content: String,
    },
    /// A regex that means something else, or may do so, in the other regex engine.
    #[error("the regex {source_text:?}: {error}")]
    Regex {
        /// The regex.
        source_text: String,
        /// Why.
        error: DialectError,
    },
    /// The regex does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The merges contradict themselves.
    #[error(transparent)]
    Merges(#[from] MergesError),
    /// The parts do not make a model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Writing: two tokens have the same bytes, which a `tokenizer.json` has one name for.
    #[error("tokens {first} and {id} are both \"{}\", which a tokenizer.json cannot tell apart", .bytes.escape_ascii())]
    RepeatedBytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// The lower id.
        first: TokenId,
        /// The higher id.
        id: TokenId,
    },
    /// Writing: a special token that a `tokenizer.json` would take for something else.
    #[error("the special token {content:?} ({id}) cannot stand in a tokenizer.json: {why}")]
    SpecialNotTold {
        /// Its text.
        content: String,
        /// Its id.
        id: TokenId,
        /// What it would be taken for.
        why: &'static str,
    },
    /// Writing: what was written gives other ids than the model. This is a fault of this program.
    #[error("what was written would give other ids for {text:?}; nothing is written")]
    NotProven {
        /// A text on which they differ.
        text: String,
    },
}

impl From<serde_json::Error> for HuggingFaceError {
    fn from(error: serde_json::Error) -> Self {
        HuggingFaceError::Json {
            message: error.to_string(),
        }
    }
}

impl HuggingFaceError {
    /// Names the file in which something is wrong.
    pub(super) fn in_file(self, file: &'static str) -> Self {
        let error = Box::new(self);
        HuggingFaceError::Companion { file, error }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// It is something else than it should be, or is not there.
    #[error("expected {what}, found {found}")]
    Expected {
        /// What it should be.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// No such field is known, so it could mean anything.
    #[error("this field is not known")]
    Unknown,
    /// A value that is not supported.
    #[error("{found} is not supported: {why}")]
    NotSupported {
        /// The value.
        found: String,
        /// What is supported.
        why: &'static str,
    },
}

/// What is wrong with a merge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeFault {
    /// Not two tokens.
    #[error("expected two tokens")]
    Form,
    /// One of the two is not in the vocabulary.
    #[error("the token {0:?} is not in the vocabulary")]
    UnknownToken(String),
    /// What the two make is not in the vocabulary.
    #[error("it makes {0:?}, which is not in the vocabulary")]
    UnknownResult(String),
}

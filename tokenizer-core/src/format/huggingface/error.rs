//! Errors while reading or writing a `tokenizer.json`.

use super::regex_dialect::DialectError;
use crate::format::id_limit;
use crate::merges::MergesError;
use crate::model::ModelError;
use crate::pattern::PatternError;
use crate::token::TokenId;

/// Limit on the size of a file in bytes. The largest published files have about 30 million.
pub const MAX_BYTES: usize = 1 << 30;

/// An invalid or unsupported `tokenizer.json`, or a model that cannot be written as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// More than [`MAX_BYTES`].
    #[error("file too large: {bytes} bytes (limit: {MAX_BYTES})")]
    TooLarge {
        /// The size of the file in bytes.
        bytes: usize,
    },
    /// Not JSON, or a duplicate key.
    #[error("invalid JSON: {message}")]
    Json {
        /// The fault, with line and column.
        message: String,
    },
    /// A `tokenizer.json` of another algorithm, such as Unigram or WordPiece.
    #[error("model type {name:?} is not supported: this is not a BPE tokenizer")]
    ModelType {
        /// The value of `model.type`.
        name: String,
    },
    /// An unsupported component.
    #[error("{path}: {component} is not supported")]
    Unsupported {
        /// The path of the component, such as `normalizer.normalizers[0]`.
        path: String,
        /// The type or a description of the component.
        component: String,
    },
    /// An invalid or unsupported field.
    #[error("{path}: {fault}")]
    Field {
        /// The path of the field, such as `model.dropout`.
        path: String,
        /// The fault.
        fault: FieldFault,
    },
    /// A token of a byte-level vocabulary that neither spells bytes nor is an added token, where it may matter.
    #[error(
        "model.vocab: token {token:?} is neither byte-level text nor an added token, and a merge, \
         ignore_merges or the decoder may use it"
    )]
    NotByteLevel {
        /// The token.
        token: String,
    },
    /// An id is far above the number of tokens. Tables are sized by the highest id, and their size must follow
    /// that of the file.
    #[error("token id {id} in a file of {bytes} bytes (expected an id below {})", id_limit(*.bytes))]
    Sparse {
        /// The id.
        id: TokenId,
        /// The length of the file.
        bytes: usize,
    },
    /// An invalid merge: not two tokens, or not in the vocabulary.
    #[error("model.merges[{rank}]: {fault}")]
    Merge {
        /// The rank of the merge, from 0.
        rank: usize,
        /// The fault.
        fault: MergeFault,
    },
    /// An invalid line of `merges.txt`.
    #[error("merges.txt, line {line}: {fault}")]
    MergeLine {
        /// The line number, from 1.
        line: usize,
        /// The fault.
        fault: MergeFault,
    },
    /// An error in a companion file: another file in the tokenizer's folder, such as `tokenizer_config.json`.
    #[error("{file}: {error}")]
    Companion {
        /// The name of the file.
        file: &'static str,
        /// The error.
        error: Box<HuggingFaceError>,
    },
    /// The folder names, directly or by a model type, a tokenizer class with which the files cannot be read.
    #[error("{file}: {field} {name:?} is not supported: {why}")]
    Class {
        /// The file that names the class.
        file: &'static str,
        /// The field that names it.
        field: &'static str,
        /// The name.
        name: String,
        /// The reason and the remedy.
        why: &'static str,
    },
    /// An added token is listed both as special and as not special.
    #[error("added token {content:?} is listed both as special and as not special")]
    SpecialAndNot {
        /// The text of the token.
        content: String,
    },
    /// A regex that is invalid, exceeds a limit, or is not proven to mean the same to Oniguruma and
    /// `fancy-regex`.
    #[error("regex {:?}: {error}", shortened(.source_text))]
    Regex {
        /// The regex.
        source_text: String,
        /// The construct that differs.
        error: DialectError,
    },
    /// The regex does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The list of merges is invalid.
    #[error(transparent)]
    Merges(#[from] MergesError),
    /// A component is invalid, or components contradict each other.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Writing: two tokens have the same bytes, but a `tokenizer.json` maps each spelling to one id.
    #[error("tokens {first} and {id} have the same bytes \"{}\", which a tokenizer.json cannot store (save as .bpe)", .bytes.escape_ascii())]
    RepeatedBytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// The lower id.
        first: TokenId,
        /// The higher id.
        id: TokenId,
    },
    /// Writing: a special token that a `tokenizer.json` cannot express.
    #[error("special token {content:?} (id {id}) cannot be written to a tokenizer.json: {why}")]
    SpecialNotTold {
        /// The text of the token.
        content: String,
        /// The id of the token.
        id: TokenId,
        /// The reason.
        why: &'static str,
    },
    /// Writing: the written model would differ from the original. This is a bug in this crate.
    #[error(
        "the written file would differ from the model in {text:?}; nothing was written (please report this bug)"
    )]
    NotProven {
        /// A text with different ids, or the part that differs.
        text: String,
    },
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<serde_json::Error> for HuggingFaceError {
    fn from(error: serde_json::Error) -> Self {
        HuggingFaceError::Json {
            message: error.to_string(),
        }
    }
}

impl HuggingFaceError {
    /// Adds the name of the file to the error.
    pub(super) fn in_file(self, file: &'static str) -> Self {
        let error = Box::new(self);
        HuggingFaceError::Companion { file, error }
    }
}

/// The fault of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// A missing field, or a value of the wrong type.
    #[error("expected {what}, found {found}")]
    Expected {
        /// The expected type.
        what: &'static str,
        /// The value.
        found: String,
    },
    /// An unknown field.
    #[error("unknown field")]
    Unknown,
    /// An unsupported value.
    #[error("{found} is not supported ({why})")]
    NotSupported {
        /// The value.
        found: String,
        /// The supported values, the reason or the remedy.
        why: &'static str,
    },
}

/// The fault of a merge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeFault {
    /// Not two tokens.
    #[error("expected two tokens")]
    Form,
    /// One of the two is not in the vocabulary.
    #[error("token {0:?} is not in the vocabulary")]
    UnknownToken(String),
    /// The right token does not start with `continuing_subword_prefix`, or is nothing else.
    #[error("token {0:?} does not continue a word: expected continuing_subword_prefix and more")]
    NoPrefix(String),
    /// The merged token is not in the vocabulary.
    #[error("merged token {0:?} is not in the vocabulary")]
    UnknownResult(String),
}

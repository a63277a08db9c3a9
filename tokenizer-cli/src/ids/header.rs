//! The header beside a file of ids, as JSON: what is in the file, of which model, by which run.
//!
//! ```json
//! {
//!   "program": "tokenizer 0.1.0",
//!   "format": "u16",
//!   "dtype": "uint16",
//!   "byte_order": "little",
//!   "tokens": 5900538,
//!   "documents": 1,
//!   "document_ends": "ids.bin.index",
//!   "vocab_size": 32768,
//!   "model_sha256": "…",
//!   "decoding_sha256": "…",
//!   "special_tokens": {"<|endoftext|>": 32767},
//!   "shard": 0,
//!   "first_document": 0,
//!   "run": "…",
//!   "inputs": ["…"]
//! }
//! ```
//!
//! A reader takes `format` and `dtype` from here, and refuses a model with another `decoding_sha256`: see
//! [`super::identity`]. Headers of older versions have `model_sha256` alone, which covers the pattern and
//! the merges too, so a difference is a warning.
//!
//! `document_ends` names a file of little-endian u64: behind how many ids each document ends. `shard`,
//! `first_document` and `run` are there only for files that are one of several: `run` is the same for
//! all files that belong together, and says of the next run whether it would have made them; the first
//! of them has a fingerprint of each input, so that one that changed can be named.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokenizer_core::corpus::FileError;
use tokenizer_core::{Model, TokenId};

use super::identity::{
    Identity, SpecialTokens, decoding_sha256, hex, model_sha256, special_difference, special_tokens,
};
use super::read::{IdFault, shown};
use super::{IdFormat, Number, beside};
use crate::error::{CommandError, UsageError};
use crate::input::InputName;
use crate::progress::warn;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
}

/// What is the same for all files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) format: IdFormat,
    pub(crate) id_limit: usize,
    model: Arc<Model>,
    identity: LazyIdentity,
    /// Set where there are several files.
    name: Option<String>,
    /// What the inputs are known by, in their order.
    fingerprints: Vec<String>,
}

/// A header as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The file it was read from.
    pub(crate) path: PathBuf,
    pub(crate) format: IdFormat,
    /// How numbers are stored; `None` as decimals.
    pub(crate) number: Option<Number>,
    pub(crate) counts: Counts,
    id_limit: u64,
    model_sha256: Option<String>,
    decoding_sha256: Option<String>,
    special_tokens: Option<SpecialTokens>,
    /// Of one file of several.
    pub(crate) shard: Option<Shard>,
}

/// The fields of a shard's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) first_document: u64,
    pub(crate) run: String,
    /// Of the first of several files alone.
    fingerprints: Vec<String>,
}

/// A header cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderFault {
    #[error("not a header of ids: invalid JSON at line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("not a header of ids: no field {0:?}")]
    Missing(&'static str),
    #[error("not a header of ids: invalid {field}: {value}")]
    Invalid { field: &'static str, value: String },
    #[error(
        "the ids of {} were encoded with a model that decodes otherwise than {}: {difference}",
        .data.display(),
        .model.display()
    )]
    OtherModel {
        data: PathBuf,
        model: PathBuf,
        difference: String,
    },
}

impl HeaderFault {
    pub(crate) fn hint(&self) -> String {
        match self {
            HeaderFault::OtherModel { .. } => {
                "give the model that the ids were encoded with; without the header (rename it) they \
                 are decoded with any"
            }
            _ => "encode again, or rename it if it is not the header of the ids",
        }
        .to_owned()
    }
}

/// The identity of a model, computed on demand: for a large vocabulary that takes as long as encoding
/// three megabytes.
type LazyIdentity = Arc<LazyLock<Identity, Box<dyn FnOnce() -> Identity + Send>>>;

impl Run {
    pub(crate) fn new(format: IdFormat, model: Arc<Model>) -> Self {
        let hashed = Arc::clone(&model);
        Run {
            format,
            id_limit: model.id_limit(),
            identity: Arc::new(LazyLock::new(Box::new(move || Identity::of(&hashed)))),
            model,
            name: None,
            fingerprints: Vec::new(),
        }
    }

    /// Has the hashes of the model computed on a thread of its own, while something else is done.
    pub(crate) fn prepare(&self) {
        let identity = Arc::clone(&self.identity);
        let force = move || {
            LazyLock::force(&identity);
        };
        // Without a thread they are computed on demand.
        let _ = thread::Builder::new().spawn(force);
    }

    /// A run that writes several files. `what` is all that decides what is in them, besides the model,
    /// the format and what stands in the inputs, of which there are fingerprints.
    pub(crate) fn of_shards(mut self, what: &str, fingerprints: Vec<String>) -> Self {
        let format = self.format.as_str();
        let inputs = fingerprints.join(" ");
        let parts = [self.identity.model.as_str(), format, what, &inputs];
        self.name = Some(sha256(&parts.map(str::as_bytes)));
        self.fingerprints = fingerprints;
        self
    }

    /// Which input is not what it was in the run that the header of a first file is of, if one differs
    /// and there were as many.
    pub(crate) fn changed_input(&self, shard: &Shard) -> Option<usize> {
        let (now, before) = (&self.fingerprints, &shard.fingerprints);
        let is_other = |&input: &usize| now[input] != before[input];
        match now.len() == before.len() {
            true => (0..now.len()).find(is_other),
            false => None,
        }
    }

    /// How the model of a header decodes otherwise than that of this run, if it does.
    pub(crate) fn difference(&self, header: &Header) -> Option<String> {
        header.difference(&self.model, &self.identity.decoding)
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The header of a file with so much in it, the `shard`-th of several.
    pub(super) fn header(
        &self,
        counts: Counts,
        index: Option<&Path>,
        shard: u64,
        first_document: u64,
    ) -> Vec<u8> {
        let mut header = json!({
            "program": concat!("tokenizer ", env!("CARGO_PKG_VERSION")),
            "format": self.format.as_str(),
            "tokens": counts.tokens,
            "documents": counts.documents,
            "vocab_size": self.id_limit,
            "model_sha256": self.identity.model,
            "decoding_sha256": self.identity.decoding,
        });
        let specials = self.identity.specials.iter();
        let specials = specials.map(|(&id, content)| (content.clone(), id.into()));
        header["special_tokens"] = specials.collect::<Map<String, Value>>().into();
        if let Some(number) = self.format.number(self.id_limit) {
            header["dtype"] = number.as_str().into();
            header["byte_order"] = "little".into();
        }
        if let Some(name) = index.and_then(Path::file_name) {
            header["document_ends"] = name.to_string_lossy().into();
        }
        if let Some(run) = &self.name {
            header["shard"] = shard.into();
            header["first_document"] = first_document.into();
            header["run"] = run.as_str().into();
            if shard == 0 {
                header["inputs"] = self.fingerprints.clone().into();
            }
        }
        let mut bytes = format!("{header:#}").into_bytes();
        bytes.push(b'\n');
        bytes
    }
}

/// Whether this program wrote the header at `path`.
fn is_ours(path: &Path) -> bool {
    let header = std::fs::read(path).ok();
    let header = header.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let program = header
        .as_ref()
        .and_then(|header| header["program"].as_str());
    program.is_some_and(|program| program.starts_with("tokenizer "))
}

impl Header {
    /// The header beside a file of ids, or beside the file that it links to, if there is one. A file of
    /// that name that is read as the model is not a header. Beside ids that are not binary, neither is
    /// one that no program of this name wrote.
    pub(crate) fn of_input(
        input: &InputName,
        model: &Path,
        is_binary: bool,
    ) -> Result<Option<Self>, CommandError> {
        let Some(path) = input.path() else {
            return Ok(None);
        };
        let target = std::fs::canonicalize(path).ok();
        for data in [Some(path), target.as_deref()].into_iter().flatten() {
            let header = beside(data, ".json");
            if is_same_file(&header, model) || !is_binary && !is_ours(&header) {
                continue;
            }
            if let Some(header) = Self::beside(data)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The header beside the file at `data`, if there is one.
    pub(crate) fn beside(data: &Path) -> Result<Option<Self>, CommandError> {
        let path = beside(data, ".json");
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::new(&path, error).into()),
        };
        match Self::parse(&bytes, &path) {
            Ok(header) => Ok(Some(header)),
            Err(fault) => Err(CommandError::Header { path, fault }),
        }
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, HeaderFault> {
        let header: Value = serde_json::from_slice(bytes).map_err(|error| HeaderFault::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let fields = Fields(&header);
        let format = fields.required("format", |value| {
            IdFormat::from_str(value.as_str()?, false).ok()
        })?;
        let number = fields.optional("dtype", |value| Number::from_name(value.as_str()?))?;
        fields.optional("byte_order", |value| (value == "little").then_some(()))?;
        if format.is_binary() && number.is_none() {
            return Err(HeaderFault::Missing("dtype"));
        }
        if let Some(number) = number
            && !format.can_store(number)
        {
            return Err(fields.invalid("dtype"));
        }
        let string = |value: &Value| value.as_str().map(str::to_owned);
        let model_sha256 = fields.optional("model_sha256", string)?;
        let decoding_sha256 = fields.optional("decoding_sha256", string)?;
        if model_sha256.is_none() && decoding_sha256.is_none() {
            return Err(HeaderFault::Missing("decoding_sha256"));
        }
        let shard = match fields.optional("run", string)? {
            None => None,
            Some(run) => Some(Shard {
                first_document: fields.required("first_document", Value::as_u64)?,
                run,
                fingerprints: fields
                    .optional("inputs", |value| {
                        value.as_array()?.iter().map(string).collect()
                    })?
                    .unwrap_or_default(),
            }),
        };
        Ok(Header {
            path: path.to_owned(),
            format,
            number,
            counts: Counts {
                tokens: fields.required("tokens", Value::as_u64)?,
                documents: fields.required("documents", Value::as_u64)?,
            },
            id_limit: fields.required("vocab_size", Value::as_u64)?,
            model_sha256,
            decoding_sha256,
            special_tokens: fields.optional("special_tokens", special_tokens_of)?,
            shard,
        })
    }

    /// Checks that ids of `data` may be decoded with the model at `path`, and read as `format`, if that
    /// was given.
    pub(crate) fn check(
        &self,
        data: &InputName,
        format: Option<IdFormat>,
        model: &Model,
        path: &Path,
    ) -> Result<(), CommandError> {
        if let Some(given) = format.filter(|&given| given != self.format) {
            return Err(UsageError::OtherFormat {
                header: self.path.clone(),
                format: self.format.as_str(),
                given: given.as_str(),
            }
            .into());
        }
        if self.decoding_sha256.is_none() {
            self.warn_of_other_model(model, path);
            return Ok(());
        }
        let ours = decoding_sha256(model, &special_tokens(model));
        match self.difference(model, &ours) {
            None => Ok(()),
            Some(difference) => Err(CommandError::Header {
                path: self.path.clone(),
                fault: HeaderFault::OtherModel {
                    data: data.path().unwrap_or(Path::new("-")).to_owned(),
                    model: path.to_owned(),
                    difference,
                },
            }),
        }
    }

    /// A header of an older version has the hash of everything that decides ids, the pattern too.
    fn warn_of_other_model(&self, model: &Model, path: &Path) {
        if self.model_sha256 != Some(model_sha256(model)) {
            warn(&format!(
                "{}: model_sha256 is not that of {}: the models differ, perhaps in pattern or merges \
                 alone, and the text may be wrong (an older version wrote no decoding_sha256)",
                self.path.display(),
                path.display()
            ));
        }
    }

    /// Checks that a file with `found` bytes of ids is the one that the header describes.
    pub(super) fn check_length(&self, found: u64) -> Result<(), IdFault> {
        let (tokens, Some(width)) = (self.counts.tokens, self.number.map(Number::bytes)) else {
            return Ok(());
        };
        match tokens.checked_mul(width) == Some(found) {
            true => Ok(()),
            false => Err(IdFault::OtherLength {
                header: self.path.clone(),
                tokens,
                width,
                found,
            }),
        }
    }

    /// The same by the number of ids, where these have no fixed width.
    pub(super) fn check_tokens(&self, found: u64) -> Result<(), IdFault> {
        let tokens = self.counts.tokens;
        match tokens == found {
            true => Ok(()),
            false => Err(IdFault::OtherTokens {
                header: self.path.clone(),
                tokens,
                found,
            }),
        }
    }

    /// How the model of the header decodes otherwise than `model`, whose `decoding_sha256` is `ours`, if
    /// it does; `None` too for a header of an older version, without that field.
    fn difference(&self, model: &Model, ours: &str) -> Option<String> {
        let theirs = self.decoding_sha256.as_ref()?;
        if theirs == ours {
            return None;
        }
        if let Some(specials) = &self.special_tokens
            && *theirs == decoding_sha256(model, specials)
        {
            return Some(special_difference(specials, model));
        }
        let ours = model.id_limit() as u64;
        Some(match self.id_limit == ours {
            true => "the same number of ids, but other tokens".to_owned(),
            false => format!(
                "{} ids in the header and {ours} in the model",
                self.id_limit
            ),
        })
    }
}

fn is_same_file(path: &Path, other: &Path) -> bool {
    match (path.canonicalize(), other.canonicalize()) {
        (Ok(path), Ok(other)) => path == other,
        _ => false,
    }
}

/// The fields of a header that is read.
struct Fields<'v>(&'v Value);

impl Fields<'_> {
    fn required<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, HeaderFault> {
        self.optional(name, read)?.ok_or(HeaderFault::Missing(name))
    }

    fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, HeaderFault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(self.invalid(name)),
            },
        }
    }

    fn invalid(&self, field: &'static str) -> HeaderFault {
        let value = self.0.get(field).map_or_else(String::new, Value::to_string);
        let value = shown(value.as_bytes());
        HeaderFault::Invalid { field, value }
    }
}

fn special_tokens_of(value: &Value) -> Option<SpecialTokens> {
    let tokens = value.as_object()?.iter();
    tokens
        .map(|(content, id)| Some((TokenId::try_from(id.as_u64()?).ok()?, content.clone())))
        .collect()
}

/// Of several strings, so that no two lists of them give the same.
fn sha256(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex(digest.finalize())
}

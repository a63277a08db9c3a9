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

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizer_core::Model;

use super::format::{IdFormat, Number};
use super::identity::{
    SpecialTokens, decoding_sha256, model_sha256, special_difference, special_tokens,
};
use crate::error::{CommandError, Result, at, ensure, failed, usage};
use crate::input::InputName;
use crate::output::{beside, is_same_file};
use crate::progress::{shortened, warn};

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
}

/// What is the same for all files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(super) format: IdFormat,
    pub(super) number: Option<Number>,
    model: Arc<Model>,
    /// What all headers have in common. Computed on demand: for a large vocabulary that takes as long
    /// as encoding three megabytes.
    common: Arc<OnceLock<Header>>,
    /// Set where there are several files.
    pub(crate) name: Option<String>,
    /// What the inputs are known by, in their order.
    fingerprints: Vec<String>,
}

/// A header as it is written and read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    /// The file it was read from.
    #[serde(skip)]
    path: PathBuf,
    program: Option<String>,
    pub(crate) format: IdFormat,
    /// How numbers are stored; `None` as decimals.
    pub(super) dtype: Option<Number>,
    byte_order: Option<String>,
    tokens: u64,
    pub(crate) documents: u64,
    document_ends: Option<String>,
    vocab_size: u64,
    model_sha256: Option<String>,
    decoding_sha256: Option<String>,
    special_tokens: Option<SpecialTokens>,
    /// These are of one file of several.
    shard: Option<u64>,
    pub(crate) first_document: Option<u64>,
    pub(crate) run: Option<String>,
    /// Fingerprints, of the first of several files alone.
    inputs: Option<Vec<String>>,
}

impl Run {
    pub(crate) fn new(format: IdFormat, model: Arc<Model>) -> Self {
        Run {
            format,
            number: format.number(model.id_limit()),
            model,
            common: Arc::default(),
            name: None,
            fingerprints: Vec::new(),
        }
    }

    fn common(&self) -> &Header {
        let model = &self.model;
        self.common.get_or_init(|| {
            let specials = special_tokens(model);
            Header {
                program: Some(concat!("tokenizer ", env!("CARGO_PKG_VERSION")).to_owned()),
                format: self.format,
                dtype: self.number,
                byte_order: self.number.map(|_| "little".to_owned()),
                vocab_size: model.id_limit() as u64,
                model_sha256: Some(model_sha256(model)),
                decoding_sha256: Some(decoding_sha256(model, &specials)),
                special_tokens: Some(specials),
                ..Header::default()
            }
        })
    }

    /// Has the hashes of the model computed on a thread of its own, while something else is done.
    pub(crate) fn prepare(&self) {
        let run = self.clone();
        // Without a thread they are computed on demand.
        let _ = thread::Builder::new().spawn(move || run.common().vocab_size);
    }

    /// A run that writes several files. `what` is all that decides what is in them, besides the model,
    /// the format and what stands in the inputs, of which there are fingerprints.
    pub(crate) fn of_shards(mut self, what: &str, fingerprints: Vec<String>) -> Self {
        let (format, inputs) = (self.format.to_string(), fingerprints.join(" "));
        let mut digest = Sha256::new();
        // No two lists of parts give the same.
        let model = self.common().model_sha256.as_deref().unwrap_or_default();
        for part in [model, &format, what, &inputs] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        self.name = Some(format!("{:x}", digest.finalize()));
        self.fingerprints = fingerprints;
        self
    }

    /// Which input is not what it was in the run that the header of a first file is of, if one differs
    /// and there were as many.
    pub(crate) fn changed_input(&self, header: &Header) -> Option<usize> {
        let (now, before) = (&self.fingerprints, header.inputs.as_ref()?);
        let changed = (0..now.len()).find(|&input| before.get(input) != Some(&now[input]));
        changed.filter(|_| now.len() == before.len())
    }

    /// How the model of a header decodes otherwise than that of this run, if it does.
    pub(crate) fn difference(&self, header: &Header) -> Option<String> {
        header.difference(&self.model, self.common().decoding_sha256.as_ref()?)
    }

    /// The header of a file with so much in it, the `shard`-th of several.
    pub(super) fn header(
        &self,
        counts: Counts,
        index: Option<&OsStr>,
        shard: u64,
        first_document: u64,
    ) -> String {
        let is_shard = self.name.is_some();
        let header = Header {
            tokens: counts.tokens,
            documents: counts.documents,
            document_ends: index.map(|name| name.to_string_lossy().into_owned()),
            shard: is_shard.then_some(shard),
            first_document: is_shard.then_some(first_document),
            run: self.name.clone(),
            inputs: (is_shard && shard == 0).then(|| self.fingerprints.clone()),
            ..self.common().clone()
        };
        let mut header = json!(header);
        if let Some(fields) = header.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        format!("{header:#}\n")
    }
}

/// Whether this program wrote the header at `path`.
fn is_ours(path: &Path) -> bool {
    let header = std::fs::read(path).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    let program = header["program"].as_str().unwrap_or_default();
    program.starts_with("tokenizer ")
}

impl Header {
    /// The header beside a file of ids, or beside the file that it links to, if there is one. A file of
    /// that name that is read as the model is not a header. Beside ids that are not binary, neither is
    /// one that no program of this name wrote.
    pub(crate) fn of_input(
        input: &InputName,
        model: &Path,
        is_binary: bool,
    ) -> Result<Option<Self>> {
        let path = input.path();
        let target = path.and_then(|path| path.canonicalize().ok());
        for data in [path, target.as_deref()].into_iter().flatten() {
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
    pub(crate) fn beside(data: &Path) -> Result<Option<Self>> {
        let path = beside(data, ".json");
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(at(&path))?,
        };
        Self::parse(&bytes, &path).map(Some).map_err(|fault| {
            let error = failed(format!("{}: not a header of ids: {fault}", path.display()));
            error.hint("encode again, or rename it if it is not the header of the ids")
        })
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, String> {
        let header: Value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("invalid JSON at line {line}, column {column}")
        })?;
        let missing = |field: &str| format!("no field {field:?}");
        let invalid = |field: &str| {
            let value = shortened(&header[field].to_string(), 40);
            format!("invalid {field}: {value}")
        };
        let required = ["format", "tokens", "documents", "vocab_size"];
        if let Some(field) = required.iter().find(|field| header.get(field).is_none()) {
            return Err(missing(field));
        }
        for (field, value) in header.as_object().into_iter().flatten() {
            if value.is_null() || Header::deserialize(json!({ field: value })).is_err() {
                return Err(invalid(field));
            }
        }
        let path = path.to_owned();
        let read = Header::deserialize(&header).map_err(|error| error.to_string())?;
        let read = Header { path, ..read };
        let (numbers, order) = (read.format.numbers(), read.byte_order.as_deref());
        let has_hash = read.model_sha256.is_some() || read.decoding_sha256.is_some();
        let fault = match read.dtype {
            None if !numbers.is_empty() => missing("dtype"),
            Some(number) if !numbers.contains(&number) => invalid("dtype"),
            _ if order.is_some_and(|order| order != "little") => invalid("byte_order"),
            _ if !has_hash => missing("decoding_sha256"),
            _ if read.run.is_some() && read.first_document.is_none() => missing("first_document"),
            _ => return Ok(read),
        };
        Err(fault)
    }

    /// Checks that ids of `data` may be decoded with the model at `path`, and read as `format`, if that
    /// was given.
    pub(crate) fn check(
        &self,
        data: &InputName,
        format: Option<IdFormat>,
        model: &Model,
        path: &Path,
    ) -> Result<()> {
        let (header, path) = (self.path.display(), path.display());
        if let Some(given) = format.filter(|&given| given != self.format) {
            let error = format!(
                "{header}: the ids are {}, and --format is {given}",
                self.format
            );
            return Err(usage(error).hint("leave --format out"));
        }
        if self.decoding_sha256.is_none() {
            // A header of an older version has the hash of everything that decides ids, the pattern too.
            if self.model_sha256 != Some(model_sha256(model)) {
                warn(&format!(
                    "{header}: model_sha256 is not that of {path}: the models differ, perhaps in \
                     pattern or merges alone, and the text may be wrong (an older version wrote no \
                     decoding_sha256)"
                ));
            }
            return Ok(());
        }
        let ours = decoding_sha256(model, &special_tokens(model));
        let Some(difference) = self.difference(model, &ours) else {
            return Ok(());
        };
        let error = failed(format!(
            "{header}: the ids of {data} were encoded with a model that decodes otherwise than {path}: \
             {difference}"
        ));
        Err(error.hint(
            "give the model that the ids were encoded with; without the header (rename it) they are \
             decoded with any",
        ))
    }

    /// Checks that a file with `found` bytes of ids is the one that the header describes.
    pub(super) fn check_length(&self, input: &InputName, found: u64) -> Result<()> {
        let Some(width) = self.dtype.map(|number| number.bytes() as u64) else {
            return Ok(());
        };
        let (of, has) = (
            format!(" of {width} bytes"),
            format!("{found} bytes of ids"),
        );
        let is_right = self.tokens.checked_mul(width) == Some(found);
        ensure(is_right, || self.mismatch(input, &of, &has))
    }

    /// The same by the number of ids, where these have no fixed width.
    pub(super) fn check_tokens(&self, input: &InputName, found: u64) -> Result<()> {
        let is_right = self.tokens == found;
        ensure(is_right, || self.mismatch(input, "", &found.to_string()))
    }

    fn mismatch(&self, input: &InputName, of: &str, found: &str) -> CommandError {
        let (header, tokens) = (self.path.display(), self.tokens);
        let error = input.fail(format!(
            "{header} has {tokens} ids{of}, and the file has {found}: it was cut short or added to, or \
             is of another run"
        ));
        error.hint("encode again, or rename the header if it is not that of the file")
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
        let (theirs, ours) = (self.vocab_size, model.id_limit() as u64);
        Some(match theirs == ours {
            true => "the same number of ids, but other tokens".to_owned(),
            false => format!("{theirs} ids in the header and {ours} in the model"),
        })
    }
}

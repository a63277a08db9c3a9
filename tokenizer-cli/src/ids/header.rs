//! The header beside a file of ids, as JSON: format, counts, model and run.
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
//! A reader takes `format` and `dtype` from the header, and refuses a model with a different
//! `decoding_sha256`: see [`super::identity`]. Headers of older versions have only `model_sha256`, which also
//! covers pattern and merges, so a difference causes only a warning.
//!
//! `document_ends` names a file of little-endian u64: the number of ids after which each document ends.
//! Shards also have `shard`, `first_document` and `run`. `run` is a hash of all that decides the content of
//! the shards; a resumed run must have the same. The header of the first shard has a fingerprint of
//! each input (`inputs`), so that a resumed run can name the one that changed.

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
use crate::input_name::InputName;
use crate::output::{beside, is_same_file};
use crate::progress::{shortened, warn};

/// The size of a file of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tokens: u64,
    pub(crate) documents: u64,
}

/// Properties shared by all files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(super) format: IdFormat,
    pub(super) number: Option<Number>,
    model: Arc<Model>,
    /// Fields shared by all headers. Computed on demand: hashing a large vocabulary takes as long as encoding
    /// three megabytes.
    common: Arc<OnceLock<Header>>,
    /// The hash that identifies a run of shards; `None` for a single file.
    pub(crate) name: Option<String>,
    /// Fingerprints of the inputs, in order.
    fingerprints: Vec<String>,
}

/// The fields of a header.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    /// The file of the header.
    #[serde(skip)]
    path: PathBuf,
    program: Option<String>,
    pub(crate) format: IdFormat,
    /// The number type; `None` for text and JSON lines.
    pub(super) dtype: Option<Number>,
    byte_order: Option<String>,
    tokens: u64,
    pub(crate) documents: u64,
    document_ends: Option<String>,
    vocab_size: u64,
    model_sha256: Option<String>,
    decoding_sha256: Option<String>,
    special_tokens: Option<SpecialTokens>,
    /// Only headers of shards have this field and the following ones.
    shard: Option<u64>,
    pub(crate) first_document: Option<u64>,
    pub(crate) run: Option<String>,
    /// Fingerprints, in the first shard only.
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

    /// Starts a thread that computes the hashes of the model.
    pub(crate) fn prepare(&self) {
        let run = self.clone();
        // If the thread cannot be started, they are computed on demand.
        let _ = thread::Builder::new().spawn(move || run.common().vocab_size);
    }

    /// Makes this a run of shards. Its name is a hash of all that decides their content: model, format,
    /// `description` (of options and inputs) and `fingerprints` of the inputs.
    pub(crate) fn of_shards(mut self, description: &str, fingerprints: Vec<String>) -> Self {
        let (format, inputs) = (self.format.to_string(), fingerprints.join(" "));
        let mut digest = Sha256::new();
        let model = self.common().model_sha256.as_deref().unwrap_or_default();
        // Lengths make the concatenation unambiguous.
        for field in [model, &format, description, &inputs] {
            digest.update((field.len() as u64).to_le_bytes());
            digest.update(field);
        }
        self.name = Some(format!("{:x}", digest.finalize()));
        self.fingerprints = fingerprints;
        self
    }

    /// Returns the index of the first input that has changed since the run of `header`. Returns `None` if
    /// none has, if that run had another number of inputs, or if `header` is not that of its first shard.
    pub(crate) fn changed_input(&self, header: &Header) -> Option<usize> {
        let (now, before) = (&self.fingerprints, header.inputs.as_ref()?);
        let changed = (0..now.len()).find(|&input| before.get(input) != Some(&now[input]));
        changed.filter(|_| now.len() == before.len())
    }

    /// Describes how the model of `header` decodes differently from the model of this run, if it does.
    pub(crate) fn difference(&self, header: &Header) -> Option<String> {
        header.difference(&self.model, self.common().decoding_sha256.as_ref()?)
    }

    /// Returns the header of a file as JSON. `shard` and `first_document` are used for shards only.
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

/// Whether this program wrote the file at `path` as a header.
fn is_ours(path: &Path) -> bool {
    let header = std::fs::read(path).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    let program = header["program"].as_str().unwrap_or_default();
    program.starts_with("tokenizer ")
}

impl Header {
    /// Returns the header beside a file of ids or, if there is none, beside the file that it links to. A file
    /// with the name of a header is ignored if it is the model. Beside ids as text, it is also ignored if
    /// this program did not write it.
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

    /// Returns the header beside the file at `data`, if it exists.
    pub(crate) fn beside(data: &Path) -> Result<Option<Self>> {
        let path = beside(data, ".json");
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(at(&path))?,
        };
        Self::parse(&bytes, &path).map(Some).map_err(|fault| {
            let error = failed(format!("{}: not a header of ids: {fault}", path.display()));
            error.hint("encode again, or rename it if it does not belong to the ids")
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

    /// Checks that `format`, if given, is the format of `data`, and that its ids can be decoded with `model`,
    /// which is the model at `path`.
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
            // A header of an older version, whose hash covers the pattern and merges too.
            if self.model_sha256 != Some(model_sha256(model)) {
                warn(&format!(
                    "{header}: model_sha256 differs from that of {path}: if more than pattern or \
                     merges differ, the text is wrong (an older version wrote no decoding_sha256)"
                ));
            }
            return Ok(());
        }
        let ours = decoding_sha256(model, &special_tokens(model));
        let Some(difference) = self.difference(model, &ours) else {
            return Ok(());
        };
        let error = failed(format!(
            "{header}: the ids of {data} were encoded with a model that decodes differently from \
             {path}: {difference}"
        ));
        Err(error.hint("use the model of the ids, or rename the header to decode with any model"))
    }

    /// Checks the size of the ids in bytes against the header.
    pub(super) fn check_length(&self, input: &InputName, found: u64) -> Result<()> {
        let Some(width) = self.dtype.map(|number| number.bytes() as u64) else {
            return Ok(());
        };
        let (of_width, found_size) = (
            format!(" of {width} bytes"),
            format!("{found} bytes of ids"),
        );
        let is_right = self.tokens.checked_mul(width) == Some(found);
        ensure(is_right, || self.mismatch(input, &of_width, &found_size))
    }

    /// Checks the number of ids against the header, for formats without a fixed width.
    pub(super) fn check_tokens(&self, input: &InputName, found: u64) -> Result<()> {
        let is_right = self.tokens == found;
        ensure(is_right, || self.mismatch(input, "", &found.to_string()))
    }

    fn mismatch(&self, input: &InputName, of_width: &str, found: &str) -> CommandError {
        let (header, tokens) = (self.path.display(), self.tokens);
        let error = input.fail(format!(
            "{header} has {tokens} ids{of_width}, and the file has {found}: truncated, appended to, or of \
             another run"
        ));
        error.hint("encode again, or rename the header if it does not belong to the file")
    }

    /// Describes how the model of the header decodes differently from `model`, whose `decoding_sha256` is
    /// `ours`. Returns `None` for a header of an older version, which lacks that field.
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
            true => "the same number of ids, but different tokens".to_owned(),
            false => format!("{theirs} ids in the header and {ours} in the model"),
        })
    }
}

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
//!   "shard": 0,
//!   "first_document": 0,
//!   "run": "…",
//!   "inputs": ["…"]
//! }
//! ```
//!
//! `document_ends` names a file of little-endian u64: behind how many ids each document ends. `shard`,
//! `first_document` and `run` are there only for files that are one of several: `run` is the same for
//! all files that belong together, and says of the next run whether it would have made them; the first
//! of them has a fingerprint of each input, so that one that changed can be named.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizer_core::Model;
use tokenizer_core::format::native;

use super::IdFormat;

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
    model: ModelHash,
    /// Set where there are several files.
    name: Option<String>,
    /// What the inputs are known by, in their order.
    fingerprints: Vec<String>,
}

/// What a header says of one file of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) counts: Counts,
    pub(crate) first_document: u64,
    pub(crate) run: String,
    /// Of the first of several files alone.
    fingerprints: Vec<String>,
}

/// The hash of a model, made when it is asked for: of a large vocabulary that takes as long as to encode
/// three megabytes.
type ModelHash = Arc<LazyLock<String, Box<dyn FnOnce() -> String + Send>>>;

fn hash_of(model: Arc<Model>) -> ModelHash {
    let make = move || {
        let known_pieces_left_out = Model::clone(&model).without_known_pieces();
        sha256(&[&native::write(&known_pieces_left_out)])
    };
    Arc::new(LazyLock::new(Box::new(make)))
}

impl Run {
    pub(crate) fn new(format: IdFormat, model: Arc<Model>) -> Self {
        Run {
            format,
            id_limit: model.id_limit(),
            model: hash_of(model),
            name: None,
            fingerprints: Vec::new(),
        }
    }

    /// Has the hash of the model made on a thread of its own, while something else is done.
    pub(crate) fn prepare(&self) {
        let hash = Arc::clone(&self.model);
        let force = move || {
            LazyLock::force(&hash);
        };
        // Without a thread it is made when it is asked for.
        let _ = thread::Builder::new().spawn(force);
    }

    /// A run that writes several files. `what` is all that decides what is in them, besides the model,
    /// the format and what stands in the inputs, of which there are fingerprints.
    pub(crate) fn of_shards(mut self, what: &str, fingerprints: Vec<String>) -> Self {
        let format = self.format.as_str();
        let inputs = fingerprints.join(" ");
        let parts = [self.model.as_str(), format, what, &inputs];
        self.name = Some(sha256(&parts.map(str::as_bytes)));
        self.fingerprints = fingerprints;
        self
    }

    /// Which input is not what it was in the run that the header of a first file is of, if one differs
    /// and there were as many.
    pub(crate) fn changed_input(&self, header: &Header) -> Option<usize> {
        let (now, before) = (&self.fingerprints, &header.fingerprints);
        let is_other = |&input: &usize| now[input] != before[input];
        match now.len() == before.len() {
            true => (0..now.len()).find(is_other),
            false => None,
        }
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
            "model_sha256": self.model.as_str(),
        });
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

impl Header {
    /// Reads the header of a file of several; `None` when it is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header: Value = serde_json::from_slice(bytes).ok()?;
        let number = |name: &str| header.get(name)?.as_u64();
        let inputs = header.get("inputs").and_then(Value::as_array);
        let fingerprints = inputs.into_iter().flatten();
        Some(Header {
            counts: Counts {
                tokens: number("tokens")?,
                documents: number("documents")?,
            },
            first_document: number("first_document")?,
            run: header.get("run")?.as_str()?.to_owned(),
            fingerprints: fingerprints
                .map(|fingerprint| fingerprint.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
        })
    }
}

/// Of several strings, so that no two lists of them give the same.
fn sha256(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        if parts.len() > 1 {
            digest.update((part.len() as u64).to_le_bytes());
        }
        digest.update(part);
    }
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The report of `train` as JSON: enough to repeat the training and to verify its result.
//!
//! `counts_sha256` is the SHA-256 of the `.tsv` file that `count-pieces` writes for the same corpus.
//! `merges_sha256` is the SHA-256 of a text with one line for each merge, in order: the two ids of its pair
//! in decimal, separated by a space.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizer_core::format::counts::{pattern_text, tsv};
use tokenizer_core::{Merging, Model, Pattern, PieceCounts, UNICODE_VERSION};

use crate::args::TrainArguments;
use crate::error::Result;
use crate::ids::model_sha256;
use crate::input::Inputs;
use crate::output::Output;

/// A report in progress.
pub(super) struct Report {
    started: Instant,
    stages: Vec<Value>,
    counts: Value,
    counts_sha256: String,
}

impl Report {
    pub(super) fn new() -> Self {
        Report {
            started: Instant::now(),
            stages: Vec::new(),
            counts: Value::Null,
            counts_sha256: String::new(),
        }
    }

    /// Ends a stage that began at the end of the previous one. `bytes` is the size of the text that the stage
    /// processed.
    pub(super) fn stage(&mut self, name: &str, bytes: Option<u64>) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.started = Instant::now();
        let mut stage = json!({ "stage": name, "seconds": seconds });
        if let Some(bytes) = bytes {
            stage["mb_per_second"] = (bytes as f64 / 1e6 / seconds.max(1e-9)).into();
        }
        self.stages.push(stage);
    }

    /// Sets the counts and their hash. Sorts and hashes all distinct pieces; the time this takes counts
    /// toward no stage.
    pub(super) fn counted(&mut self, counts: &PieceCounts, pattern: &Pattern, bytes: Option<u64>) {
        self.counts = json!({
            "bytes": bytes,
            "pieces": u64::try_from(counts.total()).ok(),
            "distinct_pieces": counts.len(),
        });
        let mut rows: Vec<_> = counts.iter().collect();
        rows.sort_unstable();
        let mut digest = Sha256::new();
        let written = tsv::Writer::new(&mut digest, pattern).and_then(|mut writer| {
            rows.iter()
                .try_for_each(|(piece, count)| writer.row(piece, *count))
        });
        // Writing to a hash does not fail.
        if written.is_ok() {
            self.counts_sha256 = format!("{:x}", digest.finalize());
        }
        self.started = Instant::now();
    }

    /// Writes the report of a model with `learned` new merges.
    pub(super) fn write(
        self,
        arguments: &TrainArguments,
        inputs: &Inputs,
        model: &Model,
        learned: usize,
        path: &Path,
    ) -> Result<()> {
        let files = inputs.names.iter().map(|name| {
            let metadata = name.path().and_then(|path| path.metadata().ok());
            json!({
                "name": name.to_string(),
                "file_bytes": metadata.map(|metadata| metadata.len()),
            })
        });
        let text = |path: &PathBuf| path.display().to_string();
        let (major, minor, update) = UNICODE_VERSION;
        let report = json!({
            "program": concat!("tokenizer ", env!("CARGO_PKG_VERSION")),
            "unicode_version": format!("{major}.{minor}.{update}"),
            "inputs": files.collect::<Vec<_>>(),
            "counted_inputs": arguments.from_counts.iter().map(text).collect::<Vec<_>>(),
            "extended": arguments.extend.as_ref().map(text),
            "options": {
                "pattern": pattern_text::write(model.pattern()),
                "vocab_size": arguments.vocab_size,
                "special": arguments.specials,
                "min_frequency": arguments.min_frequency,
                "max_token_bytes": arguments.max_token_bytes,
                "tie_break": format!("{:?}", arguments.tie_break).to_lowercase(),
                "doc_cap": arguments.counting.doc_cap,
                "max_chars": arguments.counting.max_chars,
                "threads": arguments.documents.threads(),
            },
            "counts": self.counts,
            "counts_sha256": self.counts_sha256,
            "model": {
                "ids": model.id_limit(),
                "tokens": model.vocab().len(),
                "new_merges": learned,
                "longest_token_bytes": model.vocab().iter().map(|(_, token)| token.len()).max(),
            },
            "merges_sha256": merges_sha256(model),
            "model_sha256": model_sha256(model),
            "stages": self.stages,
            "peak_memory_bytes": peak_memory(),
        });
        Output::new(path).write_all(format!("{report:#}\n"))
    }
}

fn merges_sha256(model: &Model) -> Option<String> {
    let Merging::Merges { merges, .. } = model.merging() else {
        return None;
    };
    let mut digest = Sha256::new();
    for merge in merges.iter() {
        // Writing to a hash does not fail.
        let _ = writeln!(digest, "{} {}", merge.left, merge.right);
    }
    Some(format!("{:x}", digest.finalize()))
}

/// Returns the peak resident memory of the process in bytes, on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

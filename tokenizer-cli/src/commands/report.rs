//! What `train` did, as JSON: enough to do it again, and to prove that the same came out.
//!
//! The hash of the counts is the SHA-256 of what `count-pieces` writes as `.tsv` for the same corpus;
//! that of the merges is the SHA-256 of a line for each, in order, with the ids of its pair in decimal
//! and a space between them.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokenizer_core::format::counts::{pattern_text, tsv};
use tokenizer_core::format::native;
use tokenizer_core::{Merging, Model, Pattern, PieceCounts, UNICODE_VERSION};

use crate::args::TrainArguments;
use crate::error::CommandError;
use crate::input::Inputs;
use crate::output::Output;

/// The report under way.
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

    /// A stage ends that began with the one before it. `bytes` is how much text it went through.
    pub(super) fn stage(&mut self, name: &str, bytes: Option<u64>) {
        let took: Duration = self.started.elapsed();
        self.started = Instant::now();
        let seconds = took.as_secs_f64();
        let mut stage = json!({ "stage": name, "seconds": seconds });
        if let Some(bytes) = bytes {
            stage["mb_per_second"] = (bytes as f64 / 1e6 / seconds.max(1e-9)).into();
        }
        self.stages.push(stage);
    }

    /// What was counted. Takes a pass over all distinct pieces, which belongs to no stage.
    pub(super) fn counted(&mut self, words: &PieceCounts, pattern: &Pattern, bytes: Option<u64>) {
        self.counts = json!({
            "bytes": bytes,
            "pieces": u64::try_from(words.total()).ok(),
            "distinct_pieces": words.len(),
        });
        let mut rows: Vec<_> = words.iter().collect();
        rows.sort_unstable();
        let mut digest = Sha256::new();
        let written = tsv::Writer::new(&mut digest, pattern).and_then(|mut writer| {
            rows.iter()
                .try_for_each(|(piece, count)| writer.row(piece, *count))
        });
        // Writing to a hash does not fail.
        if written.is_ok() {
            self.counts_sha256 = hex(digest);
        }
        self.started = Instant::now();
    }

    /// Writes the report of a model. `learned` is how many merges are new.
    pub(super) fn write(
        self,
        arguments: &TrainArguments,
        inputs: &Inputs,
        model: &Model,
        learned: usize,
        path: &Path,
    ) -> Result<(), CommandError> {
        let files = inputs.names().iter().map(|name| {
            let length = name.path().and_then(|path| path.metadata().ok());
            json!({
                "name": name.to_string(),
                "file_bytes": length.map(|metadata| metadata.len()),
            })
        });
        let counted = arguments.from_counts.iter();
        let counted = counted.map(|path| path.display().to_string());
        let extended = arguments.extend.as_ref();
        let (major, minor, update) = UNICODE_VERSION;
        let report = json!({
            "program": concat!("tokenizer ", env!("CARGO_PKG_VERSION")),
            "unicode_version": format!("{major}.{minor}.{update}"),
            "inputs": files.collect::<Vec<_>>(),
            "counted_inputs": counted.collect::<Vec<_>>(),
            "extended": extended.map(|path| path.display().to_string()),
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
            "model_sha256": hex(Sha256::new_with_prefix(native::write_deciding(model))),
            "stages": self.stages,
            "peak_memory_bytes": peak_memory(),
        });
        Output::new(Some(path)).write(|writer| writer.write_all(format!("{report:#}\n").as_bytes()))
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
    Some(hex(digest))
}

fn hex(digest: Sha256) -> String {
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The most memory that the process had at once, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

//! Compares the memory estimate of training with the measured peak. Each text is trained on in its own
//! process, since the peak is measured per process.

#![cfg(target_os = "linux")]

mod absent;

use std::path::{Path, PathBuf};
use std::process::Command;

use tokenizer_core::{CountOptions, Pattern, PatternName, count_pieces, train};
use tokenizer_core::{TrainOptions, estimate_memory};

/// A field of `/proc/self/status` in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}

const TEXT: &str = "TOKENIZER_TEXT_TO_MEASURE";

/// Runs in the measured process only; does nothing elsewhere.
#[test]
fn measured() {
    let Some(path) = std::env::var_os(TEXT).map(PathBuf::from) else {
        return;
    };
    let pattern = Pattern::named(PatternName::Cl100k);
    let count = CountOptions::default().threads(1);
    let words = count_pieces([std::fs::read(&path).unwrap()], &pattern, &count).unwrap();
    let options = TrainOptions::new(32768);
    // Resets the peak, so that it is that of training.
    let before = status("VmRSS");
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        println!("cannot reset the peak: {error}");
        return;
    }
    train(&words, &options).unwrap();
    let used = status("VmHWM") - before;
    println!(
        "measured {used} {}",
        estimate_memory(&words, options.merges())
    );
}

#[test]
fn the_estimate_is_close_to_the_peak() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus.txt");
    let texts = [
        (Some(fixture), 0.7..2.0),
        (absent::shared("corpora/english_prose.txt"), 0.9..1.6),
        (absent::shared("corpora/multilingual.txt"), 0.9..1.6),
    ];
    for (path, accepted) in texts {
        let Some(path) = path else { continue };
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "measured", "--nocapture"])
            .env(TEXT, &path)
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}");
        let mut lines = stdout.lines();
        let line = lines.find_map(|line| line.strip_prefix("measured "));
        let numbers: Vec<f64> = line
            .unwrap_or_default()
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        let [used, estimate] = numbers[..] else {
            absent::skip("clear_refs", "the memory peak cannot be reset");
            return;
        };
        let ratio = estimate / used;
        println!(
            "{}: {used} used, {estimate} estimated: {ratio:.2}",
            path.display()
        );
        assert!(accepted.contains(&ratio), "{}: {ratio:.2}", path.display());
    }
}

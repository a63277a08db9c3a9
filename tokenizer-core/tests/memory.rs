//! The estimate of the memory of merging, beside what it takes. Each text is trained on in a process
//! of its own, since what is measured is the process.

#![cfg(target_os = "linux")]

mod absent;

use std::path::{Path, PathBuf};
use std::process::Command;

use tokenizer_core::{CountOptions, Pattern, PatternName, count_pieces, train};
use tokenizer_core::{TrainOptions, estimate_memory};

/// A line of the process's status, in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}

const TEXT: &str = "TOKENIZER_TEXT_TO_MEASURE";

/// In the process that is measured; nothing elsewhere.
#[test]
fn measured() {
    let Some(path) = std::env::var_os(TEXT).map(PathBuf::from) else {
        return;
    };
    let pattern = Pattern::named(PatternName::Cl100k);
    let count = CountOptions::default().threads(1);
    let words = count_pieces([std::fs::read(&path).unwrap()], &pattern, &count).unwrap();
    let options = TrainOptions::new(32768);
    // From here on the peak is that of training.
    let before = status("VmRSS");
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        println!("not measured: {error}");
        return;
    }
    train(&words, &options).unwrap();
    let taken = status("VmHWM") - before;
    println!(
        "measured {taken} {}",
        estimate_memory(&words, options.merges())
    );
}

#[test]
fn the_estimate_is_near_what_merging_takes() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus.txt");
    let texts = [
        (Some(fixture), 0.7..2.0),
        (absent::shared("corpora/english_prose.txt"), 0.9..1.6),
        (absent::shared("corpora/multilingual.txt"), 0.9..1.6),
    ];
    for (path, near) in texts {
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
        let [taken, estimate] = numbers[..] else {
            absent::skip("clear_refs", "the peak of memory cannot be reset");
            return;
        };
        let ratio = estimate / taken;
        println!(
            "{}: {taken} taken, {estimate} estimated: {ratio:.2}",
            path.display()
        );
        assert!(near.contains(&ratio), "{}: {ratio:.2}", path.display());
    }
}

//! Prints a table of splitting speed in MB/s (10⁶ bytes) on one core: one row per corpus and pattern, one
//! column for the regex engine and for each SIMD tier.
//!
//!     cargo run --release -p benches --bin split_table -- [WORD...]
//!
//! Words select rows whose name (such as `english_prose cl100k`) contains one of them; without words, all
//! rows except the adversarial ones are printed. A cell is the best of several passes over the whole
//! file, with a checked answer; `-` means that the regex engine failed.

use std::time::{Duration, Instant};

use benches::corpora::{self, Corpus};
use benches::splitting::{Split, Splitter};
use tokenizer_core::PatternName;

/// Minimum passes, and minimum time, for a cell.
const PASSES: usize = 3;
const TIME: Duration = Duration::from_millis(300);

/// Minimum bytes per timed pass; short texts are repeated.
const MEASURED: usize = 4_000_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let splitters = Splitter::all();

    print!("| {:<28} | {:<8} |", "MB/s", "pattern");
    splitters
        .iter()
        .for_each(|splitter| print!(" {splitter:>11} |"));
    print!("\n|{}|{}|", "-".repeat(30), "-".repeat(10));
    splitters
        .iter()
        .for_each(|_| print!("{}:|", "-".repeat(12)));
    println!();

    for corpus in corpora::all() {
        for name in PatternName::ALL {
            if is_wanted(corpus, name, &words) {
                print!("| {:<28} | {:<8} |", corpus.name(), name.as_str());
                for &splitter in &splitters {
                    let cell = match megabytes_per_second(corpus, name, splitter) {
                        Some(speed) => format!("{speed:.0}"),
                        None => "-".to_owned(),
                    };
                    print!(" {cell:>11} |");
                }
                println!();
            }
        }
    }
}

fn is_wanted(corpus: &Corpus, name: PatternName, words: &[String]) -> bool {
    let row = format!("{} {name}", corpus.name());
    match words {
        [] => !corpus.is_adversarial(),
        _ => words.iter().any(|word| row.contains(word.as_str())),
    }
}

/// `None` if the regex engine fails.
fn megabytes_per_second(corpus: &Corpus, name: PatternName, splitter: Splitter) -> Option<f64> {
    let text = corpus.text();
    let split = Split::new(name, splitter);
    let repeat = MEASURED.div_ceil(text.len());
    let mut best = Duration::MAX;
    let mut pieces = 0;
    let start = Instant::now();
    let mut passes = 0;
    while passes < PASSES || start.elapsed() < TIME {
        let pass = Instant::now();
        for _ in 0..repeat {
            pieces = split.run(text).ok()?;
        }
        best = best.min(pass.elapsed() / repeat as u32);
        passes += 1;
    }
    split.check(corpus.name(), text, pieces);
    Some(text.len() as f64 / best.as_secs_f64() / 1e6)
}

//! Prints how fast text is split, in megabytes (10⁶ bytes) a second on one core: one row for each
//! corpus and pattern, one column for the regex engine and for each set of instructions.
//!
//!     cargo run --release -p benches --bin split_table -- [WORD...]
//!
//! Words choose the rows whose name (like `english_prose cl100k`) holds one of them; without words
//! all rows are printed but those of the adversarial files. A cell is the best of several passes
//! over the whole file, and is printed only after its answer has been checked; `-` stands where the
//! regex engine gives up.

use std::time::{Duration, Instant};

use benches::corpora::{self, Corpus};
use benches::splitting::{Split, Way};
use tokenizer_core::PatternName;

/// Passes for a cell: so many at least, and until so much time is spent.
const PASSES: usize = 3;
const TIME: Duration = Duration::from_millis(300);

/// Passes over a short text in one measurement take at least so many bytes together.
const MEASURED: usize = 4_000_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ways = Way::all();

    print!("| {:<28} | {:<8} |", "MB/s", "pattern");
    ways.iter().for_each(|way| print!(" {way:>11} |"));
    print!("\n|{}|{}|", "-".repeat(30), "-".repeat(10));
    ways.iter().for_each(|_| print!("{}:|", "-".repeat(12)));
    println!();

    for corpus in corpora::all() {
        for name in PatternName::ALL {
            if is_wanted(corpus, name, &words) {
                print!("| {:<28} | {:<8} |", corpus.name(), name.as_str());
                for &way in &ways {
                    let cell = match megabytes_a_second(corpus, name, way) {
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

/// `None` where the regex engine gives up.
fn megabytes_a_second(corpus: &Corpus, name: PatternName, way: Way) -> Option<f64> {
    let text = corpus.text();
    let split = Split::new(name, way);
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

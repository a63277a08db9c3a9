//! The two stages of training, with nanochat's pattern, on each corpus.
//!
//! - `counting`: MB/s, on one thread and on all processors.
//! - `merging`: visits/s, for several vocabulary sizes. A visit is a merge that changes a distinct word.
//!
//! All rows take a few minutes; a word selects rows: `cargo bench -p benches --bench train -- english`.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use benches::training::{self, Text};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use tokenizer_core::{TrainOptions, train};

fn main() {
    divan::Divan::default()
        .sample_size(1)
        .sample_count(20)
        .max_time(Duration::from_secs(2))
        .config_with_args()
        .main();
}

static TEXTS: LazyLock<Vec<Text>> = LazyLock::new(training::texts);

/// A text and a number of threads, or a vocabulary size.
struct Case {
    text: &'static Text,
    number: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.text.name, self.number)
    }
}

fn cases(numbers: &[usize]) -> Vec<Case> {
    let case = |text, number| Case { text, number };
    let of_text = |text| numbers.iter().map(move |&number| case(text, number));
    TEXTS.iter().flat_map(of_text).collect()
}

fn threads() -> Vec<Case> {
    let mut threads = vec![1, training::processors()];
    threads.dedup();
    cases(&threads)
}

fn vocabularies() -> Vec<Case> {
    cases(&[4096, 32_768, 131_072])
}

#[divan::bench(args = threads())]
fn counting(bencher: Bencher, case: &Case) {
    let text = case.text;
    let mut words = None;
    bencher
        .counter(BytesCount::of_slice(&text.bytes))
        .bench_local(|| words = Some(training::count(&text.bytes, case.number)));
    if let Some(words) = words {
        training::check_count(text, &words);
    }
}

#[divan::bench(args = vocabularies())]
fn merging(bencher: Bencher, case: &Case) {
    let text = case.text;
    let learn = || {
        let options = TrainOptions::new(case.number);
        train(&text.words, &options).expect("these corpora fit")
    };
    let trained = learn();
    let merges = trained.merges();
    training::check_merges(text, merges);
    bencher
        .counter(ItemsCount::new(training::visits(&text.words, merges)))
        .bench_local(learn);
}

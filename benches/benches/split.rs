//! Splitting, for each named pattern on each corpus, on each SIMD tier and with the regex engine.
//!
//! All rows take a few minutes; a regex selects rows by name (`cl100k::english_prose/avx2`):
//! `cargo bench -p benches --bench split -- 'cl100k.*(prose|code)'`. `split_table` measures whole files.

use std::fmt;
use std::time::Duration;

use benches::corpora::{self, Corpus};
use benches::splitting::{Split, Splitter};
use divan::Bencher;
use divan::counter::BytesCount;
use tokenizer_core::PatternName;

fn main() {
    divan::Divan::default()
        .sample_size(1)
        .sample_count(50)
        .max_time(Duration::from_millis(150))
        .config_with_args()
        .main();
}

/// Length of a text in bytes: larger than a core's caches, small enough for the regex engine.
const SIZE: usize = 4 << 20;

/// A corpus and an implementation.
#[derive(Clone, Copy)]
struct Case {
    corpus: &'static Corpus,
    splitter: Splitter,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.corpus.name(), self.splitter)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    corpora::all().iter().flat_map(|corpus| {
        let splitters = Splitter::all().into_iter();
        splitters.map(move |splitter| Case { corpus, splitter })
    })
}

#[divan::bench(args = cases())]
fn gpt2(bencher: Bencher, case: Case) {
    split(bencher, PatternName::Gpt2, case);
}

#[divan::bench(args = cases())]
fn cl100k(bencher: Bencher, case: Case) {
    split(bencher, PatternName::Cl100k, case);
}

#[divan::bench(args = cases())]
fn o200k(bencher: Bencher, case: Case) {
    split(bencher, PatternName::O200k, case);
}

#[divan::bench(args = cases())]
fn nanochat(bencher: Bencher, case: Case) {
    split(bencher, PatternName::Nanochat, case);
}

fn split(bencher: Bencher, name: PatternName, case: Case) {
    let text = case.corpus.beginning(SIZE);
    let split = Split::new(name, case.splitter);
    // Skips texts on which the regex engine fails.
    if split.run(text).is_err() {
        return;
    }
    let mut pieces = 0;
    bencher.counter(BytesCount::of_slice(text)).bench_local(|| {
        pieces = split.run(text).unwrap_or_default();
    });
    split.check(case.corpus.name(), text, pieces);
}

//! Splitting, for each published pattern, on each corpus, with each set of instructions and with
//! the regex engine.
//!
//! All of it takes some minutes; a word chooses: `cargo bench -p benches --bench split -- english`.
//! Names are like `cl100k::english_prose/avx2`; words are regexes, so `cl100k.*(prose|code)` works
//! too. For one table of whole files see `split_table`.

use std::fmt;
use std::time::Duration;

use benches::corpora::{self, Corpus};
use benches::splitting::{Split, Way};
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

/// Bytes that are split of the large corpora: more than the caches near a core hold, little enough
/// for the regex engine.
const SIZE: usize = 4 << 20;

/// One corpus, split in one way.
#[derive(Clone, Copy)]
struct Case {
    corpus: &'static Corpus,
    way: Way,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.corpus.name(), self.way)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    corpora::all().iter().flat_map(|corpus| {
        let ways = Way::all().into_iter();
        ways.map(move |way| Case { corpus, way })
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
    let split = Split::new(name, case.way);
    // The regex engine gives up on some texts; there is nothing to measure then.
    if split.run(text).is_err() {
        return;
    }
    let mut pieces = 0;
    bencher.counter(BytesCount::of_slice(text)).bench_local(|| {
        pieces = split.run(text).unwrap_or_default();
    });
    split.check(case.corpus.name(), text, pieces);
}

//! Decoding, for each available published vocabulary on each natural corpus.
//!
//! - `new`: to bytes in a new vector.
//! - `again`: to bytes in a reused vector.
//! - `streamed`: one id at a time, to text.
//!
//! Decoding must restore the corpus. A word selects rows: `cargo bench -p benches --bench decode -- english`.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use benches::decoding::{self, Encoded};
use divan::Bencher;
use divan::counter::BytesCount;

fn main() {
    divan::Divan::default()
        .sample_size(1)
        .sample_count(50)
        .max_time(Duration::from_secs(1))
        .config_with_args()
        .main();
}

static TEXTS: LazyLock<Vec<Encoded>> = LazyLock::new(decoding::texts);

/// One text as the ids of one vocabulary.
struct Case(&'static Encoded);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.corpus, self.0.vocabulary)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    TEXTS.iter().map(Case)
}

#[divan::bench(args = cases())]
fn new(bencher: Bencher, Case(text): &Case) {
    let bencher = bencher.counter(BytesCount::of_slice(text.bytes));
    let mut bytes = Vec::new();
    bencher.bench_local(|| {
        // Frees the previous vector first, as a program would.
        bytes = Vec::new();
        bytes = text.model.decode(&text.ids).unwrap_or_default();
    });
    assert!(bytes == text.bytes, "{}", Case(text));
}

#[divan::bench(args = cases())]
fn again(bencher: Bencher, Case(text): &Case) {
    let mut bytes = Vec::new();
    let bencher = bencher.counter(BytesCount::of_slice(text.bytes));
    bencher.bench_local(|| {
        bytes.clear();
        text.model.decode_into(&text.ids, &mut bytes)
    });
    assert!(bytes == text.bytes, "{}", Case(text));
}

#[divan::bench(args = cases())]
fn streamed(bencher: Bencher, Case(text): &Case) {
    let mut decoded = String::new();
    let bencher = bencher.counter(BytesCount::of_slice(text.bytes));
    bencher.bench_local(|| {
        decoded.clear();
        let mut stream = text.model.decode_stream();
        for &id in &text.ids {
            if stream.push(id, &mut decoded).is_err() {
                return;
            }
        }
        stream.finish(&mut decoded);
    });
    assert!(
        decoded == String::from_utf8_lossy(text.bytes),
        "{}",
        Case(text)
    );
}

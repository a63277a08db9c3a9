//! Encoding with OpenAI's vocabularies and one like nanochat's, on each corpus.
//!
//! - `cold`: the first pass of a new tokenizer over a whole file, without building the tokenizer.
//! - `warm`: later passes of the same tokenizer.
//! - `novel`: every piece is a cache miss, and the cache is full of other pieces.
//! - `documents`: later passes over documents of 4 KB, one call each.
//! - `batch`: the same documents in one call, on 1 and 2 threads.
//! - `hostile`: the first pass over adversarial texts, with OpenAI's vocabularies.
//! - `load`: from a model file in memory to the ids of a sentence.
//! - `tiktoken`: the core of tiktoken (the crate `tiktoken-rs`) on whole files, and on the adversarial
//!   texts on which its regex engine does not fail.
//!
//! All rows take 15 minutes; a word selects rows: `cargo bench -p benches --bench encode --
//! cl100k/english`. The hash of all ids is compared with the definition or, for texts with very long
//! pieces, with tiktoken.

use std::collections::HashMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use benches::corpora::{self, Corpus};
use benches::encoding::{self, Encoding, SENTENCE, hash};
use divan::Bencher;
use divan::counter::BytesCount;
use tiktoken_rs::CoreBPE;
use tokenizer_core::format::{native, tiktoken as rank_table};
use tokenizer_core::{Model, TokenId, Tokenizer};

fn main() {
    divan::Divan::default()
        .sample_size(1)
        .sample_count(20)
        .max_time(Duration::from_secs(1))
        .config_with_args()
        .main();
}

/// Bytes that fill the cache before `novel`, and bytes of novel pieces.
const FILL: usize = 4 << 20;
const NOVEL: usize = 4 << 20;

/// Minimum size of hostile texts in bytes; smaller ones do not show how time grows.
const MIN_HOSTILE: usize = 250_000;

/// A model and a text, and the number of threads for `batch`.
#[derive(Clone, Copy)]
struct Case {
    encoding: &'static Encoding,
    corpus: &'static Corpus,
    threads: Option<usize>,
}

impl Case {
    fn text(self) -> &'static [u8] {
        self.corpus.text()
    }

    /// A tokenizer with empty caches.
    fn tokenizer(self) -> Tokenizer {
        Tokenizer::new(Arc::clone(self.encoding.model()))
    }

    /// The result of a benchmark, checked when it is dropped.
    fn answer(self, ids: Vec<TokenId>) -> Answer {
        Answer {
            ids,
            expected: expected(self),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.encoding.name(), self.corpus.name())?;
        match self.threads {
            Some(threads) => write!(f, "/{threads}"),
            None => Ok(()),
        }
    }
}

fn cases(wanted: impl Fn(&Case) -> bool) -> Vec<Case> {
    let of_encoding = |encoding| {
        let corpora = corpora::all().iter();
        corpora.map(move |corpus| Case {
            encoding,
            corpus,
            threads: None,
        })
    };
    let all = Encoding::all().iter().flat_map(of_encoding);
    all.filter(wanted).collect()
}

fn natural() -> Vec<Case> {
    cases(|case| case.corpus.is_natural())
}

fn natural_on_threads() -> Vec<Case> {
    let on = |case: Case| {
        [1, 2].map(|threads| Case {
            threads: Some(threads),
            ..case
        })
    };
    natural().into_iter().flat_map(on).collect()
}

fn hostile_cases() -> Vec<Case> {
    // The trained vocabulary may be as small as its corpus.
    cases(|case| {
        let is_hostile = case.corpus.is_adversarial() && case.text().len() >= MIN_HOSTILE;
        is_hostile && !case.encoding.is_trained_here()
    })
}

/// The ids of one pass. They are checked on drop, which is not timed.
struct Answer {
    ids: Vec<TokenId>,
    expected: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        assert_eq!(hash(&self.ids), self.expected, "wrong ids");
    }
}

/// The hash of the expected ids, cached: by the definition or, if pieces are too long, by tiktoken. If
/// that fails too (on a million spaces), the ids of a new tokenizer, which must decode to the text.
fn expected(case: Case) -> u64 {
    type Key = (&'static str, &'static str);
    static CACHE: LazyLock<Mutex<HashMap<Key, u64>>> = LazyLock::new(Mutex::default);

    let key = (case.encoding.name(), case.corpus.name());
    let cache = || CACHE.lock().expect("no holder of the lock panics");
    if let Some(&expected) = cache().get(&key) {
        return expected;
    }
    let (model, text) = (case.encoding.model(), case.text());
    let expected = encoding::expected_hash(model, text)
        .or_else(|| Some(hash(&encode_with_tiktoken(case)?)))
        .unwrap_or_else(|| {
            let ids = case.tokenizer().encode(text).expect("it splits");
            assert!(model.decode(&ids).expect("the ids exist") == text);
            hash(&ids)
        });
    cache().insert(key, expected);
    expected
}

#[divan::bench(args = natural())]
fn cold(bencher: Bencher, case: Case) {
    first_pass(bencher, case);
}

#[divan::bench(args = hostile_cases())]
fn hostile(bencher: Bencher, case: Case) {
    first_pass(bencher, case);
}

fn first_pass(bencher: Bencher, case: Case) {
    expected(case);
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .with_inputs(|| case.tokenizer())
        .bench_local_refs(|tokenizer| {
            case.answer(tokenizer.encode(case.text()).expect("it splits"))
        });
}

#[divan::bench(args = natural())]
fn warm(bencher: Bencher, case: Case) {
    let tokenizer = case.tokenizer();
    case.answer(tokenizer.encode(case.text()).expect("it splits"));
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .bench_local(|| case.answer(tokenizer.encode(case.text()).expect("it splits")));
}

#[divan::bench(args = natural())]
fn documents(bencher: Bencher, case: Case) {
    let tokenizer = case.tokenizer();
    let documents = encoding::documents(case.text());
    let pass = || {
        let mut ids = Vec::new();
        for document in &documents {
            tokenizer
                .request()
                .encode_into(document, &mut ids)
                .expect("it splits");
        }
        ids
    };
    let expected = expected_of_documents(case, &documents);
    pass();
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .bench_local(|| Answer {
            ids: pass(),
            expected,
        });
}

#[divan::bench(args = natural_on_threads())]
fn batch(bencher: Bencher, case: Case) {
    let tokenizer = case.tokenizer();
    let documents = encoding::documents(case.text());
    let pass = || {
        let batch = tokenizer
            .request()
            .threads(case.threads.unwrap_or(1))
            .encode_batch(&documents);
        batch.expect("they split").ids
    };
    let expected = expected_of_documents(case, &documents);
    pass();
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .bench_local(|| Answer {
            ids: pass(),
            expected,
        });
}

/// Documents may end inside a piece of the whole text, so their ids differ from those of the text.
fn expected_of_documents(case: Case, documents: &[&[u8]]) -> u64 {
    let expected = encoding::expected_hash_of(case.encoding.model(), documents);
    expected.expect("natural text has no such long pieces")
}

/// A model, the text that fills its cache, and a text of novel pieces.
struct Novel {
    model: Arc<Model>,
    fill: &'static [u8],
    text: Vec<u8>,
    expected: u64,
}

impl Novel {
    fn new(case: Case) -> Self {
        let first = encoding::first_corpus();
        let fill: &[u8] = match case.corpus.name() == first.name() {
            false => first.beginning(FILL),
            true => b"",
        };
        let model = Arc::clone(case.encoding.model());
        let mut text = encoding::novel(&model, fill, case.text());
        let cut = model.pattern().first_cut(&text, NOVEL);
        text.truncate(cut.unwrap_or(text.len()));
        let expected =
            encoding::expected_hash(&model, &text).expect("natural text has no such long pieces");
        Novel {
            model,
            fill,
            text,
            expected,
        }
    }
}

/// All natural texts, except the one that the model was trained on.
fn novel_cases() -> Vec<Case> {
    let first = encoding::first_corpus().name();
    cases(|case| {
        let is_training_text = case.encoding.is_trained_here() && case.corpus.name() == first;
        case.corpus.is_natural() && !is_training_text
    })
}

#[divan::bench(args = novel_cases())]
fn novel(bencher: Bencher, case: Case) {
    let Novel {
        model,
        fill,
        text,
        expected,
    } = Novel::new(case);
    bencher
        .counter(BytesCount::of_slice(&text))
        .with_inputs(|| {
            let tokenizer = Tokenizer::new(Arc::clone(&model));
            tokenizer.encode(fill).expect("it splits");
            tokenizer
        })
        .bench_local_refs(|tokenizer| Answer {
            ids: tokenizer.encode(&text).expect("it splits"),
            expected,
        });
}

/// A model in one of the formats.
#[derive(Clone, Copy)]
struct File {
    encoding: &'static Encoding,
    format: &'static str,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.encoding.name(), self.format)
    }
}

fn files() -> Vec<File> {
    let formats = |encoding| ["tiktoken", "bpe"].map(|format| File { encoding, format });
    Encoding::all().iter().flat_map(formats).collect()
}

#[divan::bench(args = files())]
fn load(bencher: Bencher, File { encoding, format }: File) {
    let bytes = match format {
        "bpe" => encoding.native_file(),
        _ => encoding.tiktoken_file(),
    };
    let expected = encoding::expected_hash(encoding.model(), SENTENCE.as_bytes());
    let expected = expected.expect("a sentence has no long piece");
    bencher.bench_local(|| {
        let model = match format {
            "bpe" => native::read(bytes).expect("a model"),
            _ => rank_table::read(bytes, encoding.pattern()).expect("a model"),
        };
        let tokenizer = Tokenizer::new(model);
        let ids = tokenizer.encode(SENTENCE.as_bytes()).expect("it splits");
        // Returns the tokenizer, so that dropping it is not timed.
        (Answer { ids, expected }, tokenizer)
    });
}

/// tiktoken's core with the vocabulary of an encoding, built once.
fn tiktoken_of(encoding: &'static Encoding) -> &'static CoreBPE {
    static CORES: [OnceLock<CoreBPE>; 4] = [const { OnceLock::new() }; 4];
    let index = Encoding::all()
        .iter()
        .position(|other| other.name() == encoding.name());
    CORES[index.expect("a known encoding")].get_or_init(|| {
        let ranks = rank_table::read_ranks(encoding.tiktoken_file()).expect("a table of ranks");
        let pattern = encoding.pattern();
        CoreBPE::new(
            ranks.into_iter().collect(),
            Default::default(),
            pattern.source(),
        )
        .expect("tiktoken takes its own patterns")
    })
}

/// The ids of tiktoken; `None` if its regex engine fails, which is a panic.
fn encode_with_tiktoken(case: Case) -> Option<Vec<TokenId>> {
    let text = std::str::from_utf8(case.text()).ok()?;
    let tiktoken = tiktoken_of(case.encoding);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let ids = panic::catch_unwind(AssertUnwindSafe(|| tiktoken.encode_ordinary(text)));
    panic::set_hook(hook);
    if ids.is_err() {
        eprintln!("\n{case}: the regex engine of tiktoken failed");
    }
    ids.ok()
}

#[divan::bench(args = natural())]
fn tiktoken(bencher: Bencher, case: Case) {
    with_tiktoken(bencher, case);
}

#[divan::bench(args = hostile_cases())]
fn tiktoken_hostile(bencher: Bencher, case: Case) {
    with_tiktoken(bencher, case);
}

fn with_tiktoken(bencher: Bencher, case: Case) {
    let Ok(text) = std::str::from_utf8(case.text()) else {
        return;
    };
    // Warms up lazily built tables, and skips texts on which the engine fails.
    if encode_with_tiktoken(case).is_none() {
        return;
    }
    let tiktoken = tiktoken_of(case.encoding);
    bencher
        .counter(BytesCount::of_slice(text))
        .bench_local(|| case.answer(tiktoken.encode_ordinary(text)));
}

//! Encoding with the tables of OpenAI and one of nanochat's kind that is trained here, on each corpus.
//!
//! - `cold`: the first pass of a new tokenizer over a whole file. To make the tokenizer is not timed.
//! - `warm`: later passes of one tokenizer.
//! - `novel`: a tokenizer whose piece table is filled with other text; every piece is a miss.
//! - `documents`: files in documents of 4 KB, one call each; later passes.
//! - `batch`: the same documents in one call, on 1 and 2 threads.
//! - `hostile`: the first pass over texts that were made to be hard, with OpenAI's tables.
//! - `load`: a file in memory to the ids of a first sentence.
//! - `tiktoken`: tiktoken's own core (the crate `tiktoken-rs`) on whole files, and on the hostile
//!   ones where its regex engine does not give up.
//!
//! All of it takes a quarter of an hour; a word chooses: `cargo bench -p benches --bench encode --
//! cl100k/english`. Every answer is held by its hash against the definition, or where pieces are too
//! long for that, against tiktoken's.

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

/// Bytes that a tokenizer has met before it is given novel pieces, and bytes of these.
const MET: usize = 4 << 20;
const NOVEL: usize = 4 << 20;

/// Hard texts below this size say nothing about how time grows.
const SMALLEST_HOSTILE: usize = 250_000;

/// A model and a text, with a number of threads where there are several.
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

    /// A tokenizer that has met nothing.
    fn tokenizer(self) -> Tokenizer {
        Tokenizer::new(Arc::clone(self.encoding.model()))
    }

    /// What a benchmark gives back, to be checked when the clock has stopped.
    fn answer(self, ids: Vec<TokenId>) -> Answer {
        Answer {
            ids,
            right: right(self),
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
    // The table that is trained here is as small as its corpus.
    cases(|case| {
        let hard = case.corpus.is_adversarial() && case.text().len() >= SMALLEST_HOSTILE;
        hard && !case.encoding.is_trained_here()
    })
}

/// The ids that one pass gave. They are checked when it is dropped, which is not timed.
struct Answer {
    ids: Vec<TokenId>,
    right: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        assert_eq!(hash(&self.ids), self.right, "these are not the right ids");
    }
}

/// The hash of the right ids of a case, found once: by the definition, or where pieces are too long
/// for it, by tiktoken. Where that gives up too (on a million spaces), the ids of a new tokenizer,
/// which at least must decode to the text.
fn right(case: Case) -> u64 {
    type Key = (&'static str, &'static str);
    static KNOWN: LazyLock<Mutex<HashMap<Key, u64>>> = LazyLock::new(Mutex::default);

    let key = (case.encoding.name(), case.corpus.name());
    let known = || KNOWN.lock().expect("no holder of the lock panics");
    if let Some(&right) = known().get(&key) {
        return right;
    }
    let (model, text) = (case.encoding.model(), case.text());
    let right = encoding::right_hash(model, text)
        .or_else(|| Some(hash(&encode_with_tiktoken(case)?)))
        .unwrap_or_else(|| {
            let ids = case.tokenizer().encode(text).expect("it splits");
            assert!(model.decode(&ids).expect("the ids exist") == text);
            hash(&ids)
        });
    known().insert(key, right);
    right
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
    right(case);
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
    let right = right_of_documents(case, &documents);
    pass();
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .bench_local(|| Answer { ids: pass(), right });
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
    let right = right_of_documents(case, &documents);
    pass();
    bencher
        .counter(BytesCount::of_slice(case.text()))
        .bench_local(|| Answer { ids: pass(), right });
}

/// Documents end where a pattern need not cut, so their ids are not those of the whole.
fn right_of_documents(case: Case, documents: &[&[u8]]) -> u64 {
    let right = encoding::right_hash_of(case.encoding.model(), documents);
    right.expect("people write no pieces that are so long")
}

/// Tokenizer and text of `novel`.
struct Novel {
    model: Arc<Model>,
    met: &'static [u8],
    text: Vec<u8>,
    right: u64,
}

impl Novel {
    fn new(case: Case) -> Self {
        let first = encoding::first_corpus();
        let met: &[u8] = match case.corpus.name() == first.name() {
            false => first.beginning(MET),
            true => b"",
        };
        let model = Arc::clone(case.encoding.model());
        let mut text = encoding::novel(&model, met, case.text());
        let cut = model.pattern().first_cut(&text, NOVEL);
        text.truncate(cut.unwrap_or(text.len()));
        let right = encoding::right_hash(&model, &text).expect("people write no long pieces");
        Novel {
            model,
            met,
            text,
            right,
        }
    }
}

/// A model has met the text that it was trained on.
fn novel_cases() -> Vec<Case> {
    let first = encoding::first_corpus().name();
    cases(|case| {
        let has_met = case.encoding.is_trained_here() && case.corpus.name() == first;
        case.corpus.is_natural() && !has_met
    })
}

#[divan::bench(args = novel_cases())]
fn novel(bencher: Bencher, case: Case) {
    let Novel {
        model,
        met,
        text,
        right,
    } = Novel::new(case);
    bencher
        .counter(BytesCount::of_slice(&text))
        .with_inputs(|| {
            let tokenizer = Tokenizer::new(Arc::clone(&model));
            tokenizer.encode(met).expect("it splits");
            tokenizer
        })
        .bench_local_refs(|tokenizer| Answer {
            ids: tokenizer.encode(&text).expect("it splits"),
            right,
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
    let right = encoding::right_hash(encoding.model(), SENTENCE.as_bytes());
    let right = right.expect("a sentence has no long piece");
    bencher.bench_local(|| {
        let model = match format {
            "bpe" => native::read(bytes).expect("a model"),
            _ => rank_table::read(bytes, encoding.pattern()).expect("a model"),
        };
        let tokenizer = Tokenizer::new(model);
        let ids = tokenizer.encode(SENTENCE.as_bytes()).expect("it splits");
        // To take the tokenizer apart is not timed.
        (Answer { ids, right }, tokenizer)
    });
}

/// tiktoken's core with the table of an encoding, made once.
fn tiktoken_of(encoding: &'static Encoding) -> &'static CoreBPE {
    static KNOWN: [OnceLock<CoreBPE>; 4] = [const { OnceLock::new() }; 4];
    let place = Encoding::all()
        .iter()
        .position(|other| other.name() == encoding.name());
    KNOWN[place.expect("it is one of them")].get_or_init(|| {
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

/// What tiktoken gives, or `None` where its regex engine gives up, which is a panic.
fn encode_with_tiktoken(case: Case) -> Option<Vec<TokenId>> {
    let text = std::str::from_utf8(case.text()).ok()?;
    let tiktoken = tiktoken_of(case.encoding);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let ids = panic::catch_unwind(AssertUnwindSafe(|| tiktoken.encode_ordinary(text)));
    panic::set_hook(hook);
    if ids.is_err() {
        eprintln!("\n{case}: the regex engine of tiktoken gives up");
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
    // The first pass makes what is made once, and tells whether there is something to measure.
    if encode_with_tiktoken(case).is_none() {
        return;
    }
    let tiktoken = tiktoken_of(case.encoding);
    bencher
        .counter(BytesCount::of_slice(text))
        .bench_local(|| case.answer(tiktoken.encode_ordinary(text)));
}

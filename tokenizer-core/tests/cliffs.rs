//! No speed cliffs: text with runs of a repeated unit, of any length, takes at most 4 times as long per
//! byte as prose. The tests allow a factor of 8.

mod absent;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenizer_core::format::tiktoken;
use tokenizer_core::{Gaps, Merges, Model, Pair, Pattern, PatternName, Tokenizer};

const MAX_RATIO: f64 = 8.0;

/// Length of a timed text in bytes.
const TEXT: usize = 1 << 18;

/// Serializes the tests, which would disturb each other's times.
static TIMING: Mutex<()> = Mutex::new(());

fn lock_timing() -> MutexGuard<'static, ()> {
    TIMING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn prose() -> Vec<u8> {
    let text = fixture("corpus.txt");
    text[..TEXT].to_vec()
}

/// The shortest measured times per byte, of the first pass and of later passes.
#[derive(Clone, Copy)]
struct Passes {
    first: f64,
    later: f64,
}

impl Passes {
    const SLOWEST: Self = Passes {
        first: f64::INFINITY,
        later: f64::INFINITY,
    };

    fn is_near(&self, prose: &Self) -> bool {
        self.first <= MAX_RATIO * prose.first && self.later <= MAX_RATIO * prose.later
    }

    fn time(&mut self, model: &Arc<Model>, text: &[u8]) {
        let encoder = Tokenizer::new(model.clone());
        let mut ids = Vec::with_capacity(text.len());
        for pass in 0..3 {
            ids.clear();
            let start = Instant::now();
            encoder.request().encode_into(text, &mut ids).unwrap();
            let time = start.elapsed().as_secs_f64() / text.len() as f64;
            let shortest = match pass {
                0 => &mut self.first,
                _ => &mut self.later,
            };
            *shortest = shortest.min(time);
        }
        if text.len() <= TEXT * 2 {
            assert!(encoder.model().decode(&ids).unwrap() == text);
        }
    }
}

/// Runs of about `length` bytes, separated by words. The lengths of short and of very long runs are
/// exact; others vary.
fn runs(unit: &str, length: usize) -> Vec<u8> {
    let words = [" the word ", "x one", "\nof", " is"];
    let mut text = Vec::new();
    for number in 0.. {
        if text.len() >= TEXT {
            break;
        }
        let spread = if (11..TEXT / 4).contains(&length) {
            length / 2
        } else {
            0
        };
        let length = length - spread / 2 + number * 7919 % (spread + 1);
        text.extend(unit.bytes().cycle().take(length));
        text.extend(words[number % 4].bytes());
    }
    text
}

/// Fails if text with runs is too slow in each of five rounds.
fn assert_no_cliff(name: &str, model: Model, units: &[&str]) {
    let model = Arc::new(model);
    let prose_text = prose();
    let mut prose = Passes::SLOWEST;
    for _ in 0..5 {
        prose.time(&model, &prose_text);
    }
    let short = [1, 2, 3, 5, 9, 15, 33, 65, 129, 201, 357, 701];
    let long = [
        1_025, 2_049, 4_097, 6_427, 10_001, 30_011, 131_071, 1_000_000,
    ];
    let lengths = short.into_iter().chain(long);
    for length in lengths {
        for unit in units {
            let text = runs(unit, length);
            let mut passes = Passes::SLOWEST;
            passes.time(&model, &text);
            if passes.is_near(&prose) {
                continue;
            }
            // Another process may have disturbed the measurement: both are timed again, alternately.
            let mut prose = Passes::SLOWEST;
            let slow = (0..5).all(|_| {
                prose.time(&model, &prose_text);
                passes.time(&model, &text);
                !passes.is_near(&prose)
            });
            assert!(
                !slow,
                "{name}: runs of {length} bytes of {unit:?} take {:.1} times as long as prose in the \
                 first pass, {:.1} times in later ones",
                passes.first / prose.first,
                passes.later / prose.later,
            );
        }
    }
}

/// The vocabulary of a fixture, extended by other tokens.
fn extended(pattern: Pattern, more: impl IntoIterator<Item = Vec<u8>>) -> Model {
    let file = fixture("golden/cl100k.tiktoken");
    let table = tiktoken::read(&file, pattern.clone()).unwrap();
    let mut tokens: Vec<Vec<u8>> = table
        .vocab()
        .iter()
        .map(|(_, token)| token.to_vec())
        .collect();
    for token in more {
        if table.vocab().id(&token).is_none() {
            tokens.push(token);
        }
    }
    Model::from_ranks(pattern, tokens.iter().map(Vec::as_slice).zip(0..), []).unwrap()
}

/// Each of `bytes`, repeated 2, 4, 8, ... times up to `longest`.
fn doublings(bytes: &[u8], longest: usize) -> impl Iterator<Item = Vec<u8>> {
    let lengths = (1..)
        .map(|power| 1 << power)
        .take_while(move |&length| length <= longest);
    let lengths: Vec<usize> = lengths.collect();
    let bytes = bytes.to_vec();
    (lengths.into_iter())
        .flat_map(move |length| bytes.clone().into_iter().map(move |b| vec![b; length]))
}

#[test]
fn long_tokens_do_not_slow_down_runs() {
    let _lock = lock_timing();
    let words = Arc::new(extended(Pattern::named(PatternName::Cl100k), []));
    for longest in [64, 512, 1_024, 4_096] {
        let whole_text = Pattern::regex("(?s).+", Gaps::Keep).unwrap();
        let model = Arc::new(extended(whole_text, doublings(b"-", longest)));
        let (mut prose, mut dashes) = (Passes::SLOWEST, Passes::SLOWEST);
        let slow = (0..5).all(|_| {
            prose.time(&words, &self::prose());
            dashes.time(&model, &vec![b'-'; 1_000_000]);
            !dashes.is_near(&prose)
        });
        assert!(
            !slow,
            "with tokens of up to {longest} bytes, dashes take {:.1} times as long as prose",
            (dashes.first / prose.first).max(dashes.later / prose.later),
        );
    }
}

#[test]
fn runs_are_fast_with_tokens_of_runs() {
    let _lock = lock_timing();
    let pattern = || Pattern::named(PatternName::Cl100k);
    let units = ["-", "=", " ", "a", "\0", "-="];
    assert_no_cliff(
        "doublings",
        extended(pattern(), doublings(b"-= a\0", 4_096)),
        &units,
    );
    let all = (2..=1_100).map(|length| vec![b'-'; length]);
    assert_no_cliff("all lengths", extended(pattern(), all), &["-"]);
}

#[test]
fn runs_are_fast_with_published_vocabularies() {
    let _lock = lock_timing();
    let units = [
        "-", "=", " ", "\n", "\t", "a", "0", "\0", "的", "-=", "ab", "\r\n",
    ];
    for (file, pattern) in [
        ("cl100k_base", PatternName::Cl100k),
        ("o200k_base", PatternName::O200k),
        ("r50k_base", PatternName::Gpt2),
    ] {
        if let Some(path) = absent::shared(&format!("vocabs/{file}.tiktoken")) {
            let table = std::fs::read(path).unwrap();
            let model = tiktoken::read(&table, Pattern::named(pattern)).unwrap();
            assert_no_cliff(file, model, &units);
        }
    }
}

const MEASURE: &str = "TOKENIZER_MEASURE_A_LONG_RUN";

/// Runs in the measured process only; does nothing elsewhere.
#[test]
fn measured() {
    if std::env::var_os(MEASURE).is_none() {
        return;
    }
    // The first merges that training on 50 MB of NUL learns. The longest token has 32 MiB.
    let ids = [0].into_iter().chain(256..).take(25);
    let merges: Vec<Pair> = ids.map(|id| Pair::new(id, id)).collect();
    let merges = Merges::trained(&merges).unwrap();
    let specials: [&str; 0] = [];
    let model = Model::from_merges(Pattern::named(PatternName::Cl100k), merges, &specials).unwrap();
    let encoder = Tokenizer::new(model);
    let text = vec![0; 50_000_000];
    let start = Instant::now();
    let ids = encoder.encode(&text).unwrap();
    let time = start.elapsed();
    // One token for each set bit of the length.
    let powers = (0..26).rev().filter(|power| 50_000_000 >> power & 1 == 1);
    let want: Vec<u32> = powers
        .map(|power| if power == 0 { 0 } else { 255 + power })
        .collect();
    assert_eq!(ids, want);
    println!("measured {}", time.as_millis());
}

/// Merging with a heap took 2.6 GB and a minute.
#[test]
#[cfg(target_os = "linux")]
fn a_run_of_50_mb_is_encoded_in_bounded_time_and_memory() {
    let _lock = lock_timing();
    let times = (0..5).map(|_| {
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -v 600000; exec \"$0\" --exact measured --nocapture --test-threads 1",
            ])
            .arg(std::env::current_exe().unwrap())
            .env(MEASURE, "1")
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let mut lines = stdout.lines();
        let time = lines.find_map(|line| line.rsplit_once("measured ")?.1.parse().ok());
        let time =
            time.unwrap_or_else(|| panic!("{stdout}{}", String::from_utf8_lossy(&output.stderr)));
        Duration::from_millis(time)
    });
    assert!(times.into_iter().any(|time| time < Duration::from_secs(20)));
}

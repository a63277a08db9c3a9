//! Training is deterministic: threads, the order of documents, the SIMD tier and the size of counts do
//! not change the merges.

use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;
use tokenizer_core::internals::Tier;
use tokenizer_core::internals::reference;
use tokenizer_core::{
    Count, CountOptions, Pair, Pattern, PatternName, PieceCounts, TrainOptions, count_pieces, train,
};

const THREADS: [usize; 4] = [1, 2, 3, 8];

fn corpus() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus.txt");
    std::fs::read_to_string(path).unwrap()
}

fn words(documents: &[&str], pattern: &Pattern, threads: usize) -> PieceCounts {
    count_pieces(
        documents,
        pattern,
        &CountOptions::default().threads(threads),
    )
    .unwrap()
}

/// The merges. Small thresholds must give the same.
fn merges(words: &PieceCounts, merges: usize, threads: usize) -> Vec<Pair> {
    let learned = |options: &TrainOptions| -> Vec<Pair> {
        let trained = train(words, options).unwrap();
        trained.merges().iter().map(|merge| merge.pair()).collect()
    };
    let options = TrainOptions::new(256 + merges).threads(threads);
    let merges = learned(&options);
    assert!(learned(&options.small_thresholds()) == merges);
    merges
}

/// The documents in a pseudo-random order.
fn shuffled<'d>(documents: &[&'d str], mut seed: u64) -> Vec<&'d str> {
    let mut shuffled = documents.to_vec();
    for last in (1..shuffled.len()).rev() {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        shuffled.swap(last, (seed >> 33) as usize % (last + 1));
    }
    shuffled
}

#[test]
fn threads_and_document_order_do_not_change_merges() {
    let corpus = corpus();
    let lines: Vec<&str> = corpus.split_inclusive('\n').collect();
    // Enough for several batches.
    let documents = lines.repeat(8);
    for name in PatternName::ALL {
        let pattern = Pattern::named(name);
        let want = merges(&words(&documents, &pattern, 1), 1500, 1);
        assert_eq!(want.len(), 1500);
        for threads in THREADS {
            for seed in 0..2 {
                let documents = shuffled(&documents, seed);
                let got = merges(&words(&documents, &pattern, threads), 1500, threads);
                assert!(got == want, "{name}, {threads} threads, order {seed}");
            }
        }
    }
}

#[test]
fn threads_do_not_change_merges_of_one_document() {
    let corpus = corpus().repeat(12);
    let pattern = Pattern::named(PatternName::Nanochat);
    let want = merges(&words(&[&corpus], &pattern, 1), 1500, 1);
    for threads in THREADS {
        let got = merges(&words(&[&corpus], &pattern, threads), 1500, threads);
        assert!(got == want, "{threads} threads");
    }
}

/// The environment variable that makes the test print its merges, in a subprocess on one tier.
const PRINT: &str = "TOKENIZER_TEST_PRINT_MERGES";

#[test]
fn simd_tiers_learn_the_same_merges() {
    if std::env::var_os(PRINT).is_some() {
        // Pieces of one word, and of a whole document.
        for pattern in [Pattern::named(PatternName::O200k), whole_text()] {
            let corpus = corpus();
            let lines: Vec<&str> = corpus.split_inclusive('\n').collect();
            println!("MERGES {:?}", merges(&words(&lines, &pattern, 2), 1200, 2));
        }
        return;
    }
    let on = |tier: Tier| -> Vec<String> {
        let test = "simd_tiers_learn_the_same_merges";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PRINT, "1")
            .env("TOKENIZER_SIMD", tier.name())
            .output()
            .unwrap();
        assert!(output.status.success(), "{tier}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let merges = printed
            .lines()
            .filter_map(|line| line.split_once("MERGES "));
        merges.map(|(_, merges)| merges.to_owned()).collect()
    };
    let want = on(Tier::Scalar);
    assert_eq!(want.len(), 2);
    for tier in Tier::available() {
        assert!(on(tier) == want, "{tier}");
    }
}

fn whole_text() -> Pattern {
    Pattern::regex("(?s).+", Default::default()).unwrap()
}

#[test]
fn scaled_counts_give_the_same_merges() {
    let corpus = corpus();
    let words = words(&[&corpus], &Pattern::named(PatternName::Cl100k), 2);
    let want = merges(&words, 2000, 2);
    for factor in [3, 1 << 20, (1 << 32) + 1, 1 << 40] {
        let mut scaled = PieceCounts::new();
        for (piece, count) in words.iter() {
            scaled.add(piece, count * factor).unwrap();
        }
        assert!(merges(&scaled, 2000, 2) == want, "{factor} times");
    }
}

#[test]
fn parallel_merges_equal_sequential_ones() {
    // (a, b) has 40,000 occurrences, enough for several threads even without small thresholds.
    let mut words = PieceCounts::new();
    for number in 0..40_000 {
        let piece = format!("ab{number}");
        words.add(piece.as_bytes(), 1 + number % 3).unwrap();
    }
    let want = reference::train(&words, 12, 1, usize::MAX);
    for threads in THREADS {
        assert_eq!(merges(&words, 12, threads), want, "{threads} threads");
    }
}

/// Pieces of few letters, which make ties and overlapping pairs frequent, or of any bytes; some are long.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let few = |letters: &'static [u8], length| {
        prop::collection::vec(prop::sample::select(letters), length)
    };
    prop_oneof![
        4 => few(b"ab", 1..20),
        4 => few(b"abcd", 1..12),
        2 => prop::collection::vec(any::<u8>(), 1..8),
        1 => few(b"abc", 100..600),
        1 => (few(b"ab", 1..4), 1usize..400).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

/// Counts from 1 to beyond 32 bits.
fn count() -> impl Strategy<Value = Count> {
    prop_oneof![6 => 1u64..6, 2 => 1u64..5000, 1 => 1u64 << 31..1 << 34, 1 => 1u64 << 50..1 << 51]
}

proptest! {
    #[test]
    fn merges_equal_the_reference(
        pieces in prop::collection::vec((piece(), count()), 0..16),
        wanted in 0usize..60,
        threads in 1usize..4,
    ) {
        let mut words = PieceCounts::new();
        for (piece, count) in &pieces {
            words.add(piece, *count).unwrap();
        }
        let want = reference::train(&words, wanted, 1, usize::MAX);
        prop_assert_eq!(merges(&words, wanted, threads), want);
    }
}

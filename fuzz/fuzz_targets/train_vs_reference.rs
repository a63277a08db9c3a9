//! Training learns the merges of the definition.
//!
//! An input is a set of piece counts and training options. Pieces may use few letters (for ties and
//! overlapping pairs), be long repetitions, and have counts beyond 32 bits. Every input is trained on
//! with the usual thresholds and with small ones.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenizer_core::internals::reference;
use tokenizer_core::{Count, Pair, PieceCounts, TrainOptions, train};

/// Limits on the symbols, and on symbols times merges: the definition scans all symbols for each merge.
const MAX_SYMBOLS: usize = 4000;
const MAX_WORK: usize = 300_000;

fuzz_target!(|input: &[u8]| {
    let [merges, min_frequency, max_token_bytes, letters, rest @ ..] = input else {
        return;
    };
    let Some((words, symbols)) = corpus(usize::from(*letters), rest) else {
        return;
    };
    let merges = usize::from(*merges).min(MAX_WORK / symbols.max(1)) * 2;
    // Most inputs train without these limits.
    let min_frequency = Count::from(min_frequency.saturating_sub(200));
    let max_token_bytes = match max_token_bytes {
        0..200 => usize::MAX,
        bytes => usize::from(bytes - 199),
    };
    let options = TrainOptions::new(256 + merges)
        .min_frequency(min_frequency)
        .max_token_bytes(max_token_bytes);

    let want = reference::train(&words, merges, min_frequency, max_token_bytes);
    // Small thresholds make even these inputs use several threads.
    for options in [options.clone(), options.small_thresholds().threads(3)] {
        let trained = train(&words, &options).expect("these corpora fit");
        let got: Vec<Pair> = trained.merges().iter().map(|merge| merge.pair()).collect();
        assert_eq!(got, want);
        let counts = trained.counts();
        assert!(counts.is_sorted_by(|before, after| before >= after));
        assert_eq!(counts.len(), want.len());
    }
});

/// Reads pieces: a byte for the length, one for repetitions, one for the count, then the bytes, which
/// are mapped to `letters % 9` letters (0: any byte). Also returns the number of symbols.
fn corpus(letters: usize, mut rest: &[u8]) -> Option<(PieceCounts, usize)> {
    let mut words = PieceCounts::new();
    let mut symbols = 0;
    while let [length, repeat, count, bytes @ ..] = rest {
        let length = usize::from(length % 32).min(bytes.len());
        let repeat = match repeat {
            0..200 => 1,
            repeat => usize::from(repeat - 198) * 4,
        };
        let count = match count {
            0..200 => Count::from(*count),
            200..230 => Count::from(count - 199) * 10_000,
            count => Count::from(*count) << 30,
        };
        let letter = |&byte: &u8| match letters % 9 {
            0 => byte,
            few => b'a' + byte % few as u8,
        };
        let piece: Vec<u8> = bytes[..length].iter().map(letter).collect();
        let piece = piece.repeat(repeat);
        symbols += piece.len();
        if symbols > MAX_SYMBOLS {
            return None;
        }
        words.add(&piece, count).expect("counts fit");
        rest = &bytes[length..];
    }
    Some((words, symbols))
}

//! Analysing a model takes near-linear time, even with very long tokens.

use std::time::{Duration, Instant};

use tokenizer_core::{MergeRule, Merges, Model, Pair, Pattern, PatternName, TokenId, rank_merges};
use tokenizer_core::{Repeats, Vocab};

/// Generous enough for a debug build on a slow machine. A quadratic algorithm takes hours.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const DOUBLINGS: u32 = 18;

/// Pseudo-random bytes, in which few pairs repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let byte = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(byte).take(length).collect()
}

#[test]
fn merges_of_long_tokens_are_found() {
    let bytes = (0..=255u8).map(|byte| vec![byte]);
    let doubled = (1..=DOUBLINGS).map(|n| vec![b'a'; 1 << n]);
    let noise = noise(100_000);
    // A prefix of the noise can be merged, so that a naive algorithm rescans the rest after each merge.
    let parts = (2..200).map(|length| noise[..length].to_vec());
    let tokens: Vec<Vec<u8>> = bytes
        .chain(doubled)
        .chain(parts)
        .chain([noise.clone()])
        .collect();
    let pairs = (0..).zip(tokens.iter().map(Vec::as_slice));
    let vocab = Vocab::new(pairs, Repeats::Refuse).unwrap();
    let started = Instant::now();
    let list = rank_merges(&vocab);
    assert!(started.elapsed() < TIME_LIMIT, "{:?}", started.elapsed());
    assert!(!list.reaches_all, "no merge creates the noise");
    let doubled = list.rules.iter().take(DOUBLINGS as usize);
    let ids: Vec<TokenId> = doubled.map(|rule| rule.token).collect();
    assert!(ids.into_iter().eq(256..256 + DOUBLINGS));
    assert_eq!((list.rules[1].left, list.rules[1].right), (256, 256));
}

#[test]
fn merge_steps_of_a_long_piece_are_found() {
    let pairs = (0..DOUBLINGS).map(|n| match n {
        0 => Pair::new(97, 97),
        n => Pair::new(255 + n, 255 + n),
    });
    let merges = Merges::trained(&pairs.collect::<Vec<_>>()).unwrap();
    let pattern = Pattern::named(PatternName::Gpt2);
    let model = Model::from_merges(pattern, merges, &[""; 0]).unwrap();
    let piece = vec![b'a'; 1 << DOUBLINGS];
    let started = Instant::now();
    let mut steps = 0;
    let ids = MergeRule::new(&model)
        .merge(&piece, |_| steps += 1)
        .unwrap();
    assert!(started.elapsed() < TIME_LIMIT, "{:?}", started.elapsed());
    assert_eq!(ids, [255 + DOUBLINGS]);
    assert_eq!(steps, piece.len() - 1);
}

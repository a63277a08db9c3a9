//! Training: its two stages and the checks of their answers.
//!
//! Counting is compared with the regex engine and a hash map on the beginning of each text; on the whole
//! text, all thread counts must agree.
//!
//! Merging is compared with [`mod@reference`], which scans the whole corpus for each merge: with all
//! merges of the beginning of a text, and with the first merges of the whole. Later merges must not
//! depend on the order of the pieces.

use std::collections::HashMap;

use tokenizer_core::internals::reference;
use tokenizer_core::{
    Count, CountOptions, Gaps, Merges, Model, Pair, Pattern, PatternName, PieceCounts, TokenId,
    Tokenizer, TrainOptions, count_pieces, train,
};

use crate::corpora;
use crate::generated::Recombined;

/// Size in bytes of the text generated from the fixture.
const GENERATED: u64 = 16_000_000;

/// Bytes compared with the regex engine.
const BEGINNING: usize = 500_000;

/// Bytes, and merges, compared with the reference.
const SMALL_BEGINNING: usize = 30_000;
const SMALL_MERGES: usize = 500;

/// Merges of the whole text compared with the reference.
const FIRST_MERGES: usize = 20;

/// A text to train on, with its pieces under nanochat's pattern.
pub struct Text {
    /// The name, as shown by the benchmarks.
    pub name: String,
    /// The text.
    pub bytes: Vec<u8>,
    /// The counted pieces.
    pub words: PieceCounts,
}

/// The pattern of all training benchmarks.
pub fn pattern() -> Pattern {
    Pattern::named(PatternName::Nanochat)
}

/// The number of processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// All existing texts, counted.
pub fn texts() -> Vec<Text> {
    let mut texts = vec![("generated".to_owned(), generated())];
    let natural = corpora::all().iter().filter(|corpus| corpus.is_natural());
    texts.extend(natural.map(|corpus| (corpus.name().to_owned(), corpus.text().to_vec())));
    let counted = texts.into_iter().map(|(name, bytes)| Text {
        words: count(&bytes, processors()),
        name,
        bytes,
    });
    counted.collect()
}

/// A text generated from the fixture, which always exists.
fn generated() -> Vec<u8> {
    let fixture = corpora::all()[0].text();
    let mut bytes = Vec::new();
    Recombined::new([fixture], 1)
        .write(&mut bytes, GENERATED)
        .expect("writing to memory does not fail");
    bytes
}

/// Counts the pieces of one document.
pub fn count(document: &[u8], threads: usize) -> PieceCounts {
    let options = CountOptions::default().threads(threads);
    count_pieces([document], &pattern(), &options).expect("scanners do not fail")
}

/// Checks that `words` are the pieces of `text`.
///
/// # Panics
/// If they are not.
pub fn check_count(text: &Text, words: &PieceCounts) {
    let name = &text.name;
    assert!(sorted(words) == sorted(&text.words), "pieces of {name}");

    let beginning = &text.bytes[..text.bytes.len().min(BEGINNING)];
    let regex = Pattern::through_regex_engine(pattern().source(), Gaps::Keep)
        .expect("the named patterns compile");
    let mut want: HashMap<&[u8], Count> = HashMap::new();
    for piece in regex.split(beginning) {
        let piece = piece.expect("the engine splits text");
        *want.entry(&beginning[piece]).or_default() += 1;
    }
    let got = count(beginning, 2);
    let got: HashMap<&[u8], Count> = got.iter().collect();
    assert!(got == want, "pieces of the beginning of {name}");
}

/// Checks that `merges` are those of `text`.
///
/// # Panics
/// If they are not.
pub fn check_merges(text: &Text, merges: &Merges) {
    let name = &text.name;
    let first = reference::train(&text.words, FIRST_MERGES, 1, usize::MAX);
    let got = pairs(merges);
    assert!(got.starts_with(&first), "the first merges of {name}");

    let mut reversed = PieceCounts::new();
    let mut pieces = sorted(&text.words);
    pieces.reverse();
    for (piece, count) in pieces {
        reversed.add(piece, count).expect("counts fit as before");
    }
    assert!(got == learn(&reversed, got.len()), "merges of {name}");

    let beginning = &text.bytes[..text.bytes.len().min(SMALL_BEGINNING)];
    let words = count(beginning, 1);
    let want = reference::train(&words, SMALL_MERGES, 1, usize::MAX);
    assert!(
        learn(&words, SMALL_MERGES) == want,
        "merges of the beginning of {name}"
    );
}

/// The number of times that a merge changes a distinct word: a lower bound on the work of any merging
/// algorithm.
pub fn visits(words: &PieceCounts, merges: &Merges) -> usize {
    let specials: [&str; 0] = [];
    let model = Model::from_merges(pattern(), merges.clone(), &specials)
        .expect("trained merges make a model");
    let (tokenizer, pairs) = (Tokenizer::new(model), pairs(merges));
    let mut last_word = vec![usize::MAX; pairs.len()];
    let mut visits = 0;
    for (word, (piece, _)) in words.iter().enumerate() {
        // The final tokens of a word determine all merges that changed it.
        let mut ids: Vec<TokenId> = tokenizer.encode(piece).expect("a piece splits into itself");
        while let Some(id) = ids.pop() {
            let Some(merge) = (id as usize).checked_sub(256) else {
                continue;
            };
            visits += usize::from(last_word[merge] != word);
            last_word[merge] = word;
            ids.extend([pairs[merge].left(), pairs[merge].right()]);
        }
    }
    visits
}

fn learn(words: &PieceCounts, merges: usize) -> Vec<Pair> {
    let trained = train(words, &TrainOptions::new(256 + merges)).expect("these corpora fit");
    pairs(trained.merges())
}

fn pairs(merges: &Merges) -> Vec<Pair> {
    merges.iter().map(|merge| merge.pair()).collect()
}

fn sorted(words: &PieceCounts) -> Vec<(&[u8], Count)> {
    let mut all: Vec<_> = words.iter().collect();
    all.sort();
    all
}

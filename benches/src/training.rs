//! Training: the two stages of it, and how the answers are checked.
//!
//! Of counting, the answer is the distinct pieces with their counts. The right one comes from the
//! regex engine and a hash map, on the beginning of each text; on the whole of it, any number of
//! threads gives the same.
//!
//! Of merging, the answer is the merges. The right ones are those of [`mod@reference`], which takes
//! the whole corpus for each merge: so it is asked for all merges of the beginning of a text, and for
//! the first few of the whole. The later ones must be the same when the pieces come in another
//! order.

use std::collections::HashMap;

use tokenizer_core::internals::reference;
use tokenizer_core::{
    Count, CountOptions, Gaps, Merges, Model, Pair, Pattern, PatternName, PieceCounts, TokenId,
    Tokenizer, TrainOptions, count_pieces, train,
};

use crate::corpora;
use crate::generated::Recombined;

/// Bytes of the text that is made of the one in the repository.
const GENERATED: u64 = 16_000_000;

/// What is held against the regex engine.
const BEGINNING: usize = 500_000;

/// What is held against the reference in all merges; it takes this many merges then.
const SMALL_BEGINNING: usize = 30_000;
const SMALL_MERGES: usize = 500;

/// So many merges of a whole text are held against the reference.
const FIRST_MERGES: usize = 20;

/// A text to train on, with its pieces under nanochat's pattern.
pub struct Text {
    /// As in the names of the benchmarks.
    pub name: String,
    /// The text.
    pub bytes: Vec<u8>,
    /// Its pieces.
    pub words: PieceCounts,
}

/// The pattern that is trained with.
pub fn pattern() -> Pattern {
    Pattern::named(PatternName::Nanochat)
}

/// Threads for one thread on each processor.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// All texts that are there, each counted.
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

/// Of the text in the repository, which is there everywhere.
fn generated() -> Vec<u8> {
    let fixture = corpora::all()[0].text();
    let mut bytes = Vec::new();
    Recombined::new([fixture], 1)
        .write(&mut bytes, GENERATED)
        .expect("writing to memory does not fail");
    bytes
}

/// The pieces of one document, counted.
pub fn count(document: &[u8], threads: usize) -> PieceCounts {
    let options = CountOptions::default().threads(threads);
    count_pieces([document], &pattern(), &options).expect("scanners do not fail")
}

/// Fails unless `words` are the pieces of `text`.
///
/// # Panics
/// When the answer is wrong.
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

/// Fails unless `merges` are those of the pieces of `text`.
///
/// # Panics
/// When the answer is wrong.
pub fn check_merges(text: &Text, merges: &Merges) {
    let name = &text.name;
    let first = reference::train(&text.words, FIRST_MERGES, 1, usize::MAX);
    let got = pairs(merges);
    assert!(got.starts_with(&first), "the first merges of {name}");

    let mut backwards = PieceCounts::new();
    let mut pieces = sorted(&text.words);
    pieces.reverse();
    for (piece, count) in pieces {
        backwards.add(piece, count).expect("counts fit as before");
    }
    assert!(got == learn(&backwards, got.len()), "merges of {name}");

    let beginning = &text.bytes[..text.bytes.len().min(SMALL_BEGINNING)];
    let words = count(beginning, 1);
    let want = reference::train(&words, SMALL_MERGES, 1, usize::MAX);
    assert!(
        learn(&words, SMALL_MERGES) == want,
        "merges of the beginning of {name}"
    );
}

/// How many times a merge changes a distinct word, over all merges: the least work that any way of
/// merging has to do.
pub fn visits(words: &PieceCounts, merges: &Merges) -> usize {
    let specials: [&str; 0] = [];
    let model = Model::from_merges(pattern(), merges.clone(), &specials)
        .expect("merges that were trained make a model");
    let (tokenizer, pairs) = (Tokenizer::new(model), pairs(merges));
    let mut last_word = vec![usize::MAX; pairs.len()];
    let mut visits = 0;
    for (word, (piece, _)) in words.iter().enumerate() {
        // What a word ends as tells all that was merged in it.
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

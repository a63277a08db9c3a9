//! How much memory merging takes, told before it begins.

use super::TrainOptions;
use super::corpus::EDGES;
use crate::words::Words;

/// The array in which `pairs.rs` sums up pairs by hash.
const SUMS: u64 = 4 << 20;

/// What is kept of tracked pairs (counts, lists of words, candidates, neighbours by id). How many
/// pairs are tracked at once is known only afterwards: it follows from how steeply counts fall. On
/// 14 runs (0.1 to 6 million symbols, 4,096 to 131,072 merges) it went with the geometric mean of
/// symbols and merges, at 47 to 131 bytes; the corpora of running text are at the lower end.
const BYTES_OF_PAIRS: f64 = 90.0;

/// About how many bytes training on `words` takes at its peak, those of `words` not counted.
///
/// On running text, with vocabularies of usual sizes, it takes up to a tenth more than this and as
/// little as 60 % of it; on a text that is one single word it may take twice as much.
///
/// Costs a pass over the lengths of the pieces.
///
/// ```
/// use tokenizer_core::train::{TrainOptions, estimate_memory};
/// use tokenizer_core::Words;
///
/// let mut words = Words::new();
/// words.add(b"lowest", 1 << 40)?;
/// assert!(estimate_memory(&words, &TrainOptions::new(1000)) < 10_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn estimate_memory(words: &Words, options: &TrainOptions) -> u64 {
    let symbols = words.distinct_bytes() as u64;
    let arena = size_of::<u32>() as u64 * (symbols + (EDGES * words.len()) as u64);
    // Every merge takes at least one symbol away.
    let merges = symbols.min(options.merges as u64);
    let pairs = (symbols as f64 * merges as f64).sqrt() * BYTES_OF_PAIRS;
    arena + SUMS + pairs as u64
}

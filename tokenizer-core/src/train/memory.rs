//! How much memory merging takes, told before it begins.

use super::corpus::EDGES;
use crate::piece_counts::PieceCounts;

/// What is kept of tracked pairs (counts, candidates, neighbours by id), their places not counted.
/// How many pairs are tracked at once is known only afterwards: it follows from how steeply counts
/// fall. On 21 runs (0.06 to 64 million symbols, 4,096 to 131,072 ids) it went with the geometric
/// mean of symbols and merges, mostly at 29 to 115 bytes; the corpora of running text are at the
/// lower end.
const BYTES_OF_PAIRS: f64 = 65.0;

/// About how many bytes learning `merges` merges on `words` takes at its peak, those of `words` not
/// counted.
///
/// On running text it takes from 60 % of this to a tenth more; where letters follow each other at
/// random and the vocabulary is large, it may take twice as much.
///
/// Costs a pass over the lengths of the pieces.
///
/// ```
/// use tokenizer_core::{PieceCounts, estimate_memory};
///
/// let mut words = PieceCounts::new();
/// words.add(b"lowest", 1 << 40)?;
/// assert!(estimate_memory(&words, 1000) < 10_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn estimate_memory(words: &PieceCounts, merges: usize) -> u64 {
    let symbols = words.distinct_bytes() as u64;
    let cells = symbols + (EDGES * words.len()) as u64;
    // At first nearly every symbol is a place in a list.
    let corpus = size_of::<u32>() as u64 * (cells + symbols);
    // Every merge takes at least one symbol away.
    let merges = symbols.min(merges as u64);
    let pairs = (symbols as f64 * merges as f64).sqrt() * BYTES_OF_PAIRS;
    corpus + pairs as u64
}

//! Estimating the memory of training before it starts.

use super::corpus::CELLS_PER_PIECE;
use crate::piece_counts::PieceCounts;

/// Tracked pairs are estimated to take `PAIR_BYTES * sqrt(symbols * merges)` bytes besides their positions.
///
/// The number of tracked pairs depends on how steeply counts fall, which is not known in advance. In 21 runs
/// (0.06 to 64 million symbols, 4,096 to 131,072 ids) the factor was mostly 29 to 115, lowest for natural
/// text.
const PAIR_BYTES: f64 = 65.0;

/// Estimates the peak memory in bytes of learning `merges` merges from `pieces`, excluding `pieces` itself.
///
/// On natural text, training takes 60 to 110 % of the estimate. On random letters with a large vocabulary, it
/// may take twice the estimate.
///
/// ```
/// use tokenizer_core::{PieceCounts, estimate_memory};
///
/// let mut pieces = PieceCounts::new();
/// pieces.add(b"lowest", 1 << 40)?;
/// assert!(estimate_memory(&pieces, 1000) < 10_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn estimate_memory(pieces: &PieceCounts, merges: usize) -> u64 {
    let symbols = pieces.distinct_bytes() as u64;
    let cells = symbols + (CELLS_PER_PIECE * pieces.len()) as u64;
    // At first, nearly every symbol is also a position in a list.
    let corpus_and_positions = size_of::<u32>() as u64 * (cells + symbols);
    // Each merge removes at least one symbol.
    let merges = symbols.min(merges as u64);
    let pairs = (symbols as f64 * merges as f64).sqrt() * PAIR_BYTES;
    corpus_and_positions + pairs as u64
}

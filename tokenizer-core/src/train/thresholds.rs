//! Sizes at which training switches methods.

use super::cell::MAX_DISTANCE;

/// Sizes at which training switches methods. They do not change merges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    /// Value at which the distances in cells saturate; at most [`MAX_DISTANCE`]. From there on, the count
    /// of a piece is read from the list of exceptions.
    pub(super) distance_cap: u32,
    /// Value at which the counts in cells saturate. Larger counts are in the list of exceptions.
    pub(super) count_cap: u32,
    /// Cells between two cut points, at which the corpus may be divided among threads.
    pub(super) cut_spacing: usize,
    /// Positions of a merge that justify another thread: hundreds of microseconds of work.
    pub(super) positions_per_thread: usize,
    /// The minimum number of bits in the hash of a pair.
    pub(super) hash_bits: u32,
    /// Candidates with counts below this are in buckets; others are in a heap.
    pub(super) buckets: usize,
}

impl Thresholds {
    pub(super) const DEFAULT: Self = Thresholds {
        distance_cap: MAX_DISTANCE,
        count_cap: u32::MAX,
        cut_spacing: 1 << 14,
        positions_per_thread: 1 << 13,
        hash_bits: 12,
        buckets: 1 << 12,
    };

    /// For tests: small corpora exceed each threshold.
    #[cfg(any(test, feature = "internals"))]
    pub(super) const SMALL: Self = Thresholds {
        distance_cap: 5,
        count_cap: 3,
        cut_spacing: 4,
        positions_per_thread: 2,
        hash_bits: 2,
        buckets: 4,
    };
}

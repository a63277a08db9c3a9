//! Values at which training switches methods.

use super::cell::MAX_DISTANCE;

/// Values at which training switches methods. The merges do not depend on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    /// Value at which the distances in cells saturate; at most [`MAX_DISTANCE`]. At symbols that far from the
    /// start of a piece, the count of the piece is read from the list of exceptions.
    pub(super) distance_cap: u32,
    /// Value at which the counts in cells saturate. Larger counts are in the list of exceptions.
    pub(super) count_cap: u32,
    /// The approximate number of cells between two cut points. At a cut point, the corpus may be divided
    /// among threads.
    pub(super) cut_spacing: usize,
    /// A merge uses one thread per this many positions: enough work (over 100 µs) to justify a thread.
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

    /// For tests: values so low that small corpora exceed each of them.
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

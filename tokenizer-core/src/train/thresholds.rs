//! Sizes at which training changes its method.

use super::cell::MAX_DISTANCE;

/// Sizes at which training changes its method. None of them changes a merge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    /// The count of a word is read from the exceptions at symbols that are this far from its
    /// beginning; at most [`MAX_DISTANCE`].
    pub(super) far: u32,
    /// The cell of a word's count holds at most this; it stands for all counts from there on.
    pub(super) large_count: u32,
    /// Cells of a part, which no cut for threads divides.
    pub(super) part_cells: usize,
    /// Places of a merge that are worth a thread: some hundred microseconds of work.
    pub(super) places_for_a_thread: usize,
    /// Bits of the hash of pairs, at least.
    pub(super) hash_bits: u32,
    /// Counts of candidates below it have buckets.
    pub(super) buckets: usize,
}

impl Thresholds {
    pub(super) const DEFAULT: Self = Thresholds {
        far: MAX_DISTANCE,
        large_count: u32::MAX,
        part_cells: 1 << 14,
        places_for_a_thread: 1 << 13,
        hash_bits: 12,
        buckets: 1 << 12,
    };

    /// For tests: small corpora pass each of them.
    #[cfg(any(test, feature = "internals"))]
    pub(super) const SMALL: Self = Thresholds {
        far: 5,
        large_count: 3,
        part_cells: 4,
        places_for_a_thread: 2,
        hash_bits: 2,
        buckets: 4,
    };
}

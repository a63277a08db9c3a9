//! A cell of the training corpus: an id, and how far it is from the beginning of its word.

use crate::token::TokenId;

/// The number of a cell.
pub(super) type Place = u32;

/// Bits of an id in a cell. Above them: how far the cell is from the first symbol of its word.
const ID_BITS: u32 = 25;
const ID_MASK: u32 = (1 << ID_BITS) - 1;

/// The id that ends a word.
pub(super) const END: TokenId = ID_MASK;

/// The id of a place where no symbol begins any more.
pub(super) const BLANK: TokenId = ID_MASK - 1;

/// The largest distance a cell can hold.
pub(super) const MAX_DISTANCE: u32 = u32::MAX >> ID_BITS;

#[inline(always)]
pub(super) fn id(cell: u32) -> TokenId {
    cell & ID_MASK
}

#[inline(always)]
pub(super) fn distance(cell: u32) -> u32 {
    cell >> ID_BITS
}

/// The distance `far`, at most [`MAX_DISTANCE`], stands for all from there on.
#[inline(always)]
pub(super) fn cell(id: TokenId, distance: u32, far: u32) -> u32 {
    id | distance.min(far) << ID_BITS
}

/// The cell with another id.
#[inline(always)]
pub(super) fn relabelled(cell: u32, id: TokenId) -> u32 {
    cell & !ID_MASK | id
}

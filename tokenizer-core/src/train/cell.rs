//! A cell of the training corpus: an id, and its distance from the start of its piece.

use crate::token::TokenId;

/// The index of a cell.
pub(super) type Position = u32;

/// The low bits of a cell contain an id; the bits above contain the distance from the first symbol of the
/// piece.
const ID_BITS: u32 = 25;
const ID_MASK: u32 = (1 << ID_BITS) - 1;

/// The id in the cell that ends a piece. It also stands for a missing neighbor.
pub(super) const END: TokenId = ID_MASK;

/// The id of a cell where no symbol starts any more.
pub(super) const BLANK: TokenId = ID_MASK - 1;

/// The largest distance that a cell can store.
pub(super) const MAX_DISTANCE: u32 = u32::MAX >> ID_BITS;

#[inline(always)]
pub(super) fn id(cell: u32) -> TokenId {
    cell & ID_MASK
}

#[inline(always)]
pub(super) fn distance(cell: u32) -> u32 {
    cell >> ID_BITS
}

/// Creates a cell. The distance saturates at `distance_cap`, which is at most [`MAX_DISTANCE`].
#[inline(always)]
pub(super) fn cell(id: TokenId, distance: u32, distance_cap: u32) -> u32 {
    id | distance.min(distance_cap) << ID_BITS
}

/// Replaces the id of a cell.
#[inline(always)]
pub(super) fn with_id(cell: u32, id: TokenId) -> u32 {
    cell & !ID_MASK | id
}

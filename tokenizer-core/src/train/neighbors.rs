//! The neighbors of a pair at all positions where it is merged.
//!
//! Merging `(a, b)` to `z` after a token `x` turns a pair `(x, a)` into `(x, z)`. One sum per `x` is
//! therefore both the decrease of one pair's count and the increase of the other's. The sums are in an array
//! indexed by `x`, so a position costs one addition, and tables are updated once per distinct neighbor.

use crate::token::{Count, TokenId};

use super::cell::{END, Position};

/// The neighbors on both sides of a merged pair.
#[derive(Default)]
pub(super) struct Neighbors {
    pub(super) before: Side,
    pub(super) after: Side,
    /// In the order of merging.
    pub(super) positions: Vec<Merged>,
}

/// The position of a new token, and its neighbors when it was created (`END` for none).
#[derive(Clone, Copy)]
pub(super) struct Merged {
    pub(super) position: Position,
    pub(super) before: TokenId,
    pub(super) after: TokenId,
}

/// The neighbors on one side.
///
/// Recording a neighbor is branch-free, because neither its presence nor its first occurrence is predictable:
/// `END` has a slot too, and `seen` is always written.
#[derive(Default)]
pub(super) struct Side {
    /// Indexed by `slot(id)`.
    by_id: Vec<Neighbor>,
    /// The slots in use are `seen[..distinct]`.
    seen: Vec<u32>,
    distinct: usize,
    lists: Vec<List>,
    /// Where the next position of each list is written, by list number. For number 0, the index of a discard
    /// element.
    cursors: Vec<usize>,
}

/// The range of a neighbor's positions in the buffer of all lists.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) id: TokenId,
    /// How often `id` was the neighbor, weighted by piece counts.
    pub(super) count: Count,
    pub(super) begin: usize,
    pub(super) length: u32,
}

#[derive(Clone, Copy, Default)]
struct Neighbor {
    count: Count,
    position_count: u32,
    /// The number of the neighbor's list, from 1, or 0 if it has no list.
    list: u32,
}

impl Neighbors {
    /// Grows the arrays to hold ids below `ids`.
    pub(super) fn make_room(&mut self, ids: usize) {
        self.before.make_room(ids);
        self.after.make_room(ids);
    }

    /// Records a merge at a position, in a piece that occurs `count` times.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        position: Position,
        before: TokenId,
        after: TokenId,
        count: Count,
    ) {
        self.before.add(before, count);
        self.after.add(after, count);
        self.positions.push(Merged {
            position,
            before,
            after,
        });
    }

    /// Moves the records of another thread to this one. The other's positions must follow this one's.
    pub(super) fn absorb(&mut self, other: &mut Neighbors) {
        self.before.absorb(&mut other.before);
        self.after.absorb(&mut other.after);
        self.positions.append(&mut other.positions);
    }

    /// Removes all records. Takes time linear in their number.
    pub(super) fn clear(&mut self) {
        self.before.clear();
        self.after.clear();
        self.positions.clear();
    }
}

impl Side {
    fn make_room(&mut self, ids: usize) {
        // One more slot for `END`. `seen` has one more element, because `add` always writes one past the end.
        if self.by_id.len() < ids + 1 {
            let slots = (ids + 1).next_power_of_two();
            self.by_id.resize(slots, Neighbor::default());
            self.seen.resize(slots + 1, 0);
        }
    }

    #[inline(always)]
    fn add(&mut self, id: TokenId, count: Count) {
        let slot = slot(id);
        let neighbor = &mut self.by_id[slot];
        self.seen[self.distinct] = slot as u32;
        self.distinct += usize::from(neighbor.position_count == 0);
        neighbor.position_count += 1;
        neighbor.count += count;
    }

    fn absorb(&mut self, other: &mut Side) {
        for &slot in &other.seen[..other.distinct] {
            let added = std::mem::take(&mut other.by_id[slot as usize]);
            let neighbor = &mut self.by_id[slot as usize];
            self.seen[self.distinct] = slot;
            self.distinct += usize::from(neighbor.position_count == 0);
            neighbor.position_count += added.position_count;
            neighbor.count += added.count;
        }
        other.distinct = 0;
    }

    /// Returns how often `id` was the neighbor, weighted by piece counts.
    pub(super) fn count(&self, id: TokenId) -> Count {
        self.by_id[slot(id)].count
    }

    /// Returns each neighbor except `END`, with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TokenId, Count)> + '_ {
        let slots = self.seen[..self.distinct].iter().filter(|&&slot| slot != 0);
        slots.map(|&slot| (slot - 1, self.by_id[slot as usize].count))
    }

    /// Appends a list to `all` for each neighbor that satisfies `is_tracked`: the positions of its pairs with
    /// the new token, in ascending order. Returns the ranges of these lists. `positions` yields, for each
    /// merge, the neighbor on this side and the position of its pair with the new token.
    pub(super) fn list(
        &mut self,
        positions: impl Iterator<Item = (TokenId, Position)>,
        is_tracked: impl Fn(TokenId, Count) -> bool,
        all: &mut Vec<Position>,
    ) -> &[List] {
        self.lists.clear();
        self.cursors.clear();
        self.cursors.push(0);
        let mut end = all.len();
        for &slot in &self.seen[..self.distinct] {
            let neighbor = &mut self.by_id[slot as usize];
            if slot != 0 && is_tracked(slot - 1, neighbor.count) {
                neighbor.list = self.cursors.len() as u32;
                self.cursors.push(end);
                self.lists.push(List {
                    id: slot - 1,
                    count: neighbor.count,
                    begin: end,
                    length: neighbor.position_count,
                });
                end += neighbor.position_count as usize;
            }
        }
        if self.lists.is_empty() {
            return &[];
        }
        // The positions of all other neighbors are written to one discard element after the lists,
        // to avoid a branch. The buffer grows by a quarter instead of doubling: it may take
        // gigabytes.
        let missing = (end + 1).saturating_sub(all.capacity());
        if missing > 0 {
            all.reserve_exact((end + 1 - all.len()).max(all.len() / 4));
        }
        all.resize(end + 1, 0);
        self.cursors[0] = end;
        for (id, position) in positions {
            let list = self.by_id[slot(id)].list as usize;
            let cursor = &mut self.cursors[list];
            all[*cursor] = position;
            *cursor += usize::from(list > 0);
        }
        all.truncate(end);
        &self.lists
    }

    fn clear(&mut self) {
        for &slot in &self.seen[..self.distinct] {
            self.by_id[slot as usize] = Neighbor::default();
        }
        self.distinct = 0;
    }
}

/// The index of an id in `by_id`. `END`, the highest id, wraps around to 0.
#[inline(always)]
fn slot(id: TokenId) -> usize {
    ((id + 1) & END) as usize
}

//! What stood beside a pair wherever it was merged.
//!
//! A merge of `(a, b)` into `z` with `x` before it turns a pair `(x, a)` into `(x, z)`: one number
//! for each `x` says both how many of the one are gone and how many of the other have come. The
//! numbers stand in an array indexed by `x`, so a place costs one addition, and tables are asked
//! once for each distinct neighbour instead of once for each place.

use crate::token::{Count, TokenId};

use super::cell::{END, Place};

/// Both sides of every place at which a pair was merged.
#[derive(Default)]
pub(super) struct Neighbours {
    pub(super) before: Side,
    pub(super) behind: Side,
    /// In the order in which they were merged.
    pub(super) places: Vec<Merged>,
}

/// A place where the new token stands, and what stood beside it when it was made; `END` for nothing.
#[derive(Clone, Copy)]
pub(super) struct Merged {
    pub(super) place: Place,
    pub(super) before: TokenId,
    pub(super) behind: TokenId,
}

/// The neighbours on one side.
///
/// Whether there is a neighbour and whether it was seen before cannot be foretold, so nothing
/// branches on it: `END` has a number too, and the list of those that were seen is written always.
#[derive(Default)]
pub(super) struct Side {
    /// By `slot(id)`.
    by_id: Vec<Neighbour>,
    /// Slots that are in use, `seen[..distinct]`.
    seen: Vec<u32>,
    distinct: usize,
    lists: Vec<List>,
    /// Where the next place of every list goes, from number 1.
    cursors: Vec<usize>,
}

/// The places of a neighbour, in the list of all places.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) id: TokenId,
    /// How often it was the neighbour.
    pub(super) count: Count,
    pub(super) begin: usize,
    pub(super) length: u32,
}

#[derive(Clone, Copy, Default)]
struct Neighbour {
    count: Count,
    places: u32,
    /// The number of its list, from 1.
    list: u32,
}

impl Neighbours {
    /// Makes room for ids below `ids`.
    pub(super) fn make_room(&mut self, ids: usize) {
        self.before.make_room(ids);
        self.behind.make_room(ids);
    }

    /// One place, in a word that occurs `count` times.
    #[inline(always)]
    pub(super) fn add(&mut self, place: Place, before: TokenId, behind: TokenId, count: Count) {
        self.before.add(before, count);
        self.behind.add(behind, count);
        self.places.push(Merged {
            place,
            before,
            behind,
        });
    }

    /// Takes over what another thread has seen, in places behind those here.
    pub(super) fn absorb(&mut self, other: &mut Neighbours) {
        self.before.absorb(&mut other.before);
        self.behind.absorb(&mut other.behind);
        self.places.append(&mut other.places);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.before.clear();
        self.behind.clear();
        self.places.clear();
    }
}

impl Side {
    fn make_room(&mut self, ids: usize) {
        // A slot for `END` besides; and one more may be written behind those that are in use.
        if self.by_id.len() < ids + 1 {
            let slots = (ids + 1).next_power_of_two();
            self.by_id.resize(slots, Neighbour::default());
            self.seen.resize(slots + 1, 0);
        }
    }

    #[inline(always)]
    fn add(&mut self, id: TokenId, count: Count) {
        let slot = slot(id);
        let neighbour = &mut self.by_id[slot];
        self.seen[self.distinct] = slot as u32;
        self.distinct += usize::from(neighbour.places == 0);
        neighbour.places += 1;
        neighbour.count += count;
    }

    fn absorb(&mut self, other: &mut Side) {
        for &slot in &other.seen[..other.distinct] {
            let more = std::mem::take(&mut other.by_id[slot as usize]);
            let neighbour = &mut self.by_id[slot as usize];
            self.seen[self.distinct] = slot;
            self.distinct += usize::from(neighbour.places == 0);
            neighbour.places += more.places;
            neighbour.count += more.count;
        }
        other.distinct = 0;
    }

    /// How often `id` was the neighbour.
    pub(super) fn count(&self, id: TokenId) -> Count {
        self.by_id[slot(id)].count
    }

    /// Every neighbour with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TokenId, Count)> + '_ {
        let slots = self.seen[..self.distinct].iter().filter(|&&slot| slot != 0);
        slots.map(|&slot| (slot - 1, self.by_id[slot as usize].count))
    }

    /// Writes the places of every neighbour that `wanted` takes behind `all`, ascending, and says
    /// where. `places` are all places with the neighbour on this side.
    pub(super) fn list(
        &mut self,
        places: impl Iterator<Item = (TokenId, Place)>,
        wanted: impl Fn(TokenId, Count) -> bool,
        all: &mut Vec<Place>,
    ) -> &[List] {
        self.lists.clear();
        self.cursors.clear();
        self.cursors.push(0);
        let mut end = all.len();
        for &slot in &self.seen[..self.distinct] {
            let neighbour = &mut self.by_id[slot as usize];
            if slot != 0 && wanted(slot - 1, neighbour.count) {
                neighbour.list = self.cursors.len() as u32;
                self.cursors.push(end);
                self.lists.push(List {
                    id: slot - 1,
                    count: neighbour.count,
                    begin: end,
                    length: neighbour.places,
                });
                end += neighbour.places as usize;
            }
        }
        if self.lists.is_empty() {
            return &[];
        }
        // All places that are not wanted go into one cell behind the lists, so that nothing branches
        // on it.
        // Where the corpus is one long word there may be gigabytes of places: no doubling.
        let missing = (end + 1).saturating_sub(all.capacity());
        if missing > 0 {
            all.reserve_exact((end + 1 - all.len()).max(all.len() / 4));
        }
        all.resize(end + 1, 0);
        self.cursors[0] = end;
        for (id, place) in places {
            let list = self.by_id[slot(id)].list as usize;
            let cursor = &mut self.cursors[list];
            all[*cursor] = place;
            *cursor += usize::from(list > 0);
        }
        all.truncate(end);
        &self.lists
    }

    fn clear(&mut self) {
        for &slot in &self.seen[..self.distinct] {
            self.by_id[slot as usize] = Neighbour::default();
        }
        self.distinct = 0;
    }
}

/// Where the numbers of an id are: `END`, the last of all ids, comes round to 0.
#[inline(always)]
fn slot(id: TokenId) -> usize {
    ((id + 1) & END) as usize
}

//! What stood beside a pair wherever it was merged.
//!
//! A merge of `(a, b)` into `z` with `x` before it turns a pair `(x, a)` into `(x, z)`: one number
//! for each `x` says both how many of the one are gone and how many of the other have come. The
//! numbers stand in an array indexed by `x`, so a place costs one addition, and tables are asked
//! once for each distinct neighbour instead of once for each place.

use crate::token::{Count, TokenId};

use super::corpus::{END, Place};

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
        self.by_id.resize(ids + 1, Neighbour::default());
        self.seen.resize(ids + 2, 0);
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

    /// The places of every neighbour that `wanted` takes, ascending. `places` are all places with
    /// the neighbour on this side.
    pub(super) fn lists(
        &mut self,
        places: impl Iterator<Item = (TokenId, Place)>,
        wanted: impl Fn(TokenId, Count) -> bool,
    ) -> Vec<(TokenId, Vec<Place>)> {
        let mut lists: Vec<(TokenId, Vec<Place>)> = Vec::new();
        // List 0 takes what is not wanted, one place above the other: no branch could foretell which.
        let mut cursors = vec![0usize];
        let mut end = 1;
        for &slot in self.seen[..self.distinct].iter().filter(|&&slot| slot != 0) {
            let neighbour = &mut self.by_id[slot as usize];
            let id = slot - 1;
            if wanted(id, neighbour.count) {
                cursors.push(end);
                neighbour.list = lists.len() as u32 + 1;
                lists.push((id, Vec::new()));
                end += neighbour.places as usize;
            }
        }
        if lists.is_empty() {
            return lists;
        }
        let mut all = vec![0; end];
        for (id, place) in places {
            let list = self.by_id[slot(id)].list as usize;
            let cursor = &mut cursors[list];
            all[*cursor] = place;
            *cursor += usize::from(list > 0);
        }
        let mut begin = 1;
        for ((_, list), &end) in lists.iter_mut().zip(&cursors[1..]) {
            list.extend_from_slice(&all[begin..end]);
            begin = end;
        }
        lists
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

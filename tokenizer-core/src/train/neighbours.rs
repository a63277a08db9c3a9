//! What stood beside a pair wherever it was merged, on one side.
//!
//! A merge of `(a, b)` into `z` with `x` before it turns a pair `(x, a)` into `(x, z)`: one number
//! for each `x` says both how many of the one are gone and how many of the other have come. The
//! numbers stand in an array indexed by `x`, so a place costs one addition, and tables are asked
//! once for each distinct neighbour instead of once for each place.

use crate::token::{Count, TokenId};

/// The neighbours on one side.
#[derive(Default)]
pub(super) struct Neighbours {
    by_id: Vec<Neighbour>,
    /// Ids whose numbers are not zero.
    seen: Vec<TokenId>,
    /// Every place: the neighbour and the word, in the order of words.
    places: Vec<(TokenId, u32)>,
}

#[derive(Clone, Copy, Default)]
struct Neighbour {
    count: Count,
    places: u32,
    /// Where its list of words is being made, from 1.
    list: u32,
}

impl Neighbours {
    /// Makes room for ids below `ids`.
    pub(super) fn make_room(&mut self, ids: usize) {
        self.by_id.resize(ids, Neighbour::default());
    }

    /// One place in `word`, which occurs `count` times.
    #[inline(always)]
    pub(super) fn add(&mut self, id: TokenId, word: u32, count: Count) {
        let neighbour = &mut self.by_id[id as usize];
        if neighbour.places == 0 {
            self.seen.push(id);
        }
        neighbour.places += 1;
        neighbour.count += count;
        self.places.push((id, word));
    }

    /// How often `id` was the neighbour.
    pub(super) fn count(&self, id: TokenId) -> Count {
        self.by_id[id as usize].count
    }

    /// Every neighbour with its count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TokenId, Count)> + '_ {
        self.seen.iter().map(|&id| (id, self.count(id)))
    }

    /// The words of every neighbour that `wanted` takes, ascending and each once.
    pub(super) fn words_of(
        &mut self,
        wanted: impl Fn(TokenId, Count) -> bool,
    ) -> Vec<(TokenId, Vec<u32>)> {
        let mut lists = Vec::new();
        for &id in &self.seen {
            let neighbour = &mut self.by_id[id as usize];
            if wanted(id, neighbour.count) {
                lists.push((id, Vec::with_capacity(neighbour.places as usize)));
                neighbour.list = lists.len() as u32;
            }
        }
        if lists.is_empty() {
            return lists;
        }
        for &(id, word) in &self.places {
            let list = self.by_id[id as usize].list as usize;
            if list > 0 {
                let words: &mut Vec<u32> = &mut lists[list - 1].1;
                if words.last() != Some(&word) {
                    words.push(word);
                }
            }
        }
        lists
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        for id in self.seen.drain(..) {
            self.by_id[id as usize] = Neighbour::default();
        }
        self.places.clear();
    }
}

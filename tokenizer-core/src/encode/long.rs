//! Merging a long piece: a linked list of tokens and a heap of possible merges.
//!
//! The heap gives the lowest rank, the leftmost of equal ones. An entry is stale when the token it
//! begins at is gone or the pair there has changed; since tokens only grow, a changed pair makes a
//! longer token, so comparing what it would make tells. Each merge puts at most two new entries
//! on the heap: `n log n` in all, whatever the piece.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::MergeTable;
use crate::token::{Pair, TokenId};

/// The state of one piece; its allocations are used again for the next.
#[derive(Default)]
pub(super) struct LongPiece {
    links: Vec<Link>,
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Clone, Copy)]
struct Link {
    /// `GONE` when the token was merged into the one before it.
    id: TokenId,
    before: usize,
    next: usize,
}

/// A possible merge. The order of the fields is the order of merging.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: u32,
    at: usize,
    pair: Pair,
    token: TokenId,
}

/// No id, and no place.
const GONE: TokenId = TokenId::MAX;
const END: usize = usize::MAX;

impl LongPiece {
    /// Appends the ids of a piece to `ids`. `symbols` are its bytes as tokens.
    pub(super) fn merge(
        &mut self,
        symbols: impl Iterator<Item = TokenId>,
        merges: &MergeTable,
        ids: &mut Vec<TokenId>,
    ) {
        self.links.clear();
        self.links.extend(symbols.enumerate().map(|(at, id)| Link {
            id,
            before: at.wrapping_sub(1),
            next: at + 1,
        }));
        if let Some(last) = self.links.last_mut() {
            last.next = END;
        }
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.clear();
        entries.extend(
            (0..self.links.len())
                .filter_map(|at| self.entry(at, merges))
                .map(Reverse),
        );
        self.heap = BinaryHeap::from(entries);

        while let Some(Reverse(entry)) = self.heap.pop() {
            let Link { id, before, next } = self.links[entry.at];
            if next == END || Pair::new(id, self.links[next].id) != entry.pair {
                continue;
            }
            let behind = self.links[next].next;
            self.links[next].id = GONE;
            self.links[entry.at].id = entry.token;
            self.links[entry.at].next = behind;
            if behind != END {
                self.links[behind].before = entry.at;
            }
            let before = (before != END).then_some(before);
            for at in before.into_iter().chain([entry.at]) {
                if let Some(entry) = self.entry(at, merges) {
                    self.heap.push(Reverse(entry));
                }
            }
        }
        ids.extend(
            self.links
                .iter()
                .map(|link| link.id)
                .filter(|&id| id != GONE),
        );
    }

    /// The merge of the token at `at` with the next.
    fn entry(&self, at: usize, merges: &MergeTable) -> Option<Entry> {
        let link = self.links[at];
        let next = self.links.get(link.next)?;
        let pair = Pair::new(link.id, next.id);
        let &(rank, token) = merges.get(&pair)?;
        Some(Entry {
            rank,
            at,
            pair,
            token,
        })
    }
}

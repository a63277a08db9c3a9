//! Merging a stretch of any length: a linked list of tokens and a heap of possible merges.
//!
//! The heap gives the lowest rank, the leftmost of equal ones. An entry is stale when the token it
//! begins at is gone or the pair there has changed; since tokens only grow, a changed pair ends
//! elsewhere. Each merge puts at most two new entries on the heap: `n log n` in all, whatever the
//! text. A token stands at the place of its first byte, as in `line.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::rules::{NO_RANK, Rules};
use crate::token::TokenId;
use crate::vocab::Part;

/// The state of one stretch; its allocations are used again for the next.
#[derive(Default)]
pub(super) struct Heap {
    links: Vec<Link>,
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Clone, Copy)]
struct Link {
    /// Its id is `GONE` when the token was merged into the one before it.
    token: Part,
    /// Where the token before begins; anything at the first.
    before: usize,
    /// Where the next begins, or the end.
    next: usize,
}

/// A possible merge. The order of the fields is the order of merging.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: u32,
    at: usize,
    /// Where the merged token will end.
    end: usize,
}

/// No id.
const GONE: TokenId = TokenId::MAX;

impl Heap {
    /// Merges `piece`, which is not empty. The tokens are in [`Heap::tokens`] then.
    pub(super) fn merge(&mut self, rules: &Rules, piece: &[u8]) {
        self.links.clear();
        self.links
            .extend(piece.iter().enumerate().map(|(at, &byte)| Link {
                token: rules.bytes[usize::from(byte)],
                before: at.wrapping_sub(1),
                next: at + 1,
            }));
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.clear();
        entries.extend(piece.windows(2).enumerate().filter_map(|(at, bytes)| {
            let rank = rules.byte_rank(bytes[0], bytes[1]);
            let end = at + 2;
            (rank != NO_RANK).then_some(Reverse(Entry { rank, at, end }))
        }));
        self.heap = BinaryHeap::from(entries);

        while let Some(Reverse(entry)) = self.heap.pop() {
            let Link {
                token,
                before,
                next,
            } = self.links[entry.at];
            if token.id == GONE || next == piece.len() || self.links[next].next != entry.end {
                continue;
            }
            let merged = rules.merged(entry.rank, token, self.links[next].token);
            self.links[next].token.id = GONE;
            self.links[entry.at].token = merged;
            self.links[entry.at].next = entry.end;
            if let Some(behind) = self.links.get_mut(entry.end) {
                behind.before = entry.at;
            }
            for at in [before, entry.at] {
                let Some(&Link { token, next, .. }) = self.links.get(at) else {
                    continue;
                };
                let Some(&Link {
                    token: right,
                    next: end,
                    ..
                }) = self.links.get(next)
                else {
                    continue;
                };
                let rank = rules.rank(token, right, piece, at);
                if rank != NO_RANK {
                    self.heap.push(Reverse(Entry { rank, at, end }));
                }
            }
        }
    }

    /// The tokens of the stretch merged last, with the places of their first bytes.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (usize, TokenId)> {
        let links = self.links.iter().map(|link| link.token.id).enumerate();
        links.filter(|&(_, id)| id != GONE)
    }
}

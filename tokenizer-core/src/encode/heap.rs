//! Merging any number of bytes with a linked list of tokens and a heap of candidate merges.
//!
//! The heap yields the candidate with the lowest rank; among equal ranks, the leftmost. A candidate goes
//! stale when one of its two tokens is merged with another token. It stays in the heap and is skipped when
//! popped: its left token is gone, or the pair at its index now ends further right. A merge pushes at most
//! two candidates, so `n` bytes cost `O(n log n)`. Tokens are indexed by the offsets of their first bytes,
//! as in `lockstep.rs`, or of their first symbols.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::merge_rules::{MergeRules, NO_RANK};
use crate::token::TokenId;
use crate::vocab::HashedToken;

/// Merges bytes with a heap. Its allocations are reused.
#[derive(Default)]
pub(super) struct HeapMerger {
    nodes: Vec<Node>,
    heap: BinaryHeap<Reverse<Candidate>>,
}

/// A token in the linked list.
#[derive(Clone, Copy)]
struct Node {
    /// Its id is `GONE` after the token was merged into the previous one.
    token: HashedToken,
    /// Index of the previous token; out of range for the first.
    previous: usize,
    /// Index of the next token; for the last one, the length of the piece.
    next: usize,
}

/// A candidate merge. The derived order, by rank and then by index, is the order in which BPE merges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    /// Index of the left token.
    at: usize,
    /// The end of the merged token.
    end: usize,
}

/// Marks a token that was merged into the previous one.
const GONE: TokenId = TokenId::MAX;

impl HeapMerger {
    /// Merges `piece`, which must not be empty. [`HeapMerger::tokens`] returns the result.
    pub(super) fn merge(&mut self, rules: &MergeRules, piece: &[u8]) {
        self.nodes.clear();
        self.nodes
            .extend(piece.iter().enumerate().map(|(at, &byte)| Node {
                token: rules.bytes[usize::from(byte)],
                previous: at.wrapping_sub(1),
                next: at + 1,
            }));
        let mut candidates = std::mem::take(&mut self.heap).into_vec();
        candidates.clear();
        candidates.extend(piece.windows(2).enumerate().filter_map(|(at, bytes)| {
            let rank = rules.byte_rank(bytes[0], bytes[1]);
            let end = at + 2;
            (rank != NO_RANK).then_some(Reverse(Candidate { rank, at, end }))
        }));
        self.heap = BinaryHeap::from(candidates);
        self.merge_candidates(rules, piece);
    }

    /// Merges a piece given as symbols. Only listed merges apply to them.
    pub(super) fn merge_symbols(
        &mut self,
        rules: &MergeRules,
        symbols: impl Iterator<Item = HashedToken>,
    ) {
        self.nodes.clear();
        self.nodes
            .extend(symbols.enumerate().map(|(at, token)| Node {
                token,
                previous: at.wrapping_sub(1),
                next: at + 1,
            }));
        let mut candidates = std::mem::take(&mut self.heap).into_vec();
        candidates.clear();
        candidates.extend(self.nodes.windows(2).enumerate().filter_map(|(at, two)| {
            let rank = rules.rank_of_ids(two[0].token.id, two[1].token.id);
            let end = at + 2;
            (rank != NO_RANK).then_some(Reverse(Candidate { rank, at, end }))
        }));
        self.heap = BinaryHeap::from(candidates);
        self.merge_candidates(rules, &[]);
    }

    /// Merges until no candidate is left. `piece` is ignored for listed merges.
    fn merge_candidates(&mut self, rules: &MergeRules, piece: &[u8]) {
        while let Some(Reverse(candidate)) = self.heap.pop() {
            let Node {
                token,
                previous,
                next,
            } = self.nodes[candidate.at];
            if token.id == GONE
                || next == self.nodes.len()
                || self.nodes[next].next != candidate.end
            {
                continue;
            }
            let merged = rules.merged(candidate.rank, token, self.nodes[next].token);
            self.nodes[next].token.id = GONE;
            self.nodes[candidate.at].token = merged;
            self.nodes[candidate.at].next = candidate.end;
            if let Some(after) = self.nodes.get_mut(candidate.end) {
                after.previous = candidate.at;
            }
            for at in [previous, candidate.at] {
                let Some(&Node { token, next, .. }) = self.nodes.get(at) else {
                    continue;
                };
                let Some(&Node {
                    token: right,
                    next: end,
                    ..
                }) = self.nodes.get(next)
                else {
                    continue;
                };
                let rank = rules.rank(token, right, piece, at);
                if rank != NO_RANK {
                    self.heap.push(Reverse(Candidate { rank, at, end }));
                }
            }
        }
    }

    /// The tokens of the last merge, with the offsets of their first bytes or symbols.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (usize, TokenId)> {
        let nodes = self.nodes.iter().map(|node| node.token.id).enumerate();
        nodes.filter(|&(_, id)| id != GONE)
    }
}

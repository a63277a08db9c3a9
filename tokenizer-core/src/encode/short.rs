//! Merging a short piece: look along the line for the lowest rank, merge, look again.
//!
//! The rank of every adjacent pair is kept beside its left token, so a merge asks the table only
//! for the two pairs that it changes. Quadratic in the length, but a line of a few dozen ranks is
//! a few cache lines, and no other structure is built.

use super::MergeTable;
use crate::token::{Pair, TokenId};

/// The rank of a pair that does not merge.
const NONE: u32 = u32::MAX;

/// The line of one piece; its allocation is used again for the next.
#[derive(Default)]
pub(super) struct ShortPiece {
    line: Vec<Part>,
}

#[derive(Clone, Copy)]
struct Part {
    id: TokenId,
    /// Of this token and the next.
    rank: u32,
    /// What the two become.
    merged: TokenId,
}

impl ShortPiece {
    /// Appends the ids of a piece to `ids`. `symbols` are its bytes as tokens.
    pub(super) fn merge(
        &mut self,
        symbols: impl Iterator<Item = TokenId>,
        merges: &MergeTable,
        ids: &mut Vec<TokenId>,
    ) {
        self.line.clear();
        self.line.extend(symbols.map(|id| Part {
            id,
            rank: NONE,
            merged: 0,
        }));
        for at in 0..self.line.len() {
            self.look_up(at, merges);
        }
        // The first of equal ranks is the leftmost.
        while let Some((at, best)) = self
            .line
            .iter()
            .enumerate()
            .min_by_key(|(_, part)| part.rank)
            && best.rank != NONE
        {
            self.line[at].id = best.merged;
            self.line.remove(at + 1);
            self.look_up(at, merges);
            if at > 0 {
                self.look_up(at - 1, merges);
            }
        }
        ids.extend(self.line.iter().map(|part| part.id));
    }

    /// Sets the rank of the pair that begins at `at`.
    fn look_up(&mut self, at: usize, merges: &MergeTable) {
        let next = self.line.get(at + 1).map(|next| next.id);
        let part = &mut self.line[at];
        let merge = next.and_then(|next| merges.get(&Pair::new(part.id, next)));
        (part.rank, part.merged) = merge.copied().unwrap_or((NONE, 0));
    }
}

//! Merging stretches of up to 64 bytes, eight at a time.
//!
//! Everything is at the place of a token's first byte: its id, and the rank at which it merges with
//! the next. One word of bits says at which bytes tokens begin, so the next token, the one before
//! and the end of a token are each found with one instruction, and nothing is ever moved.
//!
//! A rank is kept as a key, shifted up with its place in the lowest six bits. The smallest key is
//! then the lowest rank, the leftmost of equal ones, and says where it is: one minimum over up to
//! 64 words, four of the widest vectors.
//!
//! **Latency.** A merge takes the minimum and two look-ups of ranks, a cache line each, mostly a cold one.
//! So eight stretches are merged in turn: each starts its look-ups (a prefetch) and finishes them when its
//! turn comes again.
//!
//! **Verification.** The ranks of new pairs are lower bounds (`hash_index.rs`). If every merge that was made
//! had its exact rank, each was the lowest, since all other keys are lower bounds. So only the merges made
//! are verified, when all are done; on a failure, in some ten thousand stretches, the heap merges the stretch.
//!
//! Tried: two independent merges per step. Not faster.

use std::ops::Range;

use super::rules::{NO_RANK, Rules};
use crate::simd::{Kernel, Simd, Tier};
use crate::token::TokenId;
use crate::vocab::Part;

/// Bytes that a line holds.
pub(super) const LINE: usize = 64;

/// Stretches that are merged in turn.
const LINES: usize = 8;

/// A stretch of a text to merge.
pub(super) struct Job {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where its ids are, when they are known.
    pub(super) ids: Option<Range<usize>>,
}

impl Job {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let ids = None;
        Job { start, end, ids }
    }
}

/// See the module. Their memory is used again.
pub(super) struct Lines {
    lines: Box<[Line; LINES]>,
    tier: Tier,
}

impl Lines {
    pub(super) fn new(tier: Tier) -> Self {
        let lines = [const { Line::NEW }; LINES];
        Lines {
            lines: Box::new(lines),
            tier,
        }
    }

    /// Merges the jobs of up to 64 bytes whose ids are not known, and appends their ids to `ids`. Those of
    /// a job remain unknown if a rank was not that of its pair: then it has to be merged elsewhere.
    pub(super) fn merge(
        &mut self,
        rules: &Rules,
        text: &[u8],
        jobs: &mut [Job],
        ids: &mut Vec<TokenId>,
    ) {
        let lines = &mut self.lines;
        self.tier.run(MergeJobs {
            lines,
            rules,
            text,
            jobs,
            ids,
        });
    }

    /// Merges one stretch of up to 64 bytes; its tokens, with the places of their first bytes. `None` if a
    /// rank was not that of its pair.
    pub(super) fn merge_one(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
    ) -> Option<impl Iterator<Item = (usize, TokenId)>> {
        let line = &mut self.lines[0];
        self.tier.run(MergeOne {
            line: &mut *line,
            rules,
            bytes,
        });
        line.is_right(rules, bytes).then(|| line.tokens())
    }
}

/// See [`Lines::merge`].
struct MergeJobs<'m> {
    lines: &'m mut [Line; LINES],
    rules: &'m Rules,
    text: &'m [u8],
    jobs: &'m mut [Job],
    ids: &'m mut Vec<TokenId>,
}

impl Kernel for MergeJobs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let MergeJobs {
            rules, text, ids, ..
        } = self;
        let is_due = |job: &Job| job.ids.is_none() && job.end - job.start <= LINE;
        let mut jobs = self.jobs.iter_mut().filter(|job| is_due(job));
        let mut lines: [(&mut Line, Option<&mut Job>); LINES] =
            self.lines.each_mut().map(|line| (line, None));
        loop {
            let mut busy = false;
            for (line, current) in &mut lines {
                if let Some(job) = current {
                    busy = true;
                    if line.step(simd, rules) {
                        continue;
                    }
                    if line.is_right(rules, &text[job.start..job.end]) {
                        let first = ids.len();
                        ids.extend(line.tokens().map(|(_, id)| id));
                        job.ids = Some(first..ids.len());
                    }
                }
                *current = jobs.next();
                if let Some(job) = current {
                    busy = true;
                    line.start(rules, &text[job.start..job.end]);
                }
            }
            if !busy {
                return;
            }
        }
    }
}

/// See [`Lines::merge_one`].
struct MergeOne<'m> {
    line: &'m mut Line,
    rules: &'m Rules,
    bytes: &'m [u8],
}

impl Kernel for MergeOne<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.line.start(self.rules, self.bytes);
        while self.line.step(simd, self.rules) {}
    }
}

/// A stretch that is being merged.
struct Line {
    length: usize,
    parts: [Part; LINE],
    keys: [u32; LINE],
    /// The bytes where tokens begin.
    begins: u64,
    /// Look-ups that were started: of the pair at a place.
    sought: [Option<(u64, u32)>; 2],
    made: [Made; LINE],
    merges: usize,
}

/// A merge that was made, to be verified.
#[derive(Clone, Copy)]
struct Made {
    rank: u32,
    left: TokenId,
    right: TokenId,
    /// Where its token begins.
    at: u16,
    /// Bytes of its token.
    length: u16,
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// How far a rank is shifted.
const PLACE_BITS: u32 = LINE.trailing_zeros();

impl Line {
    const NEW: Self = Line {
        length: 0,
        parts: [Part::NONE; LINE],
        keys: [NO_KEY; LINE],
        begins: 0,
        sought: [None; 2],
        made: [Made {
            rank: 0,
            left: 0,
            right: 0,
            at: 0,
            length: 0,
        }; LINE],
        merges: 0,
    };

    /// Begins with a stretch of 1 to 64 bytes.
    #[inline(always)]
    fn start(&mut self, rules: &Rules, bytes: &[u8]) {
        assert!((1..=LINE).contains(&bytes.len()));
        self.length = bytes.len();
        self.begins = u64::MAX >> (LINE - bytes.len());
        self.sought = [None; 2];
        self.merges = 0;
        // Up to a multiple of 16.
        let last = (bytes.len() - 1) / 16 * 16;
        self.keys[last..last + 16].fill(NO_KEY);
        self.parts[0] = rules.bytes[usize::from(bytes[0])];
        for (at, two) in bytes.windows(2).enumerate() {
            self.parts[at + 1] = rules.bytes[usize::from(two[1])];
            self.keys[at] = key(rules.byte_rank(two[0], two[1]), at as u32);
        }
    }

    /// Finishes the look-ups, makes the next merge and starts its look-ups; `false` if there is none.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, rules: &Rules) -> bool {
        let [right, left] = self.sought;
        self.finish(rules, right);
        self.finish(rules, left);
        let lowest = simd.smallest(&self.keys, self.length);
        if lowest == NO_KEY {
            return false;
        }
        let at = lowest % LINE as u32;
        let behind = self.begins & (u64::MAX << at) & !(1 << at);
        let next = behind & behind.wrapping_neg();
        let behind = behind ^ next;
        let second = next.trailing_zeros() as usize % LINE;
        let (left, right) = (self.parts[at as usize], self.parts[second]);
        let rank = lowest >> PLACE_BITS;
        rules.prefetch_rank(rank);
        let token = rules.merged(rank, left, right);
        // There are fewer merges than bytes.
        self.made[self.merges % LINE] = Made {
            rank,
            left: left.id,
            right: right.id,
            at: at as u16,
            length: token.length as u16,
        };
        self.merges += 1;
        let ahead = self.begins & ((1 << at) - 1);
        self.sought = [
            (behind != 0).then(|| {
                let right = self.parts[behind.trailing_zeros() as usize % LINE];
                (rules.seek(token, right), at)
            }),
            (ahead != 0).then(|| {
                let before = ahead.ilog2();
                (rules.seek(self.parts[before as usize], token), before)
            }),
        ];
        self.keys[second] = NO_KEY;
        self.keys[at as usize] = NO_KEY;
        self.parts[at as usize] = token;
        self.begins ^= next;
        true
    }

    /// Finishes a look-up.
    #[inline(always)]
    fn finish(&mut self, rules: &Rules, sought: Option<(u64, u32)>) {
        if let Some((hash, at)) = sought {
            self.keys[at as usize % LINE] = key(rules.lowest_rank(hash), at);
        }
    }

    /// Whether all ranks were those of their pairs.
    #[inline(always)]
    fn is_right(&self, rules: &Rules, bytes: &[u8]) -> bool {
        // With room behind the last byte for loads of 16 bytes.
        let mut padded = [0; LINE + 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.made[..self.merges].iter().all(|made| {
            let (at, length) = (usize::from(made.at), usize::from(made.length));
            // Two bytes have a table of their own, which is exact.
            length == 2 || rules.is_rank(made.rank, (made.left, made.right), &padded, at, length)
        })
    }

    /// The tokens, with the places of their first bytes.
    #[inline(always)]
    fn tokens(&self) -> impl Iterator<Item = (usize, TokenId)> {
        let mut begins = self.begins;
        std::iter::from_fn(move || {
            let at = begins.trailing_zeros() as usize;
            let part = self.parts.get(at)?;
            begins &= begins - 1;
            Some((at, part.id))
        })
    }
}

#[inline(always)]
fn key(rank: u32, at: u32) -> u32 {
    // The rank of no merge, shifted, is all ones above the place.
    let _: () = const { assert!(NO_RANK << PLACE_BITS | (LINE as u32 - 1) == NO_KEY) };
    match rank {
        NO_RANK => NO_KEY,
        rank => rank << PLACE_BITS | at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::merge::Merger;
    use super::*;
    use crate::model::Model;
    use crate::pattern::{Pattern, PatternName};
    use crate::reference;
    use std::sync::Arc;

    /// Ids up to the highest one leave seven bits for tags, so bounds are often too low.
    #[test]
    fn stretches_with_wrong_bounds_are_merged_all_the_same() {
        let mut random = 1_u64;
        let mut next = |limit: u64| {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (random >> 33) % limit
        };
        let mut any_bytes = |longest: u64| -> Vec<u8> {
            let length = 2 + next(longest - 1);
            (0..length).map(|_| b'a' + next(6) as u8).collect()
        };
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        for _ in 0..4000 {
            let token = any_bytes(6);
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        let ids = (0..).step_by((1 << 24) / tokens.len());
        let ranks = tokens.iter().map(Vec::as_slice).zip(ids);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = Rules::new(Arc::new(model));
        let vocab = rules.vocab();
        for tier in Tier::available() {
            let mut lines = Lines::new(tier);
            let mut merger = Merger::new(tier);
            let mut wrong = 0;
            for _ in 0..3000 {
                let piece = any_bytes(LINE as u64);
                let bytes = piece
                    .iter()
                    .map(|&byte| vocab.byte_ids()[usize::from(byte)]);
                let want = reference::merge_piece(bytes.collect(), |pair| {
                    let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                    vocab.id(&joined).map(|id| (id, id))
                });
                match lines.merge_one(&rules, &piece) {
                    Some(merged) => assert!(merged.map(|(_, id)| id).eq(want.iter().copied())),
                    None => wrong += 1,
                }
                let mut got = Vec::new();
                assert!(merger.merge(&rules, &piece, &mut got, None));
                assert_eq!(got, want);
            }
            assert!((1..3000).contains(&wrong), "{wrong}");
        }
    }
}

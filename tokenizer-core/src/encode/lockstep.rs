//! Merging byte ranges of up to 64 bytes, eight in lockstep.
//!
//! A lane holds one range in two fixed arrays, indexed by the offsets of the first bytes of tokens: the
//! tokens, and the rank at which each merges with the next one. A 64-bit mask marks these offsets, so one
//! bit instruction finds the next or previous token, and a merge moves nothing.
//!
//! A rank is stored as a key: the rank shifted left by six bits, and the index of the left token in the low
//! bits. The minimum of all keys (four of the widest vectors) then yields the lowest rank and the index of
//! the leftmost pair that has it.
//!
//! **Latency.** A merge takes one minimum and two rank look-ups. Each look-up reads one cache line, usually a
//! cold one. So eight lanes take turns: each prefetches its look-ups, and completes them in its next turn.
//!
//! **Verification.** The ranks of new pairs are lower bounds (`hash_index.rs`). If the pair of every merge
//! had exactly the rank at which it was merged, this rank was the lowest each time, because the keys of all
//! other pairs were lower bounds. So only the merges performed are verified, after the last one. If one
//! fails (in about one range in ten thousand), the heap merges the range again.

use std::ops::Range;

use super::merge_rules::{MergeRules, NO_RANK};
use crate::simd::{Kernel, Simd, Tier};
use crate::token::TokenId;
use crate::vocab::HashedToken;

/// Capacity of a lane in bytes.
pub(super) const LANE_BYTES: usize = 64;

/// Number of ranges that are merged concurrently, taking turns.
const LANES: usize = 8;

/// A byte range to merge.
pub(super) struct MergeJob {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The position of the job's ids in the output, once they are known.
    pub(super) ids: Option<Range<usize>>,
}

impl MergeJob {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let ids = None;
        MergeJob { start, end, ids }
    }
}

/// Merges short byte ranges. Its lanes are reused.
pub(super) struct LockstepMerger {
    lanes: Box<[Lane; LANES]>,
    tier: Tier,
}

impl LockstepMerger {
    pub(super) fn new(tier: Tier) -> Self {
        let lanes = [const { Lane::EMPTY }; LANES];
        LockstepMerger {
            lanes: Box::new(lanes),
            tier,
        }
    }

    /// Merges the jobs of up to 64 bytes whose ids are not known, and appends their ids to `ids`. A job
    /// that fails verification keeps `ids: None`, and the caller must merge it by other means.
    pub(super) fn merge(
        &mut self,
        rules: &MergeRules,
        text: &[u8],
        jobs: &mut [MergeJob],
        ids: &mut Vec<TokenId>,
    ) {
        let lanes = &mut self.lanes;
        self.tier.run(MergeJobs {
            lanes,
            rules,
            text,
            jobs,
            ids,
        });
    }

    /// Merges one range of up to 64 bytes. Returns its tokens with the offsets of their first bytes, or
    /// `None` if verification fails.
    pub(super) fn merge_one(
        &mut self,
        rules: &MergeRules,
        bytes: &[u8],
    ) -> Option<impl Iterator<Item = (usize, TokenId)>> {
        let lane = &mut self.lanes[0];
        self.tier.run(MergeOne {
            lane: &mut *lane,
            rules,
            bytes,
        });
        lane.is_verified(rules, bytes).then(|| lane.tokens())
    }
}

/// The kernel of [`LockstepMerger::merge`].
struct MergeJobs<'m> {
    lanes: &'m mut [Lane; LANES],
    rules: &'m MergeRules,
    text: &'m [u8],
    jobs: &'m mut [MergeJob],
    ids: &'m mut Vec<TokenId>,
}

impl Kernel for MergeJobs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let MergeJobs {
            rules, text, ids, ..
        } = self;
        let is_pending = |job: &MergeJob| job.ids.is_none() && job.end - job.start <= LANE_BYTES;
        let mut jobs = self.jobs.iter_mut().filter(|job| is_pending(job));
        let mut lanes: [(&mut Lane, Option<&mut MergeJob>); LANES] =
            self.lanes.each_mut().map(|lane| (lane, None));
        loop {
            let mut busy = false;
            for (lane, current) in &mut lanes {
                if let Some(job) = current {
                    busy = true;
                    if lane.step(simd, rules) {
                        continue;
                    }
                    if lane.is_verified(rules, &text[job.start..job.end]) {
                        let first = ids.len();
                        ids.extend(lane.tokens().map(|(_, id)| id));
                        job.ids = Some(first..ids.len());
                    }
                }
                *current = jobs.next();
                if let Some(job) = current {
                    busy = true;
                    lane.start(rules, &text[job.start..job.end]);
                }
            }
            if !busy {
                return;
            }
        }
    }
}

/// The kernel of [`LockstepMerger::merge_one`].
struct MergeOne<'m> {
    lane: &'m mut Lane,
    rules: &'m MergeRules,
    bytes: &'m [u8],
}

impl Kernel for MergeOne<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.lane.start(self.rules, self.bytes);
        while self.lane.step(simd, self.rules) {}
    }
}

/// A byte range that is being merged.
struct Lane {
    length: usize,
    /// Tokens by the offset of their first byte.
    tokens: [HashedToken; LANE_BYTES],
    /// The key of each token's merge with the next token.
    keys: [u32; LANE_BYTES],
    /// Bit mask of the first bytes of tokens.
    starts: u64,
    /// Rank look-ups in flight: the hash of a pair, and the index of its left token.
    pending: [Option<(u64, u32)>; 2],
    merges: [Merged; LANE_BYTES],
    merge_count: usize,
}

/// A merge that was performed, to be verified.
#[derive(Clone, Copy)]
struct Merged {
    rank: u32,
    left: TokenId,
    right: TokenId,
    /// The offset of the new token's first byte.
    at: u16,
    /// Length of the new token in bytes.
    length: u16,
}

/// The key of a pair that does not merge.
const NO_KEY: u32 = u32::MAX;

/// Number of low bits of a key that hold the index.
const INDEX_BITS: u32 = LANE_BYTES.trailing_zeros();

impl Lane {
    const EMPTY: Self = Lane {
        length: 0,
        tokens: [HashedToken::NONE; LANE_BYTES],
        keys: [NO_KEY; LANE_BYTES],
        starts: 0,
        pending: [None; 2],
        merges: [Merged {
            rank: 0,
            left: 0,
            right: 0,
            at: 0,
            length: 0,
        }; LANE_BYTES],
        merge_count: 0,
    };

    /// Loads a range of 1 to 64 bytes.
    #[inline(always)]
    fn start(&mut self, rules: &MergeRules, bytes: &[u8]) {
        assert!((1..=LANE_BYTES).contains(&bytes.len()));
        self.length = bytes.len();
        self.starts = u64::MAX >> (LANE_BYTES - bytes.len());
        self.pending = [None; 2];
        self.merge_count = 0;
        // `smallest` reads the keys up to the next multiple of 16.
        let last = (bytes.len() - 1) / 16 * 16;
        self.keys[last..last + 16].fill(NO_KEY);
        self.tokens[0] = rules.bytes[usize::from(bytes[0])];
        for (at, two) in bytes.windows(2).enumerate() {
            self.tokens[at + 1] = rules.bytes[usize::from(two[1])];
            self.keys[at] = key(rules.byte_rank(two[0], two[1]), at as u32);
        }
    }

    /// Completes the look-ups in flight, performs the next merge and starts the look-ups of the two new
    /// pairs. Returns `false` if no pair merges.
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S, rules: &MergeRules) -> bool {
        let [with_next, with_previous] = self.pending;
        self.complete(rules, with_next);
        self.complete(rules, with_previous);
        let lowest = simd.smallest(&self.keys, self.length);
        if lowest == NO_KEY {
            return false;
        }
        let at = lowest % LANE_BYTES as u32;
        let after = self.starts & (u64::MAX << at) & !(1 << at);
        let next = after & after.wrapping_neg();
        let after = after ^ next;
        let second = next.trailing_zeros() as usize % LANE_BYTES;
        let (left, right) = (self.tokens[at as usize], self.tokens[second]);
        let rank = lowest >> INDEX_BITS;
        rules.prefetch_rank(rank);
        let token = rules.merged(rank, left, right);
        // The index never wraps: there are fewer merges than bytes.
        self.merges[self.merge_count % LANE_BYTES] = Merged {
            rank,
            left: left.id,
            right: right.id,
            at: at as u16,
            length: token.length as u16,
        };
        self.merge_count += 1;
        let before = self.starts & ((1 << at) - 1);
        self.pending = [
            (after != 0).then(|| {
                let next_token = self.tokens[after.trailing_zeros() as usize % LANE_BYTES];
                (rules.hash_and_prefetch(token, next_token), at)
            }),
            (before != 0).then(|| {
                let previous = before.ilog2();
                (
                    rules.hash_and_prefetch(self.tokens[previous as usize], token),
                    previous,
                )
            }),
        ];
        self.keys[second] = NO_KEY;
        self.keys[at as usize] = NO_KEY;
        self.tokens[at as usize] = token;
        self.starts ^= next;
        true
    }

    /// Completes a look-up and stores its key.
    #[inline(always)]
    fn complete(&mut self, rules: &MergeRules, pending: Option<(u64, u32)>) {
        if let Some((hash, at)) = pending {
            self.keys[at as usize % LANE_BYTES] = key(rules.lowest_rank(hash), at);
        }
    }

    /// Returns whether every merge had the exact rank of its pair.
    #[inline(always)]
    fn is_verified(&self, rules: &MergeRules, bytes: &[u8]) -> bool {
        // Padded, because a comparison loads 16 bytes from the start of a token.
        let mut padded = [0; LANE_BYTES + 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.merges[..self.merge_count].iter().all(|merge| {
            let (at, length) = (usize::from(merge.at), usize::from(merge.length));
            // The table of byte pairs is exact.
            length == 2 || rules.is_rank(merge.rank, (merge.left, merge.right), &padded, at, length)
        })
    }

    /// The tokens, with the offsets of their first bytes.
    #[inline(always)]
    fn tokens(&self) -> impl Iterator<Item = (usize, TokenId)> {
        let mut starts = self.starts;
        std::iter::from_fn(move || {
            let at = starts.trailing_zeros() as usize;
            let token = self.tokens.get(at)?;
            starts &= starts - 1;
            Some((at, token.id))
        })
    }
}

#[inline(always)]
fn key(rank: u32, at: u32) -> u32 {
    // `NO_RANK`, shifted, has all bits set above the index.
    let _: () = const { assert!(NO_RANK << INDEX_BITS | (LANE_BYTES as u32 - 1) == NO_KEY) };
    match rank {
        NO_RANK => NO_KEY,
        rank => rank << INDEX_BITS | at,
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

    /// Ids up to 2^24 leave seven bits for the tags of the index, so many lower bounds are not exact.
    #[test]
    fn ranges_with_wrong_rank_bounds_are_merged_correctly() {
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
        let rules = MergeRules::new(Arc::new(model));
        let vocab = rules.vocab();
        for tier in Tier::available() {
            let mut lockstep = LockstepMerger::new(tier);
            let mut merger = Merger::new(tier);
            let mut wrong = 0;
            for _ in 0..3000 {
                let piece = any_bytes(LANE_BYTES as u64);
                let bytes = piece
                    .iter()
                    .map(|&byte| vocab.byte_ids()[usize::from(byte)].unwrap());
                let want = reference::merge_piece(bytes.collect(), |pair| {
                    let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                    vocab.id(&joined).map(|id| (id, id))
                });
                match lockstep.merge_one(&rules, &piece) {
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

//! Merging a stretch as runs of equal tokens: run-length encoded BPE.
//!
//! **The idea.** A thousand dashes are one run. The lowest rank is looked up once for each two
//! neighbouring runs, and one pass over the runs then merges every pair of that rank from left to
//! right, so a thousand dashes take a few dozen steps instead of a thousand.
//!
//! **Why that is exact.** BPE merges the leftmost pair of the lowest rank next. If no pair that a
//! merge creates, not even for a moment, has that rank or a lower one, all pairs of that rank are
//! merged from left to right before any other. A pass checks each pair that it creates and gives up
//! otherwise, which trained tables never cause.
//!
//! **Cost.** Four look-ups for a run and pass, so a stretch without repetitions is slower than on the
//! heap (`heap.rs`). Passes have to pay with merges: a stretch that repeats up to 16 bytes loses one
//! sixteenth of its tokens at least in each pass until it is a run; prose fails the test after two.

use std::ops::Range;

use super::pair_ranks::PairRanks;
use super::rules::{NO_RANK, Rules};
use crate::model::Model;
use crate::token::TokenId;

/// The state of one stretch; its allocations are used again for the next.
#[derive(Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// The runs before the pass.
    before: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Run {
    id: TokenId,
    /// At least 1.
    count: u32,
}

/// Runs that a pass may read for each token that passes have merged away.
const RUNS_PER_MERGE: usize = 16;

impl Runs {
    /// Merges `text[stretch]`, which is not empty. If it returns true, the tokens are in
    /// [`Runs::tokens`]; otherwise the stretch has too few repetitions, or the order of the ranks
    /// demands single steps.
    pub(super) fn merge(
        &mut self,
        rules: &Rules,
        model: &Model,
        pairs: &mut PairRanks,
        text: &[u8],
        stretch: Range<usize>,
    ) -> bool {
        let bytes = &text[stretch.clone()];
        if u32::try_from(bytes.len()).is_err() {
            return false;
        }
        let byte_ids = model.vocab().byte_ids();
        let single_bytes = bytes.chunk_by(|one, next| one == next).map(|run| Run {
            id: byte_ids[usize::from(run[0])],
            count: run.len() as u32,
        });
        let byte_ranks = bytes.windows(2).map(|two| rules.byte_rank(two[0], two[1]));
        let mut pass = Pass {
            lowest: byte_ranks.min().unwrap_or(NO_RANK),
            start: stretch.start,
            at: stretch.start,
            merges: 0,
            rules,
            model,
            pairs,
            text,
        };
        self.runs.clear();
        if pass.lowest == NO_RANK {
            self.runs.extend(single_bytes);
            return true;
        }
        // The runs of single bytes are not stored: of 50 MB they would take 400.
        if !pass.merge(single_bytes, &mut self.runs) {
            return false;
        }
        let mut read = bytes.len();
        loop {
            pass.lowest = pass.lowest_rank(&self.runs);
            if pass.lowest == NO_RANK {
                return true;
            }
            read += self.runs.len();
            if read > bytes.len() + RUNS_PER_MERGE * pass.merges {
                return false;
            }
            std::mem::swap(&mut self.runs, &mut self.before);
            self.runs.clear();
            if !pass.merge(self.before.iter().copied(), &mut self.runs) {
                return false;
            }
        }
    }

    /// The tokens of the stretch merged last, with the places of their first bytes.
    pub(super) fn tokens<'m>(
        &'m self,
        model: &'m Model,
    ) -> impl Iterator<Item = (usize, TokenId)> + 'm {
        let ids = self
            .runs
            .iter()
            .flat_map(|run| (0..run.count).map(|_| run.id));
        ids.scan(0, |end, id| {
            let place = *end;
            *end += length(model, id);
            Some((place, id))
        })
    }
}

/// Merges all pairs of one rank.
struct Pass<'m> {
    /// The rank, which is the lowest of all pairs.
    lowest: u32,
    /// Where the stretch begins.
    start: usize,
    /// Where the next run to be read begins.
    at: usize,
    /// How many merges all passes made.
    merges: usize,
    rules: &'m Rules,
    model: &'m Model,
    pairs: &'m mut PairRanks,
    text: &'m [u8],
}

impl Pass<'_> {
    /// The rank of two tokens that touch at `border`.
    #[inline(always)]
    fn rank(&mut self, left: TokenId, right: TokenId, border: usize) -> u32 {
        let joined = border - length(self.model, left)..border + length(self.model, right);
        (self.pairs).rank(self.rules, self.model, (left, right), self.text, joined)
    }

    /// The lowest rank of two tokens that touch.
    fn lowest_rank(&mut self, runs: &[Run]) -> u32 {
        let mut end = self.start;
        let mut lowest = NO_RANK;
        for (run, next) in runs.iter().zip(runs.iter().skip(1).map(Some).chain([None])) {
            let length = length(self.model, run.id);
            if run.count > 1 {
                lowest = lowest.min(self.rank(run.id, run.id, end + length));
            }
            end += run.count as usize * length;
            if let Some(next) = next {
                lowest = lowest.min(self.rank(run.id, next.id, end));
            }
        }
        lowest
    }

    /// Appends the runs that merging makes of `runs` to `merged`. Says whether no pair that came up
    /// should have been merged earlier.
    fn merge(&mut self, runs: impl Iterator<Item = Run>, merged: &mut Vec<Run>) -> bool {
        let token = self.rules.token(self.model, self.lowest);
        self.at = self.start;
        let mut runs = runs.peekable();
        while let Some(mut run) = runs.next() {
            let length = length(self.model, run.id);
            if let Some(last) = merged.last_mut()
                && self.rank(last.id, run.id, self.at) == self.lowest
            {
                last.count -= 1;
                if last.count == 0 {
                    merged.pop();
                }
                self.at += length;
                run.count -= 1;
                let next = (run.count > 0).then_some(&run).or_else(|| runs.peek());
                let next = next.map(|next| next.id);
                if !self.push_merged(token, 1, next, merged) {
                    return false;
                }
            }
            if run.count > 1 && self.rank(run.id, run.id, self.at + length) == self.lowest {
                let made = run.count / 2;
                run.count %= 2;
                self.at += 2 * length;
                // While a pair of the run is left, its first token is behind the merged one.
                if made > 1 && self.rank(token, run.id, self.at) <= self.lowest {
                    return false;
                }
                self.at += 2 * length * (made as usize - 1);
                let next = (run.count > 0).then_some(&run).or_else(|| runs.peek());
                let next = next.map(|next| next.id);
                if !self.push_merged(token, made, next, merged) {
                    return false;
                }
            }
            if run.count > 0 {
                self.at += run.count as usize * length;
                push(run, merged);
            }
        }
        true
    }

    /// Appends merged tokens, which end at `self.at`. Says whether none of them merges with another,
    /// or with the token before or the next one, as early as they were merged.
    fn push_merged(
        &mut self,
        id: TokenId,
        count: u32,
        next: Option<TokenId>,
        merged: &mut Vec<Run>,
    ) -> bool {
        self.merges += count as usize;
        let length = length(self.model, id);
        let begin = self.at - count as usize * length;
        let mut lowest = NO_RANK;
        if let Some(last) = merged.last() {
            lowest = lowest.min(self.rank(last.id, id, begin));
        }
        if count > 1 {
            lowest = lowest.min(self.rank(id, id, begin + length));
        }
        if let Some(next) = next {
            lowest = lowest.min(self.rank(id, next, self.at));
        }
        push(Run { id, count }, merged);
        lowest > self.lowest
    }
}

/// Appends a run, to the last one if that has the same token.
fn push(run: Run, runs: &mut Vec<Run>) {
    match runs.last_mut() {
        Some(last) if last.id == run.id => last.count += run.count,
        _ => runs.push(run),
    }
}

/// Bytes of a token.
#[inline(always)]
fn length(model: &Model, id: TokenId) -> usize {
    model.vocab().token(id).map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::super::heap::Heap;
    use super::super::long::Merger;
    use super::*;
    use crate::arch::Tier;
    use crate::reference;
    use crate::split::{Pattern, PatternName};
    use proptest::prelude::*;

    /// One unit many times.
    fn any_run(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        let unit =
            prop::sample::select(&["a", "a", "b", "ab", "abc", "的", "abcdefghijklmnopq"][..]);
        (unit, 1..=longest).prop_map(|(unit, bytes)| unit.bytes().cycle().take(bytes).collect())
    }

    fn any_text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any_run(longest), 1..6).prop_map(|runs| runs.concat())
    }

    /// Tokens that are runs, in the order of their lengths, as trained, or in any order.
    fn any_model() -> impl Strategy<Value = Model> {
        let tokens = prop::collection::hash_set(any_text(40), 0..60);
        (tokens, 0..14_u32, any::<bool>()).prop_map(|(tokens, doublings, sorted)| {
            let mut tokens: Vec<Vec<u8>> = tokens.into_iter().collect();
            tokens.extend((1..doublings).map(|power| vec![b'a'; 1 << power]));
            tokens.extend((1..doublings).map(|power| b"ab".repeat(1 << power >> 1)));
            if sorted {
                tokens.sort_by_key(Vec::len);
            }
            let mut all: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
            for token in tokens {
                if !all.contains(&token) {
                    all.push(token);
                }
            }
            let ranks = all.iter().map(Vec::as_slice).zip(0..);
            Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap()
        })
    }

    fn ids(tokens: impl Iterator<Item = (usize, TokenId)>) -> Vec<TokenId> {
        tokens.map(|(_, id)| id).collect()
    }

    fn by_definition(model: &Model, text: &[u8]) -> Vec<TokenId> {
        let vocab = model.vocab();
        let bytes = text.iter().map(|&byte| vocab.byte_ids()[usize::from(byte)]);
        reference::merge_piece(bytes.collect(), |pair| {
            let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
            vocab.id(&joined).map(|id| (id, id))
        })
    }

    proptest! {
        #[test]
        fn tokens_are_those_of_the_definition(model in any_model(), text in any_text(90)) {
            let rules = Rules::new(&model);
            let want = by_definition(&model, &text);
            let mut runs = Runs::default();
            let mut pairs = PairRanks::new();
            if runs.merge(&rules, &model, &mut pairs, &text, 0..text.len()) {
                let tokens: Vec<_> = runs.tokens(&model).collect();
                let mut place = 0;
                for &(at, id) in &tokens {
                    prop_assert_eq!(at, place);
                    place += model.vocab().token(id).unwrap().len();
                }
                prop_assert_eq!(&ids(tokens.into_iter()), &want);
            }
            let mut heap = Heap::default();
            heap.merge(&rules, &model, &mut pairs, &text, 0..text.len());
            prop_assert_eq!(ids(heap.tokens()), want);
        }

        #[test]
        fn windows_of_long_runs_are_put_together_as_one(
            model in any_model(),
            text in prop_oneof![any_text(5_000), any_text(700), any_run(40_000)],
        ) {
            let rules = Rules::new(&model);
            let mut heap = Heap::default();
            heap.merge(&rules, &model, &mut PairRanks::new(), &text, 0..text.len());
            let mut merger = Merger::new(Tier::best());
            for _ in 0..2 {
                let mut got = Vec::new();
                prop_assert!(merger.merge(&rules, &model, &text, 0..text.len(), &mut got, None));
                prop_assert_eq!(got, ids(heap.tokens()));
            }
        }
    }

    #[test]
    fn every_length_of_a_run_is_merged_as_defined() {
        let tables: [Vec<usize>; 4] = [
            (1..=10).map(|power| 1 << power).collect(),
            (2..=90).collect(),
            // The longer first: merging demands single steps.
            (2..=90).rev().collect(),
            vec![3, 2, 5, 4, 12, 9, 24, 8, 7],
        ];
        for lengths in tables {
            let bytes = (0..=255).map(|byte| vec![byte]);
            let runs = lengths.iter().map(|&length| vec![b'-'; length]);
            let tokens: Vec<Vec<u8>> = bytes.chain(runs).collect();
            let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
            let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
            let rules = Rules::new(&model);
            let mut merger = Merger::new(Tier::best());
            for length in (1..260).chain([511, 640, 1023, 1025, 1500, 2047, 3001]) {
                let text = vec![b'-'; length];
                let mut got = Vec::new();
                assert!(merger.merge(&rules, &model, &text, 0..length, &mut got, None));
                assert_eq!(got, by_definition(&model, &text), "{length} of {lengths:?}");
            }
        }
    }

    #[test]
    fn what_repeats_is_merged_as_runs_and_prose_is_not() {
        let tokens = (0..=255).map(|byte| vec![byte]);
        let words = [
            "th", "the", "er", "in", "on", " a", "an", "re", "--", "----", "ab",
        ];
        let tokens: Vec<Vec<u8>> = tokens.chain(words.map(|word| word.into())).collect();
        let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = Rules::new(&model);
        let merge = |text: &[u8]| {
            let pairs = &mut PairRanks::new();
            Runs::default().merge(&rules, &model, pairs, text, 0..text.len())
        };
        assert!(merge(&b"-".repeat(1000)));
        assert!(merge(&b"ab".repeat(1000)));
        assert!(merge(&b"one----------".repeat(100)));
        let prose = b"the rain in an other region ran on there, and then thinner; ";
        assert!(!merge(&prose.repeat(20)));
    }
}

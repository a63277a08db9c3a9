//! Run-length encoded BPE, for bytes with long repetitions.
//!
//! **Idea.** A thousand dashes are one run. Each pass looks up ranks per run instead of per token, and merges
//! all pairs of the lowest rank from left to right. So a thousand dashes take a few dozen steps instead of a
//! thousand.
//!
//! **Proof.** Each step of BPE merges the leftmost pair of the lowest rank. As long as no pair created by a
//! merge, even temporarily, has that rank or a lower one, BPE merges all pairs of that rank from left to
//! right before any other. A pass checks each pair it creates, and fails if its rank is not higher. With a
//! trained vocabulary, this never happens.
//!
//! **Cost.** A pass makes four look-ups per run, so without repetitions it is slower than the heap
//! (`heap.rs`). A limit on the number of runs read per merge rejects such bytes: prose exceeds it after two
//! passes. Bytes with a period of up to 16 do not, since each pass over them removes at least a sixteenth of
//! the tokens.

use super::merge_rules::{MergeRules, NO_RANK};
use crate::token::TokenId;

/// Merges bytes as runs of equal tokens. Its allocations are reused.
#[derive(Default)]
pub(super) struct RunMerger {
    runs: Vec<Run>,
    /// The input of the current pass.
    input: Vec<Run>,
}

/// Equal adjacent tokens.
#[derive(Clone, Copy)]
struct Run {
    id: TokenId,
    /// At least 1.
    count: u32,
}

/// The number of runs that passes may read per merge, on average.
const RUNS_PER_MERGE: usize = 16;

impl RunMerger {
    /// Merges `bytes`, which must not be empty; [`RunMerger::tokens`] returns the result. Returns `false` if
    /// the bytes repeat too little, exceed 4 GiB, or have to be merged one pair at a time.
    pub(super) fn merge(&mut self, rules: &MergeRules, bytes: &[u8]) -> bool {
        if u32::try_from(bytes.len()).is_err() {
            return false;
        }
        let single_bytes = bytes.chunk_by(|one, next| one == next).map(|run| Run {
            id: rules.bytes[usize::from(run[0])].id,
            count: run.len() as u32,
        });
        let byte_ranks = bytes.windows(2).map(|two| rules.byte_rank(two[0], two[1]));
        let mut pass = Pass {
            lowest: byte_ranks.min().unwrap_or(NO_RANK),
            merges: 0,
            rules,
        };
        self.runs.clear();
        if pass.lowest == NO_RANK {
            self.runs.extend(single_bytes);
            return true;
        }
        // The first pass reads runs of single bytes, which are not stored: they would take 8 bytes each.
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
            std::mem::swap(&mut self.runs, &mut self.input);
            self.runs.clear();
            if !pass.merge(self.input.iter().copied(), &mut self.runs) {
                return false;
            }
        }
    }

    /// The tokens of the last merge, with the offsets of their first bytes.
    pub(super) fn tokens<'m>(
        &'m self,
        rules: &'m MergeRules,
    ) -> impl Iterator<Item = (usize, TokenId)> + 'm {
        let ids = self
            .runs
            .iter()
            .flat_map(|run| (0..run.count).map(|_| run.id));
        ids.scan(0, |end, id| {
            let start = *end;
            *end += rules.length(id);
            Some((start, id))
        })
    }
}

/// Merges all pairs of one rank.
struct Pass<'m> {
    /// The lowest rank of all pairs.
    lowest: u32,
    /// The number of merges in all passes.
    merges: usize,
    rules: &'m MergeRules,
}

impl Pass<'_> {
    /// Returns the lowest rank of all pairs of adjacent tokens.
    fn lowest_rank(&self, runs: &[Run]) -> u32 {
        let within = runs.iter().filter(|run| run.count > 1);
        let within = within.map(|run| self.rules.rank_of_ids(run.id, run.id));
        let between = runs.windows(2);
        let between = between.map(|two| self.rules.rank_of_ids(two[0].id, two[1].id));
        within.chain(between).min().unwrap_or(NO_RANK)
    }

    /// Merges all pairs of the lowest rank in `runs` and appends the result to `merged`. Returns `false` if
    /// this created a pair that BPE would have merged earlier.
    fn merge(&mut self, runs: impl Iterator<Item = Run>, merged: &mut Vec<Run>) -> bool {
        let token = self.rules.token(self.lowest);
        let mut runs = runs.peekable();
        while let Some(mut run) = runs.next() {
            if let Some(last) = merged.last_mut()
                && self.rules.rank_of_ids(last.id, run.id) == self.lowest
            {
                last.count -= 1;
                if last.count == 0 {
                    merged.pop();
                }
                run.count -= 1;
                let next = (run.count > 0).then_some(&run).or_else(|| runs.peek());
                let next = next.map(|next| next.id);
                if !self.push_merged(token, 1, next, merged) {
                    return false;
                }
            }
            if run.count > 1 && self.rules.rank_of_ids(run.id, run.id) == self.lowest {
                let pairs = run.count / 2;
                run.count %= 2;
                // After each merge but the last in this run, the new token is followed by one of the run.
                if pairs > 1 && self.rules.rank_of_ids(token, run.id) <= self.lowest {
                    return false;
                }
                let next = (run.count > 0).then_some(&run).or_else(|| runs.peek());
                let next = next.map(|next| next.id);
                if !self.push_merged(token, pairs, next, merged) {
                    return false;
                }
            }
            if run.count > 0 {
                push(run, merged);
            }
        }
        true
    }

    /// Appends `count` new tokens. Returns `false` if the rank of a new pair is not above that of this pass.
    /// New pairs are those of a new token with a new one, with the last token of `merged`, and with `next`.
    fn push_merged(
        &mut self,
        id: TokenId,
        count: u32,
        next: Option<TokenId>,
        merged: &mut Vec<Run>,
    ) -> bool {
        self.merges += count as usize;
        let mut lowest = NO_RANK;
        if let Some(last) = merged.last() {
            lowest = lowest.min(self.rules.rank_of_ids(last.id, id));
        }
        if count > 1 {
            lowest = lowest.min(self.rules.rank_of_ids(id, id));
        }
        if let Some(next) = next {
            lowest = lowest.min(self.rules.rank_of_ids(id, next));
        }
        push(Run { id, count }, merged);
        lowest > self.lowest
    }
}

/// Appends a run, joining it to the last one if both have the same token.
fn push(run: Run, runs: &mut Vec<Run>) {
    match runs.last_mut() {
        Some(last) if last.id == run.id => last.count += run.count,
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use super::super::heap::HeapMerger;
    use super::super::merge::Merger;
    use super::*;
    use crate::model::Model;
    use crate::pattern::{Pattern, PatternName};
    use crate::reference;
    use crate::simd::Tier;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// One unit, repeated; the last repetition may be incomplete.
    fn any_run(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        let unit =
            prop::sample::select(&["a", "a", "b", "ab", "abc", "的", "abcdefghijklmnopq"][..]);
        (unit, 1..=longest).prop_map(|(unit, bytes)| unit.bytes().cycle().take(bytes).collect())
    }

    fn any_text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any_run(longest), 1..6).prop_map(|runs| runs.concat())
    }

    /// Tokens that are runs, sorted by length as in trained vocabularies, or in any order.
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

    fn reference_ids(model: &Model, text: &[u8]) -> Vec<TokenId> {
        let vocab = model.vocab();
        let bytes = text
            .iter()
            .map(|&byte| vocab.byte_ids()[usize::from(byte)].unwrap());
        reference::merge_piece(bytes.collect(), |pair| {
            let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
            vocab.id(&joined).map(|id| (id, id))
        })
    }

    proptest! {
        #[test]
        fn tokens_equal_the_reference(model in any_model(), text in any_text(90)) {
            let rules = MergeRules::new(Arc::new(model.clone()));
            let want = reference_ids(&model, &text);
            let mut runs = RunMerger::default();
            if runs.merge(&rules, &text) {
                let tokens: Vec<_> = runs.tokens(&rules).collect();
                let mut end = 0;
                for &(start, id) in &tokens {
                    prop_assert_eq!(start, end);
                    end += model.vocab().token(id).unwrap().len();
                }
                prop_assert_eq!(&ids(tokens.into_iter()), &want);
            }
            let mut heap = HeapMerger::default();
            heap.merge(&rules, &text);
            prop_assert_eq!(ids(heap.tokens()), want);
        }

        #[test]
        fn windows_of_long_runs_equal_one_merge(
            model in any_model(),
            text in prop_oneof![any_text(5_000), any_text(700), any_run(40_000)],
        ) {
            let rules = MergeRules::new(Arc::new(model.clone()));
            let mut heap = HeapMerger::default();
            heap.merge(&rules, &text);
            let mut merger = Merger::new(Tier::best());
            for _ in 0..2 {
                let mut got = Vec::new();
                prop_assert!(merger.merge(&rules, &text, &mut got, None));
                prop_assert_eq!(got, ids(heap.tokens()));
            }
        }
    }

    #[test]
    fn runs_of_any_length_equal_the_reference() {
        let tables: [Vec<usize>; 4] = [
            (1..=10).map(|power| 1 << power).collect(),
            (2..=90).collect(),
            // Longest first: with these ranks, pairs have to be merged one at a time.
            (2..=90).rev().collect(),
            vec![3, 2, 5, 4, 12, 9, 24, 8, 7],
        ];
        for lengths in tables {
            let bytes = (0..=255).map(|byte| vec![byte]);
            let runs = lengths.iter().map(|&length| vec![b'-'; length]);
            let tokens: Vec<Vec<u8>> = bytes.chain(runs).collect();
            let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
            let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
            let rules = MergeRules::new(Arc::new(model.clone()));
            let mut merger = Merger::new(Tier::best());
            for length in (1..260).chain([511, 640, 1023, 1025, 1500, 2047, 3001]) {
                let text = vec![b'-'; length];
                let mut got = Vec::new();
                assert!(merger.merge(&rules, &text, &mut got, None));
                assert_eq!(got, reference_ids(&model, &text), "{length} of {lengths:?}");
            }
        }
    }

    #[test]
    fn repetitions_are_merged_as_runs_and_prose_is_not() {
        let tokens = (0..=255).map(|byte| vec![byte]);
        let words = [
            "th", "the", "er", "in", "on", " a", "an", "re", "--", "----", "ab",
        ];
        let tokens: Vec<Vec<u8>> = tokens.chain(words.map(|word| word.into())).collect();
        let ranks = tokens.iter().map(Vec::as_slice).zip(0..);
        let model = Model::from_ranks(Pattern::named(PatternName::Cl100k), ranks, []).unwrap();
        let rules = MergeRules::new(Arc::new(model.clone()));
        let merge = |text: &[u8]| RunMerger::default().merge(&rules, text);
        assert!(merge(&b"-".repeat(1000)));
        assert!(merge(&b"ab".repeat(1000)));
        assert!(merge(&b"one----------".repeat(100)));
        let prose = b"the rain in an other region ran on there, and then thinner; ";
        assert!(!merge(&prose.repeat(20)));
    }
}

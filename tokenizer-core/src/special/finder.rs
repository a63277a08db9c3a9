//! Leftmost-longest search for a set of strings: Aho-Corasick behind a prefilter.
//!
//! Most texts contain no token, and nearly all tokens start with `<`. If the strings have at least four bytes
//! each and start with at most three different bytes, there is a prefilter: `memchr` skips to the next such
//! byte, and a Bloom filter over the first four bytes rejects most other text, such as `<div>`. Each position
//! that passes starts a search in a window of twice the length of the longest string. Windows overlap by
//! less than half, so a byte is searched at most twice.
//!
//! This replaces the automaton's own prefilter, which searches for the rarest bytes of each string: with many
//! strings, some of these bytes occur in most texts. Figures: `docs/design/encoding.md`.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

/// Limit on the total length of strings for which a deterministic automaton may be built: it has up to 1 KiB
/// per byte of them.
const MAX_DFA_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Finder {
    automaton: AhoCorasick,
    prefilter: Option<Prefilter>,
}

impl Finder {
    /// # Panics
    /// If the strings together are too long for an automaton.
    pub(super) fn new(contents: &[Vec<u8>]) -> Self {
        let prefilter = Prefilter::new(contents);
        let bytes: usize = contents.iter().map(Vec::len).sum();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .prefilter(prefilter.is_none())
            .kind((bytes > MAX_DFA_BYTES).then_some(AhoCorasickKind::ContiguousNFA))
            .build(contents)
            .expect("MAX_BYTES bounds the number of states");
        Finder {
            automaton,
            prefilter,
        }
    }

    /// Returns the index of the string whose match is the first at or after `from`, and the range of the
    /// match. Of several strings that match at the same position, returns the longest.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, std::ops::Range<usize>)> {
        let find = |start, end| {
            let found = self.automaton.find(Input::new(text).range(start..end))?;
            Some((found.pattern().as_usize(), found.range()))
        };
        let Some(prefilter) = &self.prefilter else {
            return find(from, text.len());
        };
        let mut at = from;
        loop {
            at += prefilter.find(&text[at..])?;
            let end = text.len().min(at + 2 * prefilter.longest);
            // Any string that starts before this position ends within the window.
            let next = match end == text.len() {
                true => end,
                false => end - prefilter.longest + 1,
            };
            let found = find(at, end).filter(|(_, range)| range.start < next);
            if found.is_some() {
                return found;
            }
            at = next;
        }
    }
}

/// Finds positions where a string may start. It never misses the start of one.
#[derive(Debug)]
struct Prefilter {
    /// The distinct first bytes of the strings: one to three.
    first: Vec<u8>,
    /// A Bloom filter with one hash over the first [`PREFIX`] bytes of the strings.
    bloom: Box<[u64; 64]>,
    /// Length of the longest string in bytes.
    longest: usize,
}

/// Number of bytes that the Bloom filter hashes.
const PREFIX: usize = 4;

impl Prefilter {
    /// Returns `None` if the strings start with more than three different bytes, or if one is shorter than
    /// [`PREFIX`], or if there are none.
    fn new(contents: &[Vec<u8>]) -> Option<Self> {
        let mut first = Vec::new();
        let mut bloom = Box::new([0; 64]);
        for content in contents {
            let prefix = content.first_chunk::<PREFIX>()?;
            if !first.contains(&prefix[0]) {
                first.push(prefix[0]);
            }
            let (word, mask) = bloom_bit(prefix);
            bloom[word] |= mask;
        }
        let longest = contents.iter().map(Vec::len).max()?;
        (first.len() <= 3).then_some(Prefilter {
            first,
            bloom,
            longest,
        })
    }

    /// Returns the first position where a string may start.
    fn find(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = text.get(at..)?;
            at += match self.first[..] {
                [one] => memchr::memchr(one, rest),
                [one, two] => memchr::memchr2(one, two, rest),
                [one, two, three] => memchr::memchr3(one, two, three, rest),
                _ => unreachable!("`new` stores one to three bytes"),
            }?;
            let (word, mask) = bloom_bit(text[at..].first_chunk()?);
            if self.bloom[word] & mask != 0 {
                return Some(at);
            }
            at += 1;
        }
    }
}

/// Returns the bit of a prefix in the Bloom filter: the index of its word, and its mask.
fn bloom_bit(prefix: &[u8; PREFIX]) -> (usize, u64) {
    let hash = u32::from_le_bytes(*prefix).wrapping_mul(0x9E37_79B1) >> 20;
    ((hash / 64) as usize, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_prefilter_changes_no_match(
            contents in prop::collection::vec("<[ab<]{3,6}", 1..5),
            text in "[ab<]{0,80}",
        ) {
            let contents: Vec<Vec<u8>> = contents.into_iter().map(String::into_bytes).collect();
            let finder = Finder::new(&contents);
            prop_assert!(finder.prefilter.is_some());
            let plain = Finder { prefilter: None, ..Finder::new(&contents) };
            for from in 0..=text.len() {
                let want = plain.find(text.as_bytes(), from);
                prop_assert_eq!(finder.find(text.as_bytes(), from), want);
            }
        }
    }
}

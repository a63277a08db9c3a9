//! The leftmost, of those the longest, of a list of strings in a text.
//!
//! Most texts hold no token, and nearly all tokens begin with `<`. Where the strings begin with at most
//! three bytes, `memchr` skips to the next of these, and a set of hashed prefixes of four bytes tells
//! most `<div>` from tokens (no false negatives). Only then an Aho-Corasick automaton searches a window, twice as
//! long as the longest string: every byte is searched twice at most, whatever the text.
//!
//! The prefilter of the automaton itself looks for the rarest bytes of all strings; for long lists, many
//! texts hold these. Figures: `docs/design/encoding.md`.

use aho_corasick::{AhoCorasick, Input, MatchKind};

#[derive(Debug)]
pub(super) struct Finder {
    automaton: AhoCorasick,
    skip: Option<Skip>,
}

impl Finder {
    /// # Panics
    /// When the strings together are too long for an automaton.
    pub(super) fn new(contents: &[Vec<u8>]) -> Self {
        let skip = Skip::new(contents);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .prefilter(skip.is_none())
            .build(contents)
            .expect("few enough states: `MAX_BYTES`");
        Finder { automaton, skip }
    }

    /// The first string that begins at `from` or behind it: its number, and its place.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, std::ops::Range<usize>)> {
        let find = |start, end| {
            let found = self.automaton.find(Input::new(text).range(start..end))?;
            Some((found.pattern().as_usize(), found.range()))
        };
        let Some(skip) = &self.skip else {
            return find(from, text.len());
        };
        let mut at = from;
        loop {
            at += skip.next(&text[at..])?;
            let end = text.len().min(at + 2 * skip.longest);
            // A string that begins before this place ends in the window.
            let settled = match end == text.len() {
                true => end,
                false => end - skip.longest + 1,
            };
            let found = find(at, end).filter(|(_, place)| place.start < settled);
            if found.is_some() {
                return found;
            }
            at = settled;
        }
    }
}

/// Places where no string begins.
#[derive(Debug)]
struct Skip {
    /// The first bytes of all strings.
    first: Vec<u8>,
    /// Hashed prefixes of the strings, as bits.
    prefixes: Box<[u64; 64]>,
    longest: usize,
}

/// Bytes of a prefix.
const PREFIX: usize = 4;

impl Skip {
    /// `None` when the strings have more than three first bytes, or one is shorter than a prefix.
    fn new(contents: &[Vec<u8>]) -> Option<Self> {
        let mut first = Vec::new();
        let mut prefixes = Box::new([0; 64]);
        for content in contents {
            let prefix = content.first_chunk::<PREFIX>()?;
            if !first.contains(&prefix[0]) {
                first.push(prefix[0]);
            }
            let (word, bit) = place(prefix);
            prefixes[word] |= bit;
        }
        let longest = contents.iter().map(Vec::len).max()?;
        (first.len() <= 3).then_some(Skip {
            first,
            prefixes,
            longest,
        })
    }

    /// The first place in a text where a string may begin.
    fn next(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = text.get(at..)?;
            at += match self.first[..] {
                [one] => memchr::memchr(one, rest),
                [one, two] => memchr::memchr2(one, two, rest),
                [one, two, three] => memchr::memchr3(one, two, three, rest),
                _ => unreachable!("one to three, as `new` has it"),
            }?;
            let (word, bit) = place(text[at..].first_chunk()?);
            if self.prefixes[word] & bit != 0 {
                return Some(at);
            }
            at += 1;
        }
    }
}

/// The bit of a prefix: its word and its mask.
fn place(prefix: &[u8; PREFIX]) -> (usize, u64) {
    let hash = u32::from_le_bytes(*prefix).wrapping_mul(0x9E37_79B1) >> 20;
    ((hash / 64) as usize, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_strings_found_are_those_of_the_automaton(
            contents in prop::collection::vec("<[ab<]{3,6}", 1..5),
            text in "[ab<]{0,80}",
        ) {
            let contents: Vec<Vec<u8>> = contents.into_iter().map(String::into_bytes).collect();
            let finder = Finder::new(&contents);
            prop_assert!(finder.skip.is_some());
            let plain = Finder { skip: None, ..Finder::new(&contents) };
            for from in 0..=text.len() {
                let want = plain.find(text.as_bytes(), from);
                prop_assert_eq!(finder.find(text.as_bytes(), from), want);
            }
        }
    }
}

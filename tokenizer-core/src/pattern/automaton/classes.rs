//! Equivalence classes of characters.
//!
//! Two characters have the same class if every set of the pattern contains both or neither. The class is
//! looked up in a two-level table: the upper bits of the character select a leaf of 64 classes, and the
//! lower six bits (those of the last UTF-8 byte) select a class in the leaf.

use std::collections::HashMap;

use super::syntax::Set;
use crate::simd::AsciiTable;
use crate::unicode;

/// Number of characters per leaf.
const LEAF: u32 = 64;

const SURROGATES: u32 = 0xD800;
const AFTER_SURROGATES: u32 = 0xE000;
const AFTER_ALL: u32 = 0x11_0000;

/// The partition of all characters into classes.
pub(super) struct Partition {
    /// The ranges of adjacent characters with the same class, each as its first character and its class.
    /// Ascending; the first range starts at character 0.
    ranges: Vec<(u32, u8)>,
    /// Number of classes.
    pub(super) len: usize,
    /// The classes in each set, as a bit mask.
    masks: Vec<u64>,
}

impl Partition {
    /// Partitions all characters by the sets that contain them. Returns `None` if there are more than 64 sets
    /// or classes.
    pub(super) fn new(sets: &[&Set]) -> Option<Self> {
        if sets.len() > 64 {
            return None;
        }
        // The start and the exclusive end of each range, with the bit of its set. Membership in the
        // set changes at both.
        let mut edges: Vec<(u32, u64)> = vec![(0, 0)];
        for (number, set) in sets.iter().enumerate() {
            for range in set.ranges() {
                edges.push((range.start().into(), 1 << number));
                match u32::from(range.end()) + 1 {
                    // Surrogates occur in no text, so a range that ends before them may include them.
                    SURROGATES => edges.push((AFTER_SURROGATES, 1 << number)),
                    AFTER_ALL => {}
                    end => edges.push((end, 1 << number)),
                }
            }
        }
        edges.sort_unstable();
        let mut classes: HashMap<u64, u8> = HashMap::new();
        let mut ranges = Vec::new();
        let mut members = 0;
        for edges in edges.chunk_by(|one, other| one.0 == other.0) {
            members = edges.iter().fold(members, |members, edge| members ^ edge.1);
            let new = classes.len() as u8;
            let class = *classes.entry(members).or_insert(new);
            if class == 64 {
                return None;
            }
            ranges.push((edges[0].0, class));
        }
        let mask = |number: usize| {
            let has = |members: &u64| members >> number & 1;
            (classes.iter()).fold(0, |mask, (members, class)| mask | has(members) << class)
        };
        Some(Partition {
            ranges,
            len: classes.len(),
            masks: (0..sets.len()).map(mask).collect(),
        })
    }

    /// Returns the classes in set `number`, as a bit mask.
    pub(super) fn mask(&self, number: usize) -> u64 {
        self.masks[number]
    }
}

/// The class of every character.
pub(super) struct Classes {
    /// The classes of ASCII.
    pub(super) ascii: AsciiTable,
    /// For each 64 characters, the index of their leaf in `leaves`.
    roots: Box<[u16]>,
    leaves: Vec<[u8; LEAF as usize]>,
    /// The class of invalid sequences: that of U+FFFD.
    pub(super) invalid: u8,
}

impl Classes {
    /// Builds the tables. Class `c` of the partition is stored as `numbers[c]`.
    pub(super) fn new(partition: &Partition, numbers: &[u8]) -> Self {
        let mut known: HashMap<[u8; LEAF as usize], u16> = HashMap::new();
        let mut leaves = Vec::new();
        let mut ranges = &partition.ranges[..];
        let mut roots = Vec::new();
        // The class and root of the previous leaf, if all of its characters have one class. In most cases the
        // next leaf is the same.
        let mut uniform = None;
        for start in (0..AFTER_ALL).step_by(LEAF as usize) {
            while ranges.get(1).is_some_and(|&(next, _)| next <= start) {
                ranges = &ranges[1..];
            }
            let class = ranges[0].1;
            let is_uniform = ranges.get(1).is_none_or(|&(next, _)| next >= start + LEAF);
            let before = uniform.filter(|&(before, _)| is_uniform && before == class);
            let root = before.map_or_else(
                || {
                    let mut leaf = [numbers[usize::from(class)]; LEAF as usize];
                    let inside = ranges[1..].iter();
                    for &(next, class) in inside.take_while(|(next, _)| *next < start + LEAF) {
                        leaf[(next - start) as usize..].fill(numbers[usize::from(class)]);
                    }
                    *known.entry(leaf).or_insert_with(|| {
                        leaves.push(leaf);
                        (leaves.len() - 1) as u16
                    })
                },
                |(_, root)| root,
            );
            uniform = is_uniform.then_some((class, root));
            roots.push(root);
        }
        let mut classes = Classes {
            ascii: AsciiTable::new([0; 128]),
            roots: roots.into(),
            leaves,
            invalid: 0,
        };
        classes.ascii = AsciiTable::new(std::array::from_fn(|byte| classes.of(byte as u32)));
        classes.invalid = classes.of(char::REPLACEMENT_CHARACTER.into());
        classes
    }

    /// Returns the class of a character.
    #[inline(always)]
    pub(super) fn of(&self, character: u32) -> u8 {
        match self.roots.get((character >> 6) as usize) {
            Some(&root) => self.leaves[usize::from(root)][(character & 63) as usize],
            None => self.invalid,
        }
    }

    /// Returns the class and the length in bytes of the character or invalid sequence that starts at `at`,
    /// or `None` from the end of the text on.
    #[inline]
    pub(super) fn at(&self, text: &[u8], at: usize) -> Option<(u8, usize)> {
        if let Some(&class) = self.ascii.get(*text.get(at)?) {
            return Some((class, 1));
        }
        let (character, length) = unicode::decode(text, at)?;
        Some((character.map_or(self.invalid, |c| self.of(c)), length))
    }
}

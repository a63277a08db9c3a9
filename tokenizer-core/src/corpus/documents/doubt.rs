//! Heuristics that detect binary input.

use std::fmt;

use memchr::memchr;

/// The result of inspecting the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// Whether the bytes of the file are the text: not compressed, not JSON lines, not a table.
    pub is_plain_text: bool,
    /// A sign that the input is not text.
    pub doubt: Option<Doubt>,
}

/// A sign in the first 64 KiB that an input is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// A NUL byte.
    Nul {
        /// The byte offset of the first one.
        offset: usize,
    },
    /// More than 30 % of the characters are not UTF-8. A maximal invalid sequence counts as one
    /// character.
    NotUtf8 {
        /// The number of invalid characters.
        invalid: usize,
        /// The number of characters inspected.
        characters: usize,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Nul { offset } => write!(f, "may not be text: NUL at byte {offset}"),
            Doubt::NotUtf8 {
                invalid,
                characters,
            } => write!(
                f,
                "may not be text: {invalid} of the first {characters} characters are not UTF-8"
            ),
        }
    }
}

impl Doubt {
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        if let Some(offset) = memchr(0, beginning) {
            return Some(Doubt::Nul { offset });
        }
        let (mut characters, mut invalid) = (0, 0);
        for chunk in beginning.utf8_chunks() {
            characters += chunk.valid().chars().count();
            invalid += usize::from(!chunk.invalid().is_empty());
        }
        characters += invalid;
        (10 * invalid > 3 * characters).then_some(Doubt::NotUtf8 {
            invalid,
            characters,
        })
    }
}

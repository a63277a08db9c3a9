//! Whether an input may be something else than text.

use std::fmt;

use memchr::memchr;

/// The result of a look at the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// Whether its bytes are the text: it is not compressed, and neither JSON lines nor a table.
    pub is_plain_text: bool,
    /// Why its text may be something else.
    pub doubt: Option<Doubt>,
}

/// Why a text may be something else, by its first 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// There is a NUL byte.
    Nul {
        /// Bytes before the first.
        offset: usize,
    },
    /// More than three in ten characters are not UTF-8; a maximal invalid sequence is one.
    NotUtf8 {
        /// How many are not.
        invalid: usize,
        /// Of how many.
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

//! Counted pieces as bytes: what one machine counted, another trains on.
//!
//! | format | module | holds |
//! | --- | --- | --- |
//! | `.tsv` | [`tsv`] | a line for each piece: base64, a tab, the count |
//! | `.parquet` | `parquet` (feature of that name) | the columns `piece` (binary) and `count` (uint64) |
//!
//! Both say by which pattern the pieces were split, in the words of [`pattern_text`]; pieces of
//! different patterns must not be trained on together. Both are written in the order of the
//! pieces' bytes, so that the file depends on nothing but the counts. Rows are handed out one by
//! one: reading costs no memory beside what is made of them.
//!
//! In what is read, a piece may stand several times, and its counts are summed. A count of zero and
//! an empty piece are no occurrence of anything and are passed over.

mod error;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod pattern_text;
pub mod tsv;

pub use error::{CountsError, LineFault};
pub use pattern_text::split_alike;

use crate::pattern::Pattern;
use crate::piece_counts::PieceCounts;

/// Pieces with their counts, and the pattern that split them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CountedPieces {
    /// What the pieces were split by.
    pub pattern: Pattern,
    /// The pieces.
    pub words: PieceCounts,
}

impl CountedPieces {
    /// `words`, which were split by `pattern`.
    pub fn new(pattern: Pattern, words: PieceCounts) -> Self {
        CountedPieces { pattern, words }
    }
}

/// The pattern of a file that says `found`, where the caller may have asked for one.
///
/// # Errors
/// When there is none, or the two differ.
pub fn agreed_pattern(
    found: Option<Pattern>,
    wanted: Option<&Pattern>,
) -> Result<Pattern, CountsError> {
    match (found, wanted) {
        (Some(found), Some(wanted)) if !split_alike(&found, wanted) => {
            Err(CountsError::OtherPattern { found })
        }
        (Some(found), _) => Ok(found),
        (None, Some(wanted)) => Ok(wanted.clone()),
        (None, None) => Err(CountsError::PatternMissing),
    }
}

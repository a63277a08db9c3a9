//! File formats of piece counts. With them, several machines can count, and one can train on the sums.
//!
//! | format | module | contents |
//! | --- | --- | --- |
//! | `.tsv` | [`tsv`] | a line per piece: base64, a tab, the count |
//! | `.parquet` | `parquet` (feature of the same name) | the columns `piece` (binary) and `count` (uint64) |
//!
//! Both store the pattern that split the pieces, in the form described in [`pattern_text`], since
//! counts of pieces that were split by different patterns must not be added. Rows must be written in the byte
//! order of the pieces, so that equal counts give equal files. Rows are read one after another, so reading
//! needs constant memory.
//!
//! A piece may occur in several rows: the readers pass on each row, and the caller adds the counts. Rows
//! with a count of zero or an empty piece are ignored.

mod error;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod pattern_text;
pub mod tsv;

pub use error::{CountsError, LineFault};
pub use pattern_text::split_alike;

use crate::pattern::Pattern;
use crate::piece_counts::PieceCounts;

/// Piece counts and the pattern that split the pieces.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CountedPieces {
    /// The pattern that split the pieces.
    pub pattern: Pattern,
    /// The counts.
    pub words: PieceCounts,
}

impl CountedPieces {
    /// Combines `words` with the `pattern` that split them.
    #[must_use]
    pub fn new(pattern: Pattern, words: PieceCounts) -> Self {
        CountedPieces { pattern, words }
    }
}

/// Returns the pattern of a file: `found` if the file names one, else `wanted`, which the caller requests.
///
/// # Errors
/// If neither is given, or the two differ.
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

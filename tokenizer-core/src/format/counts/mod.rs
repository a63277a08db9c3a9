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

pub mod pattern_text;
pub mod tsv;

#[cfg(feature = "parquet")]
pub mod parquet;

use pattern_text::PatternTextError;

use crate::count::CountError;
use crate::pattern::Pattern;
use crate::piece_counts::{PieceCounts, PieceCountsError};
use crate::token::Count;

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

/// The bytes are no counted pieces, or their counts do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountsError {
    /// A line of a `.tsv` file cannot be read.
    #[error("line {line}: {fault}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: tsv::LineFault,
    },
    /// A row of a Parquet file is no counted piece.
    #[error("row {row}: {fault}")]
    Row {
        /// Which row, from 1.
        row: u64,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A column of a Parquet file is missing, or of a wrong type.
    #[error("the column \"{column}\" must be {wanted}, but {found}")]
    Column {
        /// The column.
        column: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What there is.
        found: String,
    },
    /// Not a Parquet file, or a broken one.
    #[error("no Parquet that can be read: {0}")]
    Parquet(String),
    /// Neither the file nor the caller knows the pattern.
    #[error("the file does not say by which pattern its pieces were split, so it must be given")]
    PatternMissing,
    /// The pattern that the file names cannot be used.
    #[error("the pattern of the pieces: {0}")]
    Pattern(PatternTextError),
    /// The file was split by another pattern than the one that was asked for.
    #[error("the pieces were split by another pattern: {}", pattern_text::short(.found))]
    OtherPattern {
        /// The pattern of the file.
        found: Pattern,
    },
    /// The counts do not fit.
    #[error(transparent)]
    PieceCounts(#[from] PieceCountsError),
    /// Whoever counted the rows failed.
    #[error(transparent)]
    Count(#[from] CountError),
}

impl From<PatternTextError> for CountsError {
    fn from(error: PatternTextError) -> Self {
        CountsError::Pattern(error)
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

/// Whether two patterns are spelled alike. For the named ones, which leave no gaps, the gap rule
/// makes no difference.
pub fn split_alike(one: &Pattern, other: &Pattern) -> bool {
    one == other || (one.name().is_some() && one.name() == other.name())
}

/// Calls `each` with the pieces of `words` in the order of their bytes.
pub(crate) fn in_order<E>(
    words: &PieceCounts,
    mut each: impl FnMut(&[u8], Count) -> Result<(), E>,
) -> Result<(), E> {
    let mut rows: Vec<(&[u8], Count)> = words.iter().collect();
    rows.sort_unstable_by_key(|&(piece, _)| piece);
    rows.into_iter()
        .try_for_each(|(piece, count)| each(piece, count))
}

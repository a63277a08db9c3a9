//! `.tsv`: one line per piece, with the piece in base64, a tab and the count in decimal.
//!
//! ```text
//! # pattern: cl100k
//! IGNhdA==<tab>12
//! dGhl<tab>40
//! ```
//!
//! A line before the first piece may name the pattern ([`super::pattern_text`]). Files can be concatenated
//! with `cat`, so further pattern lines may follow, but all must name the same pattern. Empty lines and
//! other lines that begin with `#` are ignored.
//!
//! A last line without a line feed is an error, since the count may have lost digits. A file that was
//! truncated exactly between two lines looks complete; a truncated Parquet file never does.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{CountsError, LineFault};
use super::pattern_text::{self, split_alike};
use crate::pattern::Pattern;
use crate::token::Count;

/// The prefix of a pattern line.
pub const PATTERN: &[u8] = b"# pattern: ";

/// Returns the pattern of the file, if a line before the first piece names it.
///
/// # Errors
/// If the pattern is invalid.
pub fn pattern(bytes: &[u8]) -> Result<Option<Pattern>, CountsError> {
    for (text, line) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        if let Some(pattern) = pattern_of_line(without_return(text), line)? {
            return Ok(Some(pattern));
        }
        if !is_comment(without_return(text)) {
            break;
        }
    }
    Ok(None)
}

/// Calls `each` with the piece and the count of every row, in the order of the lines. Rows with a
/// count of zero or an empty piece are skipped.
///
/// # Errors
/// At the first invalid line or the first error of `each`.
///
/// ```
/// use tokenizer_core::format::counts::{CountsError, tsv};
///
/// let mut total = 0;
/// tsv::for_each_row(b"# pattern: gpt2\nIGNhdA==\t12\n", |piece, count| {
///     assert_eq!(piece, b" cat");
///     total += count;
///     Ok::<(), CountsError>(())
/// })?;
/// assert_eq!(total, 12);
/// # Ok::<(), CountsError>(())
/// ```
pub fn for_each_row<E: From<CountsError>>(
    bytes: &[u8],
    mut each: impl FnMut(&[u8], Count) -> Result<(), E>,
) -> Result<(), E> {
    let first_pattern = pattern(bytes)?;
    let mut piece = Vec::new();
    for (text, line) in bytes.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        let fail = |fault| CountsError::Line { line, fault };
        let text = text
            .strip_suffix(b"\n")
            .ok_or_else(|| fail(LineFault::NoEnd))?;
        let text = without_return(text);
        if is_comment(text) {
            if let Some(found) = pattern_of_line(text, line)?
                && !first_pattern
                    .as_ref()
                    .is_some_and(|first| split_alike(first, &found))
            {
                return Err(fail(LineFault::OtherPattern).into());
            }
            continue;
        }
        let count = read_row(text, &mut piece).map_err(fail)?;
        if count > 0 && !piece.is_empty() {
            each(&piece, count)?;
        }
    }
    Ok(())
}

/// Writes row by row, so that the counts need not fit in memory.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    line: String,
}

impl<W: io::Write> Writer<W> {
    /// Writes the pattern line.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn new(mut out: W, pattern: &Pattern) -> io::Result<Self> {
        out.write_all(PATTERN)?;
        out.write_all(pattern_text::write(pattern).as_bytes())?;
        out.write_all(b"\n")?;
        let line = String::new();
        Ok(Writer { out, line })
    }

    /// Writes one piece.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn row(&mut self, piece: &[u8], count: Count) -> io::Result<()> {
        self.line.clear();
        STANDARD.encode_string(piece, &mut self.line);
        self.line.push('\t');
        self.line.push_str(&count.to_string());
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

pub(crate) fn is_comment(line: &[u8]) -> bool {
    line.is_empty() || line[0] == b'#'
}

fn pattern_of_line(text: &[u8], line: usize) -> Result<Option<Pattern>, CountsError> {
    let fail = |fault| CountsError::Line { line, fault };
    let Some(text) = text.strip_prefix(PATTERN) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(text).map_err(|_| fail(LineFault::PatternNotUtf8))?;
    let pattern = pattern_text::read(text).map_err(|error| fail(LineFault::Pattern(error)))?;
    Ok(Some(pattern))
}

/// Reads a line: stores the piece in `piece` and returns the count.
fn read_row(text: &[u8], piece: &mut Vec<u8>) -> Result<Count, LineFault> {
    let mut fields = text.split(|&byte| byte == b'\t');
    let (Some(base64), Some(digits), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(LineFault::Form);
    };
    piece.clear();
    STANDARD
        .decode_vec(base64, piece)
        .map_err(|error| LineFault::Base64(error.to_string()))?;
    // `parse` would accept a plus sign.
    std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| LineFault::Count(String::from_utf8_lossy(digits).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::counts::{CountedPieces, agreed_pattern};
    use crate::pattern::{Gaps, PatternName};
    use crate::piece_counts::{PieceCounts, PieceCountsError};
    use proptest::prelude::*;

    fn read(bytes: &[u8], wanted: Option<&Pattern>) -> Result<CountedPieces, CountsError> {
        let pattern = agreed_pattern(pattern(bytes)?, wanted)?;
        let mut words = PieceCounts::new();
        for_each_row(bytes, |piece, count| {
            Ok::<(), CountsError>(words.add(piece, count)?)
        })?;
        Ok(CountedPieces { pattern, words })
    }

    fn write(counted: &CountedPieces, out: &mut Vec<u8>) -> io::Result<()> {
        let mut writer = Writer::new(out, &counted.pattern)?;
        let mut rows: Vec<_> = counted.words.iter().collect();
        rows.sort_unstable();
        rows.into_iter()
            .try_for_each(|(piece, count)| writer.row(piece, count))
    }

    fn rows(words: &PieceCounts) -> Vec<(&[u8], Count)> {
        let mut rows: Vec<_> = words.iter().collect();
        rows.sort();
        rows
    }

    fn fault(text: &[u8]) -> (usize, LineFault) {
        match read(text, Some(&Pattern::named(PatternName::Gpt2))) {
            Err(CountsError::Line { line, fault }) => (line, fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_sorted_by_bytes() {
        let mut words = PieceCounts::new();
        for (piece, count) in [(&b"the"[..], Count::MAX), (b" cat", 1), (b"\xFF\0", 2)] {
            words.add(piece, count).unwrap();
        }
        let counted = CountedPieces::new(Pattern::named(PatternName::Cl100k), words);
        let mut text = Vec::new();
        write(&counted, &mut text).unwrap();
        let want = "# pattern: cl100k\nIGNhdA==\t1\ndGhl\t18446744073709551615\n/wA=\t2\n";
        assert_eq!(std::str::from_utf8(&text).unwrap(), want);
    }

    #[test]
    fn crlf_comments_zeros_and_repeated_pieces_are_read() {
        let text = b"# from a cluster\r\n# pattern: gpt2\r\n\r\nYQ==\t1\r\nYQ==\t02\r\nYg==\t0\r\n\t5\r\n# pattern: gpt2\nYw==\t1\n";
        let counted = read(text, None).unwrap();
        assert_eq!(counted.pattern, Pattern::named(PatternName::Gpt2));
        assert_eq!(rows(&counted.words), [(&b"a"[..], 3), (b"c", 1)]);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(fault(b"YQ==\t1\nYg==\n"), (2, LineFault::Form));
        assert_eq!(fault(b"YQ==\t1\t1\n"), (1, LineFault::Form));
        assert_eq!(fault(b"YQ== 1\n"), (1, LineFault::Form));
        assert!(matches!(fault(b"\n\n??\t0\n"), (3, LineFault::Base64(_))));
        assert!(matches!(fault(b"YR==\t1\n"), (1, LineFault::Base64(_))));
        for count in ["", "-1", "+1", "1.0", " 1", "18446744073709551616"] {
            let text = format!("YQ==\t{count}\n");
            assert_eq!(fault(text.as_bytes()), (1, LineFault::Count(count.into())));
        }
        assert_eq!(fault(b"YQ==\t1\nYQ==\t12"), (2, LineFault::NoEnd));
        assert_eq!(fault(b"# pattern: \xFF\n"), (1, LineFault::PatternNotUtf8));
        assert!(matches!(
            fault(b"#\n# pattern: no-such\n"),
            (2, LineFault::Pattern(_))
        ));
        let two = b"# pattern: gpt2\nYQ==\t1\n# pattern: cl100k\nYQ==\t1\n";
        assert_eq!(fault(two), (3, LineFault::OtherPattern));
        let late = b"YQ==\t1\n# pattern: gpt2\nYQ==\t1\n";
        assert_eq!(fault(late), (2, LineFault::OtherPattern));
    }

    #[test]
    fn the_pattern_comes_from_the_file_or_the_caller() {
        let gpt2 = Pattern::named(PatternName::Gpt2);
        assert_eq!(read(b"", None).unwrap_err(), CountsError::PatternMissing);
        assert_eq!(read(b"", Some(&gpt2)).unwrap().pattern, gpt2);
        let error = read(b"# pattern: o200k\n", Some(&gpt2)).unwrap_err();
        assert!(error.to_string().ends_with("another pattern: o200k"));
        let dropping = Pattern::regex(PatternName::Gpt2.regex(), Gaps::Drop).unwrap();
        assert!(read(b"# pattern: gpt2\n", Some(&dropping)).is_ok());
    }

    #[test]
    fn a_sum_beyond_u64_is_an_error() {
        let text = b"# pattern: gpt2\nYQ==\t18446744073709551615\nYQ==\t1\n";
        let piece = b"a".to_vec();
        let error = CountsError::PieceCounts(PieceCountsError::CountOverflow { piece });
        assert_eq!(read(text, None).unwrap_err(), error);
    }

    proptest! {
        #[test]
        fn rows_round_trip(
            pieces in prop::collection::btree_map(
                prop::collection::vec(any::<u8>(), 1..20), 1..=Count::MAX, 0..50),
        ) {
            let mut words = PieceCounts::new();
            for (piece, &count) in &pieces {
                words.add(piece, count).unwrap();
            }
            let pattern = Pattern::regex("[a-z]\n+", Gaps::Drop).unwrap();
            let mut text = Vec::new();
            write(&CountedPieces::new(pattern.clone(), words.clone()), &mut text).unwrap();
            let counted = read(&text, None).unwrap();
            prop_assert_eq!(&counted.pattern, &pattern);
            prop_assert_eq!(rows(&counted.words), rows(&words));
            // A file that ends inside a line is an error.
            if !pieces.is_empty() {
                prop_assert!(read(&text[..text.len() - 1], None).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(
            prop::sample::select(&b"\n\r\t# pattern: YQ==0129+-%\xFF"[..]), 0..60)) {
            let _ = read(&bytes, Some(&Pattern::named(PatternName::Gpt2)));
        }
    }
}

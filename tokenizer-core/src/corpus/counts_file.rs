//! Reads and writes files of piece counts. The extension chooses the format; several files can be read as
//! one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::atomic::write_atomically;
use super::file::{FileError, read_file};
#[cfg(feature = "parquet")]
use crate::format::counts::parquet;
use crate::format::counts::{
    CountedPieces, CountsError, agreed_pattern, pattern_text, split_alike, tsv,
};
use crate::pattern::Pattern;
use crate::piece_counts::PieceCounts;
use crate::token::Count;

/// The format of a file of piece counts, chosen by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CountsFormat {
    /// `.tsv`: one line per piece.
    Tsv,
    /// `.parquet`: a table.
    Parquet,
}

impl CountsFormat {
    /// The format by extension; `None` for unknown extensions.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "tsv" => Some(CountsFormat::Tsv),
            "parquet" => Some(CountsFormat::Parquet),
            _ => None,
        }
    }

    /// Like [`CountsFormat::of_path`], but also `None` for a `.parquet` file that is not a table with the
    /// columns `piece` and `count`: it contains something else.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        let format = Self::of_path(path)?;
        #[cfg(feature = "parquet")]
        if format == CountsFormat::Parquet
            && path.is_file()
            && !File::open(path).is_ok_and(parquet::is_counts)
        {
            return None;
        }
        Some(format)
    }
}

/// An error while reading piece counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadCountsError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown extension for piece counts (expected .tsv or .parquet)", .0.display())]
    UnknownFormat(PathBuf),
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Parquet support", .0.display())]
    NotBuilt(PathBuf),
    /// The contents of the file are invalid.
    #[error("{}: {}", .0.display(), .1)]
    Counts(PathBuf, CountsError),
    /// The pieces of two files were split by different patterns.
    #[error(
        "{} and {} were split by different patterns: {} and {}",
        .first.0.display(), .other.0.display(),
        pattern_text::short(&.first.1), pattern_text::short(&.other.1)
    )]
    MixedPatterns {
        /// The first file and its pattern.
        first: Box<(PathBuf, Pattern)>,
        /// The first file with another pattern.
        other: Box<(PathBuf, Pattern)>,
    },
}

/// An error while writing piece counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveCountsError {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown extension for piece counts (expected .tsv or .parquet)", .0.display())]
    UnknownFormat(PathBuf),
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Parquet support", .0.display())]
    NotBuilt(PathBuf),
}

/// Open files of piece counts that share one pattern.
#[derive(Debug)]
pub struct CountsFiles {
    files: Vec<(PathBuf, Rows)>,
    pattern: Pattern,
}

#[derive(Debug)]
enum Rows {
    /// The contents of a pipe; `None` for a regular file, which is read by [`CountsFiles::for_each_row`].
    Tsv(Option<Vec<u8>>),
    #[cfg(feature = "parquet")]
    Parquet(parquet::Table),
}

impl CountsFiles {
    /// Opens files and checks the pattern and schema of each before any row is read. `pattern` is the
    /// pattern of files that do not name one. Returns `None` if `paths` is empty.
    ///
    /// # Errors
    /// If a file cannot be read, if its pattern differs from that of another file or from `pattern`, or if
    /// a file names no pattern and `pattern` is `None`.
    pub fn open(
        paths: impl IntoIterator<Item = impl AsRef<Path>>,
        pattern: Option<&Pattern>,
    ) -> Result<Option<Self>, LoadCountsError> {
        let mut files: Vec<(PathBuf, Rows)> = Vec::new();
        let mut first: Option<Pattern> = None;
        for path in paths {
            let path = path.as_ref();
            let fail = |error| LoadCountsError::Counts(path.to_owned(), error);
            let (found, rows) = Rows::open(path)?;
            let found = agreed_pattern(found, pattern).map_err(fail)?;
            match (&first, files.first()) {
                (Some(pattern), Some((first, _))) if !split_alike(pattern, &found) => {
                    return Err(LoadCountsError::MixedPatterns {
                        first: Box::new((first.clone(), pattern.clone())),
                        other: Box::new((path.to_owned(), found)),
                    });
                }
                (None, _) => first = Some(found),
                _ => {}
            }
            files.push((path.to_owned(), rows));
        }
        Ok(first.map(|pattern| CountsFiles { files, pattern }))
    }

    /// The pattern that split the pieces of all files.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Calls `each` with every row of every file, in order. A piece may occur in several rows.
    ///
    /// # Errors
    /// If a file cannot be read, at the first invalid row, or at the first error of `each`. The error names
    /// the file.
    pub fn for_each_row(
        &self,
        mut each: impl FnMut(&[u8], Count) -> Result<(), CountsError>,
    ) -> Result<(), LoadCountsError> {
        for (path, rows) in &self.files {
            let read = match rows {
                Rows::Tsv(Some(bytes)) => tsv::for_each_row(bytes, &mut each),
                Rows::Tsv(None) => tsv::for_each_row(&read_file(path)?, &mut each),
                #[cfg(feature = "parquet")]
                Rows::Parquet(table) => table.for_each_row(&mut each),
            };
            read.map_err(|error| LoadCountsError::Counts(path.clone(), error))?;
        }
        Ok(())
    }

    /// Adds up the counts of all files.
    ///
    /// # Errors
    /// Those of [`CountsFiles::for_each_row`]; also if a sum overflows.
    pub fn words(&self) -> Result<PieceCounts, LoadCountsError> {
        let mut words = PieceCounts::new();
        self.for_each_row(|piece, count| Ok(words.add(piece, count)?))?;
        Ok(words)
    }
}

impl Rows {
    fn open(path: &Path) -> Result<(Option<Pattern>, Self), LoadCountsError> {
        let fail = |error| LoadCountsError::Counts(path.to_owned(), error);
        match CountsFormat::of_path(path) {
            Some(CountsFormat::Tsv) => {
                let (head, bytes) = match path.is_file() {
                    true => (head_of_tsv(path), None),
                    false => (Ok(Vec::new()), Some(read_file(path)?)),
                };
                let head = head.map_err(|error| FileError::new(path, error))?;
                let pattern = tsv::pattern(bytes.as_ref().unwrap_or(&head)).map_err(fail)?;
                Ok((pattern, Rows::Tsv(bytes)))
            }
            #[cfg(feature = "parquet")]
            Some(CountsFormat::Parquet) => {
                let table = match path.is_file() {
                    true => {
                        let file = File::open(path).map_err(|error| FileError::new(path, error))?;
                        parquet::Table::open(file)
                    }
                    false => parquet::Table::open(bytes::Bytes::from(read_file(path)?)),
                };
                let table = table.map_err(fail)?;
                Ok((table.pattern().cloned(), Rows::Parquet(table)))
            }
            #[cfg(not(feature = "parquet"))]
            Some(CountsFormat::Parquet) => Err(LoadCountsError::NotBuilt(path.to_owned())),
            None => Err(LoadCountsError::UnknownFormat(path.to_owned())),
        }
    }
}

/// The lines of a `.tsv` file up to and including that of its first piece.
fn head_of_tsv(path: &Path) -> io::Result<Vec<u8>> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut head = Vec::new();
    loop {
        let start = head.len();
        let read = lines.read_until(b'\n', &mut head)?;
        if read == 0 || !tsv::is_comment(head[start..].trim_ascii_end()) {
            return Ok(head);
        }
    }
}

/// Reads the piece counts at `path`. `pattern` is the pattern of a file that does not name one.
///
/// # Errors
/// If the file cannot be read or is invalid, if it names another pattern than `pattern`, or if neither
/// gives one.
pub fn load_counts(
    path: &Path,
    pattern: Option<&Pattern>,
) -> Result<CountedPieces, LoadCountsError> {
    let missing = || LoadCountsError::Counts(path.to_owned(), CountsError::PatternMissing);
    let files = CountsFiles::open([path], pattern)?.ok_or_else(missing)?;
    let words = files.words()?;
    Ok(CountedPieces::new(files.pattern, words))
}

/// Writes piece counts to `path` atomically, sorted by the bytes of the pieces.
///
/// # Errors
/// If the file cannot be written or has an unknown extension.
pub fn save_counts(counted: &CountedPieces, path: &Path) -> Result<(), SaveCountsError> {
    let mut rows: Vec<(&[u8], Count)> = counted.words.iter().collect();
    rows.sort_unstable_by_key(|&(piece, _)| piece);
    write_counts(path, &counted.pattern, |writer| {
        let mut rows = rows.into_iter();
        Ok(rows.try_for_each(|(piece, count)| writer.row(piece, count))?)
    })
}

/// Writes a file of piece counts atomically, row by row. `write` must pass every piece to the
/// writer once, sorted by the bytes of the pieces.
///
/// # Errors
/// The errors of `write`; also if the file cannot be written or has an unknown extension.
pub fn write_counts<E: From<FileError> + From<SaveCountsError>>(
    path: &Path,
    pattern: &Pattern,
    write: impl FnOnce(&mut CountsWriter<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let fail = |error| FileError::new(path, error);
    let format = CountsFormat::of_path(path);
    let format = format.ok_or_else(|| SaveCountsError::UnknownFormat(path.to_owned()))?;
    #[cfg(not(feature = "parquet"))]
    if format == CountsFormat::Parquet {
        return Err(SaveCountsError::NotBuilt(path.to_owned()).into());
    }
    write_atomically(path, |file| {
        let rows = match format {
            #[cfg(feature = "parquet")]
            CountsFormat::Parquet => {
                RowWriter::Parquet(Box::new(parquet::Writer::new(file, pattern).map_err(fail)?))
            }
            _ => RowWriter::Tsv(tsv::Writer::new(file, pattern).map_err(fail)?),
        };
        let mut writer = CountsWriter { path, rows };
        write(&mut writer)?;
        match writer.rows {
            #[cfg(feature = "parquet")]
            RowWriter::Parquet(rows) => Ok(rows.finish().map_err(fail)?),
            RowWriter::Tsv(_) => Ok(()),
        }
    })
}

/// Writes the rows of a file of piece counts: see [`write_counts`].
pub struct CountsWriter<'p, 'w> {
    path: &'p Path,
    rows: RowWriter<'w>,
}

enum RowWriter<'w> {
    Tsv(tsv::Writer<&'w mut (dyn Write + Send)>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Writer<&'w mut (dyn Write + Send)>>),
}

impl CountsWriter<'_, '_> {
    /// Writes one piece.
    ///
    /// # Errors
    /// If the file cannot be written or the piece is too long for the format.
    pub fn row(&mut self, piece: &[u8], count: Count) -> Result<(), FileError> {
        let written = match &mut self.rows {
            RowWriter::Tsv(rows) => rows.row(piece, count),
            #[cfg(feature = "parquet")]
            RowWriter::Parquet(rows) => rows.row(piece, count),
        };
        written.map_err(|error| FileError::new(self.path, error))
    }
}

impl std::fmt::Debug for CountsWriter<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CountsWriter")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternName;

    fn counted(pattern: PatternName, rows: &[(&[u8], Count)]) -> CountedPieces {
        let mut words = PieceCounts::new();
        for &(piece, count) in rows {
            words.add(piece, count).unwrap();
        }
        CountedPieces::new(Pattern::named(pattern), words)
    }

    fn rows(words: &PieceCounts) -> Vec<(Vec<u8>, Count)> {
        let mut rows: Vec<_> = words.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        rows.sort();
        rows
    }

    const NAMES: &[&str] = &[
        "a.tsv",
        #[cfg(feature = "parquet")]
        "a.parquet",
    ];

    #[test]
    fn the_extension_selects_the_format() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let saved = counted(PatternName::Gpt2, &[(b"the", Count::MAX), (b"\xFF", 1)]);
        for name in NAMES {
            save_counts(&saved, &at(name)).unwrap();
            let loaded = load_counts(&at(name), None).unwrap();
            assert_eq!(loaded.pattern, saved.pattern);
            assert_eq!(rows(&loaded.words), rows(&saved.words));
        }
        let error = save_counts(&saved, &at("a.txt")).unwrap_err();
        assert!(matches!(error, SaveCountsError::UnknownFormat(_)));
        let error = load_counts(&at("a.txt"), None).unwrap_err();
        assert!(matches!(error, LoadCountsError::UnknownFormat(_)));
        #[cfg(not(feature = "parquet"))]
        {
            let error = save_counts(&saved, &at("a.parquet")).unwrap_err();
            assert!(matches!(error, SaveCountsError::NotBuilt(_)));
            let error = load_counts(&at("a.parquet"), None).unwrap_err();
            assert!(matches!(error, LoadCountsError::NotBuilt(_)));
        }
    }

    #[test]
    fn counts_are_summed_and_mixed_patterns_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let one = counted(PatternName::Gpt2, &[(b"a", 1 << 40), (b"b", 1)]);
        let two = counted(PatternName::Gpt2, &[(b"a", 2), (b"c", 3)]);
        save_counts(&one, &at("1.tsv")).unwrap();
        save_counts(&two, &at(NAMES[NAMES.len() - 1])).unwrap();
        let paths = [at("1.tsv"), at(NAMES[NAMES.len() - 1])];
        let files = CountsFiles::open(&paths, None).unwrap().unwrap();
        assert_eq!(files.pattern(), &one.pattern);
        let want = [("a", (1 << 40) + 2), ("b", 1), ("c", 3)];
        let want = want.map(|(piece, count)| (piece.as_bytes().to_vec(), count));
        assert_eq!(rows(&files.words().unwrap()), want);

        save_counts(&counted(PatternName::O200k, &[]), &at("other.tsv")).unwrap();
        let paths = [at("1.tsv"), at("other.tsv")];
        let error = CountsFiles::open(&paths, None).unwrap_err().to_string();
        assert!(error.contains("1.tsv and "), "{error}");
        assert!(error.ends_with("other.tsv were split by different patterns: gpt2 and o200k"));
        let error = CountsFiles::open(&paths, Some(&one.pattern)).unwrap_err();
        assert!(matches!(error, LoadCountsError::Counts(path, _) if path == paths[1]));
        let none = CountsFiles::open([] as [&Path; 0], None).unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("bad.tsv"), "# pattern: gpt2\nYQ==\n").unwrap();
        let error = load_counts(&at("bad.tsv"), None).unwrap_err().to_string();
        assert!(
            error.contains("bad.tsv: line 2: expected a piece"),
            "{error}"
        );
        std::fs::write(at("no.tsv"), "YQ==\t1\n").unwrap();
        let error = load_counts(&at("no.tsv"), None).unwrap_err().to_string();
        assert!(error.contains("no.tsv: no pattern in the file"), "{error}");
        save_counts(
            &counted(PatternName::Gpt2, &[(b"a", Count::MAX)]),
            &at("max.tsv"),
        )
        .unwrap();
        save_counts(&counted(PatternName::Gpt2, &[(b"a", 1)]), &at("one.tsv")).unwrap();
        let files = CountsFiles::open([at("max.tsv"), at("one.tsv")], None).unwrap();
        let error = files.unwrap().words().unwrap_err().to_string();
        assert!(
            error.contains("one.tsv: count of piece \"a\" exceeds"),
            "{error}"
        );
    }
}

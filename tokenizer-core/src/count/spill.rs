//! Counting within a memory bound: external merge sort.
//!
//! A table that would exceed its share of the bound is sorted by the bytes of its pieces and written to a
//! temporary file, a *run*; counting continues with an empty table. At the end all runs are merged with a
//! heap, and the counts of equal pieces are summed. So pieces are returned one by one in order, with the same
//! counts as without a bound, and only a buffer per run is in memory. Every 64 runs are merged into a longer
//! one, so few files are open.
//!
//! Runs are sorted by bytes rather than partitioned by hash, because the files of counts that the program
//! writes are sorted by bytes anyway, and because a partition might exceed memory, while a merge never does.
//!
//! **Cost.** A piece is written once for each run that contains it, and again whenever such a run
//! is merged into a longer one. Memory: the bound, plus the documents in flight, a few megabytes of
//! buffers, and any piece longer than the bound.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::{PieceTable, Seeds, SortedTable};
use super::{CountError, CountOptions};
use crate::parallel;
use crate::pattern::{Pattern, Spans};
use crate::piece_counts::{PieceCounts, PieceCountsError};
use crate::token::Count;

/// Creates temporary files for counts that exceed the memory bound.
pub trait TemporaryStore: Sync {
    /// A file that is written once, then read, and deleted when dropped.
    type File: Read + Write + Seek + Send;

    /// Creates an empty file.
    ///
    /// # Errors
    /// If the file cannot be created.
    fn create(&self) -> io::Result<Self::File>;
}

/// The number of runs that are merged into one.
const FAN_IN: usize = 64;

/// Size in bytes of the buffer of each run.
const BUFFER: usize = 1 << 15;

/// Counts the pieces of documents within a memory bound. Also adds pieces that were counted elsewhere.
///
/// ```
/// use tokenizer_core::corpus::TemporaryFiles;
/// use tokenizer_core::{CountOptions, Pattern, PieceCounter};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let store = TemporaryFiles::default();
/// let mut counter = PieceCounter::new(&pattern, &CountOptions::default(), 100 << 20, &store);
/// counter.count(["to be or", " not to be"])?;
/// counter.add(b" be", 40)?;
/// let mut pieces = counter.finish()?;
/// assert_eq!(pieces.next()?, Some((&b" be"[..], 42)));
/// assert_eq!(pieces.next()?, Some((&b" not"[..], 1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PieceCounter<'a, S: TemporaryStore> {
    pattern: &'a Pattern,
    options: CountOptions,
    spill: Spill<'a, S>,
    /// Pieces from [`PieceCounter::add`].
    added: PieceTable,
}

impl<'a, S: TemporaryStore> PieceCounter<'a, S> {
    /// Creates an empty counter. Counts that exceed `max_memory` bytes are written to `store`; `usize::MAX`
    /// means no bound.
    #[must_use]
    pub fn new(
        pattern: &'a Pattern,
        options: &CountOptions,
        max_memory: usize,
        store: &'a S,
    ) -> Self {
        PieceCounter {
            pattern,
            options: options.clone(),
            spill: Spill {
                store,
                half_bound: max_memory / 2,
                state: Mutex::new(State {
                    tables: Vec::new(),
                    tables_memory: 0,
                    levels: Vec::new(),
                }),
            },
            added: PieceTable::new(Seeds::new()),
        }
    }

    /// Splits documents and counts their pieces, as [`count_pieces`](super::count_pieces) does.
    ///
    /// # Errors
    /// Returns the error of the first document that fails, or an error of the store. The counter must not be
    /// used afterwards: some pieces of these documents may have been counted.
    pub fn count<D: AsRef<[u8]> + Send + Sync>(
        &mut self,
        documents: impl IntoIterator<Item = D, IntoIter: Send>,
    ) -> Result<(), CountError> {
        self.store_added()?;
        let share = self.spill.half_bound / self.options.threads.max(1);
        let make_room = |table: &mut PieceTable, spans: &Spans| {
            let bytes = spans.ends().last().map_or(0, |end| end - spans.start());
            self.spill.make_room(table, share, spans.len(), bytes)
        };
        let tables = super::tables(documents, self.pattern, &self.options, &make_room)?;
        parallel::map(tables.into_iter(), |table| self.spill.store_table(table))
            .into_iter()
            .collect()
    }

    /// Adds `count` occurrences of a piece. Empty pieces are ignored.
    ///
    /// # Errors
    /// If the count overflows, or the store fails.
    pub fn add(&mut self, piece: &[u8], count: Count) -> Result<(), CountError> {
        if piece.is_empty() || count == 0 {
            return Ok(());
        }
        let share = self.spill.half_bound;
        self.spill
            .make_room(&mut self.added, share, 1, piece.len())?;
        Ok(self.added.add_counted(piece, count)?)
    }

    /// Returns all pieces, ascending by their bytes, each with its total count.
    ///
    /// # Errors
    /// If the store fails.
    pub fn finish(mut self) -> Result<SortedPieces<S::File>, CountError> {
        self.store_added()?;
        let state = self.spill.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let tables = state.tables.into_iter().map(Source::table);
        let runs = state.levels.into_iter().flatten().map(Source::run);
        SortedPieces::new(tables.chain(runs))
    }

    fn store_added(&mut self) -> Result<(), CountError> {
        let added = std::mem::replace(&mut self.added, PieceTable::new(Seeds::new()));
        self.spill.store_table(added)
    }
}

impl<S: TemporaryStore> std::fmt::Debug for PieceCounter<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PieceCounter")
            .field("pattern", &self.pattern)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Finished tables in memory, and runs on disk.
struct Spill<'a, S: TemporaryStore> {
    store: &'a S,
    /// Half of the memory bound. Tables in use may take this much, and finished tables as much again.
    half_bound: usize,
    state: Mutex<State<S::File>>,
}

struct State<F> {
    /// Finished tables.
    tables: Vec<SortedTable>,
    tables_memory: usize,
    /// Runs by the number of times they were merged, fewer than [`FAN_IN`] per level.
    levels: Vec<Vec<Run<F>>>,
}

/// A sorted table in a file.
struct Run<F> {
    file: F,
    pieces: u64,
}

impl<S: TemporaryStore> Spill<'_, S> {
    /// Writes a table to a run and empties it, if `pieces` more pieces of `bytes` bytes in total could exceed
    /// its share of memory.
    fn make_room(
        &self,
        table: &mut PieceTable,
        share: usize,
        pieces: usize,
        bytes: usize,
    ) -> Result<(), CountError> {
        if table.memory_with(pieces, bytes) <= share || table.is_empty() {
            return Ok(());
        }
        let empty = PieceTable::new(*table.seeds());
        let full = std::mem::replace(table, empty).into_sorted();
        self.write_run(full)
    }

    /// Stores a finished table, in memory if it fits.
    fn store_table(&self, table: PieceTable) -> Result<(), CountError> {
        if table.is_empty() {
            return Ok(());
        }
        let table = table.into_sorted();
        let mut state = self.state();
        let memory = state.tables_memory.saturating_add(table.memory());
        if memory > self.half_bound {
            drop(state);
            return self.write_run(table);
        }
        state.tables_memory = memory;
        state.tables.push(table);
        Ok(())
    }

    /// Writes a table to a run, and merges full levels of runs.
    fn write_run(&self, table: SortedTable) -> Result<(), CountError> {
        let mut pieces = SortedPieces::new([Source::table(table)])?;
        let mut run = self.write(&mut pieces)?;
        drop(pieces);
        let mut state = self.state();
        for level in 0.. {
            if state.levels.len() == level {
                state.levels.push(Vec::new());
            }
            state.levels[level].push(run);
            if state.levels[level].len() < FAN_IN {
                break;
            }
            let runs = std::mem::take(&mut state.levels[level]);
            run = self.write(&mut SortedPieces::new(runs.into_iter().map(Source::run))?)?;
        }
        Ok(())
    }

    /// Writes pieces to a new run.
    fn write(&self, pieces: &mut SortedPieces<S::File>) -> Result<Run<S::File>, CountError> {
        let mut written = 0;
        let file = self.store.create().map_err(store_error)?;
        let mut writer = BufWriter::with_capacity(BUFFER, file);
        while let Some((piece, count)) = pieces.next()? {
            write_row(&mut writer, piece, count).map_err(store_error)?;
            written += 1;
        }
        let file = writer
            .into_inner()
            .map_err(|error| store_error(error.into_error()))?;
        let mut run = Run {
            file,
            pieces: written,
        };
        run.file.rewind().map_err(store_error)?;
        Ok(run)
    }

    fn state(&self) -> MutexGuard<'_, State<S::File>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted pieces, ascending by their bytes. They are read and merged lazily. Dropping this deletes the
/// temporary files.
pub struct SortedPieces<F> {
    /// Min-heap by the next piece of each source.
    sources: BinaryHeap<Source<F>>,
    /// The piece returned last.
    piece: Vec<u8>,
}

impl<F: Read> SortedPieces<F> {
    fn new(sources: impl IntoIterator<Item = Source<F>>) -> Result<Self, CountError> {
        let mut heap = BinaryHeap::new();
        for mut source in sources {
            if source.advance()? {
                heap.push(source);
            }
        }
        Ok(SortedPieces {
            sources: heap,
            piece: Vec::new(),
        })
    }

    /// Returns the next piece and its count, or `None` at the end.
    ///
    /// # Errors
    /// If the total count of a piece overflows, or the store fails.
    #[allow(clippy::should_implement_trait, reason = "the piece borrows from self")]
    pub fn next(&mut self) -> Result<Option<(&[u8], Count)>, CountError> {
        let Some(mut source) = self.sources.peek_mut() else {
            return Ok(None);
        };
        std::mem::swap(&mut self.piece, &mut source.piece);
        let mut total = source.count;
        loop {
            if !source.advance()? {
                std::collections::binary_heap::PeekMut::pop(source);
            } else {
                drop(source);
            }
            match self.sources.peek_mut() {
                Some(next) if next.piece == self.piece => source = next,
                _ => return Ok(Some((&self.piece, total))),
            }
            total =
                total
                    .checked_add(source.count)
                    .ok_or_else(|| PieceCountsError::CountOverflow {
                        piece: self.piece.clone(),
                    })?;
        }
    }

    /// Loads all pieces into memory, for training.
    ///
    /// # Errors
    /// See [`SortedPieces::next`]. Also returns [`CountError::MemoryExceeded`] if the pieces need more than
    /// `max_memory` bytes.
    pub fn into_piece_counts(mut self, max_memory: usize) -> Result<PieceCounts, CountError> {
        let mut counts = PieceCounts::new();
        while let Some((piece, count)) = self.next()? {
            counts.push_distinct(piece, count)?;
            if counts.memory() > max_memory {
                return Err(CountError::MemoryExceeded { max_memory });
            }
        }
        Ok(counts)
    }
}

impl<F> std::fmt::Debug for SortedPieces<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedPieces")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

/// A sorted table or run, with its next piece.
struct Source<F> {
    piece: Vec<u8>,
    count: Count,
    rest: Rest<F>,
}

enum Rest<F> {
    Table { table: SortedTable, at: usize },
    Run { reader: BufReader<F>, left: u64 },
}

impl<F: Read> Source<F> {
    fn table(table: SortedTable) -> Self {
        Self::of(Rest::Table { table, at: 0 })
    }

    fn run(run: Run<F>) -> Self {
        let reader = BufReader::with_capacity(BUFFER, run.file);
        let left = run.pieces;
        Self::of(Rest::Run { reader, left })
    }

    fn of(rest: Rest<F>) -> Self {
        Source {
            piece: Vec::new(),
            count: 0,
            rest,
        }
    }

    /// Loads the next piece. Returns `false` at the end.
    fn advance(&mut self) -> Result<bool, CountError> {
        match &mut self.rest {
            Rest::Table { table, at } => {
                if *at == table.len() {
                    return Ok(false);
                }
                let mut short = [0; 16];
                let (piece, count) = table.get(*at, &mut short);
                self.piece.clear();
                self.piece.extend_from_slice(piece);
                self.count = count;
                *at += 1;
            }
            Rest::Run { left: 0, .. } => return Ok(false),
            Rest::Run { reader, left } => {
                self.count = read_row(reader, &mut self.piece).map_err(store_error)?;
                *left -= 1;
            }
        }
        Ok(true)
    }
}

/// Reversed, because [`BinaryHeap`] is a max-heap.
impl<F> Ord for Source<F> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.piece.cmp(&self.piece)
    }
}

impl<F> PartialOrd for Source<F> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<F> PartialEq for Source<F> {
    fn eq(&self, other: &Self) -> bool {
        self.piece == other.piece
    }
}

impl<F> Eq for Source<F> {}

fn store_error(error: io::Error) -> CountError {
    CountError::Store(error.to_string())
}

/// Writes a row of a run: the length of the piece and its count as LEB128, then the piece.
fn write_row(writer: &mut impl Write, piece: &[u8], count: Count) -> io::Result<()> {
    write_number(writer, piece.len() as u64)?;
    write_number(writer, count)?;
    writer.write_all(piece)
}

fn read_row(reader: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<Count> {
    let length = read_number(reader)?;
    let count = read_number(reader)?;
    piece.clear();
    // This process wrote the file, so a piece of this length has been in memory before.
    piece.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
    reader.read_exact(piece)?;
    Ok(count)
}

fn write_number(writer: &mut impl Write, mut number: u64) -> io::Result<()> {
    let mut bytes = [0; 10];
    let mut length = 0;
    while number >= 0x80 {
        bytes[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    bytes[length] = number as u8;
    writer.write_all(&bytes[..=length])
}

fn read_number(reader: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::count::count_pieces;
    use crate::pattern::{Gaps, PatternName};
    use proptest::prelude::*;

    /// A store in memory that counts its files and limits the size of each.
    struct Memory {
        files: AtomicUsize,
        room: usize,
    }

    impl Memory {
        fn new() -> Self {
            Memory {
                files: AtomicUsize::new(0),
                room: usize::MAX,
            }
        }
    }

    struct File {
        bytes: Cursor<Vec<u8>>,
        room: usize,
    }

    impl Read for File {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.bytes.read(buffer)
        }
    }

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.bytes.get_ref().len() + bytes.len() > self.room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for File {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            self.bytes.seek(to)
        }
    }

    impl TemporaryStore for Memory {
        type File = File;

        fn create(&self) -> io::Result<File> {
            self.files.fetch_add(1, Relaxed);
            Ok(File {
                bytes: Cursor::default(),
                room: self.room,
            })
        }
    }

    fn all<F: Read>(mut pieces: SortedPieces<F>) -> Vec<(Vec<u8>, Count)> {
        let mut all = Vec::new();
        while let Some((piece, count)) = pieces.next().unwrap() {
            all.push((piece.to_vec(), count));
        }
        all
    }

    fn documents() -> Vec<String> {
        (0..3000u32)
            .map(|n| {
                let word = n.wrapping_mul(2_654_435_761) % 30_011;
                format!(
                    "document {n} says {word} and a{word:025}b, {}\n",
                    "the ".repeat(9)
                )
            })
            .collect()
    }

    #[test]
    fn counts_do_not_depend_on_the_bound() {
        let pattern = Pattern::named(PatternName::Gpt2);
        let documents = documents();
        let counts = count_pieces(&documents, &pattern, &CountOptions::default()).unwrap();
        let mut want: Vec<_> = counts.iter().map(|(p, c)| (p.to_vec(), c)).collect();
        want.sort();
        let mut files = Vec::new();
        for max_memory in [0, 1 << 18, 1 << 21, usize::MAX] {
            for threads in [1, 2, 3] {
                let store = Memory::new();
                let options = CountOptions::default().threads(threads);
                let mut counter = PieceCounter::new(&pattern, &options, max_memory, &store);
                counter.count(&documents[..1000]).unwrap();
                counter.count(&documents[1000..]).unwrap();
                let pieces = counter.finish().unwrap();
                assert!(all(pieces) == want, "{max_memory} bytes, {threads} threads");
                files.push(store.files.load(Relaxed));
            }
        }
        // With a bound of 0, each run has a few pieces, and runs are merged more than once.
        assert!(files[0] > FAN_IN + 1, "{files:?}");
        assert!(files[3] > 1 && files[3] < files[0], "{files:?}");
        assert_eq!(files[9..], [0, 0, 0], "no file without a bound");
    }

    #[test]
    fn added_pieces_and_documents_are_summed() {
        let pattern = Pattern::named(PatternName::Gpt2);
        for max_memory in [0, usize::MAX] {
            let store = Memory::new();
            let options = CountOptions::default();
            let mut counter = PieceCounter::new(&pattern, &options, max_memory, &store);
            counter.add(b"b", 1 << 40).unwrap();
            counter.add(b"", 5).unwrap();
            counter.add(b"c", 0).unwrap();
            counter.count(["a", "b", "ab"]).unwrap();
            counter.add(b"a", 4).unwrap();
            counter.add(b"a", 4).unwrap();
            let pieces = all(counter.finish().unwrap());
            let want = [("a", 9), ("ab", 1), ("b", (1 << 40) + 1)];
            assert_eq!(pieces, want.map(|(p, c)| (p.as_bytes().to_vec(), c)));
        }
    }

    #[test]
    fn a_total_above_u64_is_an_error_in_memory_and_on_disk() {
        let pattern = Pattern::named(PatternName::Gpt2);
        for max_memory in [0, usize::MAX] {
            let store = Memory::new();
            let options = CountOptions::default();
            let mut counter = PieceCounter::new(&pattern, &options, max_memory, &store);
            counter.add(b"a", Count::MAX).unwrap();
            counter.count(["a"]).unwrap();
            let piece = b"a".to_vec();
            let error = counter.finish().unwrap().next().unwrap_err();
            assert_eq!(error, PieceCountsError::CountOverflow { piece }.into());
        }
    }

    #[test]
    fn failures_of_store_and_pattern_are_errors() {
        let pattern = Pattern::named(PatternName::Gpt2);
        let mut store = Memory::new();
        store.room = 1 << 12;
        for threads in [1, 3] {
            let options = CountOptions::default().threads(threads);
            let mut counter = PieceCounter::new(&pattern, &options, 1 << 18, &store);
            let error = counter.count(documents()).unwrap_err();
            assert!(matches!(error, CountError::Store(_)), "{error}");
        }
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let options = CountOptions::default();
        let mut counter = PieceCounter::new(&bomb, &options, 0, &store);
        let error = counter
            .count(["fine".to_owned(), "a".repeat(64)])
            .unwrap_err();
        assert!(
            matches!(error, CountError::Split { document: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn pieces_over_the_memory_limit_are_refused() {
        let pattern = Pattern::named(PatternName::Gpt2);
        let store = Memory::new();
        let load = |max_memory| {
            let options = CountOptions::default();
            let mut counter = PieceCounter::new(&pattern, &options, 1 << 18, &store);
            counter.count(documents()).unwrap();
            counter.finish().unwrap().into_piece_counts(max_memory)
        };
        let fit = load(1 << 20).unwrap();
        assert!(fit.len() > 3000);
        assert_eq!(load(fit.memory()).unwrap().len(), fit.len());
        let max_memory = fit.memory() - 1;
        let error = load(max_memory).unwrap_err();
        assert_eq!(error, CountError::MemoryExceeded { max_memory });
    }

    proptest! {
        #[test]
        fn rows_round_trip(
            piece in prop::collection::vec(any::<u8>(), 0..300), count in any::<Count>(),
        ) {
            let mut bytes = Vec::new();
            write_row(&mut bytes, &piece, count).unwrap();
            let mut read = vec![7];
            prop_assert_eq!(read_row(&mut &bytes[..], &mut read).unwrap(), count);
            prop_assert_eq!(read, piece);
            prop_assert!(read_row(&mut &bytes[..bytes.len() - 1], &mut Vec::new()).is_err());
        }
    }
}

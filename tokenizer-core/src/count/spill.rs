//! Counting within a bound of memory.
//!
//! A table that would grow beyond its share of the bound is sorted by the bytes of its pieces and
//! written to a temporary file, a *run*; counting goes on in an empty one. In the end all runs are
//! merged: the least of their next pieces comes first, and where several runs have it, their counts
//! are summed. So pieces come out one by one in order, every one with the sum of all its counts,
//! exactly as if there were no bound, and nothing but a buffer for each run is in memory. When
//! there are many runs, some are merged to a longer one beforehand, so that few files are open.
//!
//! Why in order and not by parts of the hashes: the order of bytes is wanted anyway, since it makes
//! a file of counts depend on nothing but the counts; and a part of the hashes may turn out larger
//! than memory, while a merge never does.
//!
//! **Cost.** A piece is written once for each run it occurs in, and once more for each time its run
//! is merged to a longer one, once for every 64 runs. Memory: the bound; beside it what the
//! documents take that are on their way to the threads, a few megabytes of buffers, and pieces that
//! are themselves longer than the bound.

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

/// A place for what does not fit in memory.
pub trait TemporaryStore: Sync {
    /// A file that is written once and then read, and is gone when it is dropped.
    type File: Read + Write + Seek + Send;

    /// Makes an empty file.
    ///
    /// # Errors
    /// When there can be none.
    fn create(&self) -> io::Result<Self::File>;
}

/// Runs that are merged to one.
const FAN_IN: usize = 64;

/// Bytes that are read or written at once for each run.
const BUFFER: usize = 1 << 15;

/// Counts pieces of documents, and pieces that were counted elsewhere, within a bound of memory.
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
    /// What was added piece by piece.
    added: PieceTable,
}

impl<'a, S: TemporaryStore> PieceCounter<'a, S> {
    /// Nothing counted yet. What takes more than `max_memory` bytes goes to the `store`;
    /// `usize::MAX` is no bound.
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
                half: max_memory / 2,
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
    /// The first failure in the order of documents; when the store fails. Then some of the pieces
    /// have been counted, and the counter is good for nothing more.
    pub fn count<D: AsRef<[u8]> + Send + Sync>(
        &mut self,
        documents: impl IntoIterator<Item = D, IntoIter: Send>,
    ) -> Result<(), CountError> {
        self.set_aside_added()?;
        let share = self.spill.half / self.options.threads.max(1);
        let full = |table: &mut PieceTable, spans: &Spans| {
            let bytes = spans.ends().last().map_or(0, |end| end - spans.start());
            self.spill.make_room(table, share, spans.len(), bytes)
        };
        let tables = super::tables(documents, self.pattern, &self.options, &full)?;
        parallel::map(tables.into_iter(), |table| self.spill.set_aside(table))
            .into_iter()
            .collect()
    }

    /// Adds `count` occurrences of a piece. An empty piece is passed over.
    ///
    /// # Errors
    /// When the count overflows; when the store fails.
    pub fn add(&mut self, piece: &[u8], count: Count) -> Result<(), CountError> {
        if piece.is_empty() || count == 0 {
            return Ok(());
        }
        let share = self.spill.half;
        self.spill
            .make_room(&mut self.added, share, 1, piece.len())?;
        Ok(self.added.add_counted(piece, count)?)
    }

    /// All pieces, ascending by their bytes, each with the sum of its counts.
    ///
    /// # Errors
    /// When the store fails.
    pub fn finish(mut self) -> Result<SortedPieces<S::File>, CountError> {
        self.set_aside_added()?;
        let state = self.spill.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let tables = state.tables.into_iter().map(Source::table);
        let runs = state.levels.into_iter().flatten().map(Source::run);
        SortedPieces::new(tables.chain(runs))
    }

    fn set_aside_added(&mut self) -> Result<(), CountError> {
        let added = std::mem::replace(&mut self.added, PieceTable::new(Seeds::new()));
        self.spill.set_aside(added)
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

/// Where tables go that are full, or done.
struct Spill<'a, S: TemporaryStore> {
    store: &'a S,
    /// Half of the bound is for the tables that are counted in, half for those that are done.
    half: usize,
    state: Mutex<State<S::File>>,
}

struct State<F> {
    /// Tables that are done and fit in memory.
    tables: Vec<SortedTable>,
    tables_memory: usize,
    /// Runs, by how often they were merged to longer ones; of each kind less than [`FAN_IN`].
    levels: Vec<Vec<Run<F>>>,
}

/// A sorted table in a file.
struct Run<F> {
    file: F,
    pieces: u64,
}

impl<S: TemporaryStore> Spill<'_, S> {
    /// Empties a table that would take more memory than its share with so many pieces of so many
    /// bytes more.
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

    /// Keeps a table that is done, in memory if it fits.
    fn set_aside(&self, table: PieceTable) -> Result<(), CountError> {
        if table.is_empty() {
            return Ok(());
        }
        let table = table.into_sorted();
        let mut state = self.state();
        let memory = state.tables_memory.saturating_add(table.memory());
        if memory > self.half {
            drop(state);
            return self.write_run(table);
        }
        state.tables_memory = memory;
        state.tables.push(table);
        Ok(())
    }

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

    fn write(&self, pieces: &mut SortedPieces<S::File>) -> Result<Run<S::File>, CountError> {
        let mut written = 0;
        let file = self.store.create().map_err(store)?;
        let mut writer = BufWriter::with_capacity(BUFFER, file);
        while let Some((piece, count)) = pieces.next()? {
            write_row(&mut writer, piece, count).map_err(store)?;
            written += 1;
        }
        let file = writer
            .into_inner()
            .map_err(|error| store(error.into_error()))?;
        let mut run = Run {
            file,
            pieces: written,
        };
        run.file.rewind().map_err(store)?;
        Ok(run)
    }

    fn state(&self) -> MutexGuard<'_, State<S::File>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted pieces, ascending by their bytes. They are read from where they are while they are asked
/// for; temporary files are gone when this is dropped.
pub struct SortedPieces<F> {
    /// The source with the least next piece on top.
    sources: BinaryHeap<Source<F>>,
    /// The piece that was given last.
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

    /// The next piece and its count.
    ///
    /// # Errors
    /// When the sum of a piece's counts overflows, and when the store fails.
    #[allow(clippy::should_implement_trait, reason = "the piece is lent out")]
    pub fn next(&mut self) -> Result<Option<(&[u8], Count)>, CountError> {
        let Some(mut least) = self.sources.peek_mut() else {
            return Ok(None);
        };
        std::mem::swap(&mut self.piece, &mut least.piece);
        let mut total = least.count;
        loop {
            if !least.advance()? {
                std::collections::binary_heap::PeekMut::pop(least);
            } else {
                drop(least);
            }
            match self.sources.peek_mut() {
                Some(next) if next.piece == self.piece => least = next,
                _ => return Ok(Some((&self.piece, total))),
            }
            total =
                total
                    .checked_add(least.count)
                    .ok_or_else(|| PieceCountsError::CountOverflow {
                        piece: self.piece.clone(),
                    })?;
        }
    }

    /// All pieces in memory, for training; `max_memory` bytes must be enough for them.
    ///
    /// # Errors
    /// As [`SortedPieces::next`]; [`CountError::MemoryExceeded`].
    pub fn into_piece_counts(mut self, max_memory: usize) -> Result<PieceCounts, CountError> {
        let mut words = PieceCounts::new();
        while let Some((piece, count)) = self.next()? {
            words.push_distinct(piece, count)?;
            if words.memory() > max_memory {
                return Err(CountError::MemoryExceeded { max_memory });
            }
        }
        Ok(words)
    }
}

impl<F> std::fmt::Debug for SortedPieces<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedPieces")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

/// A sorted table or a run, with its next piece in hand.
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

    /// Takes the next piece in hand; `false` if there is none.
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
                self.count = read_row(reader, &mut self.piece).map_err(store)?;
                *left -= 1;
            }
        }
        Ok(true)
    }
}

/// The greatest is on top of a heap, and the least piece is wanted there.
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

fn store(error: io::Error) -> CountError {
    CountError::Store(error.to_string())
}

/// A row of a run: the length of the piece and its count, seven bits a byte and the lowest first,
/// and the piece.
fn write_row(writer: &mut impl Write, piece: &[u8], count: Count) -> io::Result<()> {
    write_number(writer, piece.len() as u64)?;
    write_number(writer, count)?;
    writer.write_all(piece)
}

fn read_row(reader: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<Count> {
    let length = read_number(reader)?;
    let count = read_number(reader)?;
    piece.clear();
    // What this program wrote is no larger than what it had in memory.
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

    /// A store in memory that counts its files, and has room for so many bytes in each.
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
    fn every_bound_gives_the_counts_without_one() {
        let pattern = Pattern::named(PatternName::Gpt2);
        let documents = documents();
        let words = count_pieces(&documents, &pattern, &CountOptions::default()).unwrap();
        let mut want: Vec<_> = words.iter().map(|(p, c)| (p.to_vec(), c)).collect();
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
        // A bound of nothing makes a run of every few pieces, and merges them more than once.
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
    fn a_sum_beyond_u64_is_an_error_wherever_its_parts_are() {
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
    fn a_store_that_fails_and_a_pattern_that_fails_are_errors() {
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
    fn what_does_not_fit_for_training_is_refused() {
        let pattern = Pattern::named(PatternName::Gpt2);
        let store = Memory::new();
        let words = |max_memory| {
            let options = CountOptions::default();
            let mut counter = PieceCounter::new(&pattern, &options, 1 << 18, &store);
            counter.count(documents()).unwrap();
            counter.finish().unwrap().into_piece_counts(max_memory)
        };
        let fit = words(1 << 20).unwrap();
        assert!(fit.len() > 3000);
        assert_eq!(words(fit.memory()).unwrap().len(), fit.len());
        let max_memory = fit.memory() - 1;
        let error = words(max_memory).unwrap_err();
        assert_eq!(error, CountError::MemoryExceeded { max_memory });
    }

    proptest! {
        #[test]
        fn rows_of_runs_come_back(
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

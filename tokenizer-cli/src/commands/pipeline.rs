//! Reads, encodes and consumes documents concurrently. Results are consumed in the order of the documents.
//!
//! ```text
//! reader thread ──groups──▶ worker threads, one group each ──ids──▶ main thread
//! ```
//!
//! A group ends with the document that brings it to a mebibyte or more. The core's ordered map encodes the
//! groups. A semaphore bounds the bytes of the groups *in flight*: sent by the reader and not yet consumed. The
//! reader holds at most one more group, so memory does not grow with the corpus.
//!
//! The reader thread is never joined, since it may block on a pipe. When the run ends early, the main thread
//! sends the end of the input in the reader's place, so that no worker waits for the next group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokenizer_core::parallel;
use tokenizer_core::{BatchError, Pattern, Request, Tokenizer};

use crate::error::{Result, failed};
use crate::input::{InputText, Inputs};
use crate::progress::{Progress, Stage};

/// A group ends once it has this many bytes: large enough to amortise the hand-over, small enough for the
/// groups of many threads to fit in memory with their ids.
const GROUP_BYTES: usize = 1 << 20;

/// A group of more bytes than this contains a long document that could not be cut. While such a group is in
/// flight, no other group is. All threads encode it together, just before it is consumed.
const LARGE: usize = 4 * GROUP_BYTES;

/// Working time of each part of a run. The parts overlap in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    reading: Duration,
    /// The sum over the threads, divided by the largest number of threads that encoded at once.
    pub(super) encoding: Duration,
    consuming: Duration,
}

impl Spent {
    /// Ends a stage that produced `tokens` tokens. With `--verbose`, also reports the time of each part.
    pub(super) fn end(self, progress: &Progress, stage: Stage, tokens: u64) {
        let (bytes, ids) = (stage.bytes(), Some(tokens));
        progress.part("reading documents", bytes, None, self.reading);
        progress.part("encoding documents", bytes, ids, self.encoding);
        progress.part("consuming ids", bytes, ids, self.consuming);
        stage.tokens(tokens);
    }
}

/// Texts that are encoded together.
#[derive(Default)]
struct Group {
    texts: Vec<InputText>,
    bytes: usize,
    /// Time it took to read the texts.
    took: Duration,
}

/// The next group or an error; `None` at the end.
type Received = Option<Result<Group>>;

/// Skips the first `done` documents, calls `encode` with groups of the others, and calls `consume` with each
/// group and its result, in order. `encode` receives `request`, which for a group of more than [`LARGE`]
/// bytes has all threads and a progress counter. Long documents are cut by the pattern `cut`, if there is
/// one. `stage` counts the bytes that have been consumed.
pub(super) fn run<'r, T: Send>(
    inputs: &Inputs,
    cut: Option<&Pattern>,
    done: u64,
    stage: &'r Stage,
    request: Request<'r>,
    encode: impl Fn(Request<'r>, &[InputText]) -> Result<T, BatchError> + Sync,
    mut consume: impl FnMut(&[InputText], T) -> Result<()>,
) -> Result<Spent> {
    let threads = inputs.threads;
    let (sender, groups) = channel();
    let in_flight = Arc::new(Semaphore::new((2 * threads + 2) * GROUP_BYTES));
    let documents = skip_documents(inputs.documents(cut), done);
    spawn_reader(documents, sender.clone(), Arc::clone(&in_flight))?;
    let groups = std::iter::from_fn(move || groups.recv().ok().flatten());

    let work_time = Mutex::<WorkTime>::default();
    let encode = |group: &Group, request, threads| {
        lock(&work_time).begin(threads);
        let started = Instant::now();
        let encoded = encode(request, &group.texts);
        lock(&work_time).end(threads, started.elapsed());
        encoded.map_err(|failure| {
            let text = &group.texts[failure.text];
            inputs.encode_error(text.input, text.stretch.place, failure.error)
        })
    };
    let work = |group: Result<Group>| -> Result<_> {
        let group = group?;
        let is_small = group.bytes <= LARGE;
        let encoded = is_small.then(|| encode(&group, request, 1)).transpose()?;
        Ok((group, encoded))
    };
    let mut spent = Spent::default();
    let stop = StopOnDrop { in_flight, sender };
    let consume = {
        let (encode, spent) = (&encode, &mut spent);
        move |(group, encoded): (Group, Option<T>)| {
            let lengths = group.texts.iter().map(|text| text.as_ref().len() as u64);
            let (bytes, position) = (lengths.sum(), group.position());
            let encode_large = || {
                let counter = stage.large_text(bytes, position);
                encode(&group, request.threads(threads).progress(counter), threads)
            };
            let encoded = encoded.map_or_else(encode_large, Ok)?;
            let started = Instant::now();
            spent.reading += group.took;
            consume(&group.texts, encoded)?;
            stage.advance(bytes);
            stage.reach(position);
            stop.in_flight.release(group.permits());
            spent.consuming += started.elapsed();
            Ok(())
        }
    };
    parallel::pipeline(groups, threads, work, consume)?;
    spent.encoding = lock(&work_time).per_thread();
    Ok(spent)
}

/// Stops the reader thread, and wakes workers that wait for it.
struct StopOnDrop {
    in_flight: Arc<Semaphore>,
    sender: Sender<Received>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.in_flight.close();
        let _ = self.sender.send(None);
    }
}

impl Group {
    /// Position in the inputs where the group ends.
    fn position(&self) -> u64 {
        self.texts.last().map_or(0, |text| text.position)
    }

    /// The permits that the group needs: all of the semaphore for a large group.
    fn permits(&self) -> usize {
        match self.bytes {
            ..=LARGE => self.bytes,
            _ => usize::MAX,
        }
    }
}

/// Time that threads spent encoding.
#[derive(Default)]
struct WorkTime {
    threads: usize,
    /// The largest number of threads at once.
    max_threads: usize,
    /// Summed over the threads.
    total: Duration,
}

impl WorkTime {
    fn begin(&mut self, threads: usize) {
        self.threads += threads;
        self.max_threads = self.max_threads.max(self.threads);
    }

    fn end(&mut self, threads: usize, took: Duration) {
        self.threads -= threads;
        self.total += took * threads as u32;
    }

    /// The time that each thread would have taken if all had shared the work evenly.
    fn per_thread(&self) -> Duration {
        self.total / self.max_threads.max(1) as u32
    }
}

/// A counting semaphore whose permits are bytes.
struct Semaphore {
    /// Permits in use; `None` once it is closed.
    used: Mutex<Option<usize>>,
    changed: Condvar,
    capacity: usize,
}

impl Semaphore {
    fn new(capacity: usize) -> Self {
        Semaphore {
            used: Mutex::new(Some(0)),
            changed: Condvar::new(),
            capacity,
        }
    }

    /// Acquires permits. Blocks while these permits and those in use exceed the capacity together, unless
    /// none are in use. Returns `false` if the semaphore is closed.
    fn acquire(&self, permits: usize) -> bool {
        let sum = |used: usize| used.saturating_add(permits);
        let is_full = |used: &mut Option<usize>| {
            used.is_some_and(|used| used > 0 && sum(used) > self.capacity)
        };
        let used = self.changed.wait_while(lock(&self.used), is_full);
        let mut used = used.unwrap_or_else(PoisonError::into_inner);
        *used = used.map(sum);
        used.is_some()
    }

    fn release(&self, permits: usize) {
        let mut used = lock(&self.used);
        *used = used.map(|used| used - permits);
        self.changed.notify_all();
    }

    fn close(&self) {
        *lock(&self.used) = None;
        self.changed.notify_all();
    }
}

/// Ignores poisoning: a panic leaves no state half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops the texts of the first `count` documents. Errors are kept.
fn skip_documents(
    documents: impl Iterator<Item = Result<InputText>>,
    mut count: u64,
) -> impl Iterator<Item = Result<InputText>> {
    documents.filter(move |text| match text {
        Ok(text) if count > 0 => {
            count -= u64::from(text.stretch.ends_document);
            false
        }
        _ => true,
    })
}

/// Starts the thread that reads documents and sends them in groups, until the first error.
fn spawn_reader(
    documents: impl Iterator<Item = Result<InputText>> + Send + 'static,
    groups: Sender<Received>,
    in_flight: Arc<Semaphore>,
) -> Result<()> {
    let read = move || {
        let send = |group: Group| {
            in_flight.acquire(group.permits()) && groups.send(Some(Ok(group))).is_ok()
        };
        // A panic is sent as an error: otherwise the workers would wait forever for the next group.
        let sent = catch_unwind(AssertUnwindSafe(|| send_groups(documents, send)));
        let error =
            sent.unwrap_or_else(|_| Err(failed("the inputs could not be read to their end")));
        let error = error.err();
        // Fails if the run has ended.
        let _ = groups.send(error.map(Err));
    };
    let thread = thread::Builder::new().spawn(read);
    thread.map_err(|error| failed(format!("cannot start a thread: {error}")))?;
    Ok(())
}

/// Sends documents in groups, until `send` returns `false` or a document cannot be read.
fn send_groups(
    documents: impl Iterator<Item = Result<InputText>>,
    send: impl Fn(Group) -> bool,
) -> Result<()> {
    let mut group = Group::default();
    let mut started = Instant::now();
    let mut error = Ok(());
    for text in documents {
        match text {
            Ok(text) => {
                // The overhead counts too: it outweighs very short documents.
                group.bytes += text.as_ref().len() + size_of::<InputText>();
                group.texts.push(text);
            }
            Err(failure) => {
                error = Err(failure);
                break;
            }
        }
        if group.bytes >= GROUP_BYTES {
            group.took = started.elapsed();
            if !send(std::mem::take(&mut group)) {
                return Ok(());
            }
            // The time that `send` blocks does not count as reading.
            started = Instant::now();
        }
    }
    // The texts before a read error are sent: if one of them fails to encode, that error is reported instead.
    group.took = started.elapsed();
    if !group.texts.is_empty() {
        send(group);
    }
    error
}

/// Returns the pattern at whose boundaries a document can be cut without changing its ids, if no special
/// tokens are allowed in it. `None` if documents must be encoded whole, because they are normalized or may
/// contain added tokens that are not special.
pub(super) fn cut_for(tokenizer: &Tokenizer) -> Option<&Pattern> {
    let model = tokenizer.model();
    let has_added = model.specials().iter().any(|token| !token.special);
    let is_changed = model.normalizer().is_some() || !model.rewrites().is_empty();
    (!is_changed && !has_added).then_some(model.pattern())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;
    use std::sync::atomic::Ordering;

    use clap::Parser;
    use tokenizer_core::{Merges, Model};

    use super::*;
    use crate::args::{Arguments, Command};

    #[test]
    fn a_panic_while_reading_is_an_error() {
        let panics = std::iter::from_fn(|| -> Option<Result<InputText>> { panic!("a test") });
        let (sender, groups) = channel();
        spawn_reader(panics, sender, Arc::new(Semaphore::new(0))).unwrap();
        let last = groups.into_iter().last();
        let error = last.flatten().and_then(Result::err).unwrap();
        assert!(error.message.contains("to their end"));
    }

    #[test]
    fn the_semaphore_admits_one_of_any_size_and_none_when_closed() {
        let semaphore = Semaphore::new(10);
        assert!(semaphore.acquire(99));
        semaphore.release(99);
        assert!(semaphore.acquire(4) && semaphore.acquire(6));
        thread::scope(|scope| {
            let waits = scope.spawn(|| semaphore.acquire(1));
            semaphore.release(4);
            assert!(waits.join().unwrap());
            let waits = scope.spawn(|| semaphore.acquire(5));
            semaphore.close();
            assert!(!waits.join().unwrap());
        });
    }

    #[test]
    fn work_time_is_divided_by_the_threads_at_once() {
        let second = Duration::from_secs(1);
        let mut work_time = WorkTime::default();
        assert_eq!(work_time.per_thread(), Duration::ZERO);
        work_time.begin(1);
        work_time.begin(1);
        work_time.end(1, 2 * second);
        work_time.end(1, 4 * second);
        work_time.begin(2);
        work_time.end(2, second);
        assert_eq!(work_time.per_thread(), 4 * second);
    }

    fn inputs(path: &Path, options: &[&str]) -> Inputs {
        let command = ["tokenizer", "count", "-m", "no.bpe"].iter().chain(options);
        let arguments = command.map(OsStr::new).chain([path.as_os_str()]);
        let Command::Count(arguments) = Arguments::parse_from(arguments).command else {
            panic!("another command");
        };
        arguments.documents.open().unwrap()
    }

    /// Runs over the lines of `text` as documents.
    fn run_over(
        text: &str,
        threads: usize,
        consume: impl FnMut(&[InputText], usize) -> Result<()>,
    ) -> Result<Spent> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        let inputs = inputs(&path, &["--per-line", "--threads", &threads.to_string()]);
        let model = Model::from_merges("gpt2".parse().unwrap(), Merges::default(), &[""; 0]);
        let tokenizer = Tokenizer::new(model.unwrap());
        let encode = |_: Request<'_>, texts: &[InputText]| Ok(texts.len());
        let stage = Progress::new(true, false).bytes("a test");
        run(
            &inputs,
            None,
            0,
            &stage,
            tokenizer.request(),
            encode,
            consume,
        )
    }

    #[test]
    fn documents_come_in_order_from_any_number_of_threads() {
        let lines: Vec<String> = (0..20_000).map(|n| format!("{n:500}")).collect();
        let text = lines.join("\n");
        for threads in [1, 2, 8] {
            let mut found = Vec::new();
            let consume = |texts: &[InputText], count| {
                assert_eq!(texts.len(), count);
                found.extend(texts.iter().map(|text| text.as_ref().to_vec()));
                Ok(())
            };
            run_over(&text, threads, consume).unwrap();
            assert!(found.iter().eq(lines.iter().map(String::as_bytes)));
        }
    }

    /// The bytes of a document that cannot be cut are counted before it is consumed.
    #[test]
    fn a_large_document_reports_its_progress() {
        let text = "low ".repeat(LARGE / 3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, &text).unwrap();
        let inputs = inputs(&path, &["--threads", "2"]);
        let model = Model::from_merges("gpt2".parse().unwrap(), Merges::default(), &[""; 0]);
        let tokenizer = Tokenizer::new(model.unwrap());
        let stage = Progress::new(true, false).bytes_of("a test", inputs.total_bytes);
        let counter = stage.large_text(0, 0);
        let encode = |request: Request<'_>, texts: &[InputText]| request.count_batch(texts);
        let request = tokenizer.request();
        run(&inputs, None, 0, &stage, request, encode, |texts, _| {
            assert_eq!(texts[0].position, text.len() as u64);
            assert!(counter.load(Ordering::Relaxed) >= text.len() as u64);
            Ok(())
        })
        .unwrap();
        assert_eq!(stage.bytes(), text.len() as u64);
    }

    #[test]
    fn a_failure_or_a_panic_of_the_consumer_ends_the_run() {
        let text = "a line\n".repeat(2_000_000);
        let failed = run_over(&text, 3, |_, _| Err(failed("a test")));
        assert_eq!(failed.unwrap_err().message, "a test");
        let panics = catch_unwind(|| run_over(&text, 3, |_, _| panic!("a test")));
        assert!(panics.is_err());
    }
}

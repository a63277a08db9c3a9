//! Documents read, encoded and consumed at the same time, in their order.
//!
//! ```text
//! one thread reads ──groups──▶ threads encode one each ──ids──▶ the main thread consumes them
//! ```
//!
//! A group is a megabyte of documents, or one that is longer. The ordered map of the core encodes them; a
//! semaphore bounds the bytes in flight, so memory does not grow with the corpus.
//!
//! Documents are read on a thread that is never joined: it may wait for a pipe when the program is to end.
//! Then the end of the input is sent in its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokenizer_core::parallel;
use tokenizer_core::{BatchError, Pattern, Tokenizer};

use crate::error::{Result, failed};
use crate::input::{InputText, Inputs};
use crate::progress::{Progress, Stage};

/// Texts are encoded together until they have this many bytes: enough to be worth the handing over, few
/// enough for groups of many threads to be in memory with their ids.
const TOGETHER: usize = 1 << 20;

/// A group of more bytes holds a document that could not be cut. It is in flight alone, and encoded by all
/// threads when it is consumed.
const LARGE: usize = 4 * TOGETHER;

/// How long each of the three was at work. They work at the same time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    reading: Duration,
    /// Of all threads together, divided by how many there were.
    pub(super) encoding: Duration,
    handing_on: Duration,
}

impl Spent {
    /// Ends a stage that made `tokens` tokens; with `--verbose`, reports the time of each part.
    pub(super) fn end(self, progress: &Progress, stage: Stage, tokens: u64) {
        let (bytes, made) = (stage.bytes(), Some(tokens));
        progress.part("reading documents", bytes, None, self.reading);
        progress.part("encoding documents", bytes, made, self.encoding);
        progress.part("handing ids on", bytes, made, self.handing_on);
        stage.tokens(tokens);
    }
}

/// Texts that are encoded together, and how long it took to read them.
#[derive(Default)]
struct Group {
    texts: Vec<InputText>,
    bytes: usize,
    took: Duration,
}

/// The next group, or the error of reading it; `None` at the end.
type Read = Option<Result<Group>>;

/// Reads all documents behind the first `done`, calls `encode` with groups of them and a number of threads,
/// and `each` with the group and its result, in order. Documents may be cut by `cut`, if there is a pattern.
/// `stage` has their bytes. Gives how long that took.
pub(super) fn run<T: Send>(
    inputs: &Inputs,
    cut: Option<&Pattern>,
    mut done: u64,
    stage: &Stage,
    encode: impl Fn(&[InputText], usize) -> Result<T, BatchError> + Sync,
    mut each: impl FnMut(&[InputText], T) -> Result<()>,
) -> Result<Spent> {
    let threads = inputs.threads;
    let documents = inputs.documents(cut);
    let documents = documents.filter(move |text| match text {
        Ok(text) if done > 0 => {
            done -= u64::from(text.stretch.ends_document);
            false
        }
        _ => true,
    });
    let (sender, groups) = channel();
    let room = Arc::new(Room::new((2 * threads + 2) * TOGETHER));
    read(documents, sender.clone(), Arc::clone(&room))?;
    let groups = std::iter::from_fn(move || groups.recv().ok().flatten());

    let at_work = Mutex::<AtWork>::default();
    let encode = |group: &Group, threads| {
        lock(&at_work).begin(threads);
        let started = Instant::now();
        let encoded = encode(&group.texts, threads);
        lock(&at_work).end(threads, started.elapsed());
        encoded.map_err(|failure| {
            let text = &group.texts[failure.text];
            inputs.encode_error(text.input, text.stretch.place, failure.error)
        })
    };
    let work = |group: Result<Group>| -> Result<_> {
        let group = group?;
        let is_small = group.bytes <= LARGE;
        let encoded = is_small.then(|| encode(&group, 1)).transpose()?;
        Ok((group, encoded))
    };
    let mut spent = Spent::default();
    let stop = StopOnDrop { room, sender };
    let consume = {
        let (encode, spent) = (&encode, &mut spent);
        move |(group, encoded): (Group, Option<T>)| {
            let encoded = encoded.map_or_else(|| encode(&group, threads), Ok)?;
            let started = Instant::now();
            spent.reading += group.took;
            each(&group.texts, encoded)?;
            let lengths = group.texts.iter().map(|text| text.as_ref().len() as u64);
            stage.advance(lengths.sum());
            stop.room.give_back(group.room());
            spent.handing_on += started.elapsed();
            Ok(())
        }
    };
    parallel::pipeline(groups, threads, work, consume)?;
    spent.encoding = lock(&at_work).each();
    Ok(spent)
}

/// Ends the reading, and the waiting for it.
struct StopOnDrop {
    room: Arc<Room>,
    sender: Sender<Read>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.room.close();
        let _ = self.sender.send(None);
    }
}

impl Group {
    /// The room that it takes: a large one all of it.
    fn room(&self) -> usize {
        match self.bytes {
            ..=LARGE => self.bytes,
            _ => usize::MAX,
        }
    }
}

/// How many threads are at work, and how long they were.
#[derive(Default)]
struct AtWork {
    now: usize,
    /// How many there were at most.
    most: usize,
    /// Of all together.
    took: Duration,
}

impl AtWork {
    fn begin(&mut self, threads: usize) {
        self.now += threads;
        self.most = self.most.max(self.now);
    }

    fn end(&mut self, threads: usize, took: Duration) {
        self.now -= threads;
        self.took += took * threads as u32;
    }

    /// What each of them took, had they shared the work evenly.
    fn each(&self) -> Duration {
        self.took / self.most.max(1) as u32
    }
}

/// Bounds the bytes under way.
struct Room {
    /// Bytes under way; `None` if no more are wanted.
    taken: Mutex<Option<usize>>,
    changed: Condvar,
    most: usize,
}

impl Room {
    fn new(most: usize) -> Self {
        Room {
            taken: Mutex::new(Some(0)),
            changed: Condvar::new(),
            most,
        }
    }

    /// Waits until there is room for so many bytes, or nothing under way. Whether they are wanted.
    fn take(&self, bytes: usize) -> bool {
        let together = |taken: usize| taken.saturating_add(bytes);
        let is_full = |taken: &mut Option<usize>| {
            taken.is_some_and(|taken| taken > 0 && together(taken) > self.most)
        };
        let taken = self.changed.wait_while(lock(&self.taken), is_full);
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        *taken = taken.map(together);
        taken.is_some()
    }

    fn give_back(&self, bytes: usize) {
        let mut taken = lock(&self.taken);
        *taken = taken.map(|taken| taken - bytes);
        self.changed.notify_all();
    }

    fn close(&self) {
        *lock(&self.taken) = None;
        self.changed.notify_all();
    }
}

/// Nobody leaves anything half done under a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads documents on a thread of its own, and sends them in groups. After an error there are no more.
fn read(
    documents: impl Iterator<Item = Result<InputText>> + Send + 'static,
    groups: Sender<Read>,
    room: Arc<Room>,
) -> Result<()> {
    let read = move || {
        let send = |group: Group| room.take(group.room()) && groups.send(Some(Ok(group))).is_ok();
        // A panic must not look like the end.
        let sent = catch_unwind(AssertUnwindSafe(|| send_groups(documents, send)));
        let error =
            sent.unwrap_or_else(|_| Err(failed("the inputs could not be read to their end")));
        let error = error.err();
        // The consumer may have gone.
        let _ = groups.send(error.map(Err));
    };
    let thread = thread::Builder::new().spawn(read);
    thread.map_err(|error| failed(format!("no thread can be started: {error}")))?;
    Ok(())
}

/// Sends documents in groups, until no more are wanted.
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
                // A very short document is mostly what it is wrapped in.
                group.bytes += text.as_ref().len() + size_of::<InputText>();
                group.texts.push(text);
            }
            Err(failure) => {
                error = Err(failure);
                break;
            }
        }
        if group.bytes >= TOGETHER {
            group.took = started.elapsed();
            if !send(std::mem::take(&mut group)) {
                return Ok(());
            }
            // Waiting for the others is no work.
            started = Instant::now();
        }
    }
    // What stands before an error may fail too, and is named first then.
    group.took = started.elapsed();
    send(group);
    error
}

/// The pattern by which documents may be cut so that each part has the ids that it has within the
/// whole; `None` if the whole text is needed, since it is normalized or may hold added tokens.
pub(super) fn cut_for(tokenizer: &Tokenizer) -> Option<&Pattern> {
    let model = tokenizer.model();
    let has_added = model.specials().iter().any(|token| !token.special);
    (model.normalizer().is_none() && !has_added).then_some(model.pattern())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    #[test]
    fn a_panic_while_reading_is_no_end() {
        let panics = std::iter::from_fn(|| -> Option<Result<InputText>> { panic!("a test") });
        let (sender, groups) = channel();
        read(panics, sender, Arc::new(Room::new(0))).unwrap();
        let last = groups.into_iter().last();
        let error = last.flatten().and_then(Result::err).unwrap();
        assert!(error.message.contains("to their end"));
    }

    #[test]
    fn there_is_room_for_one_in_any_case_and_none_when_it_is_closed() {
        let room = Room::new(10);
        assert!(room.take(99));
        room.give_back(99);
        assert!(room.take(4) && room.take(6));
        thread::scope(|scope| {
            let waits = scope.spawn(|| room.take(1));
            room.give_back(4);
            assert!(waits.join().unwrap());
            let waits = scope.spawn(|| room.take(5));
            room.close();
            assert!(!waits.join().unwrap());
        });
    }

    #[test]
    fn time_at_work_is_divided_by_those_at_work_at_once() {
        let second = Duration::from_secs(1);
        let mut at_work = AtWork::default();
        assert_eq!(at_work.each(), Duration::ZERO);
        at_work.begin(1);
        at_work.begin(1);
        at_work.end(1, 2 * second);
        at_work.end(1, 4 * second);
        at_work.begin(2);
        at_work.end(2, second);
        assert_eq!(at_work.each(), 4 * second);
    }

    /// Runs over lines of a text of several groups, a document each.
    fn run_over(
        text: &str,
        threads: usize,
        each: impl FnMut(&[InputText], usize) -> Result<()>,
    ) -> Result<Spent> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        let threads = threads.to_string();
        let options = [
            "tokenizer",
            "count",
            "--per-line",
            "-m",
            "no.bpe",
            "--threads",
            &threads,
        ];
        let arguments = options
            .map(OsStr::new)
            .into_iter()
            .chain([path.as_os_str()]);
        let Command::Count(arguments) = Arguments::parse_from(arguments).command else {
            panic!("another command");
        };
        let inputs = arguments.documents.open().unwrap();
        let encode = |texts: &[InputText], _| Ok(texts.len());
        let stage = Progress::new(true, false).bytes("a test");
        run(&inputs, None, 0, &stage, encode, each)
    }

    #[test]
    fn documents_come_in_order_from_any_number_of_threads() {
        let lines: Vec<String> = (0..20_000).map(|n| format!("{n:500}")).collect();
        let text = lines.join("\n");
        for threads in [1, 2, 8] {
            let mut found = Vec::new();
            let each = |texts: &[InputText], count| {
                assert_eq!(texts.len(), count);
                found.extend(texts.iter().map(|text| text.as_ref().to_vec()));
                Ok(())
            };
            run_over(&text, threads, each).unwrap();
            assert!(found.iter().eq(lines.iter().map(String::as_bytes)));
        }
    }

    #[test]
    fn a_failure_or_a_panic_of_who_takes_them_ends_all() {
        let text = "a line\n".repeat(2_000_000);
        let failed = run_over(&text, 3, |_, _| Err(failed("a test")));
        assert_eq!(failed.unwrap_err().message, "a test");
        let panics = catch_unwind(|| run_over(&text, 3, |_, _| panic!("a test")));
        assert!(panics.is_err());
    }
}

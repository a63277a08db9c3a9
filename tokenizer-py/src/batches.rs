//! Many texts to many lists.
//!
//! To make the lists takes about as long as to encode, and only the calling thread can do it, which
//! holds the interpreter meanwhile. So the texts are taken in portions: other threads encode some
//! while the calling thread makes lists of those that are done, and encodes too when there are none.
//! Of the ids no more is held than a few portions for each thread. Between portions other Python
//! threads get their turn, and Ctrl-C is looked for.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, ScopedJoinHandle};

use pyo3::prelude::*;
use pyo3::types::PyList;
use tokenizer_core::{EncodeError, TokenId};

use crate::interruptible::{WAKE, take_turns};
use crate::lists::{HiddenList, Ints};
use crate::text::{stoppable, useful_threads};

/// A portion has no more bytes of text than this, if it is more than one text: then its ids stay in
/// the second-level cache until they are in lists.
const PORTION: usize = 1 << 18;

/// Nor so few that to hand it over would take longer than to encode it.
const LEAST: usize = 1 << 14;

/// One of several texts could not be encoded.
pub(crate) struct Failure {
    /// Which, from 0.
    pub(crate) text: usize,
    pub(crate) error: EncodeError,
}

/// Appends the ids of a text, until the flag is set.
pub(crate) trait Encode<T>:
    Fn(&T, &mut Vec<TokenId>, Option<&AtomicBool>) -> Result<(), EncodeError> + Sync
{
}

impl<T, E> Encode<T> for E where
    E: Fn(&T, &mut Vec<TokenId>, Option<&AtomicBool>) -> Result<(), EncodeError> + Sync
{
}

/// The lists of the ids of `texts`, made on up to `threads` threads. `encode` appends the ids of a
/// text; `refuse` makes of a failure, that of the first text, what is raised.
///
/// # Errors
/// What `refuse` gives, `MemoryError`, and what a signal handler raises.
pub(crate) fn encode<'py, T: AsRef<[u8]> + Sync>(
    py: Python<'py>,
    texts: &[T],
    threads: usize,
    ints: &Ints,
    encode: impl Encode<T>,
    refuse: impl FnOnce(Failure) -> PyErr,
) -> PyResult<Bound<'py, PyList>> {
    let threads = useful_threads(threads, texts).max(1);
    let portions = portions(texts, threads);
    let work = Work {
        texts,
        portions: &portions,
        next: AtomicUsize::new(0),
        end: AtomicUsize::new(portions.len()),
        stop: AtomicBool::new(false),
        encode,
    };
    let mut lists = Lists {
        made: texts.iter().map(|_| None).collect(),
        failure: None,
    };
    let (done, mut inbox) = sync_channel(4 * threads);
    std::thread::scope(|scope| {
        let work = &work;
        let helper = |_| {
            let done = done.clone();
            // With fewer threads than wanted it takes longer, no more.
            Builder::new()
                .spawn_scoped(scope, move || work.help(&done))
                .ok()
        };
        let helpers: Vec<_> = (1..threads.min(portions.len())).map_while(helper).collect();
        drop(done);
        let result = lists.make(py, ints, work, &mut inbox);
        work.stop.store(result.is_err(), Ordering::Relaxed);
        // Whoever waits to hand over a portion need not any more.
        drop(inbox);
        py.detach(|| helpers.into_iter().for_each(join));
        result
    })?;
    match lists.failure {
        Some(failure) => Err(refuse(failure)),
        None => {
            let lists: Vec<_> = (lists.made.into_iter().flatten())
                .map(HiddenList::show)
                .collect();
            PyList::new(py, lists)
        }
    }
}

fn join(helper: ScopedJoinHandle<'_, ()>) {
    helper
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// The texts in portions, for each of `threads` several.
fn portions<T: AsRef<[u8]>>(texts: &[T], threads: usize) -> Vec<Range<usize>> {
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    let enough = (bytes / (4 * threads)).clamp(LEAST, PORTION);
    let mut portions = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (number, text) in texts.iter().enumerate() {
        bytes += text.as_ref().len();
        if bytes >= enough || number + 1 == texts.len() {
            portions.push(start..number + 1);
            (start, bytes) = (number + 1, 0);
        }
    }
    portions
}

/// What the threads share.
struct Work<'w, T, E> {
    texts: &'w [T],
    portions: &'w [Range<usize>],
    /// The portion to be taken next.
    next: AtomicUsize,
    /// Portions from here on are not wanted any more: a text before them has failed.
    end: AtomicUsize,
    /// All is to end.
    stop: AtomicBool,
    encode: E,
}

/// The ids of a portion.
struct Portion {
    number: usize,
    ids: Vec<TokenId>,
    /// Where the ids of each text end.
    ends: Vec<usize>,
    /// Why there are no more.
    failure: Option<Failure>,
}

impl<T: AsRef<[u8]>, E: Encode<T>> Work<'_, T, E> {
    fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end.load(Ordering::Relaxed)).then_some(number)
    }

    fn encode(&self, number: usize, stop: Option<&AtomicBool>) -> Portion {
        let portion = self.portions[number].clone();
        let mut done = Portion {
            number,
            ids: Vec::new(),
            ends: Vec::with_capacity(portion.len()),
            failure: None,
        };
        for text in portion {
            if let Err(error) = (self.encode)(&self.texts[text], &mut done.ids, stop) {
                self.end.fetch_min(number, Ordering::Relaxed);
                done.failure = Some(Failure { text, error });
                break;
            }
            done.ends.push(done.ids.len());
        }
        done
    }

    fn bytes(&self, number: usize) -> usize {
        let texts = self.texts[self.portions[number].clone()].iter();
        texts.map(|text| text.as_ref().len()).sum()
    }

    /// What another thread does.
    fn help(&self, done: &SyncSender<Portion>) {
        while let Some(number) = self.take() {
            if done.send(self.encode(number, Some(&self.stop))).is_err() {
                return;
            }
        }
    }
}

/// What is made so far.
struct Lists<'py> {
    /// By text.
    made: Vec<Option<HiddenList<'py>>>,
    /// That of the first text that failed.
    failure: Option<Failure>,
}

impl<'py> Lists<'py> {
    /// Makes all of them.
    fn make<T: AsRef<[u8]> + Sync, E: Encode<T>>(
        &mut self,
        py: Python<'py>,
        ints: &Ints,
        work: &Work<'_, T, E>,
        inbox: &mut Receiver<Portion>,
    ) -> PyResult<()> {
        loop {
            take_turns(py)?;
            let portion = match inbox.try_recv() {
                Ok(portion) => portion,
                Err(_) => match work.take() {
                    Some(number) => {
                        stoppable(py, work.bytes(number), |stop| work.encode(number, stop))?
                    }
                    None => {
                        let inbox = &mut *inbox;
                        match py.detach(move || inbox.recv_timeout(WAKE)) {
                            Ok(portion) => portion,
                            Err(RecvTimeoutError::Timeout) => continue,
                            Err(RecvTimeoutError::Disconnected) => return Ok(()),
                        }
                    }
                },
            };
            self.make_some(py, ints, work.portions, portion)?;
        }
    }

    fn make_some(
        &mut self,
        py: Python<'py>,
        ints: &Ints,
        portions: &[Range<usize>],
        portion: Portion,
    ) -> PyResult<()> {
        let first = portions[portion.number].start;
        let mut start = 0;
        for (list, &end) in self.made[first..].iter_mut().zip(&portion.ends) {
            *list = Some(ints.hidden_list(py, &portion.ids[start..end])?);
            start = end;
        }
        if let Some(failure) = portion.failure
            && self
                .failure
                .as_ref()
                .is_none_or(|before| failure.text < before.text)
        {
            self.failure = Some(failure);
        }
        Ok(())
    }
}

//! Documents read, encoded and handed on at the same time, in their order.
//!
//! ```text
//! one thread reads ──groups──▶ many encode a group ──ids──▶ this one hands on
//! ```
//!
//! A group is some megabytes of documents, and few of them are under way, so memory does not grow
//! with the corpus. What is handed on does not depend on how fast anybody is.

use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokenizer_core::{BatchError, Encoder, Pattern};

use crate::error::CommandError;
use crate::input::{InputText, Inputs};
use crate::progress::{Amount, Progress};

/// Texts are encoded together until they have this many bytes: enough to keep many threads busy, few
/// enough for some groups to be in memory with their ids.
const TOGETHER: usize = 8 << 20;

/// Groups that wait for the next in line.
const WAITING: usize = 1;

/// Texts that are encoded together, and how long it took to read them.
#[derive(Default)]
struct Group {
    texts: Vec<InputText>,
    took: Duration,
}

/// How long each of the three was at work. They work at the same time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) reading: Duration,
    pub(super) encoding: Duration,
    pub(super) handing_on: Duration,
}

impl Spent {
    /// Says so, if it is wanted, of texts of so many bytes and tokens.
    pub(super) fn say(self, progress: &Progress, bytes: u64, tokens: u64) {
        let (read, made) = (Amount::bytes(bytes), Amount::bytes(bytes).tokens(tokens));
        progress.part("reading documents", read, self.reading);
        progress.part("encoding documents", made, self.encoding);
        progress.part("handing ids on", made, self.handing_on);
    }
}

/// Reads all documents behind the first `done`, has `encode` make something of a group of them, and
/// hands both to `each`, in order. Documents may be cut by `cut`, if there is a pattern. Gives how long
/// that took.
pub(super) fn run<T: Send>(
    inputs: &Inputs,
    cut: Option<&Pattern>,
    done: u64,
    encode: impl Fn(&[InputText]) -> Result<T, BatchError> + Send,
    mut each: impl FnMut(&[InputText], T) -> Result<(), CommandError>,
) -> Result<Spent, CommandError> {
    let groups = read(inputs, cut, done)?;
    thread::scope(|scope| {
        let (sender, encoded) = sync_channel(WAITING);
        let encoding = move || {
            for group in groups {
                let started = Instant::now();
                let done = group.and_then(|group| match encode(&group.texts) {
                    Ok(ids) => Ok((group, ids, started.elapsed())),
                    Err(failure) => {
                        let text = &group.texts[failure.text];
                        let place = text.stretch.place;
                        Err(inputs.encode_error(text.input, place, failure.error))
                    }
                });
                let failed = done.is_err();
                // Whoever takes them may have failed, and gone.
                if sender.send(done).is_err() || failed {
                    return;
                }
            }
        };
        let encoding = thread::Builder::new().spawn_scoped(scope, encoding);
        let encoding = encoding.map_err(CommandError::Thread)?;
        let mut spent = Spent::default();
        let mut handed_on = Ok(());
        for done in encoded {
            let started = Instant::now();
            handed_on = done.and_then(|(group, ids, took)| {
                spent.reading += group.took;
                spent.encoding += took;
                each(&group.texts, ids)
            });
            spent.handing_on += started.elapsed();
            if handed_on.is_err() {
                break;
            }
        }
        match handed_on {
            Ok(()) => {
                let joined = encoding.join();
                joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                Ok(spent)
            }
            Err(failed) => Err(failed),
        }
    })
}

/// Groups of documents in order; after an error there are no more. They are read on a thread that no
/// one waits for: it may be waiting itself, for a pipe, when the program is to end.
fn read(
    inputs: &Inputs,
    cut: Option<&Pattern>,
    mut done: u64,
) -> Result<Receiver<Result<Group, CommandError>>, CommandError> {
    let documents = inputs.documents(cut, false);
    let documents = documents.filter(move |text| match text {
        Ok(text) if done > 0 => {
            done -= u64::from(text.stretch.ends_document);
            false
        }
        _ => true,
    });
    read_documents(documents)
}

fn read_documents(
    documents: impl Iterator<Item = Result<InputText, CommandError>> + Send + 'static,
) -> Result<Receiver<Result<Group, CommandError>>, CommandError> {
    let (sender, groups) = sync_channel(WAITING);
    thread::Builder::new()
        .spawn(move || {
            // When no one wants more, there is nothing left to do. A panic must not look like the end.
            let sent = catch_unwind(AssertUnwindSafe(|| send_groups(documents, &sender)));
            if sent.is_err() {
                let _ = sender.send(Err(CommandError::Reader));
            }
        })
        .map_err(CommandError::Thread)?;
    Ok(groups)
}

fn send_groups(
    documents: impl Iterator<Item = Result<InputText, CommandError>>,
    sender: &SyncSender<Result<Group, CommandError>>,
) -> Result<(), std::sync::mpsc::SendError<Result<Group, CommandError>>> {
    let (mut group, mut bytes) = (Group::default(), 0);
    let mut started = Instant::now();
    for text in documents {
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                group.took = started.elapsed();
                // What stands before it may fail too, and is named first then.
                sender.send(Ok(group))?;
                return sender.send(Err(error));
            }
        };
        // A very short document is mostly what it is wrapped in.
        bytes += text.as_ref().len() + size_of::<InputText>();
        group.texts.push(text);
        if bytes >= TOGETHER {
            bytes = 0;
            group.took = started.elapsed();
            sender.send(Ok(std::mem::take(&mut group)))?;
            // Waiting for the others is no work.
            started = Instant::now();
        }
    }
    group.took = started.elapsed();
    sender.send(Ok(group))
}

/// By which pattern documents may be cut for this encoder so that each part has the ids that it has
/// within the whole: none if text is normalised first, for which it is needed whole.
pub(super) fn cut_for(encoder: &Encoder) -> Option<&Pattern> {
    let model = encoder.model();
    model.normalizer().is_none().then_some(model.pattern())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_reading_is_no_end() {
        let panics =
            std::iter::from_fn(|| -> Option<Result<InputText, CommandError>> { panic!("a test") });
        let groups = read_documents(panics).unwrap();
        let last = groups.into_iter().last();
        assert!(matches!(last, Some(Err(CommandError::Reader))));
    }
}

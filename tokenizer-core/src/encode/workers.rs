//! Workers that wait for the next text.
//!
//! A worker knows the pieces that it has met, so it is kept when a text is done, and the next call
//! takes it up. There is one place for each of a few dozen threads; where more encode at once, or a
//! place cannot be looked at without waiting, a worker is made for one text and dropped. Nobody
//! ever waits here, so a process that was forked at any moment goes on.
//!
//! A thread takes the worker where it left it, so that two threads that encode many short texts do not
//! swap theirs: each would find its tables in the caches of the other's processor, and many documents
//! take up to twice as long then. A thread that left none takes the last that waits: the first is mostly
//! that of the thread which shares the work out.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use super::session::Session;

/// See the module.
pub(super) struct Workers {
    places: [Mutex<Option<Box<Session>>>; PLACES],
}

const PLACES: usize = 32;

/// A worker for one text, which goes back when it is dropped.
pub(super) struct Borrowed<'w> {
    worker: Option<Box<Session>>,
    workers: &'w Workers,
}

thread_local! {
    /// The place where this thread left a worker, of whichever encoder.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Workers {
    pub(super) fn new() -> Self {
        Workers {
            places: [const { Mutex::new(None) }; PLACES],
        }
    }

    /// A worker that waits, or else a new one.
    pub(super) fn take(&self, new: impl FnOnce() -> Session) -> Borrowed<'_> {
        let own = LEFT.get();
        let waiting = own.into_iter().chain((0..PLACES).rev()).find_map(|place| {
            let worker = self.places[place].try_lock().ok()?.take()?;
            LEFT.set(Some(place));
            Some(worker)
        });
        Borrowed {
            worker: Some(waiting.unwrap_or_else(|| Box::new(new()))),
            workers: self,
        }
    }
}

impl Deref for Borrowed<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.worker.as_ref().expect("it is there until dropped")
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.worker.as_mut().expect("it is there until dropped")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // What was left in the middle by a panic is not used again.
        if std::thread::panicking() {
            return;
        }
        for place in LEFT.get().into_iter().chain(0..PLACES) {
            if let Ok(mut there) = self.workers.places[place].try_lock()
                && there.is_none()
            {
                *there = self.worker.take();
                LEFT.set(Some(place));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::Encoder;
    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;

    #[test]
    fn a_thread_finds_the_worker_that_it_left() {
        let workers = Workers::new();
        let specials: [&str; 0] = [];
        let pattern = "cl100k".parse().unwrap();
        let encoder = Encoder::new(Model::trained(pattern, Merges::default(), &specials).unwrap());
        let new = || Session::new(&encoder.shared);
        let address = |worker: &Borrowed<'_>| std::ptr::from_ref::<Session>(worker).addr();
        let mine = workers.take(new);
        let mine_is = address(&mine);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let other_is = address(&workers.take(new));
                together.wait();
                // Now both wait, for this thread too.
                together.wait();
                for _ in 0..3 {
                    assert_eq!(address(&workers.take(new)), other_is);
                }
                other_is
            });
            together.wait();
            drop(mine);
            together.wait();
            for _ in 0..3 {
                assert_eq!(address(&workers.take(new)), mine_is);
            }
            assert_ne!(other.join().unwrap(), mine_is);
        });
        // Nobody else waits: what another thread left is taken up, not made anew.
        let both = [workers.take(new), workers.take(new)];
        assert!(both.iter().any(|worker| address(worker) == mine_is));
    }
}

//! Workers that wait for the next text.
//!
//! A worker knows the pieces that it has met, so it is kept when a text is done, and the next call
//! takes it up. There is one place for each of a few dozen threads; where more encode at once, or a
//! place cannot be looked at without waiting, a worker is made for one text and dropped. Nobody
//! ever waits here, so a process that was forked at any moment goes on.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use super::worker::Worker;

/// See the module.
pub(super) struct Workers {
    places: [Mutex<Option<Box<Worker>>>; PLACES],
}

const PLACES: usize = 32;

/// A worker for one text, which goes back when it is dropped.
pub(super) struct Borrowed<'w> {
    worker: Option<Box<Worker>>,
    workers: &'w Workers,
}

impl Workers {
    pub(super) fn new() -> Self {
        Workers {
            places: [const { Mutex::new(None) }; PLACES],
        }
    }

    /// A worker that waits, or else a new one.
    pub(super) fn take(&self, new: impl FnOnce() -> Worker) -> Borrowed<'_> {
        let waiting = (self.places.iter()).find_map(|place| place.try_lock().ok()?.take());
        Borrowed {
            worker: Some(waiting.unwrap_or_else(|| Box::new(new()))),
            workers: self,
        }
    }
}

impl Deref for Borrowed<'_> {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        self.worker.as_ref().expect("it is there until dropped")
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Worker {
        self.worker.as_mut().expect("it is there until dropped")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // What was left in the middle by a panic is not used again.
        if std::thread::panicking() {
            return;
        }
        for place in &self.workers.places {
            if let Ok(mut place) = place.try_lock()
                && place.is_none()
            {
                *place = self.worker.take();
                return;
            }
        }
    }
}

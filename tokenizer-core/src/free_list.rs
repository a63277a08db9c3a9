//! A free list: objects that are costly to make, kept for the next call.
//!
//! A list has a fixed number of places, each behind a lock of its own that is only tried, so taking and
//! giving back never block: a process that was forked at any moment goes on. An object for which there is
//! no place is dropped.
//!
//! A thread takes the object that it gave back last. Two threads that encode many short texts would
//! otherwise swap their sessions, and find the tables in the other processor's cache: that takes up to twice
//! as long.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

const PLACES: usize = 128;

/// See the module.
pub(crate) struct FreeList<T> {
    places: [Mutex<Option<T>>; PLACES],
}

/// An object that goes back to its list when it is dropped.
pub(crate) struct Taken<'l, T> {
    object: Option<T>,
    list: &'l FreeList<T>,
}

thread_local! {
    /// The place where this thread left an object, in any list.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl<T> FreeList<T> {
    pub(crate) const fn new() -> Self {
        FreeList {
            places: [const { Mutex::new(None) }; PLACES],
        }
    }

    /// The object that this thread left, or else the last of the list: the first is mostly that of the
    /// thread that shares the work out.
    pub(crate) fn take(&self) -> Option<Taken<'_, T>> {
        let places = LEFT.get().into_iter().chain((0..PLACES).rev());
        let mut places = places.filter_map(|place| {
            let object = self.places[place].try_lock().ok()?.take()?;
            LEFT.set(Some(place));
            Some(object)
        });
        places.next().map(|object| self.hold(object))
    }

    /// An object that goes to this list when it is dropped.
    pub(crate) fn hold(&self, object: T) -> Taken<'_, T> {
        Taken {
            object: Some(object),
            list: self,
        }
    }
}

impl<T> Taken<'_, T> {
    /// Keeps the object from going back.
    #[cfg(feature = "parallel")]
    pub(crate) fn into_inner(mut self) -> T {
        self.object.take().expect("it is there until dropped")
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.object.as_ref().expect("it is there until dropped")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.object.as_mut().expect("it is there until dropped")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        // A panic may have left it half changed.
        if std::thread::panicking() || self.object.is_none() {
            return;
        }
        for place in LEFT.get().into_iter().chain(0..PLACES) {
            if let Ok(mut there) = self.list.places[place].try_lock()
                && there.is_none()
            {
                *there = self.object.take();
                LEFT.set(Some(place));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_thread_finds_the_object_that_it_left() {
        let list = FreeList::new();
        let take = |new: u32| list.take().unwrap_or_else(|| list.hold(new));
        let mine = take(1);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                drop(take(2));
                together.wait();
                // Now both are in the list, for this thread too.
                together.wait();
                for _ in 0..3 {
                    assert_eq!(*take(3), 2);
                }
                together.wait();
            });
            together.wait();
            drop(mine);
            together.wait();
            for _ in 0..3 {
                assert_eq!(*take(4), 1);
            }
            together.wait();
        });
        // The other thread has gone: its object is taken, not made anew.
        let both = [take(5), take(6)];
        assert_eq!(both.each_ref().map(|taken| **taken), [1, 2]);
    }

    #[test]
    fn a_panic_drops_the_object() {
        let list = FreeList::new();
        drop(list.hold(1));
        let panics = std::panic::AssertUnwindSafe(|| {
            let _taken = list.take().unwrap();
            panic!("on purpose");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(list.take().is_none());
    }

    #[test]
    fn more_objects_than_places_are_dropped() {
        let list = FreeList::new();
        let many: Vec<_> = (0..PLACES + 9).map(|number| list.hold(number)).collect();
        drop(many);
        let found: Vec<_> = std::iter::from_fn(|| list.take()).collect();
        assert_eq!(found.len(), PLACES);
    }
}

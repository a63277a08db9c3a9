//! A free list: a pool of objects that are expensive to create.
//!
//! The list has a fixed number of slots, each with its own lock. A locked slot is skipped (`try_lock`), so
//! taking and returning an object never block, not even in a child that was forked while another thread
//! held a lock. If there is no free slot for an object, the object is dropped.
//!
//! A thread prefers the object that it returned last, whose memory is in its processor's cache. Two threads
//! that encode short texts would take up to twice as long if they kept swapping their objects.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

const SLOTS: usize = 128;

/// A pool of objects; see the module documentation.
pub(crate) struct FreeList<T> {
    slots: [Mutex<Option<T>>; SLOTS],
}

/// An object that returns to its list when dropped.
pub(crate) struct Taken<'l, T> {
    object: Option<T>,
    list: &'l FreeList<T>,
}

thread_local! {
    /// The slot that this thread used last, in any list.
    static LAST_SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl<T> FreeList<T> {
    pub(crate) const fn new() -> Self {
        FreeList {
            slots: [const { Mutex::new(None) }; SLOTS],
        }
    }

    /// Takes an object, or returns `None` if the list is empty. Tries the slot that this thread used last,
    /// then all slots from the highest down: the object in the lowest is usually that of the thread that
    /// distributes the work.
    pub(crate) fn take(&self) -> Option<Taken<'_, T>> {
        let slots = LAST_SLOT.get().into_iter().chain((0..SLOTS).rev());
        let mut objects = slots.filter_map(|slot| {
            let object = self.slots[slot].try_lock().ok()?.take()?;
            LAST_SLOT.set(Some(slot));
            Some(object)
        });
        objects.next().map(|object| self.hold(object))
    }

    /// Wraps an object so that it returns to this list when dropped.
    pub(crate) fn hold(&self, object: T) -> Taken<'_, T> {
        Taken {
            object: Some(object),
            list: self,
        }
    }
}

impl<T> Taken<'_, T> {
    /// Unwraps the object without returning it to the list.
    #[cfg(feature = "parallel")]
    pub(crate) fn into_inner(mut self) -> T {
        self.object.take().expect("present until dropped")
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.object.as_ref().expect("present until dropped")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.object.as_mut().expect("present until dropped")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        // A panic may have left the object in an inconsistent state.
        if std::thread::panicking() || self.object.is_none() {
            return;
        }
        for index in LAST_SLOT.get().into_iter().chain(0..SLOTS) {
            if let Ok(mut slot) = self.list.slots[index].try_lock()
                && slot.is_none()
            {
                *slot = self.object.take();
                LAST_SLOT.set(Some(index));
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
    fn a_thread_takes_the_object_that_it_returned() {
        let list = FreeList::new();
        let take = |new: u32| list.take().unwrap_or_else(|| list.hold(new));
        let mine = take(1);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                drop(take(2));
                together.wait();
                // Both objects are in the list now.
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
        // The object of the finished thread is available to others.
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
    fn objects_without_a_free_slot_are_dropped() {
        let list = FreeList::new();
        let many: Vec<_> = (0..SLOTS + 9).map(|number| list.hold(number)).collect();
        drop(many);
        let found: Vec<_> = std::iter::from_fn(|| list.take()).collect();
        assert_eq!(found.len(), SLOTS);
    }
}

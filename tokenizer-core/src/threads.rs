//! Work on several threads.
//!
//! Threads are started for the work at hand and are gone when it is done: nothing is kept that a
//! fork could break. Starting one costs some 20 microseconds.

#[cfg(feature = "parallel")]
use crate::arch::side_by_side;

/// More than any machine has processors. Each thread has tables of its own, and the system refuses
/// some.
pub(crate) const MOST: usize = 1024;

/// What `work` makes of every item, in their order; each on a thread of its own, the first one on
/// this. An item for which no thread can be started is worked on here.
///
/// A panic of `work` goes on here.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Mutex, PoisonError};

    let mut items = items.into_iter();
    if items.size_hint() == (1, Some(1)) {
        return items.next().map(work).into_iter().collect();
    }
    // An item, and what became of it, or the panic.
    let places: Vec<_> = items.map(|item| Mutex::new((Some(item), None))).collect();
    side_by_side(places.len(), |number| {
        let lock = || {
            places[number]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let item = lock().0.take();
        let result = item.map(|item| catch_unwind(AssertUnwindSafe(|| work(item))));
        lock().1 = result;
    });
    let results = places.into_iter().filter_map(|place| {
        let (_, result) = place.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
    });
    results.collect()
}

/// What `work` makes of every item, in their order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map<T, R>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> R) -> Vec<R> {
    items.into_iter().map(work).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_items() {
        assert_eq!(map(0..9, |n| n * n), [0, 1, 4, 9, 16, 25, 36, 49, 64]);
        assert!(map(Vec::<u8>::new(), |n| n).is_empty());
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_comes_out() {
        map(0..9, |n| assert_ne!(n, 7, "seven"));
    }
}

//! Work on several threads.
//!
//! Threads are started for the work at hand and are gone when it is done: nothing is kept that a
//! fork could break. Starting one costs some 20 microseconds.

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
    use std::sync::{Mutex, PoisonError};

    let take = |item: &Mutex<Option<T>>| item.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut items = items.into_iter();
    if items.size_hint() == (1, Some(1)) {
        return items.next().map(work).into_iter().collect();
    }
    let items: Vec<_> = items.map(|item| Mutex::new(Some(item))).collect();
    std::thread::scope(|scope| {
        let (take, work) = (&take, &work);
        // Whoever takes an item works on it: a thread that could not be started has taken none.
        let run = move |item| take(item).map(work);
        let others: Vec<_> = (items.iter().skip(1))
            .map(|item| std::thread::Builder::new().spawn_scoped(scope, move || run(item)))
            .collect();
        let mut results: Vec<R> = items.first().and_then(run).into_iter().collect();
        for (item, thread) in items.iter().skip(1).zip(others) {
            let result = match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(_) => run(item),
            };
            results.extend(result);
        }
        results
    })
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

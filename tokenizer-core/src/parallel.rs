//! Bounded, ordered parallel map.
//!
//! Each thread takes the next item, processes it and stores the result in a reorder buffer. The caller's
//! thread consumes the results in order and, with [`ordered_map`], processes items in between. Back-pressure:
//! a thread that is too far ahead of the consumer blocks.
//!
//! - **The first error in the order of items wins.** Items are taken in order, so all items before the
//!   failed one are processed and their results consumed. After an error, no more items are taken.
//! - **Panics propagate to the caller**, including panics of the iterator, in the same order as errors.
//! - **No deadlock.** Each call uses a rayon pool exclusively, taken from a free list and returned at the
//!   end, so a blocked thread delays no other call. A nested call from within `work` or the iterator uses no
//!   pool and runs on the calling thread. If it used a second pool, then while the thread waited for it, rayon
//!   could run another job of the first pool on that thread. That job could then wait for the outer item, which
//!   is suspended further down the same stack.
//! - **Idle threads.** A pool with more than two threads per processor is dropped at the end of its call.
//! - **Forks.** A pool belongs to the process that created it. A forked child has none of the pool's threads,
//!   and dropping it could block on a lock that one of them held at the fork, so the child leaks the pool
//!   and creates another.
//! - **Limits.** If the system refuses threads, the call uses fewer; it needs only the caller's thread.
//!
//! Without the feature `parallel`, everything runs on the caller's thread.

/// The maximum number of threads of one call.
pub const MAX_THREADS: usize = 1024;

/// Calls `work` with every item on up to `threads` threads (0 means 1), including the caller's. Calls
/// `consume` with each result on the caller's thread, in the order of the items.
///
/// At most `2 * threads + 2` items are in flight: taken, but their results not yet passed to `consume`.
///
/// ```
/// use tokenizer_core::parallel::ordered_map;
///
/// let mut lengths = Vec::new();
/// ordered_map(
///     ["one", "three", "5"].into_iter(),
///     2,
///     |text| Ok::<_, ()>(text.len()),
///     |length| {
///         lengths.push(length);
///         Ok(())
///     },
/// )?;
/// assert_eq!(lengths, [3, 5, 1]);
/// # Ok::<(), ()>(())
/// ```
///
/// # Errors
/// The first error of `work` or `consume`, in the order of the items. Later results are dropped.
///
/// # Panics
/// If `items`, `work` or `consume` panics, with the same payload.
pub fn ordered_map<T, R: Send, E: Send>(
    items: impl Iterator<Item = T> + Send,
    threads: usize,
    work: impl Fn(T) -> Result<R, E> + Sync,
    consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    run(items, threads.max(1) - 1, true, work, consume)
}

/// Like [`ordered_map`], for an iterator that may block: `threads` threads take and process items, and
/// the caller's thread only consumes, so a finished result never waits for the iterator.
///
/// Whether the call succeeds, fails or panics, `consume` is dropped before the call waits for its threads. Its
/// destructor may therefore unblock a thread that waits in the iterator. If no thread can be started, and in a
/// nested call, everything runs on the caller's thread.
///
/// # Errors
/// As [`ordered_map`].
///
/// # Panics
/// As [`ordered_map`].
pub fn pipeline<T, R: Send, E: Send>(
    items: impl Iterator<Item = T> + Send,
    threads: usize,
    work: impl Fn(T) -> Result<R, E> + Sync,
    consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    run(items, threads.max(1), false, work, consume)
}

/// Returns the results of `work` for all items, in order, using one thread per item, up to [`MAX_THREADS`].
pub(crate) fn map<T, R: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let threads = items.len();
    let mut results = Vec::with_capacity(threads);
    let work = |item| Ok::<_, std::convert::Infallible>(work(item));
    let Ok(()) = ordered_map(items, threads, work, |result| {
        results.push(result);
        Ok(())
    });
    results
}

fn on_this_thread<T, R, E>(
    mut items: impl Iterator<Item = T>,
    work: impl Fn(T) -> Result<R, E>,
    mut consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    items.try_for_each(|item| consume(work(item)?))
}

#[cfg(not(feature = "parallel"))]
fn run<T, R, E>(
    items: impl Iterator<Item = T>,
    _helpers: usize,
    _caller_works: bool,
    work: impl Fn(T) -> Result<R, E>,
    consume: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    on_this_thread(items, work, consume)
}

#[cfg(feature = "parallel")]
use self::threads::run;

#[cfg(feature = "parallel")]
mod threads {
    use std::cell::Cell;
    use std::collections::VecDeque;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
    use std::thread;

    use rayon::{ThreadPool, ThreadPoolBuilder};

    use super::{MAX_THREADS, on_this_thread};
    use crate::free_list::{FreeList, Taken};

    /// Runs on up to `helpers` threads in addition to the caller's.
    pub(super) fn run<T, R: Send, E: Send>(
        items: impl Iterator<Item = T> + Send,
        helpers: usize,
        caller_works: bool,
        work: impl Fn(T) -> Result<R, E> + Sync,
        consume: impl FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let helpers = helpers.min(MAX_THREADS - usize::from(caller_works));
        let Some(own) = acquire_pool(helpers) else {
            return on_this_thread(items, work, consume);
        };
        let helpers = helpers.min(own.pool.current_num_threads());
        let map = OrderedMap {
            items: Mutex::new(Items { items, taken: 0 }),
            work,
            state: Mutex::default(),
            room: Condvar::new(),
            progress: Condvar::new(),
            max_in_flight: 2 * (helpers + usize::from(caller_works)) + 2,
        };
        let done = own.pool.in_place_scope(|scope| {
            let _end = EndOnDrop(&map);
            for _ in 0..helpers {
                scope.spawn(|_| map.help());
            }
            map.consume(caller_works, consume)
        });
        if own.pool.current_num_threads() > max_kept_threads() {
            drop(own.into_inner());
        }
        done
    }

    /// Returns the size of the largest pool that is kept. Idle threads cost memory, and at each wake-up rayon
    /// scans all threads of the pool.
    fn max_kept_threads() -> usize {
        static PROCESSORS: LazyLock<usize> =
            LazyLock::new(|| thread::available_parallelism().map_or(1, |n| n.get()));
        2 * *PROCESSORS
    }

    /// The result of an item, or its panic.
    type Outcome<R, E> = thread::Result<Result<R, E>>;

    struct OrderedMap<I, W, R, E> {
        items: Mutex<Items<I>>,
        work: W,
        state: Mutex<State<R, E>>,
        /// Notified when `in_flight` falls because a result is consumed, and at the end.
        room: Condvar,
        /// Notified when a result is stored, and at the end.
        progress: Condvar,
        max_in_flight: usize,
    }

    struct Items<I> {
        items: I,
        taken: usize,
    }

    struct State<R, E> {
        /// Number of items taken, or about to be taken, whose results are not yet consumed.
        in_flight: usize,
        /// Number of results consumed.
        consumed: usize,
        /// The reorder buffer: `results[i]` is the result of item `consumed + i`, or `None` if that item is not
        /// finished.
        results: VecDeque<Option<Outcome<R, E>>>,
        /// Whether the iterator has ended or an item has failed: no more items are taken.
        has_ended: bool,
    }

    impl<R, E> Default for State<R, E> {
        fn default() -> Self {
            State {
                in_flight: 0,
                consumed: 0,
                results: VecDeque::new(),
                has_ended: false,
            }
        }
    }

    impl<T, I, W, R, E> OrderedMap<I, W, R, E>
    where
        I: Iterator<Item = T>,
        W: Fn(T) -> Result<R, E>,
    {
        /// Processes items until the end.
        fn help(&self) {
            loop {
                let is_full = |state: &mut State<R, E>| {
                    !state.has_ended && state.in_flight >= self.max_in_flight
                };
                let state = self.room.wait_while(lock(&self.state), is_full);
                let mut state = state.unwrap_or_else(PoisonError::into_inner);
                if state.has_ended {
                    return;
                }
                state.in_flight += 1;
                drop(state);
                self.process_next();
            }
        }

        /// Consumes all results in order. If `may_work`, processes items while the next result is not ready.
        fn consume(
            &self,
            may_work: bool,
            mut consume: impl FnMut(R) -> Result<(), E>,
        ) -> Result<(), E> {
            let mut state = lock(&self.state);
            loop {
                if let Some(Some(_)) = state.results.front() {
                    let outcome = state.results.pop_front().flatten();
                    state.consumed += 1;
                    state.in_flight -= 1;
                    drop(state);
                    self.room.notify_one();
                    let outcome = outcome.expect("the front is a result");
                    consume(outcome.unwrap_or_else(|panic| resume_unwind(panic))?)?;
                } else if state.has_ended && state.in_flight == 0 {
                    return Ok(());
                } else if may_work && !state.has_ended && state.in_flight < self.max_in_flight {
                    state.in_flight += 1;
                    drop(state);
                    self.process_next();
                } else {
                    let waited = self.progress.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                state = lock(&self.state);
            }
        }

        /// Takes the next item, which `in_flight` already includes, and stores its result.
        fn process_next(&self) {
            IN_WORK.set(true);
            let outcome = self.take().map(|(number, item)| {
                let work = |item| catch(|| (self.work)(item));
                (number, item.and_then(work))
            });
            IN_WORK.set(false);
            let Some((number, outcome)) = outcome else {
                let mut state = lock(&self.state);
                state.in_flight -= 1;
                return self.end(state);
            };
            let has_failed = !matches!(outcome, Ok(Ok(_)));
            let mut state = lock(&self.state);
            let index = number - state.consumed;
            if state.results.len() <= index {
                state.results.resize_with(index + 1, || None);
            }
            state.results[index] = Some(outcome);
            match has_failed {
                true => self.end(state),
                false => self.progress.notify_one(),
            }
        }

        /// Returns the next item, or the panic of the iterator, with the number of the item. Returns `None`
        /// at the end.
        fn take(&self) -> Option<(usize, thread::Result<T>)> {
            let mut items = lock(&self.items);
            if lock(&self.state).has_ended {
                return None;
            }
            let item = catch(|| items.items.next()).transpose();
            // Set before the iterator is unlocked: a call to `next` after the end might block.
            lock(&self.state).has_ended |= !matches!(item, Some(Ok(_)));
            items.taken += 1;
            Some((items.taken - 1, item?))
        }
    }

    impl<I, W, R, E> OrderedMap<I, W, R, E> {
        fn end(&self, mut state: MutexGuard<'_, State<R, E>>) {
            state.has_ended = true;
            drop(state);
            self.room.notify_all();
            self.progress.notify_one();
        }
    }

    /// Ends the map when `OrderedMap::consume` returns or panics, so that its jobs finish.
    struct EndOnDrop<'m, I, W, R, E>(&'m OrderedMap<I, W, R, E>);

    impl<I, W, R, E> Drop for EndOnDrop<'_, I, W, R, E> {
        fn drop(&mut self) {
            self.0.end(lock(&self.0.state));
        }
    }

    /// Catches a panic. Unwind safety: the panic ends the map and is resumed on the caller's thread, unless an
    /// earlier item fails first.
    fn catch<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
        catch_unwind(AssertUnwindSafe(work))
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    struct ProcessPool {
        pool: ThreadPool,
        /// Id of the process that created the pool.
        process: u32,
    }

    thread_local! {
        /// Whether this thread is taking or processing an item.
        static IN_WORK: Cell<bool> = const { Cell::new(false) };
    }

    static POOLS: FreeList<ProcessPool> = FreeList::new();

    /// Acquires a pool for exclusive use, with at least `threads` threads unless the system refuses them.
    /// Returns `None` for a nested call, or if no thread can be started.
    fn acquire_pool(threads: usize) -> Option<Taken<'static, ProcessPool>> {
        if threads == 0 || IN_WORK.get() {
            return None;
        }
        let process = std::process::id();
        while let Some(own) = POOLS.take() {
            if own.process != process {
                std::mem::forget(own);
            } else if own.pool.current_num_threads() >= threads {
                return Some(own);
            } else {
                drop(own.into_inner());
                break;
            }
        }
        // If the system refuses this many threads, try half as many.
        let mut counts = std::iter::successors(Some(threads), |threads| Some(threads / 2));
        let pool = (counts.by_ref().take_while(|&threads| threads > 0))
            .find_map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().ok())?;
        Some(POOLS.hold(ProcessPool { pool, process }))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    #[cfg(feature = "parallel")]
    use std::sync::{Barrier, mpsc::channel};
    use std::time::Duration;

    use super::*;

    const THREADS: [usize; 5] = [0, 1, 2, 3, 16];

    /// [`ordered_map`] or [`pipeline`].
    type Map<'a> = &'a dyn Fn(
        &mut (dyn Iterator<Item = usize> + Send),
        usize,
        &(dyn Fn(usize) -> Result<usize, usize> + Sync),
        &mut dyn FnMut(usize) -> Result<(), usize>,
    ) -> Result<(), usize>;

    /// Checks both functions with each number of threads.
    fn each_map(check: impl Fn(Map<'_>, usize)) {
        for threads in THREADS {
            check(
                &|items, n, work, consume| ordered_map(items, n, work, consume),
                threads,
            );
            check(
                &|items, n, work, consume| pipeline(items, n, work, consume),
                threads,
            );
        }
    }

    /// Squares an item after a delay that differs between items.
    fn work(item: usize) -> usize {
        std::thread::sleep(Duration::from_micros(item as u64 * 7919 % 300));
        item * item
    }

    /// Returns the message of the panic of `run`.
    fn panic_of<T>(run: impl FnOnce() -> T) -> String {
        let panic = catch_unwind(AssertUnwindSafe(run)).err();
        let panic = panic.expect("a panic");
        let message = panic.downcast_ref::<String>().cloned();
        message.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
    }

    #[test]
    fn results_come_in_the_order_of_items() {
        each_map(|run, threads| {
            for count in [0, 1, 2, 100] {
                let mut found = Vec::new();
                let done = run(
                    &mut (0..count),
                    threads,
                    &|item| Ok(work(item)),
                    &mut |result| {
                        found.push(result);
                        Ok(())
                    },
                );
                assert_eq!(done, Ok(()));
                assert!(found.into_iter().eq((0..count).map(|item| item * item)));
            }
        });
        assert_eq!(map([3, 1, 2].into_iter(), |n| n * n), [9, 1, 4]);
        assert!(map(std::iter::empty(), |n: u8| n).is_empty());
    }

    #[test]
    fn the_number_of_items_in_flight_is_bounded() {
        each_map(|run, threads| {
            let (taken, consumed) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let max = AtomicUsize::new(0);
            let mut items = (0..200).inspect(|_| {
                let taken = taken.fetch_add(1, Ordering::SeqCst) + 1;
                max.fetch_max(taken - consumed.load(Ordering::SeqCst), Ordering::SeqCst);
            });
            let done = run(&mut items, threads, &Ok, &mut |item| {
                // Consuming the first result is slow, so the other threads reach the bound.
                std::thread::sleep(Duration::from_millis(if item == 0 { 20 } else { 0 }));
                consumed.fetch_add(1, Ordering::SeqCst);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            // One more result is being consumed.
            assert!(max.into_inner() <= 2 * threads.max(1) + 3);
        });
    }

    #[test]
    fn the_first_error_in_order_wins_after_all_results_before_it() {
        each_map(|run, threads| {
            let mut found = Vec::new();
            let fail = |item: usize| match item {
                // Later items fail sooner.
                40..50 => {
                    std::thread::sleep(Duration::from_millis(50 - item as u64));
                    Err(item)
                }
                _ => Ok(item),
            };
            let done = run(&mut (0..), threads, &fail, &mut |item| {
                found.push(item);
                Ok(())
            });
            assert_eq!(done, Err(40));
            assert!(found.into_iter().eq(0..40));
        });
    }

    #[test]
    fn an_error_of_the_consumer_ends_the_map() {
        each_map(|run, threads| {
            let mut consume = |item| if item == 30 { Err(item) } else { Ok(()) };
            assert_eq!(run(&mut (0..), threads, &Ok, &mut consume), Err(30));
        });
    }

    #[test]
    fn the_end_of_the_iterator_ends_the_map() {
        // The iterator ends when a stop flag is set.
        each_map(|run, threads| {
            let is_stopped = AtomicUsize::new(0);
            let mut items = (0..).take_while(|_| is_stopped.load(Ordering::SeqCst) == 0);
            let mut consumed = 0;
            let done = run(&mut items, threads, &Ok, &mut |item| {
                is_stopped.fetch_or(usize::from(item == 50), Ordering::SeqCst);
                consumed += usize::from(item <= 50);
                Ok(())
            });
            assert_eq!((done, consumed), (Ok(()), 51));
        });
    }

    #[test]
    fn panics_propagate_in_order() {
        each_map(|run, threads| {
            let consume = &mut |_| Ok(());
            let work = |item| {
                assert!(item < 30, "work {item}");
                Ok(item)
            };
            assert_eq!(
                panic_of(|| run(&mut (0..), threads, &work, consume)),
                "work 30"
            );
            let mut items = (0..).inspect(|&item| assert!(item < 20, "item {item}"));
            assert_eq!(
                panic_of(|| run(&mut items, threads, &work, consume)),
                "item 20"
            );
            let consume = &mut |item| {
                assert!(item < 10, "result {item}");
                Ok(())
            };
            let panic = panic_of(|| run(&mut (0..), threads, &work, consume));
            assert_eq!(panic, "result 10");
            // An error before a panic, and one after it.
            let fail = |item| if item == 5 { Err(5) } else { work(item) };
            assert_eq!(run(&mut (0..), threads, &fail, &mut |_| Ok(())), Err(5));
            let fail = |item| if item == 35 { Err(35) } else { work(item) };
            let panic = panic_of(|| run(&mut (0..), threads, &fail, &mut |_| Ok(())));
            assert_eq!(panic, "work 30");
        });
        assert_eq!(
            panic_of(|| map(0..9, |n| assert_ne!(n, 7, "seven")))
                .lines()
                .count(),
            3
        );
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn all_threads_work() {
        for threads in [2, 3, 8] {
            // Each item blocks until all threads have one.
            let all = Barrier::new(threads);
            let work = |item| {
                all.wait();
                Ok::<_, ()>(item)
            };
            for _ in 0..20 {
                ordered_map(0..threads, threads, work, |_| Ok(())).unwrap();
                pipeline(0..threads, threads, work, |_| Ok(())).unwrap();
            }
            let ids = map(0..threads, |_| {
                all.wait();
                std::thread::current().id()
            });
            assert!(ids.contains(&std::thread::current().id()));
        }
    }

    #[test]
    fn calls_may_be_nested_and_concurrent() {
        let sum = |threads: usize| {
            let sum = Mutex::new(0);
            each_map(|run, _| {
                let add = |item| {
                    let inner = map(0..item % 7, work);
                    let mut total = 0;
                    pipeline(inner.into_iter(), 3, Ok::<_, usize>, |square| {
                        total += square;
                        Ok(())
                    })?;
                    Ok(total)
                };
                let done = run(&mut (0..30), threads, &add, &mut |total| {
                    // Nested calls are allowed in the consumer too.
                    *sum.lock().unwrap() += map(0..3, |_| total).len() * total;
                    Ok(())
                });
                assert_eq!(done, Ok(()));
            });
            sum.into_inner().unwrap()
        };
        let want = sum(1);
        std::thread::scope(|scope| {
            for threads in [2, 3, 4, 9] {
                scope.spawn(move || assert_eq!(sum(threads), want));
            }
        });
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn calls_may_come_from_a_rayon_pool() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
        let pool = pool.build().unwrap();
        let run = || map(0..20, |item| map(0..item, work).len());
        for _ in 0..5 {
            let (one, other) = pool.install(|| rayon::join(run, run));
            assert!(one.into_iter().eq(0..20) && other.into_iter().eq(0..20));
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn a_pipeline_consumes_while_the_iterator_blocks() {
        for threads in [1, 2, 8] {
            let (sender, items) = channel();
            sender.send(Some(0)).unwrap();
            let mut found = Vec::new();
            let items = std::iter::from_fn(move || items.recv().ok().flatten());
            pipeline(items, threads, Ok::<_, ()>, |item| {
                found.push(item);
                // The next item is sent only after this one is consumed.
                let next = Some(item + 1).filter(|&item| item < 9);
                sender.send(next).unwrap();
                Ok(())
            })
            .unwrap();
            assert!(found.into_iter().eq(0..9));
        }
    }

    #[test]
    fn the_iterator_is_not_called_after_its_end() {
        each_map(|run, threads| {
            for panics in [false, true] {
                let mut ended = false;
                let mut numbers = 0..9;
                let mut items = std::iter::from_fn(|| {
                    assert!(!ended, "called again");
                    let number = numbers.next();
                    ended = number.is_none();
                    // Meanwhile, the other threads wait for the iterator.
                    std::thread::sleep(Duration::from_micros(100));
                    assert!(!(ended && panics), "the end");
                    number
                });
                let mut run = || run(&mut items, threads, &Ok, &mut |_| Ok(()));
                match panics {
                    true => assert_eq!(panic_of(run), "the end"),
                    false => assert_eq!(run(), Ok(())),
                }
            }
        });
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn dropping_the_consumer_may_unblock_the_iterator() {
        struct Wake(std::sync::mpsc::Sender<Option<usize>>);
        impl Drop for Wake {
            fn drop(&mut self) {
                self.0.send(None).unwrap();
            }
        }
        for (threads, panics) in [(1, false), (2, true), (8, false)] {
            let (sender, items) = channel();
            sender.send(Some(0)).unwrap();
            let items = std::iter::from_fn(move || items.recv().unwrap());
            let wake = Wake(sender);
            let consume = move |item: usize| {
                let _ = &wake;
                assert!(!panics, "a test");
                Err(item)
            };
            let run = AssertUnwindSafe(|| pipeline(items, threads, Ok, consume));
            match panics {
                true => assert_eq!(panic_of(run.0), "a test"),
                false => assert_eq!(run.0(), Err(0)),
            }
        }
    }

    /// Environment variable that is set for the child process in which [`limited`] runs.
    #[cfg(unix)]
    const LIMITED: &str = "TOKENIZER_TEST_LIMITED";

    #[cfg(unix)]
    #[test]
    fn threads_that_the_system_refuses_are_not_needed() {
        // With stacks of 1 GiB in 4 GB of address space, at most three threads start, and hundreds of
        // megabytes remain for the program.
        let program = std::env::current_exe().unwrap();
        let limited =
            "ulimit -v 4000000; exec \"$0\" --exact parallel::tests::limited --test-threads 1";
        let run = std::process::Command::new("sh")
            .args(["-c", limited])
            .arg(program)
            .env(LIMITED, "1")
            .env("RUST_MIN_STACK", (1_u64 << 30).to_string())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        assert!(
            String::from_utf8_lossy(&run.stdout).contains("1 passed"),
            "{run:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn limited() {
        if std::env::var_os(LIMITED).is_none() {
            return;
        }
        assert!(
            map(0..1000, work)
                .into_iter()
                .eq((0..1000).map(|item| item * item))
        );
    }
}

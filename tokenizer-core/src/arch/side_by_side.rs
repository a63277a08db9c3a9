//! Threads that begin at once, each on a processor that has time for it.
//!
//! A system looks for the idlest processor when a thread starts, and with few processors and short
//! work it is often wrong: here every sixth thread that was started by a busy one came to the
//! processor of that one, and nine of ten if the process had slept before. It then waits until the
//! one that started it is done, though another processor idles; work of a millisecond takes as long
//! on two threads as on one. So the one that starts a thread forbids it its own processor for a
//! moment, which moves the thread if it stands there, and allows it again. That takes some three
//! microseconds; to start a thread takes twenty, and thirty until it runs. Who may not ask for that
//! loses nothing else, but where a process is killed for the question (a filter of system calls that
//! has `sched_setaffinity` on its list), `TOKENIZER_PLACE_THREADS=off` spares it.
//!
//! The threads borrow what they work on, as those of [`std::thread::scope`] do; that has no way to
//! name a thread to the system.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// For so long the one who is done first waits without lying down to sleep.
///
/// Threads end at about the same time, mostly. The first to be done finds the others done after some
/// microseconds; to be woken takes thirty.
const MOMENT: Duration = Duration::from_micros(50);

/// How far the threads are.
struct Progress {
    /// How many were placed: one after the other, as they are started.
    placed: AtomicUsize,
    /// How many are at work, or waited for.
    at_work: AtomicUsize,
    caller: Thread,
    /// Whether threads may be moved.
    #[cfg(target_os = "linux")]
    placing: bool,
}

/// Calls `work` with each number below `count`, each on a thread of its own, 0 on this; and returns
/// when all are done. Numbers for which no thread can be started are worked on here.
///
/// # Panics
/// If `work` panics on this thread, when the others are done. On another it should not: the panic is
/// lost.
pub(crate) fn side_by_side(count: usize, work: impl Fn(usize) + Sync) {
    let progress = Progress {
        placed: AtomicUsize::new(0),
        at_work: AtomicUsize::new(0),
        caller: thread::current(),
        #[cfg(target_os = "linux")]
        placing: std::env::var_os("TOKENIZER_PLACE_THREADS").is_none_or(|wanted| wanted != "off"),
    };
    // Whatever happens here: the others are waited for before what they borrow is gone.
    let all_done = WaitForAll(&progress);
    let mut started = 1;
    while started < count && start(started, &work, &progress) {
        started += 1;
    }
    for number in [0].into_iter().chain(started..count).take(count) {
        work(number);
    }
    drop(all_done);
}

/// Starts a thread that does `work(number)`. Whether there is one.
fn start(number: usize, work: &(impl Fn(usize) + Sync), progress: &Progress) -> bool {
    progress.at_work.fetch_add(1, Ordering::Relaxed);
    let run = move || {
        // The hook has printed what there is to say. What the panic carries is left alone: it might
        // panic when it is dropped.
        let done = catch_unwind(AssertUnwindSafe(|| work(number)));
        done.unwrap_or_else(std::mem::forget);
        // It must not be gone while it is being placed.
        while progress.placed.load(Ordering::Acquire) < number {
            thread::yield_now();
        }
        let caller = progress.caller.clone();
        if progress.at_work.fetch_sub(1, Ordering::Release) == 1 {
            // What was borrowed may be gone from here on.
            caller.unpark();
        }
    };
    // SAFETY: whoever calls this drops a `WaitForAll` of the same `progress` before what is borrowed
    // here ends; and that returns only when this thread has counted itself out, after which it
    // touches nothing of it.
    match unsafe { thread::Builder::new().spawn_unchecked(run) } {
        Ok(handle) => {
            #[cfg(target_os = "linux")]
            if progress.placing {
                place_elsewhere(&handle);
            }
            drop(handle);
            progress.placed.store(number, Ordering::Release);
            true
        }
        Err(_) => {
            progress.at_work.fetch_sub(1, Ordering::Relaxed);
            false
        }
    }
}

struct WaitForAll<'p>(&'p Progress);

impl Drop for WaitForAll<'_> {
    fn drop(&mut self) {
        let is_done = || self.0.at_work.load(Ordering::Acquire) == 0;
        if is_done() {
            return;
        }
        let start = Instant::now();
        while !is_done() && start.elapsed() < MOMENT {
            (0..32).for_each(|_| std::hint::spin_loop());
            // The one that is waited for may need this processor.
            thread::yield_now();
        }
        while !is_done() {
            thread::park();
        }
    }
}

/// Moves a thread that waits for the processor of this one to another, if it may use one.
///
/// The thread must not have ended.
#[cfg(target_os = "linux")]
fn place_elsewhere<T>(handle: &thread::JoinHandle<T>) {
    use std::os::unix::thread::JoinHandleExt;

    // SAFETY: it only asks.
    let own = usize::try_from(unsafe { libc::sched_getcpu() });
    let (Some(allowed), Ok(own)) = (allowed(), own) else {
        return;
    };
    let mut others = allowed;
    if own < libc::CPU_SETSIZE as usize {
        // SAFETY: it is a number that the set has a place for.
        unsafe { libc::CPU_CLR(own, &mut others) };
    }
    // SAFETY: it only counts.
    if unsafe { libc::CPU_COUNT(&others) } == 0 {
        return;
    }
    // The C library of some systems has a pointer for it, that of others a number.
    #[allow(clippy::unnecessary_cast)]
    let thread = handle.as_pthread_t() as libc::pthread_t;
    for set in [&others, &allowed] {
        // SAFETY: the thread is there, as it has not ended and its handle is held; the set has that
        // size. A refusal does no harm.
        let _ = unsafe { libc::pthread_setaffinity_np(thread, size_of_val(set), set) };
    }
}

/// The processors that this thread may use; none when there are more than a set has places for, or the
/// system does not tell.
#[cfg(target_os = "linux")]
fn allowed() -> Option<libc::cpu_set_t> {
    // SAFETY: it is an array of numbers, and zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to the set, which has that size, and asks about this thread, 0.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    (done == 0).then_some(set)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_number_once_and_what_was_written_is_seen() {
        for count in [0, 1, 2, 9] {
            let places: Vec<_> = (0..count).map(|_| Mutex::new(0)).collect();
            for round in 1..200 {
                side_by_side(count, |number| {
                    *places[number].lock().unwrap() += number + 1
                });
                for (number, place) in places.iter().enumerate() {
                    assert_eq!(*place.lock().unwrap(), round * (number + 1));
                }
            }
        }
    }

    #[test]
    fn one_that_takes_long_is_waited_for() {
        for slow in 0..3 {
            let done = AtomicUsize::new(0);
            side_by_side(3, |number| {
                thread::sleep(Duration::from_millis(if number == slow { 30 } else { 0 }));
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 3);
        }
    }

    #[test]
    fn the_others_are_waited_for_when_this_one_panics() {
        let done = AtomicUsize::new(0);
        let run = || {
            side_by_side(3, |number| {
                assert_ne!(number, 0, "on purpose");
                thread::sleep(Duration::from_millis(20));
                done.fetch_add(1, Ordering::Relaxed);
            });
        };
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(done.into_inner(), 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_may_use_every_processor_that_this_one_may() {
        let all = allowed().unwrap();
        // SAFETY: it only compares.
        let is_free = || unsafe { libc::CPU_EQUAL(&allowed().unwrap(), &all) };
        let freed = AtomicUsize::new(0);
        side_by_side(4, |_| {
            // It is placed a moment after it began.
            let end = Instant::now() + Duration::from_secs(20);
            while !is_free() && Instant::now() < end {
                thread::yield_now();
            }
            freed.fetch_add(usize::from(is_free()), Ordering::Relaxed);
        });
        assert_eq!(freed.into_inner(), 4);
        assert!(is_free());
    }
}

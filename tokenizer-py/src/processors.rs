//! How many processors this process may use.

#![allow(unsafe_code)]

use tokenizer_core::CountOptions;

/// As many as work can be spread over: those that are allowed, and of which a container has time.
///
/// On Linux files are read to know the container's share, which takes as long as to encode some
/// kilobytes. So they are read again only when more or fewer processors are allowed than the last time;
/// nobody waits for another thread here.
#[cfg(target_os = "linux")]
pub(crate) fn usable() -> usize {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// How many were allowed the last time, and above it how many could be used.
    static LAST: AtomicU64 = AtomicU64::new(0);
    // SAFETY: it is an array of numbers, and zeros are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to the set, which has that size, and asks about this thread, 0.
    let done = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    // SAFETY: it only counts.
    let allowed = unsafe { libc::CPU_COUNT(&set) } as u32;
    let last = LAST.load(Ordering::Relaxed);
    if done == 0 && last as u32 == allowed && allowed > 0 {
        return (last >> 32) as usize;
    }
    let usable = CountOptions::default().threads;
    if let Ok(usable) = u32::try_from(usable) {
        LAST.store(
            u64::from(usable) << 32 | u64::from(allowed),
            Ordering::Relaxed,
        );
    }
    usable
}

/// As many as work can be spread over.
#[cfg(not(target_os = "linux"))]
pub(crate) fn usable() -> usize {
    CountOptions::default().threads
}

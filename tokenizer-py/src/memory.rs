//! Room for long results.
//!
//! What 24 MB of text encode to fills 6,000 pages, and a list of it 12,000 more. For each the kernel
//! is entered when it is first written to, which takes longer than to fill it. So where much is to be
//! written the kernel is asked for large pages beforehand.

#![allow(unsafe_code)]

/// What is smaller than this many bytes is left alone: it has few pages, or has them already.
const LARGE: usize = 4 << 20;

/// Asks for large pages for `bytes` bytes at `start`, where nothing was written yet. Only a hint:
/// what is in the memory stays as it is.
///
/// # Safety
/// The bytes belong to the caller.
pub(crate) unsafe fn expect_writes(start: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= LARGE {
        const PAGE: usize = 1 << 12;
        let begin = start.map_addr(|address| address.next_multiple_of(PAGE));
        let bytes = bytes - (begin.addr() - start.addr());
        // SAFETY: the range is within the caller's memory. This changes how it is mapped, never
        // what it holds; where the kernel refuses, nothing happens.
        unsafe { libc::madvise(begin.cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes, LARGE);
}

/// An empty vector with room for `count` values, which are going to be written in their order. With
/// less room when there is not so much memory.
pub(crate) fn room<T>(count: usize) -> Vec<T> {
    let mut values: Vec<T> = Vec::new();
    let _ = values.try_reserve_exact(count);
    let bytes = values.capacity() * size_of::<T>();
    // SAFETY: the memory is that of the vector, which is empty.
    unsafe { expect_writes(values.as_mut_ptr().cast(), bytes) };
    values
}

/// So many zeros, to be written over in their order; `None` when there is not so much memory.
pub(crate) fn zeros(count: usize) -> Option<Vec<u8>> {
    let mut probe: Vec<u8> = Vec::new();
    probe.try_reserve_exact(count).ok()?;
    drop(probe);
    // The kernel gives zeros, so none are written here.
    let mut zeros = vec![0; count];
    // SAFETY: the memory is that of the vector. What was written to it are zeros.
    unsafe { expect_writes(zeros.as_mut_ptr(), count) };
    Some(zeros)
}

//! Huge pages for large memory that is about to be written for the first time.
//!
//! Fresh memory comes from the system page by page, as it is touched. With pages of 4 KiB that is
//! an interruption of a microsecond or two for each, which costs more than filling the page; with
//! pages of 2 MiB there are 500 times fewer. Systems give them to those who ask before the first
//! touch.

/// Memory below this size is not worth the question: it may hold no huge page at all.
#[cfg(target_os = "linux")]
const WORTH_IT: usize = 4 << 20;

/// Asks for huge pages under `memory`, which no one has touched yet: the spare capacity of a large
/// vector, or a table that was just allocated with zeros.
///
/// It is advice: nothing that a program can see changes, and nothing happens for less than 4 MiB,
/// or where the system has no such advice. Pages that are already there stay as they are.
#[inline]
pub fn advise_huge_pages<T>(memory: &[T]) {
    #[cfg(target_os = "linux")]
    if size_of_val(memory) >= WORTH_IT {
        advise(memory.as_ptr_range());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(target_os = "linux")]
#[cold]
fn advise<T>(memory: std::ops::Range<*const T>) {
    // SAFETY: `sysconf` reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page) = usize::try_from(page)
        .ok()
        .filter(|page| page.is_power_of_two())
    else {
        return;
    };
    // Outwards to whole pages: an allocator's mapping stays one mapping then, which it can still
    // grow in place.
    let start = memory.start.map_addr(|address| address & !(page - 1));
    let length = (memory.end.addr() - start.addr()).next_multiple_of(page);
    // SAFETY: the advice changes neither the contents nor the validity of any page, whoever has
    // it, and the range is pages that hold bytes of `memory`. A failure is a refusal, which does
    // no harm.
    let _ = unsafe { libc::madvise(start.cast_mut().cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_it_was() {
        for size in [0, 1, 4095, 4 << 20, (9 << 20) + 5] {
            let mut bytes: Vec<u8> = Vec::with_capacity(size);
            advise_huge_pages(bytes.spare_capacity_mut());
            bytes.resize(size, 7);
            advise_huge_pages(&bytes);
            bytes.reserve(size);
            advise_huge_pages(bytes.spare_capacity_mut());
            assert!(bytes.iter().all(|&byte| byte == 7), "{size}");
        }
        advise_huge_pages(&[(); usize::MAX]);
    }
}

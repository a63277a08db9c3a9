//! Transparent huge pages for large allocations that are about to be written for the first time.
//!
//! The system maps fresh memory page by page on first access. With 4 KiB pages, each page fault takes one or
//! two microseconds, more than filling the page. With 2 MiB pages, there is one fault instead of 512. Linux
//! uses 2 MiB pages if advised before the first access.

/// Minimum size in bytes, twice that of a huge page: smaller memory may not contain a whole one.
#[cfg(target_os = "linux")]
const MIN_SIZE: usize = 4 << 20;

/// Advises the system to back `memory` with huge pages. Call it before the first access: on the spare
/// capacity of a large vector, or on a table just allocated with zeros.
///
/// Has no effect on the contents of memory. Does nothing for less than 4 MiB and on systems other than
/// Linux. Pages that are already mapped are not changed.
#[inline]
pub fn advise_huge_pages<T>(memory: &[T]) {
    #[cfg(target_os = "linux")]
    if size_of_val(memory) >= MIN_SIZE {
        advise(memory.as_ptr_range());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

#[cfg(target_os = "linux")]
#[cold]
fn advise<T>(memory: std::ops::Range<*const T>) {
    // SAFETY: `sysconf` has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page) = usize::try_from(page)
        .ok()
        .filter(|page| page.is_power_of_two())
    else {
        return;
    };
    // The range is rounded outwards to whole pages. Rounded inwards, it would split the allocator's mapping,
    // which then could no longer grow in place.
    let start = memory.start.map_addr(|address| address & !(page - 1));
    let length = (memory.end.addr() - start.addr()).next_multiple_of(page);
    // SAFETY: the range consists of mapped pages that contain bytes of `memory`, and the advice changes
    // neither contents nor validity of any page, including bytes of other owners. Failure is harmless.
    let _ = unsafe { libc::madvise(start.cast_mut().cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_do_not_change() {
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

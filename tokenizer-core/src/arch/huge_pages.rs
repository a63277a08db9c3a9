//! Huge pages for large memory that is about to be written for the first time.
//!
//! Fresh memory comes from the system page by page, as it is touched. With pages of 4 KiB that is
//! an interruption of a microsecond or two for each, which costs more than filling the page; with
//! pages of 2 MiB there are 500 times fewer. Systems give them to those who ask before the first
//! touch.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// Memory below this size is not worth the question: it may hold no huge page at all.
#[cfg(target_os = "linux")]
const WORTH_IT: usize = 4 << 20;

/// Asks for huge pages under `memory`, which no one has touched yet: the spare capacity of a large
/// vector, or a table that was just allocated with zeros.
///
/// It is advice: nothing that a program can see changes, and nothing happens for less than 4 MiB,
/// or where the system has no such advice. Pages that are already there stay as they are.
#[inline]
pub(crate) fn advise_huge_pages<T>(memory: &[T]) {
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

/// Where large tables begin: a multiple of the bytes of a huge page, of x86-64 and of most 64-bit ARM
/// systems.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;

/// So many items as it was made with. Where huge pages can be asked for, those of a large table begin
/// with one.
///
/// What a vector gets from its allocator begins somewhere in a huge page, so up to its first and last
/// two megabytes are in small ones: that is half of a table of 4 MiB. A table that is read here and
/// there takes longer then: text is encoded for the first time 1.03 times as fast with it.
pub(crate) struct HugeTable<T: Copy> {
    first: NonNull<T>,
    count: usize,
}

impl<T: Copy> HugeTable<T> {
    /// A table of `count` items.
    ///
    /// # Panics
    /// When they have more bytes than there can be; ends the process when there are not so many, as
    /// collections do.
    pub(crate) fn filled(count: usize, item: T) -> Self {
        let layout = Self::layout(count);
        let first = match layout.size() {
            0 => NonNull::<T>::dangling(),
            // SAFETY: the size is not zero.
            _ => NonNull::new(unsafe { alloc(layout) }.cast())
                .unwrap_or_else(|| handle_alloc_error(layout)),
        };
        // SAFETY: there is room for so many items at `first`, or they have no size; nothing is read.
        let room = unsafe { slice::from_raw_parts_mut(first.as_ptr().cast(), count) };
        advise_huge_pages::<MaybeUninit<T>>(room);
        room.fill(MaybeUninit::new(item));
        HugeTable { first, count }
    }

    fn layout(count: usize) -> Layout {
        let layout = Layout::array::<T>(count).expect("tables are smaller than the memory");
        #[cfg(target_os = "linux")]
        if layout.size() >= WORTH_IT {
            let aligned = layout.align_to(HUGE_PAGE);
            return aligned.expect("tables are smaller than the memory");
        }
        layout
    }
}

impl<T: Copy> Deref for HugeTable<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: so many items are there for as long as the table is.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl<T: Copy> DerefMut for HugeTable<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: so many items are there for as long as the table is, and nobody else has them.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), self.count) }
    }
}

impl<T: Copy> Drop for HugeTable<T> {
    fn drop(&mut self) {
        let layout = Self::layout(self.count);
        if layout.size() > 0 {
            // SAFETY: the items lie where they were allocated with this layout, and none has anything
            // to drop.
            unsafe { dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}

// SAFETY: it owns its items, as a vector does.
unsafe impl<T: Copy + Send> Send for HugeTable<T> {}
// SAFETY: it lends them out as a vector does.
unsafe impl<T: Copy + Sync> Sync for HugeTable<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_what_it_is_given() {
        for count in [0, 1, 1000, (2 << 20) / 8, (5 << 20) / 8 + 3] {
            let mut table = HugeTable::filled(count, 7u64);
            assert_eq!(table.len(), count);
            assert!(table.iter().all(|&item| item == 7));
            if let [.., last] = &mut table[..] {
                *last = 8;
                assert_eq!(table[count - 1], 8);
            }
            #[cfg(target_os = "linux")]
            if size_of_val(&table[..]) >= WORTH_IT {
                assert!(table.as_ptr().addr().is_multiple_of(HUGE_PAGE));
            }
        }
        assert_eq!(HugeTable::filled(9, ()).len(), 9);
    }

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

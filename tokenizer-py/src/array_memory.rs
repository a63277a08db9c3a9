//! Memory of arrays that comes back.
//!
//! An array of a megabyte of ids lies on 256 pages. The allocator gives them back to the kernel when
//! the array goes, and the next array has fresh ones, of which each takes a microsecond when it is
//! first written to: that was a sixth of the time of a call. So the array hands its memory back to
//! the tokenizer that made it, and the next takes that.

#![allow(unsafe_code)]

use std::sync::{Arc, Mutex, Weak};

use numpy::PyArray1;
use numpy::ndarray::ArrayView1;
use pyo3::prelude::*;
use tokenizer_core::TokenId;

use crate::{ids, memory};

/// Smaller memory is not worth the way; allocators keep it.
const SMALL: usize = 1 << 17;

/// Bytes that wait at most. They count whole; what was never written to is not there in truth.
const MOST: usize = 64 << 20;

/// Memory that waits for the next array.
pub(crate) struct ArrayMemory {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Those that came last are last.
    lists: Vec<Vec<TokenId>>,
    bytes: usize,
}

fn bytes(list: &Vec<TokenId>) -> usize {
    list.capacity() * size_of::<TokenId>()
}

/// A little more than `count`, so that texts of about the same length can use the same memory: there
/// are four sizes between one power of two and the next.
fn size(count: usize) -> usize {
    let step = 1 << (count | 4).ilog2() >> 2;
    count.checked_next_multiple_of(step).unwrap_or(count)
}

impl ArrayMemory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(ArrayMemory {
            waiting: Mutex::default(),
        })
    }

    /// An empty vector with room for `count` ids, as [`memory::room`]; mostly one that came back.
    pub(crate) fn room(&self, count: usize) -> Vec<TokenId> {
        let count = size(count);
        self.take(count).unwrap_or_else(|| memory::room(count))
    }

    /// The last that has room, but not much more: an array is not to hold what it does not need.
    fn take(&self, count: usize) -> Option<Vec<TokenId>> {
        // Never waits: a process that was forked at any moment goes on.
        let mut waiting = self.waiting.try_lock().ok()?;
        let fits =
            |list: &Vec<_>| (count..=count.saturating_add(count / 4)).contains(&list.capacity());
        let place = waiting.lists.iter().rposition(fits)?;
        let list = waiting.lists.remove(place);
        waiting.bytes -= bytes(&list);
        Some(list)
    }

    /// Keeps a vector for later.
    pub(crate) fn give(&self, mut list: Vec<TokenId>) {
        list.clear();
        let size = bytes(&list);
        if !(SMALL..=MOST).contains(&size) {
            return;
        }
        let Ok(mut waiting) = self.waiting.try_lock() else {
            return;
        };
        waiting.bytes += size;
        waiting.lists.push(list);
        while waiting.bytes > MOST {
            let oldest = waiting.lists.remove(0);
            waiting.bytes -= bytes(&oldest);
        }
    }

    /// An array of the ids, of whose memory nothing is copied. It comes back, if what it has room for
    /// is mostly used.
    pub(crate) fn array<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        mut ids: Vec<TokenId>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        if bytes(&ids) < SMALL || ids::has_much_room(&ids) {
            return ids::array_of(py, ids);
        }
        ids::import_numpy(py)?;
        let (first, count) = (ids.as_mut_ptr(), ids.len());
        let lent = Lent {
            ids,
            owner: Arc::downgrade(self),
        };
        let lent = Bound::new(py, lent)?.into_any();
        // SAFETY: so many ids are there. `lent` has them until it is dropped, and does not touch them
        // before; they stay where they are when it is moved.
        let ids = unsafe { ArrayView1::from_shape_ptr(count, first) };
        // SAFETY: the array keeps `lent`. Any bits that are written to it are ids.
        Ok(unsafe { PyArray1::borrow_from_array(&ids, lent) })
    }
}

/// The ids of an array: its `base`.
#[pyclass(frozen, name = "ArrayIds", module = "tokenizer_py")]
struct Lent {
    ids: Vec<TokenId>,
    owner: Weak<ArrayMemory>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.upgrade() {
            owner.give(std::mem::take(&mut self.ids));
        }
    }
}

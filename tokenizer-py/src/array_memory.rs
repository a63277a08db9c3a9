//! Memory of arrays that comes back.
//!
//! An array of a megabyte of ids lies on 256 pages. The allocator gives them back to the kernel when
//! the array goes, and the next array has fresh ones, of which each takes a microsecond when it is
//! first written to: that was a sixth of the time of a call. So the array hands its memory back to
//! the tokenizer that made it, and the next takes that.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
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

impl ArrayMemory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(ArrayMemory {
            waiting: Mutex::default(),
        })
    }

    /// An empty vector with room for `count` ids, as [`memory::room`]; mostly one that came back.
    pub(crate) fn room(&self, count: usize) -> Vec<TokenId> {
        self.take(count).unwrap_or_else(|| memory::room(count))
    }

    /// The last that has room, but not much more: an array is not to hold what it does not need.
    fn take(&self, count: usize) -> Option<Vec<TokenId>> {
        // Never waits: a process that was forked at any moment goes on.
        let mut waiting = self.waiting.try_lock().ok()?;
        let fits = |list: &Vec<_>| (count..=count.saturating_mul(2)).contains(&list.capacity());
        let place = waiting.lists.iter().rposition(fits)?;
        let list = waiting.lists.remove(place);
        waiting.bytes -= bytes(&list);
        Some(list)
    }

    fn give(&self, mut list: Vec<TokenId>) {
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

    /// An array of the ids, of whose memory nothing is copied, and which comes back.
    pub(crate) fn array<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        ids: Vec<TokenId>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let ids = ids::no_larger_than_needed(py, ids)?;
        if bytes(&ids) < SMALL {
            return Ok(PyArray1::from_vec(py, ids));
        }
        let mut ids = ManuallyDrop::new(ids);
        let (first, count) = (ids.as_mut_ptr(), ids.len());
        let lent = Lent {
            first: first.expose_provenance(),
            count,
            room: ids.capacity(),
            owner: Arc::downgrade(self),
        };
        let lent = Bound::new(py, lent)?.into_any();
        // SAFETY: so many ids are there, and `lent` keeps them until it is dropped.
        let ids = unsafe { ArrayView1::from_shape_ptr(count, first) };
        // SAFETY: the array keeps `lent`, and nobody else reads or writes the ids meanwhile.
        Ok(unsafe { PyArray1::borrow_from_array(&ids, lent) })
    }
}

/// The memory of an array: its `base`.
#[pyclass(frozen, name = "ArrayMemory", module = "tokenizer_py")]
struct Lent {
    /// The address of the first id: that of a vector which was taken apart, with so many ids and
    /// room for so many.
    first: usize,
    count: usize,
    room: usize,
    owner: Weak<ArrayMemory>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let first = std::ptr::with_exposed_provenance_mut(self.first);
        // SAFETY: this is the vector that was taken apart, and it is put together once. Any bits
        // that are written to its ids are ids.
        let list: Vec<TokenId> = unsafe { Vec::from_raw_parts(first, self.count, self.room) };
        if let Some(owner) = self.owner.upgrade() {
            owner.give(list);
        }
    }
}

//! Lists of ids, both ways.
//!
//! **To Python.** An id is met many thousand times, and to make an int for it each time takes longer
//! than to encode it. So every tokenizer keeps one int for each id, made when the id is first met
//! ([`Ints`]), and a list takes references to those. They go with the tokenizer: 40 bytes for each
//! id that was met, no more than the vocabulary has. Ids beyond the vocabulary (special tokens may
//! have any) are made each time.
//!
//! **From Python.** The ints of a list or a tuple are read one by one, without references and
//! without an iterator. What is no plain int is left to the conversion that any sequence goes
//! through, and so is every error: the exceptions are the same.
//!
//! Both are done in place where it is known how lists and ints lie (see `objects`), which takes less
//! than half the time, and else by the calls of the stable ABI.
//!
//! In free-threaded Python all threads would wait for each other at the counts of references of
//! frequent ids, and lists change while they are read. There, ints are made anew and read by the
//! conversion.

#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use tokenizer_core::TokenId;

use crate::interruptible::take_turns;
use crate::memory;
use crate::objects::{self, Layout, Objects, Python310, Python312};

/// Elements that are written or read between two looks for Ctrl-C.
const PORTION: usize = 1 << 20;

/// The ints of a tokenizer's ids.
///
/// Any number of threads may use one. No lock is held, so it may be used after a fork.
pub(crate) struct Ints {
    ids: usize,
    /// By id; null where none is made yet. Each pointer owns one reference. The table itself is
    /// made with the first list: who wants arrays only has none.
    made: OnceLock<Box<[AtomicPtr<ffi::PyObject>]>>,
}

impl Ints {
    /// For ids below `ids`.
    pub(crate) fn new(ids: usize) -> Self {
        Ints {
            ids,
            made: OnceLock::new(),
        }
    }

    /// A new list of `ids`.
    ///
    /// # Errors
    /// `MemoryError`, and what a signal handler raises while a long one is made.
    pub(crate) fn list<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
    ) -> PyResult<Bound<'py, PyList>> {
        Ok(self.hidden_list(py, ids)?.show())
    }

    /// As [`Ints::list`], one of many.
    ///
    /// # Errors
    /// As [`Ints::list`].
    pub(crate) fn hidden_list<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
    ) -> PyResult<HiddenList<'py>> {
        if cfg!(Py_GIL_DISABLED) {
            return PyList::new(py, ids).map(HiddenList);
        }
        let Ok(length) = ffi::Py_ssize_t::try_from(ids.len()) else {
            return Err(PyMemoryError::new_err(()));
        };
        // SAFETY: the interpreter is attached. The result is a new reference to a list, or null
        // with an exception set. The collector knows the list, and is told to forget it.
        let list = unsafe {
            let list = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(length))?;
            ffi::PyObject_GC_UnTrack(list.as_ptr().cast());
            list
        };
        let table = self.table();
        let layout = Layout::of(py);
        for (start, some) in (0..).step_by(PORTION).zip(ids.chunks(PORTION)) {
            if start > 0 {
                take_turns(py)?;
            } else if layout != Layout::Unknown {
                // SAFETY: the layout is known, the elements are those of the list, and nothing was
                // written there when they are many.
                unsafe {
                    let elements = objects::elements(list.as_ptr());
                    memory::expect_writes(elements.cast(), ids.len() * size_of::<usize>());
                }
            }
            // SAFETY: the list is new, has a place for each id, and nobody else knows it, nor does
            // the collector: so no Python code finds it before it is filled. After an error the
            // places left are null, as they are in a new list.
            unsafe {
                match layout {
                    Layout::Unknown => fill_by_calls(py, table, list.as_ptr(), start, some)?,
                    Layout::Python310 => {
                        fill::<Python310>(py, table, list.as_ptr(), start, some)?;
                    }
                    Layout::Python312 => {
                        fill::<Python312>(py, table, list.as_ptr(), start, some)?;
                    }
                }
            }
        }
        // SAFETY: what was made is a list.
        Ok(HiddenList(unsafe { list.cast_into_unchecked() }))
    }

    fn table(&self) -> &[AtomicPtr<ffi::PyObject>] {
        self.made
            .get_or_init(|| (0..self.ids).map(|_| AtomicPtr::default()).collect())
    }
}

/// A new list that the garbage collector does not look at until it is shown.
///
/// Each few hundred lists the collector comes by and looks twice at every element of those made since,
/// and later again: where many are made, that takes a fifth of all time, and there is nothing to collect.
pub(crate) struct HiddenList<'py>(Bound<'py, PyList>);

impl<'py> HiddenList<'py> {
    /// The list, as any other.
    pub(crate) fn show(self) -> Bound<'py, PyList> {
        if !cfg!(Py_GIL_DISABLED) {
            // SAFETY: the list is whole, and the collector does not know it: it was told to forget it
            // when it was made, and nobody else had it since.
            unsafe { ffi::PyObject_GC_Track(self.0.as_ptr().cast()) };
        }
        self.0
    }
}

impl Drop for Ints {
    fn drop(&mut self) {
        let Some(made) = self.made.take() else {
            return;
        };
        // Objects are dropped with the interpreter attached. When it is gone, so are its ints.
        Python::try_attach(|py| {
            for int in made {
                // SAFETY: a pointer in the table owns a reference, and nobody reads the table any
                // more.
                drop(unsafe { Bound::from_owned_ptr_or_opt(py, int.into_inner()) });
            }
        });
    }
}

/// A new reference to the int of an id.
///
/// `count` counts it.
///
/// # Errors
/// `MemoryError`.
///
/// # Safety
/// `count` adds one to the references of the int that it is given.
#[inline(always)]
unsafe fn int(
    py: Python<'_>,
    table: &[AtomicPtr<ffi::PyObject>],
    id: TokenId,
    count: impl Fn(*mut ffi::PyObject),
) -> PyResult<*mut ffi::PyObject> {
    let Some(place) = table.get(id as usize) else {
        return make(py, id);
    };
    let mut int = place.load(Ordering::Acquire);
    if int.is_null() {
        int = make_at(py, place, id)?;
    }
    count(int);
    Ok(int)
}

#[cold]
fn make(py: Python<'_>, id: TokenId) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: the interpreter is attached; the result is a new reference or null with an exception.
    let int = unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromUnsignedLongLong(u64::from(id)))?
    };
    Ok(int.into_ptr())
}

/// Makes the int of an id and leaves it, with the reference to it, in the table. Gives a pointer
/// without a reference.
#[cold]
fn make_at(
    py: Python<'_>,
    place: &AtomicPtr<ffi::PyObject>,
    id: TokenId,
) -> PyResult<*mut ffi::PyObject> {
    let int = make(py, id)?;
    let empty = std::ptr::null_mut();
    match place.compare_exchange(empty, int, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(int),
        Err(other) => {
            // SAFETY: another thread was faster; the reference to our int is still ours.
            drop(unsafe { Bound::from_owned_ptr(py, int) });
            Ok(other)
        }
    }
}

/// # Safety
/// `list` is a new list that nobody else knows, with `ids.len()` places from `start` on that are null.
unsafe fn fill_by_calls(
    py: Python<'_>,
    table: &[AtomicPtr<ffi::PyObject>],
    list: *mut ffi::PyObject,
    start: ffi::Py_ssize_t,
    ids: &[TokenId],
) -> PyResult<()> {
    for (place, &id) in (start..).zip(ids) {
        // SAFETY: the pointer is that of an int; the list takes over the reference, and has the
        // place.
        unsafe {
            let int = int(py, table, id, |int| ffi::Py_INCREF(int))?;
            ffi::PyList_SetItem(list, place, int);
        }
    }
    Ok(())
}

/// # Safety
/// As [`fill_by_calls`]; and the Python that runs has this layout.
unsafe fn fill<O: Objects>(
    py: Python<'_>,
    table: &[AtomicPtr<ffi::PyObject>],
    list: *mut ffi::PyObject,
    start: ffi::Py_ssize_t,
    ids: &[TokenId],
) -> PyResult<()> {
    // SAFETY: the layout is known, and the list has that place.
    let elements = unsafe { objects::elements(list).offset(start) };
    for (place, &id) in ids.iter().enumerate() {
        // SAFETY: what is counted is an int; the list has the place, which was null, and takes over
        // the reference.
        unsafe { *elements.add(place) = int(py, table, id, |int| O::count(int))? };
    }
    Ok(())
}

/// A new list of tuples of two ints, or of `bytes` and an int.
///
/// The garbage collector forgets such tuples when it first comes by. These it never sees, which takes a
/// quarter of the time.
///
/// # Errors
/// `MemoryError`, and what a signal handler raises.
pub(crate) fn pairs<'py, A, B>(
    py: Python<'py>,
    mut pairs: impl ExactSizeIterator<Item = (A, B)>,
) -> PyResult<Bound<'py, PyList>>
where
    (A, B): IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
{
    let list = PyList::empty(py);
    while pairs.len() > 0 {
        take_turns(py)?;
        for pair in pairs.by_ref().take(PORTION >> 4) {
            let pair = pair.into_pyobject(py)?;
            if !cfg!(Py_GIL_DISABLED) {
                // SAFETY: the tuple is an object that the collector counts.
                unsafe { ffi::PyObject_GC_UnTrack(pair.as_ptr().cast()) };
            }
            list.append(pair)?;
        }
    }
    Ok(list)
}

/// The ids of a list.
///
/// # Errors
/// `TypeError` when one is no integer, `OverflowError` when one is negative or beyond 32 bits.
pub(crate) fn of_list(list: Borrowed<'_, '_, PyList>) -> PyResult<Vec<TokenId>> {
    let py = list.py();
    let list_pointer = list.as_ptr();
    // SAFETY: `list` is a list that is borrowed for the call, `place` is one of its places, and the
    // layout is the one that was found.
    unsafe {
        let length = || ffi::PyList_Size(list_pointer);
        match Layout::of(py) {
            _ if cfg!(Py_GIL_DISABLED) => list.extract(),
            Layout::Unknown => read(
                py,
                length,
                |place| ffi::PyList_GetItem(list_pointer, place),
                |object| value_by_calls(object),
            ),
            Layout::Python310 => read(
                py,
                length,
                |place| *objects::elements(list_pointer).offset(place),
                |object| Python310::value(object),
            ),
            Layout::Python312 => read(
                py,
                length,
                |place| *objects::elements(list_pointer).offset(place),
                |object| Python312::value(object),
            ),
        }
    }
}

/// The ids of a tuple.
///
/// # Errors
/// As [`of_list`].
pub(crate) fn of_tuple(tuple: Borrowed<'_, '_, PyTuple>) -> PyResult<Vec<TokenId>> {
    // SAFETY: `tuple` is a tuple that is borrowed for the call, and `place` is one of its places.
    unsafe {
        let pointer = tuple.as_ptr();
        read(
            tuple.py(),
            || ffi::PyTuple_Size(pointer),
            |place| ffi::PyTuple_GetItem(pointer, place),
            |object| value_by_calls(object),
        )
    }
}

/// Reads ids: `element` gives a borrowed pointer to what is at a place below `length`, and `value`
/// its value when it is an int whose value is certain.
///
/// # Safety
/// `element` gives a pointer to an object that lives until other Python code runs.
#[inline(always)]
unsafe fn read(
    py: Python<'_>,
    length: impl Fn() -> ffi::Py_ssize_t,
    element: impl Fn(ffi::Py_ssize_t) -> *mut ffi::PyObject,
    value: impl Fn(*mut ffi::PyObject) -> Option<TokenId>,
) -> PyResult<Vec<TokenId>> {
    let mut end = length();
    let mut ids = memory::room(end.try_into().unwrap_or(0));
    let mut place = 0;
    while place < end {
        let portion = end.min(place + PORTION as ffi::Py_ssize_t);
        while place < portion {
            let object = element(place);
            place += 1;
            if let Some(id) = value(object) {
                ids.push(id);
                continue;
            }
            // SAFETY: no other code has run since the pointer was borrowed; here it becomes a
            // reference of our own.
            let object = unsafe { Bound::from_borrowed_ptr(py, object) };
            ids.push(object.extract()?);
            // What is no plain int runs code of its own, which may have changed the list.
            break;
        }
        end = length();
        if place == portion && place < end {
            take_turns(py)?;
            end = length();
        }
    }
    Ok(ids)
}

/// The value of what is exactly an int, when it is an id for certain.
///
/// # Safety
/// `object` points to a living object.
#[inline(always)]
unsafe fn value_by_calls(object: *mut ffi::PyObject) -> Option<TokenId> {
    // SAFETY: `object` is alive; of an int the value is read without any other code being run.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        match TokenId::try_from(ffi::PyLong_AsUnsignedLong(object)) {
            // The highest value may also tell of an error, as one beyond 32 bits does.
            Ok(id) if id != TokenId::MAX => Some(id),
            _ => {
                ffi::PyErr_Clear();
                None
            }
        }
    }
}

//! How lists and ints lie in memory.
//!
//! To fill a list or to read one, the stable ABI has two calls for each element, and they take
//! longer than what they do. In every CPython so far the elements of a list lie behind a pointer in
//! it, an int begins with its count of references, and one below 2^30 holds its value in one digit.
//! Where that is so, both are done in place.
//!
//! That is known of released versions, looked at in the Python that runs, once, and never taken for
//! granted: where something lies elsewhere, the calls are used ([`Layout::Unknown`]). The
//! environment variable `TOKENIZER_PY_STABLE_ABI` asks for them.

#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyList};

/// Which of the layouts below the Python has that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// None of them, or nobody knows.
    Unknown,
    /// [`Python310`].
    Python310,
    /// [`Python312`].
    Python312,
}

/// A layout.
pub(crate) trait Objects {
    /// Counts one more reference to an int.
    ///
    /// # Safety
    /// The Python that runs has this layout, the interpreter is attached, and `int` is an int.
    unsafe fn count(int: *mut ffi::PyObject);

    /// The value of an int that has one digit; `None` for others and for what is no plain int.
    ///
    /// # Safety
    /// The Python that runs has this layout, and `object` is an object.
    unsafe fn value(object: *mut ffi::PyObject) -> Option<u32> {
        // SAFETY: every object has a second word, its type, which for an int is of the size that
        // tells of the third and of the digit behind it.
        unsafe {
            let words = object.cast::<usize>();
            let is_int = *words.add(1) == (&raw mut ffi::PyLong_Type).addr();
            (is_int && *words.add(2) == Self::ONE_DIGIT).then(|| *words.add(3).cast::<u32>())
        }
    }

    /// The third word of a positive int of one digit.
    const ONE_DIGIT: usize;
}

/// That of CPython 3.10 and 3.11: a count is a word, and so is the number of digits.
pub(crate) struct Python310;

impl Objects for Python310 {
    const ONE_DIGIT: usize = 1;

    unsafe fn count(int: *mut ffi::PyObject) {
        // SAFETY: an object begins with its count, and no other thread counts meanwhile.
        unsafe { *int.cast::<isize>() += 1 };
    }
}

/// That of CPython 3.12 and later: a count is half a word, the lower one, and of an object that
/// lives for ever it is negative. The number of digits stands above three bits of which two are the
/// sign.
pub(crate) struct Python312;

impl Objects for Python312 {
    const ONE_DIGIT: usize = 1 << 3;

    unsafe fn count(int: *mut ffi::PyObject) {
        // SAFETY: an object begins with its count, and no other thread counts meanwhile.
        unsafe {
            let count = int.cast::<i32>();
            if *count >= 0 {
                *count = (*count).wrapping_add(1);
            }
        }
    }
}

/// The elements of a list; null or dangling when it has none.
///
/// # Safety
/// The layout is known, and `list` is a list. The pointer is good until the list changes.
pub(crate) unsafe fn elements(list: *mut ffi::PyObject) -> *mut *mut ffi::PyObject {
    // SAFETY: a list has five words: those of every object, the length, the elements, the room.
    unsafe { *list.cast::<*mut *mut ffi::PyObject>().add(ELEMENTS) }
}

/// The word of a list that points to its elements.
const ELEMENTS: usize = 3;

impl Layout {
    /// That of the Python that runs.
    pub(crate) fn of(py: Python<'_>) -> Layout {
        static LAYOUT: PyOnceLock<Layout> = PyOnceLock::new();
        *LAYOUT.get_or_init(py, || Layout::look(py).unwrap_or(Layout::Unknown))
    }

    fn look(py: Python<'_>) -> PyResult<Layout> {
        let sys = py.import("sys")?;
        let name: String = sys.getattr("implementation")?.getattr("name")?.extract()?;
        let fits = name == "cpython"
            && cfg!(all(
                target_pointer_width = "64",
                target_endian = "little",
                not(Py_GIL_DISABLED)
            ))
            && std::env::var_os("TOKENIZER_PY_STABLE_ABI").is_none();
        let version = py.version_info();
        match (version.major, version.minor) {
            (3, 10..=11) if fits && is_layout::<Python310>(py)? => Ok(Layout::Python310),
            (3, 12..=15) if fits && is_layout::<Python312>(py)? => Ok(Layout::Python312),
            _ => Ok(Layout::Unknown),
        }
    }
}

/// Whether a list of ints has its parts where `O` says.
fn is_layout<O: Objects>(py: Python<'_>) -> PyResult<bool> {
    let words = |kind: Bound<'_, PyAny>| -> PyResult<usize> {
        let bytes: usize = kind.getattr("__basicsize__")?.extract()?;
        Ok(bytes / size_of::<usize>())
    };
    // The digits of an int come behind its size.
    let sizes = (
        words(py.get_type::<PyList>().into_any())?,
        words(py.get_type::<PyInt>().into_any())?,
    );
    if sizes != (ELEMENTS + 2, 3) {
        return Ok(false);
    }
    // None of them small: those are made with the interpreter and live for ever.
    let values = [1 << 29, 1_000_003, 100_257, 70_001, 50_000];
    let list = PyList::new(py, values)?;
    // SAFETY: an object of the type list has five words.
    let word = |number: usize| unsafe { *list.as_ptr().cast::<usize>().add(number) };
    let (length, room, elements) = (word(2), word(ELEMENTS + 1), word(ELEMENTS));
    if length != values.len()
        || room < length
        || elements == 0
        || elements % align_of::<usize>() != 0
    {
        return Ok(false);
    }
    for (place, (int, value)) in list.iter().zip(values).enumerate() {
        let int = int.as_ptr();
        // SAFETY: in a list of the size that was found, that word is the only one left that can
        // point to the elements, of which there are as many. The list keeps the ints alive; each
        // begins with a count of references that Python makes one more and one less again, and has
        // the three words and the digit that its size told of.
        let fits = unsafe {
            let there = *(elements as *const *mut ffi::PyObject).add(place);
            let count = int.cast::<isize>();
            let before = *count;
            ffi::Py_INCREF(int);
            let called = *count;
            ffi::Py_DECREF(int);
            O::count(int);
            let in_place = *count;
            ffi::Py_DECREF(int);
            there == int
                && called == before + 1
                && in_place == called
                && *count == before
                && O::value(int) == Some(value)
        };
        if !fits {
            return Ok(false);
        }
    }
    // What is no id must not look like one.
    let others = (0, -7, 1_i64 << 30, (1_i64 << 60) + 5, -1_000_003_i64);
    let others = others.into_pyobject(py)?;
    // SAFETY: these are objects.
    Ok(others
        .iter()
        .all(|other| unsafe { O::value(other.as_ptr()) }.unwrap_or(0) == 0)
        && unsafe { O::value(others.as_ptr()) }.is_none())
}

/// The layout that was found, for the tests.
#[pyfunction]
pub(crate) fn _layout(py: Python<'_>) -> String {
    format!("{:?}", Layout::of(py))
}

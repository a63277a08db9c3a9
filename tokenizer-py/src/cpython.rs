//! Direct calls of CPython's documented C API where pyo3's safe calls are too slow: to read and write the
//! characters of a `str` and the ints of a list.
//!
//! Only this file and `arrow` contain `unsafe` code of this crate.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::{ptr, slice};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::string::PyStringData;
use pyo3::types::{PyInt, PyList, PyString};
use tokenizer_core::{TokenId, advise_huge_pages};

use crate::interruptible::{detached, take_turns};

/// A non-ASCII `str` of at least this many characters is converted by [`utf8_of`]: CPython's conversion is
/// slower and caches the UTF-8 in the `str`, which costs memory.
const LONG: usize = 1 << 14;

/// Characters converted at once if all are ASCII.
const BLOCK: usize = 16;

/// Ids read between two checks for signals.
const PORTION: usize = 1 << 20;

/// Returns the UTF-8 of a long non-ASCII `str`. `None` for any other `str`, and if it contains a lone
/// surrogate.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn long_utf8(text: &Bound<'_, PyString>) -> PyResult<Option<Vec<u8>>> {
    let py = text.py();
    // SAFETY: a `str` never changes, and `text` keeps it alive for as long as the slice is used.
    let characters = unsafe { text.data()? };
    Ok(match characters {
        PyStringData::Ucs1(all) if all.len() >= LONG && !all.is_ascii() => {
            py.detach(|| utf8_of::<_, 2>(all))
        }
        PyStringData::Ucs2(all) if all.len() >= LONG => py.detach(|| utf8_of::<_, 3>(all)),
        PyStringData::Ucs4(all) if all.len() >= LONG => py.detach(|| utf8_of::<_, 4>(all)),
        _ => None,
    })
}

/// Converts characters to UTF-8, at most `MAX_LEN` bytes each. `None` if one is a surrogate.
fn utf8_of<C: Copy + Into<u32>, const MAX_LEN: usize>(characters: &[C]) -> Option<Vec<u8>> {
    // Capacity for the worst case: unused pages cost nothing, because the system maps only written ones.
    let mut text = Vec::with_capacity(characters.len() * MAX_LEN);
    for block in characters.chunks(BLOCK) {
        if let Ok(block) = <&[C; BLOCK]>::try_from(block)
            && block.iter().fold(0, |all, &one| all | one.into()) < 0x80
        {
            text.extend_from_slice(&block.map(|one| one.into() as u8));
            continue;
        }
        let (mut utf8, mut end) = ([0; BLOCK * 4], 0);
        for &one in block {
            let one = char::from_u32(one.into())?;
            end += one.encode_utf8(&mut utf8[end..]).len();
        }
        text.extend_from_slice(&utf8[..end]);
    }
    Some(text)
}

/// Decodes UTF-8 to a new `str`; `None` if it is invalid.
///
/// CPython's decoder starts with one byte per character and copies its output when it meets a wider
/// character. Here a first pass determines the width: the widest character has the highest byte.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn new_string<'py>(
    py: Python<'py>,
    text: &[u8],
) -> PyResult<Option<Bound<'py, PyString>>> {
    let (length, highest) = measure(text);
    let widest = match highest {
        0..0x80 => 0x7F,
        0x80..0xC4 => 0xFF,
        0xC4..0xF0 => 0xFFFF,
        0xF0.. => 0x10_FFFF,
    };
    // SAFETY: the interpreter is attached. The result is a new `str` with room for `length` characters
    // up to `widest`, or null with an exception set.
    let made = unsafe {
        let made = ffi::PyUnicode_New(length as ffi::Py_ssize_t, widest);
        Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyString>()
    };
    // SAFETY: the characters of the `str` are `length` values of the width that `widest` needs. No other code
    // has a reference to it before it is filled, except to the shared empty `str`, of which nothing is written.
    let written = unsafe {
        let to = ffi::PyUnicode_DATA(made.as_ptr());
        let width = match widest {
            0..0x100 => 1,
            0x100..0x1_0000 => 2,
            _ => 4,
        };
        advise_huge_pages(slice::from_raw_parts(
            to.cast::<MaybeUninit<u8>>(),
            length * width,
        ));
        match widest {
            0x7F => {
                ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), length);
                Some(())
            }
            0xFF => {
                let to = slice::from_raw_parts_mut(to.cast(), length);
                detached(py, length, || write(text, to, |one| one as u8))
            }
            0xFFFF => {
                let to = slice::from_raw_parts_mut(to.cast(), length);
                detached(py, length, || write(text, to, |one| one as u16))
            }
            _ => {
                let to = slice::from_raw_parts_mut(to.cast(), length);
                detached(py, length, || write(text, to, |one| one))
            }
        }
    };
    Ok(written.map(|()| made))
}

/// Returns the number of characters in UTF-8 text, and the value of its highest byte.
fn measure(text: &[u8]) -> (usize, u8) {
    let (mut length, mut highest) = (0, 0);
    // A count up to 128 fits into a `u8`, so the compiler vectorises both loops.
    for part in text.chunks(128) {
        let begins = part.iter().map(|byte| u8::from(byte & 0xC0 != 0x80));
        length += usize::from(begins.sum::<u8>());
        highest = part
            .iter()
            .fold(highest, |highest, &byte| highest.max(byte));
    }
    (length, highest)
}

/// Writes the characters of UTF-8 to `to`. `None` if the UTF-8 is invalid or does not fill `to` exactly.
fn write<C>(text: &[u8], to: &mut [MaybeUninit<C>], narrow: impl Fn(u32) -> C) -> Option<()> {
    let (mut at, mut place) = (0, 0);
    while let (Some(block), Some(room)) = (
        text.get(at..)?.first_chunk::<BLOCK>(),
        to.get_mut(place..)?.first_chunk_mut::<BLOCK>(),
    ) {
        if block.is_ascii() {
            *room = block.map(|byte| MaybeUninit::new(narrow(byte.into())));
            (at, place) = (at + BLOCK, place + BLOCK);
            continue;
        }
        let (mut used, mut written) = (0, 0);
        // While at least 4 bytes are left, the next character is complete.
        while let Some(&bytes) = block[used..].first_chunk::<4>() {
            let (one, length) = first_character(u32::from_le_bytes(bytes))?;
            room[written].write(narrow(one));
            (used, written) = (used + length, written + 1);
        }
        (at, place) = (at + used, place + written);
    }
    let rest = std::str::from_utf8(&text[at..]).ok()?;
    let places = to[place..].iter_mut();
    (rest.chars().count() == places.len()).then(|| {
        for (to, one) in places.zip(rest.chars()) {
            to.write(narrow(one.into()));
        }
    })
}

/// Decodes the character that starts in the lowest byte. Returns it with its length in bytes.
#[inline(always)]
fn first_character(bytes: u32) -> Option<(u32, usize)> {
    let more = |byte: u32| bytes >> (8 * byte) & 0x3F;
    // Overlong forms, surrogates and values above U+10FFFF are invalid.
    let (one, length, valid) = match bytes {
        _ if bytes & 0x80 == 0 => (bytes & 0x7F, 1, true),
        _ if bytes & 0xC0E0 == 0x80C0 => {
            let one = (bytes & 0x1F) << 6 | more(1);
            (one, 2, one >= 0x80)
        }
        _ if bytes & 0xC0_C0F0 == 0x80_80E0 => {
            let one = (bytes & 0xF) << 12 | more(1) << 6 | more(2);
            (one, 3, one >= 0x800 && one >> 11 != 0xD800 >> 11)
        }
        _ if bytes & 0xC0C0_C0F8 == 0x8080_80F0 => {
            let one = (bytes & 7) << 18 | more(1) << 12 | more(2) << 6 | more(3);
            (one, 4, (0x1_0000..0x11_0000).contains(&one))
        }
        _ => return None,
    };
    valid.then_some((one, length))
}

/// Cache of one Python int per id. Lists share these ints, because creating an int for every occurrence
/// takes longer than encoding. Ints are created on first use and freed with the tokenizer. Ids above the
/// highest ordinary token are not cached.
pub(crate) struct Ints {
    /// Ids below this limit are cached.
    id_limit: usize,
    /// Indexed by id. Allocated when the first list is built; ids returned as numpy arrays need no
    /// Python ints.
    slots: OnceLock<Box<[Slot]>>,
}

/// The cached int of one id. A slot is one machine word; a `OnceLock` would be two, and a smaller table is
/// faster to read for every id of a list.
#[derive(Default)]
struct Slot(UnsafeCell<Option<Py<PyInt>>>);

// SAFETY: shared slots are accessed only by [`Slot::int`], on a thread that holds the GIL. Free-threaded
// builds do not call it.
unsafe impl Sync for Slot {}

impl Slot {
    #[inline(always)]
    fn int<'py>(&self, py: Python<'py>, id: TokenId) -> Bound<'py, PyInt> {
        // SAFETY: see `Sync`. The reference ends in this function, and creating an int runs no Python code.
        let int = unsafe { &mut *self.0.get() };
        let int = int.get_or_insert_with(|| PyInt::new(py, id).unbind());
        int.bind(py).clone()
    }
}

impl Ints {
    /// Creates a cache for ids below `id_limit`.
    pub(crate) fn new(id_limit: usize) -> Self {
        Ints {
            id_limit,
            slots: OnceLock::new(),
        }
    }

    /// Builds a list of ids.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn list<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
    ) -> PyResult<Bound<'py, PyList>> {
        if cfg!(Py_GIL_DISABLED) {
            // Avoids contention on the reference counts of frequent ids.
            return PyList::new(py, ids);
        }
        let empty = || (0..self.id_limit).map(|_| Slot::default()).collect();
        let slots = self.slots.get_or_init(empty);
        // SAFETY: the interpreter is attached. The result is a new list, all of whose items are null, or
        // null with an exception set.
        let list = unsafe {
            let list = ffi::PyList_New(ids.len() as ffi::Py_ssize_t);
            Bound::from_owned_ptr_or_err(py, list)?.cast_into_unchecked::<PyList>()
        };
        if !ids.is_empty() {
            // SAFETY: the list is not empty, so it has an array of `ids.len()` items, all null so far.
            let items = unsafe {
                let items = ffi::PySequence_Fast_ITEMS(list.as_ptr());
                slice::from_raw_parts(items, ids.len())
            };
            advise_huge_pages(items);
        }
        for (place, &id) in ids.iter().enumerate() {
            let int = match slots.get(id as usize) {
                Some(slot) => slot.int(py, id),
                None => PyInt::new(py, id),
            };
            // SAFETY: the list has this place, which is still null, and takes over the reference to `int`.
            unsafe {
                ffi::PyList_SET_ITEM(list.as_ptr(), place as ffi::Py_ssize_t, int.into_ptr());
            }
        }
        Ok(list)
    }
}

/// Disables the garbage collector until dropped. While many lists are built, none of them is garbage, and
/// each collection would read every element of the new lists.
///
/// Hold it only while the interpreter is attached and no Python code runs, so that the pause is not visible.
pub(crate) struct CollectorPause<'py> {
    was_enabled: bool,
    _attached: Python<'py>,
}

impl<'py> CollectorPause<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        // SAFETY: the interpreter is attached. Without a GIL, other threads would see the pause.
        let was_enabled = !cfg!(Py_GIL_DISABLED) && unsafe { ffi::PyGC_Disable() } != 0;
        CollectorPause {
            was_enabled,
            _attached: py,
        }
    }
}

impl Drop for CollectorPause<'_> {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: the interpreter is attached.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

/// Reads the ids of a list. Leading plain ints are read without touching their reference counts (with a GIL).
///
/// # Errors
/// `TypeError` if an item is not an integer, `OverflowError` if it is negative or exceeds 32 bits, and
/// exceptions of signal handlers.
pub(crate) fn ids_of_list(list: &Bound<'_, PyList>) -> PyResult<Vec<TokenId>> {
    let py = list.py();
    if cfg!(Py_GIL_DISABLED) {
        // Another thread may modify the list at any time.
        return list.extract();
    }
    let mut ids: Vec<TokenId> = Vec::with_capacity(list.len());
    advise_huge_pages(ids.spare_capacity_mut());
    while read_ints(list, &mut ids) {
        take_turns(py)?;
    }
    // From the first other object on, items are fetched one by one: converting an object may run Python code,
    // which may modify the list.
    while ids.len() < list.len() {
        ids.push(list.get_item(ids.len())?.extract()?);
        if ids.len().is_multiple_of(PORTION) {
            take_turns(py)?;
        }
    }
    Ok(ids)
}

/// Appends the next ids of a list to `ids`: at most `PORTION`, stopping before the first item that
/// is not an int below `TokenId::MAX`. Returns whether `PORTION` ids were appended, so that more
/// may follow. Runs no Python code.
fn read_ints(list: &Bound<'_, PyList>, ids: &mut Vec<TokenId>) -> bool {
    let start = ids.len();
    if start >= list.len() {
        return false;
    }
    // SAFETY: the list is not empty and owns its items. Nothing changes it while they are read here.
    let items = unsafe {
        let items = ffi::PySequence_Fast_ITEMS(list.as_ptr());
        slice::from_raw_parts(items, list.len())
    };
    let mut read = 0;
    let room = ids.spare_capacity_mut().iter_mut();
    for (id, &item) in room.zip(&items[start..]).take(PORTION) {
        // SAFETY: the object is alive. The value of an int is read, any other object is an error.
        match TokenId::try_from(unsafe { ffi::PyLong_AsUnsignedLong(item) }) {
            // Where `c_ulong` has 32 bits, `TokenId::MAX` is also the value returned on error.
            Ok(value) if value != TokenId::MAX => id.write(value),
            _ => {
                drop(PyErr::take(list.py()));
                break;
            }
        };
        read += 1;
    }
    // SAFETY: the first `read` ids of the spare capacity have been written.
    unsafe { ids.set_len(start + read) };
    read == PORTION
}

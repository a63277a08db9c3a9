//! CPython's documented C API, where the safe calls of pyo3 are too slow: the characters of a `str`,
//! read and written, and the ints of lists.
//!
//! Of this package, only this file and `arrow` hold `unsafe` code.

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

/// The UTF-8 of a shorter `str` is left to CPython, which caches it in the `str`. For a long one that
/// is much memory, and slower than [`utf8_of`].
const LONG: usize = 1 << 14;

/// Characters that are converted together when all are ASCII.
const BLOCK: usize = 16;

/// Ids that are read between two looks for Ctrl-C.
const PORTION: usize = 1 << 20;

/// The UTF-8 of a long `str` that is not ASCII. `None` for any other, and for one with a lone
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

/// Characters in UTF-8, of which each takes at most `MOST` bytes; `None` when one is a surrogate.
fn utf8_of<C: Copy + Into<u32>, const MOST: usize>(characters: &[C]) -> Option<Vec<u8>> {
    // Room for all: pages that are never written to are never mapped.
    let mut text = Vec::with_capacity(characters.len() * MOST);
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

/// A new `str` of UTF-8, or `None` when the bytes are something else.
///
/// CPython's decoder starts with one byte for each character, and copies all that it has when it meets
/// a wider one. Here the width is known before: the widest character has the highest byte.
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
    // SAFETY: the characters of the new `str` are `length` values of the width that `widest` needs. No
    // other code has a reference to it before it is filled.
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

/// How many characters UTF-8 has, and its highest byte.
fn measure(text: &[u8]) -> (usize, u8) {
    let (mut length, mut highest) = (0, 0);
    // At most 128 bytes are counted in a byte: so the compiler vectorises both.
    for part in text.chunks(128) {
        let begins = part.iter().map(|byte| u8::from(byte & 0xC0 != 0x80));
        length += usize::from(begins.sum::<u8>());
        highest = part
            .iter()
            .fold(highest, |highest, &byte| highest.max(byte));
    }
    (length, highest)
}

/// Writes the characters of UTF-8; `None` when it is something else, or they are not as many as there
/// are places.
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
        // The next character is whole within the block.
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

/// The character that begins in the lowest byte, and how many bytes it has.
#[inline(always)]
fn first_character(bytes: u32) -> Option<(u32, usize)> {
    let more = |byte: u32| bytes >> (8 * byte) & 0x3F;
    // A longer form than needed, a surrogate and what is beyond the last character are invalid.
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

/// The ints of a tokenizer's ids, to which lists hold references: an id occurs many thousand times, and
/// making an int for each place takes longer than encoding. Each is made when it is first needed, and
/// freed with the tokenizer. Ids beyond the vocabulary are made each time.
pub(crate) struct Ints {
    ids: usize,
    /// By id. Made with the first list: arrays need none.
    made: OnceLock<Box<[Slot]>>,
}

/// One machine word: a `OnceLock` has two, and the table is read once for each id.
#[derive(Default)]
struct Slot(UnsafeCell<Option<Py<PyInt>>>);

// SAFETY: a slot is used only by [`Slot::int`], by a thread that holds the GIL. Free-threaded builds do
// not call it.
unsafe impl Sync for Slot {}

impl Slot {
    #[inline(always)]
    fn int<'py>(&self, py: Python<'py>, id: TokenId) -> Bound<'py, PyInt> {
        // SAFETY: see `Sync`. The reference ends here, and no Python code runs while an int is made.
        let int = unsafe { &mut *self.0.get() };
        let int = int.get_or_insert_with(|| PyInt::new(py, id).unbind());
        int.bind(py).clone()
    }
}

impl Ints {
    /// For ids below `ids`.
    pub(crate) fn new(ids: usize) -> Self {
        Ints {
            ids,
            made: OnceLock::new(),
        }
    }

    /// A new list.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn list<'py>(
        &self,
        py: Python<'py>,
        ids: &[TokenId],
    ) -> PyResult<Bound<'py, PyList>> {
        if cfg!(Py_GIL_DISABLED) {
            // Threads would wait for each other at the reference counts of frequent ids.
            return PyList::new(py, ids);
        }
        let slots = || (0..self.ids).map(|_| Slot::default()).collect();
        let made = self.made.get_or_init(slots);
        // SAFETY: the interpreter is attached. The result is a new list, all of whose items are null, or
        // null with an exception set.
        let list = unsafe {
            let list = ffi::PyList_New(ids.len() as ffi::Py_ssize_t);
            Bound::from_owned_ptr_or_err(py, list)?.cast_into_unchecked::<PyList>()
        };
        if !ids.is_empty() {
            // SAFETY: a list that is not empty has as many items, which are null so far.
            let items = unsafe {
                let items = ffi::PySequence_Fast_ITEMS(list.as_ptr());
                slice::from_raw_parts(items, ids.len())
            };
            advise_huge_pages(items);
        }
        for (place, &id) in ids.iter().enumerate() {
            let int = match made.get(id as usize) {
                Some(slot) => slot.int(py, id),
                None => PyInt::new(py, id),
            };
            // SAFETY: the list has this place, which is null, and takes over the reference.
            unsafe {
                ffi::PyList_SET_ITEM(list.as_ptr(), place as ffi::Py_ssize_t, int.into_ptr());
            }
        }
        Ok(list)
    }
}

/// The collector, paused until this is dropped: while many lists are made, none of them is garbage, and
/// each collection reads every element of those made since the last one.
///
/// To be held only while the interpreter is attached and no Python code runs, so no thread sees it.
pub(crate) struct CollectorPause<'py> {
    was_enabled: bool,
    _attached: Python<'py>,
}

impl<'py> CollectorPause<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        // SAFETY: the interpreter is attached. Without a GIL other threads would see it.
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

/// The ids of a list, read one by one, without references of our own where they are plain ints.
///
/// # Errors
/// `TypeError` when one is no integer, `OverflowError` when one is negative or beyond 32 bits.
pub(crate) fn ids_of_list(list: &Bound<'_, PyList>) -> PyResult<Vec<TokenId>> {
    let py = list.py();
    if cfg!(Py_GIL_DISABLED) {
        // Another thread may change the list at any time.
        return list.extract();
    }
    let mut ids: Vec<TokenId> = Vec::with_capacity(list.len());
    advise_huge_pages(ids.spare_capacity_mut());
    while read_ints(list, &mut ids) {
        take_turns(py)?;
    }
    // Other objects run code of their own, which may change the list.
    while ids.len() < list.len() {
        ids.push(list.get_item(ids.len())?.extract()?);
        if ids.len().is_multiple_of(PORTION) {
            take_turns(py)?;
        }
    }
    Ok(ids)
}

/// Appends the next ints of a list, at most `PORTION`, up to the first object that is none or does not
/// fit. Gives whether there may be more. No Python code is run.
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
            // The highest value also tells of an error where it has 32 bits.
            Ok(value) if value != TokenId::MAX => id.write(value),
            _ => {
                drop(PyErr::take(list.py()));
                break;
            }
        };
        read += 1;
    }
    // SAFETY: `read` ids were written behind the others.
    unsafe { ids.set_len(start + read) };
    read == PORTION
}

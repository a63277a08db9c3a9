//! CPython's documented C API, where the safe calls of pyo3 are too slow: the characters of a `str`,
//! read and written, and the ints of lists.
//!
//! Of this package, only this file and `arrow` hold `unsafe` code.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::slice;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::string::PyStringData;
use pyo3::types::{PyList, PyString};
use tokenizer_core::TokenId;

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
    // Zeros from the allocator: pages that are never written to are never mapped.
    let mut text = vec![0; characters.len() * MOST + BLOCK];
    let mut end = 0;
    for block in characters.chunks(BLOCK) {
        let to = &mut text[end..];
        if block.iter().fold(0, |all, &one| all | one.into()) < 0x80 {
            for (to, &one) in to.iter_mut().zip(block) {
                *to = one.into() as u8;
            }
            end += block.len();
            continue;
        }
        for &one in block {
            end += char::from_u32(one.into())?
                .encode_utf8(&mut text[end..])
                .len();
        }
    }
    text.truncate(end);
    Some(text)
}

/// A new `str`.
///
/// CPython's decoder starts with one byte for each character, and copies all that it has when it meets
/// a wider one. Here the width is known before: the widest character has the highest byte.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn new_string<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let highest = text.bytes().max().unwrap_or(0);
    let widest = match highest {
        0..0x80 => return Ok(PyString::new(py, text)),
        0x80..0xC4 => 0xFF,
        0xC4..0xF0 => 0xFFFF,
        0xF0.. => 0x10_FFFF,
    };
    let length = text.chars().count();
    // SAFETY: the interpreter is attached. The result is a new `str` with room for `length` characters
    // up to `widest`, or null with an exception set.
    let made = unsafe {
        let made = ffi::PyUnicode_New(length as ffi::Py_ssize_t, widest);
        Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyString>()
    };
    // SAFETY: the characters of the new `str` are `length` values of the width that `widest` needs. No
    // other code has a reference to it before it is filled.
    unsafe {
        let to = ffi::PyUnicode_DATA(made.as_ptr());
        match widest {
            0xFF => {
                let to = slice::from_raw_parts_mut(to.cast::<MaybeUninit<u8>>(), length);
                detached(py, length, || write(text, to, |one| one as u8));
            }
            0xFFFF => {
                let to = slice::from_raw_parts_mut(to.cast::<MaybeUninit<u16>>(), length);
                detached(py, length, || write(text, to, |one| one as u16));
            }
            _ => {
                let to = slice::from_raw_parts_mut(to.cast::<MaybeUninit<u32>>(), length);
                detached(py, length, || write(text, to, |one| one));
            }
        }
    }
    Ok(made)
}

/// Writes each character of `text`, of which there are as many as places.
fn write<C>(text: &str, to: &mut [MaybeUninit<C>], narrow: impl Fn(u32) -> C) {
    let (mut rest, mut places) = (text, to);
    while let (Some(block), true) = (
        rest.as_bytes().first_chunk::<BLOCK>(),
        places.len() >= BLOCK,
    ) {
        let is_ascii = block.is_ascii();
        let (now, later) = places.split_at_mut(BLOCK);
        let mut characters = rest.chars();
        if is_ascii {
            for (to, &byte) in now.iter_mut().zip(block) {
                to.write(narrow(byte.into()));
            }
            rest = &rest[BLOCK..];
        } else {
            for (to, one) in now.iter_mut().zip(characters.by_ref()) {
                to.write(narrow(one.into()));
            }
            rest = characters.as_str();
        }
        places = later;
    }
    for (to, one) in places.iter_mut().zip(rest.chars()) {
        to.write(narrow(one.into()));
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
    // The length is asked for each time: any other integer runs code of its own, which may change the
    // list.
    while ids.len() < list.len() {
        // SAFETY: the place is below the length, and the list owns its items. No other code runs before
        // the item is read; `extract` has a reference of its own.
        let id = unsafe {
            let item = ffi::PyList_GET_ITEM(list.as_ptr(), ids.len() as ffi::Py_ssize_t);
            match plain_id(item) {
                Some(id) => id,
                None => Bound::from_borrowed_ptr(py, item).extract()?,
            }
        };
        ids.push(id);
        if ids.len().is_multiple_of(PORTION) {
            take_turns(py)?;
        }
    }
    Ok(ids)
}

/// The value of what is exactly an int and fits.
///
/// # Safety
/// The interpreter is attached, and `object` is alive.
#[inline(always)]
unsafe fn plain_id(object: *mut ffi::PyObject) -> Option<TokenId> {
    // SAFETY: of an int the value is read without any other code being run.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        let value = ffi::PyLong_AsLong(object);
        if value < 0 {
            // Negative, or an error: too large.
            ffi::PyErr_Clear();
        }
        value.try_into().ok()
    }
}

//! How the characters of a `str` lie in memory.
//!
//! The stable ABI gives a `str` as UTF-8 only in a way that is slow and that keeps a copy with it (see
//! `utf8`). In every CPython so far the characters of a `str` that is not all ASCII lie behind its
//! header, each of as many bytes as the largest of them needs. Where that is so, they are read there, and
//! written there when ids are decoded (`characters`): into a new `str` that is made longer, which nobody
//! else knows until it is filled.
//!
//! As with lists and ints (`objects`), that is looked at in the Python that runs, once. Where a `str`
//! is made otherwise, nothing is read or written in place.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::slice;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyType};

use crate::characters;
use crate::interruptible::take_turns;
use crate::memory;
use crate::objects::Layout;
use crate::text::detached;
use crate::utf8::{Character, put_all, room, utf8};

/// Where the parts of a `str` are.
#[derive(Clone, Copy)]
struct Strings {
    /// Words before the characters of one that is not all ASCII.
    header: usize,
    /// The word that points to its UTF-8, if that was made.
    utf8: usize,
    /// How far the kind is from the lowest bit of the state. Behind its three bits is one that tells
    /// whether the characters lie behind the header, and then whether they are all ASCII.
    kind: u32,
}

/// The words with the number of characters and with the state.
const LENGTH: usize = 2;
const STATE: usize = 4;

/// A text of fewer characters is left to CPython.
const LONG: usize = 1 << 14;

/// The characters of a text, as they lie in memory.
#[derive(Clone, Copy)]
pub(crate) enum Characters<'a> {
    One(&'a [u8]),
    Two(&'a [u16]),
    Four(&'a [u32]),
}

/// The characters of a long text that has no UTF-8 yet, if they can be read in place. The usual way
/// is there for all others.
pub(crate) fn long_characters<'a>(text: Borrowed<'a, '_, PyString>) -> Option<Characters<'a>> {
    if text.len().ok()? < LONG {
        return None;
    }
    let strings = Strings::of(text.py())?;
    if strings.has_utf8(text) {
        return None;
    }
    // SAFETY: the layout is the one that was found, and the characters stay as they are for as long
    // as the `str` lives.
    unsafe {
        Some(match strings.characters(text)? {
            (1, first, length) => Characters::One(slice::from_raw_parts(first, length)),
            (2, first, length) => Characters::Two(slice::from_raw_parts(first.cast(), length)),
            (_, first, length) => Characters::Four(slice::from_raw_parts(first.cast(), length)),
        })
    }
}

impl Characters<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Characters::One(characters) => characters.len(),
            Characters::Two(characters) => characters.len(),
            Characters::Four(characters) => characters.len(),
        }
    }

    /// The text in UTF-8; `None` when it holds a lone surrogate, or there is no memory.
    pub(crate) fn utf8(&self) -> Option<Vec<u8>> {
        match self {
            Characters::One(characters) => utf8(characters),
            Characters::Two(characters) => utf8(characters),
            Characters::Four(characters) => utf8(characters),
        }
    }

    /// Gives the text in UTF-8 to `each`, so many characters at a time, in memory that is used again.
    /// `None`, when there was a lone surrogate.
    ///
    /// # Errors
    /// The first that `each` gives.
    pub(crate) fn utf8_in_parts<E>(
        &self,
        characters: usize,
        each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Option<()>, E> {
        match self {
            Characters::One(all) => in_parts(all, characters, each),
            Characters::Two(all) => in_parts(all, characters, each),
            Characters::Four(all) => in_parts(all, characters, each),
        }
    }
}

fn in_parts<C: Character, E>(
    all: &[C],
    characters: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Option<()>, E> {
    let mut text = vec![0; room::<C>(characters).unwrap_or(0)];
    for part in all.chunks(characters) {
        match put_all(part, &mut text) {
            Some(end) => each(&text[..end])?,
            None => return Ok(None),
        }
    }
    Ok(Some(()))
}

/// A text of fewer bytes is made by CPython.
const MADE_HERE: usize = 256;

/// Bytes that are written between two looks for Ctrl-C.
const PORTION: usize = 8 << 20;

/// A new `str` of a text in UTF-8 that is not all ASCII, if it can be written in place. `None` also when
/// it is not UTF-8.
///
/// # Errors
/// `MemoryError`, and what a signal handler raises.
pub(crate) fn new_string<'py>(
    py: Python<'py>,
    text: &[u8],
) -> PyResult<Option<Bound<'py, PyString>>> {
    if text.len() < MADE_HERE {
        return Ok(None);
    }
    let (length, highest) = characters::measure(text);
    if highest < 0x80 {
        return Ok(None);
    }
    let Some(strings) = Strings::of(py) else {
        return Ok(None);
    };
    // By the first byte of the highest character. The seeds are as wide as that.
    match highest {
        0x80..0xC4 => strings.write::<u8>(py, "\u{e9}\u{e8}", text, length),
        0xC4..0xF0 => strings.write::<u16>(py, "\u{4e00}\u{4e01}", text, length),
        _ => strings.write::<u32>(py, "\u{1f600}\u{1f601}", text, length),
    }
}

impl Strings {
    /// Those of the Python that runs.
    fn of(py: Python<'_>) -> Option<&'static Strings> {
        static STRINGS: PyOnceLock<Option<Strings>> = PyOnceLock::new();
        if Layout::of(py) == Layout::Unknown {
            return None;
        }
        let look = || Strings::look(py).unwrap_or(None);
        STRINGS.get_or_init(py, look).as_ref()
    }

    /// Makes a `str` of `length` characters, as wide as those of `seed`, and writes those of `text`.
    fn write<'py, C: characters::Character>(
        &self,
        py: Python<'py>,
        seed: &str,
        mut text: &[u8],
        length: usize,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let mut made = PyString::new(py, seed).into_ptr();
        let wanted = length as ffi::Py_ssize_t;
        // SAFETY: the interpreter is attached, and `made` is a reference of our own to a `str`. So it is
        // afterwards: to one that is longer, or after an error to the one that was given.
        let (made, result) = unsafe {
            let result = ffi::PyUnicode_Resize(&mut made, wanted);
            (Bound::from_owned_ptr(py, made), result)
        };
        if result != 0 {
            return Err(PyErr::fetch(py));
        }
        let made = made.cast_into::<PyString>()?;
        let Some((size, first, there)) = self.characters(made.as_borrowed()) else {
            return Ok(None);
        };
        if (size, there) != (size_of::<C>(), length) {
            return Ok(None);
        }
        // SAFETY: so many characters of that size belong to the `str`. Nobody else knows it, so none is
        // read or written elsewhere while this slice lives.
        let mut to = unsafe {
            let first = first.cast_mut();
            memory::expect_writes(first, length * size);
            slice::from_raw_parts_mut(first.cast::<MaybeUninit<C>>(), length)
        };
        while text.len() > PORTION {
            let inside = text[PORTION..].iter().position(|byte| byte & 0xC0 != 0x80);
            let (some, rest) = text.split_at(PORTION + inside.unwrap_or(0));
            let Some(written) = py.detach(|| characters::write(some, to)) else {
                return Ok(None);
            };
            (text, to) = (rest, &mut to[written..]);
            take_turns(py)?;
        }
        let written = detached(py, text.len(), || characters::write(text, to));
        Ok((written == Some(to.len())).then_some(made))
    }

    fn word(text: Borrowed<'_, '_, PyString>, number: usize) -> usize {
        // SAFETY: a header has more words than those that are asked for.
        unsafe { *text.as_ptr().cast::<usize>().add(number) }
    }

    /// Whether its UTF-8 was made. For a `str` that is not all ASCII.
    fn has_utf8(&self, text: Borrowed<'_, '_, PyString>) -> bool {
        Self::word(text, self.utf8) != 0
    }

    /// The size of a character, the first of them, and how many there are, of a `str` whose
    /// characters lie behind its header and are not all ASCII.
    fn characters(&self, text: Borrowed<'_, '_, PyString>) -> Option<(usize, *const u8, usize)> {
        let state = Self::word(text, STATE) as u32 >> self.kind;
        let (size, lies_behind, is_ascii) = (state & 7, state >> 3 & 1, state >> 4 & 1);
        let exact = text.cast_exact::<PyString>().is_ok();
        if !exact || (lies_behind, is_ascii) != (1, 0) || !matches!(size, 1 | 2 | 4) {
            return None;
        }
        // SAFETY: the header is a part of the object.
        let first = unsafe { text.as_ptr().cast::<usize>().add(self.header) };
        Some((size as usize, first.cast(), Self::word(text, LENGTH)))
    }

    /// Where they are in the Python that runs, if it is as expected.
    fn look(py: Python<'_>) -> PyResult<Option<Self>> {
        let kind = py.get_type::<PyString>();
        let bytes: usize = kind.getattr("__basicsize__")?.extract()?;
        // Counted there: a pointer to characters that lie elsewhere.
        let header = bytes / size_of::<usize>() - 1;
        let utf8 = match header {
            // Python 3.10 and 3.11; later ones have two words fewer.
            9 => 7,
            7 => 6,
            _ => return Ok(None),
        };
        for kind in [2, 16] {
            let strings = Strings { header, utf8, kind };
            if strings.fits(py)? {
                return Ok(Some(strings));
            }
        }
        Ok(None)
    }

    /// Whether strings of all kinds are as described.
    fn fits(&self, py: Python<'_>) -> PyResult<bool> {
        for (size, sample) in [
            (1, "d\u{e9}j\u{e0} vu"),
            (2, "\u{416}u\u{4e2d}"),
            (4, "a\u{1f600}\u{e9}"),
        ] {
            let text = PyString::new(py, sample);
            let there = text.as_borrowed();
            let number = sample.chars().count();
            let bytes: usize = text.call_method0("__sizeof__")?.extract()?;
            // That it has no more than a header, the characters and a zero is looked at first: then
            // what is read below belongs to it.
            if bytes != self.header * size_of::<usize>() + (number + 1) * size
                || self
                    .characters(there)
                    .map(|(size, _, number)| (size, number))
                    != Some((size, number))
                || self.has_utf8(there)
            {
                return Ok(false);
            }
            // SAFETY: so many characters of that size belong to the `str`.
            let same = unsafe {
                let first = text.as_ptr().cast::<usize>().add(self.header);
                sample
                    .chars()
                    .map(u32::from)
                    .enumerate()
                    .all(|(at, character)| match size {
                        1 => u32::from(*first.cast::<u8>().add(at)) == character,
                        2 => u32::from(*first.cast::<u16>().add(at)) == character,
                        _ => *first.cast::<u32>().add(at) == character,
                    })
            };
            let made = text.to_str()?.as_ptr().addr();
            if !same || Self::word(there, self.utf8) != made {
                return Ok(false);
            }
        }
        let ascii = PyString::new(py, "plain");
        // One of a class that is derived has its characters elsewhere.
        let derived = py
            .get_type::<PyType>()
            .call1(("Derived", (py.get_type::<PyString>(),), PyDict::new(py)))?
            .call1(("d\u{e9}j\u{e0} vu",))?
            .cast_into::<PyString>()?;
        let state = Self::word(derived.as_borrowed(), STATE) as u32 >> self.kind;
        Ok(self.characters(ascii.as_borrowed()).is_none() && state >> 3 & 1 == 0)
    }
}

/// The UTF-8 of a long text if it is made here, for the tests.
#[pyfunction]
pub(crate) fn _long_utf8<'py>(text: &Bound<'py, PyString>) -> Option<Bound<'py, PyBytes>> {
    let utf8 = long_characters(text.as_borrowed())?.utf8()?;
    Some(PyBytes::new(text.py(), &utf8))
}

/// The `str` of a text in UTF-8 if it is made here, for the tests.
#[pyfunction]
pub(crate) fn _new_string<'py>(
    text: &Bound<'py, PyBytes>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    new_string(text.py(), text.as_bytes())
}

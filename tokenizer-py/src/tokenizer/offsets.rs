//! Ids, and where in the text each stands.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use tokenizer_core::EncodeError;

use super::Tokenizer;
use crate::errors::{guard, value_error};
use crate::ids::long_list;
use crate::interruptible::stoppable;
use crate::text::Text;

/// Ranges that are counted between two looks at the flag.
const PORTION: usize = 1 << 16;

#[pymethods]
impl Tokenizer {
    /// The ids of a text, and where in the text each stands.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     tuple[list[int], list[tuple[int, int]]]: the ids, and for each where it begins and ends in
    ///     the text: in characters of a `str`, in bytes of `bytes`. A token that holds a part of a
    ///     character has the place of the whole character, so places of a `str` may overlap.
    ///
    /// Raises:
    ///     TypeError, UnicodeEncodeError, ValueError: as `encode`.
    ///
    ///     >>> tokenizer.encode_with_offsets("hello world")
    ///     ([15339, 1917], [(0, 5), (5, 11)])
    #[pyo3(
        signature = (text, *, allowed_special = None),
        text_signature = "($self, text, *, allowed_special=())"
    )]
    fn encode_with_offsets<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        guard(|| {
            let py = text.py();
            let argument: Text = text.extract()?;
            let bytes = &*argument;
            let request = self.request(1, allowed_special, None, None)?;
            let in_characters = text.is_instance_of::<PyString>();
            let encoded = stoppable(py, bytes.len(), |stop| {
                let mut encoded = request.encode_with_offsets(bytes, stop)?;
                if in_characters && !bytes.is_ascii() {
                    count_characters(bytes, &mut encoded.ranges, stop)?;
                }
                Ok(encoded)
            })?;
            let encoded = encoded.map_err(|error: EncodeError| value_error(error))?;
            let places = encoded.ranges.iter().map(|range| (range.start, range.end));
            Ok((self.ints.list(py, &encoded.ids)?, long_list(py, places)?))
        })
    }
}

/// Makes of ranges in bytes of UTF-8 the ranges of the characters that they touch, until the flag is
/// set.
fn count_characters(
    text: &[u8],
    ranges: &mut [Range<usize>],
    stop: Option<&AtomicBool>,
) -> Result<(), EncodeError> {
    let begins = |byte: u8| byte & 0xC0 != 0x80;
    // How many characters begin before a byte. Ranges ascend nearly always, so it is counted on
    // from the last place.
    let (mut place, mut count) = (0, 0);
    let begun_between = |from: usize, to: usize| {
        let bytes = text[from..to].iter();
        bytes.filter(|&&byte| begins(byte)).count()
    };
    let mut begun_before = |byte: usize| {
        match byte < place {
            true => count -= begun_between(byte, place),
            false => count += begun_between(place, byte),
        }
        place = byte;
        count
    };
    for some in ranges.chunks_mut(PORTION) {
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(EncodeError::Stopped);
        }
        for range in some {
            let start = begun_before(range.start);
            // What begins within a character stands at that character.
            let within = text.get(range.start).is_some_and(|&byte| !begins(byte));
            let end = begun_before(range.end);
            *range = start - usize::from(within)..end;
        }
    }
    Ok(())
}

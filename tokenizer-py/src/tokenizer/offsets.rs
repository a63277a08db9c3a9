//! Ids with their offsets in the text.

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

/// Number of ranges converted between two checks of the stop flag.
const PORTION: usize = 1 << 16;

#[pymethods]
impl Tokenizer {
    /// Returns the ids of a text and the range of the text that each id covers.
    ///
    /// Args:
    ///     text (str | bytes): the text.
    ///     allowed_special: as in `encode`.
    ///
    /// Returns:
    ///     tuple[list[int], list[tuple[int, int]]]: the ids, and the start and end of each. For a `str`,
    ///     ranges are in characters; a token with part of a character covers the whole character, so
    ///     ranges may overlap. For `bytes`, ranges are in bytes. If the model's file has `trim_offsets`,
    ///     ranges exclude the spaces at the ends of tokens.
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
                    to_characters(bytes, &mut encoded.ranges, stop)?;
                }
                Ok(encoded)
            })?;
            let encoded = encoded.map_err(|error: EncodeError| value_error(error))?;
            let ranges = encoded.ranges.iter().map(|range| (range.start, range.end));
            Ok((self.ints.list(py, &encoded.ids)?, long_list(py, ranges)?))
        })
    }
}

/// Converts ranges in bytes of UTF-8 to ranges in characters, widened to whole characters.
///
/// # Errors
/// [`EncodeError::Stopped`] if the flag `stop` is set.
fn to_characters(
    text: &[u8],
    ranges: &mut [Range<usize>],
    stop: Option<&AtomicBool>,
) -> Result<(), EncodeError> {
    let begins = |byte: u8| byte & 0xC0 != 0x80;
    // `count` characters start before byte `position`. The count for another byte is computed from there,
    // not from the start of the text, because ranges nearly always ascend.
    let (mut position, mut count) = (0, 0);
    let starts_between = |from: usize, to: usize| {
        let bytes = text[from..to].iter();
        bytes.filter(|&&byte| begins(byte)).count()
    };
    let mut starts_before = |byte: usize| {
        match byte < position {
            true => count -= starts_between(byte, position),
            false => count += starts_between(position, byte),
        }
        position = byte;
        count
    };
    for some in ranges.chunks_mut(PORTION) {
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(EncodeError::Stopped);
        }
        for range in some {
            let start = starts_before(range.start);
            // A range that starts within a character includes that character.
            let within = text.get(range.start).is_some_and(|&byte| !begins(byte));
            let end = starts_before(range.end);
            *range = start - usize::from(within)..end;
        }
    }
    Ok(())
}

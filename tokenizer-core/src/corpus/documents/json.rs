//! Extracts one string field from each line of JSON lines.
//!
//! Strings are read as bytes, so invalid UTF-8 is kept. By default, a lone surrogate (`\ud800`) is replaced
//! by U+FFFD before parsing, with the same result as Python's `json` followed by tiktoken. Otherwise, the
//! parser turns it into three bytes of invalid UTF-8. If a field occurs twice, the last one wins, as in most
//! JSON parsers.

use std::fmt;

use memchr::{memchr, memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::error::DocumentError;
use super::place::{Ends, Unit};
use crate::corpus::content::BYTE_ORDER_MARK;

/// Returns the concatenated texts of all lines, and their ends. Blank lines are skipped. `number` is the
/// number of the line before `lines`, and is advanced to that of their last line.
pub(super) fn texts(
    lines: &[u8],
    field: &str,
    number: &mut u64,
) -> Result<(Vec<u8>, Ends), DocumentError> {
    let mut texts = Vec::with_capacity(lines.len());
    let mut ends = Ends::new();
    let mut start = 0;
    let line_ends =
        memchr_iter(b'\n', lines).chain((!lines.ends_with(b"\n")).then_some(lines.len()));
    for end in line_ends {
        let mut line = &lines[start..end];
        start = end + 1;
        *number += 1;
        let mut mark_length = 0;
        if *number == 1
            && let Some(unmarked) = line.strip_prefix(BYTE_ORDER_MARK)
        {
            (line, mark_length) = (unmarked, BYTE_ORDER_MARK.len());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        push_text(line, field, &mut texts).map_err(|error| {
            let message = error.to_string();
            let position = format!(" at line {} column {}", error.line(), error.column());
            let message = message
                .strip_suffix(&position)
                .unwrap_or(&message)
                .to_owned();
            let (line, column) = (*number, error.column() + mark_length);
            match error.is_data() {
                true => DocumentError::Field {
                    line,
                    column,
                    message,
                },
                false => DocumentError::Json {
                    line,
                    column,
                    message,
                },
            }
        })?;
        ends.push_back((texts.len(), Unit::Line(*number)));
    }
    Ok((texts, ends))
}

/// Replaces escapes of lone surrogates by `\ufffd` in place. Nothing else changes, so invalid JSON stays
/// invalid, with errors at the same column.
pub(super) fn repair_surrogates(lines: &mut [u8]) {
    let has = |escape: &str| memmem::find(lines, escape.as_bytes()).is_some();
    if !has("\\ud") && !has("\\uD") {
        return;
    }
    let mut at = 0;
    while let Some(before) = memchr(b'\\', &lines[at..]) {
        at += before;
        let (length, is_alone) = match surrogate(&lines[at..]) {
            Some(Half::High) => match surrogate(&lines[at + ESCAPE..]) {
                Some(Half::Low) => (2 * ESCAPE, false),
                _ => (ESCAPE, true),
            },
            Some(Half::Low) => (ESCAPE, true),
            // Skips the escaped character, which may be a backslash.
            None => (2.min(lines.len() - at), false),
        };
        if is_alone {
            lines[at..at + ESCAPE].copy_from_slice(b"\\ufffd");
        }
        at += length;
    }
}

/// Length of `\ud800` in bytes.
const ESCAPE: usize = 6;

enum Half {
    High,
    Low,
}

/// Returns the kind of surrogate if `text` begins with the escape of one.
fn surrogate(text: &[u8]) -> Option<Half> {
    match text {
        [b'\\', b'u', b'd' | b'D', third, x, y, ..]
            if x.is_ascii_hexdigit() && y.is_ascii_hexdigit() =>
        {
            match third {
                b'8' | b'9' | b'a' | b'b' | b'A' | b'B' => Some(Half::High),
                b'c'..=b'f' | b'C'..=b'F' => Some(Half::Low),
                _ => None,
            }
        }
        _ => None,
    }
}

fn push_text(line: &[u8], field: &str, texts: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(line);
    json.deserialize_map(Object { field, texts })?;
    json.end()
}

/// Appends the value of `field` to `texts`.
struct Object<'o> {
    field: &'o str,
    texts: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the field {:?}", self.field)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let start = self.texts.len();
        let mut is_found = false;
        let is_field = |key: &[u8]| key == self.field.as_bytes();
        while let Some(is_field) = map.next_key_seed(Bytes("a field name", is_field))? {
            if is_field {
                self.texts.truncate(start);
                let append = |text: &[u8]| self.texts.extend_from_slice(text);
                map.next_value_seed(Bytes("a string", append))?;
                is_found = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        match is_found {
            true => Ok(()),
            false => Err(A::Error::custom(format!("no field {:?}", self.field))),
        }
    }
}

/// Passes the bytes of a string to a function. The first field describes the string in errors.
struct Bytes<F>(&'static str, F);

impl<'de, R, F: FnOnce(&[u8]) -> R> DeserializeSeed<'de> for Bytes<F> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<R, F: FnOnce(&[u8]) -> R> Visitor<'_> for Bytes<F> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<R, E> {
        Ok((self.1)(bytes))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<R, E> {
        self.visit_bytes(text.as_bytes())
    }
}

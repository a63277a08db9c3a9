//! One field of each line of JSON.
//!
//! The text of a string is taken as bytes: what is not UTF-8 stays as it is. Half of a surrogate pair
//! (`\ud800`) is replaced by U+FFFD before the lines are parsed, as Python's `json` and tiktoken do
//! together; where it is not, the parser gives the three bytes that UTF-8 would spell it with. Of a
//! field that stands twice in an object, the last one counts, as in most readers of JSON.

use std::fmt;

use memchr::{memchr, memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::error::DocumentError;
use super::place::{Ends, Unit};
use crate::corpus::content::BYTE_ORDER_MARK;

/// The texts of all lines, one behind the other, and where each ends. Lines of white space alone are
/// none. `number` counts lines.
pub(super) fn texts(
    lines: &[u8],
    field: &str,
    number: &mut u64,
) -> Result<(Vec<u8>, Ends), DocumentError> {
    let mut texts = Vec::with_capacity(lines.len());
    let mut ends = Ends::new();
    let mut start = 0;
    let all = memchr_iter(b'\n', lines).chain((!lines.ends_with(b"\n")).then_some(lines.len()));
    for end in all {
        let mut line = &lines[start..end];
        start = end + 1;
        *number += 1;
        let mut marked = 0;
        if *number == 1
            && let Some(behind) = line.strip_prefix(BYTE_ORDER_MARK)
        {
            (line, marked) = (behind, BYTE_ORDER_MARK.len());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        push_text(line, field, &mut texts).map_err(|error| {
            let message = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            let (line, column) = (*number, error.column() + marked);
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

/// Replaces the escape of half of a surrogate pair by that of U+FFFD, which is as long. What is not
/// JSON stays an error, at the same place: nothing but such escapes is changed.
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
            // The second byte may be a backslash that escapes nothing.
            None => (2.min(lines.len() - at), false),
        };
        if is_alone {
            lines[at..at + ESCAPE].copy_from_slice(b"\\ufffd");
        }
        at += length;
    }
}

/// Bytes of an escape `\ud800`.
const ESCAPE: usize = 6;

enum Half {
    High,
    Low,
}

/// Which half of a surrogate pair is escaped at the beginning of `text`.
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

/// Looks for the field.
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
        let is_it = |key: &[u8]| key == self.field.as_bytes();
        while let Some(is_it) = map.next_key_seed(Bytes("the name of a field", is_it))? {
            if is_it {
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
            false => Err(A::Error::custom(format!(
                "there is no field {:?}",
                self.field
            ))),
        }
    }
}

/// Hands the bytes of a string, which is called so in messages, to a function.
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

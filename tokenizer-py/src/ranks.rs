//! The lines of a `.tiktoken` file as a dict.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::guard;

/// Tokens with their ranks: `{bytes: int}`, as `tokenizer_py.tiktoken.load` reads them. `None` when a
/// line is not as programs write it; then Python reads them, more slowly and with its own errors.
#[pyfunction]
pub(crate) fn _parse_ranks<'py>(
    py: Python<'py>,
    contents: &[u8],
) -> PyResult<Option<Bound<'py, PyDict>>> {
    guard(|| {
        let ranks = PyDict::new(py);
        let mut token = Vec::new();
        for line in contents.split(|&byte| byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            token.clear();
            match read_line(line, &mut token) {
                Some(rank) => ranks.set_item(PyBytes::new(py, &token), rank)?,
                None => return Ok(None),
            }
        }
        Ok(Some(ranks))
    })
}

/// Appends the token of a line, and gives its rank.
fn read_line(line: &[u8], token: &mut Vec<u8>) -> Option<u32> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (word, rank) = (&line[..space], &line[space + 1..]);
    if word.is_empty() || !(1..=9).contains(&rank.len()) {
        return None;
    }
    // Padding alone is the empty token, in Python's base64 and in Whisper's file.
    if word != b"=" {
        STANDARD.decode_vec(word, token).ok()?;
    }
    rank.iter().try_fold(0, |rank, digit| {
        digit
            .is_ascii_digit()
            .then(|| rank * 10 + u32::from(digit - b'0'))
    })
}

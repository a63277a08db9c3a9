//! Megatron's index of documents, `.idx`: their lengths and offsets in the `.bin`.
//!
//! ```text
//! 9 bytes  "MMIDIDX\0\0"
//! u64      version, 1
//! u8       number type: 8 uint16, 4 int32
//! u64      sequences, here equal to documents
//! u64      length of the last list: documents + 1
//! i32 …    length of each sequence in ids
//! i64 …    offset of each sequence in bytes
//! i64 …    first sequence of each document, then the number of sequences
//! ```

use std::fs::File;
use std::io::{self, Read, Write};

use super::format::Number;
use crate::error::{Result, at};
use crate::input_name::InputName;

const MAGIC: &[u8] = b"MMIDIDX\0\0";
const VERSION: u64 = 1;

/// Writes the index of documents with these lengths.
pub(super) fn write(lengths: &[u32], number: Number, mut to: impl Write) -> io::Result<()> {
    let code = if number == Number::U16 { 8 } else { 4 };
    let documents = lengths.len() as u64;
    to.write_all(MAGIC)?;
    to.write_all(&VERSION.to_le_bytes())?;
    to.write_all(&[code])?;
    to.write_all(&documents.to_le_bytes())?;
    to.write_all(&(documents + 1).to_le_bytes())?;
    for length in lengths {
        to.write_all(&length.to_le_bytes())?;
    }
    let mut start = 0u64;
    for &length in lengths {
        to.write_all(&start.to_le_bytes())?;
        start += u64::from(length) * number.bytes() as u64;
    }
    for document in 0..=documents {
        to.write_all(&document.to_le_bytes())?;
    }
    Ok(())
}

/// Returns the number type of the ids of `input` from the index beside it, if it exists.
pub(super) fn number_beside(input: &InputName) -> Result<Option<Number>> {
    let Some(path) = input.path().map(|path| path.with_extension("idx")) else {
        return Ok(None);
    };
    let mut head = [0; MAGIC.len() + size_of::<u64>() + 1];
    match File::open(&path).and_then(|mut file| file.read_exact(&mut head)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(at(&path))?,
    }
    match head.strip_prefix(MAGIC) {
        Some([1, 0, 0, 0, 0, 0, 0, 0, 8]) => Ok(Some(Number::U16)),
        Some([1, 0, 0, 0, 0, 0, 0, 0, 4]) => Ok(Some(Number::I32)),
        _ => Err(InputName::new(&path).fail("not a Megatron index of uint16 or int32 ids")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_megatron() {
        let mut bytes = Vec::new();
        write(&[3, 0, 2], Number::U16, &mut bytes).unwrap();
        let mut wanted = b"MMIDIDX\0\0\x01\0\0\0\0\0\0\0\x08".to_vec();
        let numbers =
            |numbers: &[u64]| -> Vec<u8> { numbers.iter().flat_map(|n| n.to_le_bytes()).collect() };
        wanted.extend(numbers(&[3, 4]));
        wanted.extend([3u32, 0, 2].iter().flat_map(|n| n.to_le_bytes()));
        wanted.extend(numbers(&[0, 6, 6]));
        wanted.extend(numbers(&[0, 1, 2, 3]));
        assert_eq!(bytes, wanted);
    }
}

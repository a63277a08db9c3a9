//! NumPy's `.npy`: magic bytes, version, length of the header, the header (a Python dict as text), the
//! numbers.

use super::format::Number;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The offset of the numbers is a multiple of this.
const ALIGNMENT: usize = 64;

/// Returns everything that precedes `length` ids of uint32.
pub(super) fn header(length: u64) -> Vec<u8> {
    let mut dict = format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({length},), }}");
    let prefix = MAGIC.len() + 4;
    let padded = (prefix + dict.len() + 1).next_multiple_of(ALIGNMENT);
    dict.extend(std::iter::repeat_n(' ', padded - prefix - dict.len() - 1));
    dict.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&[1, 0]);
    header.extend_from_slice(&(dict.len() as u16).to_le_bytes());
    header.extend_from_slice(dict.as_bytes());
    header
}

/// The header must end within this many bytes from the start of the file.
pub(super) const HEAD: usize = 1 << 17;

/// Returns the offset and type of the numbers in a file of `length` bytes. `head` is its first [`HEAD`]
/// bytes, or all of a shorter file.
pub(super) fn parse(head: &[u8], length: u64) -> Result<(u64, Number), String> {
    let broken = "truncated or invalid .npy header";
    let rest = head.strip_prefix(MAGIC);
    let rest = rest.ok_or("not a .npy file: the magic bytes are missing")?;
    let (header_length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]).into(), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return Err(broken.to_owned()),
    };
    let (header, numbers) = rest
        .split_at_checked(header_length as usize)
        .ok_or(broken)?;
    let header = std::str::from_utf8(header).map_err(|_| broken)?;

    let name = value(header, "descr", ['\'', '\'']).or(value(header, "descr", ['"', '"']));
    let name = name.ok_or(broken)?;
    let number = match name {
        "<u2" => Number::U16,
        "<u4" => Number::U32,
        "<i4" => Number::I32,
        "<i8" => Number::I64,
        "<u8" => Number::U64,
        _ => {
            return Err(format!(
                "array of {name}; ids are little-endian uint16, uint32, int32, int64 or uint64"
            ));
        }
    };
    let shape = value(header, "shape", ['(', ')']).ok_or(broken)?;
    let ids = shape.trim_end().strip_suffix(',').unwrap_or_default();
    let ids = ids.trim().parse::<u64>();
    let ids = ids.map_err(|_| format!("array of shape ({shape}); ids have one dimension"))?;
    let start = (head.len() - numbers.len()) as u64;
    let (expected, found) = (ids.saturating_mul(number.bytes() as u64), length - start);
    match expected == found {
        true => Ok((start, number)),
        false => Err(format!(
            "{found} bytes of ids, and the .npy header declares {expected}: truncated or appended to"
        )),
    }
}

/// Returns the value of a header's key, without its brackets or quotes.
fn value<'h>(header: &'h str, key: &str, brackets: [char; 2]) -> Option<&'h str> {
    let [open, close] = brackets;
    let rest = ['\'', '"'].iter().find_map(|quote| {
        let (_, rest) = header.split_once(&format!("{quote}{key}{quote}"))?;
        Some(rest)
    })?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    Some(value.strip_prefix(open)?.split_once(close)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<(&[u8], Number), String> {
        let (start, number) = parse(bytes, bytes.len() as u64)?;
        Ok((&bytes[start as usize..], number))
    }

    fn file(dict: &str, numbers: &[u8]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&[2, 0]);
        file.extend_from_slice(&(dict.len() as u32).to_le_bytes());
        file.extend_from_slice(dict.as_bytes());
        file.extend_from_slice(numbers);
        file
    }

    #[test]
    fn the_header_is_aligned_and_read_again() {
        for length in [0, 1, 12_345] {
            let mut bytes = header(length);
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            bytes.resize(bytes.len() + 4 * length as usize, 7);
            let (numbers, number) = parsed(&bytes).unwrap();
            assert_eq!((numbers.len(), number), (4 * length as usize, Number::U32));
        }
    }

    #[test]
    fn other_headers_are_read_or_refused() {
        let dict = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}";
        let bytes = file(dict, &(-5i64).to_le_bytes());
        let (numbers, number) = parsed(&bytes).unwrap();
        assert_eq!(number.read(numbers), -5);
        let swapped = r#"{"shape": (2,), "descr": "<u2", "fortran_order": True}"#;
        let bytes = file(swapped, &[1, 0, 2, 0]);
        assert_eq!(parsed(&bytes).unwrap(), (&[1, 0, 2, 0][..], Number::U16));

        let fault = |dict: &str, numbers: &[u8]| parsed(&file(dict, numbers)).unwrap_err();
        let big_endian = "{'descr': '>u2', 'fortran_order': False, 'shape': (1,)}";
        assert!(fault(big_endian, &[0, 1]).starts_with("array of >u2; "));
        for shape in ["2, 2", "", "-1,", "x,"] {
            let dict = format!("{{'descr': '<u2', 'shape': ({shape})}}");
            let wanted = format!("array of shape ({shape}); ids have one dimension");
            assert_eq!(fault(&dict, &[]), wanted);
        }
        let dict = format!("{{'descr': '<u4', 'shape': ({},)}}", u64::MAX);
        let wanted = format!(
            "4 bytes of ids, and the .npy header declares {}: ",
            u64::MAX
        );
        assert!(fault(&dict, &[0; 4]).starts_with(&wanted));
        let broken = "truncated or invalid .npy header";
        assert_eq!(fault("{}", &[]), broken);
        assert!(
            parsed(b"text")
                .unwrap_err()
                .starts_with("not a .npy file: ")
        );
        assert_eq!(parsed(&header(3)[..20]).unwrap_err(), broken);
    }
}

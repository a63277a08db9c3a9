//! NumPy's `.npy`: a magic word, a version, the length of a header, the header (a Python dict as
//! text), then the numbers.

use super::format::Number;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// What stands in front of `length` ids as uint32.
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

/// Bytes at the start of a file that are searched for its header.
pub(super) const HEAD: usize = 1 << 17;

/// Where the numbers of a file of `length` bytes begin, and how they are stored. `head` is its first
/// [`HEAD`] bytes.
pub(super) fn parse(head: &[u8], length: u64) -> Result<(u64, Number), String> {
    let broken = "the header of the .npy file is cut short or cannot be read";
    let rest = head.strip_prefix(MAGIC);
    let rest = rest.ok_or("not a .npy file: it does not begin as one")?;
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
                "an array of {name}; ids are uint16, uint32, int32 or int64, little-endian"
            ));
        }
    };
    let shape = value(header, "shape", ['(', ')']).ok_or(broken)?;
    let ids = shape.trim_end().strip_suffix(',').unwrap_or_default();
    let ids = ids.trim().parse::<u64>();
    let ids = ids.map_err(|_| format!("an array of shape ({shape}); ids have one dimension"))?;
    let start = (head.len() - numbers.len()) as u64;
    let (expected, found) = (ids.saturating_mul(number.bytes() as u64), length - start);
    match expected == found {
        true => Ok((start, number)),
        false => Err(format!(
            "the .npy file says {expected} bytes of ids, and has {found}: it was cut short or added to"
        )),
    }
}

/// What stands between `brackets` behind a key of the header.
fn value<'h>(header: &'h str, key: &str, brackets: [char; 2]) -> Option<&'h str> {
    let [open, close] = brackets;
    let behind = ['\'', '"'].iter().find_map(|quote| {
        let (_, behind) = header.split_once(&format!("{quote}{key}{quote}"))?;
        Some(behind)
    })?;
    let value = behind.trim_start().strip_prefix(':')?.trim_start();
    Some(value.strip_prefix(open)?.split_once(close)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<(&[u8], Number), String> {
        let (start, width) = parse(bytes, bytes.len() as u64)?;
        Ok((&bytes[start as usize..], width))
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
            let (numbers, width) = parsed(&bytes).unwrap();
            assert_eq!((numbers.len(), width), (4 * length as usize, Number::U32));
        }
    }

    #[test]
    fn other_headers_are_read_or_refused() {
        let dict = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}";
        let bytes = file(dict, &(-5i64).to_le_bytes());
        let (numbers, width) = parsed(&bytes).unwrap();
        assert_eq!(width.read(numbers), -5);
        let swapped = r#"{"shape": (2,), "descr": "<u2", "fortran_order": True}"#;
        let bytes = file(swapped, &[1, 0, 2, 0]);
        assert_eq!(parsed(&bytes).unwrap(), (&[1, 0, 2, 0][..], Number::U16));

        let fault = |dict: &str, numbers: &[u8]| parsed(&file(dict, numbers)).unwrap_err();
        let big_endian = "{'descr': '>u2', 'fortran_order': False, 'shape': (1,)}";
        assert!(fault(big_endian, &[0, 1]).starts_with("an array of >u2; "));
        for shape in ["2, 2", "", "-1,", "x,"] {
            let dict = format!("{{'descr': '<u2', 'shape': ({shape})}}");
            let wanted = format!("an array of shape ({shape}); ids have one dimension");
            assert_eq!(fault(&dict, &[]), wanted);
        }
        let dict = format!("{{'descr': '<u4', 'shape': ({},)}}", u64::MAX);
        let wanted = format!("the .npy file says {} bytes of ids, and has 4: ", u64::MAX);
        assert!(fault(&dict, &[0; 4]).starts_with(&wanted));
        let broken = "the header of the .npy file is cut short or cannot be read";
        assert_eq!(fault("{}", &[]), broken);
        assert!(
            parsed(b"text")
                .unwrap_err()
                .starts_with("not a .npy file: ")
        );
        assert_eq!(parsed(&header(3)[..20]).unwrap_err(), broken);
    }
}

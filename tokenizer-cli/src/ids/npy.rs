//! NumPy's `.npy`: a magic word, a version, the length of a header, the header (a Python dict as
//! text), then the numbers.

const MAGIC: &[u8] = b"\x93NUMPY";

/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Why a `.npy` file cannot be read as ids.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NpyFault {
    #[error("not a .npy file: it does not begin as one")]
    Magic,
    #[error("the header of the .npy file is cut short or cannot be read")]
    Header,
    #[error("an array of {0}; ids are uint16, uint32, int32 or int64, little-endian")]
    Type(String),
    #[error("an array of shape ({0}); ids have one dimension")]
    Shape(String),
    #[error(
        "the .npy file says {expected} bytes of ids, and has {found}: it was cut short or added to"
    )]
    Length { expected: u64, found: u64 },
}

/// How wide the numbers are, and whether they have a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    U16,
    U32,
    I32,
    I64,
    U64,
}

impl Width {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Width::U16 => 2,
            Width::U32 | Width::I32 => 4,
            Width::I64 | Width::U64 => 8,
        }
    }

    /// The number in `bytes`, which are as many as [`Width::bytes`].
    pub(crate) fn number(self, bytes: &[u8]) -> i128 {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let number = u64::from_le_bytes(wide);
        match self {
            Width::U16 | Width::U32 | Width::U64 => number.into(),
            Width::I32 => (number as u32 as i32).into(),
            Width::I64 => (number as i64).into(),
        }
    }
}

/// What stands in front of `length` ids as uint32.
pub(super) fn header(length: usize) -> Vec<u8> {
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

/// Where the numbers of a file of `length` bytes begin, and how wide they are. `head` is its first
/// [`HEAD`] bytes.
pub(super) fn parse(head: &[u8], length: u64) -> Result<(u64, Width), NpyFault> {
    let rest = head.strip_prefix(MAGIC).ok_or(NpyFault::Magic)?;
    let (header_length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]).into(), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return Err(NpyFault::Header),
    };
    let (header, numbers) = rest
        .split_at_checked(header_length as usize)
        .ok_or(NpyFault::Header)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyFault::Header)?;
    let start = (head.len() - numbers.len()) as u64;

    let width = match value(header, "descr", ['\'', '\'']).or(value(header, "descr", ['"', '"'])) {
        Some("<u2") => Width::U16,
        Some("<u4") => Width::U32,
        Some("<i4") => Width::I32,
        Some("<i8") => Width::I64,
        Some("<u8") => Width::U64,
        Some(other) => return Err(NpyFault::Type(other.to_owned())),
        None => return Err(NpyFault::Header),
    };
    let shape = value(header, "shape", ['(', ')']).ok_or(NpyFault::Header)?;
    let one_dimension = shape.trim_end().strip_suffix(',').unwrap_or_default();
    let ids: u64 = one_dimension
        .trim()
        .parse()
        .map_err(|_| NpyFault::Shape(shape.to_owned()))?;
    let expected = ids.saturating_mul(width.bytes() as u64);
    let found = length - start;
    if expected != found {
        return Err(NpyFault::Length { expected, found });
    }
    Ok((start, width))
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

    fn parsed(bytes: &[u8]) -> Result<(&[u8], Width), NpyFault> {
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
            bytes.resize(bytes.len() + 4 * length, 7);
            let (numbers, width) = parsed(&bytes).unwrap();
            assert_eq!((numbers.len(), width), (4 * length, Width::U32));
        }
    }

    #[test]
    fn other_headers_are_read_or_refused() {
        let dict = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}";
        let bytes = file(dict, &(-5i64).to_le_bytes());
        let (numbers, width) = parsed(&bytes).unwrap();
        assert_eq!(width.number(numbers), -5);
        let swapped = r#"{"shape": (2,), "descr": "<u2", "fortran_order": True}"#;
        let bytes = file(swapped, &[1, 0, 2, 0]);
        assert_eq!(parsed(&bytes).unwrap(), (&[1, 0, 2, 0][..], Width::U16));

        let fault = |dict: &str, numbers: &[u8]| parsed(&file(dict, numbers)).unwrap_err();
        let big_endian = "{'descr': '>u2', 'fortran_order': False, 'shape': (1,)}";
        assert_eq!(fault(big_endian, &[0, 1]), NpyFault::Type(">u2".into()));
        for shape in ["2, 2", "", "-1,", "x,"] {
            let dict = format!("{{'descr': '<u2', 'shape': ({shape})}}");
            assert_eq!(fault(&dict, &[]), NpyFault::Shape(shape.into()));
        }
        let dict = format!("{{'descr': '<u4', 'shape': ({},)}}", u64::MAX);
        assert!(matches!(fault(&dict, &[0; 4]), NpyFault::Length { .. }));
        assert_eq!(fault("{}", &[]), NpyFault::Header);
        assert_eq!(parsed(b"text"), Err(NpyFault::Magic));
        assert_eq!(parsed(&header(3)[..20]), Err(NpyFault::Header));
    }
}

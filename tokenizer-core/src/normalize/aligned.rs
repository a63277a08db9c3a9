//! Text that is being changed and, if recorded, the original bytes of each of its bytes.

use std::borrow::Cow;
use std::ops::Range;

/// A text on its way from the original to the normalized form.
pub(crate) struct Text<'t> {
    pub(crate) bytes: Cow<'t, [u8]>,
    pub(crate) alignment: Alignment,
}

/// Maps byte ranges of a changed text to byte ranges of the original.
///
/// Follows the alignments of `tokenizers`: a character that replaces others has the range of the first of
/// them, an inserted one that of the character before it. A byte of an unchanged character has its own range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Changes are not recorded.
    Off,
    /// The text is unchanged.
    Unchanged,
    /// For each byte, its original range. The characters in which they start never decrease.
    Ranges(Vec<Range<usize>>),
}

impl Alignment {
    /// Returns the original range of `range`. Constant time.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        match self {
            Alignment::Ranges(ranges) if range.is_empty() => {
                let at = ranges.get(range.start).or(ranges.last());
                at.map_or(0..0, |at| at.start..at.start)
            }
            Alignment::Ranges(ranges) => ranges[range.start].start..ranges[range.end - 1].end,
            Alignment::Off | Alignment::Unchanged => range,
        }
    }
}

impl<'t> Text<'t> {
    /// A text whose changes are not recorded.
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        Text {
            bytes: bytes.into(),
            alignment: Alignment::Off,
        }
    }

    /// A text whose changes are recorded.
    pub(crate) fn aligned(bytes: &'t [u8]) -> Self {
        Text {
            bytes: bytes.into(),
            alignment: Alignment::Unchanged,
        }
    }

    /// Returns the text that `write` produces from the bytes of this one.
    pub(super) fn rewritten(self, write: impl FnOnce(&[u8], &mut Writer<'_>)) -> Self {
        let mut writer = Writer {
            input: &self.bytes,
            alignment: &self.alignment,
            out: Vec::with_capacity(self.bytes.len()),
            ranges: Vec::new(),
        };
        write(&self.bytes, &mut writer);
        let Writer { out, ranges, .. } = writer;
        Text {
            alignment: match self.alignment {
                Alignment::Off => Alignment::Off,
                _ => Alignment::Ranges(ranges),
            },
            bytes: out.into(),
        }
    }

    /// Changes bytes one by one, without changing their number.
    pub(super) fn map_in_place(mut self, change: impl FnOnce(&mut [u8])) -> Self {
        change(self.bytes.to_mut());
        self
    }

    /// Returns a copy of a part of the text; a part of the original text is borrowed.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        Text {
            alignment: match &self.alignment {
                Alignment::Off => Alignment::Off,
                Alignment::Unchanged => {
                    Alignment::Ranges(range.clone().map(|at| at..at + 1).collect())
                }
                Alignment::Ranges(ranges) => Alignment::Ranges(ranges[range.clone()].to_vec()),
            },
            bytes: match &self.bytes {
                Cow::Borrowed(bytes) => bytes[range].into(),
                Cow::Owned(bytes) => bytes[range].to_vec().into(),
            },
        }
    }

    /// Returns the text with `prefix` before it, unless the text is empty. The prefix has the original range
    /// of the first character.
    pub(crate) fn prepended(self, prefix: &str) -> Self {
        if self.bytes.is_empty() {
            return self;
        }
        self.rewritten(|bytes, writer| {
            writer.out.reserve(prefix.len() + bytes.len());
            writer.put(prefix.as_bytes(), 0..first_length(bytes));
            writer.keep(0..bytes.len());
        })
    }
}

/// The length of the first character, or of the invalid sequence in its place.
fn first_length(bytes: &[u8]) -> usize {
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next();
    chunk.map_or(0, |chunk| match chunk.valid().chars().next() {
        Some(c) => c.len_utf8(),
        None => chunk.invalid().len(),
    })
}

/// The range of the last character of `range`, which is not empty.
pub(super) fn last_char(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let mut starts = (range.start..range.end).rev().take(4);
    let start = starts.find(|&at| bytes[at] & 0xC0 != 0x80);
    start.unwrap_or(range.end - 1)..range.end
}

/// Appends the result of a step, with alignments if they are recorded.
pub(super) struct Writer<'i> {
    input: &'i [u8],
    alignment: &'i Alignment,
    out: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Writer<'_> {
    /// Appends a range of the input as it is.
    pub(super) fn keep(&mut self, range: Range<usize>) {
        self.out.extend_from_slice(&self.input[range.clone()]);
        match self.alignment {
            Alignment::Off => {}
            Alignment::Unchanged => self.ranges.extend(range.map(|at| at..at + 1)),
            Alignment::Ranges(ranges) => self.ranges.extend_from_slice(&ranges[range]),
        }
    }

    /// Appends `bytes` with the original range of `source`, a range of the input.
    pub(super) fn put(&mut self, bytes: &[u8], source: Range<usize>) {
        self.out.extend_from_slice(bytes);
        if *self.alignment != Alignment::Off {
            let range = self.alignment.original(source);
            self.ranges.extend(std::iter::repeat_n(range, bytes.len()));
        }
    }

    /// Appends characters that replace those of `input`, which starts at `at`. Each comes with the number of
    /// input characters that it adds: 0 for one that replaces one, 1 for an inserted one, `-n` for one that
    /// replaces `n + 1`.
    pub(super) fn transform(
        &mut self,
        input: &str,
        mut at: usize,
        chars: impl Iterator<Item = (char, isize)>,
    ) {
        let mut utf8 = [0; 4];
        let mut input = input.chars();
        // The last input character that was replaced.
        let mut last = at..at;
        for (c, added) in chars {
            let bytes = c.encode_utf8(&mut utf8).as_bytes();
            if added > 0 {
                self.put(bytes, last.clone());
                continue;
            }
            let replaced = input.next();
            last = at..at + replaced.map_or(0, char::len_utf8);
            match replaced == Some(c) {
                true => self.keep(last.clone()),
                false => self.put(bytes, last.clone()),
            }
            for removed in input.by_ref().take(added.unsigned_abs()) {
                last = last.end..last.end + removed.len_utf8();
            }
            at = last.end;
        }
    }
}

/// Changes each run of valid characters, unless the whole text is ASCII, which such a change leaves as it is.
/// `change` gets the run and its offset.
pub(super) fn by_char<'t>(
    text: Text<'t>,
    change: impl Fn(&mut Writer<'_>, &str, usize),
) -> Text<'t> {
    if text.bytes.is_ascii() {
        return text;
    }
    text.rewritten(|bytes, writer| {
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            change(writer, chunk.valid(), at);
            at += chunk.valid().len();
            writer.keep(at..at + chunk.invalid().len());
            at += chunk.invalid().len();
        }
    })
}

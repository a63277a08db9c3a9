//! Prefixes of tokens at the end of a text that may go on.

/// What tokens begin with.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// The bytes of all tokens, ascending.
    contents: Vec<Vec<u8>>,
    first_bytes: [bool; 256],
    longest: usize,
}

impl Beginnings {
    pub(super) fn new(mut contents: Vec<Vec<u8>>) -> Self {
        contents.sort_unstable();
        let mut first_bytes = [false; 256];
        for first in contents.iter().filter_map(|content| content.first()) {
            first_bytes[usize::from(*first)] = true;
        }
        Beginnings {
            longest: contents.iter().map(Vec::len).max().unwrap_or(0),
            contents,
            first_bytes,
        }
    }

    /// The first place, `from` or behind it, from which the rest of `text` is the beginning of a
    /// token and no whole one; the end of the text when there is none.
    pub(super) fn first_unfinished(&self, text: &[u8], from: usize) -> usize {
        let nearest = (text.len() + 1).saturating_sub(self.longest);
        (from.max(nearest)..text.len())
            .find(|&at| {
                let rest = &text[at..];
                self.first_bytes[usize::from(rest[0])] && {
                    let behind = self
                        .contents
                        .partition_point(|content| &content[..] <= rest);
                    let next = self.contents.get(behind);
                    next.is_some_and(|content| content.starts_with(rest))
                }
            })
            .unwrap_or(text.len())
    }
}

//! Safe cuts for the scanners: positions where a text can be split in two without changing any piece.
//!
//! Whether a position is a cut depends only on the characters directly before and after it, except where the
//! last column says otherwise. Between the characters of each row, the patterns of all families start a
//! piece, within the restriction in that column, whatever else precedes and follows. A symbol is a character
//! of no other kind in the table.
//!
//! | Before the cut | After the cut | Restriction |
//! | --- | --- | --- |
//! | anything but white space | white space other than a line end | |
//! | a letter | a symbol, a line end | |
//! | a letter | a mark | not `o200k` |
//! | a letter | an apostrophe | in `o200k` with contractions, not at one |
//! | a lower-case letter | an upper-case letter | only `o200k`; no apostrophe before this pair |
//! | a number | anything but a number | |
//! | anything but white space and numbers | a number | |
//! | a symbol, a mark | a letter | only `gpt2` |
//! | a symbol, a mark, an apostrophe | a line end | only `gpt2` |
//! | a line end | anything but white space | not `gpt2`; in `o200k`, not before a slash |
//!
//! **Proof.** The patterns have no look-behind, so the right part is split as in the whole text. In the left
//! part, no piece depends on text after the cut: a contraction needs letters after its apostrophe, the case
//! rule of words looks ahead at letters and marks only, and all other look-ahead concerns white space. If the
//! left part ends in white space, its last character is a line end. By the rule for line ends, the last piece
//! ends there, and it is the same piece whether or not more text follows.
//!
//! Prose in any script has a cut every few words; Chinese prose has one at its punctuation. Text without any
//! cut is one piece, or a run of pieces whose boundaries depend on distant characters, such as groups of
//! digits.

use super::scan::{Family, contraction};
use crate::unicode::{self, LETTER, LOWER, MARK, NEWLINE, NUMBER, SPACE, UPPER};

/// Returns the first cut of `text` after the first character that starts at or after `at`. Searches up to the
/// first character boundary after `last`, in time linear in the distance searched.
pub(super) fn first_cut(family: Family, text: &[u8], at: usize, last: usize) -> Option<usize> {
    let character = |at| Character::at(text, at).map(|character| (character, character.length));
    let may_cut = |at, before, after| may_cut(family, text, at, before, after);
    first_cut_between(text, at, last, character, may_cut)
}

/// [`first_cut`] with any rule. `character` returns the character at a position and its length in bytes.
/// `may_cut` returns whether a position is a cut, given the characters before and after it.
pub(super) fn first_cut_between<C: Copy>(
    text: &[u8],
    at: usize,
    last: usize,
    character: impl Fn(usize) -> Option<(C, usize)>,
    may_cut: impl Fn(usize, C, C) -> bool,
) -> Option<usize> {
    // Skip to the start of a character or invalid sequence.
    let inside = text.get(at..)?.iter().take_while(|byte| continues(**byte));
    let mut at = at + inside.count();
    let (mut before, length) = character(at)?;
    at += length;
    while let Some((after, length)) = character(at) {
        if may_cut(at, before, after) {
            return Some(at);
        }
        if at > last {
            break;
        }
        (before, at) = (after, at + length);
    }
    None
}

/// Returns the last cut of `text` at or after `from` that remains a cut whatever bytes are appended. A
/// piece must start at byte 0 of `text`.
///
/// Appended bytes never add a cut before `text.len() - 3`. The time is linear in the distance from the end of
/// the text to the cut (to `from` if there is none), plus the length of a run of numbers at the end.
pub(super) fn last_settled_cut(family: Family, text: &[u8], from: usize) -> Option<usize> {
    let from = from.max(1);
    if let Some(cut) = end_of_number_groups(family, text).filter(|&cut| cut >= from) {
        return Some(cut);
    }
    (from..text.len()).rev().find(|&at| {
        if continues(text[at]) {
            return false;
        }
        match (Character::before(text, at), Character::at(text, at)) {
            (Some(before), Some(after)) => {
                after.is_settled(family, text, at) && may_cut(family, text, at, before, after)
            }
            _ => false,
        }
    })
}

/// If the text ends in a run of numbers, perhaps followed by an incomplete character, returns the end of the
/// last full group in that run. Whatever follows that position starts a new piece.
fn end_of_number_groups(family: Family, text: &[u8]) -> Option<usize> {
    let group_size = match family {
        Family::Gpt2 => return None,
        Family::Cl100k { digits, .. } | Family::O200k { digits, .. } => digits as usize,
    };
    let number_before = |at| Character::before(text, at).filter(|c| c.kind == Kind::Number);
    let last = Character::before(text, text.len())?;
    let is_whole = last.is_whole(text, text.len() - last.length);
    let complete_end = text.len() - if is_whole { 0 } else { last.length };
    let (mut count, mut start) = (0, complete_end);
    while let Some(number) = number_before(start) {
        (count, start) = (count + 1, start - number.length);
    }
    if count < group_size {
        return None;
    }
    let mut end = complete_end;
    for _ in 0..count % group_size {
        end -= number_before(end)?.length;
    }
    Some(end)
}

/// Returns whether `byte` is a UTF-8 continuation byte.
fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// A character or invalid sequence next to a possible cut.
#[derive(Clone, Copy)]
struct Character {
    kind: Kind,
    class: u8,
    /// In bytes.
    length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    PlainSpace,
    LineEnd,
    Mark,
    Apostrophe,
    /// Any other character, and invalid sequences.
    Symbol,
}

impl Character {
    /// Returns the character that starts at `at`.
    fn at(text: &[u8], at: usize) -> Option<Self> {
        let (class, length) = unicode::char_at(text, at)?;
        let kind = match class {
            class if class & LETTER != 0 => Kind::Letter,
            class if class & NUMBER != 0 => Kind::Number,
            class if class & NEWLINE != 0 => Kind::LineEnd,
            class if class & SPACE != 0 => Kind::PlainSpace,
            class if class & MARK != 0 => Kind::Mark,
            _ if text[at] == b'\'' => Kind::Apostrophe,
            _ => Kind::Symbol,
        };
        Some(Character {
            kind,
            class,
            length,
        })
    }

    /// Returns the character that ends at `end`, which must be a character boundary.
    fn before(text: &[u8], end: usize) -> Option<Self> {
        let start = (end > 0).then(|| unicode::start_before(text, end))?;
        Self::at(&text[..end], start)
    }

    /// Returns whether this character, which starts at `at`, stays the same whatever bytes are appended. For
    /// an apostrophe in `o200k`, the contraction that may start with it must stay the same too.
    fn is_settled(self, family: Family, text: &[u8], at: usize) -> bool {
        if self.kind == Kind::Apostrophe && matches!(family, Family::O200k { .. }) {
            return at + contraction::LONGEST <= text.len();
        }
        self.is_whole(text, at)
    }

    /// Returns whether no appended byte can belong to this character, which starts at `at`.
    fn is_whole(self, text: &[u8], at: usize) -> bool {
        let is_truncated = |bytes| {
            let error = std::str::from_utf8(bytes).err();
            error.is_some_and(|error| error.error_len().is_none())
        };
        at + self.length < text.len() || !is_truncated(&text[at..])
    }
}

/// Returns whether `text` has a cut at `at`, between `before` and `after`, by the table at the top.
fn may_cut(family: Family, text: &[u8], at: usize, before: Character, after: Character) -> bool {
    use Kind::*;
    let gpt2 = matches!(family, Family::Gpt2);
    let o200k = matches!(family, Family::O200k { .. });
    match (before.kind, after.kind) {
        (PlainSpace, _) | (LineEnd, PlainSpace | LineEnd) => false,
        (LineEnd, _) if o200k => text[at] != b'/',
        (LineEnd, _) => !gpt2,
        (_, PlainSpace) => true,
        (Number, Number) => false,
        (Number, _) | (_, Number) => true,
        (Letter, LineEnd | Symbol) => true,
        (Letter, Mark) => !o200k,
        (Letter, Apostrophe) => match family {
            Family::O200k {
                contractions: true, ..
            } => contraction::length(text, at, true) == 0,
            _ => true,
        },
        (Letter, Letter) => {
            let may_be_contraction = text[..at - before.length].last() == Some(&b'\'');
            o200k && before.class & LOWER != 0 && after.class & UPPER != 0 && !may_be_contraction
        }
        (Symbol | Mark, Letter) | (Symbol | Mark | Apostrophe, LineEnd) => gpt2,
        (Symbol | Mark | Apostrophe, _) => false,
    }
}

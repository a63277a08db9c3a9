//! Where a text may be cut, so that both parts split on their own as they do together.
//!
//! Every pattern that has a scanner begins a piece at these places, whatever comes before the
//! character before and behind the character behind:
//!
//! | behind | before | but |
//! | --- | --- | --- |
//! | anything but white space | white space that is no line end | |
//! | a letter | a symbol, a line end | |
//! | a letter | a mark | not `o200k` |
//! | a letter | an apostrophe | `o200k`: when no ending follows it |
//! | a lower letter | an upper letter | only `o200k`, and no apostrophe before the first |
//! | a number | anything but a number | |
//! | anything but white space and numbers | a number | |
//! | a symbol, a mark | a letter | only `gpt2` |
//! | a symbol, a mark, an apostrophe | a line end | only `gpt2` |
//! | a line end | anything but white space | not `gpt2`; `o200k`: no slash |
//!
//! A piece depends on nothing before it (the patterns do not look behind), so the right part splits
//! as before. None of the pieces of the left part looks at what comes behind it: an ending behind
//! an apostrophe needs letters there, a word whose case decides looks only for letters and marks,
//! and all other rules that look ahead are about white space. The left part ends in none, or in a
//! line end that something follows: where there is a rule for line ends, all white space up to it is
//! one piece then, and at the end of a text it is so too.
//!
//! Prose in any script has such a place every few words: Chinese before its punctuation. Text
//! without any is a single piece, or a run of them that cannot be told apart by looking near.

use super::scan::{Family, contraction};
use crate::unicode::{self, LETTER, LOWER, MARK, NEWLINE, NUMBER, SPACE, UPPER};

/// The first cut of `text` after the character at `at`; `None` if there is none up to the end of the
/// character after `last`. Linear in the distance.
pub(super) fn first_cut(family: Family, text: &[u8], at: usize, last: usize) -> Option<usize> {
    let character = |at| Character::at(text, at).map(|character| (character, character.length));
    let may_cut = |at, before, after| may_cut(family, text, at, before, after);
    first_cut_between(text, at, last, character, may_cut)
}

/// The same by any rule: `character` gives what begins at a place, and its length in bytes; `may_cut` decides
/// between two that touch at a place.
pub(super) fn first_cut_between<C: Copy>(
    text: &[u8],
    at: usize,
    last: usize,
    character: impl Fn(usize) -> Option<(C, usize)>,
    may_cut: impl Fn(usize, C, C) -> bool,
) -> Option<usize> {
    // The nearest byte that begins a character, or an invalid sequence.
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

/// The last place, `from` or behind it, where a text that begins with `text` may be cut, whatever
/// it goes on with; `None` when there is none. A piece begins at the beginning of `text`.
///
/// Places before `text.len() - 3` are decided for good: more text makes no cuts there. Costs the
/// distance from the end to the place, or to `from`, and the length of the numbers at the end.
pub(super) fn last_settled_cut(family: Family, text: &[u8], from: usize) -> Option<usize> {
    let from = from.max(1);
    if let Some(cut) = behind_groups_of_numbers(family, text).filter(|&cut| cut >= from) {
        return Some(cut);
    }
    (from..text.len()).rev().find(|&at| {
        if continues(text[at]) {
            return false;
        }
        match (Character::before(text, at), Character::at(text, at)) {
            (Some(before), Some(behind)) => {
                behind.is_settled(family, text, at) && may_cut(family, text, at, before, behind)
            }
            _ => false,
        }
    })
}

/// The end of the last whole group of numbers, if the text ends in numbers (but for the beginning
/// of one more character): the next piece begins there, whatever it is.
fn behind_groups_of_numbers(family: Family, text: &[u8]) -> Option<usize> {
    let group = match family {
        Family::Gpt2 => return None,
        Family::Cl100k { digits, .. } | Family::O200k { digits, .. } => digits as usize,
    };
    let number_before = |at| Character::before(text, at).filter(|c| c.kind == Kind::Number);
    let last = Character::before(text, text.len())?;
    let is_whole = last.is_whole(text, text.len() - last.length);
    let known = text.len() - if is_whole { 0 } else { last.length };
    let (mut numbers, mut start) = (0, known);
    while let Some(number) = number_before(start) {
        (numbers, start) = (numbers + 1, start - number.length);
    }
    if numbers < group {
        return None;
    }
    let mut end = known;
    for _ in 0..numbers % group {
        end -= number_before(end)?.length;
    }
    Some(end)
}

/// Whether a byte is one of those that go on with a character, or belong to none.
fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// What stands on one side of a cut: a character, or an invalid sequence of bytes.
#[derive(Clone, Copy)]
struct Character {
    kind: Kind,
    class: u8,
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
    /// All else, and bytes that are not UTF-8.
    Symbol,
}

impl Character {
    /// The one that begins at `at`.
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

    /// The one that ends at `end`, where another begins, or the text ends.
    fn before(text: &[u8], end: usize) -> Option<Self> {
        let start = (end > 0).then(|| unicode::start_before(text, end))?;
        Self::at(&text[..end], start)
    }

    /// Whether it is the same whatever follows the text. The apostrophe of an ending counts as one
    /// with the ending.
    fn is_settled(self, family: Family, text: &[u8], at: usize) -> bool {
        if self.kind == Kind::Apostrophe && matches!(family, Family::O200k { .. }) {
            return at + contraction::LONGEST <= text.len();
        }
        self.is_whole(text, at)
    }

    /// Whether no byte behind the text could belong to it, which begins at `at`.
    fn is_whole(self, text: &[u8], at: usize) -> bool {
        let is_cut_short = |bytes| {
            let error = std::str::from_utf8(bytes).err();
            error.is_some_and(|error| error.error_len().is_none())
        };
        at + self.length < text.len() || !is_cut_short(&text[at..])
    }
}

/// Whether `text` may be cut at `at`, between two characters.
fn may_cut(family: Family, text: &[u8], at: usize, before: Character, behind: Character) -> bool {
    use Kind::*;
    let gpt2 = matches!(family, Family::Gpt2);
    let o200k = matches!(family, Family::O200k { .. });
    match (before.kind, behind.kind) {
        (PlainSpace, _) | (LineEnd, PlainSpace | LineEnd) => false,
        (LineEnd, _) if o200k => text[at] != b'/',
        (LineEnd, _) => !gpt2,
        (_, PlainSpace) => true,
        (Number, Number) => false,
        (Number, _) | (_, Number) => true,
        (Letter, LineEnd | Symbol) => true,
        (Letter, Mark) => !o200k,
        (Letter, Apostrophe) => match family {
            Family::O200k { endings: true, .. } => contraction::length(text, at, true) == 0,
            _ => true,
        },
        (Letter, Letter) => {
            let may_be_ending = text[..at - before.length].last() == Some(&b'\'');
            o200k && before.class & LOWER != 0 && behind.class & UPPER != 0 && !may_be_ending
        }
        (Symbol | Mark, Letter) | (Symbol | Mark | Apostrophe, LineEnd) => gpt2,
        (Symbol | Mark | Apostrophe, _) => false,
    }
}

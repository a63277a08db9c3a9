//! Where a text may be cut, so that both parts split on their own as they do together.
//!
//! Every pattern that has a scanner begins a piece at these places, whatever comes before:
//!
//! | behind | before |
//! | --- | --- |
//! | anything but white space | white space that is no line end |
//! | a letter | a number, a line end, a symbol that is neither mark nor apostrophe |
//! | a number | a letter, a line end, a symbol that is neither mark nor apostrophe |
//!
//! A piece depends on nothing before it (the patterns do not look behind), so the right part splits
//! as before. The left part ends in no white space, and none of its pieces looks at what comes
//! behind: an ending behind an apostrophe needs a letter there, a word whose case decides looks
//! only for letters and marks, and all other rules that look ahead are about white space.
//!
//! Prose in any script has such a place every few words: Chinese before its punctuation. Text
//! without any is a single piece, or a run of them that cannot be told apart by looking near.

use crate::unicode::{self, LETTER, MARK, NEWLINE, NUMBER, SPACE};

/// The first place behind the character at `at` where `text` may be cut; `None` when there is none.
/// Costs the distance.
pub(super) fn first_cut(text: &[u8], at: usize) -> Option<usize> {
    // The nearest byte that begins a character, or an invalid sequence.
    let continues = |&&byte: &&u8| byte & 0xC0 == 0x80;
    let mut at = at + text.get(at..)?.iter().take_while(continues).count();
    let (mut before, length) = class_at(text, at)?;
    at += length;
    while let Some((class, length)) = class_at(text, at) {
        if may_cut(before, class) {
            return Some(at);
        }
        (before, at) = (class, at + length);
    }
    None
}

/// What stands on one side of a cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    PlainSpace,
    LineEnd,
    Symbol,
    /// Marks, apostrophes and bytes that are not UTF-8.
    Other,
}

fn class_at(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let (class, length) = unicode::char_at(text, at)?;
    let kind = match class {
        class if class & LETTER != 0 => Kind::Letter,
        class if class & NUMBER != 0 => Kind::Number,
        class if class & NEWLINE != 0 => Kind::LineEnd,
        class if class & SPACE != 0 => Kind::PlainSpace,
        class if class & MARK != 0 => Kind::Other,
        _ if text[at] == b'\'' => Kind::Other,
        _ if std::str::from_utf8(&text[at..at + length]).is_err() => Kind::Other,
        _ => Kind::Symbol,
    };
    Some((kind, length))
}

fn may_cut(before: Kind, behind: Kind) -> bool {
    use Kind::*;
    match before {
        PlainSpace | LineEnd => false,
        _ if behind == PlainSpace => true,
        Letter => matches!(behind, Number | LineEnd | Symbol),
        Number => matches!(behind, Letter | LineEnd | Symbol),
        Symbol | Other => false,
    }
}

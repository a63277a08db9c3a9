"""``AddedToken``."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AddedToken"]


class AddedToken(NamedTuple):
    """A token of ``Tokenizer.added_tokens``: a special token, or another token that was added to a
    vocabulary, with the flags of a ``tokenizer.json``.

    Attributes:
        content: the text that it is recognised by.
        id: its id.
        special: recognised only where allowed, and left out by ``skip_special_tokens``. An added
            token without it is part of the vocabulary and always found.
        normalized: looked for in the normalized text.
        lstrip: covers the white space before it.
        rstrip: covers the white space behind it.
        single_word: found only between characters that are not letters, digits or underscores.
    """

    content: str
    id: int
    special: bool
    normalized: bool
    lstrip: bool
    rstrip: bool
    single_word: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddedToken) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

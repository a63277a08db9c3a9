"""``AddedToken``."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AddedToken"]


class AddedToken(NamedTuple):
    """An entry of ``Tokenizer.added_tokens``, with the flags of a ``tokenizer.json``.

    Attributes:
        content: the text of the token.
        id: the id of the token.
        special: the token is recognised only if it is allowed, and ``skip_special_tokens`` omits it.
            An added token with ``special=False`` is always recognised.
        normalized: the token is searched in the normalized text, not in the original.
        lstrip: a match includes the white space before it.
        rstrip: a match includes the white space after it.
        single_word: the token matches only if no letter, digit or underscore is adjacent.
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

"""``AddedToken``."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["AddedToken"]


class AddedToken(NamedTuple):
    """An entry of ``Tokenizer.added_tokens``, with the flags of a ``tokenizer.json``.

    Attributes:
        content: the text of the token.
        id: the id of the token.
        special: recognised only if allowed, and omitted by ``skip_special_tokens``. An added token
            with ``special=False`` is always recognised.
        normalized: matched against the normalized text.
        lstrip: includes the white space before the token.
        rstrip: includes the white space after the token.
        single_word: matches only if no letter, digit or underscore is adjacent.
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

"""tiktoken's ``encode_with_unstable``: ids that stay whatever text follows, and how the rest may go on.

The last piece is unstable: with more text behind it, it may become other tokens. Its completions are
all ids that tokens may begin with which reach to its end or beyond. They are found as tiktoken finds
them, by trying every token that continues a part of the piece, and so with the same gaps: that regexes
may split elsewhere when more text comes is looked at only for white space.

Costs an encoding of the piece for each token that begins with an end of it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._native import Tokenizer


def encode(
    native: Tokenizer,
    ranks: dict[bytes, int],
    sorted_tokens: Sequence[bytes],
    ids: list[int],
    tail: str,
) -> tuple[list[int], list[list[int]]]:
    """The ids that stay of those of a text, and the possible beginnings of what follows them.

    ``tail`` is the text behind the last special token.
    """
    stable, unstable = _split(native, ids, tail)
    piece = native.decode_bytes(unstable)
    completions: set[tuple[int, ...]] = set()
    if not piece:
        return stable, []
    completions.update((ranks[token],) for token in _beginning_with(sorted_tokens, piece))
    for place in range(1, len(piece)):
        before = piece[:place]
        for token in _beginning_with(sorted_tokens, piece[place:]):
            completions.add(_beginning(native, ranks, before + token, len(piece)))
    # White space that would join what follows may split off: with gpt2, "\n\n" is one piece, and
    # "\n\n0" three.
    last = piece.decode(errors="replace")[-1]
    before = piece[: -len(last.encode())]
    if last.isspace() and last not in "\x1c\x1d\x1e\x1f" and before:
        completions.add((*_merged(native, ranks, before), *_merged(native, ranks, last.encode())))
    return stable, [list(ids) for ids in sorted(completions)]


def encode_bytes(native: Tokenizer, text: bytes) -> list[int]:
    """Where the bytes stop being UTF-8, the last piece before is taken together with all that follows."""
    try:
        return native.encode(str(text, "utf-8"))
    except UnicodeDecodeError as error:
        valid = text[: error.start].decode()
    stable, unstable = _split(native, native.encode(valid), valid)
    rest = native.decode_bytes(unstable) + text[len(valid.encode()) :]
    return stable + native._encode_single_piece(rest)


def _split(native: Tokenizer, ids: list[int], tail: str) -> tuple[list[int], list[int]]:
    """Unstable are the ids of the last piece, and if it begins with white space, all tokens of white
    space before it."""
    last = native._last_piece(tail)
    # Nothing at all is no piece, though a model may have a token for it.
    place = len(ids) - (len(native._encode_single_piece(last)) if last else 0)

    def is_space(id: int) -> bool:
        return not native.id_to_token(id).strip(b" \n\t")

    if place < len(ids) and is_space(ids[place]):
        while place > 0 and is_space(ids[place - 1]):
            place -= 1
    return ids[:place], ids[place:]


def _beginning_with(sorted_tokens: Sequence[bytes], start: bytes) -> Sequence[bytes]:
    first = bisect_left(sorted_tokens, start)
    end = first
    while end < len(sorted_tokens) and sorted_tokens[end].startswith(start):
        end += 1
    return sorted_tokens[first:end]


def _beginning(
    native: Tokenizer, ranks: dict[bytes, int], text: bytes, length: int
) -> tuple[int, ...]:
    """The first ids of ``text``, until they have ``length`` bytes."""
    try:
        # They may be more than one piece.
        ids = native.encode(text.decode())
    except UnicodeDecodeError:
        ids = _merged(native, ranks, text)
    reached = 0
    for place, id in enumerate(ids):
        reached += len(native.id_to_token(id))
        if reached >= length:
            return tuple(ids[: place + 1])
    return tuple(ids)


def _merged(native: Tokenizer, ranks: dict[bytes, int], piece: bytes) -> list[int]:
    """The ids to which the bytes merge, also when all of them are one token, which merging may miss."""
    if piece not in ranks:
        return native._encode_single_piece(piece)
    return native._merge_bytes(piece)

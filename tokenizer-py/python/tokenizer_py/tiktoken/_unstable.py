"""tiktoken's ``encode_with_unstable``: the ids that every continuation keeps, and the completions.

The last piece of a text is unstable: more text can change its tokens. The completions are found as in
tiktoken: for every suffix of the piece, and for every token that starts with this suffix, the suffix is
replaced with the token and the result is encoded. More text can also move the piece boundaries that the
regex finds. As in tiktoken, this is considered only for white space at the end of the text.

The piece is encoded once for each token that starts with one of its suffixes.
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
    """Returns the stable ids of a text and the completions.

    ``tail`` is the text after the last special token.
    """
    stable, unstable = _split(native, ids, tail)
    piece = native.decode_bytes(unstable)
    completions: set[tuple[int, ...]] = set()
    if not piece:
        return stable, []
    completions.update((ranks[token],) for token in _tokens_with_prefix(sorted_tokens, piece))
    for split in range(1, len(piece)):
        before = piece[:split]
        for token in _tokens_with_prefix(sorted_tokens, piece[split:]):
            completions.add(_covering_ids(native, ranks, before + token, len(piece)))
    # A last white-space character may become a separate piece: with gpt2, "\n\n" is one piece,
    # "\n\n0" is three.
    last = piece.decode(errors="replace")[-1]
    before = piece[: -len(last.encode())]
    if last.isspace() and last not in "\x1c\x1d\x1e\x1f" and before:
        completions.add((*_merged(native, ranks, before), *_merged(native, ranks, last.encode())))
    return stable, [list(ids) for ids in sorted(completions)]


def encode_bytes(native: Tokenizer, text: bytes) -> list[int]:
    """Returns the ids of bytes. Those from the first invalid sequence on join the piece before them."""
    try:
        return native.encode(str(text, "utf-8"))
    except UnicodeDecodeError as error:
        valid = text[: error.start].decode()
    stable, unstable = _split(native, native.encode(valid), valid)
    rest = native.decode_bytes(unstable) + text[len(valid.encode()) :]
    return stable + native._encode_single_piece(rest)


def _split(native: Tokenizer, ids: list[int], tail: str) -> tuple[list[int], list[int]]:
    """Splits ids into stable and unstable ones.

    The ids of the last piece are unstable. If the first of these is a white-space token, the
    white-space tokens directly before it are unstable too.
    """
    last = native._last_piece(tail)
    # An empty text has no piece, even if the model has an empty token.
    end = len(ids) - (len(native._encode_single_piece(last)) if last else 0)

    def is_space(id: int) -> bool:
        return not native.id_to_token(id).strip(b" \n\t")

    if end < len(ids) and is_space(ids[end]):
        while end > 0 and is_space(ids[end - 1]):
            end -= 1
    return ids[:end], ids[end:]


def _tokens_with_prefix(sorted_tokens: Sequence[bytes], start: bytes) -> Sequence[bytes]:
    first = bisect_left(sorted_tokens, start)
    end = first
    while end < len(sorted_tokens) and sorted_tokens[end].startswith(start):
        end += 1
    return sorted_tokens[first:end]


def _covering_ids(
    native: Tokenizer, ranks: dict[bytes, int], text: bytes, length: int
) -> tuple[int, ...]:
    """Returns the ids of ``text`` up to the one that reaches ``length`` bytes."""
    try:
        # The text may consist of several pieces.
        ids = native.encode(text.decode())
    except UnicodeDecodeError:
        ids = _merged(native, ranks, text)
    reached = 0
    for index, id in enumerate(ids):
        reached += len(native.id_to_token(id))
        if reached >= length:
            return tuple(ids[: index + 1])
    return tuple(ids)


def _merged(native: Tokenizer, ranks: dict[bytes, int], piece: bytes) -> list[int]:
    """Returns the ids of a piece by merging its bytes, even if the whole piece is a token."""
    if piece not in ranks:
        return native._encode_single_piece(piece)
    return native._merge_bytes(piece)

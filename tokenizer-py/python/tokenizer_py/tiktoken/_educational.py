"""``tiktoken._educational``: byte-pair encoding in plain Python that prints its merges.

Needs the package ``regex``. For any other purpose use ``Encoding``, which is thousands of times as fast.
"""

from __future__ import annotations

import collections

import regex  # type: ignore[import-untyped,unused-ignore]

from .core import Encoding
from .registry import get_encoding

__all__ = [
    "SimpleBytePairEncoding",
    "bpe_encode",
    "bpe_train",
    "train_simple_encoding",
    "visualise_tokens",
]

_COLOURS = [f"\x1b[48;5;{colour}m" for colour in (167, 179, 185, 77, 80, 68, 134)]
_RESET = "\x1b[0m"


class SimpleBytePairEncoding:
    """Encodes and decodes with a table of ranks, without special tokens."""

    def __init__(self, *, pat_str: str, mergeable_ranks: dict[bytes, int]) -> None:
        self.pat_str = pat_str
        self.mergeable_ranks = mergeable_ranks
        self._decoder = {rank: token for token, rank in mergeable_ranks.items()}
        self._pat = regex.compile(pat_str)

    def encode(self, text: str, visualise: str | None = "colour") -> list[int]:
        """Returns the ids of a text and prints the merges of each piece."""
        pieces = self._pat.findall(text)
        return [
            id
            for piece in pieces
            for id in bpe_encode(self.mergeable_ranks, piece.encode(), visualise=visualise)
        ]

    def decode_bytes(self, tokens: list[int]) -> bytes:
        """Returns the bytes of ids."""
        return b"".join(self.decode_tokens_bytes(tokens))

    def decode(self, tokens: list[int]) -> str:
        """Returns the text of ids, with U+FFFD for invalid UTF-8."""
        return self.decode_bytes(tokens).decode(errors="replace")

    def decode_tokens_bytes(self, tokens: list[int]) -> list[bytes]:
        """Returns the bytes of each id."""
        return [self._decoder[token] for token in tokens]

    @staticmethod
    def train(training_data: str, vocab_size: int, pat_str: str) -> SimpleBytePairEncoding:
        """Trains a vocabulary and prints every merge."""
        ranks = bpe_train(data=training_data, vocab_size=vocab_size, pat_str=pat_str)
        return SimpleBytePairEncoding(pat_str=pat_str, mergeable_ranks=ranks)

    @staticmethod
    def from_tiktoken(encoding: str | Encoding) -> SimpleBytePairEncoding:
        """Converts an ``Encoding``, given as an object or by name."""
        if isinstance(encoding, str):
            encoding = get_encoding(encoding)
        return SimpleBytePairEncoding(
            pat_str=encoding._pat_str, mergeable_ranks=encoding._mergeable_ranks
        )


def bpe_encode(
    mergeable_ranks: dict[bytes, int], input: bytes, visualise: str | None = "colour"
) -> list[int]:
    """Returns the ids of one piece: merges the pair of lowest rank until no pair is a token.

    ``visualise`` is how each step is printed: "colour", "simple", or ``None`` for not at all.
    """
    parts = [bytes([byte]) for byte in input]
    while True:
        _print_tokens(parts, visualise)
        pairs = zip(parts, parts[1:])
        ranks = [mergeable_ranks.get(left + right) for left, right in pairs]
        found = [(rank, index) for index, rank in enumerate(ranks) if rank is not None]
        if not found:
            break
        _, index = min(found)
        parts[index : index + 2] = [parts[index] + parts[index + 1]]
    if visualise:
        print()
    return [mergeable_ranks[part] for part in parts]


def bpe_train(
    data: str, vocab_size: int, pat_str: str, visualise: str | None = "colour"
) -> dict[bytes, int]:
    """Returns the tokens with their ranks: the 256 bytes, then one token per merge.

    Each step merges the most frequent pair; of equally frequent pairs, the first in the text. ``visualise``
    is as in ``bpe_encode``.

    Raises:
        ValueError: ``vocab_size`` is below 256, or the text has too few pairs to reach it.
    """
    if vocab_size < 256:
        raise ValueError("vocab_size must be at least 256, so we can encode all bytes")
    ranks = {bytes([byte]): byte for byte in range(256)}
    words = [[bytes([byte]) for byte in word.encode()] for word in regex.findall(pat_str, data)]
    while len(ranks) < vocab_size:
        pairs = collections.Counter(pair for word in words for pair in zip(word, word[1:]))
        best = max(pairs, key=lambda pair: pairs[pair])
        token = best[0] + best[1]
        ranks[token] = len(ranks)
        words = [_merged(word, best) for word in words]
        if visualise:
            _print_merge(words, best, token, len(ranks), visualise)
    return ranks


def _merged(word: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    merged: list[bytes] = []
    rest = iter(range(len(word)))
    for index in rest:
        if tuple(word[index : index + 2]) == pair:
            merged.append(pair[0] + pair[1])
            next(rest)
        else:
            merged.append(word[index])
    return merged


def _print_merge(
    words: list[list[bytes]], pair: tuple[bytes, bytes], token: bytes, size: int, visualise: str
) -> None:
    print(f"The current most common pair is {pair[0]!r} + {pair[1]!r}")
    print(f"So we made {token!r} our {size}th token")
    if visualise in ("colour", "color"):
        print("Now the first fifty words in our training data look like:")
        visualise_tokens([token for word in words[:50] for token in word])
    elif visualise == "simple":
        print("Now the first twenty words in our training data look like:")
        for word in words[:20]:
            print(word)
    print("\n")


def _print_tokens(tokens: list[bytes], visualise: str | None) -> None:
    if visualise in ("colour", "color"):
        visualise_tokens(tokens)
    elif visualise == "simple":
        print(tokens)


def visualise_tokens(token_values: list[bytes]) -> None:
    """Prints tokens on alternating background colours."""
    length, last = 0, None
    for token in token_values:
        text = token.decode(errors="replace")
        colour = length % len(_COLOURS)
        if colour == last:
            colour = (colour + 1) % len(_COLOURS)
        last = colour
        length += len(text)
        print(_COLOURS[colour] + text, end="")
    print(_RESET)


def train_simple_encoding() -> SimpleBytePairEncoding:
    """Trains on the source of this module and encodes "hello world", printing each step."""
    pattern = r"""'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    with open(__file__, encoding="utf-8") as file:
        encoding = SimpleBytePairEncoding.train(file.read(), vocab_size=600, pat_str=pattern)
    print("This is the sequence of merges performed in order to encode 'hello world':")
    encoding.encode("hello world")
    return encoding

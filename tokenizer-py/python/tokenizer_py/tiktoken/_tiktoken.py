"""``tiktoken._tiktoken``: the interface of tiktoken's native module, implemented with ``Encoding``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import array
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from .core import Encoding

__all__ = ["CoreBPE"]


class CoreBPE:
    """Like ``Encoding``, but arguments have no defaults and no special tokens are disallowed.

    Args:
        encoder: the ordinary tokens with their ranks.
        special_tokens_encoder: the special tokens with their ids.
        pattern: the regex whose matches are the pieces.
    """

    __slots__ = ("_encoding",)

    def __init__(
        self, encoder: dict[bytes, int], special_tokens_encoder: dict[str, int], pattern: str
    ) -> None:
        from .core import Encoding

        self._encoding = Encoding(
            "", pat_str=pattern, mergeable_ranks=encoder, special_tokens=special_tokens_encoder
        )

    @classmethod
    def _of(cls, encoding: Encoding) -> CoreBPE:
        core = cls.__new__(cls)
        core._encoding = encoding
        return core

    def encode_ordinary(self, text: str) -> list[int]:
        return self._encoding.encode_ordinary(text)

    def encode(self, text: str, allowed_special: AbstractSet[str]) -> list[int]:
        return self._encoding.encode(
            text, allowed_special=allowed_special, disallowed_special=()
        )

    def encode_to_tiktoken_buffer(
        self, text: str, allowed_special: AbstractSet[str]
    ) -> array.array[int]:
        """Returns the ids as a buffer of 32-bit integers."""
        import array

        return array.array("I", self.encode(text, allowed_special))

    def _encode_bytes(self, bytes: bytes) -> list[int]:
        return self._encoding._encode_bytes(bytes)

    def encode_with_unstable(
        self, text: str, allowed_special: AbstractSet[str]
    ) -> tuple[list[int], list[list[int]]]:
        return self._encoding.encode_with_unstable(
            text, allowed_special=allowed_special, disallowed_special=()
        )

    def encode_single_token(self, piece: bytes) -> int:
        return self._encoding.encode_single_token(piece)

    def encode_single_piece(self, piece: bytes) -> list[int]:
        return self._encoding._encode_single_piece(piece)

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        return self._encoding.decode_bytes(tokens)

    def decode_single_token_bytes(self, token: int) -> bytes:
        return self._encoding.decode_single_token_bytes(token)

    def token_byte_values(self) -> list[bytes]:
        return self._encoding.token_byte_values()

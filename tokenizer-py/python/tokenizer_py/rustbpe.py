"""Stands in for the package ``rustbpe``: the same class with the same merges.

>>> from tokenizer_py import rustbpe
>>> tokenizer = rustbpe.Tokenizer()
>>> tokenizer.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
>>> tokenizer.vocab_size
260
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._native import Tokenizer as _Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Tokenizer"]

# That of GPT-4, as rustbpe spells it.
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_ALL = 1 << 30


class Tokenizer:
    """A byte-level BPE tokenizer that is trained in place; it stands in for ``rustbpe.Tokenizer``.

    Any number of threads may use one object, also while one of them trains it: they see the old
    vocabulary until the new one is done. It can be pickled.

    >>> from tokenizer_py import rustbpe
    >>> tokenizer = rustbpe.Tokenizer()
    >>> tokenizer.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
    >>> tokenizer.encode("slow")
    [115, 257]
    """

    __slots__ = ("_native",)

    def __init__(self) -> None:
        # The empty pattern matches nothing, so there are no ids before training.
        self._native = _Tokenizer._of_ranks({bytes([byte]): byte for byte in range(256)}, {}, "")

    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int,
        buffer_size: int = 8192,
        pattern: str | None = None,
    ) -> None:
        """Learns a vocabulary, in place of the one before.

        The documents are read in batches and counted on all processors while the next batch is
        read; of the text itself only a few batches are held. Progress goes to the logger "rustbpe".
        When an exception is raised, the tokenizer is as it was before. Ctrl-C breaks training off.

        Args:
            iterator: the documents; pieces do not cross from one to the next.
            vocab_size: the number of ids, at least 256. When the text has fewer pairs to merge, a
                warning is logged and the vocabulary is smaller.
            buffer_size: how many documents are read at once, at most.
            pattern: the regex whose matches are the pieces; text between two matches is left out. By
                default that of GPT-4.

        Raises:
            TypeError: the iterator is none, or a single str; a document is no str; a size is no int.
            OverflowError: a size is negative or too large.
            ValueError: vocab_size is below 256, buffer_size is 0, the regex does not compile or
                gives up on a document.
            UnicodeEncodeError: a document holds a lone surrogate.
            Exception: whatever the iterator raises.

        >>> with open("corpus.txt") as lines:
        ...     tokenizer.train_from_iterator(lines, vocab_size=32768)
        """
        import logging

        log = logging.getLogger("rustbpe")

        def tell(stage: str, done: int, total: int | None) -> None:
            if stage == "merging" and total:
                log.info("%d%% (%d/%d merges)", done * 100 // total, done, total)

        self._native = _Tokenizer._train_from_iterator(
            iterator, vocab_size, buffer_size, _PATTERN if pattern is None else pattern, tell
        )

    @property
    def vocab_size(self) -> int:
        """256 and the number of merges."""
        return self._native.vocab_size

    def get_pattern(self) -> str:
        """The regex that splits text; "" before training."""
        return self._native.pattern

    def get_mergeable_ranks(self) -> list[tuple[bytes, int]]:
        """The tokens with their ids, by ascending id; first the 256 single bytes.

        >>> dict(tokenizer.get_mergeable_ranks())[b"low"]
        257
        """
        native = self._native
        return [(native.id_to_token(id), id) for id in range(native.vocab_size)]

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Before training there are none.

        Raises:
            TypeError: not a str.
            UnicodeEncodeError: the text holds a lone surrogate.
            ValueError: the regex gives up on the text; the message names the byte.

        >>> tokenizer.encode("low")
        [257]
        """
        return self._native._encode_by_rules(text, (), ())

    def batch_encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts, encoded on all processors.

        Args:
            texts: the texts, as a list or tuple.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as ``encode``; the message numbers the text.

        >>> tokenizer.batch_encode(["low", "slow"])
        [[257], [115, 257]]
        """
        return self._native._encode_batch_by_rules(texts, _ALL, (), ())

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids.

        Raises:
            ValueError: there is no such id.
            UnicodeDecodeError: the bytes of the ids are not UTF-8 (it is a ValueError too).
            OverflowError: an id is negative or beyond 32 bits.
            TypeError: an id is no integer.

        >>> tokenizer.decode([115, 257])
        'slow'
        """
        try:
            return self._native.decode(ids, "strict")
        except KeyError:
            unknown = next(id for id in ids if not 0 <= id < self.vocab_size)
            raise ValueError(f"Unknown token id: {unknown}") from None

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[()], bytes]:
        """A new object, and for ``__setstate__`` the model as bytes."""
        return type(self), (), self._native.to_bytes()

    def __setstate__(self, state: bytes) -> None:
        self._native = _Tokenizer.from_bytes(state)

    def __repr__(self) -> str:
        return f"<tokenizer_py.rustbpe.Tokenizer vocab_size={self.vocab_size}>"

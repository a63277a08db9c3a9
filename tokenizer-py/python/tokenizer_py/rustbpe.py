"""Drop-in replacement for the package ``rustbpe``: the same class, the same merges.

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

# GPT-4's pattern in rustbpe's spelling.
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_ALL_PROCESSORS = 1 << 30


class Tokenizer:
    """A byte-level BPE tokenizer trained in place: a drop-in replacement for ``rustbpe.Tokenizer``.

    Threads may share a tokenizer, even during training: other threads see the previous vocabulary until
    training has finished. A tokenizer can be pickled.

    >>> from tokenizer_py import rustbpe
    >>> tokenizer = rustbpe.Tokenizer()
    >>> tokenizer.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
    >>> tokenizer.encode("slow")
    [115, 257]
    """

    __slots__ = ("_native",)

    def __init__(self) -> None:
        # The empty pattern matches no characters, so `encode` returns no ids before training.
        self._native = _Tokenizer._of_ranks({bytes([byte]): byte for byte in range(256)}, {}, "")

    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int,
        buffer_size: int = 8192,
        pattern: str | None = None,
    ) -> None:
        """Trains a new vocabulary and replaces the current one.

        All processors count one batch of documents while the next one is read, so only a few batches
        are in memory. Progress is logged to the logger "rustbpe". Ctrl-C stops training. If an
        exception is raised, the tokenizer is unchanged.

        Args:
            iterator: the documents; pieces do not span documents.
            vocab_size: the number of ids, at least 256. If the text has too few pairs, the vocabulary
                is smaller and a warning is logged.
            buffer_size: the maximum number of documents per batch.
            pattern: the regex whose matches are the pieces; text that it does not match is dropped.
                The default is GPT-4's pattern.

        Raises:
            TypeError: ``iterator`` is not iterable or is a single str, a document is not a str, or a
                size is not an int.
            OverflowError: a size is negative or too large.
            ValueError: ``vocab_size`` is below 256, ``buffer_size`` is 0, or the regex is invalid or
                fails on a document.
            UnicodeEncodeError: a document contains a lone surrogate.
            Exception: any exception of the iterator.

        >>> with open("corpus.txt") as lines:
        ...     tokenizer.train_from_iterator(lines, vocab_size=32768)
        """
        import logging

        log = logging.getLogger("rustbpe")

        def report(stage: str, done: int, total: int | None) -> None:
            if stage == "merging" and total:
                log.info("%d%% (%d/%d merges)", done * 100 // total, done, total)

        self._native = _Tokenizer._train_from_iterator(
            iterator, vocab_size, buffer_size, _PATTERN if pattern is None else pattern, report
        )

    @property
    def vocab_size(self) -> int:
        """256 plus the number of merges."""
        return self._native.vocab_size

    def get_pattern(self) -> str:
        """Returns the regex that splits text; "" before training."""
        return self._native.pattern

    def get_mergeable_ranks(self) -> list[tuple[bytes, int]]:
        """Returns the tokens with their ids, in ascending order of id; 0 to 255 are the single bytes.

        >>> dict(tokenizer.get_mergeable_ranks())[b"low"]
        257
        """
        native = self._native
        return [(native.id_to_token(id), id) for id in range(native.vocab_size)]

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text; before training, an empty list.

        Raises:
            TypeError: not a str.
            UnicodeEncodeError: the text contains a lone surrogate.
            ValueError: the regex fails on the text; the message contains the byte offset.

        >>> tokenizer.encode("low")
        [257]
        """
        return self._native._encode_by_rules(text, (), ())

    def batch_encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the ids of many texts, using all processors.

        Args:
            texts: the texts, as a list or tuple.

        Raises:
            TypeError, UnicodeEncodeError: as ``encode``.
            ValueError: as ``encode``; the message contains the index of the text.

        >>> tokenizer.batch_encode(["low", "slow"])
        [[257], [115, 257]]
        """
        return self._native._encode_batch_by_rules(texts, _ALL_PROCESSORS, (), ())

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids.

        Raises:
            ValueError: unknown id.
            UnicodeDecodeError: the ids decode to invalid UTF-8.
            OverflowError: an id is negative or exceeds 32 bits.
            TypeError: an id is not an integer.

        >>> tokenizer.decode([115, 257])
        'slow'
        """
        try:
            return self._native.decode(ids, "strict")
        except KeyError:
            unknown = next(id for id in ids if not 0 <= id < self.vocab_size)
            raise ValueError(f"Unknown token id: {unknown}") from None

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[()], bytes]:
        """Pickles the model as the content of a ``.bpe`` file."""
        return type(self), (), self._native.to_bytes()

    def __setstate__(self, state: bytes) -> None:
        self._native = _Tokenizer.from_bytes(state)

    def __repr__(self) -> str:
        return f"<tokenizer_py.rustbpe.Tokenizer vocab_size={self.vocab_size}>"

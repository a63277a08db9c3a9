"""The class ``Encoding``, by tiktoken's rules."""

from __future__ import annotations

import copy
import functools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._native import CoreBPE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Literal

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

__all__ = ["Encoding"]

T = TypeVar("T")


class Encoding:
    """Encodes text with a table of ranks; it stands in for ``tiktoken.Encoding``.

    It never changes, so any number of threads may use one object, and it can be pickled and copied.
    Where a special token is the beginning of another, the longest that fits counts.

    Args:
        name: what the encoding is called.
        pat_str: the regex whose matches are the pieces; text between two matches is left out.
        mergeable_ranks: the tokens with their ranks, which are their ids. All 256 single bytes must
            be there; other ranks may be left out.
        special_tokens: the special tokens with their ids.
        explicit_n_vocab: the number of all tokens, checked when it is given.

    Raises:
        ValueError: the regex does not compile, two tokens share an id, a special token is empty or
            has the id of another token, a single byte is no token, or an id passes 2^24 - 1.
        TypeError: a token is no ``bytes``, a special token no ``str``, a rank no ``int``.
        OverflowError: a rank is negative or beyond 32 bits.
        AssertionError: ``explicit_n_vocab`` does not fit.

    >>> encoding = Encoding(
    ...     "bytes",
    ...     pat_str=r"\\w+|\\W+",
    ...     mergeable_ranks={bytes([byte]): byte for byte in range(256)},
    ...     special_tokens={"<|endoftext|>": 256},
    ... )
    >>> encoding.encode("hi<|endoftext|>", allowed_special="all")
    [104, 105, 256]
    """

    name: str
    """What the encoding is called."""
    max_token_value: int
    """The highest id."""

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self.name = name
        self._pat_str = pat_str
        self._mergeable_ranks = mergeable_ranks
        self._special_tokens = special_tokens
        self._special_token_values = set(special_tokens.values())
        self.max_token_value = max(
            max(mergeable_ranks.values()), max(special_tokens.values(), default=0)
        )
        if explicit_n_vocab:
            # Not `assert`, which `python -O` leaves out.
            if len(mergeable_ranks) + len(special_tokens) != explicit_n_vocab:
                raise AssertionError("explicit_n_vocab is not the number of tokens")
            if self.max_token_value != explicit_n_vocab - 1:
                raise AssertionError("explicit_n_vocab is not the highest id plus one")
        self._native = CoreBPE(mergeable_ranks, special_tokens, pat_str)

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    # Encoding

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text, in which the text of special tokens is text like any other.

        Args:
            text: the text; lone surrogates become U+FFFD.

        Returns:
            The ids, as a list of your own.

        Raises:
            TypeError: not a ``str``.
            ValueError: the regex gives up on the text; the message names the byte.

        >>> encoding.encode_ordinary("hello world")
        [31373, 995]
        """
        try:
            return self._native.encode_ordinary(text)
        except UnicodeEncodeError:
            return self._native.encode_ordinary(_repaired(text))

    def encode(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[int]:
        """The ids of a text.

        A text from outside should not be able to smuggle in special tokens. So their text raises an
        error, unless it is allowed (and becomes their id), or not disallowed (and is text).

        Args:
            text: the text; lone surrogates become U+FFFD.
            allowed_special: special tokens to recognise, or "all".
            disallowed_special: texts that must not occur; "all" means all special tokens that are
                not allowed, and ``()`` none.

        Returns:
            The ids, as a list of your own.

        Raises:
            TypeError: not a ``str``; ``allowed_special`` is no set.
            ValueError: a disallowed text occurs, or the regex gives up on the text.

        >>> encoding.encode("<|endoftext|>", allowed_special="all")
        [50256]
        >>> encoding.encode("<|endoftext|>", disallowed_special=())
        [27, 91, 437, 1659, 5239, 91, 29]
        """
        allowed, disallowed = self._special_sets(allowed_special, disallowed_special)
        self._refuse(text, disallowed)
        try:
            return self._native.encode(text, allowed)
        except UnicodeEncodeError:
            return self._native.encode(_repaired(text), allowed)

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> npt.NDArray[np.uint32]:
        """As ``encode``, as an array; nothing is copied on the way into it.

        Returns:
            The ids, uint32 of shape (ids,).

        Raises:
            ImportError: numpy is not installed.
            TypeError, ValueError: as ``encode``.

        >>> encoding.encode_to_numpy("hello world")
        array([31373,   995], dtype=uint32)
        """
        allowed, disallowed = self._special_sets(allowed_special, disallowed_special)
        self._refuse(text, disallowed)
        try:
            return self._native.encode_to_numpy(text, allowed)
        except UnicodeEncodeError:
            return self._native.encode_to_numpy(_repaired(text), allowed)

    def encode_ordinary_batch(
        self, text: Iterable[str], *, num_threads: int = 8
    ) -> list[list[int]]:
        """``encode_ordinary`` for many texts, on several threads.

        Args:
            text: the texts.
            num_threads: how many threads, at least 1.

        Returns:
            The ids of each text.

        Raises:
            TypeError, ValueError: as ``encode_ordinary``; also ``num_threads`` below 1.

        >>> encoding.encode_ordinary_batch(["hello world", "goodbye world"])
        [[31373, 995], [11274, 16390, 995]]
        """
        threads = _checked_threads(num_threads)
        texts = list(text)
        try:
            return self._native.encode_ordinary_batch(texts, threads)
        except UnicodeEncodeError:
            return self._native.encode_ordinary_batch([_repaired(t) for t in texts], threads)

    def encode_batch(
        self,
        text: Iterable[str],
        *,
        num_threads: int = 8,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[list[int]]:
        """``encode`` for many texts, on several threads.

        Args:
            text: the texts.
            num_threads: how many threads, at least 1.
            allowed_special: as in ``encode``.
            disallowed_special: as in ``encode``.

        Returns:
            The ids of each text.

        Raises:
            TypeError, ValueError: as ``encode``; also ``num_threads`` below 1.

        >>> encoding.encode_batch(["hello world", "goodbye world"])
        [[31373, 995], [11274, 16390, 995]]
        """
        allowed, disallowed = self._special_sets(allowed_special, disallowed_special)
        if not allowed:
            texts = list(text)
            for each in texts:
                self._refuse(each, disallowed)
            return self.encode_ordinary_batch(texts, num_threads=num_threads)
        encode = functools.partial(
            self.encode, allowed_special=allowed, disallowed_special=disallowed
        )
        return _map(encode, text, num_threads)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of a text that is one token, ordinary or special.

        Raises:
            KeyError: there is no such token.

        >>> encoding.encode_single_token("hello")
        31373
        """
        return self._native.encode_single_token(_as_bytes(text_or_bytes))

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        """The ids of a text that is not split by the regex; special tokens are not recognised.

        >>> encoding._encode_single_piece("helloqqqq")
        [31373, 38227, 38227]
        """
        return self._native.encode_single_piece(_as_bytes(text_or_bytes))

    # Decoding

    def decode(self, tokens: Sequence[int], errors: str = "replace") -> str:
        """The text of ids.

        Args:
            tokens: the ids.
            errors: what to do with bytes that are not UTF-8, as in ``bytes.decode``.

        Returns:
            The text.

        Raises:
            KeyError: there is no such id.
            OverflowError: an id is negative or beyond 32 bits.
            TypeError: an id is no integer.
            UnicodeDecodeError: under ``errors="strict"``.

        >>> encoding.decode([31373, 995])
        'hello world'
        """
        return self._native.decode_bytes(tokens).decode("utf-8", errors=errors)

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """The bytes of ids, which need not be UTF-8: a token may hold a part of a character.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_bytes([31373, 995])
        b'hello world'
        """
        return self._native.decode_bytes(tokens)

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id, ordinary or special.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_single_token_bytes(31373)
        b'hello'
        """
        return self._native.decode_single_token_bytes(token)

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """The bytes of each id.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_tokens_bytes([31373, 995])
        [b'hello', b' world']
        """
        return [self._native.decode_single_token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Iterable[int]) -> tuple[str, list[int]]:
        """The text of ids, and for each id the character at which it begins.

        An id that begins within a character has the offset of that character.

        Raises:
            UnicodeDecodeError: the bytes of the ids are not UTF-8.
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_with_offsets([31373, 995])
        ('hello world', [0, 5])
        """
        parts = self.decode_tokens_bytes(tokens)
        offsets = []
        characters = 0
        for part in parts:
            within = 0x80 <= part[0] < 0xC0
            offsets.append(max(0, characters - within))
            characters += sum(not 0x80 <= byte < 0xC0 for byte in part)
        return b"".join(parts).decode("utf-8", errors="strict"), offsets

    def decode_batch(
        self, batch: Iterable[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """``decode`` for many lists of ids.

        >>> encoding.decode_batch([[31373, 995], [31373]])
        ['hello world', 'hello']
        """
        return _map(functools.partial(self.decode, errors=errors), batch, num_threads)

    def decode_bytes_batch(
        self, batch: Iterable[Sequence[int]], *, num_threads: int = 8
    ) -> list[bytes]:
        """``decode_bytes`` for many lists of ids.

        >>> encoding.decode_bytes_batch([[31373, 995], [31373]])
        [b'hello world', b'hello']
        """
        return _map(self.decode_bytes, batch, num_threads)

    # About the vocabulary

    def token_byte_values(self) -> list[bytes]:
        """The bytes of all ordinary tokens, in the order of the bytes."""
        return sorted(self._mergeable_ranks)

    @property
    def eot_token(self) -> int:
        """The id of ``<|endoftext|>``; ``KeyError`` when there is none."""
        return self._special_tokens["<|endoftext|>"]

    @functools.cached_property
    def special_tokens_set(self) -> set[str]:
        """The special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Whether an id is that of a special token.

        Raises:
            AssertionError: not an ``int``.
        """
        if not isinstance(token, int):
            raise AssertionError(f"a token is an int, not {type(token).__name__}")
        return token in self._special_token_values

    @property
    def n_vocab(self) -> int:
        """The highest id plus one."""
        return self.max_token_value + 1

    # Pickling and copying

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        Encoding.__init__(self, **state)

    def __copy__(self) -> Self:
        # The tables never change: a copy shares them.
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = self.__copy__()
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            if name != "_native":
                new.__dict__[name] = copy.deepcopy(value, memo)
        return new

    # Special tokens in text

    def _special_sets(
        self,
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
    ) -> tuple[AbstractSet[str], AbstractSet[str]]:
        if allowed == "all":
            allowed = self.special_tokens_set
        if disallowed == "all":
            disallowed = self.special_tokens_set - allowed
        if not isinstance(allowed, (set, frozenset)):
            raise TypeError(f"'{type(allowed).__name__}' object is not an instance of 'set'")
        return allowed, frozenset(disallowed or ())

    def _refuse(self, text: str, disallowed: AbstractSet[str]) -> None:
        """Raises ``ValueError`` when a disallowed text occurs."""
        if not disallowed:
            return
        if disallowed <= self.special_tokens_set:
            try:
                found = self._native.find_special(text, disallowed)
            except UnicodeEncodeError:
                pass
            else:
                if found is not None:
                    _raise_disallowed(found)
                return
        match = _any_of(disallowed).search(text)
        if match:
            _raise_disallowed(match.group())


def _repaired(text: str) -> str:
    """Surrogates in pairs are joined; lone ones become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _as_bytes(text_or_bytes: str | bytes) -> bytes:
    if isinstance(text_or_bytes, str):
        return text_or_bytes.encode("utf-8")
    return text_or_bytes


def _checked_threads(num_threads: int | None) -> int:
    if num_threads is None:
        return 8
    if num_threads <= 0:
        raise ValueError("max_workers must be greater than 0")
    return num_threads


def _map(function: Callable[[Any], T], items: Iterable[Any], num_threads: int) -> list[T]:
    with ThreadPoolExecutor(num_threads) as executor:
        return list(executor.map(function, items))


def _any_of(texts: AbstractSet[str]) -> re.Pattern[str]:
    """Finds the longest of the texts, at the first place where any of them stands."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))))


def _raise_disallowed(token: str) -> NoReturn:
    raise ValueError(
        f"Encountered text corresponding to disallowed special token {token!r}.\n"
        "If you want this text to be encoded as a special token, "
        f"pass it to `allowed_special`, e.g. `allowed_special={{{token!r}, ...}}`.\n"
        "If you want this text to be encoded as normal text, disable the check for this token "
        f"by passing `disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
        "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
    )

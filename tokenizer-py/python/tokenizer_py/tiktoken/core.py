"""The class ``Encoding``, by tiktoken's rules."""

from __future__ import annotations

import copy
import copyreg
import functools
from typing import TYPE_CHECKING, Any

from .._native import Tokenizer
from . import _tiktoken

if TYPE_CHECKING:
    import array
    import re
    from collections.abc import Collection, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Literal, NoReturn

    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

__all__ = ["Encoding"]


class _NotMade:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError("the encoding is not made yet")


class Encoding:
    """Encodes text with a table of ranks; it stands in for ``tiktoken.Encoding``.

    It never changes, so any number of threads may use one object, and it can be pickled and copied.
    Where a special token is the beginning of another, the longest that fits counts. Of special tokens
    that share an id, all encode to it and the first is what it decodes to.

    Args:
        name: what the encoding is called.
        pat_str: the regex whose matches are the pieces; text between two matches is left out.
        mergeable_ranks: the tokens with their ranks, which are their ids. All 256 single bytes must
            be there; other ranks may be left out. A token may be empty, as in Whisper's vocabulary:
            it decodes to nothing, and no text is encoded to it.
        special_tokens: the special tokens with their ids.
        explicit_n_vocab: the number of all tokens, checked when it is given.

    Raises:
        ValueError: the regex does not compile, two ordinary tokens share an id, a special token is
            empty or has the id of an ordinary one, a single byte is no token, or an id passes
            2^24 - 1.
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
    _native: Any = _NotMade()
    _aliases: dict[int, int] = {}  # noqa: RUF012

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        self._refuse_twice()
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
        tokens, self._aliases = _separated(special_tokens, self.max_token_value)
        self._native = Tokenizer._of_ranks(mergeable_ranks, tokens, pat_str)
        self._bind()

    def _refuse_twice(self) -> None:
        if "_native" in self.__dict__:
            raise RuntimeError("an encoding is made once")

    def _bind(self) -> None:
        if type(self).encode_ordinary is Encoding.encode_ordinary:
            # Without a frame of Python in between, which costs a tenth of a short text.
            self.encode_ordinary = self._native._encode_ordinary  # type: ignore[method-assign]

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
        return self._native._encode_ordinary(text)

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
        try:
            ids = self._native._encode_by_rules(text, allowed_special, disallowed_special)
        except (TypeError, UnicodeEncodeError):
            ids = None
        if ids is None:
            ids = self._step_by_step(text, allowed_special, disallowed_special)
        return self._meant(ids) if self._aliases else ids

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> npt.NDArray[np.uint32]:
        """As ``encode``, as an array.

        Returns:
            The ids, uint32 of shape (ids,).

        Raises:
            ImportError: numpy is not installed.
            TypeError, ValueError: as ``encode``.

        >>> encoding.encode_to_numpy("hello world")
        array([31373,   995], dtype=uint32)
        """
        try:
            ids = self._native._encode_by_rules(text, allowed_special, disallowed_special, True)
        except (TypeError, UnicodeEncodeError):
            ids = None
        if ids is None:
            ids = self._step_by_step(text, allowed_special, disallowed_special, True)
        for alias, meant in self._aliases.items():
            ids[ids == alias] = meant
        return ids

    def encode_with_unstable(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> tuple[list[int], list[list[int]]]:
        """The ids of a text that stay whatever follows it, and the possible beginnings of what follows
        them.

        Args:
            text: the text.
            allowed_special: as in ``encode``.
            disallowed_special: as in ``encode``.

        Returns:
            The stable ids, whose text is a beginning of the text; and lists of ids, in no order, of
            which each, behind the stable ids, covers the text or more.

        Raises:
            UnicodeEncodeError: the text holds a lone surrogate.
            TypeError, ValueError: as ``encode``.

        >>> encoding.encode_with_unstable("hello fanta")
        ([31373], [[277, 4910], [5113, 265], ...])
        """
        from . import _unstable

        allowed_special = self._checked(text, allowed_special, disallowed_special)
        ids = self._native._encode_by_rules(text, allowed_special, ())
        allowed = frozenset(self.special_tokens_set.intersection(allowed_special))
        found = [*_special_token_regex(allowed).finditer(text)] if allowed else []
        tail = text[found[-1].end() :] if found else text
        stable, completions = _unstable.encode(
            self._native, self._mergeable_ranks, self._sorted_tokens, ids, tail
        )
        return self._meant(stable), completions

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
        threads, texts = _checked_threads(num_threads), list(text)
        try:
            return self._native._encode_batch_by_rules(texts, threads, (), ())
        except (TypeError, UnicodeEncodeError):
            return self._one_by_one(texts, frozenset(), ())

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
        threads, texts = _checked_threads(num_threads), list(text)
        if disallowed_special != "all" and not isinstance(disallowed_special, frozenset):
            disallowed_special = frozenset(disallowed_special)
        rules = allowed_special, disallowed_special
        try:
            lists = self._native._encode_batch_by_rules(texts, threads, *rules)
        except (TypeError, UnicodeEncodeError):
            lists = None
        if lists is None:
            return self._one_by_one(texts, *rules)
        return [self._meant(ids) for ids in lists] if self._aliases else lists

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of a text that is one token, ordinary or special.

        Raises:
            KeyError: there is no such token.

        >>> encoding.encode_single_token("hello")
        31373
        """
        try:
            id = self._native.token_to_id(text_or_bytes)
        except KeyError:
            token = text_or_bytes
            raise KeyError(token.encode() if isinstance(token, str) else token) from None
        return self._aliases.get(id, id)

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        """The ids of a text that is not split by the regex; special tokens are not recognised.

        >>> encoding._encode_single_piece("helloqqqq")
        [31373, 38227, 38227]
        """
        return self._native._encode_single_piece(text_or_bytes)

    def _encode_bytes(self, text: bytes) -> list[int]:
        """The ids of bytes that may end within a character: what is not UTF-8 goes with the last
        piece before it.

        >>> encoding._encode_bytes("hello 漢".encode()[:-1])
        [31373, 10545, 120]
        """
        from . import _unstable

        return _unstable.encode_bytes(self._native, text)

    def _checked(
        self,
        text: str,
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
    ) -> AbstractSet[str]:
        """tiktoken's own steps: refuses what is disallowed, and gives what is allowed."""
        if allowed == "all":
            allowed = self.special_tokens_set
        if disallowed == "all":
            disallowed = self.special_tokens_set - (allowed or frozenset())
        if disallowed:
            if not isinstance(disallowed, frozenset):
                disallowed = frozenset(disallowed)
            if match := _special_token_regex(disallowed).search(text):
                raise_disallowed_special_token(match.group())
        return allowed

    def _step_by_step(
        self,
        text: str,
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
        as_array: bool = False,
    ) -> Any:
        """Encodes what the native half leaves: texts with lone surrogates, disallowed texts that are
        no special tokens, and what is refused."""
        allowed = self._checked(text, allowed, disallowed)
        try:
            return self._native._encode_by_rules(text, allowed, (), as_array)
        except UnicodeEncodeError:
            return self._native._encode_by_rules(_repaired(text), allowed, (), as_array)

    def _one_by_one(
        self,
        texts: list[str],
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
    ) -> list[list[int]]:
        """Encodes texts that the native half leaves. The first that fails decides what is raised; what
        the regex raises gets its number."""
        lists = []
        for number, text in enumerate(texts):
            chosen = self._checked(text, allowed, disallowed)
            try:
                ids = self.encode(text, allowed_special=chosen, disallowed_special=())
            except ValueError as error:
                raise ValueError(f"text {number}: {error}") from None
            lists.append(ids)
        return lists

    def _meant(self, ids: list[int]) -> list[int]:
        if not self._aliases.keys().isdisjoint(ids):
            ids[:] = [self._aliases.get(id, id) for id in ids]
        return ids

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        """``encode_ordinary`` with the text split by the package ``regex``."""
        import regex  # type: ignore[import-untyped,unused-ignore]

        pieces = regex.findall(self._pat_str, text)
        return [token for piece in pieces for token in self._encode_single_piece(piece)]

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
        try:
            text = self._native._decode(tokens, errors)
        except KeyError:
            raise self._unknown(tokens) from None
        if self._aliases and not self._aliases.keys().isdisjoint(tokens):
            raise self._unknown(tokens)
        return text

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """The bytes of ids, which need not be UTF-8: a token may hold a part of a character.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_bytes([31373, 995])
        b'hello world'
        """
        try:
            decoded = self._native._decode_bytes(tokens)
        except KeyError:
            raise self._unknown(tokens) from None
        if self._aliases and not self._aliases.keys().isdisjoint(tokens):
            raise self._unknown(tokens)
        return decoded

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id, ordinary or special.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_single_token_bytes(31373)
        b'hello'
        """
        try:
            if token not in self._aliases:
                return self._native.id_to_token(token)
        except KeyError:
            pass
        raise KeyError(str(token))

    def _unknown(self, tokens: Iterable[int]) -> KeyError:
        """What is raised at the first id that there is none of."""
        for token in tokens:
            try:
                self.decode_single_token_bytes(token)
            except KeyError:
                return KeyError(f"Invalid token for decoding: {token}")
        return KeyError()

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """The bytes of each id.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_tokens_bytes([31373, 995])
        [b'hello', b' world']
        """
        return [self.decode_single_token_bytes(token) for token in tokens]

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

        Args:
            batch: the lists.
            errors: as in ``decode``.
            num_threads: at least 1; of no effect, since Python's lock is held most of the time.

        >>> encoding.decode_batch([[31373, 995], [31373]])
        ['hello world', 'hello']
        """
        _checked_threads(num_threads)
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_bytes_batch(
        self, batch: Iterable[Sequence[int]], *, num_threads: int = 8
    ) -> list[bytes]:
        """``decode_bytes`` for many lists of ids; ``num_threads`` is as in ``decode_batch``.

        >>> encoding.decode_bytes_batch([[31373, 995], [31373]])
        [b'hello world', b'hello']
        """
        _checked_threads(num_threads)
        return [self.decode_bytes(tokens) for tokens in batch]

    # About the vocabulary

    @functools.cached_property
    def _sorted_tokens(self) -> list[bytes]:
        return self.token_byte_values()

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

    @property
    def _core_bpe(self) -> _tiktoken.CoreBPE:
        """tiktoken's native half: a private attribute that other libraries read."""
        return _tiktoken.CoreBPE._of(self)

    # Pickling and copying

    def __reduce__(self) -> tuple[Any, ...]:
        # As pickling does by itself, but by every protocol.
        return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> str | dict[str, Any]:
        from .registry import ENCODINGS

        # What every process can get by its name is pickled by its name.
        if ENCODINGS.get(self.name) is self:
            return self.name
        return {
            "name": self.name,
            "pat_str": self._pat_str,
            "mergeable_ranks": self._mergeable_ranks,
            "special_tokens": self._special_tokens,
        }

    def __setstate__(self, state: str | dict[str, Any]) -> None:
        if isinstance(state, str):
            from .registry import get_encoding

            self._share(get_encoding(state))
        else:
            Encoding.__init__(self, **state)

    def __copy__(self) -> Self:
        # The tables never change: a copy shares them.
        new = type(self).__new__(type(self))
        new._share(self)
        return new

    def _share(self, other: Encoding) -> None:
        self._refuse_twice()
        self.__dict__.update(other.__dict__)
        self.__dict__.pop("encode_ordinary", None)
        self._bind()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = self.__copy__()
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            new.__dict__[name] = copy.deepcopy(value, memo)
        return new


# What the native half leaves to Python


def _separated(
    special_tokens: dict[str, int], highest: int
) -> tuple[dict[str, int], dict[int, int]]:
    """Special tokens with an id for each, and for the ids that are new the ids that are meant.

    tiktoken takes any names for an id, and o200k_harmony has two for one; a model has one. So the
    first name is the model's, and further names get ids behind all others.
    """
    tokens: dict[str, int] = {}
    aliases: dict[int, int] = {}
    used: set[int] = set()
    for token, id in special_tokens.items():
        tokens[token] = id
        if id in used:
            highest += 1
            tokens[token], aliases[highest] = highest, id
        used.add(id)
    return tokens, aliases


def _repaired(text: str) -> str:
    """Surrogates in pairs are joined; lone ones become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _checked_threads(num_threads: int | None) -> int:
    if num_threads is None:
        return 8
    if num_threads <= 0:
        raise ValueError("max_workers must be greater than 0")
    return num_threads


@functools.lru_cache(maxsize=128)
def _special_token_regex(tokens: frozenset[str]) -> re.Pattern[str]:
    """Matches any of the tokens, the longest first."""
    import re

    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})")


def raise_disallowed_special_token(token: str) -> NoReturn:
    raise ValueError(
        f"Encountered text corresponding to disallowed special token {token!r}.\n"
        "If you want this text to be encoded as a special token, "
        f"pass it to `allowed_special`, e.g. `allowed_special={{{token!r}, ...}}`.\n"
        "If you want this text to be encoded as normal text, disable the check for this token "
        f"by passing `disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
        "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
    )

"""The class ``Encoding``, compatible with tiktoken's."""

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

    _Ids = Sequence[int] | npt.NDArray[np.integer[Any]]

__all__ = ["Encoding"]


class _Uninitialized:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError("the encoding is not initialized")


class Encoding:
    """Encodes text with a table of ranks: a drop-in replacement for ``tiktoken.Encoding``.

    Immutable: threads may share it, and it can be pickled and copied. If one special token is a prefix
    of another, the longest match wins. If special tokens share an id, it decodes to the first of them.

    Args:
        name: a name for the encoding.
        pat_str: the regex whose matches are the pieces; text that it does not match is dropped.
        mergeable_ranks: the ordinary tokens with their ranks, which are also their ids. Must contain
            all 256 single bytes; ranks may have gaps. A token may be empty, as in Whisper's vocabulary:
            it decodes to nothing, and no text encodes to it.
        special_tokens: the special tokens with their ids.
        explicit_n_vocab: the expected number of tokens, which must be numbered without gaps.

    Raises:
        ValueError: the regex is invalid, two ordinary tokens have the same id, a special token is empty
            or has the id of an ordinary token, a single byte is missing, or an id is above 2^24 - 1.
        TypeError: a token is not ``bytes``, a special token not ``str``, or an id not ``int``.
        OverflowError: an id is negative or exceeds 32 bits.
        AssertionError: ``explicit_n_vocab`` differs from the number of tokens or from the highest id
            plus one.

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
    """The name given to the constructor."""
    max_token_value: int
    """The highest id."""
    _native: Any = _Uninitialized()
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
        self._check_uninitialized()
        self.name = name
        self._pat_str = pat_str
        self._mergeable_ranks = mergeable_ranks
        self._special_tokens = special_tokens
        self._special_token_values = set(special_tokens.values())
        self.max_token_value = max(
            max(mergeable_ranks.values()), max(special_tokens.values(), default=0)
        )
        if explicit_n_vocab:
            # No `assert` statement, because `python -O` removes it.
            if len(mergeable_ranks) + len(special_tokens) != explicit_n_vocab:
                raise AssertionError("explicit_n_vocab differs from the number of tokens")
            if self.max_token_value != explicit_n_vocab - 1:
                raise AssertionError("explicit_n_vocab differs from the highest id plus one")
        tokens, self._aliases = _split_aliases(special_tokens, self.max_token_value)
        self._native = Tokenizer._of_ranks(mergeable_ranks, tokens, pat_str)
        self._bind()

    def _check_uninitialized(self) -> None:
        if "_native" in self.__dict__:
            raise RuntimeError("the encoding is already initialized")

    def _bind(self) -> None:
        if type(self).encode_ordinary is Encoding.encode_ordinary:
            # Avoids a Python frame, which takes 10 % of the time to encode a short text.
            self.encode_ordinary = self._native._encode_ordinary  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    # Encoding

    def encode_ordinary(self, text: str) -> list[int]:
        """Returns the ids of a text and encodes special tokens in it as ordinary text.

        Args:
            text: the text; lone surrogates are replaced with U+FFFD.

        Returns:
            A new list.

        Raises:
            TypeError: not a ``str``.
            ValueError: the regex fails on the text; the message contains the byte offset.

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
        """Returns the ids of a text.

        By default, a special token in the text raises ``ValueError``, so that untrusted text cannot
        inject one. An allowed special token is encoded to its id; a special token that is neither
        allowed nor disallowed is encoded as ordinary text.

        Args:
            text: the text; lone surrogates are replaced with U+FFFD.
            allowed_special: the special tokens to recognise, or "all".
            disallowed_special: strings that must not occur; "all" means all special tokens that are
                not allowed.

        Returns:
            A new list.

        Raises:
            TypeError: ``text`` is not a ``str``, or ``allowed_special`` not a set.
            ValueError: a disallowed string occurs, or the regex fails on the text.

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
            ids = self._encode_in_steps(text, allowed_special, disallowed_special)
        return self._resolve_aliases(ids) if self._aliases else ids

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> npt.NDArray[np.uint32]:
        """Returns the ids of a text as an array; otherwise like ``encode``.

        Returns:
            A one-dimensional array of uint32.

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
            ids = self._encode_in_steps(text, allowed_special, disallowed_special, True)
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
        """Returns the ids that any continuation of a text keeps, and the possible completions.

        Args:
            text: the text.
            allowed_special: as in ``encode``.
            disallowed_special: as in ``encode``.

        Returns:
            The stable ids, which decode to a prefix of the text; and the completions, each a list of
            ids, in no particular order. The stable ids followed by any one completion decode to the
            text or to a longer text that starts with it.

        Raises:
            UnicodeEncodeError: the text contains a lone surrogate.
            TypeError, ValueError: as ``encode``.

        >>> encoding.encode_with_unstable("hello fanta")
        ([31373], [[277, 4910], [5113, 265], ...])
        """
        from . import _unstable

        allowed_special = self._check_special(text, allowed_special, disallowed_special)
        ids = self._native._encode_by_rules(text, allowed_special, ())
        allowed = frozenset(self.special_tokens_set.intersection(allowed_special))
        found = [*_special_token_regex(allowed).finditer(text)] if allowed else []
        tail = text[found[-1].end() :] if found else text
        stable, completions = _unstable.encode(
            self._native, self._mergeable_ranks, self._sorted_tokens, ids, tail
        )
        return self._resolve_aliases(stable), completions

    def encode_ordinary_batch(
        self, text: Iterable[str], *, num_threads: int = 8
    ) -> list[list[int]]:
        """Returns the ids of many texts, like ``encode_ordinary``, using several threads.

        Args:
            text: the texts.
            num_threads: the maximum number of threads, at least 1.

        Returns:
            The ids of each text.

        Raises:
            TypeError: as ``encode_ordinary``.
            ValueError: as ``encode_ordinary``, or ``num_threads`` is below 1.

        >>> encoding.encode_ordinary_batch(["hello world", "goodbye world"])
        [[31373, 995], [11274, 16390, 995]]
        """
        threads, texts = _check_threads(num_threads), list(text)
        try:
            return self._native._encode_batch_by_rules(texts, threads, (), ())
        except (TypeError, UnicodeEncodeError):
            return self._encode_each(texts, frozenset(), ())

    def encode_batch(
        self,
        text: Iterable[str],
        *,
        num_threads: int = 8,
        allowed_special: Literal["all"] | AbstractSet[str] = frozenset(),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[list[int]]:
        """Returns the ids of many texts, like ``encode``, using several threads.

        Args:
            text: the texts.
            num_threads: the maximum number of threads, at least 1.
            allowed_special: as in ``encode``.
            disallowed_special: as in ``encode``.

        Returns:
            The ids of each text.

        Raises:
            TypeError: as ``encode``.
            ValueError: as ``encode``, or ``num_threads`` is below 1.

        >>> encoding.encode_batch(["hello world", "goodbye world"])
        [[31373, 995], [11274, 16390, 995]]
        """
        threads, texts = _check_threads(num_threads), list(text)
        if disallowed_special != "all" and not isinstance(disallowed_special, frozenset):
            disallowed_special = frozenset(disallowed_special)
        rules = allowed_special, disallowed_special
        try:
            lists = self._native._encode_batch_by_rules(texts, threads, *rules)
        except (TypeError, UnicodeEncodeError):
            lists = None
        if lists is None:
            return self._encode_each(texts, *rules)
        return [self._resolve_aliases(ids) for ids in lists] if self._aliases else lists

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """Returns the id of one token, ordinary or special.

        Raises:
            KeyError: not a token.

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
        """Returns the ids of a text encoded as a single piece, without special tokens.

        >>> encoding._encode_single_piece("helloqqqq")
        [31373, 38227, 38227]
        """
        return self._native._encode_single_piece(text_or_bytes)

    def _encode_bytes(self, text: bytes) -> list[int]:
        """Returns the ids of bytes that may end within a character.

        From the first invalid sequence on, the bytes are encoded as one piece together with the
        preceding piece.

        >>> encoding._encode_bytes("hello 漢".encode()[:-1])
        [31373, 10545, 120]
        """
        from . import _unstable

        return _unstable.encode_bytes(self._native, text)

    def _check_special(
        self,
        text: str,
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
    ) -> AbstractSet[str]:
        """Returns the allowed special tokens; raises ``ValueError`` if a disallowed one occurs."""
        if allowed == "all":
            allowed = self.special_tokens_set
        if disallowed == "all":
            disallowed = self.special_tokens_set - (allowed or frozenset())
        if not isinstance(disallowed, frozenset):
            disallowed = frozenset(disallowed)
        if disallowed:
            if match := _special_token_regex(disallowed).search(text):
                raise_disallowed_special_token(match.group())
        return allowed

    def _encode_in_steps(
        self,
        text: str,
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
        as_array: bool = False,
    ) -> Any:
        """Encodes a text that the native fast path declines.

        The fast path declines lone surrogates, disallowed strings that are not special tokens, and
        texts that contain a disallowed string. In the last case, this method raises ``ValueError``.
        """
        allowed = self._check_special(text, allowed, disallowed)
        try:
            return self._native._encode_by_rules(text, allowed, (), as_array)
        except UnicodeEncodeError:
            return self._native._encode_by_rules(_replace_surrogates(text), allowed, (), as_array)

    def _encode_each(
        self,
        texts: list[str],
        allowed: Literal["all"] | AbstractSet[str],
        disallowed: Literal["all"] | Collection[str],
    ) -> list[list[int]]:
        """Encodes a batch that the native fast path declines, one text at a time.

        Raises the error of the first text that fails. If the regex fails, the message contains the
        index of the text.
        """
        lists = []
        for number, text in enumerate(texts):
            chosen = self._check_special(text, allowed, disallowed)
            try:
                ids = self.encode(text, allowed_special=chosen, disallowed_special=())
            except ValueError as error:
                raise ValueError(f"text {number}: {error}") from None
            lists.append(ids)
        return lists

    def _resolve_aliases(self, ids: list[int]) -> list[int]:
        if not self._aliases.keys().isdisjoint(ids):
            ids[:] = [self._aliases.get(id, id) for id in ids]
        return ids

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        """Returns the ids of a text split by the package ``regex``."""
        import regex  # type: ignore[import-untyped,unused-ignore]

        pieces = regex.findall(self._pat_str, text)
        return [token for piece in pieces for token in self._encode_single_piece(piece)]

    # Decoding

    def decode(self, tokens: _Ids, errors: str = "replace") -> str:
        """Returns the text of ids.

        Args:
            tokens: the ids, as a sequence or array.
            errors: how to handle invalid UTF-8, as in ``bytes.decode``.

        Raises:
            KeyError: unknown id.
            OverflowError: an id is negative or exceeds 32 bits.
            TypeError: an id is not an integer.
            UnicodeDecodeError: invalid UTF-8 with ``errors="strict"``.

        >>> encoding.decode([31373, 995])
        'hello world'
        """
        try:
            text = self._native._decode(tokens, errors)
        except KeyError:
            raise self._unknown_token(tokens) from None
        if self._aliases and not self._aliases.keys().isdisjoint(tokens):
            raise self._unknown_token(tokens)
        return text

    def decode_bytes(self, tokens: _Ids) -> bytes:
        """Returns the bytes of ids, which may be invalid UTF-8: a token can be part of a character.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_bytes([31373, 995])
        b'hello world'
        """
        try:
            decoded = self._native._decode_bytes(tokens)
        except KeyError:
            raise self._unknown_token(tokens) from None
        if self._aliases and not self._aliases.keys().isdisjoint(tokens):
            raise self._unknown_token(tokens)
        return decoded

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Returns the bytes of one id, ordinary or special.

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

    def _unknown_token(self, tokens: Iterable[int]) -> KeyError:
        """Returns the exception for the first unknown id."""
        for token in tokens:
            try:
                self.decode_single_token_bytes(token)
            except KeyError:
                return KeyError(f"Invalid token for decoding: {token}")
        return KeyError()

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """Returns the bytes of each id.

        Raises:
            KeyError, OverflowError, TypeError: as ``decode``.

        >>> encoding.decode_tokens_bytes([31373, 995])
        [b'hello', b' world']
        """
        return [self.decode_single_token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Iterable[int]) -> tuple[str, list[int]]:
        """Returns the text of ids and the character offset at which each id starts.

        For an id that starts within a character, this is the offset of that character.

        Raises:
            UnicodeDecodeError: the ids decode to invalid UTF-8.
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
        self, batch: Iterable[_Ids], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """Returns the texts of many lists of ids, like ``decode``.

        Args:
            batch: the lists.
            errors: as in ``decode``.
            num_threads: at least 1; has no effect, because building ``str`` objects needs the GIL.

        >>> encoding.decode_batch([[31373, 995], [31373]])
        ['hello world', 'hello']
        """
        _check_threads(num_threads)
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_bytes_batch(
        self, batch: Iterable[_Ids], *, num_threads: int = 8
    ) -> list[bytes]:
        """Returns the bytes of each of many lists of ids; ``num_threads`` has no effect.

        >>> encoding.decode_bytes_batch([[31373, 995], [31373]])
        [b'hello world', b'hello']
        """
        _check_threads(num_threads)
        return [self.decode_bytes(tokens) for tokens in batch]

    # Vocabulary

    @functools.cached_property
    def _sorted_tokens(self) -> list[bytes]:
        return self.token_byte_values()

    def token_byte_values(self) -> list[bytes]:
        """Returns the bytes of all ordinary tokens in lexicographic order."""
        return sorted(self._mergeable_ranks)

    @property
    def eot_token(self) -> int:
        """The id of ``<|endoftext|>``; raises ``KeyError`` if the encoding has no such token."""
        return self._special_tokens["<|endoftext|>"]

    @functools.cached_property
    def special_tokens_set(self) -> set[str]:
        """The special tokens."""
        return set(self._special_tokens)

    def is_special_token(self, token: int) -> bool:
        """Returns whether an id belongs to a special token.

        Raises:
            AssertionError: not an ``int``.
        """
        if not isinstance(token, int):
            raise AssertionError(f"expected an int, not {type(token).__name__}")
        return token in self._special_token_values

    @property
    def n_vocab(self) -> int:
        """The highest id plus one."""
        return self.max_token_value + 1

    @property
    def _core_bpe(self) -> _tiktoken.CoreBPE:
        """This encoding with the interface of tiktoken's native class. Other libraries read this
        private attribute.
        """
        return _tiktoken.CoreBPE._of(self)

    # Pickling and copying

    def __reduce__(self) -> tuple[Any, ...]:
        # What protocol 2 does by default, for every protocol.
        return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> str | dict[str, Any]:
        from .registry import ENCODINGS

        # An encoding from `get_encoding` is pickled by name, because any process can get it by name.
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

            self._copy_from(get_encoding(state))
        else:
            Encoding.__init__(self, **state)

    def __copy__(self) -> Self:
        # Shares the tables, which are never modified.
        new = type(self).__new__(type(self))
        new._copy_from(self)
        return new

    def _copy_from(self, other: Encoding) -> None:
        self._check_uninitialized()
        self.__dict__.update(other.__dict__)
        self.__dict__.pop("encode_ordinary", None)
        self._bind()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = self.__copy__()
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            new.__dict__[name] = copy.deepcopy(value, memo)
        return new


def _split_aliases(
    special_tokens: dict[str, int], highest: int
) -> tuple[dict[str, int], dict[int, int]]:
    """Returns the special tokens with unique ids, and a map from each substitute id to the shared one.

    In tiktoken, special tokens may share an id (two tokens of o200k_harmony do); in a native model they
    may not. The first token keeps the id; further tokens get substitute ids above ``highest``.
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


def _replace_surrogates(text: str) -> str:
    """Joins surrogate pairs and replaces lone surrogates with U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _check_threads(num_threads: int | None) -> int:
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

from collections.abc import Callable, Collection, Iterable, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, final, overload, type_check_only

import numpy as np
import numpy.typing as npt
from typing_extensions import CapsuleType, Self

from ._added_token import AddedToken

__all__ = [
    "DecodeStream",
    "EncodeStream",
    "PieceCounts",
    "Tokenizer",
    "__version__",
    "_parse_ranks",
    "count_pieces",
]

__version__: str

@type_check_only
class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@type_check_only
class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> object: ...

@type_check_only
class _Encoding(Protocol):
    """``tiktoken.Encoding`` of either package."""

    _pat_str: str
    _mergeable_ranks: dict[bytes, int]
    _special_tokens: dict[str, int]

_Arrow: TypeAlias = _ArrowStream | _ArrowArray
_Path: TypeAlias = str | PathLike[str]
_Allowed: TypeAlias = Literal["all"] | Collection[str]
_Progress: TypeAlias = bool | Callable[[str, int, int | None], object] | None
_Ids: TypeAlias = Sequence[int] | npt.NDArray[np.integer[Any]]
_Side: TypeAlias = Literal["left", "right"]

@final
class Tokenizer:
    @staticmethod
    def train(
        *,
        files: Iterable[_Path] | None = None,
        iterator: Iterable[str | bytes] | _Arrow | None = None,
        counts: PieceCounts | _Arrow | None = None,
        vocab_size: int = 32768,
        pattern: str | None = None,
        special_tokens: Iterable[str] = (),
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
        tie_break: Literal["raw", "huggingface"] = "raw",
        column: str | None = None,
        text: bool = False,
        json_lines: bool = False,
        recursive: bool = False,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        threads: int | None = None,
        progress: _Progress = None,
    ) -> Tokenizer: ...
    @staticmethod
    def from_file(path: _Path, pattern: str | None = None) -> Tokenizer: ...
    @staticmethod
    def from_bytes(data: bytes) -> Tokenizer: ...
    @staticmethod
    def from_pretrained(directory: _Path) -> Tokenizer: ...
    @staticmethod
    def from_tiktoken(encoding: _Encoding) -> Tokenizer: ...
    def save(self, path: _Path) -> None: ...
    def save_pretrained(self, directory: _Path, config: dict[str, Any] | None = None) -> None: ...
    def to_bytes(self) -> bytes: ...
    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
    ) -> list[int]: ...
    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
    ) -> list[list[int]]: ...
    def encode_numpy(
        self,
        text: str | bytes,
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
    ) -> npt.NDArray[np.uint32]: ...
    def encode_batch_numpy(
        self,
        texts: Iterable[str | bytes],
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]: ...
    def encode_padded(
        self,
        texts: Iterable[str | bytes],
        pad: int | str,
        length: int | None = None,
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
        pad_side: _Side = "right",
        truncate_side: _Side = "right",
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]: ...
    def encode_with_offsets(
        self, text: str | bytes, *, allowed_special: _Allowed = ()
    ) -> tuple[list[int], list[tuple[int, int]]]: ...
    def encode_stream(self, *, allowed_special: _Allowed = ()) -> EncodeStream: ...
    def count(
        self, text: str | bytes, threads: int = 1, *, allowed_special: _Allowed = ()
    ) -> int: ...
    def count_batch(
        self, texts: Iterable[str | bytes], threads: int = 1, *, allowed_special: _Allowed = ()
    ) -> list[int]: ...
    def count_till_limit(self, text: str | bytes, limit: int) -> int | None: ...
    @overload
    def truncate(self, text: str, limit: int) -> tuple[str, int]: ...
    @overload
    def truncate(self, text: bytes, limit: int) -> tuple[bytes, int]: ...
    def decode(
        self, ids: _Ids, errors: str = "replace", *, skip_special_tokens: bool = False
    ) -> str: ...
    def decode_bytes(self, ids: _Ids, *, skip_special_tokens: bool = False) -> bytes: ...
    def decode_batch(
        self,
        batch: Iterable[_Ids],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> list[str]: ...
    def decode_stream(self, *, skip_special_tokens: bool = False) -> DecodeStream: ...
    def token_to_id(self, token: str | bytes) -> int: ...
    def id_to_token(self, id: int) -> bytes: ...
    def token_bytes(self, *, as_text: bool = False) -> npt.NDArray[np.int32]: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def pattern(self) -> str: ...
    @property
    def special_tokens(self) -> dict[str, int]: ...
    @property
    def added_tokens(self) -> list[AddedToken]: ...
    @property
    def vocab(self) -> dict[bytes, int]: ...
    @property
    def merges(self) -> list[tuple[bytes, bytes]]: ...
    @staticmethod
    def _of_ranks(
        mergeable_ranks: dict[bytes, int], special_tokens: dict[str, int], pat_str: str
    ) -> Tokenizer: ...
    @staticmethod
    def _train_from_iterator(
        iterator: Iterable[str],
        vocab_size: int,
        buffer_size: int,
        pattern: str,
        progress: Callable[[str, int, int | None], object],
    ) -> Tokenizer: ...
    def _encode_ordinary(self, text: str) -> list[int]: ...
    def _encode_by_rules(
        self, text: str, allowed: _Allowed, disallowed: _Allowed, as_array: bool = False
    ) -> Any: ...
    def _encode_batch_by_rules(
        self, texts: Sequence[str], threads: int, allowed: _Allowed, disallowed: _Allowed
    ) -> Any: ...
    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]: ...
    def _decode(self, tokens: _Ids, errors: str) -> str: ...
    def _decode_bytes(self, tokens: _Ids) -> bytes: ...
    def _merge_bytes(self, piece: str | bytes) -> list[int]: ...
    def _last_piece(self, text: str) -> bytes: ...
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: object) -> Self: ...

@final
class EncodeStream:
    def push(self, chunk: str | bytes) -> list[int]: ...
    def finish(self) -> list[int]: ...

@final
class DecodeStream:
    def push(self, ids: int | _Ids) -> str: ...
    def finish(self) -> str: ...

@final
class PieceCounts:
    @staticmethod
    def from_arrow(table: _Arrow, pattern: str | None = None) -> PieceCounts: ...
    @staticmethod
    def load(*paths: _Path, pattern: str | None = None) -> PieceCounts: ...
    def save(self, path: _Path) -> None: ...
    @property
    def pattern(self) -> str: ...
    @property
    def total(self) -> int: ...
    def items(self) -> list[tuple[bytes, int]]: ...
    def __len__(self) -> int: ...
    def __add__(self, value: PieceCounts, /) -> PieceCounts: ...
    def __radd__(self, value: PieceCounts, /) -> PieceCounts: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...

def count_pieces(
    documents: Iterable[str | bytes] | _Arrow | None = None,
    *,
    files: Iterable[_Path] | None = None,
    pattern: str = "cl100k",
    column: str | None = None,
    text: bool = False,
    json_lines: bool = False,
    recursive: bool = False,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    threads: int | None = None,
    progress: _Progress = None,
) -> PieceCounts: ...

def _parse_ranks(contents: bytes) -> dict[bytes, int] | None: ...

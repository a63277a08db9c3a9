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
    """``tiktoken.Encoding`` or ``tokenizer_py.tiktoken.Encoding``."""

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
    """A model that encodes and decodes text.

    Created by `Tokenizer.train`, `Tokenizer.from_file`, `Tokenizer.from_pretrained`,
    `Tokenizer.from_tiktoken` or `Tokenizer.from_bytes`. Immutable: threads may share it, and it can be
    pickled.

    Text is `str` or `bytes`. Invalid UTF-8 in `bytes` is preserved; a lone surrogate in a `str` raises
    `UnicodeEncodeError`.

        >>> from tokenizer_py import Tokenizer
        >>> tokenizer = Tokenizer.from_file("cl100k_base.tiktoken", pattern="cl100k")
        >>> tokenizer.encode("hello world")
        [15339, 1917]
        >>> tokenizer.decode([15339, 1917])
        'hello world'
    """
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
    ) -> Tokenizer:
        """Trains a model on files, documents or counted pieces.

        Threads count documents while the next ones are read, so only a few megabytes of text are in
        memory. The result is the same for any number of threads and any order of documents. Ctrl-C
        stops training. Messages go to the logger "tokenizer_py".

        Args:
            files (Iterable[str | os.PathLike]): files, as in `count_pieces`.
            iterator (Iterable[str | bytes] | Arrow): alternatively, documents, as in `count_pieces`.
            counts (PieceCounts | Arrow): alternatively, counted pieces, or a table of them as in
                `PieceCounts.from_arrow`.
            vocab_size (int): the number of ids: 256 bytes, merges and special tokens. If the text has
                too few pairs, the vocabulary is smaller and a warning is logged.
            pattern (str | None): the pattern that splits text into pieces: a name (gpt2, cl100k, o200k,
                nanochat), or a regex. Text that the regex does not match becomes pieces too. The default
                is cl100k, or the pattern of the counts.
            special_tokens (Iterable[str]): special tokens. Their ids follow those of the merges. With
                tie_break "huggingface", their ids come first, and a special token of a single byte shares
                the id of that byte.
            min_frequency (int): pairs that occur less often are not merged.
            max_token_bytes (int | None): the maximum length of a token in bytes. With tie_break
                "huggingface", values below 2 mean 2. For Hugging Face's `max_token_length` 17, pass 16.
            tie_break ("raw" | "huggingface"): how pairs with equal counts are ordered and ids are
                assigned: "raw" as in rustbpe, "huggingface" as in Hugging Face's trainer.
            column (str | None): the column or field with the documents, as in `count_pieces`.
            text, json_lines, recursive, include, exclude: options for files, as in `count_pieces`.
            threads (int | None): the number of threads; by default, one per processor.
            progress (bool | Callable): True shows a bar; a callable receives the stage ("counting" or
                "merging"), the bytes or merges done, and their total (None if it is unknown).

        Raises:
            TypeError: wrong type, or not exactly one of files, iterator and counts is given.
            ValueError: vocab_size is too large, or too small for the bytes and special tokens; the
                pattern is invalid or fails on a document; a special token is empty or a duplicate; a
                file is corrupt, is not text, or has no such column or field.
            UnicodeEncodeError: a document contains a lone surrogate.
            OSError: a file cannot be read.
            Exception: any exception of the iterator or of `progress`.

            >>> trained = Tokenizer.train(iterator=["low lower lowest"] * 3, vocab_size=260)
            >>> trained.merges
            [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low'), (b' low', b'e')]
        """
    @staticmethod
    def from_file(
        path: _Path,
        pattern: str | None = None,
        *,
        special_tokens: dict[str, int] | None = None,
    ) -> Tokenizer:
        """Reads a model from a file.

        The extension selects the format: `.bpe`, `.json` (Hugging Face's tokenizer.json, or GPT-2's
        vocab.json beside merges.txt) or `.tiktoken`. A tokenizer.json is read alone; a vocab.json
        together with tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json,
        as in `from_pretrained`.

        Args:
            path (str | os.PathLike): the file.
            pattern (str | None): the pattern of a `.tiktoken` file: a name (gpt2, cl100k, o200k,
                nanochat), or a regex. Text that the regex does not match becomes pieces too. Other
                formats contain their pattern.
            special_tokens (dict[str, int] | None): special tokens of a `.tiktoken` file with their ids.
                The published files of r50k_base, p50k_base, cl100k_base and o200k_base are recognised:
                they need no pattern, and have their own special tokens, of which those with the same
                text or id as a given one are replaced.

        Raises:
            OSError: the file cannot be read (FileNotFoundError, IsADirectoryError, ...).
            ValueError: the model is invalid; the pattern is missing, invalid, or given for a format that
                contains its own; so are special tokens.

        Warns:
            UserWarning: no file names a tokenizer class, so vocab.json is assumed to be GPT-2's.

            >>> tokenizer.save("model.bpe")
            >>> Tokenizer.from_file("model.bpe")
            <tokenizer_py.Tokenizer vocab_size=100258 pattern=cl100k, ranks, 1 special tokens>
        """
    @staticmethod
    def from_encoding(name: str) -> Tokenizer:
        """Reads one of tiktoken's encodings from tiktoken's cache.

        The cache is the folder `TIKTOKEN_CACHE_DIR`, else `DATA_GYM_CACHE_DIR`, else `data-gym-cache` in
        the folder for temporary files. Nothing is downloaded; `tokenizer_py.tiktoken.get_encoding`
        downloads into the same cache.

        Args:
            name (str): gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base or o200k_harmony.
                Of the two texts that o200k_harmony has for the id 200018, only `<|endofprompt|>` is a
                special token.

        Raises:
            OSError: the file cannot be read.
            ValueError: the encoding is unknown, or its file is not in the cache or is damaged; the
                message names the file and the command that fetches it.

            >>> Tokenizer.from_encoding("cl100k_base").encode("hello world")
            [15339, 1917]
        """
    @staticmethod
    def from_bytes(data: bytes) -> Tokenizer:
        """Reads a model from the content of a `.bpe` file, as returned by `to_bytes`.

        Args:
            data (bytes): the content.

        Raises:
            ValueError: not a model, or corrupt or truncated.

            >>> Tokenizer.from_bytes(tokenizer.to_bytes()).vocab_size == tokenizer.vocab_size
            True
        """
    @staticmethod
    def from_pretrained(directory: _Path) -> Tokenizer:
        """Reads a model from a folder written by transformers or `save_pretrained`.

        Reads `tokenizer.json`, or GPT-2's `vocab.json` with `merges.txt`, and adds the tokens of
        `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`. The ids equal those
        of transformers' `AutoTokenizer.from_pretrained`.

        Args:
            directory (str | os.PathLike): the local folder; or, if that does not exist, `OWNER/NAME`, a
                model in Hugging Face's local cache. Nothing is downloaded.

        Raises:
            OSError: a file is missing or cannot be read.
            ValueError: the model cannot be represented exactly, its tokenizer class is not supported, or
                it is not in the cache.

        Warns:
            UserWarning: no file names a tokenizer class, so vocab.json is assumed to be GPT-2's.

            >>> tokenizer.save_pretrained("folder")
            >>> Tokenizer.from_pretrained("folder").encode("hello world")
            [15339, 1917]
        """
    @staticmethod
    def from_tiktoken(encoding: _Encoding) -> Tokenizer:
        """Converts an encoding of `tokenizer_py.tiktoken` or of the package tiktoken.

        Args:
            encoding (tiktoken.Encoding): the encoding.

        Returns:
            Tokenizer: a model with the same ids. As in tiktoken, text that the pattern does not match
                is dropped.

        Raises:
            AttributeError, TypeError, OverflowError: not an encoding.
            ValueError: inconsistent tables, or two special tokens share an id.

            >>> Tokenizer.from_tiktoken(encoding).encode("hello world")
            [31373, 995]
        """
    def save(self, path: _Path) -> None:
        """Writes the model to a file atomically. The extension selects the format: `.bpe` (complete),
        `.json` (tokenizer.json) or `.tiktoken` (ranks only).

        Args:
            path (str | os.PathLike): the file.

        Raises:
            OSError: the file cannot be written.
            ValueError: the format cannot represent this model, or the extension is unknown.

            >>> tokenizer.save("model.bpe")
        """
    def save_pretrained(self, directory: _Path, config: dict[str, Any] | None = None) -> None:
        """Writes a folder that `AutoTokenizer.from_pretrained` of transformers 4 and 5 loads:
        `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

        Args:
            directory (str | os.PathLike): the folder, created if missing.
            config (dict | None): further entries of `tokenizer_config.json`, such as `chat_template`
                and `model_max_length`. The entries bos_token, eos_token, unk_token, sep_token,
                pad_token, cls_token and mask_token must be added tokens of the model.

        Raises:
            OSError: a file cannot be written.
            ValueError: tokenizer.json cannot represent this model, or one of these seven entries is not
                an added token.
            TypeError: one of these entries is not a `str`, or another cannot be represented as JSON.

            >>> tokenizer.save_pretrained("folder", {"bos_token": "<|bos|>"})
        """
    def to_bytes(self) -> bytes:
        """Returns the content of the model's `.bpe` file. Equal models give equal bytes.

        >>> pathlib.Path("model.bpe").write_bytes(tokenizer.to_bytes()) > 0
        True
        """
    def encode(
        self,
        text: str | bytes,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
        add_special_tokens: bool = False,
    ) -> list[int]:
        """Returns the ids of a text.

        Special tokens in the text are encoded as ordinary text unless they are allowed.

        Args:
            text (str | bytes): the text.
            allowed_special ("all" | Collection[str]): the special tokens to recognise; of two that
                start at the same position, the longer wins.
            prepend (int | str | None): an id or special token to insert before the ids.
            append (int | str | None): an id or special token to add after the ids.
            add_special_tokens (bool): apply the post-processor of the model's `tokenizer.json`, inside
                `prepend` and `append`.

        Raises:
            TypeError: not `str` or `bytes`.
            UnicodeEncodeError: the `str` contains a lone surrogate.
            ValueError: a special token is unknown; or the regex fails on the text (the message
                contains the byte offset).
            KeyError: unknown id to prepend or append.

            >>> tokenizer.encode("hello<|bos|>", allowed_special={"<|bos|>"})
            [15339, 100257]
            >>> tokenizer.encode("hello", prepend="<|bos|>")
            [100257, 15339]
        """
    def encode_pair(
        self,
        first: str | bytes,
        second: str | bytes,
        *,
        add_special_tokens: bool = True,
        allowed_special: _Allowed = (),
    ) -> tuple[list[int], list[int]]:
        """Returns the ids of a pair of texts and their type ids, as the post-processor of the model's
        `tokenizer.json` arranges them. Without a post-processor, the ids of the texts follow each other and
        have the type ids 0 and 1.

        Args:
            first, second (str | bytes): the texts.
            add_special_tokens (bool): add the special tokens of the post-processor.
            allowed_special: as in `encode`.

        Returns:
            tuple[list[int], list[int]]: the ids, and the type id of each.

        Raises:
            TypeError, UnicodeEncodeError: as `encode`.
            ValueError: as `encode`, or the file of the model has no template for pairs.

            >>> tokenizer.encode_pair("hello world", "hello")
            ([15339, 1917, 15339], [0, 0, 1])
        """
    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
        add_special_tokens: bool = False,
    ) -> list[list[int]]:
        """Returns the ids of many texts as lists.

        Other threads encode while the calling thread builds the lists, so more than two or three
        threads gain little. The result is the same for any number of threads.

        Args:
            texts (Iterable[str | bytes]): the texts.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, prepend, append, add_special_tokens: as in `encode`, for every text.

        Raises:
            TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message contains the
                index of the text.

            >>> tokenizer.encode_batch(["hello world", "hello"], append="<|bos|>")
            [[15339, 1917, 100257], [15339, 100257]]
        """
    def encode_numpy(
        self,
        text: str | bytes,
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
        add_special_tokens: bool = False,
    ) -> npt.NDArray[np.uint32]:
        """Returns the ids of a text as an array.

        Args:
            text (str | bytes): the text.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, prepend, append, add_special_tokens: as in `encode`.

        Returns:
            numpy.ndarray: one-dimensional, uint32.

        Raises:
            ImportError: numpy is not installed.
            TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`.

            >>> tokenizer.encode_numpy("hello world")
            array([15339,  1917], dtype=uint32)
        """
    def encode_batch_numpy(
        self,
        texts: Iterable[str | bytes],
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        prepend: int | str | None = None,
        append: int | str | None = None,
        add_special_tokens: bool = False,
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Returns the ids of many texts in one array.

        The result is the same for any number of threads.

        Args:
            texts (Iterable[str | bytes]): the texts.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, prepend, append, add_special_tokens: as in `encode`, for every text.

        Returns:
            tuple[numpy.ndarray, numpy.ndarray]: the ids of all texts (uint32), and offsets (int64, one
            more than there are texts). The ids of text n are ids[offsets[n]:offsets[n + 1]].

        Raises:
            ImportError: numpy is not installed.
            TypeError, UnicodeEncodeError, ValueError, KeyError: as `encode`; the message contains the
                index of the text.

            >>> ids, offsets = tokenizer.encode_batch_numpy(["hello world", "hello"])
            >>> offsets
            array([0, 2, 3])
        """
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
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Returns the ids of many texts as a matrix with one row per text.

        Rows are padded with `pad` or truncated. Truncation removes ids of the text, never prepended or
        appended ids.

        Args:
            texts (Iterable[str | bytes]): the texts.
            pad (int | str): the id or special token for padding. An id outside the vocabulary is
                allowed.
            length (int | None): the number of columns; by default, the length of the longest row.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, prepend, append: as in `encode`, for every text.
            pad_side ("right" | "left"): the side to pad.
            truncate_side ("right" | "left"): the side to truncate.

        Returns:
            tuple[numpy.ndarray, numpy.ndarray]: the matrix (uint32, of shape (texts, length)), and the
            number of ids of each row without padding (int64, of shape (texts,)).

        Raises:
            ImportError: numpy is not installed.
            ValueError: as `encode`, or `length` has no room for the prepended and appended ids.
            MemoryError: the matrix does not fit into memory.
            TypeError, UnicodeEncodeError, KeyError: as `encode`; the message contains the index of
                the text.

            >>> matrix, lengths = tokenizer.encode_padded(["hello world", "hello"], pad=0)
            >>> matrix
            array([[15339,  1917],
                   [15339,     0]], dtype=uint32)
            >>> lengths
            array([2, 1])
        """
    def encode_with_offsets(
        self, text: str | bytes, *, allowed_special: _Allowed = ()
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Returns the ids of a text and the range of the text that each id covers.

        Args:
            text (str | bytes): the text.
            allowed_special: as in `encode`.

        Returns:
            tuple[list[int], list[tuple[int, int]]]: the ids, and the start and end of each. For a `str`,
            ranges are in characters; a token with part of a character covers the whole character, so
            ranges may overlap. For `bytes`, ranges are in bytes. If the model's file has `trim_offsets`,
            ranges exclude the spaces at the ends of tokens.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as `encode`.

            >>> tokenizer.encode_with_offsets("hello world")
            ([15339, 1917], [(0, 5), (5, 11)])
        """
    def encode_stream(self, *, allowed_special: _Allowed = ()) -> EncodeStream:
        """Returns an encoder that takes a text in chunks. A chunk may end anywhere, even within a special
        token.

        Args:
            allowed_special: as in `encode`.

        Returns:
            EncodeStream: `push` takes a chunk and returns the ids that later chunks cannot change;
            `finish` returns the rest. Together, these are the ids of the whole text.

        Raises:
            ValueError: unknown special token.

            >>> stream = tokenizer.encode_stream()
            >>> stream.push("hello wor") + stream.push("ld") + stream.finish()
            [15339, 1917]
        """
    def count(
        self,
        text: str | bytes,
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        add_special_tokens: bool = False,
    ) -> int:
        """Returns the number of ids of a text. Faster than `encode`, because it stores no ids.

        Args:
            text (str | bytes): the text.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, add_special_tokens: as in `encode`.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as `encode`.

            >>> tokenizer.count("hello world")
            2
        """
    def count_batch(
        self,
        texts: Iterable[str | bytes],
        threads: int = 1,
        *,
        allowed_special: _Allowed = (),
        add_special_tokens: bool = False,
    ) -> list[int]:
        """Returns the number of ids of each of many texts.

        Args:
            texts (Iterable[str | bytes]): the texts.
            threads (int): the maximum number of threads, at least 1.
            allowed_special, add_special_tokens: as in `encode`.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as `encode`; the message contains the index of
                the text.

            >>> tokenizer.count_batch(["hello world", "hello"])
            [2, 1]
        """
    def count_till_limit(self, text: str | bytes, limit: int) -> int | None:
        """Returns the number of ids of a text, or None if there are more than `limit`.

        Stops at the limit, so even for a long text the cost is that of encoding `limit` ids. However, a
        normalizer, or added tokens that are not special, are applied to the whole text first. Special
        tokens are encoded as ordinary text.

        Args:
            text (str | bytes): the text.
            limit (int): the maximum number of ids.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as `encode`.

            >>> tokenizer.count_till_limit("hello world", 8)
            2
            >>> tokenizer.count_till_limit("hello world" * 1000, 8) is None
            True
        """
    @overload
    def truncate(self, text: str, limit: int) -> tuple[str, int]:
        """Returns the longest prefix of a text with at most `limit` ids.

        The prefix ends at a character boundary and is encoded on its own. In invalid UTF-8, each
        maximal invalid sequence counts as one character. Special tokens are encoded as ordinary text.

        Some cases are not searched exhaustively, because that would take quadratic time: a stretch of
        several hundred bytes without a piece boundary (a word, a run of spaces, Chinese without
        punctuation), a custom regex, text that a normalizer changes, and added tokens that are not
        special. The returned prefix then fits, and none of the next 17 longer prefixes does, but a still
        longer one may.

        Args:
            text (str | bytes): the text.
            limit (int): the maximum number of ids.

        Returns:
            tuple[str | bytes, int]: the prefix, of the type of the text, and its number of ids.

        Raises:
            TypeError, UnicodeEncodeError, ValueError: as `encode`.

            >>> tokenizer.truncate("hello world, hello all", 3)
            ('hello world,', 3)
            >>> tokenizer.truncate("这是一个没有标点的很长的中文句子", 8)
            ('这是一个没有标点的', 7)
        """
    @overload
    def truncate(self, text: bytes, limit: int) -> tuple[bytes, int]: ...
    def decode(
        self, ids: _Ids, errors: str = "replace", *, skip_special_tokens: bool = False
    ) -> str:
        """Returns the text of ids.

        Args:
            ids (Sequence[int] | numpy.ndarray): the ids.
            errors (str): how to handle invalid UTF-8, as in `bytes.decode`.
            skip_special_tokens (bool): omit special tokens, but keep other added tokens.

        Raises:
            KeyError: unknown id.
            OverflowError: an id is negative or exceeds 32 bits.
            TypeError: an id is not an integer.
            UnicodeDecodeError: invalid UTF-8 with errors="strict".

            >>> tokenizer.decode([100257, 15339, 1917])
            '<|bos|>hello world'
            >>> tokenizer.decode([100257, 15339, 1917], skip_special_tokens=True)
            'hello world'
        """
    def decode_bytes(self, ids: _Ids, *, skip_special_tokens: bool = False) -> bytes:
        """Returns the bytes of ids, which may be invalid UTF-8: a token can be part of a character.

        Args:
            ids (Sequence[int] | numpy.ndarray): the ids.
            skip_special_tokens (bool): omit special tokens, but keep other added tokens.

        Raises:
            KeyError, OverflowError, TypeError: as `decode`.

            >>> tokenizer.decode_bytes([15339, 1917])
            b'hello world'
        """
    def decode_batch(
        self,
        batch: Iterable[_Ids],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> list[str]:
        """Returns the texts of many lists of ids.

        Args:
            batch (Iterable[Sequence[int] | numpy.ndarray]): the lists.
            errors, skip_special_tokens: as in `decode`.

        Raises:
            KeyError, OverflowError, TypeError, UnicodeDecodeError: as `decode`.

            >>> tokenizer.decode_batch([[15339, 1917], [15339]])
            ['hello world', 'hello']
        """
    def decode_stream(self, *, skip_special_tokens: bool = False) -> DecodeStream:
        """Returns a decoder for ids that arrive one at a time.

        Args:
            skip_special_tokens (bool): omit special tokens, but keep other added tokens.

        Returns:
            DecodeStream: `push` takes one or more ids and returns the complete characters;
            `finish` returns the rest.

            >>> stream = tokenizer.decode_stream()
            >>> "".join(stream.push(id) for id in [15339, 1917]) + stream.finish()
            'hello world'
        """
    def extend(
        self,
        *,
        files: Iterable[_Path] | None = None,
        iterator: Iterable[str | bytes] | _Arrow | None = None,
        counts: PieceCounts | _Arrow | None = None,
        vocab_size: int,
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
        keep_special_ids: bool = False,
        column: str | None = None,
        text: bool = False,
        json_lines: bool = False,
        recursive: bool = False,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        threads: int | None = None,
        progress: _Progress = None,
    ) -> Tokenizer:
        """Returns a new tokenizer with more merges, learned from files, documents or counted pieces. This one
        does not change, because tokenizers are immutable.

        The new merges are those that `train` would have learned next. Ordinary tokens keep their ids.
        Special tokens after the ordinary ones are renumbered to follow the new tokens, unless
        keep_special_ids is set. Messages go to the logger "tokenizer_py".

        Args:
            files, iterator, counts, column, text, json_lines, recursive, include, exclude, threads,
                progress: as in `train`. Documents are normalized as the model does; counts must come
                from the model's pattern and, if it has a normalizer, from normalized text.
            vocab_size (int): the number of ids of the new tokenizer. If the text has too few pairs, the
                vocabulary is smaller and a warning is logged.
            min_frequency (int): pairs that occur less often are not merged.
            max_token_bytes (int | None): the maximum length of a new token in bytes.
            keep_special_ids (bool): no id changes: new tokens take the ids after the highest one, since
                the rows of a trained model's embedding must not move.

        Raises:
            TypeError: wrong type, or not exactly one of files, iterator and counts is given.
            ValueError: vocab_size leaves no new ids; the model cannot be extended, because not every byte
                is a token or its pre-tokenizer changes text; or as in `train`.
            UnicodeEncodeError: a document contains a lone surrogate.
            OSError: a file cannot be read.
            Exception: any exception of the iterator or of `progress`.

            >>> size = tokenizer.vocab_size + 1
            >>> larger = tokenizer.extend(iterator=["tokenizers"] * 9, vocab_size=size, keep_special_ids=True)
            >>> larger.vocab_size == size
            True
        """
    def add_tokens(
        self, tokens: Iterable[str | AddedToken], *, special: bool = False
    ) -> Tokenizer:
        """Returns a new tokenizer with more special or added tokens. This one does not change, because
        tokenizers are immutable. No id changes: new tokens take the ids after the highest one.

        Ids equal those of `add_tokens` of `tokenizers`. A token that exists keeps its id: an added token
        takes the new flags, and an ordinary token, in byte-level spelling, becomes an added token.

        Args:
            tokens (Iterable[str | AddedToken]): the tokens: texts, or objects with the attributes of an
                `AddedToken`, of this package or of `tokenizers`. Their ids are ignored.
            special (bool): all tokens are special. A text has the flag `normalized` if it is not special,
                and no other flag.

        Raises:
            TypeError: `tokens` is a single text, or an element has another type.
            ValueError: the tokens together are too long.

            >>> larger = tokenizer.add_tokens(["<|call|>"], special=True)
            >>> larger.token_to_id("<|call|>") == tokenizer.vocab_size
            True
        """
    def token_to_id(self, token: str | bytes) -> int:
        """Returns the id of a token, ordinary or special.

        Args:
            token (str | bytes): the complete token.

        Raises:
            KeyError: not a token.

            >>> tokenizer.token_to_id("hello")
            15339
        """
    def id_to_token(self, id: int) -> bytes:
        """Returns the bytes of an id, ordinary or special.

        Args:
            id (int): the id.

        Raises:
            KeyError: unknown id.
            OverflowError: the id is negative or exceeds 32 bits.

            >>> tokenizer.id_to_token(15339)
            b'hello'
        """
    def token_bytes(self, *, as_text: bool = False) -> npt.NDArray[np.int32]:
        """Returns the length of each token in bytes, to convert a loss per token to a loss per byte.
        nanochat stores these numbers in `token_bytes.pt`.

        Args:
            as_text (bool): measure the UTF-8 of the decoded token, as nanochat did before July 2026.
                An incomplete character in a token then counts as U+FFFD, three bytes.

        Returns:
            numpy.ndarray: int32 of shape (vocab_size,); 0 for special tokens and unused ids.

        Raises:
            ImportError: numpy is not installed.

            >>> lengths = tokenizer.token_bytes()
            >>> lengths[tokenizer.encode("hello world")]
            array([5, 6], dtype=int32)
        """
    @property
    def vocab_size(self) -> int:
        """The highest id plus one, including special tokens: the number of rows of an embedding table."""
    @property
    def pattern(self) -> str:
        """The regex that splits text into pieces."""
    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens with their ids, in ascending order of id, as a new dict. Added tokens that
        are not special are in `added_tokens` only.
        """
    @property
    def added_tokens(self) -> list[AddedToken]:
        """All added tokens, including special ones, in ascending order of id, as a new list.

        >>> tokenizer.added_tokens[0]
        AddedToken(content='<|bos|>', id=100257, special=True, normalized=False, lstrip=False, rstrip=False, single_word=False)
        """
    @property
    def vocab(self) -> dict[bytes, int]:
        """The ordinary tokens with their ids, in ascending order of id, as a new dict. If several tokens
        have the same bytes, the dict contains the highest of their ids.

            >>> tokenizer.vocab[b"hello"]
            15339
        """
    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The merges in order, as a new list of pairs of tokens.

        A model with ranks instead of merges, as in tiktoken, has one pair per token of at least two
        bytes: the pair whose merge creates it. Tokens that no merge creates are omitted.

            >>> tokenizer.merges[:3]
            [(b' ', b' '), (b'  ', b'  '), (b'i', b'n')]
        """
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
    """Encodes a text in chunks. Created by `Tokenizer.encode_stream`.

    Holds back the text whose ids a later chunk could change: roughly the last word and trailing
    white space.

        >>> stream = tokenizer.encode_stream()
        >>> stream.push("hello wor")
        [15339]
        >>> stream.push("ld")
        []
        >>> stream.finish()
        [1917]
    """
    def push(self, chunk: str | bytes) -> list[int]:
        """Takes a chunk and returns the ids that later chunks cannot change.

        Args:
            chunk (str | bytes): the chunk; bytes may start and end within a character.

        Raises:
            TypeError: not `str` or `bytes`.
            UnicodeEncodeError: the `str` contains a lone surrogate.
            ValueError: the stream is finished, or the regex fails on the text.
            RuntimeError: another call is using the stream.
            KeyboardInterrupt: the stream is then finished, and ids not yet returned are lost.

            >>> tokenizer.encode_stream().push("hello world and")
            [15339, 1917]
        """
    def finish(self) -> list[int]:
        """Ends the text and returns the remaining ids.

        Raises:
            ValueError: the stream is finished, or the regex fails on the text.
            RuntimeError: another call is using the stream.

            >>> tokenizer.encode_stream().finish()
            []
        """

@final
class DecodeStream:
    """Decodes ids as they arrive and returns complete characters. Created by `Tokenizer.decode_stream`.

    >>> stream = tokenizer.decode_stream()
    >>> [stream.push(id) for id in tokenizer.encode("hé 🦊")]
    ['h', 'é', ' ', '', '🦊']
    """
    def push(self, ids: int | _Ids) -> str:
        """Takes one or more ids and returns the characters that they complete.

        Args:
            ids (int | Sequence[int] | numpy.ndarray): the id or ids.

        Raises:
            KeyError: unknown id. The stream has taken the ids before it, but their text is lost.
            OverflowError: an id is negative or exceeds 32 bits.
            TypeError: an id is not an integer.
            ValueError: the stream is finished.
            RuntimeError: another call is using the stream.
            KeyboardInterrupt: the stream is then finished, and text not yet returned is lost.

            >>> tokenizer.decode_stream().push([15339, 1917])
            'hello world'
        """
    def finish(self) -> str:
        """Ends the text and returns the remainder: U+FFFD after an incomplete character, otherwise "".

        Raises:
            ValueError: the stream is finished.
            RuntimeError: another call is using the stream.

            >>> tokenizer.decode_stream().finish()
            ''
        """

@final
class PieceCounts:
    """The distinct pieces of a corpus with their counts, and the pattern that split the corpus: the input
    for training.

    Created by `count_pieces`, `PieceCounts.from_arrow` and `PieceCounts.load`; `+` adds counts.
    Exports Arrow: `pyarrow.table(counts)`, `polars.DataFrame(counts)`.

        >>> counts = tokenizer_py.count_pieces(["to be or", " not to be"], pattern="cl100k")
        >>> counts.items()
        [(b' be', 2), (b' not', 1), (b' or', 1), (b' to', 1), (b'to', 1)]
        >>> Tokenizer.train(counts=counts, vocab_size=257).merges
        [(b' ', b'b')]
    """
    @staticmethod
    def from_arrow(table: _Arrow, pattern: str | None = None) -> PieceCounts:
        """Reads counts from an Arrow table, such as counts made on other machines.

        Args:
            table (Arrow): an object that exports Arrow (pyarrow, Polars, pandas, DuckDB), with the
                columns "piece" (binary) and "count" (integer). Counts of equal pieces are added.
            pattern (str | None): the pattern that split the pieces; required unless the metadata of
                the table contains it.

        Raises:
            TypeError: not Arrow, or a column has a different type.
            ValueError: a column or the pattern is missing, a value is null, a count is negative, the
                counts of a piece add up to more than 2^64 - 1, or the metadata has a different pattern.

            >>> counts = tokenizer_py.count_pieces(["to be", "to do"])
            >>> tokenizer_py.PieceCounts.from_arrow(counts) == counts
            True
        """
    @staticmethod
    def load(*paths: _Path, pattern: str | None = None) -> PieceCounts:
        """Reads files written by `save` or by the command `tokenizer count-pieces`, and adds their counts.

        Args:
            paths (str | os.PathLike): one or more files, `.tsv` or `.parquet`.
            pattern (str | None): the pattern that split the pieces; required for files that do not
                contain it.

        Raises:
            OSError: a file cannot be read.
            ValueError: invalid line or row, missing pattern, different patterns, or unknown extension.
            TypeError: no file is given.

            >>> tokenizer_py.count_pieces(["to be"]).save("counts.tsv")
            >>> tokenizer_py.PieceCounts.load("counts.tsv").items()
            [(b' be', 1), (b'to', 1)]
        """
    def save(self, path: _Path) -> None:
        """Writes the counts to a file atomically, in lexicographic order of the pieces.

        Args:
            path (str | os.PathLike): the file, `.tsv` or `.parquet`.

        Raises:
            OSError: the file cannot be written.
            ValueError: unknown extension.

            >>> tokenizer_py.count_pieces(["to be"]).save("counts.tsv")
        """
    @property
    def pattern(self) -> str:
        """The pattern that split the pieces: a name, or a regex after "keep:" or "drop:", which tells
        whether text that the regex does not match becomes pieces or is dropped. Several regexes that
        split in sequence are separated by tabs; "whole" is a pattern that does not split.
        """
    @property
    def total(self) -> int:
        """The sum of all counts."""
    def items(self) -> list[tuple[bytes, int]]:
        """Returns the pieces with their counts, in lexicographic order of the pieces.

        >>> tokenizer_py.count_pieces(["to be"]).items()
        [(b' be', 1), (b'to', 1)]
        """
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
) -> PieceCounts:
    """Splits documents into pieces and counts them.

    Args:
        documents (Iterable[str | bytes] | Arrow): the documents; no piece spans two of them. Arrow
            data (a table or column of pyarrow, Polars, pandas, DuckDB) must be of text or binary type
            and is read without copying; null rows are skipped.
        files (Iterable[str | os.PathLike]): alternatively, files: plain text (one document per file),
            JSON lines (.jsonl, .ndjson, .json, .jsonlines, .jl), both optionally compressed with gzip
            or Zstandard, or Parquet. Other content, such as archives, images and models, is refused;
            so are JSON lines under another extension, unless text or json_lines is true. Text with NUL
            bytes or much invalid UTF-8 is read, with a UserWarning.
        pattern (str): a name (gpt2, cl100k, o200k, nanochat), or a regex. Text that the regex does not
            match becomes pieces too.
        column (str | None): the column of a table, or the field of JSON lines; by default "text", or
            the only column of an Arrow table.
        text (bool): read JSON as plain text, regardless of the extension.
        json_lines (bool): read text as JSON lines, regardless of the extension.
        recursive (bool): read all files below a folder, except hidden ones.
        include (Iterable[str] | None): globs; read only matching files of a folder. A glob with a
            slash is matched against the path relative to the folder, any other glob against the name.
        exclude (Iterable[str] | None): globs; skip matching files of a folder.
        threads (int | None): the number of threads; by default, one per processor.
        progress (bool | Callable): True shows a bar; a callable receives the stage ("counting"), the
            bytes done, and their total (None if it is unknown).

    Raises:
        TypeError: wrong type, or not exactly one of documents and files is given.
        UnicodeEncodeError: a document contains a lone surrogate.
        ValueError: the pattern is invalid or fails on a document; a file is corrupt, is not text, or
            has no such column or field; text and json_lines are both true.
        OSError: a file cannot be read.
        Exception: any exception of the iterator or of `progress`.

        >>> tokenizer_py.count_pieces(["to be", "to do"]).items()
        [(b' be', 1), (b' do', 1), (b'to', 2)]
    """

def _parse_ranks(contents: bytes) -> dict[bytes, int] | None: ...

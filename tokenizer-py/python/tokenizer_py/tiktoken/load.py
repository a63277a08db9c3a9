"""Reads vocabularies from files and from the network, and shares tiktoken's cache.

The cache directory is ``TIKTOKEN_CACHE_DIR``, else ``DATA_GYM_CACHE_DIR``, else ``data-gym-cache`` in the
directory for temporary files. An empty value of the variable disables the cache. The name of a cached file
is the SHA-1 of its address, as in tiktoken.
"""

from __future__ import annotations

import os

# Other modules are imported by the functions that need them: importing them takes longer than importing
# this package.
from .._native import _parse_ranks

__all__ = [
    "check_hash",
    "data_gym_to_mergeable_bpe_ranks",
    "dump_tiktoken_bpe",
    "load_tiktoken_bpe",
    "read_file",
    "read_file_cached",
]

_TIMEOUT_SECONDS = 60
"""Timeout of a network read."""


def read_file(blobpath: str) -> bytes:
    """Returns the content of a path, an ``http`` or ``https`` address, or another address that the
    package ``blobfile`` can read.

    Raises:
        OSError: the file cannot be read or downloaded.
        ImportError: the address requires ``blobfile``, which is not installed.
    """
    if "://" not in blobpath:
        with open(blobpath, "rb") as file:
            return file.read()
    if blobpath.startswith(("http://", "https://")):
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(blobpath, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"cannot fetch {blobpath}: {error}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ConnectionError(f"cannot fetch {blobpath}: {reason}") from error
    return _blobfile().read_bytes(blobpath)


def check_hash(data: bytes, expected_hash: str) -> bool:
    """Returns whether the SHA-256 of the data equals the expected one, given in hexadecimal."""
    import hashlib

    return hashlib.sha256(data).hexdigest() == expected_hash


def read_file_cached(blobpath: str, expected_hash: str | None = None) -> bytes:
    """Returns the content of a path or address and caches downloads. Local files are not cached.

    Args:
        blobpath: a path or an address.
        expected_hash: the SHA-256 of the content. A cached file with a different hash is downloaded
            again.

    Raises:
        ValueError: the download has a different hash.
        OSError: as ``read_file``; or a cache directory set by an environment variable is not writable.
    """
    folder, is_configured = _cache_folder()
    if not folder or "://" not in blobpath:
        return _verified(read_file(blobpath), blobpath, expected_hash)
    import hashlib

    path = os.path.join(folder, hashlib.sha1(blobpath.encode()).hexdigest())  # noqa: S324
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        pass
    else:
        if expected_hash is None or check_hash(data, expected_hash):
            return data
    try:
        data = _verified(read_file(blobpath), blobpath, expected_hash)
    except OSError as error:
        message = f"{error}; without a network connection, place the file at {path}"
        raise type(error)(message) from error
    try:
        _write_atomically(path, data)
    except OSError:
        # An unwritable default directory is not an error.
        if is_configured:
            raise
    return data


def load_tiktoken_bpe(tiktoken_bpe_file: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """Returns the tokens of a ``.tiktoken`` file with their ranks.

    Args:
        tiktoken_bpe_file: a path, or an address whose content is cached.
        expected_hash: the SHA-256 of the file; ``None`` skips the check.

    Raises:
        ValueError: invalid line; or as ``read_file_cached``.
        OSError: as ``read_file_cached``.

    >>> load_tiktoken_bpe("cl100k_base.tiktoken")[b"hello"]
    15339
    """
    contents = read_file_cached(tiktoken_bpe_file, expected_hash)
    ranks = _parse_ranks(contents)
    if ranks is not None:
        return ranks
    import base64

    ranks = {}
    for line in contents.splitlines():
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
        except Exception as error:
            raise ValueError(f"Error parsing line {line!r} in {tiktoken_bpe_file}") from error
    return ranks


def dump_tiktoken_bpe(bpe_ranks: dict[bytes, int], tiktoken_bpe_file: str) -> None:
    """Writes tokens and ranks to a ``.tiktoken`` file in ascending order of rank.

    An empty token is written as ``=``, as in Whisper's file; tiktoken writes an empty field, which it
    cannot read back. A local file is written atomically. Addresses require the package ``blobfile``.

    Raises:
        OSError: the file cannot be written.
        ImportError: the address requires ``blobfile``, which is not installed.
    """
    import base64

    lines = [
        b"%s %d\n" % (base64.b64encode(token) or b"=", rank)
        for token, rank in sorted(bpe_ranks.items(), key=lambda entry: entry[1])
    ]
    if "://" in tiktoken_bpe_file:
        with _blobfile().BlobFile(tiktoken_bpe_file, "wb") as file:
            file.write(b"".join(lines))
    else:
        _write_atomically(tiktoken_bpe_file, b"".join(lines))


def data_gym_to_mergeable_bpe_ranks(
    vocab_bpe_file: str,
    encoder_json_file: str,
    vocab_bpe_hash: str | None = None,
    encoder_json_hash: str | None = None,
    clobber_one_byte_tokens: bool = False,
) -> dict[bytes, int]:
    """Returns the tokens in GPT-2's two files, the merges and the vocabulary, with their ranks.

    Args:
        vocab_bpe_file: path or address of the merges.
        encoder_json_file: path or address of the vocabulary.
        vocab_bpe_hash: the SHA-256 of the merges; ``None`` skips the check.
        encoder_json_hash: the SHA-256 of the vocabulary; ``None`` skips the check.
        clobber_one_byte_tokens: take the ranks of single bytes from the vocabulary instead of GPT-2's
            fixed order.

    Raises:
        AssertionError: the files contradict each other.
        ValueError, OSError: as ``read_file_cached``.
    """
    import json

    # Both files write a byte as a character: itself if printable, else a character from U+0100 on.
    printable = [byte for byte in range(256) if chr(byte).isprintable() and byte != 0x20]
    others = [byte for byte in range(256) if byte not in printable]
    bytes_of = {chr(byte): byte for byte in printable}
    bytes_of.update({chr(256 + index): byte for index, byte in enumerate(others)})

    def decoded(word: str) -> bytes:
        return bytes([bytes_of[character] for character in word])

    merges = read_file_cached(vocab_bpe_file, vocab_bpe_hash).decode()
    ranks = {bytes([byte]): rank for rank, byte in enumerate(printable + others)}
    # Skips the first line, which has the version, and the empty string after the last newline.
    for rank, line in enumerate(merges.split("\n")[1:-1], len(ranks)):
        left, right = line.split()
        ranks[decoded(left) + decoded(right)] = rank

    encoder = json.loads(read_file_cached(encoder_json_file, encoder_json_hash))
    vocabulary = {decoded(word): id for word, id in encoder.items()}
    for special in (b"<|endoftext|>", b"<|startoftext|>"):
        vocabulary.pop(special, None)
    if clobber_one_byte_tokens:
        ranks.update({token: id for token, id in vocabulary.items() if len(token) == 1})
    if ranks != vocabulary:
        raise AssertionError(f"{vocab_bpe_file} and {encoder_json_file} contradict each other")
    return ranks


def _cache_folder() -> tuple[str, bool]:
    """Returns the cache directory and whether the user configured it."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if name in os.environ:
            return os.environ[name], True
    import tempfile

    return os.path.join(tempfile.gettempdir(), "data-gym-cache"), False


def _verified(data: bytes, source: str, expected_hash: str | None) -> bytes:
    if expected_hash and not check_hash(data, expected_hash):
        raise ValueError(
            f"Hash mismatch for data downloaded from {source} (expected {expected_hash}). "
            "This may indicate a corrupted download. Please try again."
        )
    return data


def _write_atomically(path: str, data: bytes) -> None:
    """Writes a file atomically: to a temporary file in the same directory, then renames it."""
    import uuid

    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.{uuid.uuid4()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        try:
            os.remove(temporary)
        except OSError:
            pass
        raise


def _blobfile():  # type: ignore[no-untyped-def]
    try:
        import blobfile  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "blobfile is not installed. Please install it by running `pip install blobfile`."
        ) from error
    return blobfile

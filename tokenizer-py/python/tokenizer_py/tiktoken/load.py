"""Reads vocabularies from files and from the network, by tiktoken's rules and with its cache.

What is fetched is kept in the folder that ``TIKTOKEN_CACHE_DIR`` names, or ``DATA_GYM_CACHE_DIR``, or
``data-gym-cache`` in the folder for temporary files; an empty name means nowhere. The name of a file
there is the SHA-1 of its address. So what tiktoken has fetched is used, and the other way round.
"""

from __future__ import annotations

import os

# What only some calls need is imported by them: the rest takes longer than the package itself.
from .._native import _parse_ranks

__all__ = [
    "check_hash",
    "data_gym_to_mergeable_bpe_ranks",
    "dump_tiktoken_bpe",
    "load_tiktoken_bpe",
    "read_file",
    "read_file_cached",
]

_SECONDS = 60
"""How long a server may be silent."""


def read_file(blobpath: str) -> bytes:
    """The content of a file: a path, an ``http`` or ``https`` address, or what the package
    ``blobfile`` reads.

    Raises:
        OSError: the file cannot be read, or the address not be reached.
        ImportError: another kind of address, and blobfile is not installed.
    """
    if "://" not in blobpath:
        with open(blobpath, "rb") as file:
            return file.read()
    if blobpath.startswith(("http://", "https://")):
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(blobpath, timeout=_SECONDS) as response:  # noqa: S310
                return response.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"cannot fetch {blobpath}: {error}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ConnectionError(f"cannot fetch {blobpath}: {reason}") from error
    return _blobfile().read_bytes(blobpath)


def check_hash(data: bytes, expected_hash: str) -> bool:
    """Whether the SHA-256 of the data is the one expected, in hexadecimal."""
    import hashlib

    return hashlib.sha256(data).hexdigest() == expected_hash


def read_file_cached(blobpath: str, expected_hash: str | None = None) -> bytes:
    """As ``read_file``, from the cache if it is there. A file of this machine is never cached.

    Args:
        blobpath: a path or an address.
        expected_hash: the SHA-256 that the content must have. What is in the cache and has another
            is fetched again.

    Raises:
        ValueError: what was fetched has another hash.
        OSError: as ``read_file``; or the folder that was named for the cache cannot be written.
    """
    folder, named = _cache_folder()
    if not folder or "://" not in blobpath:
        return _checked(read_file(blobpath), blobpath, expected_hash)
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
        data = _checked(read_file(blobpath), blobpath, expected_hash)
    except OSError as error:
        message = f"{error}. Without a network, put the file at {path}"
        raise type(error)(message) from error
    try:
        _write_whole(path, data)
    except OSError:
        # The default folder need not be writable.
        if named:
            raise
    return data


def load_tiktoken_bpe(tiktoken_bpe_file: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """The tokens of a ``.tiktoken`` file with their ranks.

    Args:
        tiktoken_bpe_file: a path or an address; what is fetched is cached.
        expected_hash: the SHA-256 of the file, checked when it is given.

    Raises:
        ValueError: a line cannot be read; or as ``read_file_cached``.
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
    """Writes tokens and ranks as a ``.tiktoken`` file, by ascending rank.

    An empty token is written as ``=``, as in Whisper's file: tiktoken writes nothing there, and
    cannot read the line again. A file of this machine is written whole or not at all; for addresses the package ``blobfile`` is
    needed.

    Raises:
        OSError: the file cannot be written.
        ImportError: an address, and blobfile is not installed.
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
        _write_whole(tiktoken_bpe_file, b"".join(lines))


def data_gym_to_mergeable_bpe_ranks(
    vocab_bpe_file: str,
    encoder_json_file: str,
    vocab_bpe_hash: str | None = None,
    encoder_json_hash: str | None = None,
    clobber_one_byte_tokens: bool = False,
) -> dict[bytes, int]:
    """The tokens of GPT-2's two files with their ranks.

    Args:
        vocab_bpe_file: the merges: a path or an address.
        encoder_json_file: the vocabulary: a path or an address.
        vocab_bpe_hash: the SHA-256 of the first, checked when it is given.
        encoder_json_hash: that of the second.
        clobber_one_byte_tokens: the ids of single bytes are those of the vocabulary, and not in the
            order in which GPT-2 has them.

    Raises:
        AssertionError: the files do not fit each other.
        ValueError, OSError: as ``read_file_cached``.
    """
    import json

    # In both files, a byte is a character: itself when it can be printed, or else one from 256 on.
    printable = [byte for byte in range(256) if chr(byte).isprintable() and byte != 0x20]
    others = [byte for byte in range(256) if byte not in printable]
    bytes_of = {chr(byte): byte for byte in printable}
    bytes_of.update({chr(256 + place): byte for place, byte in enumerate(others)})

    def decoded(word: str) -> bytes:
        return bytes([bytes_of[character] for character in word])

    merges = read_file_cached(vocab_bpe_file, vocab_bpe_hash).decode()
    ranks = {bytes([byte]): rank for rank, byte in enumerate(printable + others)}
    # The first line tells the version, and behind the last there is nothing.
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
        raise AssertionError(f"{vocab_bpe_file} and {encoder_json_file} do not fit each other")
    return ranks


def _cache_folder() -> tuple[str, bool]:
    """Where files are cached, and whether the user has named the folder."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if name in os.environ:
            return os.environ[name], True
    import tempfile

    return os.path.join(tempfile.gettempdir(), "data-gym-cache"), False


def _checked(data: bytes, source: str, expected_hash: str | None) -> bytes:
    if expected_hash and not check_hash(data, expected_hash):
        raise ValueError(
            f"Hash mismatch for data downloaded from {source} (expected {expected_hash}). "
            "This may indicate a corrupted download. Please try again."
        )
    return data


def _write_whole(path: str, data: bytes) -> None:
    """Writes a file beside the place and moves it there, so that nobody finds half a file."""
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

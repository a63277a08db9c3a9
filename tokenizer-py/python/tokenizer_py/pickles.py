"""Reads a pickled ``tiktoken.Encoding`` without running code from the pickle.

nanochat stores its tokenizer in ``tokenizer.pkl``, a pickle of an ``Encoding``. A pickle that tiktoken
wrote loads as tiktoken's class. These commands convert it to the class of this package, or to a model file::

    python -m tokenizer_py.pickles tokenizer.pkl tokenizer.pkl      # in place
    python -m tokenizer_py.pickles tokenizer.pkl tokenizer.bpe      # or .json, .tiktoken

``pickle.load`` calls any function that a pickle names. This module's ``load`` calls none. It accepts only an
``Encoding``, from tiktoken or from this package, with exactly the four expected attributes.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from .tiktoken.core import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["load", "loads", "main"]

_ENCODINGS = {
    ("tiktoken.core", "Encoding"),
    ("tokenizer_py.tiktoken.core", "Encoding"),
}
_STATE = {"name": str, "pat_str": str, "mergeable_ranks": dict, "special_tokens": dict}


def load(path: str | os.PathLike[str]) -> Encoding:
    """Returns the encoding in a pickle (protocol 3 or later) written by tiktoken or this package.

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: not a pickled encoding, or corrupt.

    >>> load("tokenizer.pkl")  # doctest: +SKIP
    <Encoding 'rustbpe'>
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        return loads(data)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def loads(data: bytes) -> Encoding:
    """Returns the encoding in a pickle given as bytes.

    Raises:
        ValueError: as ``load``.

    >>> import pickle
    >>> loads(pickle.dumps(encoding)).encode("hello world")
    [31373, 995]
    """
    import io

    try:
        received = _Reader(io.BytesIO(data)).load()
    except ValueError:
        raise
    except Exception as error:
        # A corrupt pickle can raise any exception.
        raise ValueError(f"invalid pickle: {error}") from error
    if type(received) is not _Placeholder:
        raise ValueError("not a pickled tiktoken encoding")
    return Encoding(**_validated(received.state))


class _Placeholder:
    """Stands in for ``Encoding`` and stores its state, so that unpickling runs no method of it."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ENCODINGS:
            return _Placeholder
        raise ValueError(f"unexpected {module}.{name} in the pickle of a tiktoken encoding")


def _validated(state: object) -> dict[str, Any]:
    if isinstance(state, str):
        raise ValueError(f'contains only the name of an encoding; use tiktoken.get_encoding("{state}")')
    if not isinstance(state, dict) or state.keys() != _STATE.keys():
        raise ValueError("unexpected attributes of the encoding")
    for name, kind in _STATE.items():
        if type(state[name]) is not kind:
            raise ValueError(f"{name} must be a {kind.__name__}, not {type(state[name]).__name__}")
    tables = {"mergeable_ranks": bytes, "special_tokens": str}
    for table, kind in tables.items():
        for token, rank in state[table].items():
            if type(token) is not kind or type(rank) is not int or not 0 <= rank < 1 << 32:
                raise ValueError(f"invalid entry of {table}: {token!r}: {rank!r}")
    if not state["mergeable_ranks"]:
        raise ValueError("mergeable_ranks is empty")
    return state


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line: reads a pickle and writes a model or another pickle."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m tokenizer_py.pickles",
        description="Converts a pickled tiktoken Encoding, such as nanochat's tokenizer.pkl, "
        "without running code from the pickle.",
    )
    parser.add_argument("pickle", metavar="PICKLE", help="a pickled Encoding")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the output: .pkl (a pickle of tokenizer_py.tiktoken.Encoding; may be the same file), "
        ".bpe (the complete model), .json (Hugging Face) or .tiktoken (ranks only)",
    )
    paths = parser.parse_args(arguments)
    try:
        encoding = load(paths.pickle)
        _save(encoding, paths.model)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"{paths.model}: {encoding.n_vocab} ids", file=sys.stderr)


def _save(encoding: Encoding, path: str) -> None:
    if path.endswith((".pkl", ".pickle")):
        from .tiktoken.load import _write_atomically

        _write_atomically(path, pickle.dumps(encoding))
    else:
        from ._native import Tokenizer

        Tokenizer.from_tiktoken(encoding).save(path)


if __name__ == "__main__":
    main()

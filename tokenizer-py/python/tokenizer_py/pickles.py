"""Reads a pickled ``tiktoken.Encoding`` without running what else a pickle may hold.

nanochat keeps its tokenizer as ``tokenizer.pkl``, a pickle of an ``Encoding``. One that was written
with tiktoken loads as tiktoken's class. Here it becomes ours, or a file of another kind::

    python -m tokenizer_py.pickles tokenizer.pkl tokenizer.pkl      # in place: loads as ours now
    python -m tokenizer_py.pickles tokenizer.pkl tokenizer.bpe      # or .json, or .tiktoken

``pickle.load`` calls whatever a pickle names. ``load`` calls nothing: it takes the class ``Encoding``,
of tiktoken or of this package, with the four values that it keeps, and refuses everything else.
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
_KEPT = {"name": str, "pat_str": str, "mergeable_ranks": dict, "special_tokens": dict}


def load(path: str | os.PathLike[str]) -> Encoding:
    """The encoding in a pickle that tiktoken or this package wrote.

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is something else than a pickled encoding, or damaged.

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
    """The encoding in a pickle that is in memory.

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
        # A damaged pickle may fail in any way.
        raise ValueError(f"no pickle, or a damaged one: {error}") from error
    if type(received) is not _Received:
        raise ValueError("it is no pickled tiktoken encoding")
    return Encoding(**_checked(received.state))


class _Received:
    """Stands for the encoding, whose own methods are not called while reading."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ENCODINGS:
            return _Received
        raise ValueError(f"it holds {module}.{name}, and is no pickled tiktoken encoding alone")


def _checked(state: object) -> dict[str, Any]:
    if isinstance(state, str):
        raise ValueError(f'it only names an encoding: tiktoken.get_encoding("{state}") has it')
    if not isinstance(state, dict) or state.keys() != _KEPT.keys():
        raise ValueError("the encoding in it has not the values that tiktoken keeps")
    for name, kind in _KEPT.items():
        if type(state[name]) is not kind:
            raise ValueError(f"{name} is no {kind.__name__}")
    tables = {"mergeable_ranks": bytes, "special_tokens": str}
    for table, kind in tables.items():
        for token, rank in state[table].items():
            if type(token) is not kind or type(rank) is not int or not 0 <= rank < 1 << 32:
                raise ValueError(f"{table} holds {token!r}: {rank!r}")
    if not state["mergeable_ranks"]:
        raise ValueError("mergeable_ranks is empty")
    return state


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: reads a pickle, writes a model."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m tokenizer_py.pickles",
        description="Converts a pickled tiktoken Encoding, such as nanochat's tokenizer.pkl. "
        "Nothing in the pickle is run.",
    )
    parser.add_argument("pickle", metavar="PICKLE", help="a pickle that tiktoken wrote")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="where to write: .pkl (a pickle of tokenizer_py.tiktoken.Encoding; may be PICKLE "
        "itself), .bpe (everything), .json (Hugging Face) or .tiktoken (ranks only)",
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
        from .tiktoken.load import _write_whole

        _write_whole(path, pickle.dumps(encoding))
    else:
        from ._native import Tokenizer

        Tokenizer.from_tiktoken(encoding).save(path)


if __name__ == "__main__":
    main()

"""Encodings by their names: those of OpenAI, and those of plugins.

A plugin is a module in the namespace package ``tiktoken_ext`` with a dict ``ENCODING_CONSTRUCTORS``: by
name, functions that give the arguments of ``Encoding``. Plugins are looked for when a name is asked
for that is not OpenAI's. The module ``tiktoken_ext.openai_public``, which comes with tiktoken, is
passed over: what it has is here.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import TYPE_CHECKING, Any

from . import openai_public
from .core import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["get_encoding", "list_encoding_names"]

_lock = threading.RLock()
ENCODINGS: dict[str, Encoding] = {}
"""Those that were made so far."""
ENCODING_CONSTRUCTORS: dict[str, Callable[[], dict[str, Any]]] | None = None
"""How the others are made; ``None`` before plugins were looked for."""


def _new_lock() -> None:
    """A thread that is not there in a forked process may have held the lock."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _available_plugin_modules() -> Sequence[str]:
    try:
        import tiktoken_ext  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return []
    import pkgutil

    modules = pkgutil.iter_modules(tiktoken_ext.__path__, tiktoken_ext.__name__ + ".")
    return [name for _, name, _ in modules if name != "tiktoken_ext.openai_public"]


def _find_constructors() -> dict[str, Callable[[], dict[str, Any]]]:
    global ENCODING_CONSTRUCTORS
    with _lock:
        if ENCODING_CONSTRUCTORS is not None:
            return ENCODING_CONSTRUCTORS
        found = dict(openai_public.ENCODING_CONSTRUCTORS)
        for module_name in _available_plugin_modules():
            module = importlib.import_module(module_name)
            try:
                constructors = module.ENCODING_CONSTRUCTORS
            except AttributeError as error:
                raise ValueError(
                    f"tiktoken plugin {module_name} does not define ENCODING_CONSTRUCTORS"
                ) from error
            for name, constructor in constructors.items():
                if name in found:
                    raise ValueError(
                        f"Duplicate encoding name {name} in tiktoken plugin {module_name}"
                    )
                found[name] = constructor
        ENCODING_CONSTRUCTORS = found
        return found


def _constructor(name: str) -> Callable[[], dict[str, Any]]:
    known = ENCODING_CONSTRUCTORS or openai_public.ENCODING_CONSTRUCTORS
    constructor = known.get(name) or _find_constructors().get(name)
    if constructor is None:
        from .._native import __version__

        raise ValueError(
            f"Unknown encoding {name}.\n"
            f"Plugins found: {_available_plugin_modules()}\n"
            f"tokenizer_py version: {__version__} (are you on latest?)"
        )
    return constructor


def get_encoding(encoding_name: str) -> Encoding:
    """The encoding of this name; the same object every time.

    Its files are fetched when they are not cached yet (see ``tokenizer_py.tiktoken.load``).

    Raises:
        ValueError: not a ``str``, or there is no such encoding; what was fetched is damaged.
        OSError: the files are not cached and cannot be fetched.

    >>> get_encoding("cl100k_base").encode("hello world")
    [15339, 1917]
    """
    if not isinstance(encoding_name, str):
        raise ValueError(f"Expected a string in get_encoding, got {type(encoding_name)}")
    if encoding_name in ENCODINGS:
        return ENCODINGS[encoding_name]
    with _lock:
        if encoding_name not in ENCODINGS:
            ENCODINGS[encoding_name] = Encoding(**_constructor(encoding_name)())
        return ENCODINGS[encoding_name]


def list_encoding_names() -> list[str]:
    """The names of all encodings, those of plugins too.

    Raises:
        ValueError: two plugins have the same name, or one has none.
    """
    return list(_find_constructors())

"""Encodings by name: OpenAI's and those of plugins.

A plugin is a module in the namespace package ``tiktoken_ext``. Its dict ``ENCODING_CONSTRUCTORS`` maps a
name to a function that returns the arguments of ``Encoding``. Plugins are imported when a requested name
is not one of OpenAI's, or when all names are listed. tiktoken's own plugin, ``tiktoken_ext.openai_public``,
is skipped; the module ``openai_public`` of this package replaces it.
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
"""Cache: the encodings constructed so far."""
ENCODING_CONSTRUCTORS: dict[str, Callable[[], dict[str, Any]]] | None = None
"""Constructors of all encodings; ``None`` until the plugins have been imported."""


def _reset_lock() -> None:
    """Replaces the lock in a forked child: a thread of the parent may have held it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_lock)


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
    """Returns the encoding with this name; every call returns the same object.

    The first call downloads the files of the encoding unless they are cached (see
    ``tokenizer_py.tiktoken.load``).

    Raises:
        ValueError: not a ``str``, unknown name, or corrupt download.
        OSError: the files are not cached and cannot be downloaded.

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
    """Returns the names of all encodings, including those of plugins.

    Raises:
        ValueError: two plugins define the same name, or a plugin has no ``ENCODING_CONSTRUCTORS``.
    """
    return list(_find_constructors())

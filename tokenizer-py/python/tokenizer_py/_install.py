"""``install`` and ``uninstall``: redirect ``import tiktoken`` and ``import rustbpe``.

The import system looks a module up in ``sys.modules`` and, if it is missing, asks each finder on
``sys.meta_path``. ``install`` removes the originals from ``sys.modules`` and puts a finder in front that
returns the modules of this package; ``uninstall`` reverses both steps. Modules of this package that are
already imported are entered into ``sys.modules`` at once, so that threads never see a module half loaded.
"""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType, TracebackType

__all__ = ["install", "uninstall"]

_REPLACEMENTS = {
    "rustbpe": "tokenizer_py.rustbpe",
    "tiktoken": "tokenizer_py.tiktoken",
    "tiktoken_ext.openai_public": "tokenizer_py.tiktoken.openai_public",
}
_PACKAGES = ("rustbpe", "tiktoken", "tiktoken_ext")


class Installation:
    """The result of ``install``, usable as a context manager.

    Leaving the block undoes this call of ``install``; other calls stay in effect.
    """

    def __enter__(self) -> Installation:
        _activate(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _lock:
            _active.discard(self)
            if not _active:
                _restore()


def install() -> Installation:
    """Makes ``import tiktoken`` and ``import rustbpe`` return the modules of this package.

    Covers the submodules (``tiktoken.load``, ``tiktoken.core``, ...) and ``tiktoken_ext.openai_public``;
    other plugins in ``tiktoken_ext`` are imported from where they are. The originals need not be
    installed. Call ``install`` before importing libraries that use tiktoken. Repeated calls have no
    further effect.

    Returns:
        A context manager: ``with install(): ...`` undoes the call at the end of the block.

    Warns:
        RuntimeWarning: tiktoken or rustbpe was imported before. Names bound earlier, such as
            ``Encoding`` in ``from tiktoken import Encoding``, still refer to the original.

    >>> import tokenizer_py
    >>> with tokenizer_py.install():
    ...     from tiktoken.load import load_tiktoken_bpe
    >>> load_tiktoken_bpe.__module__
    'tokenizer_py.tiktoken.load'
    """
    installation = Installation()
    _activate(installation)
    return installation


def uninstall() -> None:
    """Undoes all calls of ``install``: the originals are back in ``sys.modules``.

    Names bound while ``install`` was in effect still refer to this package.

    >>> import tokenizer_py
    >>> tokenizer_py.uninstall()
    """
    with _lock:
        _active.clear()
        _restore()


class _Loader:
    def __init__(self, replacement: ModuleType) -> None:
        self._replacement = replacement

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # After this call, the import system returns whatever module `sys.modules` has under this name.
        # If `create_module` returned our module instead, the import system would overwrite its `__spec__`.
        sys.modules[module.__name__] = self._replacement


class _Finder:
    """Finds the modules of this package under the names of the originals."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        replacement = _replacement(name)
        if replacement is None:
            return None
        from importlib.util import find_spec

        found = find_spec(replacement)
        if found is None:
            return None
        is_package = found.submodule_search_locations is not None
        loader: Any = _Loader(importlib.import_module(replacement))
        return ModuleSpec(name, loader, origin=found.origin, is_package=is_package)


class _NamespaceFinder:
    """Supplies an empty ``tiktoken_ext`` if no plugins are installed. Asked after all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, None, is_package=True) if name == "tiktoken_ext" else None


_lock = threading.RLock()
_active: set[Installation] = set()
_is_installed = False
_originals: dict[str, ModuleType] = {}
_finder: Any = _Finder()
_namespace_finder: Any = _NamespaceFinder()


def _activate(installation: Installation) -> None:
    global _is_installed
    with _lock:
        if not _is_installed:
            # Comes first, so that nothing has changed if the warning is raised as an error.
            _warn_if_imported()
            _originals.update(_remove_modules())
            _is_installed = True
            sys.meta_path.insert(0, _finder)
            sys.meta_path.append(_namespace_finder)
            _enter_imported_modules()
        _active.add(installation)


def _restore() -> None:
    global _is_installed
    if _is_installed:
        # Other code may have replaced the list.
        sys.meta_path[:] = [f for f in sys.meta_path if f not in (_finder, _namespace_finder)]
        _remove_modules()
        sys.modules.update(_originals)
        _originals.clear()
        _is_installed = False


def _remove_modules() -> dict[str, ModuleType]:
    # A copy, since another thread may import meanwhile.
    names = [name for name in list(sys.modules) if name.partition(".")[0] in _PACKAGES]
    return {name: sys.modules.pop(name) for name in names if name in sys.modules}


def _enter_imported_modules() -> None:
    """Enters the imported modules of this package under the names of the originals.

    Not those in ``tiktoken_ext``: a module becomes an attribute of its package only if it is loaded.
    """
    for original in ("rustbpe", "tiktoken"):
        replacement = _REPLACEMENTS[original]
        for name, module in list(sys.modules.items()):
            if name == replacement or name.startswith(replacement + "."):
                sys.modules[original + name[len(replacement) :]] = module


def _replacement(name: str) -> str | None:
    """The name of our module that replaces the module ``name``; ``None`` if none does."""
    for original, replacement in _REPLACEMENTS.items():
        if name == original or name.startswith(original + "."):
            return replacement + name[len(original) :]
    return None


def _warn_if_imported() -> None:
    modules = {name: sys.modules.get(name) for name in ("rustbpe", "tiktoken")}
    imported = [
        name
        for name, module in modules.items()
        if module is not None and module.__name__ != _REPLACEMENTS[name]
    ]
    if imported:
        import warnings

        warnings.warn(
            f"{' and '.join(imported)} imported before tokenizer_py.install(): names bound earlier "
            "refer to the original; call install() first",
            RuntimeWarning,
            stacklevel=4,
        )

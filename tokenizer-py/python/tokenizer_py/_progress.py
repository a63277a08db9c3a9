"""Implements the argument ``progress``. ``True`` shows a tqdm bar or, if tqdm is not installed, prints a line
to stderr at each tenth of a known total.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Bar", "close", "from_argument"]

_UNITS = {"counting": "B", "merging": " merges"}


class Bar:
    """A progress callback: takes the stage, the units done and the total (``None`` if unknown)."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._bar: Any = None
        self._tenths = -1

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = _tqdm(stage, total)
            self._tenths = -1
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif total and done * 10 // total > self._tenths:
            self._tenths = done * 10 // total
            print(f"{stage}: {done:,} of {total:,}", file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def from_argument(progress: Any) -> Any:
    """Converts the argument ``progress`` to a callback."""
    if progress is True:
        return Bar()
    if progress is False or progress is None:
        return _ignore
    if not callable(progress):
        raise TypeError("progress must be a bool, None or a callable")
    return progress


def _ignore(stage: str, done: int, total: int | None) -> None:
    """The callback if progress is disabled."""


def close(progress: Any) -> None:
    """Closes the callback if it is a ``Bar``."""
    if isinstance(progress, Bar):
        progress.close()


def _tqdm(stage: str, total: int | None) -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return tqdm(desc=stage, total=total, unit=_UNITS.get(stage, ""), unit_scale=True)

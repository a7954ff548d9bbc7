"""The place where a trap is played: a folder to be in, and a process that is left as it was found."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextlib.contextmanager
def world(folder: Path) -> Iterator[None]:
    """Be in a folder, and undo what a notebook does to the process there."""
    before = Path.cwd(), dict(os.environ), list(sys.path), set(sys.modules)
    sys.dont_write_bytecode = True  # else a module that was edited within a second would be taken from there
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.chdir(before[0])
        os.environ.clear()
        os.environ.update(before[1])
        sys.path[:] = before[2]
        for name in set(sys.modules) - before[3]:
            if _is_below(sys.modules[name], folder):
                del sys.modules[name]


def _is_below(module: ModuleType, folder: Path) -> bool:
    own = vars(module)
    places = [own.get("__file__"), *own.get("__path__", ())]
    return any(isinstance(place, str) and Path(folder, place).is_relative_to(folder) for place in places)

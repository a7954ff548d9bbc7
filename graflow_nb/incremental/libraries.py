"""What is a library (it counts by its version), and what is the user's own (it counts by its code)."""

from __future__ import annotations

import sys
import sysconfig
from functools import lru_cache
from importlib.util import find_spec
from pathlib import PurePath
from types import FunctionType
from typing import Any

_FOLDERS = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} - {None})
_FOLDER_NAMES = {"site-packages", "dist-packages"}


@lru_cache(maxsize=10_000)
def is_library(module: str) -> bool:
    """Whether a module is installed, not the user's own; one of which nothing is known is the user's own."""
    root = module.partition(".")[0]
    if module in sys.builtin_module_names or root == "graflow_nb":
        return True
    if module == "__main__":  # under ``python -m`` its file is a library's
        return False
    found = sys.modules.get(module)
    spec = getattr(found, "__spec__", None) if found else _spec(root)
    if getattr(spec, "origin", None) in {"built-in", "frozen"}:
        return True
    file = getattr(found, "__file__", None) or getattr(spec, "origin", None)
    files = [file] if file else [*(getattr(found, "__path__", None) or ())]
    return bool(files) and all(map(_is_installed, files))


def is_own(value: Any) -> bool:
    """Whether a function or class is the user's own.

    One that says it comes from a library does so only if it is found there: `functools.wraps` copies the
    library's name to a function of one's own, and a class may be made at run time.
    """
    module = value.__globals__.get("__name__") if isinstance(value, FunctionType) else value.__module__
    if not isinstance(module, str) or not is_library(module):
        return True
    found: Any = sys.modules.get(value.__module__ or "")
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is not value


def _is_installed(file: str) -> bool:
    return file.startswith(_FOLDERS) or not _FOLDER_NAMES.isdisjoint(PurePath(file).parts)


def _spec(module: str) -> object:
    try:
        return find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None


def qualified(value: Any) -> str:
    """Return the importable name of a class or function, with its library's version."""
    module = getattr(value, "__module__", None) or ""
    return f"{module}.{getattr(value, '__qualname__', type(value).__qualname__)}@{version(module)}"


def version(module: str) -> str:
    """Return the version of the library that a module belongs to; Python's own for the standard library."""
    root = sys.modules.get(module.partition(".")[0])
    found = getattr(root, "__version__", None)
    return found if isinstance(found, str) else sys.version.split()[0]

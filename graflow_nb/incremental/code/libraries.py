"""What is a library (it counts by its version), and what is the user's own (it counts by its code)."""

from __future__ import annotations

import sys
import sysconfig
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import FunctionType, ModuleType
from typing import Any

_FOLDERS = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} - {None})
_PYTHON = sys.version.split()[0]
_FOLDER_NAMES = {"site-packages", "dist-packages"}


@lru_cache(maxsize=10_000)
def is_library(module: str) -> bool:
    """Whether a module is installed, not the user's own; one of which nothing is known is the user's own."""
    root = module.partition(".")[0]
    if module in sys.builtin_module_names or root == "graflow_nb":
        return True
    if module == "__main__":  # under ``python -m`` its file is a library's
        return False
    loaded: Any = sys.modules.get(module)
    found = loaded if isinstance(loaded, ModuleType) else None
    spec = getattr(found, "__spec__", None) if found else _spec(root)
    if getattr(spec, "origin", None) in {"built-in", "frozen"}:
        return True
    file = getattr(found, "__file__", None) or getattr(spec, "origin", None)
    files = [file] if file else [*(getattr(found, "__path__", None) or ())]
    return bool(files) and all(map(_is_installed, files))


def is_own(value: Any) -> bool:
    """Whether a function or class is the user's own.

    One that says it comes from a library does so only if it is found there: `functools.wraps` copies the
    library's name to a function of one's own, and a class may be made at run time. A library's wrapper round
    a function of one's own is one's own.
    """
    modules = [value.__module__]
    if isinstance(value, FunctionType):
        modules.append(value.__globals__.get("__name__"))
    if not all(isinstance(module, str) and is_library(module) for module in modules):
        return True
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is not value


def _is_installed(file: str) -> bool:
    return file.startswith(_FOLDERS) or not _FOLDER_NAMES.isdisjoint(PurePath(file).parts)


def _spec(module: str) -> object:
    try:
        return find_spec(module)
    except Exception:  # what is in `sys.modules` need not be a module
        return None


def qualified(value: Any) -> str:
    """Return the importable name of a class or function, with its library's version; one's own has none."""
    module = getattr(value, "__module__", None) or ""
    name = getattr(value, "__qualname__", type(value).__qualname__)
    is_named = isinstance(value, FunctionType | type)
    return name if is_named and is_own(value) else f"{module}.{name}@{version(module)}"


def version(module: str) -> str:
    """Return the version of the library that a module belongs to; Python's own for the standard library.

    It is the same whether the library is loaded or not: what is installed counts, unless what is loaded says
    that it is another.
    """
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return _PYTHON
    installed = _installed_version(root)
    there: Any = sys.modules.get(root)
    loaded = getattr(there, "__version__", None) if isinstance(there, ModuleType) else None
    if not isinstance(loaded, str) or (installed and loaded.startswith(installed)):
        return installed or _PYTHON
    return installed if installed.startswith(loaded) else loaded


@lru_cache(maxsize=1_000)
def _installed_version(root: str) -> str:
    """Return the version of the distribution that a package comes from; "" if none is known."""
    if not root:
        return ""
    from importlib import metadata  # loads a good deal of the standard library

    try:
        return metadata.version(root)
    except (metadata.PackageNotFoundError, ValueError):  # the distribution has another name: scikit-learn
        return _distribution_version(root)


def _distribution_version(root: str) -> str:
    origin = getattr(_spec(root), "origin", None)
    folder = Path(origin).parent.parent if origin else None
    for info in sorted(folder.glob("*.dist-info")) if folder and _is_installed(str(origin)) else ():
        if _holds(info, root):
            return info.stem.partition("-")[2]
    return ""


def _holds(info: Path, root: str) -> bool:
    """Whether a distribution has a package, by what it says of itself."""
    try:
        names = info / "top_level.txt"
        if names.exists():
            return root in names.read_text("utf-8").split()
        return f"\n{root}/__init__.py," in "\n" + (info / "RECORD").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False

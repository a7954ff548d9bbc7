"""Which paths count as a task's own use of a file, and which are Python's and its libraries' business."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from importlib.machinery import all_suffixes
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

_HOME = str(Path("~").expanduser())
_STDLIB = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")}) + _STDLIB
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_SYSTEM = (
    "/proc/",
    "/sys/",
    "/dev/",
    "/usr/share/zoneinfo/",
    "/usr/share/fonts/",
    "/etc/fonts/",
    "/etc/localtime",
)
_OWN = tuple(
    str(Path(_HOME, *parts)) + os.sep
    for parts in (
        (".ipython",),
        (".jupyter",),
        (".local", "share", "jupyter"),
        (".local", "share", "fonts"),
        (".cache", "fontconfig"),
        (".cache", "matplotlib"),
        (".config", "matplotlib"),
        (".matplotlib",),
        (".fonts",),
    )
)
_NOT_COUNTED = _LIBRARIES + _SYSTEM + _OWN
_STORES = (f"{os.sep}.graflow_nb{os.sep}", f"{os.sep}__pycache__{os.sep}")
_CODE = (*all_suffixes(), ".pth")
_UP = f"{os.sep}.."
_IMPORT = "<frozen importlib"
_LISTING = ("pkgutil.py", "inspect.py", f"importlib{os.sep}metadata{os.sep}__init__.py")


def absolute(path: Any) -> str | None:
    """Return a path's absolute name as it is now, or None for what has no name."""
    if path is None:
        return os.getcwd()  # noqa: PTH109 - a fifth of the time, and done for every event
    if isinstance(path, int):
        return _of_descriptor(path)
    name = path if type(path) is str else os.fsdecode(path)
    if not os.path.isabs(name):  # noqa: PTH117 - as above
        name = os.path.join(os.getcwd(), name)  # noqa: PTH109, PTH118 - as above
    if _UP in name:
        return os.path.realpath(name)  # what is above a link is above where it leads
    return os.path.normpath(name)


def is_relative(path: Any) -> bool:
    """Whether where a path leads depends on the current folder."""
    if path is None:
        return True
    return isinstance(path, str | bytes | os.PathLike) and not os.path.isabs(path)  # noqa: PTH117 - as above


def inside(path: Any, folder: int) -> str | None:
    """Return the absolute name of a path given relative to an open folder (-1: to the current one)."""
    if folder == -1:
        return absolute(path)
    base = _of_descriptor(folder)
    return None if base is None else os.path.join(base, os.fsdecode(path))  # noqa: PTH118 - as above


def _of_descriptor(number: int) -> str | None:
    try:
        name = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - as above
    except OSError:
        return None
    return name if name.startswith(os.sep) else None


@lru_cache(maxsize=10_000)
def counts(name: str) -> bool:
    """Whether a file of this absolute name can be the task's own input or output."""
    path = f"{name}{os.sep}"  # a folder is one of its own files
    return not path.startswith(_NOT_COUNTED) and not any(part in path for part in _PACKAGES + _STORES)


def is_everywhere(folder: str) -> bool:
    """Whether a folder is so general that naming it says nothing: the current one and those above, home, /tmp."""
    here = os.getcwd()  # noqa: PTH109 - see above
    return folder in {_HOME, gettempdir()} or f"{here}{os.sep}".startswith(folder.rstrip(os.sep) + os.sep)


def is_read_by_machinery(frame: FrameType | None, name: str) -> bool:
    """Whether a file is opened to import it, or to show source lines of a traceback."""
    if frame is None:
        return False
    if name in sys.path or os.path.basename(name).startswith("<"):  # noqa: PTH119 - an archive of modules, a cell
        return True
    if frame.f_code.co_filename.startswith(_IMPORT):
        return name.endswith(_CODE)  # other files are data, got by `pkgutil.get_data`
    if frame.f_code.co_filename.endswith("tokenize.py") and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename.endswith(f"{os.sep}linecache.py")


def is_code(name: str) -> bool:
    """Whether a file is code by its name, or none at all: a cell, a string."""
    return name.endswith(_CODE) or os.path.basename(name).startswith("<")  # noqa: PTH119 - only a text


def is_listed_by_machinery(frame: FrameType | None) -> bool:
    """Whether a folder is listed to find modules in it, or to delete it."""
    if frame is None:
        return False
    code = frame.f_code
    return (
        code.co_filename.startswith(_IMPORT)
        or code.co_filename.endswith(_LISTING)
        or (code.co_name.startswith("_rmtree") and code.co_filename.startswith(_STDLIB))
    )


def is_standard(code: CodeType) -> bool:
    """Whether code is of Python itself."""
    name = code.co_filename
    return name.startswith("<frozen ") or (name.startswith(_STDLIB) and not any(p in name for p in _PACKAGES))


def is_installed(code: CodeType) -> bool:
    """Whether code is of Python itself or of an installed package."""
    name = code.co_filename
    return is_standard(code) or name.startswith(_LIBRARIES) or any(part in name for part in _PACKAGES)


def is_importing(frame: FrameType | None) -> bool:
    """Whether code runs because a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT) and frame.f_code.co_name == "exec_module":
            return True
        frame = frame.f_back
    return False

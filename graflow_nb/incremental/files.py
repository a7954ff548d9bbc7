"""Files that a task may read, as far as its code and arguments name them."""

from __future__ import annotations

import os
import stat
from typing import Any

from graflow_nb.incremental.fingerprint import fingerprint

_LONGEST = 1_000  # characters of a path


def paths_among(constant: object) -> list[str]:
    """Return the texts of a constant in code that could name a file."""
    if isinstance(constant, tuple | frozenset):
        return [path for item in constant for path in paths_among(item)]
    return [constant] if isinstance(constant, str) and _may_be_path(constant) else []


def path_of(value: Any) -> str | os.PathLike[Any] | None:
    """Return a value if it could name a file, else None."""
    if isinstance(value, os.PathLike) or (type(value) is str and _may_be_path(value)):
        return value
    return None


def file_digest(path: str | os.PathLike[Any]) -> bytes | None:
    """Return what changes when a file changes (its identity, size and times), or None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time, and done for every text that may be a path
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return fingerprint((found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


def _may_be_path(text: str) -> bool:
    return ("." in text or os.sep in text) and len(text) <= _LONGEST and text.isprintable()

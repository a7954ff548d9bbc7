"""Questions about files: whether they exist, how large and how old they are. The audit hook does not hear them."""

from __future__ import annotations

import os
import stat
from functools import wraps
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.files import ABSENT
from graflow_nb.incremental.trace.audit import LISTENER
from graflow_nb.incremental.trace.counted import (
    is_code,
    is_importing,
    is_installed,
    is_listed_by_machinery,
    is_standard,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_EXISTENCE = frozenset(
    {"exists", "lexists", "isfile", "isdir", "islink", "is_file", "is_dir", "is_symlink", "samefile", "is_mount"}
)
_NOTHING = frozenset({"realpath", "_joinrealpath", "resolve", "ismount", "rmtree", "_rmtree_safe_fd"})
_ABSOLUTE = frozenset({"abspath", "realpath", "_joinrealpath", "relpath", "resolve", "absolute", "cwd"})
_PASSED_ON = (
    _EXISTENCE
    | _NOTHING
    | frozenset(
        {
            "stat",
            "lstat",
            "getsize",
            "getmtime",
            "getatime",
            "getctime",
            "glob",
            "iglob",
            "_iglob",
            "_glob0",
            "_lexists",
            "_isdir",
        }
    )
)
"""Functions of the standard library that ask on behalf of others."""


def question(name: str, frame: FrameType | None) -> tuple[str, bool]:
    """Return what code asks of a file, and whether it is the task's own code.

    Returns
    -------
    what : str
        "exists", "status" (size and time too), or "" for nothing of its own.
    is_own : bool
    """
    what = "status"
    while frame is not None and is_standard(frame.f_code) and frame.f_code.co_name in _PASSED_ON:
        if frame.f_code.co_name in _NOTHING:
            return "", False
        if frame.f_code.co_name in _EXISTENCE:
            what = "exists"
        frame = frame.f_back
    if frame is not None and _is_machinery(name, frame):
        return "", False
    return what, frame is not None and not is_installed(frame.f_code)


def asks_for_current_folder(frame: FrameType | None) -> bool:
    """Whether code that wants to know, or to change, the current folder does so for the task."""
    while frame is not None and is_standard(frame.f_code) and frame.f_code.co_name in _ABSOLUTE:
        frame = frame.f_back
    return frame is None or not (is_listed_by_machinery(frame) or frame.f_code.co_filename.endswith("tempfile.py"))


def existence_digest(path: str) -> bytes:
    """Return a digest of whether there is a file, and of which type."""
    try:
        return b"type:%o" % stat.S_IFMT(_stat(path).st_mode)
    except (OSError, ValueError):
        return ABSENT


def status_digest(path: str) -> bytes:
    """Return a digest of a file's type, size and time."""
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return ABSENT
    if stat.S_ISDIR(found.st_mode):  # what is in it is another question
        return existence_digest(path)
    return b"%d %d %d" % (found.st_mode, found.st_size, found.st_mtime_ns)


def change_questions(*, tells: bool) -> None:
    """Let `os.stat`, `os.lstat` and `os.getcwd` tell the running task's listener, or no longer."""
    for name, plain, told in _QUESTIONS:
        old, new = (plain, told) if tells else (told, plain)
        if getattr(os, name) is old:
            setattr(os, name, new)


def _is_machinery(name: str, frame: FrameType) -> bool:
    if is_listed_by_machinery(frame):
        return True
    return is_installed(frame.f_code) and (is_code(name) or is_importing(frame))


def _told_of_folder() -> str:
    listener = LISTENER.get()
    if listener is not None:
        listener.heard("os.getcwd", ())
    return _getcwd()


def _told(plain: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
    @wraps(plain)
    def told(path: Any, *args: Any, **options: Any) -> os.stat_result:
        listener = LISTENER.get()
        if listener is not None and options.get("dir_fd") is None:
            listener.heard("os.stat", (path,))
        return plain(path, *args, **options)

    for each in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if plain in each:
            each.add(told)  # shutil looks there what the function can do
    return told


_stat, _getcwd = os.stat, os.getcwd
_QUESTIONS: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
    ("stat", os.stat, _told(os.stat)),
    ("lstat", os.lstat, _told(os.lstat)),
    ("getcwd", os.getcwd, wraps(os.getcwd)(_told_of_folder)),
)
